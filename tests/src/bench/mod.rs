//! The benchmarks: what `make bench` prints.

pub mod cloud;
