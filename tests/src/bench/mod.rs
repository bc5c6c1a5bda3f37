//! Benchmarks: ours and the bare thing in the same run, the median of three, the target beside each figure.

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub mod api;
pub mod cloud;
pub mod queue;
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
mod queue_bare;
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
mod queue_ours;
pub mod reconcile;
mod server;
mod table;
