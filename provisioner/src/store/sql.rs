//! Statements that are put together, and rows that are not trusted.

use std::{fmt::Write as _, str::FromStr};

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, QueryResult, Statement, TryGetable, Value};
use uuid::Uuid;

use super::{Store, StoreError};
use crate::core::Tenants;

/// A statement in the making. Both databases take `$1`, `$2` and so on as marks.
#[derive(Clone, Debug, Default)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// A statement with its values, in the order of its marks.
    pub(super) fn with(text: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Self {
        Self { text: text.into(), values: values.into_iter().collect() }
    }

    /// Its text and values.
    pub(super) fn parts(self) -> (String, Vec<Value>) {
        (self.text, self.values)
    }

    /// More text.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// A mark, and the value for it.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// ` AND ...`: rows of those tenants alone. What has no project is no project's.
    pub(super) fn within(&mut self, tenants: &Tenants, org: &str, project: Option<&str>) -> &mut Self {
        match (tenants, project) {
            (Tenants::All, _) => self,
            (Tenants::Orgs(orgs), _) if orgs.is_empty() => self.push(" AND false"),
            (Tenants::Orgs(orgs), _) => {
                self.push(&format!(" AND {org} IN (")).list(orgs.iter().map(|org| org.as_uuid().into())).push(")")
            }
            (Tenants::Projects(..), None) => self.push(" AND false"),
            (Tenants::Projects(_, only), Some(_)) if only.is_empty() => self.push(" AND false"),
            (Tenants::Projects(of, only), Some(project)) => {
                self.push(&format!(" AND {org} = ")).bind(of.as_uuid());
                let only = only.iter().map(|project| project.as_uuid().into());
                self.push(&format!(" AND {project} IN (")).list(only).push(")")
            }
        }
    }

    /// `(a, b), (c, d)`: rows for an INSERT.
    pub(super) fn rows(&mut self, rows: impl IntoIterator<Item = Vec<Value>>) -> &mut Self {
        for (n, row) in rows.into_iter().enumerate() {
            self.push(if n == 0 { "(" } else { ", (" }).list(row).push(")");
        }
        self
    }

    /// `a, b, c`.
    pub(super) fn list(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        for (n, value) in values.into_iter().enumerate() {
            self.push(if n == 0 { "" } else { ", " }).bind(value);
        }
        self
    }
}

/// Where a statement goes: into a transaction, or to the readers.
pub(super) enum Via<'a> {
    /// The statement only reads, and sees what has been committed.
    Reader,
    /// The statement writes and is a transaction of its own.
    Alone,
    /// Part of a transaction.
    Within(&'a DatabaseTransaction),
}

impl Store {
    /// Sends a statement, and gives its rows.
    pub(super) async fn query(&self, via: Via<'_>, sql: Sql) -> Result<Vec<QueryResult>, StoreError> {
        match via {
            Via::Within(transaction) => self.send(transaction, sql).await,
            Via::Reader | Via::Alone => {
                let writes = matches!(via, Via::Alone);
                let rows = match &self.scope {
                    Some(scope) => {
                        self.count(if writes { 2 } else { 1 }, 0);
                        self.run(scope.query(self.db().get_postgres_connection_pool(), sql, writes)).await
                    }
                    None => self.run(query(if writes { self.db() } else { self.reader() }, sql)).await,
                };
                self.count(1, u64::from(writes && rows.is_ok()));
                rows
            }
        }
    }

    /// Sends a statement within a transaction, and gives its rows.
    pub(super) async fn send(
        &self,
        transaction: &DatabaseTransaction,
        sql: Sql,
    ) -> Result<Vec<QueryResult>, StoreError> {
        self.count(1, 0);
        let statement = Statement::from_sql_and_values(transaction.get_database_backend(), sql.text, sql.values);
        self.run(transaction.query_all_raw(statement)).await
    }

    /// Sends a statement within a transaction, and gives the number of rows that it changed.
    pub(super) async fn execute(&self, transaction: &DatabaseTransaction, sql: Sql) -> Result<u64, StoreError> {
        self.count(1, 0);
        let statement = Statement::from_sql_and_values(transaction.get_database_backend(), sql.text, sql.values);
        Ok(self.run(transaction.execute_raw(statement)).await?.rows_affected())
    }
}

async fn query(db: &DatabaseConnection, sql: Sql) -> Result<Vec<QueryResult>, sea_orm::DbErr> {
    db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql.text, sql.values)).await
}

/// A row that was read, with what a complaint about it needs.
pub(super) struct Row<'a> {
    table: &'static str,
    /// The column that says which row it is.
    key: &'static str,
    row: &'a QueryResult,
}

impl<'a> Row<'a> {
    pub(super) const fn new(table: &'static str, key: &'static str, row: &'a QueryResult) -> Self {
        Self { table, key, row }
    }

    /// A column as it is.
    pub(super) fn get<T: TryGetable>(&self, column: &'static str) -> Result<T, StoreError> {
        self.row.try_get("", column).map_err(|error| self.corrupt(column, error))
    }

    /// A column whose text has to be understood.
    pub(super) fn parse<T: FromStr<Err: ToString>>(&self, column: &'static str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        text.parse().map_err(|error: T::Err| self.corrupt(column, error.to_string()))
    }

    /// The same, where there may be none.
    pub(super) fn parse_some<T: FromStr<Err: ToString>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse().map_err(|error: T::Err| self.corrupt(column, error.to_string()))).transpose()
    }

    /// A column that holds JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|error| self.corrupt(column, error))
    }

    /// A type of ours that is read by its name in the database.
    pub(super) fn word<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        let reader = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&text);
        T::deserialize(reader).map_err(|error| self.corrupt(column, error))
    }

    /// A number that must fit.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, StoreError> {
        let number: i64 = self.get(column)?;
        T::try_from(number).map_err(|_| self.corrupt(column, format!("{number} is out of range")))
    }

    /// A number that must fit, where there may be none.
    pub(super) fn number_some<T: TryFrom<i64>>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let number: Option<i64> = self.get(column)?;
        number.map(|n| T::try_from(n).map_err(|_| self.corrupt(column, format!("{n} is out of range")))).transpose()
    }

    /// The complaint.
    pub(super) fn corrupt(&self, column: &'static str, reason: impl ToString) -> StoreError {
        let key = self.key;
        let id = (self.row.try_get::<Uuid>("", key).map(|id| id.to_string()))
            .or_else(|_| self.row.try_get::<i64>("", key).map(|id| id.to_string()))
            .or_else(|_| self.row.try_get::<String>("", key))
            .unwrap_or_else(|_| "with an id that can't be read".to_owned());
        StoreError::Corrupt { table: self.table, id, column, reason: reason.to_string() }
    }
}
