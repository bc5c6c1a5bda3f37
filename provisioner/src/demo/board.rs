//! What is shown while the fleet is being built: a live line for each builder on a terminal, a line for each event elsewhere.

use std::{collections::BTreeMap, io::Write as _, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::fleet::Ordered;
use crate::{
    cli::{screen::Screen, story::current_step, time, view::JobView},
    core::{Entry, Fact, JobId, JobState, Progress},
};

/// How one job stands, for the board.
#[derive(Default)]
struct Seat {
    bar: Option<ProgressBar>,
    refusals: usize,
    attempt: i32,
    ended: bool,
}

/// The board.
pub(super) struct Board {
    screen: Screen,
    all: Option<MultiProgress>,
    seats: BTreeMap<JobId, (String, Seat)>,
    began_ms: i64,
    width: usize,
}

impl Board {
    /// A board for these jobs.
    pub(super) fn new(screen: Screen, began_ms: i64, orders: &[Ordered]) -> Self {
        let live = screen.terminal && !screen.is_json();
        let all = live.then(MultiProgress::new);
        let seats = orders.iter().map(|order| {
            let bar = all.as_ref().map(|all| {
                let bar = all.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("  {spinner:.cyan} {prefix} {wide_msg}") {
                    bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
                }
                bar.enable_steady_tick(Duration::from_millis(90));
                bar
            });
            (order.job, (order.name.clone(), Seat { bar, attempt: 1, ..Seat::default() }))
        });
        let width = orders.iter().map(|order| order.name.len()).max().unwrap_or(0);
        let seats = seats.collect();
        let board = Self { screen, all, seats, began_ms, width };
        for (name, seat) in board.seats.values() {
            if let Some(bar) = &seat.bar {
                bar.set_prefix(format!("{name:<width$}"));
                bar.set_message("waits for a worker");
            }
        }
        board
    }

    /// The jobs that have not ended so far.
    pub(super) fn open(&self) -> Vec<JobId> {
        self.seats.iter().filter(|(_, (_, seat))| !seat.ended).map(|(id, _)| *id).collect()
    }

    /// A line of its own, above the live ones.
    pub(super) fn say(&self, now_ms: i64, text: &str) {
        let line = format!("  {:>8}  {text}", time::offset(now_ms - self.began_ms));
        match &self.all {
            Some(all) => {
                // A terminal that went away is no reason to stop.
                let _ = all.println(line);
            }
            None => plain(self.screen, &line),
        }
    }

    /// Leaves the live lines as they are; what comes next begins below them.
    pub(super) fn close(self) {
        if self.all.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }

    /// Shows how a job stands now.
    pub(super) fn show(&mut self, now_ms: i64, job: &JobView, entries: &[Entry]) {
        let progress = Progress::fold(entries);
        let refused: Vec<String> = entries.iter().filter_map(refusal).collect();
        let mut news = Vec::new();
        let Some((name, seat)) = self.seats.get_mut(&job.id) else { return };
        for refusal in refused.iter().skip(seat.refusals) {
            news.push(format!("{name:<width$}  {refusal}; takes it back and tries the next", width = self.width));
        }
        seat.refusals = refused.len();
        if let Some(worker) = job.worker.as_deref().filter(|_| job.attempt > seat.attempt) {
            seat.attempt = job.attempt;
            news.push(format!("{name:<width$}  taken over by {worker}, goes on where it was", width = self.width));
        }
        let step = current_step(job, &progress);
        if let Some(bar) = &seat.bar {
            bar.set_message(step);
        }
        if job.state.has_ended() && !seat.ended {
            seat.ended = true;
            let took = time::span(job.ms.ended.unwrap_or(now_ms) - job.ms.created);
            let place = progress.plan.as_ref().and_then(|plan| plan.candidate);
            let place = place.map_or_else(String::new, |at| format!(" on {} in {}", at.machine.name(), at.placement));
            let text = match job.state {
                JobState::Succeeded => format!("{}{place} after {took}", done(job.kind)),
                JobState::Queued | JobState::Running | JobState::Failed | JobState::Cancelled | JobState::Stuck => {
                    format!("{} {}", job.kind, job.state.as_str())
                }
            };
            match &seat.bar {
                Some(bar) => {
                    if let Ok(style) = ProgressStyle::with_template("  {prefix} {wide_msg}") {
                        bar.set_style(style);
                    }
                    let mark = if job.state == JobState::Succeeded { "✓" } else { "✗" };
                    bar.set_prefix(format!("{mark} {name:<width$}", width = self.width));
                    bar.finish_with_message(text);
                }
                None => news.push(format!("{name:<width$}  {text}", width = self.width)),
            }
        }
        for line in news {
            self.say(now_ms, &line);
        }
    }
}

/// What a job that succeeded has brought about.
fn done(kind: &str) -> &str {
    match kind {
        "provision" => "ready",
        "stop" => "stopped",
        "start" => "running again",
        "destroy" => "gone",
        other => other,
    }
}

/// What a refusal for lack of capacity says.
fn refusal(entry: &Entry) -> Option<String> {
    let Fact::Failed { error, .. } = &entry.fact else { return None };
    (error.class() == providers::ErrorClass::NoCapacity)
        .then(|| format!("{}: {}", error.trouble.code, error.trouble.message))
}

/// A line for people: on standard output, or on standard error if that is taken by JSON.
pub(super) fn plain(screen: Screen, line: &str) {
    // Whoever closed the stream does not want to read on.
    let _ =
        if screen.is_json() { writeln!(std::io::stderr(), "{line}") } else { writeln!(std::io::stdout(), "{line}") };
}
