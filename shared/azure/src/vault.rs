//! How a vault is asked: by a client that is made at first use, within a deadline, and again where that can help.

use std::{future::Future, sync::Arc, time::Duration};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, RetryOptions, Transport},
};
use drawbridge_config::Environment;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep, timeout_at},
};
use url::Url;

use crate::{
    credential::Identity,
    error::{Failure, Kind},
    transport,
};

/// One vault, as a client of the SDK sees it.
pub(crate) struct Vault<C> {
    url: Url,
    access: Access,
    connect: Connect<C>,
    client: OnceCell<C>,
}

/// Makes a client of the SDK.
pub(crate) type Connect<C> = fn(&str, Arc<dyn TokenCredential>, ClientOptions) -> azure_core::Result<C>;

/// With which identity, and over what, a vault is asked.
pub struct Access(Kept);

enum Kept {
    Environment(Box<dyn Environment + Send + Sync>),
    Own(Arc<dyn TokenCredential>, Transport),
}

impl Access {
    /// With the identity that `environment` names, by the table in the documentation of this crate; over TLS with the machine's
    /// root certificates.
    pub fn environment(environment: impl Environment + Send + Sync + 'static) -> Self {
        Self(Kept::Environment(Box::new(environment)))
    }

    /// With this credential, over this transport.
    pub fn new(credential: Arc<dyn TokenCredential>, transport: Transport) -> Self {
        Self(Kept::Own(credential, transport))
    }

    fn open(&self) -> Result<(Arc<dyn TokenCredential>, Transport), Failure> {
        let unusable = |error: azure_core::Error| Failure::of("open the vault", &error);
        match &self.0 {
            Kept::Own(credential, transport) => Ok((Arc::clone(credential), transport.clone())),
            Kept::Environment(environment) => {
                let identity = Identity::choose(environment.as_ref())?;
                let credential = identity.credential().map_err(|error| Failure::no_identity(&error))?;
                Ok((credential, transport::outward().map_err(unusable)?))
            }
        }
    }
}

/// How long something may take altogether, and whether it may be done twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    deadline: Duration,
    again: bool,
}

impl Patience {
    /// For a request that waits for it: shorter than what a gate or a bridge gives its store, so that its reason is heard.
    pub(crate) const REQUEST: Self = Self { deadline: Duration::from_millis(2500), again: true };
    /// For an operator who waits for it, and lists of many pages.
    pub(crate) const OPERATOR: Self = Self { deadline: Duration::from_secs(30), again: true };
    /// As `OPERATOR`, for what would be there twice when it is done twice.
    pub(crate) const ONCE: Self = Self { deadline: Duration::from_secs(30), again: false };
}

impl<C: Clone + Send + Sync> Vault<C> {
    pub(crate) fn new(url: &Url, access: Access, connect: Connect<C>) -> Self {
        Self { url: url.clone(), access, connect, client: OnceCell::new() }
    }

    /// Does `call`, again where that can help and there is time left: after a throttle for as long as it asks to wait, and never
    /// when that is longer than there is time for.
    pub(crate) async fn ask<T, F>(
        &self,
        what: &str,
        patience: Patience,
        call: impl Fn(C) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = azure_core::Result<T>>,
    {
        let client = self.client.get_or_try_init(|| async { self.client() }).await?;
        let deadline = Instant::now() + patience.deadline;
        let mut last = None;
        for pause in PAUSES {
            let failure = match timeout_at(deadline, call(client.clone())).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) => Failure::of(what, &error),
                // What went wrong before says more than that time ran out.
                Err(_) => return Err(last.unwrap_or_else(|| Failure::late(what, patience.deadline))),
            };
            let pause = match (failure.kind, pause) {
                (Kind::Throttled(Some(wait)), Some(pause)) => Some(wait.max(pause)),
                (Kind::Throttled(None) | Kind::Unreached, pause) => pause,
                (Kind::Broken, pause) => pause.filter(|_| patience.again),
                _ => None,
            };
            match pause {
                Some(pause) if pause < deadline.saturating_duration_since(Instant::now()) => {
                    sleep(pause).await
                }
                _ => return Err(failure),
            }
            last = Some(failure);
        }
        Err(last.unwrap_or_else(|| Failure::late(what, patience.deadline)))
    }

    fn client(&self) -> Result<C, Failure> {
        let (credential, transport) = self.access.open()?;
        let options = ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(transport),
            ..ClientOptions::default()
        };
        (self.connect)(self.url.as_str(), credential, options)
            .map_err(|error| Failure::of(self.url.as_str(), &error))
    }
}

/// The least time between one attempt and the next; after the last there is none.
const PAUSES: [Option<Duration>; 3] =
    [Some(Duration::from_millis(100)), Some(Duration::from_millis(400)), None];
