//! Reconcile: its runs, what they found and has not been mended, who runs it; and what keeps or ends a builder: holds, uses
//! and the projects' own rules.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::dialect;

/// See the head of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let serial = match backend {
            DbBackend::Sqlite => "integer PRIMARY KEY AUTOINCREMENT",
            _ => "bigserial PRIMARY KEY",
        };
        let sql = dialect(backend, TABLES).replace("{serial}", serial);
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared(
                "DROP TABLE reconcile_runs; DROP TABLE reconcile_lease; DROP TABLE findings; DROP TABLE holds; \
                 DROP TABLE builder_uses; DROP INDEX resources_place; \
                 ALTER TABLE projects DROP COLUMN idle_stop; ALTER TABLE projects DROP COLUMN idle_destroy; \
                 ALTER TABLE projects DROP COLUMN cache_destroy;",
            )
            .await?;
        Ok(())
    }
}

/// Times are milliseconds since 1970, lengths of time seconds. A finding's `subject` is JSON; what is searched by has a column.
/// A job about a finding has the finding's id where other jobs have their project.
const TABLES: &str = "
CREATE TABLE reconcile_runs (
    id {serial},
    started {int} NOT NULL,
    ended {int},
    runner text NOT NULL,
    mode text NOT NULL,
    report text
) {strict};
CREATE TABLE reconcile_lease (
    name text PRIMARY KEY NOT NULL,
    runner text NOT NULL,
    until {int} NOT NULL
) {strict};
CREATE TABLE findings (
    id {uuid} PRIMARY KEY NOT NULL,
    cloud text NOT NULL,
    region text NOT NULL,
    kind text NOT NULL,
    remote text,
    org {uuid},
    org_name text NOT NULL,
    first_seen {int} NOT NULL,
    last_seen {int} NOT NULL,
    last_run {int} NOT NULL,
    sightings {int} NOT NULL,
    quarantine_until {int},
    repairs {int} NOT NULL,
    job {int},
    subject text NOT NULL
) {strict};
CREATE INDEX findings_place ON findings (cloud, region);
CREATE TABLE holds (
    project {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    arch text NOT NULL CHECK (arch IN ('x86_64', 'arm64')),
    until {int} NOT NULL,
    reason text NOT NULL,
    created {int} NOT NULL,
    PRIMARY KEY (project, arch)
) {strict};
CREATE TABLE builder_uses (
    project {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    arch text NOT NULL CHECK (arch IN ('x86_64', 'arm64')),
    at {int} NOT NULL,
    PRIMARY KEY (project, arch)
) {strict};
CREATE INDEX resources_place ON resources (cloud, region, id);
ALTER TABLE projects ADD COLUMN idle_stop {int} CHECK (idle_stop > 0);
ALTER TABLE projects ADD COLUMN idle_destroy {int} CHECK (idle_destroy > 0);
ALTER TABLE projects ADD COLUMN cache_destroy {int} CHECK (cache_destroy > 0);
";
