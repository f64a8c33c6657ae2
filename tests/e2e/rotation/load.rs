//! What must hold in every cloud.

use std::{collections::BTreeSet, time::Duration};

use drawbridge_gate::{Decision, Gate, Reason};
use drawbridge_keys::{Kid, StoreError};
use drawbridge_verify::UnixTime;
use tokio::task::JoinHandle;

use crate::world::{KEPT, World, elapse_for_caches, orders};

/// Requests that never cease, through the edge to an instance of the gate that has been there all along.
pub(crate) struct Load {
    warm: Gate,
    /// Tokens that are still valid, with the moment at which they were minted.
    on_their_way: Vec<(UnixTime, String)>,
    signers: BTreeSet<String>,
    requests: usize,
}

impl Load {
    pub(crate) fn new(world: &World) -> Self {
        Self { warm: world.gate(), on_their_way: Vec::new(), signers: BTreeSet::new(), requests: 0 }
    }

    /// Sends requests until `step` of a rotation is done, and for as long after it as a key is kept. None may be denied.
    pub(crate) async fn during<T>(
        &mut self,
        world: &mut World,
        step: &str,
        mut stepping: JoinHandle<T>,
    ) -> T {
        let mut served = 0;
        while served < 20 || !stepping.is_finished() {
            let token = world.bridged().await;
            match world.decided(&self.warm, &token).await {
                Decision::Allow(allow) => self.signers.insert(allow.kid),
                Decision::Deny(deny) => panic!("denied during {step}: {}", deny.reason),
            };
            self.on_their_way.push((world.now, token));
            served += 1;
            tokio::task::yield_now().await;
        }
        let done = (&mut stepping).await.unwrap();
        self.requests += served;

        // What was minted at any moment of the last minute and a half arrives at an instance that was just started.
        let cold = world.gate();
        self.on_their_way.retain(|(minted, _)| world.now.since(*minted) < Duration::from_secs(90));
        for (_, token) in &self.on_their_way {
            assert_eq!(world.reason(&cold, token).await, Reason::Allowed, "after {step}");
        }
        self.requests += self.on_their_way.len();
        world.elapse(KEPT).await;
        done
    }

    /// The key that signs now is this one.
    pub(crate) async fn signs(&mut self, world: &World, kid: &Kid) {
        let token = world.bridged().await;
        match world.decided(&self.warm, &token).await {
            Decision::Allow(allow) => assert_eq!(allow.kid, kid.to_string(), "the current key signs"),
            Decision::Deny(deny) => panic!("denied between rotations: {}", deny.reason),
        }
        self.signers.insert(kid.to_string());
    }

    /// As many keys have signed.
    pub(crate) fn had(self, signers: usize) {
        assert_eq!(self.signers.len(), signers, "{:?}", self.signers);
        println!("{} requests, none denied", self.requests);
    }
}

/// A revoked key is refused once nobody may keep it any longer, and nothing else is. `rotate` gives the new key, which signs.
pub(crate) async fn a_revoked_key_is_refused_in_time(
    mut world: World,
    rotate: impl AsyncFn(&mut World) -> Kid,
) {
    let first = world.store.signer(&orders()).await.unwrap().kid().clone();
    let old = world.bridged().await;
    let warm = world.gate();
    assert_eq!(world.reason(&warm, &old).await, Reason::Allowed);

    let second = rotate(&mut world).await;
    let new = world.bridged().await;
    for token in [&old, &new] {
        assert_eq!(world.reason(&warm, token).await, Reason::Allowed, "a rotation revokes nothing");
    }
    world.store.revoke(&first).await.unwrap();

    // An instance that has not seen the key depends on the key endpoint alone, one that has on how long it may keep it.
    elapse_for_caches(KEPT).await;
    let cold = world.gate();
    assert_eq!(world.reason(&cold, &old).await, Reason::KeyUnknown);
    assert_eq!(world.reason(&cold, &new).await, Reason::Allowed);
    elapse_for_caches(Duration::from_secs(120)).await;
    assert_eq!(world.reason(&warm, &old).await, Reason::KeyUnknown, "it is refused after `fresh`");
    assert_eq!(world.reason(&warm, &new).await, Reason::Allowed, "and nothing else is");

    // While the key endpoint fails nobody learns of a revocation: `stale` is the most that it takes then.
    assert_eq!(world.store.revoke(&second).await, Err(StoreError::InUse));
    rotate(&mut world).await;
    world.store.revoke(&second).await.unwrap();
    world.fail();
    elapse_for_caches(Duration::from_secs(600)).await;
    assert_eq!(world.reason(&warm, &new).await, Reason::KeyUnavailable, "it is refused after `stale`");
}
