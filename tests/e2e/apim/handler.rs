//! The policies in front of the very handler that is deployed, with the tokens of a running chain.

use std::process::{Command, Stdio};

use drawbridge_tests::{
    binary::drawbridge,
    chain::Chain,
    http::{get, send},
    parts::{Process, free_address},
};
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    BILLING,
    battery::{gateway, reply},
    policies,
    policy::{Answer, Headers, Outcome, Request},
};

/// An operation of the sample.
const INVOICE: (&str, &str) = ("GET", "/billing/invoices/7");

#[tokio::test(flavor = "multi_thread")]
async fn the_policies_and_the_handler_decide_together() {
    let chain = Chain::start().await;
    let address = free_address();
    let _handler = Process::start(
        Command::new(drawbridge())
            .args(["function", "azure"])
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", address.port().to_string())
            .env("DRAWBRIDGE_CONFIG", chain.effective_config())
            .env("DRAWBRIDGE_BACKEND", "billing")
            .env("DRAWBRIDGE_CREDENTIALS_HEADER", "X-Bridged-Token")
            .env("DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER", "X-Client-Certificate")
            .stdout(Stdio::null()),
    )
    .ready(address);
    let consumer = chain.token("demo", "invoices:read").await;
    let bridged = get(chain.address("bridge"), "/ext-authz/billing/invoices/7", Some(&consumer)).await;
    let bridged = bridged.header("authorization").unwrap().to_owned();

    // `send-request` as the gateway sends it; `Host` and `Authorization` are its own.
    let base = format!("http://{address}");
    let function = |request: &Request| {
        let target = request.url.strip_prefix("https://gate.example.net").unwrap().to_owned();
        let headers: Vec<_> =
            request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")).collect();
        let answer = block_in_place(|| {
            Handle::current().block_on(send(&request.method, &base, &target, &headers, &request.body))
        });
        let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        Answer::Reply(reply(answer.status.as_u16(), &headers.collect::<Vec<_>>(), &answer.text()))
    };
    let policies = policies(&BILLING, |_, policy| policy);
    let gateway = gateway(&policies, "60", &function);
    // The clock of the tokens.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    gateway.now.set(i64::try_from(now).unwrap());
    let ask = |(method, path): (&str, &str), headers: &[(&str, &str)]| {
        gateway.handle(Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Headers::new(headers.iter().copied()),
            ..Request::default()
        })
    };
    let token = ("Authorization", bridged.as_str());

    let told = |outcome: Outcome| match outcome {
        Outcome::Forwarded(request) => request.headers,
        other => panic!("{other:?}"),
    };
    let first = told(ask(INVOICE, &[token, ("x-drawbridge-sub", "eve")]));
    assert_eq!(first.one("x-drawbridge-sub").as_deref(), Some("demo"));
    assert!(first.one("authorization").is_none());
    // The same decision, remembered: its id says so.
    let second = told(ask(INVOICE, &[token]));
    assert_eq!(second.one("x-drawbridge-request-id"), first.one("x-drawbridge-request-id"));
    let third = told(ask(("GET", "/billing/invoices/8"), &[token]));
    assert_ne!(third.one("x-drawbridge-request-id"), first.one("x-drawbridge-request-id"));

    for (operation, headers, status, challenge) in [
        (INVOICE, &[][..], 401, Some("Bearer realm=\"drawbridge\"")),
        (INVOICE, &[("Authorization", "Bearer a.b.c")], 401, Some("invalid_token")),
        (INVOICE, &[token, token], 400, Some("invalid_request")),
        (INVOICE, &[token, ("X-HTTP-Method-Override", "DELETE")], 400, None),
        (("DELETE", "/billing/invoices/7"), &[token], 403, None),
        (("GET", "/billing/elsewhere"), &[token], 403, None),
        (("GET", "/billing/../orders"), &[token], 400, None),
        (("GET", "/billing/invoices/a%2Fb"), &[token], 400, None),
    ] {
        match ask(operation, headers) {
            Outcome::Returned(reply) => {
                assert_eq!(reply.status, status, "{operation:?} {reply:?}");
                assert_eq!(reply.headers.one("content-type").as_deref(), Some("application/problem+json"));
                let problem: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
                assert_eq!(problem["status"], status);
                let challenged = reply.headers.one("www-authenticate");
                match challenge {
                    Some(challenge) => assert!(challenged.unwrap().contains(challenge), "{reply:?}"),
                    None => assert!(challenged.is_none_or(|is| status != 401 && is.starts_with("Bearer"))),
                }
            }
            other => panic!("{operation:?}: {other:?}"),
        }
    }
}
