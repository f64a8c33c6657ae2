//! A WebSocket API: who may connect, and what its backend is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use drawbridge_tests::{chain::Chain, corpus, forge::ChainForge};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};

#[tokio::test]
async fn a_caller_connects_and_each_message_reaches_the_backend_with_who_sent_it() {
    let (chain, orders) = chain().await;
    let token = corpus::token(&orders, now(), &json!({}), &json!({}));
    // The message counts, and what a client says about itself does not.
    let headers = [("x-drawbridge-sub", "root"), ("x-drawbridge-txn", "root")];
    let mut socket =
        connect(&chain, "?room=7", Some(&token), &headers).await.expect("the connection is made");
    let decision = chain.decision(|decision| decision["subject"] == "gate").await;
    assert_eq!(decision["reason"], "allowed");
    assert_eq!(decision["principal"], "alice");
    for message in ["hello", "again, and longer"] {
        socket.send(Message::text(message)).await.unwrap();
        let told = next(&mut socket).await;
        assert_eq!(told["backend"], "orders");
        assert_eq!(told["body_bytes"], message.len());
        assert_eq!(told["caller"], json!({ "sub": "alice", "roles": r#"["sales"]"#, "txn": "txn-1" }));
    }
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn a_connection_without_a_right_token_is_not_made() {
    let (chain, orders) = chain().await;
    let now = now();
    let good = corpus::token(&orders, now, &json!({}), &json!({}));
    let (input, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{input}.{}", "A".repeat(86));
    let unscoped = corpus::token(&orders, now, &json!({}), &json!({ "scope": "customers:write" }));
    let expired = corpus::token(&orders, now, &json!({}), &json!({ "iat": now - 200, "exp": now - 60 }));
    for (token, status, reason) in [
        (&forged, 401, "token.signature_invalid"),
        (&expired, 401, "token.expired"),
        (&unscoped, 403, "scope.missing"),
    ] {
        assert_eq!(refused(&chain, "", Some(token)).await, status, "{reason}");
        let decision = chain.decision(|decision| decision["subject"] == "gate").await;
        assert_eq!(decision["reason"], reason);
    }
    // The gateway does not ask without its identity source, and a browser's way around headers is none.
    assert_eq!(refused(&chain, "", None).await, 401);
    assert_eq!(refused(&chain, &format!("?access_token={good}"), None).await, 401);
    assert_eq!(refused(&chain, &format!("?access_token={good}"), Some(&good)).await, 403);
    let decision = chain.decision(|decision| decision["subject"] == "gate").await;
    assert_eq!(decision["reason"], "credentials.ambiguous");
    assert!(connect(&chain, "", Some(&good), &[]).await.is_ok());
}

/// A chain whose AWS gateway has a WebSocket API for `orders`, and the key of `orders`.
async fn chain() -> (Chain, ChainForge) {
    let config = json!({
        "issuers": {
            "login": {
                "issuer": "https://login.example.com", "audience": "https://api.example.com", "keys": "discovery",
                "algorithms": ["RS256"],
            },
            "edge": {
                "issuer": "https://edge.example.com",
                "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
                "algorithms": ["ES256"], "types": ["bridged+jwt"], "max_lifetime": "5m",
            },
        },
        "stores": { "aws": { "secrets_manager": { "prefix": "drawbridge", "region": "eu-west-1" } } },
        "backends": {
            "orders": {
                "issuer": "edge", "store": "aws", "upstream": "https://orders.example.com",
                "routes": [{ "path": "/$connect", "methods": ["GET"], "scopes": ["customers:read"] }],
                "claims": { "roles": "/realm_access/roles" },
                "context": ["sub", "roles", "txn"],
            },
        },
        "consumers": "login",
        "local": { "aws": { "authorizer": "websocket" } },
    });
    let chain = Chain::start_with(&config.to_string()).await;
    let orders = ChainForge::open(&chain, "orders").await;
    (chain, orders)
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(
    chain: &Chain,
    query: &str,
    token: Option<&str>,
    headers: &[(&'static str, &'static str)],
) -> Result<Socket, tungstenite::Error> {
    let address = chain.address("aws").replacen("http", "ws", 1);
    let mut request = format!("{address}/orders{query}").into_client_request().unwrap();
    if let Some(token) = token {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

/// The status with which a connection is refused.
async fn refused(chain: &Chain, query: &str, token: Option<&str>) -> u16 {
    match connect(chain, query, token, &[]).await {
        Err(tungstenite::Error::Http(answer)) => answer.status().as_u16(),
        other => panic!("{query} {token:?}: {other:?}"),
    }
}

async fn next(socket: &mut Socket) -> Value {
    let message = timeout(Duration::from_secs(10), socket.next()).await.expect("an answer").unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}
