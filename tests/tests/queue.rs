//! The queue, on both databases: what it promises, and that it keeps it when workers come, go and die.

#[path = "queue/db.rs"]
mod db;
#[path = "queue/intake.rs"]
mod intake;
#[path = "queue/promises.rs"]
mod promises;
#[path = "queue/workers.rs"]
mod workers;
