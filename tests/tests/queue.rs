//! The queue, on both databases: what it promises, and that it keeps it when workers come, go and die.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

#[path = "queue/db.rs"]
mod db;
#[path = "queue/intake.rs"]
mod intake;
#[path = "queue/promises.rs"]
mod promises;
#[path = "queue/workers.rs"]
mod workers;
