//! What can be typed: the commands, their flags and their help.
//!
//! Names, sizes, regions and the like are parsed here, so that what can't be right never reaches the database.

mod access;
mod builder;
mod debug;
mod job;
mod reconcile;
mod serve;
mod tenant;
mod trust;
mod upkeep;
mod worker;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use access::{AuditCommand, MemberCommand, TokenCommand, TokenCreate, UserCommand};
pub(crate) use builder::{BuilderCommand, BuilderName, BuilderTarget, CacheCommand};
pub(crate) use debug::DebugCommand;
pub(crate) use job::{JobCommand, JobListArgs};
pub(crate) use reconcile::{ReconcileArgs, ReconcileCommand};
pub(crate) use serve::ServeArgs;
pub(crate) use tenant::{After, IdleFlags, OrgCommand, ProjectCommand, ProjectCreate, ProjectPath};
pub(crate) use trust::{TrustCommand, TrustCreate};
pub(crate) use upkeep::{CertificateArgs, HealthcheckArgs};
pub(crate) use worker::{LogFormat, WorkerArgs};

/// Encrypted cache volumes and builder machines, in the region where they belong.
///
/// Requests become jobs in a durable queue; a worker takes them and sees to it that, for each project and CPU
/// architecture, one cache volume and one builder machine exist in the cloud, encrypted with the organization's own key and
/// inside the project's residency. A job that a crash interrupts goes on where it was.
#[derive(Debug, Parser)]
#[command(name = "provisioner", version, max_term_width = 100, after_long_help = FIRST_STEPS)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  provisioner demo                                      everything, on a model of a cloud, in under a minute
  provisioner migrate                                   make or upgrade the database
  provisioner org create acme
  provisioner project create acme/web --residency eu --region eu-central-1
  provisioner builder provision acme/web --arch arm64
  provisioner worker --drain                            do what is queued, then exit
  provisioner builder list

Exit status: 0 success, 1 failure, 2 bad usage or configuration.";

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Configuration file (TOML). Without it ./provisioner.toml is read if it exists, else /etc/provisioner/config.toml.
    #[arg(long, global = true, value_name = "FILE", env = "PROVISIONER_CONFIG", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// Database: sqlite://FILE or postgres://USER@HOST/NAME. Wins over the file.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "PROVISIONER_DATABASE",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub(crate) database: Option<String>,
    /// Work on builders, caches and jobs through this API, with the token in PROVISIONER_TOKEN and without a database.
    #[arg(long, global = true, value_name = "URL", env = "PROVISIONER_API", help_heading = "Global options")]
    pub(crate) api: Option<String>,
    /// Certificates (PEM) to trust for --api beside those of this machine.
    #[arg(long, global = true, value_name = "FILE", env = "PROVISIONER_API_CA", help_heading = "Global options")]
    pub(crate) api_ca: Option<PathBuf>,
    /// Name under which this installation marks what it makes. Wins over the file.
    #[arg(long, global = true, value_name = "NAME", env = "PROVISIONER_DEPLOYMENT", help_heading = "Global options")]
    pub(crate) deployment: Option<String>,
    /// How results are printed: tables for people, or JSON with stable names for programs.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        env = "PROVISIONER_OUTPUT",
        default_value = "table",
        help_heading = "Global options"
    )]
    pub(crate) output: Output,
    /// Log more to standard error: -v steps, -vv calls. RUST_LOG wins over it.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub(crate) verbose: u8,
    /// How log lines are written.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        env = "PROVISIONER_LOG_FORMAT",
        default_value = "text",
        help_heading = "Global options"
    )]
    pub(crate) log_format: LogFormat,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the database, or bring it up to this version
    ///
    /// Applies what is missing of the schema, and says what it did. A SQLite file that does not exist is made; a
    /// PostgreSQL database must exist. Doing it twice is doing it once.
    #[command(after_long_help = "Examples:
  provisioner migrate
  provisioner --database postgres://provisioner@db/provisioner migrate --app-role provisioner_api")]
    Migrate {
        /// PostgreSQL's role under which `serve` connects: it gets what the API needs and no more, and row-level security holds it to
        /// the tenants of each request. It must exist, and be nothing but the API's
        #[arg(long, value_name = "ROLE")]
        app_role: Option<String>,
    },
    /// Organizations: the tenants whose keys encrypt everything
    #[command(subcommand)]
    Org(OrgCommand),
    /// Projects: what builders and caches belong to
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Builder machines
    #[command(subcommand)]
    Builder(BuilderCommand),
    /// Cache volumes
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Debug access to builders, by an owner's permission and for a while
    #[command(subcommand)]
    Debug(DebugCommand),
    /// Jobs: what was asked, how far it is, and why it failed
    #[command(subcommand)]
    Job(JobCommand),
    /// People who use the API
    #[command(subcommand)]
    User(UserCommand),
    /// Who belongs to an organization, and as what
    #[command(subcommand)]
    Member(MemberCommand),
    /// API tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Trust in workflows of GitHub repositories, instead of secrets for them
    #[command(subcommand)]
    Trust(TrustCommand),
    /// The audit: who did what, or was not let
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Compare the clouds with the database, explain what differs, and have jobs mend it
    ///
    /// Lists every configured region to the end, compares, and enqueues repairs that the brakes let through; it changes no
    /// cloud itself. A region that can't be listed completely is left alone. What nobody has a record of is kept, marked, for a time
    /// before it goes. Customers' data in a wrong place or under a wrong key is told first, and its machine is stopped at once.
    #[command(
        after_long_help = "Exit status: 0 when all was seen and nothing needs a person, or another run has the right to run;
1 when a region failed, something needs a person, or an item of a plan is not true any more;
2 bad usage or configuration; 3 with --plan, when there is anything to do.

Examples:
  provisioner reconcile --plan plan.json         look, judge, take out what you don't want
  provisioner reconcile --apply plan.json
  provisioner reconcile                          find and repair under the brakes: cron, a timer
  provisioner reconcile --every 5m               the same, for ever; of many, one runs
  provisioner reconcile history
  provisioner reconcile show 12"
    )]
    Reconcile(ReconcileArgs),
    /// Take jobs from the queue and carry them out
    ///
    /// Holds many jobs in flight in one process; run several processes for more, or for safety. SIGTERM or Ctrl-C stops it
    /// gently: no new jobs, calls in flight end, leases are handed back, exit 0. A second one exits at once with 1;
    /// nothing is lost: another worker takes over when the lease has run out.
    #[command(
        after_long_help = "Exit status: 0 when it was stopped, or when the queue is drained, whatever became of the jobs
(the last line counts them by ending, and `job list --state failed` names them); 1 when it could not go on;
2 when its configuration does not allow it to start.

Examples:
  provisioner worker
  provisioner worker --drain              work until the queue is empty: scripts, cron
  provisioner worker --slots 500 --id rack7"
    )]
    Worker(WorkerArgs),
    /// Serve the API: the control plane's door
    ///
    /// HTTPS with a certificate from files, or plain HTTP on loopback. Tokens say who asks; `provisioner token bootstrap` makes the
    /// first. The description of the API is at /openapi.json, and a page of it at /. SIGTERM lets requests end, then exits 0.
    #[command(after_long_help = "Examples:
  provisioner serve
  provisioner serve --listen 0.0.0.0:8443 --tls-certificate cert.pem --tls-key key.pem
  provisioner serve --worker                     a small installation in one process")]
    Serve(ServeArgs),
    /// Ask the API on this machine whether it is there: for health checks of containers
    ///
    /// Exit status 0 if it answers well, 1 if not. It asks where the configuration has `serve` listen.
    #[command(after_long_help = "Examples:
  provisioner healthcheck
  provisioner healthcheck --ready https://127.0.0.1:8443")]
    Healthcheck(HealthcheckArgs),
    /// Make a self-signed certificate, for an API that is tried out
    ///
    /// Who asks the API names the file with --api-ca, or curl's --cacert. What is there is never written over.
    #[command(after_long_help = "Example:
  provisioner certificate --tls-certificate cert.pem --tls-key key.pem --name builders.test")]
    Certificate(CertificateArgs),
    /// Show all of it on a model of a cloud: no account, no server
    ///
    /// Builds a sample fleet for three organizations in both residencies and on both architectures, in a temporary SQLite
    /// database and on a fake cloud inside this process. On the way a zone runs out of machines and a worker crashes.
    /// At the end what the fake cloud has is compared with the database, thing by thing. Takes well under a minute.
    Demo(DemoArgs),
    /// Print a completion script for a shell
    #[command(after_long_help = "Examples:
  provisioner completions bash > /etc/bash_completion.d/provisioner
  provisioner completions zsh > \"${fpath[1]}/_provisioner\"")]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages into a directory
    #[command(after_long_help = "Example:
  provisioner man /usr/local/share/man/man1")]
    Man {
        /// The directory; it is made if it does not exist
        dir: PathBuf,
    },
}

/// Flags of `demo`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct DemoArgs {
    /// Leave the API open over what was made, on this machine and for ten minutes; the last lines are two commands for it
    #[arg(long)]
    pub(crate) serve: bool,
    /// Be that API
    #[arg(long, value_name = "DIR", hide = true, conflicts_with = "serve")]
    pub(crate) door: Option<PathBuf>,
}

/// Flags of every command that makes a job.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Enqueue {
    /// Idempotency key of yours: with the same key the same request is the same job, however often it is sent
    #[arg(long, value_name = "KEY", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) key: Option<String>,
    /// Jobs of higher priority are taken first
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) priority: i16,
    /// Stay until the job has ended; exit 1 if it did not succeed. Ctrl-C leaves the job going
    #[arg(long)]
    pub(crate) wait: bool,
}

#[cfg(test)]
mod tests;
