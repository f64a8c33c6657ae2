//! What has to hold of the policies, whoever asks and whatever the function answers. Each rule says what is broken, so that an edit of the
//! policies that breaks it is caught by name.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use crate::policy::{Answer, Gateway, Headers, Outcome, Policies, Reply, Request};

/// What is broken.
pub(crate) type Broken = String;

pub(crate) type Rule = fn(&Policies) -> Result<(), Broken>;

/// Those that take least come first: an edit needs to break one.
pub(crate) const RULES: [(&str, Rule); 12] = [
    ("the function is asked about the whole request", the_question),
    ("an allow goes on with what it says and without the token", an_allow),
    ("the client's certificate is the TLS layer's", the_certificate),
    ("nothing is remembered unless that is asked for", no_memory),
    ("only an allow is remembered", no_deny_is_remembered),
    ("backends share a cache and no decision", backends_apart),
    ("a request outside the API's path is not described to the gate", the_path),
    ("a deny of the gate is passed on as it is", a_deny),
    ("an allow is remembered for its own request alone", a_memory),
    ("an allow is forgotten in time", forgetting),
    ("what a client says of itself goes no further", forged),
    ("what is no explicit allow ends the request", everything_else),
];

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const HEADERS: [&str; 2] = ["x-drawbridge-sub", "x-drawbridge-client-id"];

macro_rules! hold {
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            return Err(format!($($why)+));
        }
    };
}

/// The named values of a backend whose gateway remembers for so many seconds.
pub(crate) fn named(backend: &str, cache_seconds: &str) -> Vec<(String, String)> {
    [
        ("host", "gate.example.net"),
        ("audience", "api://gate"),
        ("cache-seconds", cache_seconds),
        ("upstream-audience", "api://upstream"),
        ("front-door", "of-our-front-door"),
    ]
    .map(|(name, value)| (format!("drawbridge-{backend}-{name}"), value.to_owned()))
    .into()
}

pub(crate) fn gateway<'a>(
    policies: &'a Policies,
    cache_seconds: &str,
    function: &'a dyn Fn(&Request) -> Answer,
) -> Gateway<'a> {
    let named = named("billing", cache_seconds);
    let named: Vec<_> = named.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Gateway::new(policies, &named, function)
}

pub(crate) fn request() -> Request {
    Request {
        method: "POST".to_owned(),
        path: "/billing/invoices/7".to_owned(),
        query: "?full=1".to_owned(),
        headers: Headers::new([
            ("Host", "contoso.azure-api.net"),
            ("Authorization", "Bearer of.the.caller"),
            ("Content-Type", "application/json"),
            ("Expect", "100-continue"),
            ("X-Kept", "kept"),
        ]),
        body: "a body".to_owned(),
        ..Request::default()
    }
}

fn with(headers: &[(&str, &str)]) -> Request {
    let mut request = request();
    for (name, value) in headers {
        request.headers.append(name, value);
    }
    request
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    Reply { status, headers: Headers::new(headers.iter().copied()), body: body.to_owned() }
}

/// As the function answers: a date that must not be touched among it, and a header that is not the backend's.
pub(crate) fn allow() -> Reply {
    allow_until(NOW + 1000)
}

fn allow_until(expires: i64) -> Reply {
    let headers = [
        ("Cache-Control", "no-store"),
        ("X-Drawbridge-Request-Id", "decision-1"),
        ("X-Drawbridge-Sub", "2026-11-22T10:00:00Z"),
        ("X-Decision-Expires", &expires.to_string()),
        ("X-Said", "by the function"),
    ];
    reply(200, &headers, "")
}

/// The allow of a token with every claim that the backend is to be told.
pub(crate) fn told_all() -> Reply {
    let mut reply = allow();
    reply.headers.append("x-drawbridge-client-id", "app");
    reply
}

fn answers(reply: Reply) -> impl Fn(&Request) -> Answer {
    move |_| Answer::Reply(reply.clone())
}

fn forwarded(outcome: Outcome) -> Result<Request, Broken> {
    match outcome {
        Outcome::Forwarded(request) => Ok(request),
        other => Err(format!("what is allowed does not go on: {other:?}")),
    }
}

fn returned(outcome: Outcome) -> Result<Reply, Broken> {
    match outcome {
        Outcome::Returned(reply) => Ok(reply),
        Outcome::Forwarded(_) => Err("OPEN: it goes on to the backend".to_owned()),
        Outcome::Failed(exception) => Err(format!("an exception: {exception:?}")),
    }
}

fn the_question(policies: &Policies) -> Result<(), Broken> {
    let asked = RefCell::new(Vec::new());
    let function = |request: &Request| {
        asked.borrow_mut().push(request.clone());
        Answer::Reply(allow())
    };
    forwarded(gateway(policies, "0", &function).handle(request()))?;
    let asked = asked.into_inner();
    hold!(asked.len() == 1, "asked {} times", asked.len());
    let question = &asked[0];
    let address = (question.method.as_str(), question.url.as_str());
    hold!(address == ("GET", "https://gate.example.net/api/authorize"), "asked at {address:?}");
    hold!(question.body.is_empty(), "the body is sent to the function");
    for (name, expected) in [
        ("Host", Some("gate.example.net")),
        ("Authorization", Some("Bearer of-the-gateway-for-api://gate")),
        ("X-Bridged-Token", Some("Bearer of.the.caller")),
        ("X-Original-Method", Some("POST")),
        ("X-Original-URI", Some("/invoices/7?full=1")),
        ("X-Client-Certificate", Some("")),
        ("X-Kept", Some("kept")),
        ("Content-Type", None),
        ("Expect", None),
    ] {
        let sent = question.headers.one(name);
        hold!(sent.as_deref() == expected, "the function is sent {name}: {sent:?}");
    }
    Ok(())
}

fn an_allow(policies: &Policies) -> Result<(), Broken> {
    let function = answers(allow());
    let request = forwarded(gateway(policies, "0", &function).handle(request()))?;
    hold!(request.body == "a body" && request.method == "POST", "the request is another one");
    hold!(request.url == "drawbridge-billing", "the request goes to {:?}", request.url);
    for (name, expected) in [
        ("x-drawbridge-sub", Some("2026-11-22T10:00:00Z")),
        ("x-drawbridge-request-id", Some("decision-1")),
        // The token has no such claim.
        ("x-drawbridge-client-id", None),
        ("Authorization", None),
        ("x-decision-expires", None),
        ("X-Said", None),
        ("X-Bridged-Token", None),
        ("X-Kept", Some("kept")),
        ("Content-Type", Some("application/json")),
    ] {
        let told = request.headers.one(name);
        hold!(told.as_deref() == expected, "the backend is told {name}: {told:?}");
    }
    let function = answers(told_all());
    let told = forwarded(gateway(policies, "0", &function).handle(self::request()))?;
    let told = told.headers.one("x-drawbridge-client-id");
    hold!(told.as_deref() == Some("app"), "the backend is told x-drawbridge-client-id: {told:?}");
    Ok(())
}

fn everything_else(policies: &Policies) -> Result<(), Broken> {
    let problem = [("Content-Type", "application/problem+json")];
    let id = [("X-Drawbridge-Request-Id", "decision-1")];
    let unnamed = [("X-Drawbridge-Request-Id", ""), ("X-Drawbridge-Sub", "root")];
    let mut cases = vec![
        ("no connection".to_owned(), Answer::Failed),
        ("an allow that is late".to_owned(), Answer::Late(6, allow())),
        ("an empty 200".to_owned(), Answer::Reply(reply(200, &[], ""))),
        ("a login page".to_owned(), Answer::Reply(reply(200, &[("Content-Type", "text/html")], "<html>"))),
        ("a 200 without the id of a decision".to_owned(), Answer::Reply(reply(200, &unnamed, ""))),
        ("a 200 that is a problem".to_owned(), Answer::Reply(reply(200, &problem, "{}"))),
        (
            "a deny of the platform".to_owned(),
            Answer::Reply(reply(401, &[("Content-Type", "text/html")], "")),
        ),
        ("a bare deny".to_owned(), Answer::Reply(reply(403, &[], ""))),
    ];
    for status in [201, 204, 206, 301, 302, 304, 400, 401, 403, 404, 429, 500, 502, 503, 504] {
        cases.push((format!("a {status} with the id"), Answer::Reply(reply(status, &id, ""))));
    }
    for status in [201, 302, 404, 500, 504] {
        cases.push((format!("a {status} that is a problem"), Answer::Reply(reply(status, &problem, "{}"))));
    }
    for (what, answer) in cases {
        for cache_seconds in ["0", "60"] {
            let function = |_: &Request| answer.clone();
            let reply = returned(gateway(policies, cache_seconds, &function).handle(request()))
                .map_err(|broken| format!("{what}: {broken}"))?;
            hold!(reply.status == 503, "{what} is a {} for the caller", reply.status);
            unavailable(&reply).map_err(|broken| format!("{what}: {broken}"))?;
        }
    }
    Ok(())
}

/// The policy's own problem details.
fn unavailable(reply: &Reply) -> Result<(), Broken> {
    let said = (reply.headers.one("Content-Type"), reply.headers.one("Retry-After"));
    hold!(said == (Some("application/problem+json".into()), Some("1".into())), "the headers are {said:?}");
    problem(reply)
}

fn problem(reply: &Reply) -> Result<(), Broken> {
    let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap_or_default();
    hold!(body["status"] == reply.status && body["type"] == "about:blank", "the body is {:?}", reply.body);
    Ok(())
}

fn a_deny(policies: &Policies) -> Result<(), Broken> {
    for status in [400, 401, 403, 429, 503] {
        for kind in ["application/problem+json", "Application/Problem+JSON; charset=utf-8"] {
            let headers =
                [("Content-Type", kind), ("WWW-Authenticate", "Bearer error=\"x\""), ("Retry-After", "7")];
            let function = answers(reply(status, &headers, "{\"said\":\"by the gate\"}"));
            let reply = returned(gateway(policies, "60", &function).handle(request()))?;
            hold!(reply.status == status, "a {status} of the gate is a {}", reply.status);
            hold!(reply.body == "{\"said\":\"by the gate\"}", "the problem details are {:?}", reply.body);
            for (name, value) in headers {
                let passed = reply.headers.one(name);
                hold!(passed.as_deref() == Some(value), "{name} of a {status} is {passed:?}");
            }
        }
    }
    Ok(())
}

fn forged(policies: &Policies) -> Result<(), Broken> {
    for name in [
        "x-drawbridge-sub",
        "X-DRAWBRIDGE-Client-Id",
        "X-Drawbridge-Request-Id",
        "X-Bridged-Token",
        "x-client-certificate",
        "X-ARR-ClientCert",
        "X-Original-Method",
        "X-Original-URI",
        "x-original-url",
        "X-Rewrite-URL",
        "X-Forwarded-Method",
        "X-Forwarded-Uri",
    ] {
        let asked = RefCell::new(Vec::new());
        let function = |request: &Request| {
            asked.borrow_mut().push(request.clone());
            Answer::Reply(allow())
        };
        let seen = forwarded(gateway(policies, "0", &function).handle(with(&[(name, "forged")])))
            .map_err(|broken| format!("{name}: {broken}"))?;
        for (who, headers) in [("the backend", &seen.headers), ("the function", &asked.borrow()[0].headers)] {
            hold!(
                !headers.iter().any(|(_, value)| value.contains("forged")),
                "{who} sees the client's {name}"
            );
        }
    }
    for name in [
        "x-drawbridge-role",
        "X-Drawbridge-",
        "x_drawbridge_sub",
        "X-Drawbridge_Client-Id",
        "x_bridged_token",
        "X_Client_Certificate",
        "x_original_method",
        "x-original_uri",
        "X_Original_URL",
        "x_rewrite_url",
    ] {
        let function = answers(allow());
        let reply = returned(gateway(policies, "0", &function).handle(with(&[(name, "forged")])))
            .map_err(|broken| format!("{name}: {broken}"))?;
        hold!(reply.status == 400, "{name} is a {}", reply.status);
        hold!(
            reply.headers.one("Content-Type") == Some("application/problem+json".into()),
            "no problem: {reply:?}"
        );
        problem(&reply)?;
    }
    Ok(())
}

fn the_certificate(policies: &Policies) -> Result<(), Broken> {
    let asked = RefCell::new(Vec::new());
    let function = |request: &Request| {
        asked.borrow_mut().push(request.headers.one("X-Client-Certificate"));
        Answer::Reply(allow())
    };
    let gateway = gateway(policies, "0", &function);
    let certificate = Some(b"der of the client".to_vec());
    for request in [
        request(),
        Request { certificate: certificate.clone(), ..request() },
        Request { certificate, ..with(&[("X-Client-Certificate", "forged")]) },
    ] {
        let seen = forwarded(gateway.handle(request))?;
        hold!(seen.headers.one("X-Client-Certificate").is_none(), "the certificate goes on to the backend");
    }
    let der = Some("ZGVyIG9mIHRoZSBjbGllbnQ=".to_owned());
    let asked = asked.borrow();
    hold!(*asked == [Some(String::new()), der.clone(), der], "the function is told {asked:?}");
    Ok(())
}

fn the_path(policies: &Policies) -> Result<(), Broken> {
    let asked = RefCell::new(Vec::new());
    let function = |request: &Request| {
        asked.borrow_mut().push(request.headers.one("X-Original-URI").unwrap_or_default());
        Answer::Reply(allow())
    };
    let gateway = gateway(policies, "0", &function);
    for (path, query, target) in [
        ("/billing/invoices/7", "", "/invoices/7"),
        ("/billing/invoices/a%2Fb", "?a=b&a=c", "/invoices/a%2Fb?a=b&a=c"),
        ("/Billing/invoices", "", "/invoices"),
        ("/billing//x", "", "//x"),
        ("/billing/../orders", "", "/../orders"),
        ("/billing/", "", "/"),
        ("/billing", "", "/"),
        ("/billing", "?q", "/?q"),
    ] {
        forwarded(gateway.handle(Request { path: path.into(), query: query.into(), ..request() }))?;
        let asked = asked.borrow_mut().pop();
        hold!(asked.as_deref() == Some(target), "{path}{query} is described as {asked:?}");
    }
    for path in ["/billings/invoices/7", "/orders/billing/7", "/", "/billing;rev=2/invoices/7", "/b"] {
        let reply = returned(gateway.handle(Request { path: path.into(), ..request() }))
            .map_err(|broken| format!("{path}: {broken}"))?;
        hold!(reply.status == 400, "{path} is a {}", reply.status);
        hold!(
            reply.headers.one("Content-Type") == Some("application/problem+json".into()),
            "no problem: {reply:?}"
        );
        problem(&reply)?;
        hold!(asked.borrow().is_empty(), "the function is asked about {path}");
    }
    Ok(())
}

fn no_memory(policies: &Policies) -> Result<(), Broken> {
    let asked = Cell::new(0);
    let function = |_: &Request| {
        asked.set(asked.get() + 1);
        Answer::Reply(allow())
    };
    let gateway = gateway(policies, "0", &function);
    for expected in 1..4 {
        forwarded(gateway.handle(request()))?;
        hold!(asked.get() == expected, "request {expected} was not asked about");
    }
    Ok(())
}

fn a_memory(policies: &Policies) -> Result<(), Broken> {
    let asked = Cell::new(0);
    let function = |_: &Request| {
        asked.set(asked.get() + 1);
        Answer::Reply(allow())
    };
    let gateway = gateway(policies, "60", &function);
    let certificate = |der: &[u8]| Some(der.to_vec());
    forwarded(gateway.handle(request()))?;
    let again = forwarded(gateway.handle(with(&[("x-drawbridge-sub", "forged")])))?;
    hold!(asked.get() == 1, "an allow is not remembered: asked {} times", asked.get());
    let told = (again.headers.one("x-drawbridge-sub"), again.headers.one("x-drawbridge-request-id"));
    hold!(
        told == (Some("2026-11-22T10:00:00Z".into()), Some("decision-1".into())),
        "the backend is told {told:?}"
    );
    hold!(again.headers.one("Authorization").is_none(), "the token goes on to the backend");

    let token = |value: &str| {
        let mut request = request();
        request.headers.set("Authorization", &[value.to_owned()]);
        request
    };
    let mut none = request();
    none.headers.remove("Authorization");
    for (what, other) in [
        ("no token", none),
        ("another token", token("Bearer of.the.other")),
        ("a longer token", token("Bearer of.the.caller1")),
        ("a token that runs into the method", token("Bearer of.the.callerPOST")),
        ("two tokens", with(&[("Authorization", "Bearer of.the.caller")])),
        ("another method", Request { method: "DELETE".into(), ..request() }),
        ("another object", Request { path: "/billing/invoices/8".into(), ..request() }),
        ("another query", Request { query: "?full=2".into(), ..request() }),
        ("no query", Request { query: String::new(), ..request() }),
        ("another certificate", Request { certificate: certificate(b"a"), ..request() }),
        ("a query that runs into the certificate", Request { query: "?full=1YQ==".into(), ..request() }),
        ("yet another certificate", Request { certificate: certificate(b"b"), ..request() }),
        ("a method override", with(&[("X-HTTP-Method-Override", "DELETE")])),
        ("a method override for CGI", with(&[("x_http_method", "DELETE")])),
        ("a proof of possession", with(&[("DPoP", "proof")])),
    ] {
        let before = asked.get();
        forwarded(gateway.handle(other))?;
        hold!(asked.get() == before + 1, "{what}: the allow of another request is taken for it");
    }
    let before = asked.get();
    forwarded(gateway.handle(with(&[("X-HTTP-Method-Override", "DELETE")])))?;
    hold!(asked.get() == before + 1, "an allow with a method override is remembered");
    Ok(())
}

fn forgetting(policies: &Policies) -> Result<(), Broken> {
    /// Seconds after the first request, and whether the function is asked then.
    type Requests = &'static [(i64, bool)];
    let story: [(i64, i64, Requests); 6] = [
        (60, NOW + 1000, &[(59, false), (60, true), (119, false), (120, true)]),
        (60, NOW + 1000, &[(50, false), (61, true)]),
        (60, NOW + 30, &[(29, false), (30, true), (31, true)]),
        (3600, NOW + 90, &[(89, false), (90, true)]),
        (60, NOW, &[(0, true)]),
        (60, NOW - 10, &[(0, true)]),
    ];
    for (cache_seconds, expires, requests) in story {
        for sticky in [false, true] {
            let asked = Cell::new(0);
            let function = |_: &Request| {
                asked.set(asked.get() + 1);
                Answer::Reply(allow_until(expires))
            };
            let gateway = gateway(policies, &cache_seconds.to_string(), &function);
            // A cache that forgets late still must not outlive the token.
            gateway.cache.sticky.set(sticky);
            forwarded(gateway.handle(request()))?;
            for (after, expected) in requests {
                if sticky && NOW + after < expires {
                    continue;
                }
                let before = asked.get();
                gateway.now.set(NOW + after);
                forwarded(gateway.handle(request()))?;
                let was_asked = asked.get() > before;
                hold!(
                    was_asked == *expected,
                    "{after} s later, for {cache_seconds} s, expiring at {expires}: asked {was_asked}"
                );
            }
        }
    }
    let asked = Cell::new(0);
    let function = |_: &Request| {
        asked.set(asked.get() + 1);
        let mut reply = allow();
        reply.headers.remove("X-Decision-Expires");
        Answer::Reply(reply)
    };
    let gateway = gateway(policies, "60", &function);
    forwarded(gateway.handle(request()))?;
    forwarded(gateway.handle(request()))?;
    hold!(asked.get() == 2, "an allow that does not say when it ends is remembered");
    Ok(())
}

fn no_deny_is_remembered(policies: &Policies) -> Result<(), Broken> {
    let problem = [("Content-Type", "application/problem+json")];
    for first in [Answer::Reply(reply(403, &problem, "{}")), Answer::Failed] {
        let next = RefCell::new(vec![Answer::Reply(allow()), first]);
        let function = |_: &Request| next.borrow_mut().pop().unwrap();
        let gateway = gateway(policies, "60", &function);
        returned(gateway.handle(request()))?;
        forwarded(gateway.handle(request()))?;
    }
    Ok(())
}

fn backends_apart(policies: &Policies) -> Result<(), Broken> {
    let renamed = |policy: &String| policy.replace("drawbridge-billing-", "drawbridge-orders-");
    let asked = Cell::new(0);
    let function = |_: &Request| {
        asked.set(asked.get() + 1);
        Answer::Reply(allow())
    };
    let billing = gateway(policies, "60", &function);
    forwarded(billing.handle(request()))?;

    let orders = Policies {
        api: renamed(&policies.api),
        fragments: policies
            .fragments
            .iter()
            .map(|(name, policy)| {
                // What the module would render for the other backend, except for the path, which two versions of an API may share.
                (renamed(name), renamed(policy).replace("drawbridge:billing:", "drawbridge:orders:"))
            })
            .collect(),
    };
    let named = named("orders", "60");
    let named: Vec<_> = named.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut gateway = Gateway::new(&orders, &named, &function);
    gateway.cache = Rc::clone(&billing.cache);
    forwarded(gateway.handle(request()))?;
    hold!(asked.get() == 2, "the decision of one backend's gate is taken for another's");
    Ok(())
}
