//! The queue: waiting and running jobs, what became of them, their facts, and the workers.
//!
//! Every table is as narrow as its job allows, because each job passes through all of them: the bench counts the bytes of
//! write-ahead log that it costs. Three decisions follow from that.
//!
//! - A job's row is written once and deleted once. Who runs it stands in `lanes`, one row for a builder, whose updates
//!   touch no index (HOT on PostgreSQL; the fill factor leaves room for versions that an old snapshot keeps). The same row is what makes two running jobs of one
//!   builder impossible: there is room for one.
//! - A job that may run at once has no `run_at` and stands in `jobs_ready`; one that was scheduled, or came back, has
//!   one and stands in `jobs_due`. Neither index holds the other's rows.
//! - The end of a job is its event: `job_history.event` is drawn from the same numbers as `events.id`.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// See the head of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            DbBackend::Sqlite => SQLITE,
            other => return Err(DbErr::Migration(format!("there is no schema for {other:?}"))),
        };
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(
                "DROP TABLE jobs; DROP TABLE lanes; DROP TABLE job_history; DROP TABLE job_keys; DROP TABLE job_facts; \
                 DROP TABLE events; DROP TABLE workers;",
            )
            .await?;
        Ok(())
    }
}

/// Wide columns first: alignment gaps are bytes, too.
const POSTGRES: &str = "
-- Waiting and running jobs. Times are milliseconds since 1970. rank is minus the priority: the least goes first.
CREATE TABLE jobs (
    id bigserial PRIMARY KEY,
    lane bigint NOT NULL,
    created bigint NOT NULL,
    run_at bigint,
    org uuid NOT NULL,
    project uuid,
    attempt integer NOT NULL,
    rank smallint NOT NULL,
    cancel_asked boolean NOT NULL,
    verb text NOT NULL,
    arch text,
    org_name text NOT NULL,
    project_name text,
    key text
);
CREATE INDEX jobs_lane ON jobs (lane, id);
CREATE INDEX jobs_ready ON jobs (rank, id) WHERE run_at IS NULL;
CREATE INDEX jobs_due ON jobs (run_at) WHERE run_at IS NOT NULL;
CREATE INDEX jobs_cancelled ON jobs (id) WHERE cancel_asked;

-- Who runs what. worker and job are null while the lane is free. fence is the number of its last claim; stamp changes whenever
-- a job of the lane is claimed or taken away, so that a claim that was decided on an old view fails.
-- room is given up with the first claim: it keeps rows apart further than the least fill factor does, so that a page takes
-- some thirty versions of each of its rows while an old snapshot keeps them all, and the updates stay off the index.
CREATE TABLE lanes (
    lane bigint PRIMARY KEY,
    job bigint,
    since bigint,
    worker integer,
    fence integer NOT NULL,
    stamp integer NOT NULL,
    room text DEFAULT repeat('.', 100)
) WITH (fillfactor = 10);

CREATE TABLE events (
    id bigserial PRIMARY KEY,
    at bigint NOT NULL,
    job bigint NOT NULL,
    org uuid NOT NULL,
    project uuid,
    what text NOT NULL
);

-- Jobs that ended. outcome is null for a plain success.
CREATE TABLE job_history (
    id bigint PRIMARY KEY,
    event bigint DEFAULT nextval('events_id_seq'),
    created bigint NOT NULL,
    started bigint,
    ended bigint NOT NULL,
    org uuid NOT NULL,
    project uuid,
    attempt integer NOT NULL,
    rank smallint NOT NULL,
    cancel_asked boolean NOT NULL,
    state text NOT NULL,
    verb text NOT NULL,
    arch text,
    org_name text NOT NULL,
    project_name text,
    worker text,
    key text,
    outcome text
);
CREATE INDEX job_history_event ON job_history (event);
CREATE INDEX job_history_stuck ON job_history (id) WHERE state = 'stuck';

-- Which job a caller's idempotency key stands for, as long as the job is remembered.
CREATE TABLE job_keys (key text PRIMARY KEY, job bigint NOT NULL);

CREATE TABLE job_facts (
    job bigint NOT NULL,
    at bigint NOT NULL,
    seq integer NOT NULL,
    fact text NOT NULL,
    PRIMARY KEY (job, seq)
);

-- Live workers, one row each; a session that ended never comes back under its number.
CREATE TABLE workers (
    id serial PRIMARY KEY,
    name text NOT NULL UNIQUE,
    started bigint NOT NULL,
    lease_until bigint NOT NULL,
    beat bigint NOT NULL
) WITH (fillfactor = 50);
";

/// The same tables. Here the end of a job is a row of `events`, and `job_history.event` stays null: there is one writer, and
/// no number that two tables could draw from.
const SQLITE: &str = "
CREATE TABLE jobs (
    id integer PRIMARY KEY AUTOINCREMENT,
    lane integer NOT NULL,
    created integer NOT NULL,
    run_at integer,
    org blob NOT NULL,
    project blob,
    attempt integer NOT NULL,
    rank integer NOT NULL,
    cancel_asked integer NOT NULL,
    verb text NOT NULL,
    arch text,
    org_name text NOT NULL,
    project_name text,
    key text
) STRICT;
CREATE INDEX jobs_lane ON jobs (lane, id);
CREATE INDEX jobs_ready ON jobs (rank, id) WHERE run_at IS NULL;
CREATE INDEX jobs_due ON jobs (run_at) WHERE run_at IS NOT NULL;
CREATE INDEX jobs_cancelled ON jobs (id) WHERE cancel_asked;

CREATE TABLE lanes (
    lane integer PRIMARY KEY,
    job integer,
    since integer,
    worker integer,
    fence integer NOT NULL,
    stamp integer NOT NULL
) STRICT;

CREATE TABLE events (
    id integer PRIMARY KEY AUTOINCREMENT,
    at integer NOT NULL,
    job integer NOT NULL,
    org blob NOT NULL,
    project blob,
    what text NOT NULL
) STRICT;

CREATE TABLE job_history (
    id integer PRIMARY KEY,
    event integer,
    created integer NOT NULL,
    started integer,
    ended integer NOT NULL,
    org blob NOT NULL,
    project blob,
    attempt integer NOT NULL,
    rank integer NOT NULL,
    cancel_asked integer NOT NULL,
    state text NOT NULL,
    verb text NOT NULL,
    arch text,
    org_name text NOT NULL,
    project_name text,
    worker text,
    key text,
    outcome text
) STRICT;
CREATE INDEX job_history_stuck ON job_history (id) WHERE state = 'stuck';

CREATE TABLE job_keys (key text PRIMARY KEY, job integer NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE job_facts (
    job integer NOT NULL,
    at integer NOT NULL,
    seq integer NOT NULL,
    fact text NOT NULL,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
    id integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL UNIQUE,
    started integer NOT NULL,
    lease_until integer NOT NULL,
    beat integer NOT NULL
) STRICT;
";
