//! What can be asked for.

use providers::ResourceId;
use regions::Arch;
use serde::{Deserialize, Serialize};

use super::{OrgId, ProjectId};

/// One job's work. It is stored with the job, and holds no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Request {
    /// A builder with its cache volume is to stand and run.
    Provision {
        /// The project.
        project: ProjectId,
        /// The builder's architecture.
        arch: Arch,
    },
    /// The builder is to be off.
    Stop {
        /// The project.
        project: ProjectId,
        /// The builder's architecture.
        arch: Arch,
    },
    /// The builder is to be on again.
    Start {
        /// The project.
        project: ProjectId,
        /// The builder's architecture.
        arch: Arch,
    },
    /// The builder is to go; its cache volume stays.
    Destroy {
        /// The project.
        project: ProjectId,
        /// The builder's architecture.
        arch: Arch,
    },
    /// The cache volume is to go. Its builder must have gone before.
    DestroyCache {
        /// The project.
        project: ProjectId,
        /// The cache's architecture.
        arch: Arch,
    },
    /// What there is of a builder and its cache is to be written down as the cloud shows it. Nothing is changed there.
    Adopt {
        /// The project.
        project: ProjectId,
        /// The builder's architecture.
        arch: Arch,
    },
    /// A builder and its cache are to carry the tags again that they were made with.
    Retag {
        /// The project.
        project: ProjectId,
        /// The builder's architecture.
        arch: Arch,
    },
    /// Something that no record explains is to carry the mark that says until when it is kept.
    Quarantine {
        /// Its finding.
        stray: ResourceId,
    },
    /// A machine that no record explains is to be off.
    Halt {
        /// Its finding.
        stray: ResourceId,
    },
    /// Something that no record explains is to go.
    Collect {
        /// Its finding.
        stray: ResourceId,
    },
    /// The project is to go, with all its builders and caches.
    DeleteProject {
        /// The project.
        project: ProjectId,
    },
    /// The organization is to go, with all its projects; its keys are scheduled for deletion, after which nothing that
    /// they encrypted can be read again.
    DeleteOrg {
        /// The organization.
        org: OrgId,
    },
}

/// What must not happen twice at once: jobs of one lane run one at a time, in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// A builder and its cache.
    Builder(ProjectId, Arch),
    /// A project's own life.
    Project(ProjectId),
    /// An organization's own life.
    Org(OrgId),
    /// Something that no record explains.
    Stray(ResourceId),
}

/// How much of a tenant a job concerns. A job of a wide scope waits for the older jobs inside it, and once it is
/// accepted none newer are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One builder, or one thing that belongs to none.
    Builder,
    /// Everything in the project.
    Project(ProjectId),
    /// Everything in the organization.
    Org(OrgId),
}

impl Request {
    /// The word for it in tables and in the database.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Provision { .. } => "provision",
            Self::Stop { .. } => "stop",
            Self::Start { .. } => "start",
            Self::Destroy { .. } => "destroy",
            Self::DestroyCache { .. } => "destroy_cache",
            Self::Adopt { .. } => "adopt",
            Self::Retag { .. } => "retag",
            Self::Quarantine { .. } => "quarantine",
            Self::Halt { .. } => "halt",
            Self::Collect { .. } => "collect",
            Self::DeleteProject { .. } => "delete_project",
            Self::DeleteOrg { .. } => "delete_org",
        }
    }

    /// Its lane.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match *self {
            Self::Provision { project, arch }
            | Self::Stop { project, arch }
            | Self::Start { project, arch }
            | Self::Destroy { project, arch }
            | Self::DestroyCache { project, arch }
            | Self::Adopt { project, arch }
            | Self::Retag { project, arch } => Lane::Builder(project, arch),
            Self::Quarantine { stray } | Self::Halt { stray } | Self::Collect { stray } => Lane::Stray(stray),
            Self::DeleteProject { project } => Lane::Project(project),
            Self::DeleteOrg { org } => Lane::Org(org),
        }
    }

    /// Its scope.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match *self {
            Self::Provision { .. }
            | Self::Stop { .. }
            | Self::Start { .. }
            | Self::Destroy { .. }
            | Self::DestroyCache { .. }
            | Self::Adopt { .. }
            | Self::Retag { .. }
            | Self::Quarantine { .. }
            | Self::Halt { .. }
            | Self::Collect { .. } => Scope::Builder,
            Self::DeleteProject { project } => Scope::Project(project),
            Self::DeleteOrg { org } => Scope::Org(org),
        }
    }

    /// The project it concerns, if one.
    #[must_use]
    pub const fn project(&self) -> Option<ProjectId> {
        match *self {
            Self::Provision { project, .. }
            | Self::Stop { project, .. }
            | Self::Start { project, .. }
            | Self::Destroy { project, .. }
            | Self::DestroyCache { project, .. }
            | Self::Adopt { project, .. }
            | Self::Retag { project, .. }
            | Self::DeleteProject { project } => Some(project),
            Self::DeleteOrg { .. } | Self::Quarantine { .. } | Self::Halt { .. } | Self::Collect { .. } => None,
        }
    }

    /// The architecture it concerns, if one.
    #[must_use]
    pub const fn arch(&self) -> Option<Arch> {
        match *self {
            Self::Provision { arch, .. }
            | Self::Stop { arch, .. }
            | Self::Start { arch, .. }
            | Self::Destroy { arch, .. }
            | Self::DestroyCache { arch, .. }
            | Self::Adopt { arch, .. }
            | Self::Retag { arch, .. } => Some(arch),
            Self::DeleteProject { .. }
            | Self::DeleteOrg { .. }
            | Self::Quarantine { .. }
            | Self::Halt { .. }
            | Self::Collect { .. } => None,
        }
    }

    /// The thing without a record that it concerns, if one.
    #[must_use]
    pub const fn stray(&self) -> Option<ResourceId> {
        match *self {
            Self::Quarantine { stray } | Self::Halt { stray } | Self::Collect { stray } => Some(stray),
            Self::Provision { .. }
            | Self::Stop { .. }
            | Self::Start { .. }
            | Self::Destroy { .. }
            | Self::DestroyCache { .. }
            | Self::Adopt { .. }
            | Self::Retag { .. }
            | Self::DeleteProject { .. }
            | Self::DeleteOrg { .. } => None,
        }
    }
}
