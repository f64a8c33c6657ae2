//! Tokens that are bound to the client certificate of a custom domain's mutual TLS.

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{Certificate, CertificateParams, KeyPair};

use super::*;

/// Where an event has the certificate's PEM, for the kinds that are shown it.
const SEEN: [(usize, &str); 3] = [
    (1, "/requestContext/identity/clientCert"),
    (2, "/requestContext/identity/clientCert"),
    (3, "/requestContext/authentication/clientCert"),
];

#[tokio::test]
async fn a_bound_token_is_allowed_with_its_certificate_alone_in_both_payload_shapes() {
    let fixture = Fixture::new(HttpResponse::Iam).await;
    let (ours, other) = (certificate(), certificate());
    let token = fixture.token(bound_to(&ours)).await;
    for (index, place) in SEEN {
        let (kind, event) = EVENTS[index];
        let mut event: Value = serde_json::from_str(&event.replace("{token}", &token)).unwrap();
        let certificates = [
            (json!({ "clientCertPem": ours.pem() }), true),
            (json!({ "clientCertPem": other.pem() }), false),
            (json!({ "clientCertPem": format!("{}{}", ours.pem(), other.pem()) }), false),
            (json!({ "clientCertPem": "" }), false),
            (json!({ "clientCertPem": null, "subjectDN": "CN=app" }), false),
            (json!({}), false),
            (Value::Null, false),
        ];
        for (certificate, allowed) in certificates {
            *event.pointer_mut(place).unwrap() = certificate.clone();
            match fixture.answer(&event.to_string()).await {
                Ok(answer) => {
                    assert_eq!(answer["policyDocument"]["Statement"][0]["Effect"], "Allow", "{kind}");
                    assert!(allowed, "{kind}: {certificate}");
                }
                Err(refusal) => {
                    assert_eq!((refusal, allowed), (Refusal::Unauthorized, false), "{kind}: {certificate}");
                }
            }
        }
    }
    let reasons: Vec<_> = fixture.audit().iter().map(|line| line["status_code"].clone()).collect();
    let per_kind = ["allowed"].into_iter().chain(["sender.mismatch"; 6]);
    assert_eq!(reasons, per_kind.collect::<Vec<_>>().repeat(SEEN.len()));
}

#[tokio::test]
async fn where_no_certificate_is_shown_every_bound_token_is_refused() {
    let fixture = Fixture::new(HttpResponse::Iam).await;
    let ours = certificate();
    let header = ours.pem().replace(['\r', '\n'], "");
    let token = fixture.token(bound_to(&ours)).await;
    for (kind, event) in EVENTS {
        let mut event: Value = serde_json::from_str(&event.replace("{token}", &token)).unwrap();
        for place in ["/requestContext/identity", "/requestContext/authentication"] {
            if let Some(holder) = event.pointer_mut(place).and_then(Value::as_object_mut) {
                holder.remove("clientCert");
            }
        }
        // Where a client might try to put it.
        for name in ["headers", "multiValueHeaders"] {
            if let Some(headers) = event.get_mut(name).and_then(Value::as_object_mut) {
                let value = if name == "headers" { json!(header) } else { json!([header]) };
                headers.insert("X-ARR-ClientCert".to_owned(), value);
            }
        }
        event["clientCert"] = json!({ "clientCertPem": ours.pem() });
        assert_eq!(fixture.answer(&event.to_string()).await.unwrap_err(), Refusal::Unauthorized, "{kind}");
    }
    assert!(fixture.audit().iter().all(|line| line["status_code"] == "sender.mismatch"));
}

#[tokio::test]
async fn a_binding_to_anything_else_is_refused_whatever_is_shown() {
    let fixture = Fixture::new(HttpResponse::Iam).await;
    let token =
        fixture.token(json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } })).await;
    for (kind, event) in EVENTS {
        let refused = fixture.answer(&event.replace("{token}", &token)).await.unwrap_err();
        assert_eq!(refused, Refusal::Unauthorized, "{kind}");
    }
    assert!(fixture.audit().iter().all(|line| line["status_code"] == "sender.unsupported"));
}

fn certificate() -> Certificate {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new(vec!["app.example.com".to_owned()]).unwrap().self_signed(&key).unwrap()
}

fn bound_to(certificate: &Certificate) -> Value {
    json!({ "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate.der())) } })
}
