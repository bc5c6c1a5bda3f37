//! Trust in workflows, and what comes of it.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::{
    ToSchema,
    openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type},
};

use super::ScopeWord;

/// The largest number of which JSON's readers keep every digit: 2 to the power of 53, less one.
const LARGEST: f64 = 9_007_199_254_740_991.0;

/// A trust to be, or as it stands.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustView {
    #[schema(min_length = 2, max_length = 39, pattern = "^[a-z](-?[a-z0-9])+$", example = "release")]
    pub(crate) name: String,
    /// The repository as GitHub shows it.
    #[schema(
        max_length = 201,
        pattern = "^[A-Za-z0-9_-]{1,100}/\\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]{0,97}$",
        example = "octo-org/octo-repo"
    )]
    pub(crate) repository: String,
    /// Its number, which no other repository ever has: `gh api repos/OWNER/NAME --jq .id`.
    #[serde(deserialize_with = "id")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub(crate) repository_id: u64,
    /// The owner's number: `gh api repos/OWNER/NAME --jq .owner.id`.
    #[serde(deserialize_with = "id")]
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub(crate) owner_id: u64,
    /// Jobs of that environment only.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
        example = "production"
    )]
    pub(crate) environment: Option<String>,
    /// Runs for those refs only. `*` stands for any part of a name, up to the next `/`.
    #[serde(default)]
    #[schema(
        max_length = 255,
        pattern = "^refs/(heads|tags|pull)/(\\*|\\*?[!-)+-9;->@-Z\\]_-}]+(\\*[!-)+-9;->@-Z\\]_-}]+)*\\*?)$",
        example = "refs/heads/release/*"
    )]
    pub(crate) refs: Option<String>,
    /// What a token that comes of it is good for: `read` or `build`.
    #[serde(default = "build")]
    #[schema(schema_with = scope)]
    pub(crate) scope: ScopeWord,
    /// The projects that it is for.
    #[schema(schema_with = names)]
    pub(crate) projects: Vec<String>,
}

const fn build() -> ScopeWord {
    ScopeWord::Build
}

/// A number that GitHub gives. JSON knows one kind of numbers: `74.0` is 74.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.fract() == 0.0 && (0.0..=LARGEST).contains(&number) {
        return format!("{number:.0}").parse().map_err(D::Error::custom);
    }
    Err(D::Error::custom(format!("{number} is no number of a repository or an owner")))
}

fn scope() -> Schema {
    let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["read", "build"]));
    words.default(Some("build".into())).build().into()
}

/// Names of projects, at least one.
fn names() -> Schema {
    let name = ObjectBuilder::new().schema_type(Type::String).min_length(Some(2)).max_length(Some(39));
    let name = name.pattern(Some("^[a-z](-?[a-z0-9])+$"));
    ArrayBuilder::new().items(name).min_items(Some(1)).max_items(Some(100)).build().into()
}

/// A workflow's token, and whose trust it is to be held against.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeRequest {
    /// The JWT that the workflow was given, asked for with the audience of this installation.
    #[schema(min_length = 1, max_length = 8192)]
    pub(crate) token: String,
    /// The organization.
    #[schema(min_length = 2, max_length = 39, pattern = "^[a-z](-?[a-z0-9])+$", example = "acme")]
    pub(crate) org: String,
    /// The trust by name, where several of the organization's would agree.
    #[serde(default)]
    #[schema(min_length = 2, max_length = 39, pattern = "^[a-z](-?[a-z0-9])+$")]
    pub(crate) trust: Option<String>,
}

/// A token of ours. The secret is in this answer and nowhere else.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExchangedToken {
    pub(crate) secret: String,
    pub(crate) expires_at: String,
    pub(crate) scope: ScopeWord,
    /// The trust that it comes of.
    pub(crate) trust: String,
    /// What it is for, as `ORG/PROJECT`.
    pub(crate) projects: Vec<String>,
}
