//! The way to a service of AWS.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use drawbridge_keys::StoreError;
use tokio::sync::OnceCell;

/// The clients of one service, made by the first request: a function whose requests need no store pays nothing for it.
pub(crate) struct Connection<C> {
    region: Option<String>,
    make: fn(&SdkConfig) -> C,
    clients: OnceCell<Clients<C>>,
}

/// One client for each budget; they share connections and credentials.
pub(crate) struct Clients<C> {
    /// While somebody waits for a decision.
    pub(crate) serving: C,
    /// While an operator waits for a command.
    pub(crate) managing: C,
}

impl<C> Connection<C> {
    pub(crate) fn new(region: Option<&str>, make: fn(&SdkConfig) -> C) -> Self {
        Self { region: region.map(str::to_owned), make, clients: OnceCell::new() }
    }

    /// Over a configuration of the caller's, but for retries and time limits.
    pub(crate) fn over(config: &SdkConfig, make: fn(&SdkConfig) -> C) -> Self {
        Self { region: None, make, clients: OnceCell::new_with(Some(Clients::of(config, make))) }
    }

    pub(crate) async fn clients(&self) -> Result<&Clients<C>, StoreError> {
        self.clients
            .get_or_try_init(|| async { Ok(Clients::of(&load(self.region.as_deref()).await?, self.make)) })
            .await
    }

    pub(crate) async fn serving(&self) -> Result<&C, StoreError> {
        Ok(&self.clients().await?.serving)
    }

    pub(crate) async fn managing(&self) -> Result<&C, StoreError> {
        Ok(&self.clients().await?.managing)
    }
}

impl<C> Clients<C> {
    fn of(config: &SdkConfig, make: fn(&SdkConfig) -> C) -> Self {
        let within = |budget: Budget| {
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(budget.connect)
                .operation_attempt_timeout(budget.attempt)
                .operation_timeout(budget.operation)
                .build();
            let retries = RetryConfig::standard()
                .with_max_attempts(budget.attempts)
                .with_initial_backoff(BACKOFF)
                .with_max_backoff(LONGEST_BACKOFF);
            make(&config.to_builder().timeout_config(timeouts).retry_config(retries).build())
        };
        Self { serving: within(SERVING), managing: within(MANAGING) }
    }
}

/// Region, credentials and endpoint by the SDK's own rules, of which `AWS_ENDPOINT_URL` is the one for emulators.
async fn load(region: Option<&str>) -> Result<SdkConfig, StoreError> {
    // Pinned: what a later version of the SDK does by default is not what was tested here.
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let config = loader.load().await;
    if config.region().is_none() {
        let what = "there is no AWS region: write `region` at the store, or set AWS_REGION";
        return Err(StoreError::Unavailable(what.to_owned()));
    }
    Ok(config)
}

struct Budget {
    connect: Duration,
    /// One attempt, answer included.
    attempt: Duration,
    attempts: u32,
    /// All attempts, and the pauses between them.
    operation: Duration,
}

/// Less than the 3 s that a gate, the bridge and the key endpoint give a store.
const SERVING: Budget = Budget {
    connect: Duration::from_secs(1),
    attempt: Duration::from_millis(1200),
    attempts: 3,
    operation: Duration::from_millis(2700),
};

const MANAGING: Budget = Budget {
    connect: Duration::from_secs(3),
    attempt: Duration::from_secs(6),
    attempts: 5,
    operation: Duration::from_secs(20),
};

/// Before the second attempt, on average half of it: the SDK draws lots.
const BACKOFF: Duration = Duration::from_millis(100);

const LONGEST_BACKOFF: Duration = Duration::from_secs(1);
