//! Organizations and projects.

use sea_orm_migration::prelude::*;

use crate::dialect;

/// See the head of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = dialect(manager.get_database_backend(), TABLES);
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE projects; DROP TABLE orgs;").await?;
        Ok(())
    }
}

/// A foreign key with a null in it is not checked (MATCH SIMPLE, the only kind that SQLite has): a project without a region is
/// free to go anywhere inside its residency, and nothing else of that key may be null.
/// The last unique key is there for resources to point to.
const TABLES: &str = "
CREATE TABLE orgs (
    id {uuid} PRIMARY KEY NOT NULL,
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 2 AND 39),
    deleting {bool} NOT NULL,
    created {int} NOT NULL
) {strict};
CREATE TABLE projects (
    id {uuid} PRIMARY KEY NOT NULL,
    org {uuid} NOT NULL REFERENCES orgs (id),
    name text NOT NULL CHECK (length(name) BETWEEN 2 AND 39),
    residency text NOT NULL CHECK (residency IN ('us', 'eu')),
    cloud text NOT NULL CHECK (cloud IN ('aws', 'gcp')),
    region text,
    size text NOT NULL CHECK (size IN ('4x8', '8x16', '16x32', '32x64')),
    cache_gib {int} NOT NULL CHECK (cache_gib BETWEEN 1 AND 65536),
    cache_iops {int} CHECK (cache_iops > 0),
    cache_mibps {int} CHECK (cache_mibps > 0),
    deleting {bool} NOT NULL,
    created {int} NOT NULL,
    UNIQUE (org, name),
    UNIQUE (org, id, cloud, residency),
    FOREIGN KEY (cloud, region, residency) REFERENCES regions (cloud, name, residency)
) {strict};
";
