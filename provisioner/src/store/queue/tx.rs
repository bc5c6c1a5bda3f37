//! Statements that are written once for both databases: the rarer ones.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait, Value,
};

/// A transaction that will write: on SQLite it takes the write lock at once, so that it can't lose it to another in
/// the middle.
pub(super) async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        isolation_level: None,
        access_mode: None,
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
    };
    db.begin_with_options(options).await
}

/// `FOR UPDATE` where there is such a thing. SQLite has one writer, and needs none.
pub(super) fn for_update<C: ConnectionTrait>(connection: &C) -> &'static str {
    if connection.get_database_backend() == DbBackend::Postgres { " FOR UPDATE" } else { "" }
}

pub(super) async fn exec<C: ConnectionTrait>(
    connection: &C,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    Ok(connection.execute_raw(statement).await?.rows_affected())
}

pub(super) async fn one<C: ConnectionTrait>(
    connection: &C,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<QueryResult>, DbErr> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.query_one_raw(statement).await
}

pub(super) async fn all<C: ConnectionTrait>(
    connection: &C,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    connection.query_all_raw(statement).await
}

pub(super) fn is_postgres<C: ConnectionTrait>(connection: &C) -> bool {
    connection.get_database_backend() == DbBackend::Postgres
}

/// Something of ours that would not become JSON.
pub(super) fn encoding(error: serde_json::Error) -> DbErr {
    DbErr::Json(error.to_string())
}
