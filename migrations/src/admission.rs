//! The API's own role on PostgreSQL: what it may do at all, before the policies say with whose rows.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

/// Tables, and what the API does with them. What is not here it can't touch: findings, runs of reconcile, leases.
const TABLES: &[(&str, &str)] = &[
    (crate::TABLE, "SELECT"),
    ("regions", "SELECT"),
    ("zones", "SELECT"),
    ("workers", "SELECT"),
    ("orgs", "SELECT, INSERT, UPDATE"),
    ("projects", "SELECT, INSERT, UPDATE"),
    ("resources", "SELECT"),
    ("holds", "SELECT, INSERT, UPDATE, DELETE"),
    ("builder_uses", "SELECT, INSERT, UPDATE"),
    ("grants", "SELECT, INSERT, UPDATE (revoked, revoked_by, state, opened_by, machine, remote, cloud, zone, look)"),
    ("jobs", "SELECT, INSERT, UPDATE, DELETE"),
    ("lanes", "SELECT, INSERT, UPDATE"),
    ("job_keys", "SELECT, INSERT, UPDATE"),
    ("job_history", "SELECT, INSERT, DELETE"),
    ("job_facts", "SELECT, INSERT"),
    ("events", "SELECT, INSERT"),
    ("users", "SELECT, INSERT"),
    ("members", "SELECT, INSERT, UPDATE, DELETE"),
    ("tokens", "SELECT, INSERT, UPDATE"),
    ("trusts", "SELECT, INSERT, DELETE"),
    ("trust_projects", "SELECT, INSERT"),
    ("exchanges", "SELECT, INSERT, DELETE"),
    ("audit", "SELECT, INSERT"),
];

const SEQUENCES: &[&str] = &["jobs_id_seq", "events_id_seq"];

const FUNCTIONS: &[&str] = &[
    "proved_token(text)",
    "proved_workflow(text)",
    "roles_of_person(uuid)",
    "note_token_use(uuid, bigint, bigint)",
    "audit_head()",
];

/// Why a role can't be the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such role, or no roles at all.
    Missing,
    /// The policies would not hold it: a superuser, one that bypasses them, or one that may act as the tables' owner.
    Unheld,
}

/// Gives that role what the API needs and takes from it what it does not; whoever was let in before, too, has what a newer schema
/// has brought. `None` renews those alone.
///
/// # Errors
/// What the database says.
pub async fn admit<C: ConnectionTrait>(db: &C, role: Option<&str>) -> Result<Result<Vec<String>, Unfit>, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(role.map_or(Ok(Vec::new()), |_| Err(Unfit::Missing)));
    }
    let mut names = known(db).await?;
    if let Some(role) = role {
        let sql = "SELECT rolsuper OR rolbypassrls OR pg_has_role(rolname, \
                     (SELECT c.relowner FROM pg_class c WHERE c.oid = 'orgs'::regclass), 'MEMBER') AS unheld \
                   FROM pg_roles WHERE rolname = $1";
        let rows = db.query_all_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [role.into()])).await?;
        match rows.first() {
            None => return Ok(Err(Unfit::Missing)),
            Some(row) if row.try_get("", "unheld")? => return Ok(Err(Unfit::Unheld)),
            Some(_) => {}
        }
        if !names.iter().any(|name| name == role) {
            names.push(role.to_owned());
        }
    }
    for name in &names {
        let role = quoted(name);
        let mut sql = format!("GRANT USAGE ON SCHEMA {} TO {role};", schema(db).await?);
        for (table, rights) in TABLES {
            sql.push_str(&format!("REVOKE ALL ON {table} FROM {role}; GRANT {rights} ON {table} TO {role};"));
        }
        for sequence in SEQUENCES {
            sql.push_str(&format!("GRANT USAGE ON SEQUENCE {sequence} TO {role};"));
        }
        for function in FUNCTIONS {
            sql.push_str(&format!("GRANT EXECUTE ON FUNCTION {function} TO {role};"));
        }
        db.execute_unprepared(&sql).await?;
    }
    Ok(Ok(names))
}

/// Who has been let in before: the roles, but for the owner, that may prove tokens.
async fn known<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT r.rolname::text AS name FROM pg_proc p, aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee \
               WHERE p.oid = 'proved_token(text)'::regprocedure AND a.grantee <> p.proowner ORDER BY 1";
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

async fn schema<C: ConnectionTrait>(db: &C) -> Result<String, DbErr> {
    let sql = "SELECT current_schema()::text AS name";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    let name: String = row.ok_or_else(|| DbErr::Custom("there is no schema".to_owned()))?.try_get("", "name")?;
    Ok(quoted(&name))
}

/// As an identifier (PostgreSQL, "Identifiers and Key Words").
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
