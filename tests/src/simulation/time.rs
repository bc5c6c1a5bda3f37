//! Time for the simulation: paused tokio time as a clock, and a guard that stops it while the database works.

use std::sync::{Arc, mpsc};

use provisioner::{execute::Clock, store::Guard};
use tokio::time::Instant;

/// When simulations begin, in milliseconds since 1970.
const EPOCH_MS: i64 = 1_800_000_000_000;

/// Paused tokio time, off by a fixed skew.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedClock {
    start: Instant,
    skew_ms: i64,
}

impl SimulatedClock {
    #[expect(clippy::disallowed_methods, reason = "on a paused runtime this is simulated time")]
    pub(crate) fn new(skew_ms: i64) -> Self {
        Self { start: Instant::now(), skew_ms }
    }

    /// The same time, read off a clock that is wrong by so much.
    pub(crate) const fn skewed(&self, skew_ms: i64) -> Self {
        Self { start: self.start, skew_ms }
    }
}

impl Clock for SimulatedClock {
    fn now_ms(&self) -> i64 {
        let passed = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX / 2);
        EPOCH_MS + passed + self.skew_ms
    }
}

/// Tokio moves paused time on as soon as every task waits, and does not know that the database's own thread is at work. A blocking
/// task that lasts as long as the access holds it back.
pub(crate) fn guard() -> Guard {
    Arc::new(|| {
        let (done, wait) = mpsc::channel::<()>();
        // It ends when the sender is dropped.
        tokio::task::spawn_blocking(move || wait.recv().is_ok());
        Box::new(done)
    })
}
