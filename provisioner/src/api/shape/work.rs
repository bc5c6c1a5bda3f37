//! Jobs, builders and caches.

use providers::Kind;
use regions::Cloud;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::time;
use crate::{
    core::{Blueprint, Entry, JobState, Outcome, Policy, Request, ResourceRow, RowState},
    store::Job,
};

/// Where a job stands.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobWord {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
    Stuck,
}

impl From<JobState> for JobWord {
    fn from(state: JobState) -> Self {
        match state {
            JobState::Queued => Self::Queued,
            JobState::Running => Self::Running,
            JobState::Succeeded => Self::Succeeded,
            JobState::Failed => Self::Failed,
            JobState::Cancelled => Self::Cancelled,
            JobState::Stuck => Self::Stuck,
        }
    }
}

impl From<JobWord> for JobState {
    fn from(word: JobWord) -> Self {
        match word {
            JobWord::Queued => Self::Queued,
            JobWord::Running => Self::Running,
            JobWord::Succeeded => Self::Succeeded,
            JobWord::Failed => Self::Failed,
            JobWord::Cancelled => Self::Cancelled,
            JobWord::Stuck => Self::Stuck,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct JobView {
    pub(crate) id: i64,
    /// What was asked: provision, start, stop, destroy, destroy_cache, delete_project, delete_org and the like.
    pub(crate) kind: &'static str,
    pub(crate) org: String,
    pub(crate) project: Option<String>,
    pub(crate) arch: Option<&'static str>,
    pub(crate) state: JobWord,
    pub(crate) attempt: i32,
    pub(crate) cancel_asked: bool,
    pub(crate) created_at: String,
    pub(crate) started_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    /// Why it ended so, unless it succeeded.
    pub(crate) because: Option<String>,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let outcome = job.outcome;
        let because = outcome.as_ref().and_then(|outcome| outcome.because.as_ref());
        Self {
            id: job.id.0,
            kind: job.request.verb(),
            org: job.org_name.to_string(),
            project: job.project_name.map(|name| name.to_string()),
            arch: job.arch.map(regions::Arch::as_str),
            state: job.state.into(),
            attempt: job.attempt,
            cancel_asked: job.cancel_asked,
            created_at: time(job.created_ms),
            started_at: job.started_ms.map(time),
            ended_at: job.ended_ms.map(time),
            because: because.map(|trouble| format!("{} {}: {}", trouble.class, trouble.code, trouble.message)),
            remedy: outcome.and_then(|outcome| outcome.remedy),
        }
    }
}

/// A job with all that was recorded of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct StoryView {
    #[serde(flatten)]
    pub(crate) job: JobView,
    pub(crate) priority: i16,
    pub(crate) run_at: String,
    pub(crate) worker: Option<String>,
    /// The idempotency key, with what keeps it apart from other tenants'.
    pub(crate) key: Option<String>,
    /// The request, as it was recorded.
    #[schema(value_type = Object)]
    pub(crate) request: Request,
    /// How it ended; null until then.
    #[schema(value_type = Option<Object>)]
    pub(crate) outcome: Option<Outcome>,
    /// What happened, in order, as it was recorded: `provisioner job show` puts it into words. Later releases may record more.
    #[schema(value_type = Vec<Object>)]
    pub(crate) entries: Vec<Entry>,
    /// The delays, deadlines and caps of this installation.
    #[schema(value_type = Object)]
    pub(crate) policy: Policy,
    /// For how long a cloud may not show what it has made.
    pub(crate) visibility_secs: u32,
}

impl StoryView {
    pub(crate) fn new(job: Job, entries: Vec<Entry>, policy: Policy, visibility_secs: u32) -> Self {
        Self {
            priority: job.priority,
            run_at: time(job.run_at_ms),
            worker: job.worker.clone(),
            key: job.key.clone(),
            request: job.request,
            outcome: job.outcome.clone(),
            job: job.into(),
            entries,
            policy,
            visibility_secs,
        }
    }
}

/// For how long a builder is to be held, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldRequest {
    /// From now on.
    #[serde(deserialize_with = "super::whole")]
    #[schema(minimum = 1, maximum = 31622400)]
    pub(crate) for_secs: u32,
    /// For whoever meets the hold.
    #[schema(min_length = 1, max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub(crate) reason: String,
}

/// A hold.
#[derive(Serialize, ToSchema)]
pub(crate) struct HoldView {
    pub(crate) until: String,
    pub(crate) reason: String,
}

/// A job that was accepted, or was so before under the same key.
#[derive(Serialize, ToSchema)]
pub(crate) struct Accepted {
    pub(crate) job: i64,
    /// Whether this request has asked for it.
    pub(crate) fresh: bool,
}

/// What to do with a builder or a cache.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VerbWord {
    Provision,
    Start,
    Stop,
    Destroy,
    DestroyCache,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRequest {
    pub(crate) kind: VerbWord,
    pub(crate) arch: ArchWord,
    /// Jobs of a higher one go first; 0 if it is left out. For operators.
    #[serde(default, deserialize_with = "super::whole")]
    #[schema(minimum = -100, maximum = 100)]
    pub(crate) priority: i16,
}

/// A CPU architecture.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
pub(crate) enum ArchWord {
    #[serde(rename = "x86_64")]
    X86,
    #[serde(rename = "arm64")]
    Arm,
}

impl From<ArchWord> for regions::Arch {
    fn from(word: ArchWord) -> Self {
        match word {
            ArchWord::X86 => Self::X86_64,
            ArchWord::Arm => Self::Arm64,
        }
    }
}

/// The query of a list of jobs.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobQuery {
    /// Those in one state only.
    #[serde(default)]
    pub(crate) state: Option<JobWord>,
    /// At most so many; 50 if it is left out.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
    /// Where the page before ended.
    #[serde(default)]
    #[param(pattern = "^j[0-9]{1,18}$")]
    pub(crate) cursor: Option<String>,
}

/// The query of a builder.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Stay for so many seconds at most, until it runs or the job at it has ended.
    #[serde(default)]
    #[param(minimum = 0, maximum = 60)]
    pub(crate) wait_secs: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BuilderView {
    pub(crate) id: String,
    pub(crate) org: String,
    pub(crate) project: String,
    pub(crate) arch: Option<&'static str>,
    /// running, stopped, pending, maybe, leaving or broken.
    pub(crate) state: &'static str,
    #[schema(value_type = String)]
    pub(crate) cloud: Cloud,
    pub(crate) region: &'static str,
    pub(crate) zone: Option<&'static str>,
    #[serde(rename = "type")]
    pub(crate) machine: Option<&'static str>,
    /// The private address, while it runs.
    pub(crate) endpoint: Option<String>,
    pub(crate) last_job: i64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

impl BuilderView {
    pub(crate) fn new(org: &str, project: &str, row: &ResourceRow) -> Self {
        let machine = match &row.blueprint {
            Blueprint::Machine { machine, .. } => Some(machine.name()),
            Blueprint::Key { .. }
            | Blueprint::Volume { .. }
            | Blueprint::Attachment { .. }
            | Blueprint::Stray { .. } => None,
        };
        Self {
            id: row.id.to_string(),
            org: org.to_owned(),
            project: project.to_owned(),
            arch: row.arch.map(regions::Arch::as_str),
            state: state(row),
            cloud: row.region.cloud(),
            region: row.region.name(),
            zone: row.zone.map(regions::Zone::name),
            machine,
            endpoint: row.address.clone().filter(|_| row.state == RowState::Ready),
            last_job: row.job.0,
            created_at: time(row.created_ms),
            updated_at: time(row.updated_ms),
        }
    }
}

/// A machine that is ready runs.
fn state(row: &ResourceRow) -> &'static str {
    if row.kind == Kind::Machine && row.state == RowState::Ready { "running" } else { row.state.as_str() }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CacheView {
    pub(crate) id: String,
    pub(crate) org: String,
    pub(crate) project: String,
    pub(crate) arch: Option<&'static str>,
    pub(crate) state: &'static str,
    #[schema(value_type = String)]
    pub(crate) cloud: Cloud,
    pub(crate) region: &'static str,
    pub(crate) zone: Option<&'static str>,
    pub(crate) size_gib: Option<u32>,
    pub(crate) last_job: i64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

impl CacheView {
    pub(crate) fn new(org: &str, project: &str, row: &ResourceRow) -> Self {
        let size_gib = match &row.blueprint {
            Blueprint::Volume { shape, .. } => Some(shape.size_gib),
            Blueprint::Key { .. }
            | Blueprint::Machine { .. }
            | Blueprint::Attachment { .. }
            | Blueprint::Stray { .. } => None,
        };
        Self {
            id: row.id.to_string(),
            org: org.to_owned(),
            project: project.to_owned(),
            arch: row.arch.map(regions::Arch::as_str),
            state: state(row),
            cloud: row.region.cloud(),
            region: row.region.name(),
            zone: row.zone.map(regions::Zone::name),
            size_gib,
            last_job: row.job.0,
            created_at: time(row.created_ms),
            updated_at: time(row.updated_ms),
        }
    }
}

/// What there is for a build: the endpoint, or a job to follow and when to ask again.
#[derive(Serialize, ToSchema)]
pub(crate) struct AcquiredView {
    pub(crate) state: AcquiredWord,
    /// The private address of the builder, when it is ready.
    pub(crate) endpoint: Option<String>,
    /// The job that makes it ready.
    pub(crate) job: Option<i64>,
    /// Seconds after which to ask again.
    pub(crate) retry_after_secs: Option<u32>,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AcquiredWord {
    Ready,
    Pending,
}
