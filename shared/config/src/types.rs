//! The configuration as the rest of Drawbridge reads it: checked, with the defaults filled in.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use drawbridge_keys::{BackendName, KeyLimits};
use drawbridge_policy::Routes;
use drawbridge_verify::{Algorithms, MediaType, Relaxation, Thumbprint, jwe::ContentEncryption};
use url::Url;

use crate::Policies;

/// The whole file.
#[derive(Debug)]
pub struct Config {
    /// `issuers`, by the name that the file gives them.
    pub issuers: BTreeMap<String, Issuer>,
    /// `stores`, by name.
    pub stores: BTreeMap<String, Store>,
    /// `backends`, by name.
    pub backends: BTreeMap<BackendName, Backend>,
    /// `consumers`: the issuer whose tokens the edge accepts. None for a file that only serves gates.
    pub consumers: Option<String>,
    /// `audit`.
    pub audit: Audit,
    /// `local`: what only the gateways of `drawbridge up` read.
    pub local: Local,
}

/// Somebody who signs tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// `issuer`: the exact `iss`.
    pub issuer: String,
    /// `audience`: one or a list; empty when not given (for bridged tokens the backend's own audience is used).
    pub audiences: Vec<String>,
    /// `keys`.
    pub keys: Keys,
    /// `algorithms`: required, never empty.
    pub algorithms: Algorithms,
    /// `types`: default `[at+jwt]`.
    pub types: Vec<MediaType>,
    /// `max_lifetime`: default 5 minutes and at most 1 hour where the issuer signs bridged tokens (a backend names it),
    /// unbounded otherwise.
    pub max_lifetime: Option<Duration>,
    /// `skew`: default 30 s, at most 60 s.
    pub skew: Duration,
    /// `max_token_bytes`: default 16384, at most 65536.
    pub max_token_bytes: usize,
    /// `key_cache: { fresh: 5m, stale: 1h, fetches_per_minute: 60, fetches_per_minute_and_source: 20 }` over the defaults.
    pub key_limits: KeyLimits,
    /// `thumbprints`: pinned keys.
    pub thumbprints: Vec<Thumbprint>,
    /// `relax`: named weakenings.
    pub relax: Vec<Relaxation>,
}

/// Where an issuer's public keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// `discovery`
    Discovery,
    /// `{ jwks: URL }` or `jwks: URL`; with `{backend}` and `{kid}` one key at a time.
    Jwks(String),
    /// `{ store: NAME }`
    Store(String),
}

/// A key store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Store {
    /// `directory: PATH`, relative to the file.
    Directory(PathBuf),
    /// `secrets_manager: { prefix, region }`
    SecretsManager {
        /// Secret names are `<prefix>/<backend>/<use>`. Default `drawbridge`.
        prefix: String,
        /// Default: the environment's.
        region: Option<String>,
    },
    /// `kms: { prefix, region }`
    Kms {
        /// Aliases are `alias/<prefix>/<backend>/<use>`. Default `drawbridge`.
        prefix: String,
        /// Default: the environment's.
        region: Option<String>,
    },
    /// `key_vault: { url, form: keys|secrets }`; default `keys`.
    KeyVault {
        /// `https://NAME.vault.azure.net`
        url: Url,
        /// Whether keys are secrets that hold a private JWK, rather than vault keys.
        secrets: bool,
    },
}

/// One application behind a cloud gateway.
#[derive(Debug)]
pub struct Backend {
    /// Its name.
    pub name: BackendName,
    /// `issuer`: whose tokens its gate accepts; a key of `issuers`.
    pub issuer: String,
    /// `audience`: the `aud` of its tokens; default its name.
    pub audience: String,
    /// `store`: a key of `stores`; None where this file's reader needs no private key of it.
    pub store: Option<String>,
    /// `upstream`: where the edge sends its requests.
    pub upstream: Option<Url>,
    /// `path`: the path prefix at the edge; default `/<name>`.
    pub path: String,
    /// `lifetime` of its bridged tokens; default 2 minutes, at most the issuer's `max_lifetime`.
    pub lifetime: Duration,
    /// `claims`: bridged claim → JSON Pointer into the consumer's claims.
    pub claims: BTreeMap<String, String>,
    /// `routes`: required, `[]` lets nothing through.
    pub routes: Routes,
    /// `owner` of each route, in their order: who answers for it. Nothing is decided by it.
    pub owners: Vec<Option<String>>,
    /// `policy`: Cedar files with their text.
    pub policy: Vec<PolicyFile>,
    /// What these files decide, ready once they were checked.
    pub policies: Policies,
    /// `context`: the claims that the backend is told; default `[sub]`.
    pub context: Vec<String>,
    /// `encryption`: default `refused`.
    pub encryption: Encryption,
    /// `content_encryption` of its tokens, where they are encrypted; default `A256GCM`.
    pub content_encryption: ContentEncryption,
    /// `bound_to`: the file of the client certificate that the edge shows its gateway, and that its bridged tokens are bound to. Read
    /// by the bridge alone; the gate asks only whether there is one, and then takes bound tokens alone.
    pub bound_to: Option<PathBuf>,
}

/// A Cedar policy file, read at load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFile {
    /// As written in the configuration.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Whether tokens may, must or must not be encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// The default.
    #[default]
    Refused,
    /// Either way.
    Accepted,
    /// Only nested JWE.
    Required,
}

/// Where decisions are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audit {
    /// `ocsf: stdout`, the default: one OCSF JSON object a line.
    OcsfStdout,
    /// `ocsf: PATH`: appended to a file.
    OcsfFile(PathBuf),
}

/// `local`: which authorizer the local AWS gateway runs, and how the local Azure gateway calls the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// `aws.authorizer`; default `http-2.0-simple`.
    pub authorizer: AwsAuthorizer,
    /// `aws.cache_ttl`, 0 s to 1 h. Default 0 s: path parameters cannot be identity sources.
    pub cache_ttl: Duration,
    /// `aws.identity_sources`; default `["$request.header.Authorization"]` (REST: `method.request.header.Authorization`,
    /// WebSocket: `route.request.header.Authorization`).
    pub identity_sources: Vec<String>,
    /// `aws.identity_validation`: REST TOKEN only; a regular expression.
    pub identity_validation: Option<String>,
    /// `azure.mode`; default `forward`.
    pub azure: AzureMode,
}

/// The authorizer kinds of API Gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsAuthorizer {
    /// `rest-token`
    RestToken,
    /// `rest-request`
    RestRequest,
    /// `http-1.0`
    Http10,
    /// `http-2.0-iam`
    Http20Iam,
    /// `http-2.0-simple`
    Http20Simple,
    /// `websocket`
    WebSocket,
}

/// How the Functions host passes HTTP to a custom handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureMode {
    /// `forward`: `enableForwardingHttpRequest`
    Forward,
    /// `proxy`: `enableProxyingHttpRequest`
    Proxy,
    /// `invoke`: the `Data`/`Metadata` form
    Invoke,
}
