//! Regions and zones with the residency in which they lie. [`crate::seed`] fills them.

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
        manager.get_connection().execute_unprepared("DROP TABLE zones; DROP TABLE regions;").await?;
        Ok(())
    }
}

/// The unique keys that end in `residency` are there to be pointed to.
const TABLES: &str = "
CREATE TABLE regions (
    cloud text NOT NULL CHECK (cloud IN ('aws', 'gcp')),
    name text NOT NULL,
    residency text NOT NULL CHECK (residency IN ('us', 'eu')),
    PRIMARY KEY (cloud, name),
    UNIQUE (cloud, name, residency)
) {strict};
CREATE TABLE zones (
    cloud text NOT NULL,
    region text NOT NULL,
    name text NOT NULL,
    residency text NOT NULL,
    PRIMARY KEY (cloud, region, name),
    UNIQUE (cloud, region, name, residency),
    FOREIGN KEY (cloud, region, residency) REFERENCES regions (cloud, name, residency)
) {strict};
";
