//! What a transaction says of itself to a database that walls tenants off: whose rows it is about.
//!
//! It is said within the transaction and ends with it, so that a connection that goes to the next request brings nothing along. Where
//! nothing is said nothing is seen. The policies are in `migrations`.

use sea_orm::{
    DbErr, QueryResult, RuntimeErr, Values,
    sqlx::{self, PgPool},
};
use sea_query_sqlx::SqlxValues;

use super::{Store, sql::Sql};
use crate::core::{Tenants, UserId};

/// Whose rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// `*`, or an array of ids as PostgreSQL writes one.
    orgs: String,
    /// An array of ids, or nothing for all projects of those organizations.
    projects: String,
    /// An id, or nothing.
    person: String,
}

impl Scope {
    fn new(tenants: &Tenants, person: Option<UserId>) -> Self {
        let (orgs, projects) = match tenants {
            Tenants::All => ("*".to_owned(), String::new()),
            Tenants::Orgs(orgs) => (array(orgs.iter().map(|org| org.as_uuid().to_string())), String::new()),
            Tenants::Projects(org, projects) => (
                array([org.as_uuid().to_string()].into_iter()),
                array(projects.iter().map(|project| project.as_uuid().to_string())),
            ),
        };
        Self { orgs, projects, person: person.map_or_else(String::new, |person| person.as_uuid().to_string()) }
    }

    /// The beginning of a transaction that says it, in one round trip: nothing but ids is in the text.
    pub(super) fn begin(&self) -> sqlx::AssertSqlSafe<String> {
        let Self { orgs, projects, person } = self;
        sqlx::AssertSqlSafe(format!(
            "BEGIN; SELECT set_config('provisioner.orgs', '{orgs}', true), \
             set_config('provisioner.projects', '{projects}', true), set_config('provisioner.person', '{person}', true)"
        ))
    }

    /// A transaction of one statement, in two round trips, or three if it writes.
    pub(super) async fn query(&self, pool: &PgPool, sql: Sql, writes: bool) -> Result<Vec<QueryResult>, DbErr> {
        let (text, values) = sql.parts();
        let sent = async {
            let mut transaction = pool.begin_with(self.begin()).await?;
            // Every text is a constant of ours with marks in it.
            let asked = sqlx::query_with(sqlx::AssertSqlSafe(text), SqlxValues(Values(values)));
            let rows = asked.fetch_all(&mut *transaction).await?;
            if writes {
                transaction.commit().await?;
            }
            // One that has only read is rolled back with the connection's next use, and nobody waits for that.
            Ok(rows)
        };
        let rows = sent.await.map_err(|error: sqlx::Error| DbErr::Query(RuntimeErr::SqlxError(error.into())))?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// The statement that says it.
    pub(super) fn sql(&self) -> Sql {
        Sql::with(
            "SELECT set_config('provisioner.orgs', $1, true), set_config('provisioner.projects', $2, true), \
             set_config('provisioner.person', $3, true)",
            [self.orgs.as_str().into(), self.projects.as_str().into(), self.person.as_str().into()],
        )
    }
}

fn array(ids: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", ids.collect::<Vec<_>>().join(","))
}

impl Store {
    /// The same store, whose transactions are about those tenants alone, and about what is that person's own. Where the database has no
    /// walls, or none for this user, it is the same store: see [`Store::is_walled`].
    #[must_use]
    pub fn within(&self, tenants: &Tenants, person: Option<UserId>) -> Self {
        let scope = self.is_walled().then(|| std::sync::Arc::new(Scope::new(tenants, person)));
        Self { scope, ..self.clone() }
    }
}
