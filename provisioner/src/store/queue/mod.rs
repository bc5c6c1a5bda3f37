//! The queue: jobs are accepted, claimed, finished, handed back and taken over here.
//!
//! What both databases promise, and `tests/tests/queue.rs` proves on both:
//!
//! - A job of a lane runs only when no older one of that lane is left. The lane's one row in `lanes` says who runs what, so
//!   two at once can't be spelled. A claim changes that row only if its `stamp` is still the one on which the claim was decided;
//!   whatever claims a job or takes one away changes the stamp. No rule depends on a lock: PostgreSQL's advisory
//!   locks only keep two fetchers from trying for the same lanes.
//! - Every write for a job names the lane, the job, the fence and the session, and changes nothing if one of them is no
//!   longer so.
//! - One statement finishes what has ended and claims what comes next. Its work does not grow with what was finished
//!   before: see [`marks`].

mod deletion;
mod ending;
mod intake;
mod lane;
pub(crate) mod marks;
mod postgres;
mod rows;
mod sqlite;
mod step;
mod tx;
mod types;
mod wake;
mod workers;

use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use sea_orm::{DbErr, RuntimeErr, sqlx};
use tokio::sync::{OnceCell, broadcast};

use super::{Store, StoreError};

pub use lane::lane_key;
pub(crate) use rows::request;
pub(crate) use step::{Step, Stepped};
pub use types::{Claim, Claimed, Enqueued, Finish, NewJob, Release, Session, WorkerId};
pub(crate) use wake::{Ear, Signal};
pub use workers::{Beat, SignOn, Swept};

/// What the queue keeps in memory for one [`Store`].
#[derive(Debug)]
pub(crate) struct Queue {
    /// Jobs that wait for the next batch.
    asks: Arc<Mutex<intake::Asks>>,
    /// In-process wake-ups.
    signals: broadcast::Sender<Signal>,
    /// When the workers were told last.
    pace: wake::Pace,
    /// PostgreSQL connections that are set up for the queue's statements.
    tuned: OnceCell<sqlx::PgPool>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            asks: Arc::default(),
            signals: broadcast::Sender::new(256),
            pace: wake::Pace::default(),
            tuned: OnceCell::new(),
        }
    }
}

impl Store {
    /// Awaits one of the queue's own accesses to the database.
    async fn sql<T>(&self, access: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
        self.run(async { access.await.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into()))) }).await
    }

    /// Connections on which the plans of the queue's statements don't depend on statistics. See [`postgres::tuned_pool`].
    async fn tuned(&self) -> &sqlx::PgPool {
        let pool = self.db().get_postgres_connection_pool();
        self.queue().tuned.get_or_init(|| async { postgres::tuned_pool(pool) }).await
    }
}
