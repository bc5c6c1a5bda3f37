//! People, and what they are in organizations.

use std::collections::BTreeMap;

use super::{
    Store, StoreError,
    sql::{Row, Sql, Via},
};
use crate::core::{Name, OrgId, Role, UserId};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The name, unique in the installation.
    pub name: Name,
    /// When it was made known, in milliseconds since 1970.
    pub created_ms: i64,
}

/// A person in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The person.
    pub user: User,
    /// What the person is there.
    pub role: Role,
}

impl Store {
    /// Makes a person known.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if the name is taken.
    pub async fn create_user(&self, name: &Name, id: UserId, now_ms: i64) -> Result<User, StoreError> {
        let sql = Sql::with(
            "INSERT INTO users (id, name, created) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING id",
            [id.as_uuid().into(), name.as_str().into(), now_ms.into()],
        );
        if self.query(Via::Alone, sql).await?.is_empty() {
            let remedy = "use another name: names of people are unique in the installation".to_owned();
            return Err(StoreError::Exists { what: "user", name: name.to_string(), remedy });
        }
        Ok(User { id, name: name.clone(), created_ms: now_ms })
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let sql = Sql::new("SELECT id, name, created FROM users ORDER BY name");
        self.query(Via::Reader, sql).await?.iter().map(|row| user_of(&Row::new("users", "id", row))).collect()
    }

    /// The person of that name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn user(&self, name: &Name) -> Result<User, StoreError> {
        let sql = Sql::with("SELECT id, name, created FROM users WHERE name = $1", [name.as_str().into()]);
        let rows = self.query(Via::Reader, sql).await?;
        rows.first().map_or_else(|| Err(nobody(name)), |row| user_of(&Row::new("users", "id", row)))
    }

    /// Who belongs to an organization, by name.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn members(&self, org: OrgId) -> Result<Vec<Member>, StoreError> {
        let sql = Sql::with(
            "SELECT u.id, u.name, u.created, m.role FROM members m JOIN users u ON u.id = m.person \
             WHERE m.org = $1 ORDER BY u.name",
            [org.as_uuid().into()],
        );
        let rows = self.query(Via::Reader, sql).await?;
        let read = |row| {
            let row = Row::new("members", "id", row);
            Ok(Member { user: user_of(&row)?, role: row.word("role")? })
        };
        rows.iter().map(read).collect()
    }

    /// What a person is, and where.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn roles_of(&self, user: UserId) -> Result<BTreeMap<OrgId, Role>, StoreError> {
        let text = if self.is_postgres() {
            "SELECT org, role FROM roles_of_person($1)"
        } else {
            "SELECT org, role FROM members WHERE person = $1"
        };
        let sql = Sql::with(text, [user.as_uuid().into()]);
        let rows = self.query(Via::Reader, sql).await?;
        let read = |row| {
            let row = Row::new("members", "org", row);
            Ok((OrgId::from_uuid(row.get("org")?), row.word("role")?))
        };
        rows.iter().map(read).collect()
    }

    /// Says what a person is in an organization, from now on.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if that would leave it without an owner that it had; those of the database.
    pub async fn set_member(&self, org: OrgId, user: &User, role: Role, now_ms: i64) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        self.keep_an_owner(&transaction, org, user, Some(role)).await?;
        let sql = Sql::with(
            "INSERT INTO members (org, person, role, created) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (org, person) DO UPDATE SET role = excluded.role",
            [org.as_uuid().into(), user.id.as_uuid().into(), role.as_str().into(), now_ms.into()],
        );
        self.execute(&transaction, sql).await?;
        self.commit(transaction).await
    }

    /// Takes a person out of an organization. The person's tokens see nothing of it from then on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the person is not in it, [`StoreError::Refused`] for its last owner.
    pub async fn remove_member(&self, org: OrgId, user: &User) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        self.keep_an_owner(&transaction, org, user, None).await?;
        let sql = Sql::with(
            "DELETE FROM members WHERE org = $1 AND person = $2",
            [org.as_uuid().into(), user.id.as_uuid().into()],
        );
        if self.execute(&transaction, sql).await? == 0 {
            let remedy = "see who is with `member list`".to_owned();
            return Err(StoreError::NotFound { what: "member", name: user.name.to_string(), remedy });
        }
        self.commit(transaction).await
    }

    /// The last owner stays one. On PostgreSQL the organization's row is locked, so that two owners don't take each other out.
    async fn keep_an_owner(
        &self,
        transaction: &sea_orm::DatabaseTransaction,
        org: OrgId,
        user: &User,
        role: Option<Role>,
    ) -> Result<(), StoreError> {
        let lock = if self.backend() == super::Backend::Postgres { " FOR UPDATE" } else { "" };
        let sql = Sql::with(format!("SELECT id FROM orgs WHERE id = $1{lock}"), [org.as_uuid().into()]);
        if self.query(Via::Within(transaction), sql).await?.is_empty() {
            let remedy = "create it first, or check the name".to_owned();
            return Err(StoreError::NotFound { what: "organization", name: org.to_string(), remedy });
        }
        let sql = Sql::with("SELECT person FROM members WHERE org = $1 AND role = 'owner'", [org.as_uuid().into()]);
        let rows = self.query(Via::Within(transaction), sql).await?;
        let owners: Vec<uuid::Uuid> =
            rows.iter().map(|row| Row::new("members", "person", row).get("person")).collect::<Result<_, _>>()?;
        if role != Some(Role::Owner) && owners == [user.id.as_uuid()] {
            return Err(StoreError::Refused {
                field: format!("member {}", user.name),
                reason: "it is the organization's last owner".to_owned(),
                remedy: "make somebody else an owner first".to_owned(),
            });
        }
        Ok(())
    }
}

fn nobody(name: &Name) -> StoreError {
    let remedy = "make the person known first, or check the name".to_owned();
    StoreError::NotFound { what: "user", name: name.to_string(), remedy }
}

fn user_of(row: &Row<'_>) -> Result<User, StoreError> {
    Ok(User { id: UserId::from_uuid(row.get("id")?), name: row.parse("name")?, created_ms: row.get("created")? })
}
