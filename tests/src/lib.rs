//! The harness: emulators, databases, the built binary and the AWS CLI, for scenarios, simulation and benchmarks.
//!
//! Everything that it starts listens on loopback and ends with the test that started it.

pub mod bench;
pub mod binary;
pub mod cli;
pub mod database;
pub mod emulator;
pub mod house;
pub mod liar;
pub mod simulation;

use std::path::PathBuf;

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map_or(tests.clone(), PathBuf::from)
}
