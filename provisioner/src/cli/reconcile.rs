//! `reconcile`: runs it, once or again and again, and shows what came of it.

use std::{fs, path::PathBuf, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Failure,
    args::{ReconcileArgs, ReconcileCommand},
    session::Session,
    time, worker,
};
use crate::{
    config::Config,
    execute::Providers,
    reconcile::{Item, Mode, PlanFile, Reconciler, Report},
};

mod print;

/// The form of plan files that this version writes and reads.
const PLAN_VERSION: u32 = 1;
/// Something is to be done, and nothing was.
const DRIFT: u8 = 3;

/// What was asked for, checked before the database is opened.
pub(crate) struct Plan {
    args: ReconcileArgs,
    providers: Providers,
    mode: Mode,
    runner: String,
}

impl Plan {
    pub(crate) fn new(config: &Config, args: ReconcileArgs) -> Result<Self, Failure> {
        let mode = match (&args.plan, &args.apply) {
            (_, Some(file)) => Mode::Apply(Box::new(read_plan(config, file)?)),
            (Some(_), None) => Mode::Plan,
            (None, None) => Mode::Repair,
        };
        let providers = if args.command.is_some() { Providers::new() } else { worker::providers(config)? };
        let runner = args.id.clone().unwrap_or_else(|| format!("{}-{}", worker::host(), std::process::id()));
        Ok(Self { args, providers, mode, runner })
    }
}

fn read_plan(config: &Config, file: &PathBuf) -> Result<PlanFile, Failure> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("--apply {name}: {error}")).remedy("make one with --plan FILE"))?;
    let plan: PlanFile = serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!("--apply {name}: it is no plan: {error}")).remedy("make one with --plan FILE")
    })?;
    if plan.version != PLAN_VERSION {
        return Err(Failure::usage(format!(
            "--apply {name}: it is a plan of form {}, not {PLAN_VERSION}",
            plan.version
        ))
        .remedy("make another with this version's --plan FILE"));
    }
    let ours = config.deployment.clone().unwrap_or_default();
    if plan.deployment != ours {
        return Err(Failure::usage(format!(
            "--apply {name}: it is about deployment `{}`, not `{ours}`",
            plan.deployment
        ))
        .remedy("use the configuration with which it was made"));
    }
    Ok(plan)
}

pub(crate) async fn reconcile(session: &Session, plan: Plan) -> Result<(), Failure> {
    let Plan { args, mut providers, mode, runner } = plan;
    match args.command {
        Some(ReconcileCommand::History { limit }) => return print::history(session, limit).await,
        Some(ReconcileCommand::Show { run }) => return print::show(session, run).await,
        None => {}
    }
    if let Some(fake) = &session.config.fake {
        providers = worker::modelled(fake.clone(), session.clock);
    }
    let reconciler = Reconciler::new(
        session.store.clone(),
        providers,
        session.config.policy.clone(),
        session.config.reconcile.clone(),
        std::sync::Arc::new(session.clock),
    );
    match args.every {
        Some(secs) => for_ever(session, &reconciler, &runner, secs).await,
        None => {
            let Some(report) = once(session, &reconciler, &runner, &mode).await? else { return Ok(()) };
            if let Some(file) = &args.plan {
                write_plan(session, file, &report)?;
            }
            print::report(session, &report)?;
            end(&report, &mode)
        }
    }
}

fn end(report: &Report, mode: &Mode) -> Result<(), Failure> {
    if report.regions.iter().any(|region| region.failed.is_some()) {
        return Err(Failure::told());
    }
    match mode {
        Mode::Plan if !report.items.is_empty() => Err(Failure { status: DRIFT, ..Failure::told() }),
        Mode::Plan => Ok(()),
        Mode::Repair | Mode::Apply(_) if report.needs_a_person() => Err(Failure::told()),
        Mode::Repair | Mode::Apply(_) => Ok(()),
    }
}

fn write_plan(session: &Session, file: &PathBuf, report: &Report) -> Result<(), Failure> {
    let items: Vec<Item> = report.items.clone();
    let plan = PlanFile {
        version: PLAN_VERSION,
        deployment: session.config.deployment.clone().unwrap_or_default(),
        run: report.run,
        made_ms: report.ended_ms,
        items,
    };
    let text = serde_json::to_string_pretty(&plan)?;
    fs::write(file, text + "\n").map_err(|error| {
        Failure::failed(format!("--plan {}: {error}", file.display())).remedy("name a file that can be written")
    })
}

/// One run, if the right to run can be had. A run that does not extend it in time loses it.
async fn once(
    session: &Session,
    reconciler: &Reconciler,
    runner: &str,
    mode: &Mode,
) -> Result<Option<Report>, Failure> {
    let lease_ms = session.config.reconcile.lease_secs * 1_000;
    let until = || session.now_ms() + lease_ms;
    if let Some(other) = session.store.take_lease(runner, until(), session.now_ms()).await? {
        session.screen.line(&format!("{other} has the right to run: nothing is done here"))?;
        return Ok(None);
    }
    let run = reconciler.run(runner, mode);
    tokio::pin!(run);
    let third = Duration::from_millis(u64::try_from(lease_ms / 3).unwrap_or(1_000).max(1));
    let report = loop {
        tokio::select! {
            report = &mut run => break report?,
            () = tokio::time::sleep(third) => {
                if let Some(other) = session.store.take_lease(runner, until(), session.now_ms()).await? {
                    return Err(Failure::failed(format!("{other} has taken the right to run: this run was cut off"))
                        .remedy("give it more time with reconcile.lease_secs"));
                }
            }
        }
    };
    session.store.give_lease(runner).await?;
    Ok(Some(report))
}

/// Again and again, until it is told to stop. What goes wrong in one run is for the next one to try again.
async fn for_ever(session: &Session, reconciler: &Reconciler, runner: &str, secs: i64) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    worker::listen(stop.clone())?;
    let mut ticks = tokio::time::interval(Duration::from_secs(u64::try_from(secs).unwrap_or(1).max(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => break,
        }
        let result = tokio::select! {
            result = once(session, reconciler, runner, &Mode::Repair) => result,
            () = stop.cancelled() => break,
        };
        match result {
            Ok(Some(report)) => print::report(session, &report)?,
            Ok(None) => {}
            Err(error) => {
                tracing::error!(error = %error, at = time::clock_time(session.now_ms()), "the run failed; the next one tries again")
            }
        }
    }
    session.store.give_lease(runner).await?;
    Ok(())
}
