//! Benchmarks: ours and the bare thing in the same run, the median of three, the target beside each figure.

pub mod cloud;
pub mod queue;
mod queue_bare;
mod queue_ours;
mod server;
mod table;
