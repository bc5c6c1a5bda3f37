//! API tokens: made, looked up by the hash of their secret, and made worthless. No secret comes here.

use sea_orm::QueryResult;
use uuid::Uuid;

use super::{
    Store, StoreError,
    sql::{Row, Sql, Via},
};
use crate::core::{Identity, OrgId, ProjectId, TokenId, TokenKind, TokenScope, UserId, Who};

/// How long the last use of a token may go unwritten: a token that is used all the time costs one write in so long.
const USED_EVERY_MS: i64 = 60_000;

/// Whose a token is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The operators.
    Operator,
    /// An organization.
    Org(OrgId),
    /// A project.
    Project(OrgId, ProjectId),
    /// A person.
    User(UserId),
}

impl Holder {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        match self {
            Self::Operator => TokenKind::Operator,
            Self::Org(_) => TokenKind::Org,
            Self::Project(..) => TokenKind::Project,
            Self::User(_) => TokenKind::User,
        }
    }
}

/// A token to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Its id, made at the edge.
    pub id: TokenId,
    /// What its secret hashes to.
    pub hash: String,
    /// Whose it is.
    pub holder: Holder,
    /// What it is good for at most.
    pub scope: TokenScope,
    /// What its maker calls it.
    pub name: String,
    /// Who makes it.
    pub created_by: String,
    /// From when on it is worthless, in milliseconds since 1970.
    pub expires_ms: i64,
}

/// A token as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose kind of token.
    pub kind: TokenKind,
    /// Its organization, if it is of one.
    pub org: Option<OrgId>,
    /// The organization, project or person by name.
    pub holder: String,
    /// What it is good for at most.
    pub scope: TokenScope,
    /// What its maker calls it.
    pub name: String,
    /// Who made it.
    pub created_by: String,
    /// When, in milliseconds since 1970.
    pub created_ms: i64,
    /// From when on it is worthless.
    pub expires_ms: i64,
    /// When it was last used, to the minute.
    pub last_used_ms: Option<i64>,
    /// When it was made worthless before its time.
    pub revoked_ms: Option<i64>,
}

/// Why a secret proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproved {
    /// No token has it.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was made worthless.
    Revoked,
}

impl Store {
    /// Makes a token.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a name, a scope or a time that can't be.
    pub async fn create_token(&self, new: &NewToken, now_ms: i64) -> Result<(), StoreError> {
        check(new, now_ms)?;
        let (org, project, user) = match new.holder {
            Holder::Operator => (None, None, None),
            Holder::Org(org) => (Some(org), None, None),
            Holder::Project(org, project) => (Some(org), Some(project), None),
            Holder::User(user) => (None, None, Some(user)),
        };
        let sql = Sql::with(
            "INSERT INTO tokens (id, hash, kind, org, project, person, scope, name, created, created_by, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            [
                new.id.as_uuid().into(),
                new.hash.clone().into(),
                new.holder.kind().as_str().into(),
                org.map(OrgId::as_uuid).into(),
                project.map(ProjectId::as_uuid).into(),
                user.map(UserId::as_uuid).into(),
                new.scope.as_str().into(),
                new.name.clone().into(),
                now_ms.into(),
                new.created_by.clone().into(),
                new.expires_ms.into(),
            ],
        );
        self.query(Via::Alone, sql).await.map(drop)
    }

    /// Whom the secret of that hash proves. One statement; another for a person's roles, and one in a minute that says that
    /// it was used. It reads what is so now: who was taken out, or whose token was revoked, is out.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn authenticate(&self, hash: &str, now_ms: i64) -> Result<Result<Identity, Unproved>, StoreError> {
        // Before it is known who asks no tenant's rows are seen: on PostgreSQL a function looks this one up.
        let text = if self.is_postgres() {
            "SELECT * FROM proved_token($1)"
        } else {
            "SELECT t.id, t.kind, t.org, t.project, t.person, t.scope, t.name, t.expires, t.last_used, t.revoked, \
             o.name AS org_name, p.name AS project_name, u.name AS user_name \
             FROM tokens t LEFT JOIN orgs o ON o.id = t.org LEFT JOIN projects p ON p.id = t.project \
             LEFT JOIN users u ON u.id = t.person WHERE t.hash = $1"
        };
        let sql = Sql::with(text, [hash.into()]);
        let rows = self.query(Via::Reader, sql).await?;
        let Some(row) = rows.first() else { return Ok(Err(Unproved::Unknown)) };
        let row = Row::new("tokens", "id", row);
        if row.get::<Option<i64>>("revoked")?.is_some() {
            return Ok(Err(Unproved::Revoked));
        }
        if row.get::<i64>("expires")? <= now_ms {
            return Ok(Err(Unproved::Expired));
        }
        let token = TokenId::from_uuid(row.get("id")?);
        let used: Option<i64> = row.get("last_used")?;
        if used.is_none_or(|used| used + USED_EVERY_MS <= now_ms) {
            self.note_use(token, now_ms).await?;
        }
        let kind: TokenKind = row.word("kind")?;
        let who = self.holder_of(kind, &row).await?;
        let name = format!("{} {} ({})", kind.as_str(), holder_name(kind, &row)?, row.get::<String>("name")?);
        Ok(Ok(Identity { token, name, scope: row.word("scope")?, who }))
    }

    async fn holder_of(&self, kind: TokenKind, row: &Row<'_>) -> Result<Who, StoreError> {
        let id = |column: &'static str| -> Result<Uuid, StoreError> {
            row.get::<Option<Uuid>>(column)?.ok_or_else(|| row.corrupt(column, "it is empty"))
        };
        Ok(match kind {
            TokenKind::Operator => Who::Operator,
            TokenKind::Org => Who::Org(OrgId::from_uuid(id("org")?)),
            TokenKind::Project => {
                Who::Project { org: OrgId::from_uuid(id("org")?), project: ProjectId::from_uuid(id("project")?) }
            }
            TokenKind::User => {
                let user = UserId::from_uuid(id("person")?);
                Who::User { user, roles: self.roles_of(user).await? }
            }
            TokenKind::Workflow => return Err(row.corrupt("kind", "workflows' tokens are kept elsewhere")),
        })
    }

    /// Guarded, so that of many requests in the same moment one writes.
    async fn note_use(&self, token: TokenId, now_ms: i64) -> Result<(), StoreError> {
        let text = if self.is_postgres() {
            "SELECT note_token_use($2, $1, $3)::text AS noted"
        } else {
            "UPDATE tokens SET last_used = $1 WHERE id = $2 AND (last_used IS NULL OR last_used <= $3)"
        };
        let sql = Sql::with(text, [now_ms.into(), token.as_uuid().into(), (now_ms - USED_EVERY_MS).into()]);
        self.query(Via::Alone, sql).await.map(drop)
    }

    /// Tokens, newest first: of an organization and its projects, or all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tokens(&self, org: Option<OrgId>) -> Result<Vec<Token>, StoreError> {
        self.listed(org.map(|org| ("org", org.as_uuid()))).await
    }

    /// The tokens of a person, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tokens_of(&self, user: UserId) -> Result<Vec<Token>, StoreError> {
        self.listed(Some(("person", user.as_uuid()))).await
    }

    async fn listed(&self, whose: Option<(&str, Uuid)>) -> Result<Vec<Token>, StoreError> {
        let mut sql = Sql::new(
            "SELECT t.id, t.kind, t.org, t.scope, t.name, t.created_by, t.created, t.expires, t.last_used, t.revoked, \
             o.name AS org_name, p.name AS project_name, u.name AS user_name \
             FROM tokens t LEFT JOIN orgs o ON o.id = t.org LEFT JOIN projects p ON p.id = t.project \
             LEFT JOIN users u ON u.id = t.person",
        );
        if let Some((column, id)) = whose {
            sql.push(&format!(" WHERE t.{column} = ")).bind(id);
        }
        sql.push(" ORDER BY t.created DESC, t.id");
        self.query(Via::Reader, sql).await?.iter().map(token_of).collect()
    }

    /// Makes a token worthless, at once. One of an organization, or whichever it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn revoke_token(&self, id: TokenId, org: Option<OrgId>, now_ms: i64) -> Result<(), StoreError> {
        self.revoke(id, org.map(|org| ("org", org.as_uuid())), now_ms).await
    }

    /// Makes a token of a person worthless, at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn revoke_token_of(&self, user: UserId, id: TokenId, now_ms: i64) -> Result<(), StoreError> {
        self.revoke(id, Some(("person", user.as_uuid())), now_ms).await
    }

    async fn revoke(&self, id: TokenId, whose: Option<(&str, Uuid)>, now_ms: i64) -> Result<(), StoreError> {
        let mut sql = Sql::with(
            "UPDATE tokens SET revoked = coalesce(revoked, $1) WHERE id = $2",
            [now_ms.into(), id.as_uuid().into()],
        );
        if let Some((column, of)) = whose {
            sql.push(&format!(" AND {column} = ")).bind(of);
        }
        sql.push(" RETURNING id");
        if self.query(Via::Alone, sql).await?.is_empty() {
            let remedy = "see which there are with `token list`".to_owned();
            return Err(StoreError::NotFound { what: "token", name: id.to_string(), remedy });
        }
        Ok(())
    }
}

fn check(new: &NewToken, now_ms: i64) -> Result<(), StoreError> {
    let refused = |field: &str, reason: &str, remedy: &str| {
        Err(StoreError::Refused { field: field.to_owned(), reason: reason.to_owned(), remedy: remedy.to_owned() })
    };
    if new.name.is_empty() || new.name.chars().count() > 64 || new.name.chars().any(char::is_control) {
        return refused("name", "a token's name has 1 to 64 printable characters", "say what the token is for");
    }
    if new.expires_ms <= now_ms {
        return refused("expires", "that is past", "name a time to come, a year from now at most");
    }
    if new.expires_ms > now_ms + 366 * 86_400_000 {
        return refused("expires", "that is more than a year from now", "name an earlier time, and renew the token");
    }
    if matches!(new.holder, Holder::Project(..)) && new.scope == TokenScope::Manage {
        return refused(
            "scope",
            "a project's token manages nothing",
            "use read or build, or a token of the organization",
        );
    }
    Ok(())
}

fn holder_name(kind: TokenKind, row: &Row<'_>) -> Result<String, StoreError> {
    let word = |column: &'static str| -> Result<String, StoreError> {
        Ok(row.get::<Option<String>>(column)?.unwrap_or_default())
    };
    Ok(match kind {
        TokenKind::Operator => "operators".to_owned(),
        TokenKind::Org => word("org_name")?,
        TokenKind::Project => format!("{}/{}", word("org_name")?, word("project_name")?),
        TokenKind::User => word("user_name")?,
        TokenKind::Workflow => String::new(),
    })
}

fn token_of(row: &QueryResult) -> Result<Token, StoreError> {
    let row = Row::new("tokens", "id", row);
    let kind: TokenKind = row.word("kind")?;
    Ok(Token {
        id: TokenId::from_uuid(row.get("id")?),
        kind,
        org: row.get::<Option<Uuid>>("org")?.map(OrgId::from_uuid),
        holder: holder_name(kind, &row)?,
        scope: row.word("scope")?,
        name: row.get("name")?,
        created_by: row.get("created_by")?,
        created_ms: row.get("created")?,
        expires_ms: row.get("expires")?,
        last_used_ms: row.get("last_used")?,
        revoked_ms: row.get("revoked")?,
    })
}
