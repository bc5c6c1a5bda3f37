//! `provisioner`: durable jobs become encrypted cache volumes and builder machines, in the region where they belong.

pub mod api;
pub mod cli;
pub mod config;
pub mod core;
pub mod demo;
pub(crate) mod edge;
pub mod execute;
pub mod reconcile;
pub mod store;
pub mod worker;
