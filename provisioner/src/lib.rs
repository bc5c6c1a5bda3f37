//! `provisioner`: durable jobs become encrypted cache volumes and builder machines, in the region where they belong.

pub mod config;
pub mod core;
