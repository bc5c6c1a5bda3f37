//! `job`, through the API.

use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::signal;

use super::{Remote, client::Sent};
use crate::{
    cli::{
        Failure,
        args::{BuilderTarget, JobCommand, JobListArgs},
        job::tell_story,
        screen::or_dash,
        story::Setting,
        view::{JobTimes, JobView},
    },
    core::{Entry, JobId, JobState, Outcome, Policy, Request},
    edge::{self, Anchored},
    execute::Clock as _,
};

/// How often a job is looked at that is waited for.
const LOOK: Duration = Duration::from_secs(1);
/// Jobs of a page, at most.
const PAGE: usize = 200;

/// A job, as far as the commands tell of it. JSON has all that the API says.
#[derive(Deserialize, Serialize)]
pub(super) struct Job {
    id: i64,
    kind: String,
    org: String,
    project: Option<String>,
    arch: Option<String>,
    state: JobState,
    attempt: i32,
    created_at: String,
    ended_at: Option<String>,
    because: Option<String>,
    remedy: Option<String>,
}

/// A job that was accepted.
#[derive(Deserialize)]
struct Accepted {
    job: i64,
    fresh: bool,
}

impl Job {
    fn subject(&self) -> String {
        let project = self.project.as_ref().map_or_else(String::new, |project| format!("/{project}"));
        let arch = self.arch.as_ref().map_or_else(String::new, |arch| format!(" {arch}"));
        format!("{}{project}{arch}", self.org)
    }

    fn line(&self, words: &str) -> String {
        format!("job {} {} {}: {words}", self.id, self.kind, self.subject())
    }
}

impl Remote {
    pub(super) async fn job(&self, command: JobCommand) -> Result<(), Failure> {
        match command {
            JobCommand::List(args) => self.list_jobs(args).await,
            JobCommand::Show { id } => self.show(id).await,
            JobCommand::Watch { id } => self.to_end(id).await,
            JobCommand::Retry { id, wait } => {
                let job: Sent = self.client.ask(Method::POST, &format!("/v1/jobs/{id}/retry"), None).await?;
                if wait { self.to_end(id).await } else { self.said(&job, "gets another try") }
            }
            JobCommand::Cancel { id, wait } => {
                let job: Sent = self.client.ask(Method::POST, &format!("/v1/jobs/{id}/cancel"), None).await?;
                if !wait {
                    let words =
                        if read(&job)?.state == JobState::Cancelled { "is cancelled" } else { "is being called off" };
                    return self.said(&job, words);
                }
                let job = self.until_ended(id).await?;
                let state = read(&job)?.state;
                self.said(&job, state.as_str())?;
                if state == JobState::Cancelled { Ok(()) } else { Err(Failure::told()) }
            }
        }
    }

    fn said(&self, job: &Sent, words: &str) -> Result<(), Failure> {
        if self.screen.is_json() {
            return self.screen.json(job);
        }
        self.screen.line(&read(job)?.line(words))
    }

    async fn list_jobs(&self, args: JobListArgs) -> Result<(), Failure> {
        let (most, mut jobs) = (args.limit as usize, Vec::<Sent>::new());
        let lists = if args.org.is_none() && args.project.is_none() {
            vec!["/v1/jobs".to_owned()]
        } else {
            let paths = self.projects(args.org.as_ref(), args.project.as_ref()).await?;
            paths.into_iter().map(|path| format!("/v1/projects/{path}/jobs")).collect()
        };
        for list in lists {
            let state = args.state.map_or_else(String::new, |state| format!("&state={}", state.as_str()));
            let path = format!("{list}?limit={}{state}", most.min(PAGE));
            jobs.extend(self.list(&path, args.before.map(|id| format!("j{id}")), most).await?);
        }
        jobs.sort_by_key(|job: &Sent| std::cmp::Reverse(job["id"].as_i64()));
        jobs.truncate(most);
        if self.screen.is_json() {
            return self.screen.json(&jobs);
        }
        let mut rows = Vec::new();
        for job in &jobs {
            let job = read(job)?;
            let subject = job.subject();
            rows.push(vec![
                job.id.to_string(),
                job.kind,
                subject,
                job.state.as_str().to_owned(),
                job.created_at,
                or_dash(job.ended_at),
                job.attempt.to_string(),
                job.because.unwrap_or_default(),
            ]);
        }
        self.screen.table(&["ID", "KIND", "FOR", "STATE", "ASKED FOR", "ENDED", "ATTEMPT", "NOTE"], rows, "no jobs")
    }

    async fn show(&self, id: JobId) -> Result<(), Failure> {
        let told: Told = self.client.get(&format!("/v1/jobs/{id}/story")).await?;
        let (job, entries, policy, visibility_secs) = told.parts()?;
        let setting = Setting { now_ms: Anchored::to_wall().now_ms(), policy: &policy, visibility_secs };
        tell_story(&job, &entries, &setting, self.screen)
    }

    /// Asks for a job, and stays until its end if that was asked for. It goes under a key, ours if there is none, so that it can be
    /// asked for again when an answer is lost.
    pub(super) async fn enqueue(&self, kind: &str, target: BuilderTarget) -> Result<(), Failure> {
        let BuilderTarget { project, arch, enqueue: flags } = target;
        let key = flags.key.unwrap_or_else(edge::new_request_key);
        let body = json!({ "kind": kind, "arch": arch, "priority": flags.priority });
        let path = format!("/v1/projects/{project}/jobs");
        let accepted: Accepted = self.client.tell(Method::POST, &path, Some(&key), &body).await?;
        let id = JobId(accepted.job);
        if flags.wait {
            return self.to_end(id).await;
        }
        if self.screen.is_json() {
            let mut job: Sent = self.client.get(&format!("/v1/jobs/{id}")).await?;
            job["fresh"] = json!(accepted.fresh);
            return self.screen.json(&job);
        }
        let job = read(&self.client.get(&format!("/v1/jobs/{id}")).await?)?;
        let before = if accepted.fresh { "" } else { ", accepted before" };
        self.screen.line(&format!("job {id}: {} {} ({}{before})", job.kind, job.subject(), job.state.as_str()))?;
        if self.screen.terminal {
            self.screen.line(&format!("  follow it with: provisioner job watch {id}"))?;
        }
        Ok(())
    }

    async fn until_ended(&self, id: JobId) -> Result<Sent, Failure> {
        loop {
            let job: Sent = self.client.get(&format!("/v1/jobs/{id}")).await?;
            if read(&job)?.state.has_ended() {
                return Ok(job);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = signal::ctrl_c() => {
                    return Err(Failure::failed(format!("no longer following job {id}; the job goes on"))
                        .remedy(format!("follow it again with `provisioner job watch {id}`")));
                }
            }
        }
    }

    /// Stays until the job has ended, and fails if it did not succeed.
    async fn to_end(&self, id: JobId) -> Result<(), Failure> {
        let sent = self.until_ended(id).await?;
        if self.screen.is_json() {
            self.screen.json(&sent)?;
        }
        let job = read(&sent)?;
        if job.state == JobState::Succeeded {
            return if self.screen.is_json() { Ok(()) } else { self.screen.line(&job.line(job.state.as_str())) };
        }
        let why = job.because.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let mut failure = Failure::failed(format!("{}{why}", job.line(job.state.as_str())));
        failure.remedies.extend(job.remedy);
        Err(failure)
    }
}

/// A job with its story, as the API sends it.
#[derive(Deserialize)]
struct Told {
    id: JobId,
    org: String,
    project: Option<String>,
    arch: Option<regions::Arch>,
    state: JobState,
    priority: i16,
    attempt: i32,
    created_at: String,
    run_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    worker: Option<String>,
    cancel_asked: bool,
    outcome: Option<Outcome>,
    key: Option<String>,
    request: Request,
    entries: Vec<Entry>,
    policy: Policy,
    visibility_secs: u32,
}

impl Told {
    /// What the story is told from.
    fn parts(self) -> Result<(JobView, Vec<Entry>, Policy, u32), Failure> {
        let ms = |at: &str| {
            let read: Result<Timestamp, _> = at.parse();
            read.map(Timestamp::as_millisecond).map_err(|error| {
                Failure::failed(format!("the API names a time that is none: {error}"))
                    .remedy("use programs of the same release on both sides")
            })
        };
        let times = JobTimes {
            created: ms(&self.created_at)?,
            run_at: ms(&self.run_at)?,
            started: self.started_at.as_deref().map(ms).transpose()?,
            ended: self.ended_at.as_deref().map(ms).transpose()?,
        };
        let job = JobView {
            id: self.id,
            kind: self.request.verb(),
            org: self.org,
            project: self.project,
            arch: self.arch,
            state: self.state,
            priority: self.priority,
            attempt: self.attempt,
            created_at: self.created_at,
            run_at: self.run_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
            worker: self.worker,
            cancel_asked: self.cancel_asked,
            outcome: self.outcome,
            key: self.key,
            request: self.request,
            ms: times,
        };
        Ok((job, self.entries, self.policy, self.visibility_secs))
    }
}

fn read(job: &Sent) -> Result<Job, Failure> {
    Job::deserialize(job).map_err(|error| {
        Failure::failed(format!("the API tells of a job in another way than this program knows: {error}"))
            .remedy("use programs of the same release on both sides")
    })
}
