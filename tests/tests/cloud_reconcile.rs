//! Reconcile by the built binary on the emulators: what people with consoles leave behind among healthy builders, listings that
//! lie, and jobs that provision meanwhile. `HEALTHY` sets how many builders are healthy, `BESIDE` how many are
//! made meanwhile, `EVERY` how often it runs.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

#[path = "cloud_reconcile/aws_zoo.rs"]
mod aws_zoo;
#[path = "cloud_reconcile/beside.rs"]
mod beside;
#[path = "cloud_reconcile/gcp_zoo.rs"]
mod gcp_zoo;
#[path = "cloud_reconcile/ground.rs"]
mod ground;
#[path = "cloud_reconcile/lies.rs"]
mod lies;
