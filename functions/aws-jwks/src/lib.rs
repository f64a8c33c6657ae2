#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::{error::Error, sync::Arc};

use drawbridge_bridge::KeyEndpoint;
use drawbridge_config::{Environment, Store};
use drawbridge_gate::open_directory;
use drawbridge_keys::{KeyStore, StoreError};
use drawbridge_serve::log;
use lambda_http::{Request, Response, http::header::IF_NONE_MATCH, service_fn};

/// Serves the Lambda Runtime API until the runtime ends the process.
///
/// # Errors
/// A configuration with mistakes, a store that cannot be opened, a Runtime API that does not answer.
pub async fn run(environment: &dyn Environment) -> Result<(), Box<dyn Error + Send + Sync>> {
    drawbridge_aws::started_by_lambda(environment)?;
    let config = drawbridge_config::load_from_environment(environment)?;
    let endpoint = Arc::new(KeyEndpoint::open_known(&config, &open, |store| {
        log::info(&format!("the keys of the store `{store}` are published elsewhere"));
    })?);
    lambda_http::run(service_fn(move |request: Request| {
        let endpoint = Arc::clone(&endpoint);
        async move { answer(&endpoint, &request).await }
    }))
    .await
}

/// Answers one request of a REST API, an HTTP API of either payload, or a function URL.
///
/// # Errors
/// None that a request can cause.
pub async fn answer(
    endpoint: &KeyEndpoint,
    request: &Request,
) -> Result<Response<String>, Box<dyn Error + Send + Sync>> {
    let tags = request.headers().get_all(IF_NONE_MATCH).iter().map(|tags| tags.as_bytes());
    let tags = KeyEndpoint::if_none_match(tags);
    let path = below_stage(request.uri().path());
    let answer = endpoint.answer(request.method().as_str(), path, tags.as_deref()).await;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    Ok(response.body(answer.body)?)
}

/// The stores that this build knows: those of this cloud, and a directory.
fn open(store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
    match store {
        Store::SecretsManager { .. } | Store::Kms { .. } => drawbridge_aws::open(store),
        _ => open_directory(store),
    }
}

/// The path without what a stage, or the base path of a custom domain, puts in front of it: its last three segments.
fn below_stage(path: &str) -> &str {
    path.rmatch_indices('/').nth(2).and_then(|(start, _)| path.get(start..)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Environment for Nothing {
        fn var(&self, _name: &str) -> Option<String> {
            None
        }
    }

    #[tokio::test]
    async fn started_by_hand_it_says_what_starts_it() {
        let said = run(&Nothing).await.unwrap_err().to_string();
        assert!(said.starts_with("AWS_LAMBDA_RUNTIME_API is not set"), "{said}");
    }

    #[test]
    fn a_stage_or_a_base_path_may_stand_in_front_of_the_endpoint() {
        let table = [
            ("/jwks/orders/orders.sig.1", "/jwks/orders/orders.sig.1"),
            ("/prod/jwks/orders/orders.sig.1", "/jwks/orders/orders.sig.1"),
            ("/jwks/jwks/orders/orders.sig.1", "/jwks/orders/orders.sig.1"),
            ("/jwks/jwks/jwks.sig.1", "/jwks/jwks/jwks.sig.1"),
            ("/prod/keys/jwks/orders/orders.sig.1", "/jwks/orders/orders.sig.1"),
            ("/prod/jwks/orders", "/prod/jwks/orders"),
            ("/jwks/orders/orders.sig.1/", "/orders/orders.sig.1/"),
            ("/", "/"),
            ("", ""),
            ("\u{e9}/\u{e9}/\u{e9}/\u{e9}", "/\u{e9}/\u{e9}/\u{e9}"),
        ];
        for (path, expected) in table {
            assert_eq!(below_stage(path), expected, "{path}");
        }
    }
}
