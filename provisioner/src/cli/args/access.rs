//! `user`, `member`, `token` and `audit`.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use uuid::Uuid;

use super::ProjectPath;
use crate::{
    cli::span::{Moment, parse_moment},
    core::{Name, Role, TokenScope},
};

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make a person known
    #[command(after_long_help = "Example:
  provisioner user create ann")]
    Create {
        /// The person's name, unique in the installation
        user: Name,
    },
    /// List the people
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// Say what a person is in an organization
    ///
    /// An owner does all that can be done in it, a member builds in its projects. The last owner stays one.
    #[command(after_long_help = "Example:
  provisioner member set acme ann --role owner")]
    Set {
        /// The organization
        org: Name,
        /// The person
        user: Name,
        /// owner or member
        #[arg(long)]
        role: RoleName,
    },
    /// List who belongs to an organization
    List {
        /// The organization
        org: Name,
    },
    /// Take a person out of an organization, at once
    Remove {
        /// The organization
        org: Name,
        /// The person
        user: Name,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make the first token: one of the operators
    ///
    /// It works at the database, so that nobody needs a token for it, and only while no operators' token is good. The secret is shown once.
    #[command(after_long_help = "Example:
  provisioner token bootstrap")]
    Bootstrap(TokenTerms),
    /// Make a token of the operators, of an organization, of a project or of a person
    ///
    /// The secret is shown once; the database keeps its hash.
    #[command(after_long_help = "Examples:
  provisioner token create --org acme --scope build --name control-plane
  provisioner token create --project acme/web --scope build --name ci --expires 30d
  provisioner token create --user ann --scope manage --name laptop")]
    Create(TokenCreate),
    /// List tokens; never their secrets
    List {
        /// Those of one organization and its projects only
        #[arg(long, value_name = "ORG")]
        org: Option<Name>,
    },
    /// Make a token worthless, at once
    Revoke {
        /// The token's id, as `token list` shows it
        id: Uuid,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TokenTerms {
    /// What it is for, in a few words
    #[arg(long, value_name = "TEXT", default_value = "bootstrap")]
    pub(crate) name: String,
    /// Until when it is good: a time, or a length of time from now; a year at most
    #[arg(long, value_name = "TIME", value_parser = parse_moment, default_value = "90d")]
    pub(crate) expires: Moment,
}

#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("holder").required(true).multiple(false))]
pub(crate) struct TokenCreate {
    /// Of the operators
    #[arg(long, group = "holder")]
    pub(crate) operator: bool,
    /// Of an organization
    #[arg(long, group = "holder", value_name = "ORG")]
    pub(crate) org: Option<Name>,
    /// Of a project
    #[arg(long, group = "holder", value_name = "ORG/PROJECT")]
    pub(crate) project: Option<ProjectPath>,
    /// Of a person: worth what the person's roles are at the moment
    #[arg(long, group = "holder", value_name = "USER")]
    pub(crate) user: Option<Name>,
    /// What it is good for at most: read, build or manage
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: ScopeName,
    #[command(flatten)]
    pub(crate) terms: TokenTerms,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what was done and refused, oldest first
    List {
        /// Of one organization only
        #[arg(long, value_name = "ORG")]
        org: Option<Name>,
        /// Only what comes after that number: the next page
        #[arg(long, value_name = "N", default_value_t = 0)]
        after: i64,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// Print all of it as JSON lines, with the hashes of the chain
    Export,
    /// Check that no entry was changed, put in or taken out
    ///
    /// Prints the number and the hash of the last entry. Keep both somewhere else: that the end was cut off only shows against them.
    #[command(after_long_help = "Exit status: 0 when it is sound, 1 when it is not, and says where.

Examples:
  provisioner audit verify
  provisioner audit verify --includes 1207:5d0c...")]
    Verify {
        /// An entry that must be there, as an earlier check printed it
        #[arg(long, value_name = "SEQ:HASH", value_parser = parse_anchor)]
        includes: Option<(i64, String)>,
    },
}

fn parse_anchor(text: &str) -> Result<(i64, String), String> {
    let wrong = || format!("`{text}` is not of the form SEQ:HASH, as `audit verify` prints it");
    let (seq, hash) = text.split_once(':').ok_or_else(wrong)?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok((seq.parse().map_err(|_| wrong())?, hash.to_ascii_lowercase())) } else { Err(wrong()) }
}

/// A role as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    Owner,
    Member,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Owner => Self::Owner,
            RoleName::Member => Self::Member,
        }
    }
}

/// A scope as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeName {
    Read,
    Build,
    Manage,
}

impl From<ScopeName> for TokenScope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Read => Self::Read,
            ScopeName::Build => Self::Build,
            ScopeName::Manage => Self::Manage,
        }
    }
}
