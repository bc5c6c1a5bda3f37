//! `reconcile`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::span::parse_secs;

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ReconcileArgs {
    /// Only find: write what would be done, and why, to FILE, and print it as a table; exit 3 if there is anything
    #[arg(long, value_name = "FILE", conflicts_with_all = ["apply", "every"])]
    pub(crate) plan: Option<PathBuf>,
    /// Do what a plan says, item by item, if it is still true; what you take out of FILE is not done
    #[arg(long, value_name = "FILE", conflicts_with = "every")]
    pub(crate) apply: Option<PathBuf>,
    /// Run again and again, that long from beginning to beginning: 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = parse_secs)]
    pub(crate) every: Option<i64>,
    /// Name under which it takes the right to run; made from host and process if left out
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<ReconcileCommand>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ReconcileCommand {
    /// List the last runs
    History {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// Show what a run saw, found, did and braked
    Show {
        /// The run's number
        #[arg(value_name = "RUN")]
        run: i64,
    },
}
