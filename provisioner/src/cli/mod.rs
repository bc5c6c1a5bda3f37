//! The command line: what operators and scripts see.
//!
//! It parses, checks, asks the store, and prints. It never calls a cloud (only the worker's executor does) and holds no
//! knowledge that a library user would lack.

mod access;
mod args;
pub(crate) mod certificate;
mod confirm;
mod debug;
mod docs;
mod enqueue;
mod failure;
mod fleet;
mod follow;
mod healthcheck;
mod job;
mod logging;
mod migrate;
mod reconcile;
mod remote;
pub(crate) mod screen;
mod serve;
mod session;
pub(crate) mod span;
pub(crate) mod story;
mod tenant;
pub(crate) mod time;
mod trust;
pub(crate) mod view;
mod worker;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser as _, error::ErrorKind};

use args::{Cli, Command, DemoArgs, Global, Output};
pub(crate) use failure::Failure;
use screen::Screen;
use session::{Session, load_config};
pub(crate) use worker::listen as stop_at_signals;

/// Runs the command of this process.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, &words),
    };
    let output = cli.global.output;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::failed(format!("no threads could be started: {error}"))), output),
    };
    let result = runtime.block_on(run(cli));
    // Nothing is left that may not be cut off: what must be written has been.
    runtime.shutdown_background();
    end(result, output)
}

fn end(result: Result<(), Failure>, output: Output) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(output);
            ExitCode::from(failure.status)
        }
    }
}

/// Help and version are answers; all else is bad usage, told in the form that was asked for.
fn refuse(error: &clap::Error, words: &[OsString]) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if !wants_json(words) {
        let _ = error.print();
        return ExitCode::from(2);
    }
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let rest = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty());
    let mut failure = Failure::usage(message);
    failure.remedies.extend(rest.map(str::to_owned));
    end(Err(failure), Output::Json)
}

fn wants_json(words: &[OsString]) -> bool {
    let pair =
        |pair: &[OsString]| pair.first().is_some_and(|a| a == "--output") && pair.get(1).is_some_and(|b| b == "json");
    words.windows(2).any(pair)
        || words.iter().any(|word| word == "--output=json")
        || std::env::var_os("PROVISIONER_OUTPUT").is_some_and(|value| value == "json")
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let screen = Screen::new(global.output);
    if let Some(url) = global.api.clone() {
        return remote::run(&url, &global, command, screen).await;
    }
    match command {
        Command::Completions { shell } => {
            docs::completions(shell);
            Ok(())
        }
        Command::Man { dir } => docs::man(&dir, screen),
        Command::Certificate(args) => certificate::certificate(&args, screen),
        Command::Healthcheck(args) => {
            logging::start(&global, "error");
            healthcheck::healthcheck(&load_config(&global)?, args, screen).await
        }
        Command::Demo(DemoArgs { serve, door }) => {
            logging::start(&global, "error");
            match door {
                Some(directory) => crate::demo::door::serve(directory, screen).await,
                None => crate::demo::run(screen, serve).await,
            }
        }
        Command::Migrate { app_role } => {
            logging::start(&global, "warn");
            migrate::migrate(&load_config(&global)?, app_role.as_deref(), screen).await
        }
        Command::Worker(args) => {
            logging::start(&global, "warn,provisioner=info,providers=info");
            let config = load_config(&global)?;
            let plan = worker::Plan::new(&config, &args)?;
            let session = Session::open(config, screen).await?;
            worker::work(&session, plan).await
        }
        Command::Serve(args) => {
            logging::start(&global, "warn,provisioner=info,providers=info");
            let config = load_config(&global)?;
            let plan = serve::Plan::new(&config, args)?;
            let session = Session::open(plan.config(config), screen).await?;
            serve::serve(&session, plan).await
        }
        Command::Reconcile(args) => {
            logging::start(&global, "warn");
            let config = load_config(&global)?;
            let plan = reconcile::Plan::new(&config, args)?;
            let session = Session::open(config, screen).await?;
            reconcile::reconcile(&session, plan).await
        }
        Command::Project(command) => {
            let action = tenant::ProjectAction::new(command)?;
            tenant::project(&open(&global, screen).await?, action).await
        }
        Command::Org(command) => tenant::org(&open(&global, screen).await?, command).await,
        Command::Builder(command) => fleet::builder(&open(&global, screen).await?, command).await,
        Command::Cache(command) => fleet::cache(&open(&global, screen).await?, command).await,
        Command::Debug(command) => debug::debug(&open(&global, screen).await?, command).await,
        Command::Job(command) => job::job(&open(&global, screen).await?, command).await,
        Command::User(command) => access::user(&open(&global, screen).await?, command).await,
        Command::Member(command) => access::member(&open(&global, screen).await?, command).await,
        Command::Token(command) => access::token(&open(&global, screen).await?, command).await,
        Command::Trust(command) => trust::trust(&open(&global, screen).await?, command).await,
        Command::Audit(command) => access::audit(&open(&global, screen).await?, command).await,
    }
}

async fn open(global: &Global, screen: Screen) -> Result<Session, Failure> {
    logging::start(global, "warn");
    Session::open(load_config(global)?, screen).await
}
