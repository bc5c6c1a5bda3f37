//! `job`.

use serde::Serialize;

use super::{
    Failure,
    args::{JobCommand, JobListArgs},
    enqueue::read,
    follow,
    screen::{Screen, or_dash},
    session::Session,
    story::{self, Setting, Telling, tell},
    time,
    view::{JobView, trouble_line},
};
use crate::{
    core::{Entry, JobId, JobState, Progress},
    store::JobFilter,
};

pub(crate) async fn job(session: &Session, command: JobCommand) -> Result<(), Failure> {
    match command {
        JobCommand::List(args) => list(session, args).await,
        JobCommand::Show { id } => show(session, id).await,
        JobCommand::Watch { id } => {
            read(session, id).await?;
            follow::to_end(session, id).await
        }
        JobCommand::Retry { id, wait } => {
            let job = JobView::from(session.store.retry(id, session.now_ms()).await?);
            if wait { follow::to_end(session, id).await } else { said(session, &job, "gets another try") }
        }
        JobCommand::Cancel { id, wait } => {
            let job = JobView::from(session.store.cancel(id, session.now_ms()).await?);
            if wait { cancelled(session, id).await } else { said(session, &job, cancel_words(&job)) }
        }
    }
}

fn cancel_words(job: &JobView) -> &'static str {
    if job.state == JobState::Cancelled { "is cancelled" } else { "is being called off" }
}

async fn cancelled(session: &Session, id: JobId) -> Result<(), Failure> {
    let job = follow::until_ended(session, id).await?;
    said(session, &job, job.state.as_str())?;
    if job.state == JobState::Cancelled { Ok(()) } else { Err(Failure::told()) }
}

fn said(session: &Session, job: &JobView, words: &str) -> Result<(), Failure> {
    if session.screen.is_json() {
        return session.screen.json(job);
    }
    session.screen.line(&format!("job {} {} {}: {words}", job.id, job.kind, job.subject()))
}

async fn list(session: &Session, args: JobListArgs) -> Result<(), Failure> {
    let (org, project) = match &args.project {
        Some(path) => {
            let (org, project) = session.store.project(&path.org, &path.project).await?;
            (Some(org.id), Some(project.id))
        }
        None => (session.org_id(args.org.as_ref()).await?, None),
    };
    let filter = JobFilter { state: args.state, org, project, limit: args.limit, before: args.before };
    let jobs: Vec<JobView> = session.store.jobs(filter).await?.into_iter().map(JobView::from).collect();
    let screen = session.screen;
    if screen.is_json() {
        return screen.json(&jobs);
    }
    let now_ms = session.now_ms();
    let rows = jobs.iter().map(|job| {
        vec![
            job.id.to_string(),
            job.kind.to_owned(),
            job.subject(),
            job.state.as_str().to_owned(),
            time::age(job.ms.created, now_ms),
            or_dash(job.ms.ended.map(|ended| time::span(ended - job.ms.created))),
            job.attempt.to_string(),
            note(job),
        ]
    });
    screen.table(&["ID", "KIND", "FOR", "STATE", "AGE", "TOOK", "ATTEMPT", "NOTE"], rows.collect(), "no jobs")
}

/// The one thing to know about a job besides its state.
fn note(job: &JobView) -> String {
    match job.outcome.as_ref().and_then(|outcome| outcome.because.as_ref()) {
        Some(trouble) => trouble_line(trouble),
        None if job.cancel_asked && !job.state.has_ended() => "being called off".to_owned(),
        None => String::new(),
    }
}

/// The story for programs.
#[derive(Serialize)]
struct Story<'a> {
    #[serde(flatten)]
    job: &'a JobView,
    entries: Vec<StoryEntry<'a>>,
    /// What comes next, for people; null once it has ended.
    next: Option<String>,
}

#[derive(Serialize)]
struct StoryEntry<'a> {
    at: String,
    /// The fact in words.
    text: String,
    #[serde(flatten)]
    entry: &'a Entry,
}

async fn show(session: &Session, id: JobId) -> Result<(), Failure> {
    let job = read(session, id).await?;
    let entries = session.store.entries(id).await?;
    let visibility_secs = session.config.visibility_secs();
    let setting = Setting { now_ms: session.now_ms(), policy: &session.config.policy, visibility_secs };
    tell_story(&job, &entries, &setting, session.screen)
}

/// Tells the story of a job, wherever it was read.
pub(crate) fn tell_story(
    job: &JobView,
    entries: &[Entry],
    setting: &Setting<'_>,
    screen: Screen,
) -> Result<(), Failure> {
    if !screen.is_json() {
        return screen.line(&story::text(job, entries, setting, screen));
    }
    let mut telling = Telling::default();
    let told = entries.iter().map(|entry| {
        let told = tell(&mut telling, &entry.fact);
        let text = std::iter::once(format!("{} {}", told.label, told.text)).chain(told.more);
        StoryEntry { at: time::rfc3339(entry.at_ms), text: text.collect::<Vec<_>>().join("; "), entry }
    });
    let next = job.outcome.is_none().then(|| story::what_next(job, &Progress::fold(entries), setting));
    screen.json(&Story { job, entries: told.collect(), next })
}
