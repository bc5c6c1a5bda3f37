//! `builder` and `cache`.

use clap::{Args, Subcommand};
use regions::Arch;

use super::{Enqueue, ProjectPath};
use crate::{
    cli::span::{Moment, parse_moment},
    core::Name,
};

#[derive(Debug, Subcommand)]
pub(crate) enum BuilderCommand {
    /// Have a builder stand and run, with its encrypted cache volume
    ///
    /// Makes a job. A builder that is there is started if it is off and mended if it is not as it should be; a cache
    /// that is there is used again. Where a zone has no machine to give, the next zone or machine type inside the residency is
    /// tried.
    #[command(after_long_help = "Examples:
  provisioner builder provision acme/web --arch arm64 --wait
  provisioner builder provision acme/web --arch x86_64 --key deploy-4711")]
    Provision(BuilderTarget),
    /// Switch a builder off; machine and cache stay
    Stop(BuilderTarget),
    /// Switch a builder on again
    Start(BuilderTarget),
    /// Take a builder away; its cache volume stays
    #[command(after_long_help = "Examples:
  provisioner builder destroy acme/web --arch arm64
  provisioner cache destroy acme/web --arch arm64      and its cache")]
    Destroy(BuilderTarget),
    /// Keep reconcile, stops and removals off a builder until a time
    #[command(after_long_help = "Example:
  provisioner builder hold acme/web --arch arm64 --until 8h --reason 'INC-4711: looking at its disk'")]
    Hold {
        #[command(flatten)]
        builder: BuilderName,
        /// Until when: RFC 3339, or a length of time from now such as 8h
        #[arg(long, value_name = "TIME", value_parser = parse_moment)]
        until: Moment,
        /// Why, for whoever meets the hold
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let a builder go that is held
    Unhold {
        #[command(flatten)]
        builder: BuilderName,
    },
    /// Say that a builder is being used: its project's idle times count from here
    Touch {
        #[command(flatten)]
        builder: BuilderName,
    },
    /// List the builders
    List {
        /// Those of one organization only
        #[arg(long, value_name = "ORG", conflicts_with = "project")]
        org: Option<Name>,
        /// Those of one project only
        #[arg(long, value_name = "ORG/PROJECT")]
        project: Option<ProjectPath>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// List the cache volumes
    List {
        /// Those of one organization only
        #[arg(long, value_name = "ORG", conflicts_with = "project")]
        org: Option<Name>,
        /// Those of one project only
        #[arg(long, value_name = "ORG/PROJECT")]
        project: Option<ProjectPath>,
    },
    /// Delete a cache volume and what it holds; its builder must have gone before
    ///
    /// Makes a job. On a terminal the name is asked for again.
    #[command(after_long_help = "Example:
  provisioner cache destroy acme/web --arch arm64 --yes")]
    Destroy {
        #[command(flatten)]
        target: BuilderTarget,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BuilderName {
    /// The project
    #[arg(value_name = "ORG/PROJECT")]
    pub(crate) project: ProjectPath,
    /// CPU architecture: x86_64 or arm64
    #[arg(long, value_name = "ARCH")]
    pub(crate) arch: Arch,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BuilderTarget {
    /// The project
    #[arg(value_name = "ORG/PROJECT")]
    pub(crate) project: ProjectPath,
    /// CPU architecture: x86_64 or arm64
    #[arg(long, value_name = "ARCH")]
    pub(crate) arch: Arch,
    #[command(flatten)]
    pub(crate) enqueue: Enqueue,
}
