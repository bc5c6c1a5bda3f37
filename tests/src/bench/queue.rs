//! What the queue costs and how fast it is.

use std::{sync::Arc, time::Duration};

use anyhow::Result;

use super::{
    queue_bare as bare,
    queue_ours::{Noop, Ours, Worker},
    server::Server,
    table::{Table, Target, median, percentile},
};

/// Jobs in a drain.
const JOBS: usize = 20_000;

/// Jobs in flight where the issue does not say: the worker's default.
const SLOTS: usize = 256;

/// Between two jobs of a latency measurement: never the same, so that no timer of either side falls in with it.
pub(super) fn gap(n: usize) -> Duration {
    Duration::from_micros(21_000 + (n as u64 * 7_919) % 18_000)
}

/// Measures, prints, and says whether every target was met. Sections can be picked with `BENCH_QUEUE=counts,drain,...`.
///
/// # Errors
///
/// No server, or a statement that fails.
pub async fn run() -> Result<bool> {
    let picked = std::env::var("BENCH_QUEUE").ok();
    let wanted = |section: &str| picked.as_ref().is_none_or(|picked| picked.split(',').any(|one| one == section));
    let mut table = Table::default();
    let server = Server::start()?;
    if wanted("counts") {
        counts(&server, &mut table).await?;
    }
    if wanted("idle") {
        idle(&server, &mut table).await?;
    }
    if wanted("drain") {
        drain(&server, &mut table).await?;
    }
    if wanted("enqueue") {
        enqueue(&server, &mut table).await?;
    }
    if wanted("latency") {
        latency(&server, &mut table).await?;
    }
    if wanted("snapshot") {
        snapshot(&server, &mut table).await?;
    }
    if wanted("statistics") {
        statistics(&server, &mut table).await?;
    }
    drop(server);
    if wanted("sqlite") {
        sqlite(&mut table).await?;
    }
    Ok(table.print("The queue: order and exclusion per builder, fences and history on in all of it"))
}

async fn database(server: &Server, name: &str) -> Result<Ours> {
    use sea_orm::ConnectionTrait;
    let admin = sea_orm::Database::connect(server.url("postgres")).await?;
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    let ours = Ours::new(&server.url(name)).await?;
    ours.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").await?;
    Ok(ours)
}

const STATEMENTS: &str = "SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
                          WHERE d.datname = current_database() AND query NOT LIKE '%pg_stat%'";
const COMMITS: &str = "SELECT xact_commit::float8 FROM pg_stat_database WHERE datname = current_database()";
const WAL: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8";

/// Statements, commits and bytes of log, as the server counts them. It publishes a session's counts at most once a second.
async fn tally(ours: &Ours) -> Result<[f64; 3]> {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    Ok([ours.number(STATEMENTS).await?, ours.number(COMMITS).await?, ours.number(WAL).await?])
}

async fn counts(server: &Server, table: &mut Table) -> Result<()> {
    let ours = database(server, "counts").await?;
    let store = ours.another().await?;
    let worker = Worker::start(&store, Arc::new(Noop::default()), SLOTS, false);
    ours.trickle(20, Duration::from_millis(25)).await?;
    let before = tally(&ours).await?;
    ours.trickle(200, Duration::from_millis(25)).await?;
    let after = tally(&ours).await?;
    worker.stop().await?;
    table.figure("light load: statements a job", (after[0] - before[0]) / 200.0, Some(Target::AtMost(3.2)));

    // The first round touches every page for the first time since the checkpoint.
    ours.enqueue(JOBS, 32).await?;
    ours.drain(JOBS, 32).await?;
    let before = tally(&ours).await?;
    ours.enqueue(JOBS, 32).await?;
    let between = tally(&ours).await?;
    ours.drain(JOBS, 32).await?;
    let after = tally(&ours).await?;
    let each = |n: usize, from: &[f64; 3]| (after[n] - from[n]) / JOBS as f64;
    table.figure("saturated, 32 in flight: statements a job", each(0, &between), Some(Target::AtMost(0.10)));
    table.figure("saturated, 32 in flight: commits a job", each(1, &between), Some(Target::AtMost(0.10)));
    table.figure("  the same with enqueueing from 32 tasks: statements", each(0, &before), None);
    table.figure("  the same with enqueueing from 32 tasks: commits", each(1, &before), None);
    table.figure("WAL bytes a job, enqueue to history", each(2, &before), Some(Target::AtMost(1_300.0)));
    Ok(())
}

async fn idle(server: &Server, table: &mut Table) -> Result<()> {
    let ours = database(server, "idle").await?;
    let store = ours.another().await?;
    let worker = Worker::start(&store, Arc::new(Noop::default()), SLOTS, false);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = tally(&ours).await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let after = tally(&ours).await?;
    worker.stop().await?;
    table.figure("idle: statements a second", (after[0] - before[0]) / 61.5, Some(Target::AtMost(0.2)));
    Ok(())
}

async fn drain(server: &Server, table: &mut Table) -> Result<()> {
    let ours = database(server, "drain").await?;
    let (mut wide, mut narrow, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        theirs.push(bare::drain(&server.url("drain"), JOBS as i64).await?);
        ours.enqueue(JOBS, 256).await?;
        wide.push(ours.drain(JOBS, SLOTS).await?);
        ours.enqueue(JOBS, 256).await?;
        narrow.push(ours.drain(JOBS, 32).await?);
    }
    let theirs = median(theirs);
    table.ratio(
        "drain, 256 in flight (the default): jobs a second",
        median(wide),
        theirs,
        "",
        Some(Target::AtLeast(0.4)),
    );
    table.ratio("  the same with 32 in flight", median(narrow), theirs, "", None);
    Ok(())
}

async fn enqueue(server: &Server, table: &mut Table) -> Result<()> {
    let ours = database(server, "enqueue").await?;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        theirs.push(bare::insert(&server.url("enqueue"), JOBS).await?);
        mine.push(ours.enqueue(JOBS, 32).await?);
        ours.drain(JOBS, SLOTS).await?;
    }
    table.ratio(
        "single enqueues from 32 tasks: jobs a second",
        median(mine),
        median(theirs),
        "",
        Some(Target::AtLeast(0.35)),
    );
    Ok(())
}

async fn latency(server: &Server, table: &mut Table) -> Result<()> {
    let ours = database(server, "latency").await?;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        theirs.push(bare::latencies(&server.url("latency"), 300).await?);
        mine.push(ours.latencies(300).await?);
    }
    for (what, percent) in
        [("start latency on an idle worker, median", 50), ("start latency on an idle worker, p99", 99)]
    {
        let of = |runs: &[Vec<f64>]| median(runs.iter().map(|run| percentile(run.clone(), percent)).collect());
        table.ratio(what, of(&mine), of(&theirs), " ms", Some(Target::AtMost(1.5)));
    }
    Ok(())
}

async fn snapshot(server: &Server, table: &mut Table) -> Result<()> {
    let (mut held, mut free) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        for (hold, figures) in [(false, &mut free), (true, &mut held)] {
            let ours = database(server, "snapshot").await?;
            // While it is there no dead row goes away; the first drain leaves its own behind for the second.
            let old = if hold { Some(ours.another_session().await?) } else { None };
            ours.enqueue(JOBS, 256).await?;
            ours.drain(JOBS, SLOTS).await?;
            ours.enqueue(JOBS, 256).await?;
            figures.push(ours.drain(JOBS, SLOTS).await?);
            drop(old);
        }
    }
    let what = "drain with an old snapshot held, behind 20,000 dead jobs";
    table.ratio(what, median(held), median(free), "", Some(Target::AtLeast(0.8)));
    Ok(())
}

async fn statistics(server: &Server, table: &mut Table) -> Result<()> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        for (analyze, figures) in [(false, &mut without), (true, &mut with)] {
            let ours = database(server, "statistics").await?;
            for one in ["jobs", "lanes", "job_history", "job_facts", "job_keys"] {
                ours.sql(&format!("ALTER TABLE {one} SET (autovacuum_enabled = false)")).await?;
            }
            ours.enqueue(JOBS, 256).await?;
            if analyze {
                ours.sql("ANALYZE").await?;
            }
            figures.push(ours.drain(JOBS, SLOTS).await?);
        }
    }
    table.ratio("drain without statistics", median(without), median(with), "", Some(Target::AtLeast(0.9)));
    Ok(())
}

async fn sqlite(table: &mut Table) -> Result<()> {
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let files = tempfile::tempdir()?;
        theirs.push(bare::sqlite(&files.path().join("bare.db"), 5_000)?);
        let ours = Ours::new(&format!("sqlite://{}/ours.db", files.path().display())).await?;
        ours.enqueue(5_000, 256).await?;
        mine.push(ours.drain(5_000, SLOTS).await?);
    }
    table.ratio(
        "SQLite, synchronous=FULL, drain: jobs a second",
        median(mine),
        median(theirs),
        "",
        Some(Target::AtLeast(0.35)),
    );
    Ok(())
}
