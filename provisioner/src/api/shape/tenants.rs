//! Tenants, people and tokens.

use std::collections::BTreeSet;

use regions::{Cloud, Residency, Size};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, Schema, SchemaType, Type},
};

use super::{time, whole};
use crate::{
    core::{Org, Project, Role, TokenKind, TokenScope},
    store::{Member, Token, User},
};

/// Who asks, as the service sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct IdentityView {
    /// The token's id.
    pub(crate) token: String,
    pub(crate) name: String,
    #[schema(example = "build", pattern = "^(read|build|manage)$")]
    pub(crate) scope: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OrgView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at: String,
    /// It is on its way out: nothing is added to it any more.
    pub(crate) deleting: bool,
}

impl From<Org> for OrgView {
    fn from(org: Org) -> Self {
        Self {
            id: org.id.to_string(),
            name: org.name.to_string(),
            created_at: time(org.created_ms),
            deleting: org.deleting,
        }
    }
}

/// A name: 2 to 39 lower-case letters, digits and single hyphens, a letter first.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewName {
    #[schema(min_length = 2, max_length = 39, pattern = "^[a-z](-?[a-z0-9])+$", example = "acme")]
    pub(crate) name: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at: String,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self { id: user.id.to_string(), name: user.name.to_string(), created_at: time(user.created_ms) }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MemberView {
    pub(crate) user: String,
    pub(crate) role: RoleWord,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self { user: member.user.name.to_string(), role: member.role.into() }
    }
}

/// What a person is in an organization.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleWord {
    Member,
    Owner,
}

impl From<Role> for RoleWord {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Owner => Self::Owner,
        }
    }
}

impl From<RoleWord> for Role {
    fn from(role: RoleWord) -> Self {
        match role {
            RoleWord::Member => Self::Member,
            RoleWord::Owner => Self::Owner,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    pub(crate) role: RoleWord,
}

/// What a token is good for at most.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScopeWord {
    Read,
    Build,
    Manage,
}

impl From<TokenScope> for ScopeWord {
    fn from(scope: TokenScope) -> Self {
        match scope {
            TokenScope::Read => Self::Read,
            TokenScope::Build => Self::Build,
            TokenScope::Manage => Self::Manage,
        }
    }
}

impl From<ScopeWord> for TokenScope {
    fn from(scope: ScopeWord) -> Self {
        match scope {
            ScopeWord::Read => Self::Read,
            ScopeWord::Build => Self::Build,
            ScopeWord::Manage => Self::Manage,
        }
    }
}

/// A token to be: of the organization, or of one of its projects.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// What it is for.
    #[schema(min_length = 1, max_length = 64, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", example = "ci")]
    pub(crate) name: String,
    pub(crate) scope: ScopeWord,
    /// The project's name, for a project's token: it is for builds, and `manage` is none of its scopes.
    #[serde(default)]
    #[schema(min_length = 2, max_length = 39, pattern = "^[a-z](-?[a-z0-9])+$")]
    pub(crate) project: Option<String>,
    /// For how long it is good: a year at most.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 31_622_400)]
    pub(crate) expires_in_secs: u32,
}

/// A token to be, of the person who asks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnTokenRequest {
    /// What it is for.
    #[schema(min_length = 1, max_length = 64, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", example = "laptop")]
    pub(crate) name: String,
    pub(crate) scope: ScopeWord,
    /// For how long it is good: a year at most.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 31_622_400)]
    pub(crate) expires_in_secs: u32,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView {
    pub(crate) id: String,
    #[schema(pattern = "^(operator|org|project|user)$")]
    pub(crate) kind: &'static str,
    /// The organization, project or person by name.
    pub(crate) holder: String,
    pub(crate) scope: ScopeWord,
    pub(crate) name: String,
    pub(crate) created_by: String,
    pub(crate) created_at: String,
    pub(crate) expires_at: String,
    /// To the minute.
    pub(crate) last_used_at: Option<String>,
    pub(crate) revoked_at: Option<String>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id.to_string(),
            kind: token.kind.as_str(),
            holder: token.holder,
            scope: token.scope.into(),
            name: token.name,
            created_by: token.created_by,
            created_at: time(token.created_ms),
            expires_at: time(token.expires_ms),
            last_used_at: token.last_used_ms.map(time),
            revoked_at: token.revoked_ms.map(time),
        }
    }
}

/// A new token. The secret is in this answer and nowhere else.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedToken {
    pub(crate) id: String,
    #[schema(pattern = "^(org|project|user)$")]
    pub(crate) kind: &'static str,
    pub(crate) expires_at: String,
    pub(crate) secret: String,
}

impl IssuedToken {
    pub(crate) fn new(id: impl ToString, kind: TokenKind, expires_ms: i64, secret: &str) -> Self {
        Self { id: id.to_string(), kind: kind.as_str(), expires_at: time(expires_ms), secret: secret.to_owned() }
    }
}

/// A project to be. Residency, cloud, region and size are for life.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectRequest {
    #[schema(min_length = 2, max_length = 39, pattern = "^[a-z](-?[a-z0-9])+$", example = "web")]
    pub(crate) name: String,
    /// Where its data must stay: `us`, or `eu` for member states of the European Union.
    #[schema(value_type = String, pattern = "^(us|eu)$", example = "eu")]
    pub(crate) residency: Residency,
    /// `aws` if it is left out.
    #[serde(default = "aws")]
    #[schema(value_type = String, pattern = "^(aws|gcp)$", default = "aws")]
    pub(crate) cloud: Cloud,
    /// Binds it to one region inside the residency.
    #[serde(default)]
    #[schema(schema_with = region)]
    pub(crate) region: Option<String>,
    /// Size of its builders, vCPU x GiB.
    #[serde(default)]
    #[schema(value_type = String, pattern = "^(4x8|8x16|16x32|32x64)$", default = "16x32")]
    pub(crate) size: Size,
    /// Capacity of each of its caches in GiB.
    #[serde(default = "hundred", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 65_536, default = 100)]
    pub(crate) cache_gib: u32,
}

/// All regions by name, or none.
fn region() -> Schema {
    let names: BTreeSet<&str> = regions::regions().map(regions::Region::name).collect();
    let values: Vec<Option<&str>> = names.into_iter().map(Some).chain([None]).collect();
    let kinds = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(kinds).enum_values(Some(values)).build().into()
}

const fn aws() -> Cloud {
    Cloud::Aws
}

const fn hundred() -> u32 {
    100
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ProjectView {
    pub(crate) id: String,
    pub(crate) org: String,
    pub(crate) name: String,
    #[schema(value_type = String)]
    pub(crate) residency: Residency,
    #[schema(value_type = String)]
    pub(crate) cloud: Cloud,
    pub(crate) region: Option<&'static str>,
    #[schema(value_type = String)]
    pub(crate) size: Size,
    pub(crate) cache_gib: u32,
    pub(crate) created_at: String,
    pub(crate) deleting: bool,
}

impl ProjectView {
    pub(crate) fn new(org: &str, project: &Project) -> Self {
        Self {
            id: project.id.to_string(),
            org: org.to_owned(),
            name: project.name.to_string(),
            residency: project.residency,
            cloud: project.cloud,
            region: project.region.map(regions::Region::name),
            size: project.size,
            cache_gib: project.cache.size_gib,
            created_at: time(project.created_ms),
            deleting: project.deleting,
        }
    }
}
