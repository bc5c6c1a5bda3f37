//! Dockerfile and docker-compose.yml, as far as they can be checked where no container engine runs: by hadolint, by the Compose
//! Specification's own schema, and by what we promise of them. scripts/image-by-hand does their steps.

use std::{collections::BTreeSet, fs, process::Command};

use anyhow::{Context, Result, ensure};
use provisioner::config::Config;
use serde_json::{Map, Value};
use tests::{binary, root};

use super::{check_arguments, yaml};

fn read(name: &str) -> Result<String> {
    fs::read_to_string(root().join(name)).with_context(|| name.to_owned())
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn tool(name: &str) -> Command {
    Command::new(root().join(".venv/bin").join(name))
}

/// The stages as `tests/image/dockerfile.py` reads them.
fn stages() -> Result<Map<String, Value>> {
    let output = tool("python").arg(root().join("tests/image/dockerfile.py")).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn steps<'a>(stage: &'a Value, word: &'a str) -> impl Iterator<Item = &'a str> {
    let all = stage["steps"].as_array().into_iter().flatten();
    all.filter(move |step| step["word"] == word).filter_map(|step| step["value"].as_str())
}

/// A tag that says what it is, and a digest that can't be another thing tomorrow.
fn is_pinned(image: &str) -> bool {
    let Some((name, digest)) = image.split_once("@sha256:") else { return false };
    let tag = name.split_once(':').map_or("", |(_, tag)| tag);
    tag.contains(|c: char| c.is_ascii_digit()) && digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit())
}

/// A number other than 0, for user and group: what needs no entry in any file.
fn is_nobody(user: &str) -> bool {
    let numbers: Vec<u32> = user.split(':').filter_map(|part| part.parse().ok()).collect();
    numbers.len() == 2 && numbers.iter().all(|number| *number > 0)
}

fn schema_says(text: &str) -> Result<bool> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("docker-compose.yml");
    fs::write(&file, text)?;
    let output = tool("check-jsonschema").args(["--builtin-schema", "vendor.compose-spec"]).arg(file).output()?;
    Ok(output.status.success())
}

/// All that we promise of the file.
fn check(text: &str) -> Result<()> {
    ensure!(schema_says(text)?, "the Compose Specification's schema refuses it");
    let compose = yaml(text)?;
    let stages = stages()?;
    let services = compose["services"].as_object().context("no services")?;
    for (name, service) in services {
        check_service(service, &stages, services).with_context(|| name.clone())?;
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap_or_default();
            let is_known = match source.strip_prefix("./") {
                Some(file) => is_committed(file)? && volume.ends_with(":ro"),
                None => compose["volumes"].get(source).is_some(),
            };
            ensure!(is_known, "{name}: {volume}");
        }
        for network in texts(&service["networks"]) {
            ensure!(compose["networks"].get(network).is_some(), "{name}: {network}");
        }
    }
    let door: Vec<&String> =
        services.iter().filter(|(_, service)| !service["ports"].is_null()).map(|it| it.0).collect();
    ensure!(door == ["serve"], "{door:?} are published");
    ensure!(compose["networks"]["inside"]["internal"] == true, "the database's network leads outside");
    Ok(())
}

fn check_service(service: &Value, stages: &Map<String, Value>, all: &Map<String, Value>) -> Result<()> {
    ensure!(is_nobody(service["user"].as_str().unwrap_or_default()), "user {}", service["user"]);
    ensure!(service["read_only"] == true, "its root can be written");
    ensure!(texts(&service["cap_drop"]) == ["ALL"] && service["cap_add"].is_null(), "capabilities");
    ensure!(texts(&service["security_opt"]) == ["no-new-privileges:true"], "{}", service["security_opt"]);
    for key in ["privileged", "pid", "ipc", "userns_mode", "devices", "env_file", "extra_hosts"] {
        ensure!(service[key].is_null(), "{key}");
    }
    ensure!(service["mem_limit"].is_string() && service["pids_limit"].is_u64(), "no limits");
    for port in texts(&service["ports"]) {
        ensure!(port.starts_with("127.0.0.1:"), "{port} is open to others");
    }
    let network = service["network_mode"].as_str().unwrap_or_default();
    let behind = network.strip_prefix("service:").is_none_or(|other| all.contains_key(other));
    ensure!(network != "host" && behind, "{network}");
    match service["restart"].as_str() {
        Some("no") => {}
        Some("unless-stopped") => ensure!(grace(service) >= 10, "no time to end in"),
        other => anyhow::bail!("restart: {other:?}"),
    }
    for (other, how) in service["depends_on"].as_object().into_iter().flatten() {
        check_wait(all.get(other).with_context(|| format!("it waits for {other}"))?, how, other)?;
    }
    match service["build"]["target"].as_str() {
        Some(target) => check_built(service, target, stages.get(target).with_context(|| format!("no stage {target}"))?),
        None => {
            let image = service["image"].as_str().unwrap_or_default();
            ensure!(is_pinned(image), "{image} is not pinned");
            Ok(())
        }
    }
}

fn grace(service: &Value) -> u64 {
    let text = service["stop_grace_period"].as_str().unwrap_or_default();
    text.strip_suffix('s').and_then(|secs| secs.parse().ok()).unwrap_or(0)
}

fn check_wait(other: &Value, how: &Value, name: &str) -> Result<()> {
    match how["condition"].as_str() {
        Some("service_healthy") => ensure!(other["healthcheck"]["test"].is_array(), "{name} has no health check"),
        Some("service_completed_successfully") => ensure!(other["restart"] == "no", "{name} never ends"),
        Some("service_started") => {}
        strange => anyhow::bail!("{name}: {strange:?}"),
    }
    Ok(())
}

/// A service of one of our images: a command that there is, and variables that somebody reads.
fn check_built(service: &Value, target: &str, stage: &Value) -> Result<()> {
    ensure!(texts(&service["build"]["context"]).is_empty() && service["build"]["context"] == ".", "another context");
    let command: Vec<String> = texts(&service["command"]).into_iter().map(ToOwned::to_owned).collect();
    let variables: Vec<&String> = service["environment"].as_object().into_iter().flatten().map(|it| it.0).collect();
    if target == "emulators" {
        let script = command.first().and_then(|path| path.strip_prefix("/emulators/")).context("no script")?;
        ensure!(is_committed(&format!("tests/clouds/{script}"))?, "{script}");
        // Its parser would show help and keep quiet about an option that it does not know.
        let output = tool("python").arg(root().join("tests/clouds").join(script)).arg("--help").output()?;
        let help = String::from_utf8(output.stdout)?;
        let is_known = |word: &String| !word.starts_with('-') || help.contains(&format!("{word} "));
        ensure!(output.status.success() && variables.is_empty(), "{command:?} {variables:?}");
        ensure!(command.iter().all(is_known), "{command:?} of {help}");
        return Ok(());
    }
    check_arguments(&command)?;
    let known = known_variables(&command)?;
    for name in variables {
        ensure!(known.contains(name.as_str()) || AWS.contains(&name.as_str()), "nobody reads {name}");
    }
    let entry = steps(stage, "ENTRYPOINT").last().context("no entry point")?;
    ensure!(entry == r#"["provisioner"]"#, "{entry}");
    let configuration = texts(&service["volumes"])
        .into_iter()
        .find_map(|volume| volume.strip_suffix(":/etc/provisioner/config.toml:ro"));
    if let Some(file) = configuration {
        let config = Config::parse(&read(file.trim_start_matches("./"))?, file.as_ref())?;
        if command == ["serve"] {
            let writes = |path: &Option<std::path::PathBuf>| {
                path.as_ref().is_some_and(|it| it.starts_with("/var/lib/provisioner"))
            };
            ensure!(writes(&config.api.tls_certificate) && writes(&config.api.tls_key), "no TLS");
            ensure!(grace(service) > u64::from(config.api.drain_secs) + 5, "killed while it drains");
            let ports = texts(&service["ports"]);
            let port = ports.first().and_then(|port| port.rsplit(':').next()).context("no port")?;
            ensure!(port == config.api.listen.port().to_string() && config.api.listen.ip().is_unspecified(), "{port}");
        }
    }
    let health = texts(&service["healthcheck"]["test"]);
    ensure!(health.is_empty() == (service["healthcheck"]["disable"] == true), "{health:?}");
    if let [kind, program, arguments @ ..] = health.as_slice() {
        ensure!(*kind == "CMD" && *program == "provisioner", "{health:?}");
        check_arguments(&arguments.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// What the AWS SDK reads (AWS SDKs and Tools Reference Guide, "Environment variables list").
const AWS: [&str; 5] =
    ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_EC2_METADATA_DISABLED"];

/// The variables that the help of a command names.
fn known_variables(command: &[String]) -> Result<BTreeSet<String>> {
    let words: Vec<&String> = command.iter().take_while(|word| !word.starts_with('-')).collect();
    let output = Command::new(binary::path()).args(words).arg("--help").output()?;
    let help = String::from_utf8(output.stdout)?;
    let names = help.split("[env: ").skip(1).filter_map(|rest| rest.split([']', '=']).next());
    Ok(names.map(|name| name.trim().to_owned()).collect())
}

/// Whether git has it, as a file or as a folder of files.
fn is_committed(path: &str) -> Result<bool> {
    let output = Command::new("git").args(["ls-files", "--", path]).current_dir(root()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(!output.stdout.is_empty())
}

#[test]
fn the_compose_file_is_what_compose_takes_and_holds_its_services() -> Result<()> {
    let text = read("docker-compose.yml")?;
    check(&text)?;
    let broken = [
        ("read_only: true", "read_only: maybe"),
        ("cap_drop: [ALL]", "cap_drp: [ALL]"),
        ("condition: service_healthy", "condition: service_well"),
        ("read_only: true", "read_only: false"),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]"),
        ("no-new-privileges:true", "no-new-privileges:false"),
        ("user: \"65532:65532\"", "user: \"0:0\""),
        ("user: \"999:999\"", "user: postgres"),
        ("127.0.0.1:8443:8443", "8443:8443"),
        ("127.0.0.1:8443:8443", "127.0.0.1:8443:8444"),
        ("17.11-bookworm@sha256:", "17.11-bookworm@sha255:"),
        ("postgres:17.11-bookworm@", "postgres@"),
        ("target: provisioner }", "target: provisoner }"),
        ("command: [migrate, --app-role", "command: [migrate, --api-role"),
        ("command: [reconcile, --every, 5m]", "command: [reconcile, --every, often]"),
        ("[/emulators/aws/run.py, --port", "[/emulators/aws/run.py, --prt"),
        ("[/emulators/gcp/run.py", "[/emulators/gcp/start.py"),
        ("  PROVISIONER_DATABASE:", "  PROVISIONER_DATABSE:"),
        ("  AWS_ENDPOINT_URL:", "  AWS_ENDPOINT:"),
        ("PROVISIONER_API_DATABASE:", "PROVISIONER_APP_DATABASE:"),
        ("[CMD, provisioner, healthcheck]", "[CMD, provisioner, healthchck]"),
        ("stop_grace_period: 40s", "stop_grace_period: 20s"),
        ("network_mode: service:aws-emulator", "network_mode: host"),
        ("inside: { internal: true }", "inside: {}"),
        ("provisioner.toml:/etc", "provisoner.toml:/etc"),
        ("tls:/var/lib/provisioner:ro", "tsl:/var/lib/provisioner:ro"),
    ];
    for (good, bad) in broken {
        assert!(text.contains(good), "{good}");
        assert!(check(&text.replacen(good, bad, 1)).is_err(), "{bad} is not noticed");
    }
    Ok(())
}

#[test]
fn the_dockerfile_copies_what_is_there_and_runs_as_nobody() -> Result<()> {
    let output = tool("hadolint").arg(root().join("Dockerfile")).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let stages = stages()?;
    assert_eq!(
        stages.keys().collect::<BTreeSet<_>>(),
        BTreeSet::from([&"build".into(), &"emulators".into(), &"provisioner".into()])
    );
    let ignore = read(".dockerignore")?;
    for (name, stage) in &stages {
        let base = stage["base"].as_str().context("no base")?;
        assert!(is_pinned(base), "{name}: {base}");
        for copy in steps(stage, "COPY").filter(|copy| !copy.starts_with("--from=")) {
            let (sources, _) = copy.rsplit_once(' ').context("one word")?;
            for source in sources.split(' ') {
                assert!(is_committed(source)?, "{name}: {source} is not in git");
                let is_sent = ignore
                    .lines()
                    .filter_map(|line| line.strip_prefix('!'))
                    .any(|line| source == line || source.starts_with(&format!("{line}/")));
                assert!(is_sent, "{name}: .dockerignore keeps {source} back");
            }
        }
        for origin in steps(stage, "COPY").filter_map(|copy| copy.strip_prefix("--from=")?.split(' ').next()) {
            assert!(stages.contains_key(origin), "{name}: no stage {origin}");
        }
    }
    for name in ["emulators", "provisioner"] {
        let user = steps(&stages[name], "USER").last().context("no user")?;
        assert!(is_nobody(user), "{name}: {user}");
    }
    Ok(())
}

#[test]
fn the_dockerfile_builds_with_our_toolchain_and_its_image_can_be_asked_and_stopped() -> Result<()> {
    let stages = stages()?;
    let toolchain = read("rust-toolchain.toml")?;
    let base = stages["build"]["base"].as_str().context("no base")?;
    let version = base.trim_start_matches("rust:").split('-').next().unwrap_or_default();
    assert!(toolchain.contains(&format!("channel = \"{version}\"")), "{base} is not {toolchain}");
    let built = &stages["provisioner"];
    let dockerfile = read("Dockerfile")?;
    let last = dockerfile.lines().rfind(|line| line.starts_with("FROM ")).context("no stage")?;
    assert!(last.ends_with(" AS provisioner"), "{last} is what `docker build` makes");
    // In exec form the program is process 1 itself: no shell stands between it and a signal.
    for (word, wanted) in [("ENTRYPOINT", r#"["provisioner"]"#), ("STOPSIGNAL", "SIGTERM"), ("EXPOSE", "8443")] {
        assert_eq!(steps(built, word).collect::<Vec<_>>(), [wanted], "{word}");
    }
    let health = steps(built, "HEALTHCHECK").last().context("no health check")?;
    let (_, command) = health.split_once(" CMD ").context("no command")?;
    let words: Vec<String> = serde_json::from_str(command)?;
    assert_eq!(words.first().map(String::as_str), Some("provisioner"));
    check_arguments(&words[1..])?;
    // The workspace's own members, and no feature that a release must not have.
    let run = steps(&stages["build"], "RUN").last().context("nothing is built")?;
    assert!(run.contains("--locked") && !run.contains("--features"), "{run}");
    let manifest = read("Cargo.toml")?;
    for member in ["regions", "providers", "migrations", "provisioner", "tests"] {
        assert!(manifest.contains(&format!("\"{member}\"")));
        assert!(steps(&stages["build"], "COPY").any(|copy| copy.starts_with(member)), "{member} is not copied");
    }
    Ok(())
}
