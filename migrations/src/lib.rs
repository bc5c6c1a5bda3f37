//! The schema, one file a change, for PostgreSQL and SQLite.
//!
//! A change that has been released is never edited: write the next one. Rows of tenants and jobs are never made or taken away
//! here; the only rows that come from here are those of the catalogue ([`seed`]), which the foreign keys of everything
//! else point to.

mod admission;
mod catalogue;
mod m0001_regions;
mod m0002_tenants;
mod m0003_resources;
mod m0004_queue;
mod m0005_reconcile;
mod m0006_access;
mod m0007_trusts;
mod m0008_tenancy;
mod m0009_kept_plans;
mod m0010_grants;

pub use admission::{Unfit, admit};
pub use catalogue::{missing, seed};
pub use sea_orm_migration::MigratorTrait;

use sea_orm_migration::{
    MigrationTrait,
    sea_orm::DbBackend,
    sea_query::{Alias, DynIden, IntoIden},
};

/// The table that says which changes a database has had. It has a name of its own, so that the database may be shared with
/// another program that uses SeaORM's.
pub const TABLE: &str = "provisioner_migrations";

/// All changes, in order.
#[derive(Clone, Copy, Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_regions::Migration),
            Box::new(m0002_tenants::Migration),
            Box::new(m0003_resources::Migration),
            Box::new(m0004_queue::Migration),
            Box::new(m0005_reconcile::Migration),
            Box::new(m0006_access::Migration),
            Box::new(m0007_trusts::Migration),
            Box::new(m0008_tenancy::Migration),
            Box::new(m0009_kept_plans::Migration),
            Box::new(m0010_grants::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        Alias::new(TABLE).into_iden()
    }
}

/// The names of all changes, in order.
#[must_use]
pub fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

/// The text of a change, in which `{uuid}`, `{int}` and `{bool}` stand for what the databases name differently, and `{strict}`
/// for the end of a table.
fn dialect(backend: DbBackend, text: &str) -> String {
    let words = match backend {
        DbBackend::Sqlite => [("{uuid}", "blob"), ("{int}", "integer"), ("{bool}", "integer"), ("{strict}", "STRICT")],
        _ => [("{uuid}", "uuid"), ("{int}", "bigint"), ("{bool}", "boolean"), ("{strict}", "")],
    };
    words.iter().fold(text.to_owned(), |text, (mark, word)| text.replace(mark, word))
}
