//! The policies of `infra/azure/api-management`, run: each branch against allow, deny, failure, time-out and empty answers, and every
//! edit of them that could open the gate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

mod battery;
mod expression;
mod handler;
mod policy;
mod template;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::Document;

use crate::{
    battery::{HEADERS, RULES, allow, gateway, request},
    expression::Expression,
    policy::{Answer, Outcome, Policies, Request},
    template::{Inputs, render, source},
};

const BILLING: Inputs<'static> = Inputs {
    backend: "billing",
    path: "billing",
    headers: &HEADERS,
    mutual_tls: false,
    front_door: false,
    upstream_identity: false,
};

const FILES: [&str; 3] = ["api.xml", "guard.xml", "authorize.xml"];

/// The policies, with their source changed before it is rendered.
fn policies(inputs: &Inputs<'_>, change: impl Fn(&str, String) -> String) -> Policies {
    let [api, guard, authorize] = FILES.map(|file| render(&change(file, source(file)), inputs));
    let fragment = |name: &str| format!("drawbridge-{}-{name}", inputs.backend);
    Policies {
        api,
        fragments: BTreeMap::from([(fragment("guard"), guard), (fragment("authorize"), authorize)]),
    }
}

fn broken(policies: &Policies) -> Vec<String> {
    let check =
        |(name, rule): &(&str, battery::Rule)| rule(policies).err().map(|why| format!("{name}: {why}"));
    RULES.iter().filter_map(check).collect()
}

/// Whether an edit breaks a rule.
fn caught(policies: &Policies) -> bool {
    RULES.iter().any(|(_, rule)| rule(policies).is_err())
}

#[test]
fn the_policies_keep_every_rule() {
    assert_eq!(broken(&policies(&BILLING, |_, policy| policy)), Vec::<String>::new());
}

#[test]
fn an_edit_that_would_open_the_gate_is_caught() {
    let edits: &[(&str, &str, &str, &str)] = &[
        (
            "anything but a 403 passes, as in the vendor's sample",
            "authorize.xml",
            "StatusCode == 200",
            "StatusCode != 403",
        ),
        ("any success passes", "authorize.xml", "StatusCode == 200", "StatusCode &lt; 300"),
        (
            "the id is not asked for",
            "authorize.xml",
            r#".GetValueOrDefault("X-Drawbridge-Request-Id", "") != """#,
            r#".GetValueOrDefault("X-Drawbridge-Request-Id", "") != "x""#,
        ),
        (
            "no answer is an allow",
            "authorize.xml",
            r#"("drawbridge-answer") == null"#,
            r#"("drawbridge-answer") != null"#,
        ),
        (
            "errors are not ignored, and are the gateway's own 500",
            "authorize.xml",
            r#" ignore-error="true""#,
            "",
        ),
        ("a minute for an answer", "authorize.xml", r#" timeout="5""#, ""),
        ("the gate does not see the headers", "authorize.xml", r#"mode="copy""#, r#"mode="new""#),
        (
            "the caller's token goes where the gateway's own is written",
            "authorize.xml",
            r#"name="X-Bridged-Token""#,
            r#"name="Authorization""#,
        ),
        (
            "the deny of anybody is passed on",
            "authorize.xml",
            r#".StartsWith("application/problem+json", StringComparison.OrdinalIgnoreCase)"#,
            r#".StartsWith("", StringComparison.OrdinalIgnoreCase)"#,
        ),
        (
            "the key has no token",
            "guard.xml",
            r#"string.Join("\n", (string)context.Variables["drawbridge-token"], "#,
            r#"string.Join("\n", "#,
        ),
        ("the key has no method", "guard.xml", "context.Request.Method, ", ""),
        ("the key has no target", "guard.xml", r#"(string)context.Variables["drawbridge-target"], "#, ""),
        (
            "the key has no certificate",
            "guard.xml",
            r#", (string)context.Variables["drawbridge-certificate"])"#,
            ")",
        ),
        ("the key has no query", "guard.xml", " + context.Request.OriginalUrl.QueryString", ""),
        (
            "the parts of the key run into each other",
            "guard.xml",
            r#"string.Join("\n", "#,
            r#"string.Join("", "#,
        ),
        ("the key has no backend", "guard.xml", "drawbridge:${backend}:", "drawbridge:"),
        (
            "the certificate is the client's word",
            "guard.xml",
            r#"context.Request.Certificate == null ? "" : Convert.ToBase64String(context.Request.Certificate.RawData)"#,
            r#"context.Request.Headers.GetValueOrDefault("X-Client-Certificate", "")"#,
        ),
        (
            "method overrides are answered from memory",
            "guard.xml",
            r#"name.ToLowerInvariant().Contains("method") || "#,
            "",
        ),
        (
            "proofs are answered from memory",
            "guard.xml",
            r#" || name.ToLowerInvariant().Contains("dpop")"#,
            "",
        ),
        (
            "only the exact prefix is refused",
            "guard.xml",
            r#"name.Replace("_", "-").StartsWith"#,
            "name.StartsWith",
        ),
        (
            "remembered although nobody asked for it",
            "guard.xml",
            r#"int.Parse("{{drawbridge-${backend}-cache-seconds}}") > 0 &amp;&amp; "#,
            "",
        ),
        (
            "remembered for an hour",
            "api.xml",
            r#"duration='@((int)Math.Min(long.Parse("{{drawbridge-${backend}-cache-seconds}}")"#,
            r#"duration='@((int)Math.Min(long.Parse("3600")"#,
        ),
        (
            "remembered beyond the token",
            "api.xml",
            r#"["drawbridge-remembered"])["x-decision-expires"] ?? "=0").Substring(1)) > DateTimeOffset.UtcNow.ToUnixTimeSeconds()"#,
            r#"["drawbridge-remembered"])["x-decision-expires"] ?? "=0").Substring(1)) > 0"#,
        ),
        (
            "looked up before the guard",
            "api.xml",
            r#"        <include-fragment fragment-id="drawbridge-${backend}-guard" />
"#,
            "",
        ),
        (
            "a word that looks like a date is written anew",
            "authorize.xml",
            r#", "=" + header.Value[0])"#,
            ", header.Value[0])",
        ),
    ];
    for (what, file, from, to) in edits {
        let edited = policies(&BILLING, |name, policy| {
            if name != *file {
                return policy;
            }
            assert!(policy.contains(from), "{what}: {file} does not say `{from}`");
            policy.replace(from, to)
        });
        assert!(caught(&edited), "not caught: {what}");
    }
}

/// The last line of defence: nothing leads there, which is the point of it.
const BEHIND_EVERYTHING: &str = "should an edit change that, this line still denies";

#[test]
fn no_element_can_be_left_out() {
    let whole = policies(&BILLING, |_, policy| policy);
    let mut left_out = 0;
    for name in names(&whole) {
        let text = text(&whole, &name);
        let document = Document::parse(&text).unwrap();
        let unreachable = last_line(&text);
        for node in document.descendants().filter(|node| node.is_element()) {
            let range = node.range();
            // Sections and what the product's own policies do there are not ours.
            let ours = !["policies", "fragment", "base", "inbound", "backend", "outbound", "on-error"]
                .contains(&node.tag_name().name());
            if !ours || unreachable.is_some_and(|(from, to)| from <= range.start && range.end <= to) {
                continue;
            }
            let shorter = format!("{}{}", &text[..range.start], &text[range.end..]);
            assert!(
                caught(&replaced(&whole, &name, shorter)),
                "nothing notices that {name} lacks {}",
                &text[range]
            );
            left_out += 1;
        }
    }
    assert!(left_out > 60, "{left_out} elements");
}

#[test]
fn no_comparison_can_be_turned_round() {
    let whole = policies(&BILLING, |_, policy| policy);
    let mut turned = 0;
    for name in names(&whole) {
        let text = text(&whole, &name);
        let unreachable = last_line(&text);
        for (from, to) in [("==", "!="), ("!=", "=="), ("&amp;&amp;", "||"), ("||", "&amp;&amp;")] {
            for (at, _) in text.match_indices(from) {
                if unreachable.is_some_and(|(start, end)| start <= at && at < end) {
                    continue;
                }
                let other = format!("{}{to}{}", &text[..at], &text[at + from.len()..]);
                let context = &text[at.saturating_sub(60)..(at + 60).min(text.len())];
                assert!(caught(&replaced(&whole, &name, other)), "nothing notices {to} in {name}: {context}");
                turned += 1;
            }
        }
    }
    assert!(turned > 12, "{turned} comparisons");
}

#[test]
fn a_way_past_the_answer_still_ends_at_the_last_line() {
    // The branch that denies is gone, as the whole question is.
    let edited = policies(&BILLING, |name, policy| match name {
        "authorize.xml" => {
            let from = policy.find("    <choose>").unwrap();
            let to = policy.find("    <!-- Nothing above leads here").unwrap();
            format!("{}{}", &policy[..from], &policy[to..])
        }
        _ => policy,
    });
    let function = |_: &Request| Answer::Reply(allow());
    match gateway(&edited, "0", &function).handle(request()) {
        Outcome::Returned(reply) => assert_eq!(reply.status, 503),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_expression_is_within_what_is_known_and_is_run() {
    let whole = policies(&BILLING, |_, policy| policy);
    let function = |_: &Request| Answer::Reply(battery::told_all());
    let gateway = gateway(&whole, "60", &function);
    for _ in 0..2 {
        assert!(matches!(gateway.handle(request()), Outcome::Forwarded(_)));
    }
    let deny = |_: &Request| {
        Answer::Reply(battery::reply(401, &[("Content-Type", "application/problem+json")], "{}"))
    };
    let denying = battery::gateway(&whole, "60", &deny);
    assert!(matches!(denying.handle(request()), Outcome::Returned(_)));
    let run: BTreeSet<String> =
        gateway.expressions.borrow().union(&denying.expressions.borrow()).cloned().collect();
    for name in names(&whole) {
        let text = text(&whole, &name).replace("{{drawbridge-billing-cache-seconds}}", "60");
        for node in Document::parse(&text).unwrap().descendants() {
            let written = node.attributes().map(|attribute| attribute.value()).chain(node.text());
            for expression in written.map(str::trim).filter(|value| value.starts_with('@')) {
                let inner = expression.strip_prefix("@(").and_then(|inner| inner.strip_suffix(')'));
                Expression::parse(inner.unwrap_or_else(|| panic!("not known: `{expression}`")));
                assert!(run.contains(expression), "nobody runs `{expression}` of {name}");
            }
        }
    }
}

#[test]
fn a_client_without_a_certificate_is_refused_where_mutual_tls_is_required() {
    let policies = policies(&Inputs { mutual_tls: true, ..BILLING }, |_, policy| policy);
    let function = |_: &Request| Answer::Reply(allow());
    let gateway = gateway(&policies, "0", &function);
    match gateway.handle(request()) {
        Outcome::Returned(reply) => assert_eq!(reply.status, 403),
        other => panic!("{other:?}"),
    }
    let known = Request { certificate: Some(b"der".to_vec()), ..request() };
    assert!(matches!(gateway.handle(known), Outcome::Forwarded(_)));
}

#[test]
fn a_request_that_did_not_come_through_the_front_door_is_refused_where_there_is_one() {
    let policies = policies(&Inputs { front_door: true, ..BILLING }, |_, policy| policy);
    let function = |_: &Request| Answer::Reply(allow());
    let gateway = gateway(&policies, "0", &function);
    let through = |ids: &[&str]| {
        let mut request = request();
        for id in ids {
            request.headers.append("X-Azure-FDID", id);
        }
        gateway.handle(request)
    };
    for ids in [&[][..], &["of-another"], &["of-our-front-door", "of-another"]] {
        match through(ids) {
            Outcome::Returned(reply) => assert_eq!(reply.status, 403, "{ids:?}"),
            other => panic!("{ids:?}: {other:?}"),
        }
    }
    assert!(matches!(through(&["of-our-front-door"]), Outcome::Forwarded(_)));
}

#[test]
fn a_backend_that_asks_for_it_gets_the_gateways_own_identity() {
    let policies = policies(&Inputs { upstream_identity: true, ..BILLING }, |_, policy| policy);
    let function = |_: &Request| Answer::Reply(allow());
    match gateway(&policies, "0", &function).handle(request()) {
        Outcome::Forwarded(request) => {
            assert_eq!(
                request.headers.one("Authorization").as_deref(),
                Some("Bearer of-the-gateway-for-api://upstream")
            );
        }
        other => panic!("{other:?}"),
    }
}

fn names(policies: &Policies) -> Vec<String> {
    policies.fragments.keys().cloned().chain(["api".to_owned()]).collect()
}

fn text(policies: &Policies, name: &str) -> String {
    policies.fragments.get(name).unwrap_or(&policies.api).clone()
}

fn replaced(policies: &Policies, name: &str, text: String) -> Policies {
    let mut policies = policies.clone();
    match policies.fragments.get_mut(name) {
        Some(fragment) => *fragment = text,
        None => policies.api = text,
    }
    policies
}

/// Where the element stands that nothing leads to.
fn last_line(text: &str) -> Option<(usize, usize)> {
    let from = text.to_lowercase().find(BEHIND_EVERYTHING)?;
    let to = from + text[from..].find("</choose>")? + "</choose>".len();
    Some((from, to))
}
