//! Grants of debug access: who may come onto which builder, until when, on whose word; and how far the way in is.
//!
//! A builder has one that is not closed at a time. The database itself knows the longest time, whoever writes.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::{dialect, m0008_tenancy::policy};

/// See the head of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let connection = manager.get_connection();
        connection.execute_unprepared(&dialect(backend, TABLES)).await?;
        if backend == DbBackend::Postgres {
            connection.execute_unprepared(&policy("grants", "{all} OR {project}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = "DROP TABLE grants; ALTER TABLE events DROP COLUMN access;";
        manager.get_connection().execute_unprepared(tables).await.map(drop)
    }
}

/// Times are milliseconds since 1970; 28,800,000 are eight hours. `tried` is when the way was last being opened, `look` when it is to
/// be looked at again, `lease` until when a worker has it. An event of a grant has no job: its number is 0.
const TABLES: &str = "
CREATE TABLE grants (
    id {uuid} PRIMARY KEY NOT NULL,
    org {uuid} NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    project {uuid} NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    arch text NOT NULL CHECK (arch IN ('x86_64', 'arm64')),
    principal text NOT NULL CHECK (length(principal) BETWEEN 1 AND 256),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    created {int} NOT NULL,
    created_by text NOT NULL,
    until {int} NOT NULL,
    revoked {int},
    revoked_by text,
    state text NOT NULL CHECK (state IN ('granted', 'opening', 'open', 'closing', 'closed')),
    opened_by text,
    machine {uuid},
    remote text,
    cloud text,
    zone text,
    command text,
    problem text,
    tried {int},
    look {int} NOT NULL,
    lease {int} NOT NULL,
    holder text,
    CHECK (until > created AND until - created <= 28800000),
    CHECK (state IN ('granted', 'closed') OR (machine IS NOT NULL AND remote IS NOT NULL AND zone IS NOT NULL))
) {strict};
CREATE UNIQUE INDEX grants_open ON grants (project, arch) WHERE state <> 'closed';
CREATE INDEX grants_project ON grants (project, created);
ALTER TABLE events ADD COLUMN access {uuid};
";
