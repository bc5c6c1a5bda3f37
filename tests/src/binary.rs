//! The built `provisioner`, run as its users run it.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use regions::Cloud;
use serde_json::Value;
use tempfile::TempDir;

use crate::{cli::aws, emulator::Emulator};

/// An installation: a directory with a configuration and a database, pointed at one or more emulators.
pub struct Installation<'a> {
    directory: TempDir,
    emulators: Vec<&'a Emulator>,
    database: Option<String>,
}

/// A process that is killed when this is dropped.
pub struct Running(Child);

impl Running {
    /// The rest of the first line that begins so.
    ///
    /// # Errors
    /// If there is none before it ends.
    pub fn told(&mut self, beginning: &str) -> Result<String> {
        let stdout = self.0.stdout.take().context("it was asked before")?;
        for line in BufReader::new(stdout).lines() {
            if let Some(rest) = line?.strip_prefix(beginning) {
                return Ok(rest.to_owned());
            }
        }
        bail!("it ended without a line `{beginning}...`")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its own end is all that a failure here could mean.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The binary that cargo built beside this test.
///
/// # Panics
/// If there is none: `cargo test --workspace` builds it.
#[must_use]
pub fn path() -> PathBuf {
    let mut path = std::env::current_exe().unwrap_or_default();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push("provisioner");
    assert!(path.exists(), "{} is missing: build the workspace first", path.display());
    path
}

impl<'a> Installation<'a> {
    /// Subnets, security groups and images as the emulator has them in these regions; a migrated SQLite database.
    ///
    /// # Errors
    /// If the emulator or the migration fails.
    pub fn new(emulator: &'a Emulator, regions: &[&str]) -> Result<Self> {
        Self::of(&[(emulator, regions)])
    }

    /// The same with several clouds.
    ///
    /// # Errors
    /// If an emulator or the migration fails.
    pub fn of(clouds: &[(&'a Emulator, &[&str])]) -> Result<Self> {
        let emulators = clouds.iter().map(|(emulator, _)| *emulator).collect();
        let installation = Self { directory: tempfile::tempdir()?, emulators, database: None };
        let database = format!("sqlite://{}", installation.file("provisioner.db").display());
        let mut text = format!("deployment = \"test\"\ndatabase = \"{database}\"\n");
        text.push_str("[worker]\nlease_secs = 2\n");
        for (emulator, regions) in clouds {
            text.push_str(&match emulator.cloud() {
                Cloud::Aws => aws_section(emulator, regions)?,
                Cloud::Gcp => gcp_section(emulator, regions)?,
            });
        }
        std::fs::write(installation.file("provisioner.toml"), text)?;
        installation.run(&["migrate"])?;
        Ok(installation)
    }

    /// A file of its directory.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .envs(self.emulators.iter().flat_map(|emulator| emulator.environment()))
            .env("PROVISIONER_CONFIG", self.file("provisioner.toml"));
        if let Some(database) = &self.database {
            command.env("PROVISIONER_DATABASE", database);
        }
        command.current_dir(self.directory.path());
        command
    }

    /// Adds to its configuration.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn configure(&self, text: &str) -> Result<()> {
        let mut file = std::fs::OpenOptions::new().append(true).open(self.file("provisioner.toml"))?;
        Ok(file.write_all(text.as_bytes())?)
    }

    /// The same installation over another database than its own.
    ///
    /// # Errors
    /// If it can't be migrated.
    pub fn over(mut self, database: &str) -> Result<Self> {
        self.database = Some(database.to_owned());
        self.run(&["migrate"])?;
        Ok(self)
    }

    /// Starts what goes on until the value that comes back is dropped; its log is a file of that name in the directory.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(&self, log: &str, arguments: &[&str]) -> Result<Running> {
        let mut command = self.command(&path());
        let log = std::fs::File::create(self.file(log))?;
        let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        Ok(Running(child))
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn attempt(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(&path()).args(arguments).stdin(Stdio::null()).output()?)
    }

    /// Runs a command that must succeed; the answer is its standard output.
    ///
    /// # Errors
    /// With everything that it printed, if it does not.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.attempt(arguments)?;
        if !output.status.success() {
            let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            bail!("provisioner {arguments:?} ended with {}:\n{out}{err}", output.status);
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs a command that must succeed and prints JSON.
    ///
    /// # Errors
    /// If it does not.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = arguments.to_vec();
        all.extend(["--output", "json"]);
        Ok(serde_json::from_str(&self.run(&all)?)?)
    }

    /// Starts a worker that drains the queue. It begins only after `prepare` has been told its process id.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn worker(&self, arguments: &[&str], prepare: impl FnOnce(u32) -> Result<()>) -> Result<Child> {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", "read -r _ && exec \"$0\" \"$@\""]).arg(path()).args(["worker", "--drain"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        prepare(child.id())?;
        child.stdin.take().context("no standard input")?.write_all(b"go\n")?;
        Ok(child)
    }

    /// Lets a worker drain the queue, which must succeed.
    ///
    /// # Errors
    /// If it does not within two minutes.
    pub fn drain(&self) -> Result<()> {
        let child = self.worker(&[], |_| Ok(()))?;
        let output = wait(child, Duration::from_secs(120))?;
        if !output.status.success() {
            bail!("the worker ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// Waits for a child, but not for ever.
///
/// # Errors
/// If it had to be killed.
#[expect(clippy::disallowed_methods, reason = "a real process is waited for in real time")]
pub fn wait(mut child: Child, at_most: Duration) -> Result<Output> {
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > at_most {
            child.kill()?;
            let output = child.wait_with_output()?;
            bail!("no end after {at_most:?}:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(child.wait_with_output()?)
}

/// The emulators show everything after a second at most, so absence need not be doubted for a minute.
fn aws_section(emulator: &Emulator, regions: &[&str]) -> Result<String> {
    let mut text = "[aws]\nvisibility_secs = 2\n".to_owned();
    for region in regions {
        text.push_str(&region_section(emulator, region)?);
    }
    Ok(text)
}

fn gcp_section(emulator: &Emulator, regions: &[&str]) -> Result<String> {
    let known = emulator.get(&format!("regions/{}", regions.first().context("no region")?))?;
    let project = known["project"].as_str().context("no project")?;
    let mut text = format!("[gcp]\nproject = \"{project}\"\nendpoint = \"{}\"\nvisibility_secs = 2\n", emulator.url());
    let image = |arch: &str| known["families"][arch].as_str().unwrap_or_default().to_owned();
    writeln!(text, "images = {{ x86_64 = \"{}\", arm64 = \"{}\" }}", image("x86_64"), image("arm64"))?;
    for region in regions {
        writeln!(text, "[gcp.regions.{region}]\nsubnetwork = \"default\"")?;
    }
    Ok(text)
}

fn region_section(emulator: &Emulator, region: &str) -> Result<String> {
    let groups = aws(emulator, region, &["ec2", "describe-security-groups"])?;
    let group = groups["SecurityGroups"][0]["GroupId"].as_str().context("no security group")?.to_owned();
    let mut text = format!("[aws.regions.{region}]\nsecurity_groups = [\"{group}\"]\n");
    let parameter = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default";
    writeln!(text, "images = {{ x86_64 = \"{parameter}-x86_64\", arm64 = \"{parameter}-arm64\" }}")?;
    writeln!(text, "[aws.regions.{region}.subnets]")?;
    let subnets = aws(emulator, region, &["ec2", "describe-subnets"])?;
    for subnet in subnets["Subnets"].as_array().into_iter().flatten() {
        let (zone, id) = (subnet["AvailabilityZone"].as_str(), subnet["SubnetId"].as_str());
        let known = regions::Region::find(Cloud::Aws, region)?.zones().any(|known| Some(known.name()) == zone);
        if let (Some(zone), Some(id), true) = (zone, id, known) {
            writeln!(text, "{zone} = \"{id}\"")?;
        }
    }
    Ok(text)
}
