//! What holds for every consumer's token that is bridged.

use std::collections::BTreeSet;

use drawbridge_bridge::Mapping;
use drawbridge_config::RESERVED_CLAIMS as RESERVED;
use drawbridge_gate::Reason;
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{House, NOW, claims};

#[test]
fn a_bridged_token_says_no_more_than_the_consumers() {
    let runtime = Runtime::new().unwrap();
    let house = runtime.block_on(House::new()).limited(1_000_000);
    proptest!(ProptestConfig::with_cases(96), |(
        left in 1_i64..2_000,
        age in 0_i64..2_000,
        scopes in vec(prop_oneof!["customers:(read|write)", "invoices:read", "[!#-\\[\\]-~]{1,12}"], 0..6),
        roles in json_value(),
        extra in vec(("[a-z_]{1,8}", json_value()), 0..4),
        billing in any::<bool>(),
    )| {
        let scope = scopes.join(" ");
        let mut change = json!({ "scope": scope, "realm_access": { "roles": roles } });
        for (name, value) in extra {
            if !change.as_object().unwrap().contains_key(&name) && !RESERVED.contains(&name.as_str()) {
                change[name] = value;
            }
        }
        change["exp"] = json!(NOW.as_secs() + left);
        change["iat"] = json!(NOW.as_secs() - age);
        let target = if billing { "/money/invoices/1" } else { "/orders/" };
        let bridged = runtime.block_on(async { house.bridged(&house.token(change).await, target).await });
        let bridged = match bridged {
            Ok(bridged) => bridged,
            Err(deny) => {
                prop_assert!(billing && !scopes.iter().any(|scope| scope == "invoices:read"));
                prop_assert_eq!(deny.reason, Reason::ScopeMissing);
                return Ok(());
            }
        };
        let said = claims(&bridged.token);

        let exp = said["exp"].as_i64().unwrap();
        prop_assert!(exp <= NOW.as_secs() + left, "never later than the consumer's");
        prop_assert_eq!(exp, NOW.as_secs() + left.min(120));
        prop_assert_eq!(&said["iat"], &json!(NOW.as_secs()));

        let has: BTreeSet<&str> = scope.split(' ').filter(|scope| !scope.is_empty()).collect();
        let given: Vec<&str> = said["scope"].as_str().unwrap().split(' ').filter(|scope| !scope.is_empty()).collect();
        let known: &[&str] = if billing { &["invoices:read"] } else { &["customers:read", "customers:write"] };
        prop_assert!(given.iter().all(|scope| has.contains(scope) && known.contains(scope)));
        prop_assert_eq!(given.len(), given.iter().collect::<BTreeSet<_>>().len());
        prop_assert!(known.iter().all(|scope| has.contains(scope) == given.contains(scope)));

        let aud = if billing { "https://billing.example.com" } else { "orders" };
        prop_assert_eq!(&said["aud"], &json!(aud), "exactly one backend");
        prop_assert_eq!(&said["iss"], &json!("https://edge.example.com"));
        prop_assert_eq!(&said["sub"], &json!("alice"));
        prop_assert_eq!(said.get("roles"), (!billing).then_some(&roles));
        let known = ["act", "aud", "client_id", "exp", "iat", "iss", "jti", "roles", "scope", "sub", "txn"];
        prop_assert!(said.keys().all(|name| known.contains(&name.as_str())), "nothing that was not mapped");
        prop_assert!(bridged.token.len() < 10_240);
    });
}

proptest! {
    #[test]
    fn a_mapping_cannot_set_what_the_bridge_sets(
        mut names in vec("[a-z_]{1,10}", 0..4),
        reserved in proptest::option::of(proptest::sample::select(RESERVED.as_slice())),
    ) {
        names.retain(|name| !RESERVED.contains(&name.as_str()));
        names.extend(reserved.map(str::to_owned));
        let mapping = Mapping::new(names.into_iter().map(|name| (name, "/x".to_owned())).collect());
        prop_assert_eq!(mapping.err().map(|error| error.0), reserved.map(str::to_owned));
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}
