//! Drives jobs: asks [`core::next`](crate::core::next()) for the move, makes it, records what came of it.
//!
//! It decides nothing about clouds and nothing about plans. A call is made only after its beginning has been recorded,
//! and only while the lease is held.

mod drive;
mod handler;
mod lease;
mod lookout;
mod refusals;
mod warden;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use providers::{ErrorClass, Provider, Trouble};
use regions::Cloud;

use crate::{
    core::{Ending, Fact, Outcome, Policy},
    store::{Claimed, Store},
};

use drive::{Drive, LetGo};
use lookout::Lookout;
use refusals::Refusals;

pub use handler::{Clock, Handled, Handler};
pub use lease::Lease;
pub use warden::{Patience, Warden};

/// The clouds that a worker can reach.
pub type Providers = BTreeMap<Cloud, Arc<dyn Provider>>;

/// Carries jobs out against the clouds. One for a worker process: it holds what its jobs share.
pub struct Executor {
    store: Store,
    providers: Providers,
    policy: Policy,
    clock: Arc<dyn Clock>,
    lookout: Lookout,
    refusals: Refusals,
}

impl Executor {
    /// An executor over these clouds.
    #[must_use]
    pub fn new(store: Store, providers: Providers, policy: Policy, clock: Arc<dyn Clock>) -> Self {
        let lookout = Lookout::new(policy.look_ms, Arc::clone(&clock));
        Self { store, providers, policy, clock, lookout, refusals: Refusals::default() }
    }
}

#[async_trait]
impl Handler for Executor {
    async fn run(&self, claimed: Claimed, lease: Lease) -> Handled {
        let job = claimed.claim.job;
        match Drive::new(self, claimed, lease).run().await {
            Ok(handled) => handled,
            // What the database refuses for good, it would refuse at every try.
            Err(LetGo::Store(error)) if !error.is_passing() => {
                tracing::error!(%job, %error, "the job can't be recorded");
                let message = error.to_string().replace('\0', "\u{fffd}");
                let because = Trouble { class: ErrorClass::Unrecognized, code: "RecordRefused".to_owned(), message };
                let outcome = Outcome::of(Ending::Stuck, because);
                let facts = vec![Fact::Ended { outcome: outcome.clone() }];
                Handled::Ended { outcome, facts, drops: None }
            }
            Err(stop) => {
                tracing::warn!(%job, reason = %stop, "the job is let go without another write");
                Handled::Lost
            }
        }
    }
}
