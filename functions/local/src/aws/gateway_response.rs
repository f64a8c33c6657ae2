//! What the gateway answers by itself.
//!
//! Statuses are those of <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>; bodies and
//! `x-amzn-ErrorType` are those that the default responses are seen with. HTTP APIs have no gateway responses to configure, and
//! one text for each status.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header};

use super::call::ApiKind;

/// The reasons for an answer without the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatewayResponse {
    /// An identity source is missing, or the authorizer failed with `Unauthorized`.
    Unauthorized,
    /// The authorizer's answer does not allow the request.
    AccessDenied {
        /// A deny matched.
        explicit: bool,
    },
    /// The authorizer failed otherwise, or took too long.
    AuthorizerFailure,
    /// It answered something that its kind does not answer.
    AuthorizerConfigurationError,
    /// There is no such stage.
    NoStage,
    /// The request is not one that the gateway passes on.
    BadRequest,
    /// The method ARN would be longer than 1600 bytes.
    UriTooLong,
    /// The payload is larger than the integration takes.
    RequestTooLarge,
    /// The backend cannot be reached, or its answer not be read.
    IntegrationFailure,
    /// It took too long.
    IntegrationTimeout,
}

impl GatewayResponse {
    /// The answer, in the words of one API.
    pub(crate) fn into_response(self, api: ApiKind) -> Response {
        let (status, body, error_type) = match api {
            ApiKind::Http => {
                let (status, text) = self.of_http_api();
                (status, format!("{{\"message\":\"{text}\"}}"), None)
            }
            ApiKind::Rest | ApiKind::WebSocket => {
                let (status, body, error_type) = self.of_rest_api();
                (status, body.to_owned(), Some(error_type))
            }
        };
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(error_type) = error_type {
            response.headers_mut().insert(ERROR_TYPE, http::HeaderValue::from_static(error_type));
        }
        response
    }

    const fn of_http_api(self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            Self::AccessDenied { .. } => (StatusCode::FORBIDDEN, "Forbidden"),
            Self::AuthorizerFailure | Self::AuthorizerConfigurationError => {
                (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
            Self::NoStage => (StatusCode::NOT_FOUND, "Not Found"),
            Self::BadRequest => (StatusCode::BAD_REQUEST, "Bad Request"),
            Self::UriTooLong => (StatusCode::URI_TOO_LONG, "URI Too Long"),
            Self::RequestTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            Self::IntegrationFailure | Self::IntegrationTimeout => {
                (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            }
        }
    }

    const fn of_rest_api(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, r#"{"message":"Unauthorized"}"#, "UnauthorizedException")
            }
            Self::AccessDenied { explicit: true } => (
                StatusCode::FORBIDDEN,
                r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#,
                "AccessDeniedException",
            ),
            Self::AccessDenied { explicit: false } => (
                StatusCode::FORBIDDEN,
                r#"{"Message":"User is not authorized to access this resource"}"#,
                "AccessDeniedException",
            ),
            Self::AuthorizerFailure => {
                (StatusCode::INTERNAL_SERVER_ERROR, r#"{"message":null}"#, "AuthorizerFailureException")
            }
            Self::AuthorizerConfigurationError => {
                (StatusCode::INTERNAL_SERVER_ERROR, r#"{"message":null}"#, "AuthorizerConfigurationException")
            }
            Self::NoStage => (StatusCode::FORBIDDEN, r#"{"message":"Forbidden"}"#, "ForbiddenException"),
            Self::BadRequest => {
                (StatusCode::BAD_REQUEST, r#"{"message":"Bad Request"}"#, "BadRequestException")
            }
            Self::UriTooLong => (
                StatusCode::URI_TOO_LONG,
                r#"{"message":"Request URI too long"}"#,
                "RequestURITooLongException",
            ),
            Self::RequestTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                r#"{"message":"Request Too Long"}"#,
                "RequestTooLargeException",
            ),
            Self::IntegrationFailure => (
                StatusCode::GATEWAY_TIMEOUT,
                r#"{"message":"Network error communicating with endpoint"}"#,
                "InternalServerErrorException",
            ),
            Self::IntegrationTimeout => (
                StatusCode::GATEWAY_TIMEOUT,
                r#"{"message":"Endpoint request timed out"}"#,
                "InternalServerErrorException",
            ),
        }
    }
}

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

#[cfg(test)]
mod tests {
    use super::{GatewayResponse::*, *};

    #[tokio::test]
    async fn every_api_answers_in_its_own_words() {
        let table = [
            (Unauthorized, 401, r#"{"message":"Unauthorized"}"#, 401, r#"{"message":"Unauthorized"}"#),
            (
                AccessDenied { explicit: true },
                403,
                r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#,
                403,
                r#"{"message":"Forbidden"}"#,
            ),
            (
                AccessDenied { explicit: false },
                403,
                r#"{"Message":"User is not authorized to access this resource"}"#,
                403,
                r#"{"message":"Forbidden"}"#,
            ),
            (AuthorizerFailure, 500, r#"{"message":null}"#, 500, r#"{"message":"Internal Server Error"}"#),
            (
                AuthorizerConfigurationError,
                500,
                r#"{"message":null}"#,
                500,
                r#"{"message":"Internal Server Error"}"#,
            ),
            (NoStage, 403, r#"{"message":"Forbidden"}"#, 404, r#"{"message":"Not Found"}"#),
            (
                IntegrationTimeout,
                504,
                r#"{"message":"Endpoint request timed out"}"#,
                503,
                r#"{"message":"Service Unavailable"}"#,
            ),
        ];
        for (response, rest, rest_body, http, http_body) in table {
            for (api, status, body) in [
                (ApiKind::Rest, rest, rest_body),
                (ApiKind::WebSocket, rest, rest_body),
                (ApiKind::Http, http, http_body),
            ] {
                let answer = response.into_response(api);
                assert_eq!(answer.status(), status, "{response:?} {api:?}");
                assert_eq!(answer.headers()["content-type"], "application/json");
                assert_eq!(answer.headers().contains_key(ERROR_TYPE), api != ApiKind::Http);
                let answer = axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
                assert_eq!(answer, body, "{response:?} {api:?}");
            }
        }
    }
}
