//! What a comparison of cloud and database finds: a verdict with its reason, and what mends it.
//!
//! A finding is data. Whether its repair may happen now is for the brakes to say, and the repair itself is an ordinary job.

use providers::{Kind, RemoteId, ResourceId};
use regions::{Arch, Region};
use serde::{Deserialize, Serialize};

use super::{OrgId, ProjectId, Request};

/// What is the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The database has a record, and the cloud has nothing.
    Missing,
    /// The cloud has something of ours that no record explains.
    Orphan,
    /// Something carries the id of a record that names another thing.
    Duplicate,
    /// It stands outside its residency, or in another zone than its record says.
    Misplaced,
    /// A volume under no key.
    Unencrypted,
    /// A volume under another key than its organization's.
    WrongKey,
    /// It is not in the state that its record says.
    WrongState,
    /// Another machine type, size or architecture than its record says.
    WrongShape,
    /// Tags that are missing, or others than it was made with.
    WrongTags,
    /// A creation of which nobody recorded what became.
    HalfBorn,
    /// It has been on its way out for too long.
    StuckLeaving,
    /// A key that was made and belongs to no record.
    StrayKey,
    /// The record waits for a job that is not there any more.
    JobLost,
    /// A builder that has not been used for as long as its project allows.
    Idle,
    /// A cache that has not been used for as long as its project, or the configuration, allows.
    UnusedCache,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Missing,
        Self::Orphan,
        Self::Duplicate,
        Self::Misplaced,
        Self::Unencrypted,
        Self::WrongKey,
        Self::WrongState,
        Self::WrongShape,
        Self::WrongTags,
        Self::HalfBorn,
        Self::StuckLeaving,
        Self::StrayKey,
        Self::JobLost,
        Self::Idle,
        Self::UnusedCache,
    ];

    /// The name in output and in plans.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Orphan => "orphan",
            Self::Duplicate => "duplicate",
            Self::Misplaced => "misplaced",
            Self::Unencrypted => "unencrypted",
            Self::WrongKey => "wrong_key",
            Self::WrongState => "wrong_state",
            Self::WrongShape => "wrong_shape",
            Self::WrongTags => "wrong_tags",
            Self::HalfBorn => "half_born",
            Self::StuckLeaving => "stuck_leaving",
            Self::StrayKey => "stray_key",
            Self::JobLost => "job_lost",
            Self::Idle => "idle",
            Self::UnusedCache => "unused_cache",
        }
    }

    /// Whether customers' data may be where, or as, it must never be. It is stopped at once and mended by a person only.
    #[must_use]
    pub const fn is_security(self) -> bool {
        match self {
            Self::Misplaced | Self::Unencrypted | Self::WrongKey => true,
            Self::Missing
            | Self::Orphan
            | Self::Duplicate
            | Self::WrongState
            | Self::WrongShape
            | Self::WrongTags
            | Self::HalfBorn
            | Self::StuckLeaving
            | Self::StrayKey
            | Self::JobLost
            | Self::Idle
            | Self::UnusedCache => false,
        }
    }

    /// Whether it is what a project's own rules ask for, and no drift.
    #[must_use]
    pub const fn is_policy(self) -> bool {
        matches!(self, Self::Idle | Self::UnusedCache)
    }
}

/// What mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Repair {
    /// Make the builder anew.
    Provision,
    /// Switch the builder on.
    Start,
    /// Switch the builder off.
    Stop,
    /// Take the builder away; its cache stays.
    Destroy,
    /// Take the cache away.
    DestroyCache,
    /// Write down what the cloud shows.
    Adopt,
    /// Write the tags anew.
    Retag,
    /// Keep it, marked, until a deadline; take it away after that.
    Quarantine,
    /// Switch a machine without a record off; it is kept, marked, until a deadline.
    Halt,
    /// Take a thing without a record away.
    Collect,
    /// Nothing that a program may do: a person is told how.
    Person {
        /// What to do.
        remedy: String,
    },
}

/// What a repair does to a cloud, for the caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Something is made.
    Creates,
    /// Something is taken away.
    Removes,
    /// Something is switched on or off.
    Switches,
    /// A mark or a record is written.
    Writes,
    /// Nothing.
    Nothing,
}

impl Repair {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Destroy => "destroy",
            Self::DestroyCache => "destroy_cache",
            Self::Adopt => "adopt",
            Self::Retag => "retag",
            Self::Quarantine => "quarantine",
            Self::Halt => "halt",
            Self::Collect => "collect",
            Self::Person { .. } => "tell a person",
        }
    }

    /// What it does to a cloud.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Provision => Effect::Creates,
            Self::Start | Self::Stop | Self::Halt => Effect::Switches,
            Self::Destroy | Self::DestroyCache | Self::Collect => Effect::Removes,
            Self::Adopt | Self::Retag | Self::Quarantine => Effect::Writes,
            Self::Person { .. } => Effect::Nothing,
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The same in every run that finds it.
    pub id: ResourceId,
    /// What is the matter.
    pub verdict: Verdict,
    /// Where.
    pub region: Region,
    /// The zone in the provider's words; none for keys and snapshots.
    pub zone: Option<String>,
    /// Of what.
    pub kind: Kind,
    /// The cloud's name for it, if it has one.
    pub remote: Option<RemoteId>,
    /// Our id of it: the record's, or what its tag says.
    pub resource: Option<ResourceId>,
    /// Whether a record names it. What none names is a stray.
    pub recorded: bool,
    /// The organization, if the database knows it.
    pub org: Option<OrgId>,
    /// Its name, by the record or by the tags.
    pub org_name: String,
    /// The project, if the database knows it.
    pub project: Option<ProjectId>,
    /// Its name, by the record or by the tags.
    pub project_name: Option<String>,
    /// The architecture.
    pub arch: Option<Arch>,
    /// The reason, for people.
    pub why: String,
    /// When the thing was made, in milliseconds since 1970, by the cloud or by the record.
    pub created_ms: Option<i64>,
    /// The cloud's word for its shape.
    pub shape: Option<String>,
    /// Capacity in GiB, of a volume or a snapshot.
    pub size_gib: Option<u32>,
    /// The end of its quarantine, as its own mark says.
    pub marked_until_ms: Option<i64>,
    /// What mends it.
    pub repair: Repair,
}

impl Finding {
    /// The job that carries the repair out; none where a person has to.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        let stray = self.id;
        let builder = self.project.zip(self.arch);
        match &self.repair {
            Repair::Provision => builder.map(|(project, arch)| Request::Provision { project, arch }),
            Repair::Start => builder.map(|(project, arch)| Request::Start { project, arch }),
            Repair::Stop => builder.map(|(project, arch)| Request::Stop { project, arch }),
            Repair::Destroy => builder.map(|(project, arch)| Request::Destroy { project, arch }),
            Repair::DestroyCache => builder.map(|(project, arch)| Request::DestroyCache { project, arch }),
            Repair::Adopt => builder.map(|(project, arch)| Request::Adopt { project, arch }),
            Repair::Retag => builder.map(|(project, arch)| Request::Retag { project, arch }),
            Repair::Quarantine => Some(Request::Quarantine { stray }),
            Repair::Halt => Some(Request::Halt { stray }),
            Repair::Collect => Some(Request::Collect { stray }),
            Repair::Person { .. } => None,
        }
    }

    /// `acme/web arm64`, `acme/web` or `acme`.
    #[must_use]
    pub fn subject(&self) -> String {
        let project = self.project_name.as_ref().map_or_else(String::new, |project| format!("/{project}"));
        let arch = self.arch.map_or_else(String::new, |arch| format!(" {arch}"));
        format!("{}{project}{arch}", self.org_name)
    }
}
