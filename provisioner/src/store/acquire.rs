//! The one call that a build needs: the builder that is ready, or the one job that will make it so, however many ask at once.

use providers::Kind;
use regions::Arch;
use uuid::Uuid;

use super::{
    NewJob, Store, StoreError, lane_key,
    resources::RESOURCE,
    sql::{Row, Sql, Via},
};
use crate::core::{JobId, JobState, Lane, ProjectId, Request, ResourceRow, RowState};

/// How long a builder's use may go unwritten.
const USED_EVERY_MS: i64 = 10_000;
/// For how long after a failure nothing new is tried: a control plane asks every few seconds.
const REST_MS: i64 = 60_000;

/// Jobs under one key after another that had ended before they were begun.
const MOST_KEYS: u32 = 8;

/// What there is for a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// A builder that runs.
    Ready(Box<ResourceRow>),
    /// A job is at it.
    Pending {
        /// Which.
        job: JobId,
        /// Whether this call has asked for it.
        fresh: bool,
    },
    /// The last job came to nothing a moment ago, or is stuck.
    Failed {
        /// Which.
        job: JobId,
        /// How it ended.
        state: JobState,
        /// When the next one may be asked for; never by itself where it is stuck.
        again_ms: Option<i64>,
    },
}

/// What is known of a builder and of its lane.
struct Lanes {
    machine: Option<ResourceRow>,
    used_ms: Option<i64>,
    /// The number of the lane's last claim.
    fence: i64,
    /// The youngest job that has not ended, and its verb.
    live: Option<(JobId, String)>,
    /// The youngest that came to nothing, how, and when.
    bad: Option<(JobId, JobState, i64)>,
}

impl Store {
    /// The builder of a project for an architecture. One statement when it is ready, and one in ten seconds that notes the use.
    ///
    /// Callers that find the same state ask under the same idempotency key, which changes when a job of the lane is begun:
    /// whatever they do at once, there is one job.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a project that is being deleted; those of the database.
    pub async fn acquire(&self, project: ProjectId, arch: Arch, now_ms: i64) -> Result<Acquired, StoreError> {
        let (mut fence, mut tail) = (None, String::new());
        for _ in 0..MOST_KEYS {
            let lane = self.lane_of(project, arch).await?;
            if let (Some(row), None) = (&lane.machine, &lane.live)
                && row.state == RowState::Ready
                && row.address.is_some()
            {
                if lane.used_ms.is_none_or(|used| used + USED_EVERY_MS <= now_ms) {
                    self.touch(project, arch, now_ms).await?;
                }
                return Ok(Acquired::Ready(Box::new(row.clone())));
            }
            match &lane.live {
                Some((job, verb)) if matches!(verb.as_str(), "provision" | "start" | "adopt" | "retag") => {
                    return Ok(Acquired::Pending { job: *job, fresh: false });
                }
                // What is on its way out is made anew afterwards: jobs of a builder run in the order of arrival.
                Some(_) => {}
                None => {
                    if let Some(failed) = lane.resting(now_ms) {
                        return Ok(failed);
                    }
                }
            }
            if fence != Some(lane.fence) {
                (fence, tail) = (Some(lane.fence), String::new());
            }
            let (job, fresh) = self.ask_for(project, arch, &lane, &tail, now_ms).await?;
            let known = if fresh { None } else { self.job(job).await? };
            if known.is_none_or(|known| !known.state.has_ended()) {
                return Ok(Acquired::Pending { job, fresh });
            }
            // It has ended since we looked: we look again. If the lane has not moved, it was called off before anybody began it.
            tail = format!("{tail}/{job}");
        }
        Err(StoreError::Busy {
            database: self.place().to_owned(),
            reason: "jobs for this builder are called off as fast as they are asked for".to_owned(),
        })
    }

    /// The job under the key of that moment, and whether this call has made it.
    async fn ask_for(
        &self,
        project: ProjectId,
        arch: Arch,
        lane: &Lanes,
        tail: &str,
        now_ms: i64,
    ) -> Result<(JobId, bool), StoreError> {
        let is_off = lane.live.is_none() && lane.machine.as_ref().is_some_and(|row| row.state == RowState::Stopped);
        let request = if is_off { Request::Start { project, arch } } else { Request::Provision { project, arch } };
        let behind = lane.live.as_ref().map_or_else(String::new, |(job, _)| format!("/{job}"));
        let key = format!("acquire/{project}/{arch}/{}{behind}{tail}", lane.fence);
        match self.enqueue(NewJob { key: Some(key), ..NewJob::now(request) }, now_ms).await {
            Ok(accepted) => Ok((accepted.job, accepted.fresh)),
            // Another caller saw the builder a moment before or after us, and asked for the other of the two.
            Err(StoreError::KeyReused { job, .. }) => Ok((job, false)),
            Err(error) => Err(error),
        }
    }

    /// The builder's row, its last use, and how its lane stands. One statement.
    async fn lane_of(&self, project: ProjectId, arch: Arch) -> Result<Lanes, StoreError> {
        // The lanes of several builders may collide in number: project and architecture tell.
        let sql = Sql::with(
            format!(
                "SELECT {RESOURCE}, u.at AS used, CAST(n.fence AS bigint) AS fence, j.id AS live_id, j.verb AS live_verb, \
                 h.id AS bad_id, h.state AS bad_state, h.ended AS bad_ended \
                 FROM (SELECT 1 AS one) x \
                 LEFT JOIN resources r ON r.project = $1 AND r.arch = $2 AND r.kind = $3 \
                 LEFT JOIN builder_uses u ON u.project = $1 AND u.arch = $2 \
                 LEFT JOIN lanes n ON n.lane = $4 \
                 LEFT JOIN (SELECT id, verb FROM jobs WHERE lane = $4 AND project = $1 AND arch = $2 \
                   ORDER BY id DESC LIMIT 1) j ON true \
                 LEFT JOIN (SELECT id, state, ended FROM job_history WHERE project = $1 AND arch = $2 \
                   AND state IN ('failed', 'stuck') ORDER BY id DESC LIMIT 1) h ON true"
            ),
            [
                project.as_uuid().into(),
                arch.as_str().into(),
                Kind::Machine.as_str().into(),
                lane_key(Lane::Builder(project, arch)).into(),
            ],
        );
        let rows = self.query(Via::Reader, sql).await?;
        let Some(found) = rows.first() else { return Ok(Lanes::UNKNOWN) };
        let row = Row::new("resources", "id", found);
        let machine = match row.get::<Option<Uuid>>("id")? {
            Some(_) => Some(super::resources::resource_of(found)?),
            None => None,
        };
        let live = row.get::<Option<i64>>("live_id")?.map(JobId);
        let bad = match row.get::<Option<i64>>("bad_id")? {
            Some(id) => Some((JobId(id), row.word("bad_state")?, row.get("bad_ended")?)),
            None => None,
        };
        Ok(Lanes {
            machine,
            used_ms: row.get("used")?,
            fence: row.get::<Option<i64>>("fence")?.unwrap_or_default(),
            live: live.zip(row.get("live_verb")?),
            bad,
        })
    }
}

impl Lanes {
    const UNKNOWN: Self = Self { machine: None, used_ms: None, fence: 0, live: None, bad: None };

    /// Whether the lane's last job came to nothing so lately that nothing new is tried; what is stuck waits for a person, unless a
    /// later job has written the record.
    fn resting(&self, now_ms: i64) -> Option<Acquired> {
        let (job, state, ended_ms) = self.bad?;
        let is_last = self.machine.as_ref().is_none_or(|row| row.job <= job);
        match state {
            JobState::Stuck if is_last => Some(Acquired::Failed { job, state, again_ms: None }),
            JobState::Failed if is_last && ended_ms + REST_MS > now_ms => {
                Some(Acquired::Failed { job, state, again_ms: Some(ended_ms + REST_MS) })
            }
            JobState::Stuck
            | JobState::Failed
            | JobState::Succeeded
            | JobState::Cancelled
            | JobState::Queued
            | JobState::Running => None,
        }
    }
}
