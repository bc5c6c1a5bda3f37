//! A cloud in memory: a model of what clouds do, with all that makes them hard, and no canned replies.
//!
//! [`FakeCloud`] is the cloud; it outlives every [`FakeProvider`] and every worker that uses one. Time comes from the clock
//! that it is given, latency from `tokio::time::sleep`, so it runs under tokio's paused time; chance comes from a seed.
//! One provider call is one or a few requests, as on a real cloud, and faults, hooks and counts are about requests. It
//! watches over the rules of tenancy and residency and keeps a list of what broke them; it enforces only what a cloud would.

mod call;
mod config;
mod dice;
mod fault;
mod history;
mod key;
mod list;
mod machine;
mod meddle;
mod observe;
mod provider;
mod request;
mod snapshot;
mod state;
mod stray;
#[cfg(test)]
mod tests;
mod throttle;
mod time;
mod volume;
mod way;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regions::Cloud;

pub use call::{CallInfo, CallOutcome, Moment, Operation, Tally, Verb};
pub use config::{FakeConfig, Stock, Throttle};
pub use fault::{Decide, Fault, FaultRates, OnCall, When};
pub use history::{Ever, Rule, Tenant, Violation};
pub use provider::FakeProvider;
pub use snapshot::{KeyView, MachineView, Snapshot, VolumeView};
pub use state::KeyState;

use crate::{ErrorClass, Trouble};
use fault::Faults;
use state::State;

/// Where the time comes from, in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The modelled cloud. Clones are the same cloud.
#[derive(Clone)]
pub struct FakeCloud(Arc<Inner>);

struct Inner {
    clock: Clock,
    state: Mutex<State>,
    faults: Mutex<Faults>,
}

impl FakeCloud {
    /// An empty cloud.
    #[must_use]
    pub fn new(config: FakeConfig, clock: Clock) -> Self {
        Self(Arc::new(Inner { clock, state: Mutex::new(State::new(config)), faults: Mutex::default() }))
    }

    /// A provider that uses this cloud in the way of that one.
    #[must_use]
    pub fn provider(&self, cloud: Cloud) -> FakeProvider {
        FakeProvider::new(self.clone(), cloud)
    }

    /// The state as it is now.
    fn state(&self) -> MutexGuard<'_, State> {
        let now_ms = (self.0.clock)();
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(now_ms);
        state
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FakeCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeCloud").finish_non_exhaustive()
    }
}

fn trouble(class: ErrorClass, code: &str, message: impl Into<String>) -> Trouble {
    Trouble { class, code: code.to_owned(), message: message.into() }
}
