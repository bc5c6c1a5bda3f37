//! `job`, through the API.

use std::time::Duration;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::signal;

use super::{Remote, client::Sent};
use crate::{
    cli::{
        Failure,
        args::{Enqueue, JobCommand, JobListArgs},
        screen::or_dash,
    },
    core::{JobId, JobState},
    edge,
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
        let paths = self.projects(args.org.as_ref(), args.project.as_ref()).await?;
        let (most, mut jobs) = (args.limit as usize, Vec::<Sent>::new());
        for path in paths {
            let state = args.state.map_or_else(String::new, |state| format!("&state={}", state.as_str()));
            let path = format!("/v1/projects/{path}/jobs?limit={}{state}", most.min(PAGE));
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
        let sent: Sent = self.client.get(&format!("/v1/jobs/{id}")).await?;
        if self.screen.is_json() {
            return self.screen.json(&sent);
        }
        let job = read(&sent)?;
        let attempt = if job.attempt > 1 { format!(", attempt {}", job.attempt) } else { String::new() };
        self.screen.line(&job.line(self.screen.paint(job.state.as_str()).as_str()))?;
        self.screen.line(&format!("  asked for {}{attempt}", job.created_at))?;
        for (what, text) in [("ended", &job.ended_at), ("because", &job.because), ("remedy", &job.remedy)] {
            if let Some(text) = text {
                self.screen.line(&format!("  {what} {text}"))?;
            }
        }
        self.screen.line("  its whole story is for operators, at the database: `provisioner job show`")
    }

    /// Asks for a job, and stays until its end if that was asked for. It goes under a key, ours if there is none, so that it can be
    /// asked for again when an answer is lost.
    pub(super) async fn enqueue(&self, method: Method, path: &str, flags: Enqueue) -> Result<(), Failure> {
        if flags.priority != 0 {
            return Err(Failure::usage("--priority is for operators, at the database").remedy("leave it out"));
        }
        let key = flags.key.unwrap_or_else(edge::new_request_key);
        let accepted: Accepted = self.client.ask(method, path, Some(&key)).await?;
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

fn read(job: &Sent) -> Result<Job, Failure> {
    Job::deserialize(job).map_err(|error| {
        Failure::failed(format!("the API tells of a job in another way than this program knows: {error}"))
            .remedy("use programs of the same release on both sides")
    })
}
