//! The listener: stages, authorizers, integrations.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use drawbridge_config::AwsAuthorizer;
use drawbridge_policy::Routes;
use url::Url;

use super::{
    authorizer::Authorizer,
    call::{ApiKind, Call},
    gateway_response::GatewayResponse,
    integration, websocket,
};
use crate::tls::{Incoming, Peer};

/// The APIs of all backends.
pub(crate) struct Gateway {
    apis: BTreeMap<String, Arc<Api>>,
    kind: ApiKind,
    pub(crate) client: reqwest::Client,
}

/// The stage of one backend.
pub(crate) struct Api {
    pub(crate) authorizer: Authorizer,
    pub(crate) upstream: Url,
    pub(crate) routes: Routes,
    /// The claims that the backend is told.
    pub(crate) context: Vec<String>,
}

impl Gateway {
    pub(crate) fn new(
        apis: BTreeMap<String, Api>,
        authorizer: AwsAuthorizer,
        client: reqwest::Client,
    ) -> Self {
        let apis = apis.into_iter().map(|(stage, api)| (stage, Arc::new(api))).collect();
        Self { apis, kind: ApiKind::of(authorizer), client }
    }

    /// Serves until the listener fails.
    pub(crate) async fn serve(self, incoming: impl Into<Incoming>) -> std::io::Result<()> {
        let router = Router::new().fallback(answer).with_state(Arc::new(self));
        axum::serve(incoming.into(), router.into_make_service_with_connect_info::<Peer>()).await
    }

    async fn handle(&self, peer: Peer, request: Request) -> Result<Response, GatewayResponse> {
        let (parts, body) = request.into_parts();
        let call = Call::of_stage(self.kind, &parts, peer.address.ip())
            .ok_or(GatewayResponse::NoStage)?
            .shown(peer.certificate);
        let api = self.apis.get(&call.stage).ok_or(GatewayResponse::NoStage)?;
        let request = Request::from_parts(parts, body);
        if self.kind == ApiKind::WebSocket {
            return websocket::connect(self, api, call, request).await;
        }
        let call = call.routed(&api.routes);
        if self.kind == ApiKind::Rest && call.arn().len() > MAX_ARN {
            return Err(GatewayResponse::UriTooLong);
        }
        let allowed = api.authorizer.authorize(&call).await?;
        let add = integration::mapped(&allowed, &api.context);
        integration::forward(&self.client, &api.upstream, &call, request, add).await
    }
}

async fn answer(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    gateway.handle(peer, request).await.unwrap_or_else(|response| response.into_response(gateway.kind))
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>
const MAX_ARN: usize = 1600;

#[cfg(test)]
mod tests;
