//! A run's report, as a person judges it in a minute: what needs a person first, then what is done, then what waits.

use providers::Kind;
use regions::price;
use serde_json::Value;

use crate::{
    cli::{
        Failure,
        screen::or_dash,
        session::Session,
        time::{age, clock_time, rfc3339, span},
    },
    core::Verdict,
    reconcile::{Decision, Item, Report},
};

/// Prints a report.
pub(super) fn report(session: &Session, report: &Report) -> Result<(), Failure> {
    let screen = session.screen;
    if screen.is_json() {
        return screen.json(report);
    }
    let now_ms = report.ended_ms;
    for region in report.regions.iter().filter(|region| region.failed.is_some()) {
        let why = region.failed.as_deref().unwrap_or_default();
        screen.line(&format!("LEFT ALONE {}: {why}", region.region))?;
    }
    for item in report.items.iter().filter(|item| item.finding.verdict.is_security()) {
        let finding = &item.finding;
        let name = finding.remote.as_ref().map_or_else(|| finding.subject(), ToString::to_string);
        screen.line(&format!(
            "SECURITY {}: {} {name} of {} in {}: {}",
            finding.verdict.as_str(),
            finding.kind,
            finding.subject(),
            finding.region,
            finding.why
        ))?;
    }
    if !report.items.is_empty() {
        let head = ["WHAT", "KIND", "WHOSE", "WHERE", "THING", "AGE", "SEEN", "$/MONTH", "REPAIR", "STATE"];
        let rows = report.items.iter().map(|item| row(item, now_ms)).collect();
        screen.line(&screen.table_text(&head, rows))?;
        screen.line("")?;
        for item in &report.items {
            let (note, finding) = (note(item), &item.finding);
            let name = finding
                .remote
                .as_ref()
                .map_or_else(|| finding.subject(), |remote| last_part(remote.as_str()).to_owned());
            screen.line(&format!("{} {name}: {}{note}", finding.verdict.as_str(), finding.why))?;
        }
        screen.line("")?;
    }
    for (subject, why) in &report.untrue {
        screen.line(&format!("NOT DONE {subject}: {why}"))?;
    }
    screen.line(&summary(report))
}

fn row(item: &Item, now_ms: i64) -> Vec<String> {
    let finding = &item.finding;
    vec![
        finding.verdict.as_str().to_owned(),
        finding.kind.to_string(),
        finding.subject(),
        finding.zone.clone().unwrap_or_else(|| finding.region.name().to_owned()),
        or_dash(finding.remote.as_ref().map(|remote| last_part(remote.as_str()))),
        finding.created_ms.map_or_else(|| "-".to_owned(), |created| age(created, now_ms)),
        format!("{} ago, {}x", age(item.first_seen_ms, now_ms), item.sightings),
        price(item),
        item.due.as_str().to_owned(),
        state(item),
    ]
}

fn state(item: &Item) -> String {
    match &item.outcome {
        Decision::Enqueued { job } => format!("job {job}"),
        Decision::Planned => "to be done".to_owned(),
        Decision::Braked { brake, .. } => format!("braked: {}", brake.as_str()),
        Decision::Person { .. } => "needs a person".to_owned(),
        Decision::Refused { .. } => "refused".to_owned(),
    }
}

fn note(item: &Item) -> String {
    match &item.outcome {
        Decision::Enqueued { job } => format!("; see `provisioner job show {job}`"),
        Decision::Planned => String::new(),
        Decision::Braked { how, .. } => format!("; {how}"),
        Decision::Person { remedy } => format!("; {remedy}"),
        Decision::Refused { why } => format!("; {why}"),
    }
}

/// What it costs a month at list price, where that is known.
fn price(item: &Item) -> String {
    let finding = &item.finding;
    let shape = finding.shape.as_deref();
    let cost = match finding.kind {
        Kind::Machine => shape.and_then(|shape| price::machine_month(finding.region, shape)),
        Kind::Volume => {
            let sized = shape.zip(finding.size_gib);
            sized.and_then(|(shape, gib)| price::volume_month(finding.region, shape, gib, None, None))
        }
        Kind::Snapshot => finding.size_gib.and_then(|gib| price::snapshot_month(finding.region, gib)),
        Kind::Key => Some(price::key_month(finding.region.cloud())),
        Kind::Attachment => None,
    };
    or_dash(cost.filter(|_| item.finding.verdict != Verdict::Missing))
}

fn summary(report: &Report) -> String {
    let count = |wanted: fn(&Decision) -> bool| report.items.iter().filter(|item| wanted(&item.outcome)).count();
    let things: u64 = report.regions.iter().flat_map(|region| region.things.values()).sum();
    let records: u64 = report.regions.iter().map(|region| region.records).sum();
    let pages: u64 = report.regions.iter().map(|region| region.pages).sum();
    let failed = report.regions.iter().filter(|region| region.failed.is_some()).count();
    format!(
        "run {}: {} ({failed} left alone), {} on {}, {}; {}: {} enqueued, {} to be done, {} braked, {} for a person, \
         {} refused; {}",
        report.run,
        counted(report.regions.len() as u64, "region"),
        counted(things, "thing"),
        counted(pages, "page"),
        counted(records, "record"),
        counted(report.items.len() as u64, "finding"),
        count(|it| matches!(it, Decision::Enqueued { .. })),
        count(|it| matches!(it, Decision::Planned)),
        count(|it| matches!(it, Decision::Braked { .. })),
        count(|it| matches!(it, Decision::Person { .. })),
        count(|it| matches!(it, Decision::Refused { .. })),
        span(report.ended_ms - report.started_ms)
    )
}

/// So many of them, in words.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn last_part(remote: &str) -> &str {
    remote.rsplit('/').next().unwrap_or(remote)
}

/// The last runs.
pub(super) async fn history(session: &Session, limit: u32) -> Result<(), Failure> {
    let runs = session.store.runs(None, limit).await?;
    let read = |report: &Option<String>| report.as_deref().and_then(|text| serde_json::from_str::<Report>(text).ok());
    if session.screen.is_json() {
        let views: Vec<Value> = runs
            .iter()
            .map(|run| {
                let report = read(&run.report);
                serde_json::json!({
                    "run": run.id, "mode": run.mode, "runner": run.runner, "started_at": rfc3339(run.started_ms),
                    "ended_at": run.ended_ms.map(rfc3339),
                    "findings": report.as_ref().map(|report| report.items.len()),
                    "regions_failed": report.as_ref().map(|report| report.regions.iter().filter(|it| it.failed.is_some()).count()),
                    "enqueued": report.as_ref().map(|report| {
                        report.items.iter().filter(|item| matches!(item.outcome, Decision::Enqueued { .. })).count()
                    }),
                })
            })
            .collect();
        return session.screen.json(&views);
    }
    let rows = runs.iter().map(|run| {
        let report = read(&run.report);
        let told = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            run.id.to_string(),
            run.mode.clone(),
            clock_time(run.started_ms),
            run.ended_ms.map_or_else(|| "cut off, or still running".to_owned(), |ended| span(ended - run.started_ms)),
            told(report.as_ref().map(|it| it.items.len().to_string())),
            told(report.as_ref().map(|it| {
                it.items.iter().filter(|item| matches!(item.outcome, Decision::Enqueued { .. })).count().to_string()
            })),
            told(
                report
                    .as_ref()
                    .map(|it| it.regions.iter().filter(|region| region.failed.is_some()).count().to_string()),
            ),
            run.runner.clone(),
        ]
    });
    let head = ["RUN", "MODE", "BEGAN", "TOOK", "FINDINGS", "JOBS", "LEFT ALONE", "BY"];
    session.screen.table(
        &head,
        rows.collect(),
        "no runs; `provisioner reconcile --plan FILE` makes one that changes nothing",
    )
}

/// One run, whole.
pub(super) async fn show(session: &Session, id: i64) -> Result<(), Failure> {
    let runs = session.store.runs(Some(id), 1).await?;
    let Some(run) = runs.first() else {
        return Err(Failure::failed(format!("there is no run {id}"))
            .remedy("see `provisioner reconcile history`; runs are kept for reconcile.history_days only"));
    };
    let Some(text) = &run.report else {
        return Err(Failure::failed(format!(
            "run {id} of {} began at {} and has not ended, or was cut off",
            run.runner,
            clock_time(run.started_ms)
        )));
    };
    let found: Report = serde_json::from_str(text)?;
    if !session.screen.is_json() {
        let line = format!("run {id}, {}, by {}, began {}", run.mode, run.runner, clock_time(run.started_ms));
        session.screen.line(&line)?;
        for region in &found.regions {
            let things: Vec<String> = region.things.iter().map(|(kind, n)| counted(*n, kind)).collect();
            session.screen.line(&format!(
                "  {}: {} on {}, {}, {}",
                region.region,
                if things.is_empty() { "nothing".to_owned() } else { things.join(", ") },
                counted(region.pages, "page"),
                counted(region.records, "record"),
                counted(region.findings, "finding")
            ))?;
        }
        session.screen.line("")?;
    }
    report(session, &found)
}
