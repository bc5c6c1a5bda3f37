//! Making a job, and following it if that was asked for.

use serde::Serialize;

use super::{Failure, args::Enqueue, follow, session::Session, view::JobView};
use crate::{
    core::{JobId, Request},
    store::NewJob,
};

/// A job as it was accepted.
#[derive(Serialize)]
struct Accepted {
    #[serde(flatten)]
    job: JobView,
    /// False if it was there before, under the same key.
    fresh: bool,
}

/// Enqueues the request and says which job it became; with `--wait`, stays until its end.
pub(crate) async fn enqueue(session: &Session, request: Request, flags: Enqueue) -> Result<(), Failure> {
    let new = NewJob { request, priority: flags.priority, key: flags.key, run_at_ms: None };
    let accepted = session.store.enqueue(new, session.now_ms()).await?;
    if flags.wait {
        return follow::to_end(session, accepted.job).await;
    }
    let job = read(session, accepted.job).await?;
    let screen = session.screen;
    if screen.is_json() {
        return screen.json(&Accepted { job, fresh: accepted.fresh });
    }
    let before = if accepted.fresh { "" } else { ", accepted before" };
    screen.line(&format!("job {}: {} {} ({}{before})", job.id, job.kind, job.subject(), job.state.as_str()))?;
    if screen.terminal {
        screen.line(&format!("  follow it with: provisioner job watch {}", job.id))?;
    }
    Ok(())
}

/// The job of that number.
pub(crate) async fn read(session: &Session, id: JobId) -> Result<JobView, Failure> {
    let job = session.store.job(id).await?;
    job.map(JobView::from).ok_or_else(|| {
        Failure::failed(format!("there is no job {id}")).remedy(
            "look its number up with `provisioner job list`; finished jobs are kept for worker.history_days only",
        )
    })
}
