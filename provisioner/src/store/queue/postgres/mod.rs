//! The queue's statements for PostgreSQL.

mod enqueue;
mod release;
mod step;

use sea_orm::sqlx::{self, Executor, PgPool, postgres::PgPoolOptions};

use super::Claim;

pub(super) use enqueue::enqueue;
pub(super) use release::release;
pub(super) use step::step;

/// The channel on which workers are woken.
pub(super) const CHANNEL: &str = "provisioner_jobs";

/// The queue's own few connections: one claims and finishes, one enqueues, one tells, one listens.
///
/// The right plan of these statements is always the same, and never that of a full table: tables that are empty one
/// moment and long the next mislead the planner's statistics, and a plan once cached stays. So scans of whole tables
/// are ruled out here, and a plan is made once for a connection.
pub(super) fn tuned_pool(like: &PgPool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(6)
        .min_connections(0)
        .acquire_timeout(like.options().get_acquire_timeout())
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection
                    .execute(
                        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_mergejoin = off; SET jit = off; \
                         SET plan_cache_mode = force_generic_plan; SET application_name = 'provisioner queue'",
                    )
                    .await?;
                Ok(())
            })
        })
        .connect_lazy_with((*like.connect_options()).clone())
}

/// A claim's fence as its column has it. A number that does not fit was never given out.
fn fence(claim: &Claim) -> i32 {
    i32::try_from(claim.fence).unwrap_or(-1)
}

/// Something of ours that would not become JSON.
fn encoding(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}
