//! Secrets Manager, in MiniStack. The rotation function is asked for its steps as Secrets Manager asks.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::{Client, config::Credentials, types::Tag};
use drawbridge_aws::{ALGORITHM, SecretsManager, rotation::Rotation};
use drawbridge_aws_rotation::{Event, answer};
use drawbridge_keys::Kid;
use drawbridge_tests::parts::MiniStack;
use drawbridge_verify::KeyUse;
use serde_json::json;
use uuid::Uuid;

use crate::{
    load::{Load, a_revoked_key_is_refused_in_time},
    world::{KEPT, World, orders},
};

const SECRET: &str = "drawbridge/orders/sig";

const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// An account with one secret, which has a key.
struct Account {
    _services: MiniStack,
    client: Client,
}

impl Account {
    async fn start() -> Option<(Self, World)> {
        let services = MiniStack::start()?;
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(services.url())
            .load()
            .await;
        let client = Client::new(&sdk);
        let tag = Tag::builder().key(ALGORITHM).value("ES256").build();
        client.create_secret().name(SECRET).tags(tag).send().await.unwrap();
        client.rotate_secret().secret_id(SECRET).send().await.unwrap();

        let account = Self { _services: services, client };
        account.rotate().await;
        account.forget_the_empty().await;
        let store = Arc::new(SecretsManager::over("drawbridge", &sdk));
        let configured = json!({ "secrets_manager": { "prefix": "drawbridge", "region": "eu-west-1" } });
        let world = World::over(store, &configured).await;
        Some((account, world))
    }

    /// MiniStack gives a secret without a value a version, and a second one when rotation is enabled. Those of AWS have none.
    async fn forget_the_empty(&self) {
        let secret = self.client.describe_secret().secret_id(SECRET).send().await.unwrap();
        for (version, labels) in secret.version_ids_to_stages.unwrap_or_default() {
            for label in labels.iter().filter(|label| *label != "AWSCURRENT") {
                let forget = self.client.update_secret_version_stage().secret_id(SECRET);
                forget.version_stage(label).remove_from_version_id(&version).send().await.unwrap();
            }
        }
    }

    /// What Secrets Manager does at the beginning of a rotation.
    async fn begin(&self) -> String {
        let version = Uuid::new_v4().to_string();
        let put = self.client.put_secret_value().secret_id(SECRET).client_request_token(&version);
        put.version_stages("AWSPENDING").send().await.unwrap();
        version
    }

    async fn rotate(&self) -> Kid {
        let version = self.begin().await;
        let rotation = Rotation::new(self.client.clone());
        for step in STEPS {
            answer(&rotation, &event(step, &version)).await.unwrap();
        }
        kid(&version)
    }
}

fn event(step: &str, version: &str) -> Event {
    serde_json::from_value(json!({
        "Step": step, "SecretId": SECRET, "ClientRequestToken": version, "RotationToken": "not ours to read",
    }))
    .unwrap()
}

fn kid(version: &str) -> Kid {
    Kid::new(orders(), KeyUse::Signing, version.parse().unwrap())
}

#[tokio::test]
async fn no_request_is_denied_while_the_function_rotates_keys_under_load() {
    let Some((account, mut world)) = Account::start().await else { return };
    let mut load = Load::new(&world);
    // Two rotations, one close after the other: three keys verify at the same time.
    for _ in 0..2 {
        let version = account.begin().await;
        for step in STEPS {
            let (rotation, asked) = (Rotation::new(account.client.clone()), event(step, &version));
            let stepping = tokio::spawn(async move { answer(&rotation, &asked).await });
            load.during(&mut world, step, stepping).await.unwrap();
        }
        load.signs(&world, &kid(&version)).await;
    }
    load.had(3);
}

#[tokio::test]
async fn a_version_revoked_in_secrets_manager_is_refused_within_the_maximum_key_age() {
    let Some((account, world)) = Account::start().await else { return };
    let rotate = async |world: &mut World| {
        let kid = account.rotate().await;
        world.elapse(KEPT).await;
        kid
    };
    a_revoked_key_is_refused_in_time(world, rotate).await;
}
