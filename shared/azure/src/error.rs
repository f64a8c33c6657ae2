//! Why a vault did not do what it was asked, told apart.

use std::{error::Error as _, time::Duration};

use azure_core::{
    error::ErrorKind,
    http::{RawResponse, StatusCode, headers::RETRY_AFTER, policies::get_retry_after},
    time::OffsetDateTime,
};
use drawbridge_keys::StoreError;
use serde::Deserialize;

/// One request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// What was asked, and what came back: names, status and codes, never content.
    what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 429, or 503 with a time: nothing was done. With how long to wait, where the answer says so.
    Throttled(Option<Duration>),
    /// No connection: nothing was sent.
    Unreached,
    /// 5xx, or the connection broke: whether anything was done is not known.
    Broken,
    /// No answer within the deadline.
    Late,
    /// 404: there is nothing of that name and version, or it was deleted.
    Absent,
    /// 403 because the version is disabled, expired or not yet active.
    Retired,
    /// 401 or 403, or no token could be had.
    Denied,
    /// 409: a deleted object has the name still, or is being recovered.
    Deleted,
    /// 400.
    Invalid,
    /// The answer is not what the documentation says.
    Malformed,
}

impl Failure {
    /// `what` was asked.
    pub(crate) fn of(what: &str, error: &azure_core::Error) -> Self {
        let (kind, detail) = match error.kind() {
            ErrorKind::Credential => {
                let (kind, detail) = no_token(error);
                (kind, format!("no token could be had: {detail}"))
            }
            _ => classify(error),
        };
        Self { kind, what: format!("{what}: {detail}") }
    }

    /// The process has no identity to ask with.
    pub(crate) fn denied(why: &str) -> Self {
        Self { kind: Kind::Denied, what: why.to_owned() }
    }

    /// A credential that lacks something to be one. What it says first is what it lacks; what is below is a variable that is not set.
    pub(crate) fn no_identity(error: &azure_core::Error) -> Self {
        match error.kind() {
            ErrorKind::Credential => Self::denied(&format!("no identity: {}", brief(&error.to_string()))),
            _ => Self::of("open the vault", error),
        }
    }

    /// What came back is not what the documentation says.
    pub(crate) fn malformed(what: &str, why: &str) -> Self {
        Self { kind: Kind::Malformed, what: format!("{what}: {why}") }
    }

    pub(crate) fn late(what: &str, deadline: Duration) -> Self {
        Self { kind: Kind::Late, what: format!("{what}: no answer within {} s", deadline.as_secs_f32()) }
    }
}

impl From<Failure> for StoreError {
    fn from(Failure { kind, what }: Failure) -> Self {
        match kind {
            Kind::Throttled(None) => Self::Throttled(what),
            Kind::Throttled(Some(wait)) => {
                Self::Throttled(format!("{what}; it asks to wait {} s", wait.as_secs_f32()))
            }
            Kind::Unreached | Kind::Broken | Kind::Late => Self::Unavailable(what),
            Kind::Absent | Kind::Retired => Self::NotFound,
            Kind::Denied => Self::Denied(what),
            Kind::Deleted => Self::Unsupported(format!(
                "{what}: what had this name was deleted and is kept for a while; recover it or purge it"
            )),
            Kind::Invalid => Self::Unsupported(what),
            Kind::Malformed => Self::Malformed(what),
        }
    }
}

fn classify(error: &azure_core::Error) -> (Kind, String) {
    match error.kind() {
        ErrorKind::HttpResponse { status, raw_response, .. } => {
            let code = raw_response.as_deref().and_then(code);
            let kind = of_status(*status, code.as_deref(), raw_response.as_deref());
            let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
            (kind, format!("{}{code}", u16::from(*status)))
        }
        ErrorKind::Connection => (Kind::Unreached, root(error)),
        ErrorKind::Io => (Kind::Broken, root(error)),
        ErrorKind::DataConversion => (Kind::Malformed, "the answer is not one of a vault".to_owned()),
        // The vault's challenge asks for a token of somebody else.
        _ => (Kind::Denied, root(error)),
    }
}

fn of_status(status: StatusCode, code: Option<&str>, response: Option<&RawResponse>) -> Kind {
    let wait = response
        .and_then(|response| get_retry_after(response.headers(), OffsetDateTime::now_utc, &[RETRY_AFTER]))
        .map(|wait| Duration::try_from(wait).unwrap_or_default());
    match u16::from(status) {
        429 => Kind::Throttled(wait),
        503 if wait.is_some() => Kind::Throttled(wait),
        408 | 500.. => Kind::Broken,
        404 => Kind::Absent,
        409 => Kind::Deleted,
        401 => Kind::Denied,
        403 if code.is_some_and(|code| RETIRED.iter().any(|state| code.ends_with(state))) => Kind::Retired,
        403 => Kind::Denied,
        400 => Kind::Invalid,
        _ => Kind::Malformed,
    }
}

/// How the inner codes of a 403 end that speak of a version's attributes (`SecretDisabled`, `KeyNotYetValid`, …) and not of the
/// caller (`AccessDenied`, `ForbiddenByRbac`, `ForbiddenByFirewall`, …).
const RETIRED: [&str; 3] = ["Disabled", "NotYetValid", "Expired"];

/// The most exact code of an error's body, as far as it is one: `{"error": {"code", "message", "innererror": {"code"}}}`.
fn code(response: &RawResponse) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        error: Detail,
    }
    #[derive(Deserialize)]
    struct Detail {
        code: Option<String>,
        #[serde(default, alias = "innerError")]
        innererror: Option<Box<Detail>>,
    }
    let body: Body = serde_json::from_slice(response.body()).ok()?;
    let mut detail = body.error;
    let plain = |code: &String| {
        (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    while let Some(inner) = detail.innererror.take_if(|inner| inner.code.as_ref().is_some_and(plain)) {
        detail = *inner;
    }
    detail.code.filter(plain)
}

/// The credential's own error says who failed; what is below it says how.
fn no_token(error: &azure_core::Error) -> (Kind, String) {
    let mut below = error.source();
    while let Some(cause) = below {
        if let Some(cause) = cause.downcast_ref::<azure_core::Error>()
            && !matches!(cause.kind(), ErrorKind::Credential)
        {
            return match classify(cause) {
                // What refuses a token with 400 or 404 has no such identity.
                (Kind::Absent | Kind::Invalid | Kind::Deleted | Kind::Retired, detail) => {
                    (Kind::Denied, detail)
                }
                found => found,
            };
        }
        below = cause.source();
    }
    (Kind::Denied, brief(&error.to_string()))
}

/// The innermost cause, which is the one that an operator can do something about.
fn root(error: &azure_core::Error) -> String {
    let mut innermost = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        innermost = cause.to_string();
        below = cause.source();
    }
    brief(&innermost)
}

/// One line, of a length for a log.
fn brief(text: &str) -> String {
    let line: String = text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use azure_core::{Error, http::headers::Headers};

    use super::*;

    fn answered(status: u16, retry_after: Option<&str>, body: &str) -> Error {
        let mut headers = Headers::new();
        if let Some(wait) = retry_after {
            headers.insert(RETRY_AFTER, wait.to_owned());
        }
        let status = StatusCode::from(status);
        let response = RawResponse::from_bytes(status, headers, body.to_owned());
        let kind =
            ErrorKind::HttpResponse { status, error_code: None, raw_response: Some(Box::new(response)) };
        Error::with_message(kind, "what the service says, which is not repeated")
    }

    fn body(code: &str, inner: &str) -> String {
        format!(r#"{{"error":{{"code":"{code}","message":"m","innererror":{{"code":"{inner}"}}}}}}"#)
    }

    #[test]
    fn each_answer_of_a_vault_has_its_reason() {
        let forbidden = |inner| body("Forbidden", inner);
        let seconds = |wait| Some(Duration::from_secs(wait));
        for (status, wait, body, expected) in [
            (429, None, String::new(), Kind::Throttled(None)),
            (429, Some("2"), body("Throttled", "Throttled"), Kind::Throttled(seconds(2))),
            (429, Some("soon"), String::new(), Kind::Throttled(None)),
            (429, Some("Thu, 01 Jan 1970 00:00:00 GMT"), String::new(), Kind::Throttled(seconds(0))),
            (503, Some("1"), String::new(), Kind::Throttled(seconds(1))),
            (503, None, String::new(), Kind::Broken),
            (500, Some("1"), String::new(), Kind::Broken),
            (504, None, String::new(), Kind::Broken),
            (408, None, String::new(), Kind::Broken),
            (404, None, body("KeyNotFound", ""), Kind::Absent),
            (401, None, body("Unauthorized", ""), Kind::Denied),
            (403, None, String::new(), Kind::Denied),
            (403, None, forbidden("ForbiddenByRbac"), Kind::Denied),
            (403, None, forbidden("AccessDenied"), Kind::Denied),
            (403, None, forbidden("SecretDisabled"), Kind::Retired),
            (403, None, forbidden("SecretDisabled").replace("innererror", "innerError"), Kind::Retired),
            (403, None, forbidden("KeyNotYetValid"), Kind::Retired),
            (403, None, forbidden("KeyExpired"), Kind::Retired),
            (409, None, body("Conflict", "ObjectIsDeletedButRecoverable"), Kind::Deleted),
            (400, None, body("BadParameter", ""), Kind::Invalid),
            (302, None, String::new(), Kind::Malformed),
            (418, None, "<html>".to_owned(), Kind::Malformed),
        ] {
            let failure = Failure::of("get key `orders-sig`", &answered(status, wait, &body));
            assert_eq!(failure.kind, expected, "{status} {wait:?} {body}");
            let shown = StoreError::from(failure).to_string();
            assert!(!shown.contains("not repeated"), "{shown}");
        }
    }

    #[test]
    fn a_reason_names_what_was_asked_and_the_most_exact_code() {
        let error = answered(403, None, &body("Forbidden", "ForbiddenByRbac"));
        assert_eq!(
            StoreError::from(Failure::of("get key `orders-sig`", &error)).to_string(),
            "access to the key store was denied: get key `orders-sig`: 403 (ForbiddenByRbac)"
        );
        for code in ["", "a b", "x\\ny", &"C".repeat(65)] {
            for (outer, expected) in [(code, "get: 403"), ("Forbidden", "get: 403 (Forbidden)")] {
                let error = answered(403, None, &body(outer, code));
                let shown = StoreError::from(Failure::of("get", &error));
                assert_eq!(shown, StoreError::Denied(expected.to_owned()), "{outer} {code}");
            }
        }
    }

    #[test]
    fn what_kept_a_token_from_coming_decides_whether_it_is_a_refusal() {
        let credential = |cause: Error| Error::with_error(ErrorKind::Credential, cause, "failed");
        for (cause, expected) in [
            (answered(400, None, ""), Kind::Denied),
            (answered(403, None, ""), Kind::Denied),
            (answered(429, None, ""), Kind::Throttled(None)),
            (answered(500, None, ""), Kind::Broken),
            (Error::with_message(ErrorKind::Connection, "refused"), Kind::Unreached),
            (Error::with_message(ErrorKind::Credential, "az: not signed in"), Kind::Denied),
        ] {
            let shown = cause.to_string();
            assert_eq!(Failure::of("get", &credential(cause)).kind, expected, "{shown}");
        }
    }

    #[test]
    fn a_cause_is_told_in_one_line_of_bounded_length() {
        let error =
            Error::with_message(ErrorKind::Credential, format!("run\n  az login\r\n{}", "x".repeat(999)));
        let StoreError::Denied(text) = Failure::of("get", &error).into() else { panic!() };
        assert!(text.starts_with("get: no token could be had: run az login xxx"), "{text}");
        assert!(text.len() < 400, "{text}");
    }
}
