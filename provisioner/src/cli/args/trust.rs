//! `trust`.

use clap::{Args, Subcommand};

use super::access::ScopeName;
use crate::core::{Name, RefPattern, Repository};

#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Trust the workflows of a GitHub repository for some projects of an organization
    ///
    /// A workflow exchanges the token that GitHub gives it for one that lives minutes (`POST /v1/oidc/exchange`). The numbers tell
    /// the repository from another that has taken its name over; both are printed by `gh api repos/OWNER/NAME --jq '.id, .owner.id'`.
    #[command(after_long_help = "Examples:
  provisioner trust create acme ci --repository octo-org/octo-repo --repository-id 74 --owner-id 65 --project web
  provisioner trust create acme release --repository octo-org/octo-repo --repository-id 74 --owner-id 65 \\
      --project web --project api --environment production --refs 'refs/tags/v*'")]
    Create(TrustCreate),
    /// List what an organization trusts
    List {
        /// The organization
        org: Name,
    },
    /// Trust no more; the tokens that came of it are worthless at once
    Delete {
        /// The organization
        org: Name,
        /// The trust
        trust: Name,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TrustCreate {
    /// The organization
    pub(crate) org: Name,
    /// What to call it
    pub(crate) trust: Name,
    /// The repository, as GitHub shows it
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) repository: Repository,
    /// The repository's number
    #[arg(long, value_name = "N")]
    pub(crate) repository_id: u64,
    /// The owner's number
    #[arg(long, value_name = "N")]
    pub(crate) owner_id: u64,
    /// A project that it is for; may be given several times
    #[arg(long = "project", value_name = "PROJECT", required = true)]
    pub(crate) projects: Vec<Name>,
    /// Jobs of that environment only
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Runs for those refs only; `*` stands for any part of a name, up to the next `/`
    #[arg(long, value_name = "PATTERN")]
    pub(crate) refs: Option<RefPattern>,
    /// What a token that comes of it is good for: read or build
    #[arg(long, value_name = "SCOPE", default_value = "build")]
    pub(crate) scope: ScopeName,
}
