//! What the service counts of itself, and the page on which whoever watches it reads that: Prometheus' text format, version 0.0.4.
//!
//! The page is at a port of its own on this machine, for it tells of all tenants together. No label has a tenant's name, and none
//! has more values than there are routes and statuses.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::{Method, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::{App, problem::Problem};
use crate::{core::Tenants, store::Pulse};

/// Upper bounds of the classes of times, in milliseconds.
const BOUNDS_MS: [i64; 11] = [2, 5, 10, 25, 50, 100, 250, 1_000, 5_000, 15_000, 60_000];

/// The answers of a route with a status.
#[derive(Clone, Copy, Default)]
struct Answers {
    classes: [u64; BOUNDS_MS.len()],
    count: u64,
    sum_ms: i64,
}

type Key = (&'static str, String, u16);

/// The counters of a process.
#[derive(Default)]
pub(crate) struct Meter {
    answers: Mutex<BTreeMap<Key, Answers>>,
    in_flight: AtomicI64,
    connections: AtomicI64,
    taken_in: AtomicU64,
    no_tls: AtomicU64,
}

/// Counts one as long as it lives.
pub(crate) struct Counted<'a>(&'a AtomicI64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Meter {
    /// A request that is being answered.
    pub(crate) fn request(&self) -> Counted<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Counted(&self.in_flight)
    }

    /// A connection that was taken in.
    pub(crate) fn connection(&self) -> Counted<'_> {
        self.taken_in.fetch_add(1, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(&self.connections)
    }

    /// A connection on which no TLS came about.
    pub(crate) fn no_tls(&self) {
        self.no_tls.fetch_add(1, Ordering::Relaxed);
    }

    /// An answer of the route of that template; none if no route is there.
    pub(crate) fn answered(&self, method: &Method, route: Option<&str>, status: u16, took_ms: i64) {
        let key = (word(method), route.unwrap_or("none").to_owned(), status);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = answers.entry(key).or_default();
        answers.count += 1;
        answers.sum_ms += took_ms.max(0);
        for (class, bound) in answers.classes.iter_mut().zip(BOUNDS_MS) {
            *class += u64::from(took_ms <= bound);
        }
    }

    fn text(&self, pulse: &Pulse, statements: u64) -> String {
        let mut text = String::new();
        self.answers_text(&mut text);
        let (queued, running) = (pulse.queued, pulse.running);
        let numbers = [
            (
                "provisioner_requests_in_flight",
                "gauge",
                "Requests that are being answered.",
                self.in_flight.load(Ordering::Relaxed),
            ),
            (
                "provisioner_connections",
                "gauge",
                "Connections that are open.",
                self.connections.load(Ordering::Relaxed),
            ),
            (
                "provisioner_connections_total",
                "counter",
                "Connections that were taken in.",
                whole(self.taken_in.load(Ordering::Relaxed)),
            ),
            (
                "provisioner_tls_failures_total",
                "counter",
                "Connections on which no TLS came about.",
                whole(self.no_tls.load(Ordering::Relaxed)),
            ),
            (
                "provisioner_database_statements_total",
                "counter",
                "SQL statements that this process has sent.",
                whole(statements),
            ),
            ("provisioner_jobs_queued", "gauge", "Jobs that wait.", queued),
            ("provisioner_jobs_running", "gauge", "Jobs that a worker holds.", running),
            ("provisioner_jobs_stuck", "gauge", "Jobs that need a person.", pulse.stuck),
            ("provisioner_jobs_failed", "gauge", "Jobs that failed, of those that are remembered.", pulse.failed),
            ("provisioner_workers", "gauge", "Workers whose lease has not run out.", pulse.workers),
        ];
        for (name, kind, help, value) in numbers {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        let name = "provisioner_oldest_job_seconds";
        let help = "How long the oldest of the jobs that could run has been waiting.";
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {}", secs(pulse.oldest_ms));
        text
    }

    fn answers_text(&self, text: &mut String) {
        let name = "provisioner_request_duration_seconds";
        let _ =
            writeln!(text, "# HELP {name} How long requests took, to the head of the answer.\n# TYPE {name} histogram");
        for ((method, route, status), answers) in &*self.answers.lock().unwrap_or_else(PoisonError::into_inner) {
            let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
            for (class, bound) in answers.classes.iter().zip(BOUNDS_MS) {
                let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{}\"}} {class}", secs(bound));
            }
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", answers.count);
            let _ = writeln!(text, "{name}_sum{{{labels}}} {}", secs(answers.sum_ms));
            let _ = writeln!(text, "{name}_count{{{labels}}} {}", answers.count);
        }
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Milliseconds as seconds.
fn secs(ms: i64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

/// A method that is none of HTTP's own is one of any number.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// The page's own port has this and nothing else.
pub(super) fn page(app: App) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(app)
}

async fn metrics(State(app): State<App>) -> Response {
    match app.store().within(&Tenants::All, None).pulse(app.now_ms()).await {
        Ok(pulse) => {
            let text = app.meter().text(&pulse, app.store().statements());
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => Problem::from(error).into_response(),
    }
}
