//! The units under `deploy/`, as far as they can be checked where no scheduler runs: by systemd's own verifier, by Kubernetes'
//! own types, by cron's grammar, and by the options that the binary really has.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and lives at the edge")]

#[path = "deploy/grants.rs"]
mod grants;
#[path = "deploy/health.rs"]
mod health;
#[path = "deploy/image.rs"]
mod image;

use std::{fs, process::Command};

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::{apps::v1::Deployment, batch::v1::CronJob, core::v1::PodSpec};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tests::{binary, root};

fn unit(name: &str) -> Result<String> {
    let path = root().join("deploy").join(name);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// YAML as the emulators' Python reads it.
fn yaml(text: &str) -> Result<Value> {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.argv[1])))";
    let output = Command::new(root().join(".venv/bin/python")).args(["-c", script, text]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Every field has to be one that Kubernetes knows, of its type.
fn strict<T: DeserializeOwned>(value: Value) -> Result<T> {
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize(value, |path| unknown.push(path.to_string()))?;
    ensure!(unknown.is_empty(), "unknown fields: {unknown:?}");
    Ok(read)
}

/// What a pod of ours must never be, and that it runs a command that there is.
fn check_pod(pod: &PodSpec) -> Result<()> {
    let whole = pod.security_context.as_ref().context("no security context")?;
    ensure!(whole.run_as_non_root == Some(true), "it may run as root");
    ensure!(whole.seccomp_profile.as_ref().is_some_and(|profile| profile.type_ == "RuntimeDefault"), "no seccomp");
    for container in &pod.containers {
        let own = container.security_context.as_ref().context("no security context")?;
        ensure!(
            own.allow_privilege_escalation == Some(false) && own.read_only_root_filesystem == Some(true),
            "{own:?}"
        );
        ensure!(own.capabilities.as_ref().is_some_and(|all| all.drop == Some(vec!["ALL".to_owned()])), "{own:?}");
        let limits = container.resources.as_ref().and_then(|resources| resources.limits.as_ref());
        ensure!(limits.is_some_and(|limits| limits.contains_key("memory")), "no limit of memory");
        let mounts: Vec<&str> = container.volume_mounts.iter().flatten().map(|mount| mount.name.as_str()).collect();
        let volumes: Vec<&str> = pod.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
        ensure!(mounts.iter().all(|mount| volumes.contains(mount)), "{mounts:?} of {volumes:?}");
        check_arguments(&container.args.clone().unwrap_or_default())?;
    }
    Ok(())
}

/// The binary knows these arguments.
fn check_arguments(arguments: &[String]) -> Result<()> {
    ensure!(!arguments.is_empty(), "no command");
    let output = Command::new(binary::path()).args(arguments).arg("--help").output()?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn check_cron_job(text: &str) -> Result<()> {
    let cron: CronJob = strict(yaml(text)?)?;
    let spec = cron.spec.context("no spec")?;
    check_schedule(&spec.schedule)?;
    ensure!(spec.concurrency_policy.as_deref() == Some("Forbid"), "two at once");
    let job = spec.job_template.spec.context("no job")?;
    ensure!(job.backoff_limit == Some(0) && job.active_deadline_seconds.is_some(), "it is repeated, or hangs for ever");
    let pod = job.template.spec.context("no pod")?;
    ensure!(pod.restart_policy.as_deref() == Some("Never"), "{:?}", pod.restart_policy);
    check_pod(&pod)
}

fn check_deployment(text: &str) -> Result<()> {
    let deployment: Deployment = strict(yaml(text)?)?;
    let spec = deployment.spec.context("no spec")?;
    let labels = spec.template.metadata.and_then(|metadata| metadata.labels);
    ensure!(spec.selector.match_labels == labels, "the selector does not select its own pods");
    let pod = spec.template.spec.context("no pod")?;
    ensure!(pod.termination_grace_period_seconds >= Some(60), "no time to hand jobs back");
    check_pod(&pod)
}

/// crontab(5): five fields, each a list of `*`, numbers and ranges, with steps.
fn check_schedule(schedule: &str) -> Result<()> {
    let limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    ensure!(fields.len() == 5, "{} fields: {schedule}", fields.len());
    for (field, (least, most)) in fields.into_iter().zip(limits) {
        for part in field.split(',') {
            let (range, step) = part.split_once('/').unwrap_or((part, "1"));
            ensure!(step.parse::<u32>()? > 0, "{part}");
            if range == "*" {
                continue;
            }
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            let (from, to) = (from.parse::<u32>()?, to.parse::<u32>()?);
            ensure!(least <= from && from <= to && to <= most, "{part} is not from {least} to {most}");
        }
    }
    Ok(())
}

fn check_crontab(text: &str) -> Result<()> {
    let mut jobs = 0;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')) {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let schedule = words.get(..5).context("too short")?;
        check_schedule(&schedule.join(" "))?;
        let [user, command @ ..] = words.get(5..).context("too short")? else { bail!("no user") };
        ensure!(*user == "provisioner" && !line.contains('%'), "{line}");
        let place = command.iter().position(|word| *word == PROGRAM).context("it does not run provisioner")?;
        let arguments = command[place + 1..].iter().take_while(|word| **word != "||");
        check_arguments(&arguments.map(|word| (*word).to_owned()).collect::<Vec<_>>())?;
        jobs += 1;
    }
    ensure!(jobs == 1 && text.ends_with('\n'), "{jobs} jobs, or the last line does not end");
    Ok(())
}

/// Where the units look for the binary.
const PROGRAM: &str = "/usr/local/bin/provisioner";
const UNITS: [&str; 3] = ["provisioner-worker.service", "provisioner-reconcile.service", "provisioner-reconcile.timer"];

/// What a unit runs, with the binary's own path as systemd would find it.
fn command(text: &str) -> Result<Vec<String>> {
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).context("no ExecStart")?;
    let rest = line.strip_prefix(PROGRAM).context("another program")?;
    Ok(rest.split_whitespace().map(ToOwned::to_owned).collect())
}

/// systemd's own judgement, with a program that is there in place of ours; none where there is no systemd.
fn verify(change: impl Fn(&str, String) -> String) -> Result<Option<String>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|directory| directory.join("systemd-analyze").exists()) {
        return Ok(None);
    }
    let directory = tempfile::tempdir()?;
    for name in UNITS {
        let text = unit(&format!("systemd/{name}"))?.replace(PROGRAM, "/bin/true");
        let text = text.replace("User=provisioner", "User=root").replace("Group=provisioner", "Group=root");
        let text: String =
            text.lines().filter(|line| !line.starts_with("Documentation=")).flat_map(|line| [line, "\n"]).collect();
        fs::write(directory.path().join(name), change(name, text))?;
    }
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(UNITS.map(|name| directory.path().join(name)))
        .env("SYSTEMD_UNIT_PATH", format!("{}:", directory.path().display()))
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("provisioner-")).collect();
    Ok(Some(ours.join("\n")))
}

#[test]
fn the_systemd_units_are_what_systemd_takes() -> Result<()> {
    for name in &UNITS[..2] {
        check_arguments(&command(&unit(&format!("systemd/{name}"))?)?)?;
    }
    let Some(told) = verify(|_, text| text)? else {
        println!("there is no systemd-analyze here: only the commands were checked");
        return Ok(());
    };
    assert_eq!(told, "");
    let broken = [
        ("TimeoutStopSec=120", "TimeoutStopSec=soon"),
        ("ProtectHome=yes", "ProtectHouse=yes"),
        ("OnCalendar=*:0/5", "OnCalendar=*:0/apples"),
    ];
    for (good, bad) in broken {
        let told = verify(|_, text| text.replace(good, bad))?.context("systemd-analyze is gone")?;
        assert!(!told.is_empty(), "{bad} is not noticed");
    }
    Ok(())
}

#[test]
fn the_kubernetes_manifests_are_what_kubernetes_takes() -> Result<()> {
    let (cron, deployment) = (unit("kubernetes/reconcile-cronjob.yaml")?, unit("kubernetes/worker-deployment.yaml")?);
    check_cron_job(&cron)?;
    check_deployment(&deployment)?;
    let broken = [
        ("concurrencyPolicy", "concurencyPolicy"),
        ("backoffLimit: 0", "backoffLimit: none"),
        ("\"*/5 * * * *\"", "\"*/5 * * *\""),
        ("runAsNonRoot: true", "runAsNonRoot: false"),
        ("mountPath", "path"),
        ("toml, reconcile]", "toml, reconsile]"),
    ];
    for (good, bad) in broken {
        assert!(cron.contains(good), "{good}");
        assert!(check_cron_job(&cron.replace(good, bad)).is_err(), "{bad} is not noticed");
    }
    assert!(check_deployment(&deployment.replacen("component: worker", "component: other", 2)).is_err());
    Ok(())
}

#[test]
fn the_crontab_is_what_cron_takes() -> Result<()> {
    let crontab = unit("cron/provisioner-reconcile")?;
    check_crontab(&crontab)?;
    for (good, bad) in [("*/5 * * * *", "*/5 * * *"), ("*/5 *", "61 *"), ("toml reconcile ", "toml reconcil ")] {
        assert!(check_crontab(&crontab.replace(good, bad)).is_err(), "{bad:?} is not noticed");
    }
    Ok(())
}
