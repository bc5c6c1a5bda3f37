//! `org` and `project`.

use std::{fmt, str::FromStr};

use clap::{Args, Subcommand};
use regions::{Cloud, Residency, Size};

use super::Enqueue;
use crate::{
    cli::span::parse_secs,
    core::{Name, NameError},
};

#[derive(Debug, Subcommand)]
pub(crate) enum OrgCommand {
    /// Make an organization
    ///
    /// Its keys are made with its first builder in a region, one for each region. A name has 2 to 39 lower-case letters,
    /// digits and single hyphens.
    #[command(after_long_help = "Example:
  provisioner org create acme")]
    Create {
        /// The organization's name
        org: Name,
    },
    /// List the organizations
    List,
    /// Delete an organization: all its builders, caches and projects, and its keys
    ///
    /// Makes a job. Its keys are scheduled for deletion; once the clouds have carried that out, nothing that they encrypted can
    /// be read again. On a terminal the name is asked for again.
    #[command(after_long_help = "Examples:
  provisioner org delete acme
  provisioner org delete acme --yes --wait")]
    Delete {
        /// The organization's name
        org: Name,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        enqueue: Enqueue,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Make a project
    ///
    /// Residency, cloud, region and size are for life. Without a region its builders may stand in any configured region inside
    /// the residency; the first one decides where its cache is.
    #[command(after_long_help = "Examples:
  provisioner project create acme/web --residency us
  provisioner project create acme/ml --residency eu --region eu-central-1 --size 32x64 \\
      --cache-gib 500 --cache-iops 6000 --cache-throughput-mibps 500")]
    Create(ProjectCreate),
    /// Say what becomes of a project's builders and caches when they are not used
    ///
    /// Times count from a builder's last use, which `builder touch` tells; reconcile carries them out. What is not given stays as it
    /// is; `never` takes a rule away.
    #[command(after_long_help = "Examples:
  provisioner project set acme/web --idle-stop 10m --idle-destroy 24h
  provisioner project set acme/web --cache-destroy never")]
    Set {
        /// The project
        #[arg(value_name = "ORG/PROJECT")]
        project: ProjectPath,
        #[command(flatten)]
        idle: IdleFlags,
    },
    /// List the projects
    List {
        /// Those of one organization only
        #[arg(long, value_name = "ORG")]
        org: Option<Name>,
    },
    /// Delete a project with its builders and caches
    ///
    /// Makes a job. What the caches hold is lost. On a terminal the name is asked for again.
    #[command(after_long_help = "Example:
  provisioner project delete acme/web --wait")]
    Delete {
        /// The project
        #[arg(value_name = "ORG/PROJECT")]
        project: ProjectPath,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        enqueue: Enqueue,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ProjectCreate {
    /// The project
    #[arg(value_name = "ORG/PROJECT")]
    pub(crate) project: ProjectPath,
    /// Where its data must stay: us (United States) or eu (member states of the European Union)
    #[arg(long, value_name = "us|eu")]
    pub(crate) residency: Residency,
    /// Whose machines: aws or gcp
    #[arg(long, value_name = "aws|gcp", default_value = "aws")]
    pub(crate) cloud: Cloud,
    /// Bind it to one region, such as eu-central-1; it must lie inside the residency
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Size of its builders, vCPU x GiB: 4x8, 8x16, 16x32 or 32x64
    #[arg(long, value_name = "SIZE", default_value_t)]
    pub(crate) size: Size,
    /// Capacity of each of its caches in GiB
    #[arg(long, value_name = "GIB", default_value_t = 100)]
    pub(crate) cache_gib: u32,
    /// Provisioned operations a second of its caches; the SSD kind's own base without
    #[arg(long, value_name = "IOPS")]
    pub(crate) cache_iops: Option<u32>,
    /// Provisioned throughput of its caches in MiB a second; the SSD kind's own base without
    #[arg(long, value_name = "MIBPS")]
    pub(crate) cache_throughput_mibps: Option<u32>,
    #[command(flatten)]
    pub(crate) idle: IdleFlags,
}

/// A rule: a length of time in seconds, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct After(pub(crate) Option<i64>);

fn parse_after(text: &str) -> Result<After, String> {
    if text == "never" { Ok(After(None)) } else { parse_secs(text).map(|secs| After(Some(secs))) }
}

/// What becomes of what is not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct IdleFlags {
    /// Switch a builder off that was not used for so long: 10m, 2h; or never
    #[arg(long, value_name = "TIME", value_parser = parse_after)]
    pub(crate) idle_stop: Option<After>,
    /// Take a builder away that was not used for so long; its cache stays
    #[arg(long, value_name = "TIME", value_parser = parse_after)]
    pub(crate) idle_destroy: Option<After>,
    /// Take a cache away, with what it holds, that has had no builder for so long
    #[arg(long, value_name = "TIME", value_parser = parse_after)]
    pub(crate) cache_destroy: Option<After>,
}

/// `ORG/PROJECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProjectPath {
    pub(crate) org: Name,
    pub(crate) project: Name,
}

/// Not of that form, or one of the names is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PathError {
    #[error("`{0}` is not of the form ORG/PROJECT, such as acme/web")]
    Form(String),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for ProjectPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (org, project) = text.split_once('/').ok_or_else(|| PathError::Form(text.to_owned()))?;
        if project.contains('/') {
            return Err(PathError::Form(text.to_owned()));
        }
        Ok(Self { org: org.parse()?, project: project.parse()? })
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.org, self.project)
    }
}
