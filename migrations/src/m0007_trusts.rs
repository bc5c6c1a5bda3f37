//! Trust in workflows of GitHub repositories, and the tokens of a few minutes that come of it.

use sea_orm_migration::prelude::*;

use crate::dialect;

/// See the head of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.get_connection().execute_unprepared(&dialect(backend, TABLES)).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = "DROP TABLE exchanges; DROP TABLE trust_projects; DROP TABLE trusts; DROP INDEX projects_of_org;";
        manager.get_connection().execute_unprepared(tables).await?;
        Ok(())
    }
}

/// A trust is for projects of its own organization: the foreign keys see to it. When it goes, so do the tokens that came of it. Of
/// those, as of all tokens, the hash alone is kept.
const TABLES: &str = "
CREATE UNIQUE INDEX projects_of_org ON projects (org, id);
CREATE TABLE trusts (
    id {uuid} PRIMARY KEY NOT NULL,
    org {uuid} NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 2 AND 39),
    repository text NOT NULL CHECK (length(repository) BETWEEN 3 AND 201),
    repository_id {int} NOT NULL CHECK (repository_id > 0),
    owner_id {int} NOT NULL CHECK (owner_id > 0),
    environment text CHECK (length(environment) BETWEEN 1 AND 255),
    refs text CHECK (length(refs) BETWEEN 1 AND 255),
    scope text NOT NULL CHECK (scope IN ('read', 'build')),
    created {int} NOT NULL,
    created_by text NOT NULL,
    UNIQUE (org, name),
    UNIQUE (org, id)
) {strict};
CREATE TABLE trust_projects (
    trust {uuid} NOT NULL,
    org {uuid} NOT NULL,
    project {uuid} NOT NULL,
    PRIMARY KEY (trust, project),
    FOREIGN KEY (org, trust) REFERENCES trusts (org, id) ON DELETE CASCADE,
    FOREIGN KEY (org, project) REFERENCES projects (org, id) ON DELETE CASCADE
) {strict};
CREATE INDEX trust_projects_project ON trust_projects (org, project);
CREATE INDEX trust_projects_trust ON trust_projects (org, trust);
CREATE TABLE exchanges (
    id {uuid} PRIMARY KEY NOT NULL,
    hash text NOT NULL UNIQUE CHECK (length(hash) = 64),
    trust {uuid} NOT NULL REFERENCES trusts (id) ON DELETE CASCADE,
    run text NOT NULL CHECK (length(run) BETWEEN 1 AND 400),
    created {int} NOT NULL,
    expires {int} NOT NULL,
    CHECK (expires > created)
) {strict};
CREATE INDEX exchanges_trust ON exchanges (trust);
CREATE INDEX exchanges_expires ON exchanges (expires);
";
