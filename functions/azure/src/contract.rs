//! What this Function App tells the host about itself, and the names of the [custom-handler contract].
//!
//! [custom-handler contract]: https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers

/// `host.json`, as deployed. Both ways to pass HTTP are on: a host that knows proxying prefers it, an older one forwards.
pub const HOST_JSON: &str = include_str!("../app/host.json");

/// The name and `function.json` of each function, as deployed.
pub const FUNCTIONS: [(&str, &str); 3] = [
    (AUTHORIZE, include_str!("../app/authorize/function.json")),
    (JWKS, include_str!("../app/jwks/function.json")),
    (PROXY, include_str!("../app/proxy/function.json")),
];

/// The forward-auth function.
pub const AUTHORIZE: &str = "authorize";

/// The key endpoint.
pub const JWKS: &str = "jwks";

/// What guards an upstream by itself.
pub const PROXY: &str = "proxy";

/// The executable that `host.json` names.
pub const EXECUTABLE: &str = "handler";

/// The port that the handler listens on.
pub const PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";

/// The host's name for this process.
pub const WORKER_ID: &str = "FUNCTIONS_CUSTOMHANDLER_WORKER_ID";

/// The folder of `host.json`.
pub const APP_ROOT: &str = "FUNCTIONS_APP_ROOT_PATH";

/// The header in which the host says which invocation this is; a client's own is kept before it.
pub const INVOCATION_ID: &str = "x-azure-functions-invocationid";

/// The header in which a host that proxies says so again, in place of a client's own.
pub const CORRELATION_ID: &str = "x-ms-invocation-id";
