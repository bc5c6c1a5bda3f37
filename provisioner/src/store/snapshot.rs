//! A SQLite database without tenants as one text of SQL, so that another can be made from it within a millisecond or two.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::StoreError;

/// The tables that are not empty in a new database: its own changes, and the catalogue.
const FILLED: [&str; 3] = [migrations::TABLE, "regions", "zones"];

/// The text.
pub(super) struct Snapshot(String);

impl Snapshot {
    /// What that database has.
    pub(super) async fn take(db: &DatabaseConnection) -> Result<Self, StoreError> {
        let mut text = String::from("BEGIN;\n");
        let schema = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
        for sql in strings(db, schema).await? {
            text.push_str(&sql);
            text.push_str(";\n");
        }
        for table in FILLED {
            let columns = strings(db, &format!("SELECT name AS sql FROM pragma_table_info('{table}')")).await?;
            let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
            let tuple = format!("SELECT '(' || {} || ')' AS sql FROM {table}", quoted.join(" || ', ' || "));
            let tuples = strings(db, &tuple).await?;
            text.push_str(&format!("INSERT INTO {table} VALUES\n{};\n", tuples.join(",\n")));
        }
        text.push_str("COMMIT;\n");
        Ok(Self(text))
    }

    /// Puts it into an empty database.
    pub(super) async fn restore(&self, db: &DatabaseConnection) -> Result<(), StoreError> {
        db.execute_unprepared(&self.0).await?;
        Ok(())
    }
}

/// The column `sql` of all rows.
async fn strings(db: &DatabaseConnection, query: &str) -> Result<Vec<String>, StoreError> {
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, query)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "sql")?)).collect()
}
