//! What holds for every request.

mod support;

use std::sync::LazyLock;

use drawbridge_gate::{Decision, Gate, Reason};
use proptest::prelude::*;
use support::{Case, House, NOW};

static HOUSE: LazyLock<House> = LazyLock::new(House::new);
static ORDERS: LazyLock<Gate> = LazyLock::new(|| HOUSE.gate("orders"));

fn allowed(case: &Case) -> bool {
    matches!(case.decide(&ORDERS), Decision::Allow(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_without_a_signature_are_let_in(
        method in prop_oneof![Just("GET".to_owned()), any::<String>()],
        target in prop_oneof![Just("/customers/1".to_owned()), any::<String>(), "/customers/[ -~]{0,20}"],
        headers in proptest::collection::vec((
            prop_oneof![Just("Authorization".to_owned()), Just("X-HTTP-Method".to_owned()), any::<String>()],
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..64),
                "Bearer [A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,5}".prop_map(String::into_bytes),
            ],
        ), 0..4),
    ) {
        let mut case = Case::new().bare().to(&method, &target);
        case.headers = headers;
        prop_assert!(!allowed(&case));
    }

    #[test]
    fn a_token_that_was_changed_anywhere_is_refused(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9._-]", kind in 0..3) {
        let token = Case::new().token();
        let mut changed = token.clone();
        let at = at.index(token.len());
        match kind {
            0 => changed.replace_range(at..=at, &to),
            1 => changed.insert_str(at, &to),
            _ => { changed.remove(at); }
        }
        prop_assume!(changed != token);
        prop_assert!(!allowed(&Case::new().text(changed)));
    }

    #[test]
    fn an_expired_token_is_refused_from_then_on(late in 0_i64..4_000_000_000) {
        // `exp` is 120 s away and the skew 30 s.
        let reason = Case::new().at(NOW + 150 + late).decide(&ORDERS).reason();
        prop_assert_eq!(reason, Reason::TokenExpired);
    }

    #[test]
    fn a_token_is_good_for_no_longer_than_it_says(at in -400_i64..400) {
        let expected = (-30..150).contains(&at);
        prop_assert_eq!(allowed(&Case::new().at(NOW + at)), expected);
    }

    #[test]
    fn only_the_exact_scope_counts(scope in "[a-z:]{0,20}( [a-z:]{1,20}){0,3}") {
        let has = scope.split(' ').any(|scope| scope == "customers:read");
        prop_assert_eq!(allowed(&Case::new().claim("scope", scope)), has);
    }

    #[test]
    fn what_a_backend_is_told_is_visible_ascii_within_its_bound(sub in any::<String>(), role in any::<String>()) {
        let case = Case::new().claim("sub", format!("u{sub}")).claim("roles", vec![role]);
        if let Decision::Allow(allow) = case.decide(&ORDERS) {
            let told: usize = allow.context.iter().map(|(claim, value)| claim.len() + value.len()).sum();
            prop_assert!(told <= 4096);
            for (_, value) in &allow.context {
                prop_assert!(value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
            }
        }
    }
}
