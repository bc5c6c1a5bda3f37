//! The bare thing: what the database does when nobody asks for order, lanes, fences or history.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::Result;
use sea_orm::sqlx::{
    Executor, PgPool, Row,
    postgres::{PgListener, PgPoolOptions},
};

/// A table of jobs without anything.
const TABLE: &str = "
DROP TABLE IF EXISTS bare;
CREATE TABLE bare (id bigserial PRIMARY KEY, state smallint NOT NULL DEFAULT 0, created bigint NOT NULL, payload text NOT NULL);
CREATE INDEX bare_ready ON bare (id) WHERE state = 0;";

const CLAIM: &str = "
WITH c AS MATERIALIZED (SELECT id FROM bare WHERE state = 0 ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
UPDATE bare SET state = 1 FROM c WHERE bare.id = c.id RETURNING bare.id";

const COMPLETE: &str = "DELETE FROM bare WHERE id = ANY ($1)";

const INSERT: &str = "INSERT INTO bare (created, payload) VALUES ($1, $2)";

const PAYLOAD: &str = r#"{"kind":"provision","project":"0192f0c1-2345-7000-8000-0123456789ab","arch":"arm64"}"#;

async fn pool(url: &str, connections: u32) -> Result<PgPool> {
    let pool = PgPoolOptions::new().max_connections(connections).min_connections(connections).connect(url).await?;
    // All connections are there before the clock starts.
    let held = futures_util::future::try_join_all((0..connections).map(|_| pool.acquire())).await?;
    drop(held);
    Ok(pool)
}

/// Jobs a second, claimed and completed in batches of 10 over 8 connections: two statements, two commits a batch.
pub(super) async fn drain(url: &str, jobs: i64) -> Result<f64> {
    let pool = pool(url, 8).await?;
    pool.execute(TABLE).await?;
    let fill = format!("INSERT INTO bare (created, payload) SELECT n, '{PAYLOAD}' FROM generate_series(1, {jobs}) n");
    pool.execute(sea_orm::sqlx::AssertSqlSafe(fill)).await?;
    pool.execute("VACUUM ANALYZE bare").await?;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let pool = pool.clone();
        tasks.push(tokio::spawn(async move {
            let mut connection = pool.acquire().await?;
            loop {
                let rows = sea_orm::sqlx::query(CLAIM).bind(10_i64).fetch_all(&mut *connection).await?;
                if rows.is_empty() {
                    return Ok::<_, anyhow::Error>(());
                }
                let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
                sea_orm::sqlx::query(COMPLETE).bind(ids).execute(&mut *connection).await?;
            }
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(jobs as f64 / begun.elapsed().as_secs_f64())
}

/// Jobs a second, inserted one by one over 32 connections.
pub(super) async fn insert(url: &str, jobs: usize) -> Result<f64> {
    let pool = pool(url, 32).await?;
    pool.execute(TABLE).await?;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..32 {
        let pool = pool.clone();
        tasks.push(tokio::spawn(async move {
            let mut connection = pool.acquire().await?;
            for n in 0..jobs / 32 {
                sea_orm::sqlx::query(INSERT).bind(n as i64).bind(PAYLOAD).execute(&mut *connection).await?;
            }
            Ok::<_, anyhow::Error>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(jobs as f64 / begun.elapsed().as_secs_f64())
}

/// Milliseconds from the insert of a job (with a NOTIFY in the same transaction) to the answer of the claim by a
/// connection that listened.
pub(super) async fn latencies(url: &str, samples: usize) -> Result<Vec<f64>> {
    let pool = pool(url, 3).await?;
    pool.execute(TABLE).await?;
    let mut listener = PgListener::connect(url).await?;
    listener.listen("bare").await?;
    let inserted = Arc::new(Mutex::new(Instant::now()));
    let (sender, mut times) = tokio::sync::mpsc::unbounded_channel();
    let claimer = {
        let (pool, inserted) = (pool.clone(), Arc::clone(&inserted));
        tokio::spawn(async move {
            let mut connection = pool.acquire().await?;
            loop {
                listener.recv().await?;
                let rows = sea_orm::sqlx::query(CLAIM).bind(10_i64).fetch_all(&mut *connection).await?;
                if !rows.is_empty() {
                    let began = *inserted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    sender.send(began.elapsed())?;
                }
            }
            #[allow(unreachable_code)]
            Ok::<_, anyhow::Error>(())
        })
    };
    let insert = format!("WITH i AS ({INSERT}) SELECT pg_notify('bare', '')");
    let mut connection = pool.acquire().await?;
    let mut out = Vec::new();
    for n in 0..samples {
        tokio::time::sleep(super::queue::gap(n)).await;
        *inserted.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
        let statement = sea_orm::sqlx::AssertSqlSafe(insert.clone());
        sea_orm::sqlx::query(statement).bind(n as i64).bind(PAYLOAD).execute(&mut *connection).await?;
        if let Some(time) = times.recv().await {
            out.push(time.as_secs_f64() * 1_000.0);
        }
    }
    claimer.abort();
    Ok(out)
}

/// Jobs a second with rusqlite, WAL and `synchronous=FULL`: a claim of 10 in one statement and commit, their deletion in another.
pub(super) fn sqlite(file: &Path, jobs: usize) -> Result<f64> {
    let mut db = rusqlite::Connection::open(file)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE bare (id integer PRIMARY KEY, state integer NOT NULL DEFAULT 0, created integer NOT NULL, payload text NOT NULL);
         CREATE INDEX bare_ready ON bare (id) WHERE state = 0;",
    )?;
    let tx = db.transaction()?;
    for n in 0..jobs {
        tx.execute("INSERT INTO bare (created, payload) VALUES (?1, ?2)", (n as i64, PAYLOAD))?;
    }
    tx.commit()?;
    let begun = Instant::now();
    let mut claim = db.prepare(
        "UPDATE bare SET state = 1 WHERE id IN (SELECT id FROM bare WHERE state = 0 ORDER BY id LIMIT 10) RETURNING id",
    )?;
    let mut complete = db.prepare("DELETE FROM bare WHERE id BETWEEN ?1 AND ?2 AND state = 1")?;
    loop {
        let ids = claim.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        let (Some(first), Some(last)) = (ids.iter().min(), ids.iter().max()) else { break };
        complete.execute((first, last))?;
    }
    Ok(jobs as f64 / begun.elapsed().as_secs_f64())
}
