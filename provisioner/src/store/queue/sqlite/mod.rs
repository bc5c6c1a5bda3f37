//! The queue's statements for SQLite. There is one writer, and each function here is one transaction, so one fsync.
//!
//! Many rows go in as one JSON text: a statement costs a hop to the database's thread.

mod enqueue;
mod release;
mod step;

use sea_orm::sqlx::{self, Sqlite, SqlitePool, Transaction};

pub(super) use enqueue::enqueue;
pub(super) use release::release;
pub(super) use step::step;

/// A transaction that will write takes the write lock at once.
async fn begin(pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
    pool.begin_with("BEGIN IMMEDIATE").await
}

/// Something of ours that would not become JSON.
fn encoding(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}
