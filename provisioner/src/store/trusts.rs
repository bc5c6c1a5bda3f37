//! Trust in repositories' workflows, and the tokens of a few minutes that came of it.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::Value;
use uuid::Uuid;

use super::{
    Constraint, Store, StoreError, Unproved,
    sql::{Row, Sql, Via},
};
use crate::core::{Identity, Name, OrgId, ProjectId, TokenId, TokenScope, Trust, TrustId, Who};

/// For how long a token that came of a trust is remembered after its time, so that one that comes late is told so.
const REMEMBERED_MS: i64 = 86_400_000;
/// Those that are forgotten at a time.
const FORGOTTEN: i64 = 500;

/// A trust to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTrust {
    /// What it says.
    pub trust: Trust,
    /// Who says it.
    pub created_by: String,
}

/// A token to be that comes of a trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExchange {
    /// Its id, made at the edge.
    pub id: TokenId,
    /// What its secret hashes to.
    pub hash: String,
    /// The trust.
    pub trust: TrustId,
    /// The run, for the audit.
    pub run: String,
    /// From when on it is worthless, in milliseconds since 1970.
    pub expires_ms: i64,
}

impl Store {
    /// Makes a trust.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if the organization has one of that name; [`StoreError::Refused`] without projects, with
    /// projects that are not its organization's, or with numbers that are none.
    pub async fn create_trust(&self, new: &NewTrust, now_ms: i64) -> Result<(), StoreError> {
        let trust = &new.trust;
        check(trust)?;
        let id = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let transaction = self.begin().await?;
        let mut sql = Sql::new(
            "INSERT INTO trusts (id, org, name, repository, repository_id, owner_id, environment, refs, scope, created, \
             created_by) VALUES ",
        );
        sql.rows([vec![
            trust.id.as_uuid().into(),
            trust.org.as_uuid().into(),
            trust.name.as_str().into(),
            trust.repository.as_str().into(),
            id(trust.repository_id).into(),
            id(trust.owner_id).into(),
            trust.environment.clone().into(),
            trust.refs.as_ref().map(|refs| refs.as_str().to_owned()).into(),
            trust.scope.as_str().into(),
            now_ms.into(),
            new.created_by.clone().into(),
        ]]);
        sql.push(" ON CONFLICT (org, name) DO NOTHING RETURNING id");
        if self.query(Via::Within(&transaction), sql).await?.is_empty() {
            let remedy = "use another name, or delete that one first".to_owned();
            return Err(StoreError::Exists { what: "trust", name: trust.name.to_string(), remedy });
        }
        let mut sql = Sql::new("INSERT INTO trust_projects (trust, org, project) VALUES ");
        sql.rows(trust.projects.iter().map(|project| -> Vec<Value> {
            vec![trust.id.as_uuid().into(), trust.org.as_uuid().into(), project.as_uuid().into()]
        }));
        match self.execute(&transaction, sql).await {
            Err(error) if error.constraint() == Some(Constraint::ForeignKey) => Err(StoreError::Refused {
                field: "projects".to_owned(),
                reason: "one of them is not the organization's".to_owned(),
                remedy: "name projects of the organization".to_owned(),
            }),
            Err(error) => Err(error),
            Ok(_) => self.commit(transaction).await,
        }
    }

    /// An organization's trusts, by name. Two statements.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn trusts(&self, org: OrgId) -> Result<Vec<Trust>, StoreError> {
        let sql = Sql::with("SELECT trust, project FROM trust_projects WHERE org = $1", [org.as_uuid().into()]);
        let mut projects: BTreeMap<Uuid, BTreeSet<ProjectId>> = BTreeMap::new();
        for row in &self.query(Via::Reader, sql).await? {
            let row = Row::new("trust_projects", "trust", row);
            projects.entry(row.get("trust")?).or_default().insert(ProjectId::from_uuid(row.get("project")?));
        }
        let sql = Sql::with(
            "SELECT id, org, name, repository, repository_id, owner_id, environment, refs, scope FROM trusts \
             WHERE org = $1 ORDER BY name",
            [org.as_uuid().into()],
        );
        let rows = self.query(Via::Reader, sql).await?;
        rows.iter()
            .map(|row| {
                let row = Row::new("trusts", "id", row);
                let id: Uuid = row.get("id")?;
                Ok(Trust {
                    id: TrustId::from_uuid(id),
                    org: OrgId::from_uuid(row.get("org")?),
                    name: row.parse("name")?,
                    repository: row.parse("repository")?,
                    repository_id: row.number("repository_id")?,
                    owner_id: row.number("owner_id")?,
                    environment: row.get("environment")?,
                    refs: row.parse_some("refs")?,
                    scope: row.word("scope")?,
                    projects: projects.remove(&id).unwrap_or_default(),
                })
            })
            .collect()
    }

    /// Takes a trust away, and with it every token that came of it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_trust(&self, org: OrgId, name: &Name) -> Result<(), StoreError> {
        let sql = Sql::with(
            "DELETE FROM trusts WHERE org = $1 AND name = $2 RETURNING id",
            [org.as_uuid().into(), name.as_str().into()],
        );
        if self.query(Via::Alone, sql).await?.is_empty() {
            let remedy = "see which there are with `trust list`".to_owned();
            return Err(StoreError::NotFound { what: "trust", name: name.to_string(), remedy });
        }
        Ok(())
    }

    /// Keeps a token that came of a trust, and forgets some whose time has long been over.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the trust has gone.
    pub async fn create_exchange(&self, new: &NewExchange, now_ms: i64) -> Result<(), StoreError> {
        let sql = Sql::with(
            "DELETE FROM exchanges WHERE id IN (SELECT id FROM exchanges WHERE expires < $1 ORDER BY expires LIMIT $2)",
            [(now_ms - REMEMBERED_MS).into(), FORGOTTEN.into()],
        );
        self.query(Via::Alone, sql).await?;
        let mut sql = Sql::new("INSERT INTO exchanges (id, hash, trust, run, created, expires) VALUES ");
        sql.rows([vec![
            new.id.as_uuid().into(),
            new.hash.clone().into(),
            new.trust.as_uuid().into(),
            new.run.clone().into(),
            now_ms.into(),
            new.expires_ms.into(),
        ]]);
        match self.query(Via::Alone, sql).await {
            Err(error) if error.constraint() == Some(Constraint::ForeignKey) => {
                let remedy = "it was taken away a moment ago".to_owned();
                Err(StoreError::NotFound { what: "trust", name: new.trust.to_string(), remedy })
            }
            result => result.map(drop),
        }
    }

    /// Whom the secret of that hash proves, of those that came of a trust. Its projects are those that the trust has now. One
    /// statement.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn authenticate_workflow(
        &self,
        hash: &str,
        now_ms: i64,
    ) -> Result<Result<Identity, Unproved>, StoreError> {
        let text = if self.is_postgres() {
            "SELECT * FROM proved_workflow($1)"
        } else {
            "SELECT e.id, e.run, e.expires, t.id AS trust, t.org, t.name, t.scope, o.name AS org_name, p.project \
             FROM exchanges e JOIN trusts t ON t.id = e.trust JOIN orgs o ON o.id = t.org \
             LEFT JOIN trust_projects p ON p.trust = t.id WHERE e.hash = $1"
        };
        let sql = Sql::with(text, [hash.into()]);
        let rows = self.query(Via::Reader, sql).await?;
        let Some(first) = rows.first() else { return Ok(Err(Unproved::Unknown)) };
        let first = Row::new("exchanges", "id", first);
        if first.get::<i64>("expires")? <= now_ms {
            return Ok(Err(Unproved::Expired));
        }
        let mut projects = BTreeSet::new();
        for row in &rows {
            let project: Option<Uuid> = Row::new("trust_projects", "id", row).get("project")?;
            projects.extend(project.map(ProjectId::from_uuid));
        }
        let (org, name): (String, String) = (first.get("org_name")?, first.get("name")?);
        let who = Who::Workflow {
            org: OrgId::from_uuid(first.get("org")?),
            trust: TrustId::from_uuid(first.get("trust")?),
            projects,
        };
        Ok(Ok(Identity {
            token: TokenId::from_uuid(first.get("id")?),
            name: format!("{} by trust {org}/{name}", first.get::<String>("run")?),
            scope: first.word("scope")?,
            who,
        }))
    }
}

fn check(trust: &Trust) -> Result<(), StoreError> {
    let refused = |field: &str, reason: String, remedy: &str| {
        Err(StoreError::Refused { field: field.to_owned(), reason, remedy: remedy.to_owned() })
    };
    if trust.projects.is_empty() {
        return refused("projects", "a trust is for projects, and there is none".to_owned(), "name at least one");
    }
    if trust.scope == TokenScope::Manage {
        return refused("scope", "a workflow manages nothing".to_owned(), "use read or build");
    }
    for (field, id) in [("repository_id", trust.repository_id), ("owner_id", trust.owner_id)] {
        if id == 0 || i64::try_from(id).is_err() {
            let remedy = "`gh api repos/OWNER/NAME --jq '.id, .owner.id'` prints both numbers";
            return refused(field, format!("{id} is no number that GitHub gives"), remedy);
        }
    }
    if let Some(environment) = &trust.environment
        && let Err(error) = crate::core::trust::check_environment(environment)
    {
        return refused("environment", error.to_string(), "use the name as GitHub shows it");
    }
    Ok(())
}
