use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use thiserror::Error;

/// Why there is no answer of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The target is not one that arrives as it was written.
    #[error("the path is not one that can be forwarded as it is")]
    TargetRefused,
    /// The client did not send the body that it had begun.
    #[error("the request's body broke off")]
    RequestIncomplete,
    /// Nobody answered, or not in HTTP, or not with a certificate that is trusted.
    #[error("the upstream cannot be reached")]
    Unreachable,
    /// It took longer than the limits.
    #[error("the upstream did not answer in time")]
    TimedOut,
}

impl ForwardError {
    /// The status to answer with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TargetRefused | Self::RequestIncomplete => StatusCode::BAD_REQUEST,
            Self::Unreachable => StatusCode::BAD_GATEWAY,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// RFC 9457 problem details, for a gateway that has no form of its own. Nothing in it is of the upstream.
    pub fn problem(self) -> Response<String> {
        let status = self.status();
        let problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        let mut answer = Response::new(problem.to_string());
        *answer.status_mut() = status;
        answer.headers_mut().extend([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ]);
        answer
    }
}
