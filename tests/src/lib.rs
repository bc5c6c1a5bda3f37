//! The harness that the tests and the benchmarks share.

pub mod bench;
pub mod database;
