//! Following a job to its end: a live line on a terminal, a line for each change elsewhere. Following changes nothing.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::{signal, time::sleep};

use super::{
    Failure,
    enqueue::read,
    session::Session,
    story::{Setting, current_step, what_next},
    time,
    view::{JobView, trouble_line},
};
use crate::core::{JobId, JobState, Progress};

/// The first and the longest pause between two looks.
const PAUSE_MS: (u64, u64) = (200, 1_000);

/// Stays until the job has ended, and fails if it did not succeed.
pub(crate) async fn to_end(session: &Session, id: JobId) -> Result<(), Failure> {
    let job = until_ended(session, id).await?;
    if session.screen.is_json() {
        session.screen.json(&job)?;
    }
    verdict(session, &job)
}

/// Stays until the job has ended; the answer is how it stands then.
pub(crate) async fn until_ended(session: &Session, id: JobId) -> Result<JobView, Failure> {
    let mut line = Line::new(session);
    let mut pause_ms = PAUSE_MS.0;
    loop {
        let job = read(session, id).await?;
        if job.state.has_ended() {
            line.clear();
            return Ok(job);
        }
        let entries = session.store.entries(id).await?;
        let progress = Progress::fold(&entries);
        if line.show(session, &job, &progress) {
            pause_ms = PAUSE_MS.0;
        }
        tokio::select! {
            () = sleep(Duration::from_millis(pause_ms)) => {}
            _ = signal::ctrl_c() => {
                line.clear();
                return Err(Failure::failed(format!("no longer following job {id}; the job goes on"))
                    .remedy(format!("follow it again with `provisioner job watch {id}`")));
            }
        }
        pause_ms = (pause_ms * 5 / 4).min(PAUSE_MS.1);
    }
}

/// Says how the job ended; all but success is a failure, with why and the remedy.
fn verdict(session: &Session, job: &JobView) -> Result<(), Failure> {
    let took = time::span(job.ms.ended.map_or(0, |ended| ended - job.ms.created));
    let headline = format!("job {}: {} {} {} after {took}", job.id, job.kind, job.subject(), job.state.as_str());
    if job.state == JobState::Succeeded {
        return if session.screen.is_json() { Ok(()) } else { session.screen.line(&headline) };
    }
    let outcome = job.outcome.as_ref();
    let why = outcome.and_then(|outcome| outcome.because.as_ref()).map(|why| format!(": {}", trouble_line(why)));
    let mut failure = Failure::failed(format!("{headline}{}", why.unwrap_or_default()));
    failure.remedies.extend(outcome.and_then(|outcome| outcome.remedy.clone()));
    failure.remedies.push(format!("its whole story: provisioner job show {}", job.id));
    Err(failure)
}

/// The line that says how far it is.
struct Line {
    spinner: Option<ProgressBar>,
    last: String,
}

impl Line {
    fn new(session: &Session) -> Self {
        let live = std::io::stderr().is_terminal() && !session.screen.is_json();
        let spinner = live.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { spinner, last: String::new() }
    }

    /// Whether something has changed.
    fn show(&mut self, session: &Session, job: &JobView, progress: &Progress) -> bool {
        let step = current_step(job, progress);
        let changed = step != self.last;
        let now_ms = session.now_ms();
        let elapsed = time::span(now_ms - job.ms.created);
        match &self.spinner {
            Some(spinner) => {
                let visibility_secs = session.config.visibility_secs();
                let setting = Setting { now_ms, policy: &session.config.policy, visibility_secs };
                let next = if job.state == JobState::Queued && progress.facts > 0 {
                    format!("; next: {}", what_next(job, progress, &setting))
                } else {
                    String::new()
                };
                spinner.set_message(format!(
                    "job {} {} {}  {}  {elapsed}  {step}{next}",
                    job.id,
                    job.kind,
                    job.subject(),
                    job.state.as_str()
                ));
            }
            None if changed && !session.screen.is_json() => {
                let _ = writeln!(std::io::stderr(), "job {} {} {elapsed} {step}", job.id, job.state.as_str());
            }
            None => {}
        }
        self.last = step;
        changed
    }

    fn clear(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
