//! `debug`.

use clap::Subcommand;

use super::{BuilderName, ProjectPath};
use crate::{
    cli::span::{Moment, parse_moment},
    core::GrantId,
};

fn grant(text: &str) -> Result<GrantId, String> {
    text.parse()
        .map(GrantId::from_uuid)
        .map_err(|_| "that is no id of a grant; see `provisioner debug list`".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum DebugCommand {
    /// Let one person or role onto a builder for a while: an owner's own word, with the owner's token in PROVISIONER_TOKEN
    ///
    /// Nobody is let in by it yet: whoever operates the service does that with `debug open`. It ends by itself, after eight hours at
    /// most. A builder has one grant at a time.
    #[command(after_long_help = "Examples:
  provisioner debug grant acme/web --arch arm64 --to arn:aws:iam::123456789012:role/support --until 2h --reason 'INC-4711'
  provisioner --api https://builds.example debug grant acme/app --arch x86_64 --to user:ann@example.com \\
      --until 30m --reason 'the cache does not mount'")]
    Grant {
        #[command(flatten)]
        builder: BuilderName,
        /// Who: the ARN of an IAM user or role, or user:NAME@DOMAIN or serviceAccount:NAME@DOMAIN on Google Cloud
        #[arg(long, value_name = "PRINCIPAL")]
        to: String,
        /// Until when: RFC 3339, or a length of time from now such as 2h; eight hours at most
        #[arg(long, value_name = "TIME", value_parser = parse_moment)]
        until: Moment,
        /// Why, for whoever reads the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Open the way of a grant onto the builder that runs now, and print the command to enter by
    ///
    /// A worker opens it. Refused without a live grant.
    Open {
        /// The project
        project: ProjectPath,
        /// The grant
        #[arg(value_parser = grant)]
        grant: GrantId,
    },
    /// End a grant before its time: its way is closed, and its sessions are ended where the cloud can
    Revoke {
        /// The project
        project: ProjectPath,
        /// The grant
        #[arg(value_parser = grant)]
        grant: GrantId,
    },
    /// List the newest grants of a project, and who is let in now
    List {
        /// The project
        project: ProjectPath,
    },
}
