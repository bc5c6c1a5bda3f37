//! Sees to it that a way onto a builder is open while somebody has been granted it and has asked for it, and that nothing of it is left
//! afterwards.
//!
//! Every worker has one. What is to be done is taken for a while, so that two do not do it at once; what one that died or hung has left
//! half done, the next one takes up. A call that was given up may still arrive: a way counts as closed only when it is found gone some time
//! after its last opening began.

use std::{sync::Arc, time::Duration};

use providers::{CallError, Closed, ErrorClass};
use regions::Cloud;
use tokio_util::sync::CancellationToken;

use super::{Clock, Providers};
use crate::store::{Due, Store, StoreError};

/// How often it looks for something to do.
const LOOK: Duration = Duration::from_secs(2);

/// For how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a call: longer than any call of a provider takes.
    pub call_ms: u64,
    /// For which what it has taken is left alone by others: longer than a call.
    pub lease_ms: i64,
    /// After an opening has begun, until its way can be believed to be gone: longer than a call that was given up may be on its way,
    /// and than a cloud takes to believe a tag that has gone.
    pub settle_ms: i64,
    /// Until it looks again at what passes.
    pub again_ms: i64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { call_ms: 60_000, lease_ms: 120_000, settle_ms: 90_000, again_ms: 3_000 }
    }
}

/// The warden of a worker.
pub struct Warden {
    /// The database.
    pub store: Store,
    /// The clouds that it can reach; grants on others are left to others.
    pub providers: Providers,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The worker's name.
    pub name: String,
    /// For how long it waits.
    pub patience: Patience,
}

impl Warden {
    /// Works until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "grants of debug access could not be seen to; it goes on");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Does what there is to do now. How many grants that were.
    ///
    /// # Errors
    /// Those of the database: what was taken is left until its lease ends.
    pub async fn round(&self) -> Result<usize, StoreError> {
        let clouds: Vec<Cloud> = self.providers.keys().copied().collect();
        if clouds.is_empty() {
            return Ok(0);
        }
        let due = self.store.take_grants(&self.name, &clouds, self.patience.lease_ms, self.clock.now_ms()).await?;
        // Side by side: one that hangs keeps nobody inside elsewhere.
        let done = futures_util::future::join_all(due.iter().map(|due| self.see_to(due))).await;
        done.into_iter().collect::<Result<Vec<()>, StoreError>>()?;
        Ok(due.len())
    }

    async fn see_to(&self, due: &Due) -> Result<(), StoreError> {
        let Some(provider) = self.providers.get(&due.access.placement.zone().cloud()) else { return Ok(()) };
        let (id, name) = (due.grant, self.name.as_str());
        let patience = Duration::from_millis(self.patience.call_ms);
        let again_ms = || self.clock.now_ms() + self.patience.again_ms;
        if due.opens {
            let opened = tokio::time::timeout(patience, provider.open_access(&due.access)).await;
            return match opened.unwrap_or_else(|_| Err(late("open"))) {
                Ok(opened) => {
                    tracing::info!(grant = %id, principal = %due.access.principal, "debug access is open");
                    self.store.grant_opened(id, name, &opened.command, self.clock.now_ms()).await
                }
                Err(error) if passes(error.class()) => {
                    tracing::warn!(grant = %id, %error, "debug access could not be opened; it is tried again");
                    self.store.grant_again(id, name, Some(&error.to_string()), again_ms()).await
                }
                Err(error) => {
                    tracing::warn!(grant = %id, %error, "debug access can't be opened");
                    self.store.grant_refused(id, name, &error.to_string(), self.clock.now_ms()).await
                }
            };
        }
        let closed = tokio::time::timeout(patience, provider.close_access(&due.access)).await;
        match closed.unwrap_or_else(|_| Err(late("close"))) {
            Ok(Closed::Gone) => {
                let sure_ms = due.tried_ms.map_or(0, |tried| tried + self.patience.settle_ms);
                if self.clock.now_ms() < sure_ms {
                    return self.store.grant_again(id, name, None, sure_ms).await;
                }
                tracing::info!(grant = %id, "debug access is closed");
                self.store.grant_closed(id, name, self.clock.now_ms()).await
            }
            Ok(Closed::Leaving) => self.store.grant_again(id, name, None, again_ms()).await,
            Err(error) => {
                tracing::error!(grant = %id, %error, "debug access could not be closed: somebody may still be let in; it is tried again");
                self.store.grant_again(id, name, Some(&error.to_string()), again_ms()).await
            }
        }
    }
}

fn late(what: &str) -> CallError {
    CallError::new(what, ErrorClass::Ambiguous, "Timeout", "no answer in time")
}

/// Whether another try may do.
const fn passes(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Throttled | ErrorClass::Unavailable | ErrorClass::Ambiguous)
}
