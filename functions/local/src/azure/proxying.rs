//! `enableProxyingHttpRequest`: the host is a reverse proxy (`DefaultHttpProxyService.cs` of azure-functions-host, on YARP).
//!
//! * Bodies stream in both directions, with or without a length; the query and repeated headers stay as they came.
//! * The host's ids replace the client's headers of the same name: `X-Azure-Functions-InvocationId` and `x-ms-invocation-id`.
//! * An exchange may be silent for 240 s.

use std::time::Duration;

use axum::response::Response;
use drawbridge_azure_functions::contract;
use http::HeaderName;

use crate::{
    azure::host::{Call, HOST_VERSION, INVOCATION_ID, VERSION},
    proxy::{self, ForwardError, Limits},
};

pub(super) async fn proxy(call: Call<'_>) -> Result<Response, ForwardError> {
    let Call { client, url, id, request, .. } = call;
    let (mut parts, body) = request.into_parts();
    proxy::strip_hop_by_hop(&mut parts.headers);
    parts.headers.insert(CORRELATION, id.clone());
    parts.headers.insert(INVOCATION_ID, id);
    parts.headers.insert(HOST_VERSION, VERSION);
    proxy::exchange(client, parts.method, url, parts.headers, body, Limits::idle(ACTIVITY)).await
}

/// `ScriptConstants.HttpProxyCorrelationHeader`.
const CORRELATION: HeaderName = HeaderName::from_static(contract::CORRELATION_ID);

/// `ForwarderRequestConfig.ActivityTimeout`.
const ACTIVITY: Duration = Duration::from_secs(240);

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, extract::Request};
    use drawbridge_config::AzureMode;
    use futures_util::StreamExt;
    use http::Method;

    use crate::azure::testing::{Fake, app, described, send, text};

    #[tokio::test]
    async fn what_was_sent_arrives_but_for_the_hosts_own_ids() {
        let headers = [
            ("x-azure-functions-invocationid", "of-the-client"),
            ("x-ms-invocation-id", "of-the-client"),
            ("x-twice", "1"),
            ("x-twice", "2"),
        ];
        let request = send(Method::POST, "/api/a/../authorize?q=1&q=2", &headers, "chunked body");
        let seen = described(&text(app(AzureMode::Proxy, Fake::echo()).handle(request).await).await);
        assert_eq!((&seen["uri"], &seen["body"]), (&"/api/authorize?q=1&q=2".into(), &"chunked body".into()));
        let headers = &seen["headers"];
        assert_eq!(headers["x-twice"], "1|2");
        assert_eq!(headers["x-azure-functions-invocationid"].as_str().unwrap().len(), 36);
        assert_eq!(headers["x-azure-functions-invocationid"], headers["x-ms-invocation-id"]);
    }

    #[tokio::test]
    async fn bodies_stream() {
        let handler = Router::new().fallback(|request: Request| async move {
            Body::from_stream(request.into_body().into_data_stream())
        });
        let app = app(AzureMode::Proxy, Fake::new(handler));
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<&'static str, std::io::Error>>(1);
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/authorize")
            .body(Body::from_stream(stream))
            .unwrap();
        sender.send(Ok("first")).await.unwrap();
        let mut echoed = app.handle(request).await.into_body().into_data_stream();
        assert_eq!(echoed.next().await.unwrap().unwrap(), "first");
        sender.send(Ok("second")).await.unwrap();
        assert_eq!(echoed.next().await.unwrap().unwrap(), "second");
    }
}
