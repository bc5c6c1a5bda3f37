//! The door: people and what they are in organizations, tokens, and the audit, which nobody changes.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::dialect;

/// See the head of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let guard = match backend {
            DbBackend::Sqlite => SQLITE,
            _ => POSTGRES,
        };
        let connection = manager.get_connection();
        connection.execute_unprepared(&dialect(backend, TABLES)).await?;
        connection.execute_unprepared(guard).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let function = match manager.get_database_backend() {
            DbBackend::Sqlite => "",
            _ => "DROP FUNCTION audit_is_kept();",
        };
        let tables = "DROP TABLE audit; DROP TABLE tokens; DROP TABLE members; DROP TABLE users; \
                      DROP INDEX job_history_bad;";
        manager.get_connection().execute_unprepared(&format!("{tables} {function}")).await?;
        Ok(())
    }
}

/// A token's secret is nowhere: what is kept is its SHA-256. The audit outlives what it tells of, so it points to nothing. The index
/// of jobs that came to nothing is for those who ask for a builder; a job that succeeds writes nothing into it.
const TABLES: &str = "
CREATE TABLE users (
    id {uuid} PRIMARY KEY NOT NULL,
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 2 AND 39),
    created {int} NOT NULL
) {strict};
CREATE TABLE members (
    org {uuid} NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    person {uuid} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('member', 'owner')),
    created {int} NOT NULL,
    PRIMARY KEY (org, person)
) {strict};
CREATE INDEX members_person ON members (person);
CREATE TABLE tokens (
    id {uuid} PRIMARY KEY NOT NULL,
    hash text NOT NULL UNIQUE CHECK (length(hash) = 64),
    kind text NOT NULL CHECK (kind IN ('operator', 'org', 'project', 'user')),
    org {uuid} REFERENCES orgs (id) ON DELETE CASCADE,
    project {uuid} REFERENCES projects (id) ON DELETE CASCADE,
    person {uuid} REFERENCES users (id) ON DELETE CASCADE,
    scope text NOT NULL CHECK (scope IN ('read', 'build', 'manage')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    created {int} NOT NULL,
    created_by text NOT NULL,
    expires {int} NOT NULL,
    last_used {int},
    revoked {int},
    CONSTRAINT tokens_shape CHECK (
        CASE kind
            WHEN 'operator' THEN org IS NULL AND project IS NULL AND person IS NULL
            WHEN 'org' THEN org IS NOT NULL AND project IS NULL AND person IS NULL
            WHEN 'project' THEN org IS NOT NULL AND project IS NOT NULL AND person IS NULL
            ELSE org IS NULL AND project IS NULL AND person IS NOT NULL
        END
    ),
    CHECK (kind <> 'project' OR scope <> 'manage'),
    CHECK (expires > created)
) {strict};
CREATE INDEX tokens_org ON tokens (org);
CREATE TABLE audit (
    seq {int} PRIMARY KEY NOT NULL CHECK (seq > 0),
    at {int} NOT NULL,
    identity text NOT NULL,
    token {uuid},
    address text,
    act text NOT NULL,
    org {uuid},
    resource text NOT NULL,
    outcome text NOT NULL,
    detail text,
    previous text NOT NULL CHECK (length(previous) = 64),
    hash text NOT NULL UNIQUE CHECK (length(hash) = 64)
) {strict};
CREATE INDEX audit_org ON audit (org, seq);
CREATE INDEX job_history_bad ON job_history (project, id) WHERE state IN ('failed', 'stuck');
";

/// Row triggers fire before a constraint is looked at, and for every row.
const SQLITE: &str = "
CREATE TRIGGER audit_keeps_rows BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_keeps_all_rows BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
";

/// TRUNCATE fires no row trigger: it has one of its own.
const POSTGRES: &str = "
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_keeps_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept();
";
