//! The story of a job, told from its facts: pure functions from what was recorded to lines of text.

mod next_line;
mod plan_lines;
mod telling;

use providers::ResourceId;

use super::{screen::Screen, time, view};
use crate::core::{Ending, Entry, JobState, Plan, Policy, Progress};
use view::JobView;

pub(crate) use next_line::{current_step, what_next};
pub(crate) use telling::{Telling, tell};

/// What the story is told with, besides the job and its facts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) now_ms: i64,
    pub(crate) policy: &'a Policy,
    pub(crate) visibility_secs: u32,
}

/// The whole story as text, without a newline at its end.
pub(crate) fn text(job: &JobView, entries: &[Entry], setting: &Setting<'_>, screen: Screen) -> String {
    let progress = Progress::fold(entries);
    let mut lines = header(job, setting.now_ms, screen);
    if job.state == JobState::Stuck {
        lines.push(String::new());
        lines.extend(stuck(job, screen));
    }
    if let Some(plan) = &progress.plan {
        lines.push(String::new());
        lines.extend(plan_lines::lines(plan));
    }
    if !entries.is_empty() {
        lines.push(String::new());
        lines.push("What happened".to_owned());
        lines.extend(happenings(job, entries));
    }
    lines.push(String::new());
    lines.extend(ending(job, &progress, setting));
    lines.join("\n")
}

fn header(job: &JobView, now_ms: i64, screen: Screen) -> Vec<String> {
    let mut lines = vec![format!("Job {}: {} {}", job.id, job.kind, job.subject())];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<9} {value}"));
    let since = |at: i64| time::offset(at - job.ms.created);
    let called_off = if job.cancel_asked && !job.state.has_ended() { ", asked to be called off" } else { "" };
    row("state", format!("{}{called_off}", screen.paint(job.state.as_str())));
    row("asked", format!("{} ({} ago)", time::clock_time(job.ms.created), time::age(job.ms.created, now_ms)));
    if let Some(started) = job.ms.started {
        row("begun", format!("{} ({})", time::clock_time(started), since(started)));
    }
    if let Some(ended) = job.ms.ended {
        row("ended", format!("{} ({})", time::clock_time(ended), since(ended)));
    }
    let worker = job.worker.as_ref().map_or_else(String::new, |worker| format!(", worker {worker}"));
    row("attempt", format!("{}{worker}, priority {}", job.attempt, job.priority));
    if let Some(key) = &job.key {
        row("key", key.clone());
    }
    lines
}

/// What nobody should overlook.
fn stuck(job: &JobView, screen: Screen) -> Vec<String> {
    let mut lines = vec![format!("{}: this job needs a person", screen.paint("STUCK"))];
    if let Some(trouble) = job.outcome.as_ref().and_then(|outcome| outcome.because.as_ref()) {
        lines.push(format!("  why     {}", view::trouble_line(trouble)));
    }
    if let Some(remedy) = job.outcome.as_ref().and_then(|outcome| outcome.remedy.as_ref()) {
        lines.push(format!("  remedy  {remedy}"));
    }
    lines.push(format!("  then    provisioner job retry {0}, or provisioner job cancel {0}", job.id));
    lines
}

fn happenings(job: &JobView, entries: &[Entry]) -> Vec<String> {
    let mut telling = Telling::default();
    let mut lines = Vec::new();
    for entry in entries {
        let told = tell(&mut telling, &entry.fact);
        let at = time::offset(entry.at_ms - job.ms.created);
        lines.push(format!("  {at:>12}  {:<9} {}", told.label, told.text).trim_end().to_owned());
        for more in &told.more {
            lines.push(format!("  {:>12}  {:<9}   {more}", "", ""));
        }
    }
    lines
}

fn ending(job: &JobView, progress: &Progress, setting: &Setting<'_>) -> Vec<String> {
    let Some(outcome) = &job.outcome else {
        return vec![format!("What comes next: {}", what_next(job, progress, setting))];
    };
    let took = job.ms.ended.map_or_else(String::new, |ended| format!(" after {}", time::span(ended - job.ms.created)));
    let mut lines = vec![match outcome.ending {
        Ending::Succeeded => format!("Succeeded{took}."),
        Ending::Failed => format!("Failed{took}. What it had made, if anything, was taken back."),
        Ending::Cancelled => format!("Cancelled{took}. What it had made, if anything, was taken back."),
        Ending::Stuck => format!("Stuck{took}. Nothing more happens by itself."),
    }];
    if let Some(trouble) = &outcome.because {
        lines.push(format!("  why     {}", view::trouble_line(trouble)));
    }
    if let Some(remedy) = &outcome.remedy {
        lines.push(format!("  remedy  {remedy}"));
    }
    lines
}

/// `machine 44de01aa`: the kind, where a plan tells it, and enough of the id to find it again.
fn name_of(plan: Option<&Plan>, resource: ResourceId) -> String {
    let id = short(resource);
    match plan.and_then(|plan| plan.step(resource)) {
        Some(step) => format!("{} {id}", step.blueprint.kind()),
        None => id,
    }
}

fn short(resource: ResourceId) -> String {
    resource.to_string().chars().take(8).collect()
}

#[cfg(test)]
mod tests;
