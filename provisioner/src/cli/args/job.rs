//! `job`.

use clap::{Args, Subcommand};

use super::ProjectPath;
use crate::core::{JobId, JobState, Name};

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// List jobs, newest first
    #[command(after_long_help = "Examples:
  provisioner job list --state stuck
  provisioner job list --project acme/web --output json")]
    List(JobListArgs),
    /// Tell the whole story of a job: each step, each call, each error, and what comes next
    Show {
        /// The job's number
        #[arg(value_name = "ID")]
        id: JobId,
    },
    /// Follow a job to its end; exit 1 if it does not succeed
    Watch {
        /// The job's number
        #[arg(value_name = "ID")]
        id: JobId,
    },
    /// Have another try at a job that is stuck, failed or cancelled
    ///
    /// A stuck job goes on where it halted; one that failed or was cancelled begins anew.
    Retry {
        /// The job's number
        #[arg(value_name = "ID")]
        id: JobId,
        /// Stay until it has ended; exit 1 if it did not succeed
        #[arg(long)]
        wait: bool,
    },
    /// Call a job off
    ///
    /// A job that has not begun is cancelled at once. One that is under way takes back what it made. What is being taken away
    /// or switched can't be half done: it is carried to its end.
    Cancel {
        /// The job's number
        #[arg(value_name = "ID")]
        id: JobId,
        /// Stay until it has ended; exit 1 if it was not cancelled
        #[arg(long)]
        wait: bool,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct JobListArgs {
    /// Those in one state only: queued, running, succeeded, failed, cancelled or stuck
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    pub(crate) state: Option<JobState>,
    /// Those of one organization only
    #[arg(long, value_name = "ORG", conflicts_with = "project")]
    pub(crate) org: Option<Name>,
    /// Those of one project only
    #[arg(long, value_name = "ORG/PROJECT")]
    pub(crate) project: Option<ProjectPath>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Only jobs with a smaller number: the next page
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<JobId>,
}

fn parse_state(text: &str) -> Result<JobState, String> {
    let all = [
        JobState::Queued,
        JobState::Running,
        JobState::Succeeded,
        JobState::Failed,
        JobState::Cancelled,
        JobState::Stuck,
    ];
    all.into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| "use queued, running, succeeded, failed, cancelled or stuck".to_owned())
}
