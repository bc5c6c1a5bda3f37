//! Keys, cache volumes and builder machines.

use sea_orm_migration::prelude::*;

use crate::dialect;

/// See the head of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = dialect(manager.get_database_backend(), TABLE);
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP TABLE resources;").await?;
        Ok(())
    }
}

/// The one `residency` is the project's, the region's and the zone's at once, so that they can't differ. A null in a foreign key
/// turns it off: the check on `kind` says exactly whose `project` and `zone` are null (keys', which are an
/// organization's own and have no zone), and all else in those keys is not null.
const TABLE: &str = "
CREATE TABLE resources (
    id {uuid} PRIMARY KEY NOT NULL,
    kind text NOT NULL CHECK (kind IN ('key', 'volume', 'machine')),
    org {uuid} NOT NULL REFERENCES orgs (id),
    project {uuid},
    arch text CHECK (arch IN ('x86_64', 'arm64')),
    cloud text NOT NULL,
    region text NOT NULL,
    zone text,
    residency text NOT NULL,
    remote text CHECK (remote <> ''),
    state text NOT NULL CHECK (state IN ('maybe', 'pending', 'ready', 'stopped', 'leaving', 'broken')),
    incarnation {int} NOT NULL CHECK (incarnation >= 0),
    blueprint text NOT NULL,
    address text,
    job {int} NOT NULL,
    created {int} NOT NULL,
    updated {int} NOT NULL,
    CONSTRAINT resources_shape CHECK (
        CASE kind
            WHEN 'key' THEN project IS NULL AND arch IS NULL AND zone IS NULL
            ELSE project IS NOT NULL AND arch IS NOT NULL AND zone IS NOT NULL
        END
    ),
    FOREIGN KEY (org, project, cloud, residency) REFERENCES projects (org, id, cloud, residency),
    FOREIGN KEY (cloud, region, residency) REFERENCES regions (cloud, name, residency),
    FOREIGN KEY (cloud, region, zone, residency) REFERENCES zones (cloud, region, name, residency)
) {strict};
CREATE UNIQUE INDEX resources_one_each ON resources (project, arch, kind) WHERE kind <> 'key';
CREATE UNIQUE INDEX resources_one_key ON resources (org, cloud, region) WHERE kind = 'key';
CREATE UNIQUE INDEX resources_remote ON resources (cloud, region, kind, remote) WHERE remote IS NOT NULL;
CREATE INDEX resources_org ON resources (org);
";
