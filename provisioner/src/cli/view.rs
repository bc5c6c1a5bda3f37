//! What programs read: the JSON of jobs, tenants and resources. The names and types here are a contract: add, never change.
//!
//! Job ids are numbers, all other ids strings; times are RFC 3339 in UTC; what is not there is null.

use providers::{Kind, Trouble};
use regions::{Arch, Cloud, Residency, Size};
use serde::Serialize;

use super::time::{rfc3339, span};
use crate::{
    core::{Blueprint, JobId, JobState, Org, Outcome, Project, Request, ResourceRow},
    store::{Job, Rules},
};

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct JobView {
    pub(crate) id: JobId,
    pub(crate) kind: &'static str,
    pub(crate) org: String,
    pub(crate) project: Option<String>,
    pub(crate) arch: Option<Arch>,
    pub(crate) state: JobState,
    pub(crate) priority: i16,
    pub(crate) attempt: i32,
    pub(crate) created_at: String,
    pub(crate) run_at: String,
    pub(crate) started_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    pub(crate) worker: Option<String>,
    pub(crate) cancel_asked: bool,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) key: Option<String>,
    pub(crate) request: Request,
    /// The times once more, to reckon with.
    #[serde(skip)]
    pub(crate) ms: JobTimes,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            kind: job.request.verb(),
            org: job.org_name.to_string(),
            project: job.project_name.map(|name| name.to_string()),
            arch: job.arch,
            state: job.state,
            priority: job.priority,
            attempt: job.attempt,
            created_at: rfc3339(job.created_ms),
            run_at: rfc3339(job.run_at_ms),
            started_at: job.started_ms.map(rfc3339),
            ended_at: job.ended_ms.map(rfc3339),
            worker: job.worker,
            cancel_asked: job.cancel_asked,
            outcome: job.outcome,
            key: job.key,
            request: job.request,
            ms: JobTimes {
                created: job.created_ms,
                run_at: job.run_at_ms,
                started: job.started_ms,
                ended: job.ended_ms,
            },
        }
    }
}

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobTimes {
    pub(crate) created: i64,
    pub(crate) run_at: i64,
    pub(crate) started: Option<i64>,
    pub(crate) ended: Option<i64>,
}

impl JobView {
    /// `acme/web arm64`, `acme/web` or `acme`.
    pub(crate) fn subject(&self) -> String {
        let project = self.project.as_ref().map_or_else(String::new, |project| format!("/{project}"));
        let arch = self.arch.map_or_else(String::new, |arch| format!(" {arch}"));
        format!("{}{project}{arch}", self.org)
    }
}

/// An organization.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OrgView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at: String,
    pub(crate) deleting: bool,
}

impl From<&Org> for OrgView {
    fn from(org: &Org) -> Self {
        Self {
            id: org.id.to_string(),
            name: org.name.to_string(),
            created_at: rfc3339(org.created_ms),
            deleting: org.deleting,
        }
    }
}

/// A project.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProjectView {
    pub(crate) id: String,
    pub(crate) org: String,
    pub(crate) name: String,
    pub(crate) residency: Residency,
    pub(crate) cloud: Cloud,
    pub(crate) region: Option<String>,
    pub(crate) size: Size,
    pub(crate) cache_gib: u32,
    pub(crate) cache_iops: Option<u32>,
    pub(crate) cache_throughput_mibps: Option<u32>,
    pub(crate) created_at: String,
    pub(crate) deleting: bool,
}

impl ProjectView {
    pub(crate) fn new(org: &Org, project: &Project) -> Self {
        Self {
            id: project.id.to_string(),
            org: org.name.to_string(),
            name: project.name.to_string(),
            residency: project.residency,
            cloud: project.cloud,
            region: project.region.map(|region| region.name().to_owned()),
            size: project.size,
            cache_gib: project.cache.size_gib,
            cache_iops: project.cache.iops,
            cache_throughput_mibps: project.cache.throughput_mibps,
            created_at: rfc3339(project.created_ms),
            deleting: project.deleting,
        }
    }
}

/// What becomes of what is not used; null is never.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RulesView {
    pub(crate) idle_stop_secs: Option<i64>,
    pub(crate) idle_destroy_secs: Option<i64>,
    pub(crate) cache_destroy_secs: Option<i64>,
}

impl From<Rules> for RulesView {
    fn from(rules: Rules) -> Self {
        Self {
            idle_stop_secs: rules.idle_stop_secs,
            idle_destroy_secs: rules.idle_destroy_secs,
            cache_destroy_secs: rules.cache_destroy_secs,
        }
    }
}

impl std::fmt::Display for RulesView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words =
            |secs: Option<i64>| secs.map_or_else(|| "never".to_owned(), |secs| format!("after {}", span(secs * 1_000)));
        write!(
            f,
            "idle builders stopped {}, taken away {}; unused caches taken away {}",
            words(self.idle_stop_secs),
            words(self.idle_destroy_secs),
            words(self.cache_destroy_secs)
        )
    }
}

/// A builder machine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BuilderView {
    pub(crate) id: String,
    pub(crate) org: String,
    pub(crate) project: String,
    pub(crate) arch: Option<Arch>,
    pub(crate) state: String,
    pub(crate) cloud: Cloud,
    pub(crate) region: &'static str,
    pub(crate) zone: Option<&'static str>,
    #[serde(rename = "type")]
    pub(crate) machine: Option<&'static str>,
    pub(crate) remote_id: Option<String>,
    pub(crate) address: Option<String>,
    /// Our id of its cache volume.
    pub(crate) cache: Option<String>,
    /// The cloud's name for it.
    pub(crate) cache_remote_id: Option<String>,
    pub(crate) last_job: JobId,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

impl BuilderView {
    /// The view of a machine's row, with the row of its cache among `others`.
    pub(crate) fn new(org: &str, project: &str, row: &ResourceRow, others: &[ResourceRow]) -> Self {
        let (machine, cache) = match &row.blueprint {
            Blueprint::Machine { machine, cache, .. } => (Some(machine.name()), Some(*cache)),
            Blueprint::Key { .. }
            | Blueprint::Volume { .. }
            | Blueprint::Attachment { .. }
            | Blueprint::Stray { .. } => (None, None),
        };
        let volume = others.iter().find(|other| Some(other.id) == cache);
        Self {
            id: row.id.to_string(),
            org: org.to_owned(),
            project: project.to_owned(),
            arch: row.arch,
            state: machine_state(row).to_owned(),
            cloud: row.region.cloud(),
            region: row.region.name(),
            zone: row.zone.map(regions::Zone::name),
            machine,
            remote_id: row.remote.as_ref().map(ToString::to_string),
            address: row.address.clone(),
            cache: cache.map(|id| id.to_string()),
            cache_remote_id: volume.and_then(|volume| volume.remote.as_ref()).map(ToString::to_string),
            last_job: row.job,
            created_at: rfc3339(row.created_ms),
            updated_at: rfc3339(row.updated_ms),
        }
    }
}

/// A machine that is ready runs; that is the word people look for.
fn machine_state(row: &ResourceRow) -> &'static str {
    use crate::core::RowState;
    match row.state {
        RowState::Ready => "running",
        RowState::Maybe | RowState::Pending | RowState::Stopped | RowState::Leaving | RowState::Broken => {
            row.state.as_str()
        }
    }
}

/// A cache volume.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CacheView {
    pub(crate) id: String,
    pub(crate) org: String,
    pub(crate) project: String,
    pub(crate) arch: Option<Arch>,
    pub(crate) state: &'static str,
    pub(crate) cloud: Cloud,
    pub(crate) region: &'static str,
    pub(crate) zone: Option<&'static str>,
    pub(crate) size_gib: Option<u32>,
    pub(crate) iops: Option<u32>,
    pub(crate) throughput_mibps: Option<u32>,
    pub(crate) remote_id: Option<String>,
    /// The cloud's name for the key that encrypts it.
    pub(crate) key: Option<String>,
    /// The cloud's name for the machine that holds it.
    pub(crate) attached_to: Option<String>,
    pub(crate) last_job: JobId,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

impl CacheView {
    /// The view of a volume's row, with the rows of its key and machine among `others`.
    pub(crate) fn new(org: &str, project: &str, row: &ResourceRow, others: &[ResourceRow]) -> Self {
        let (shape, key) = match &row.blueprint {
            Blueprint::Volume { shape, key, .. } => (Some(*shape), Some(*key)),
            Blueprint::Key { .. }
            | Blueprint::Machine { .. }
            | Blueprint::Attachment { .. }
            | Blueprint::Stray { .. } => (None, None),
        };
        let remote = |row: Option<&ResourceRow>| row.and_then(|row| row.remote.as_ref()).map(ToString::to_string);
        let holds = |other: &&ResourceRow| {
            other.kind == Kind::Machine
                && matches!(&other.blueprint, Blueprint::Machine { cache, .. } if *cache == row.id)
        };
        Self {
            id: row.id.to_string(),
            org: org.to_owned(),
            project: project.to_owned(),
            arch: row.arch,
            state: row.state.as_str(),
            cloud: row.region.cloud(),
            region: row.region.name(),
            zone: row.zone.map(regions::Zone::name),
            size_gib: shape.map(|shape| shape.size_gib),
            iops: shape.and_then(|shape| shape.iops),
            throughput_mibps: shape.and_then(|shape| shape.throughput_mibps),
            remote_id: remote(Some(row)),
            key: remote(others.iter().find(|other| Some(other.id) == key)),
            attached_to: remote(others.iter().find(holds)),
            last_job: row.job,
            created_at: rfc3339(row.created_ms),
            updated_at: rfc3339(row.updated_ms),
        }
    }
}

/// What went wrong, in one line.
pub(crate) fn trouble_line(trouble: &Trouble) -> String {
    format!("{} {}: {}", trouble.class, trouble.code, trouble.message)
}
