//! `worker`.

use clap::{Args, ValueEnum};

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct WorkerArgs {
    /// Work until no job is left, waiting ones included, then exit
    #[arg(long)]
    pub(crate) drain: bool,
    /// Jobs in hand at once [default: the configuration's, or 256]
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<usize>,
    /// Name of this worker, unique among those of one database [default: host and process id]
    #[arg(long, value_name = "NAME", env = "PROVISIONER_WORKER_ID")]
    pub(crate) id: Option<String>,
    /// Seconds of silence after which this worker's jobs go to others [default: the configuration's, or 30]
    #[arg(long, value_name = "N")]
    pub(crate) lease_secs: Option<u32>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
