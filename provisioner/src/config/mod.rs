//! The configuration: one TOML file, over which environment variables and flags have the last word.
//!
//! It is read whole and checked whole before anything else happens. What is wrong is named by file, line and full key,
//! with what would do. It holds no credentials: the clouds' own chains find those.

mod error;
mod locate;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use providers::{aws::AwsConfig, fake::FakeConfig, gcp::GcpConfig};
use serde::{Deserialize, Serialize};

use crate::{api, core::Policy, reconcile::Settings};

pub use error::ConfigError;

/// Where the file is looked for when nobody names one, in that order.
pub const SEARCHED: [&str; 2] = ["provisioner.toml", "/etc/provisioner/config.toml"];

/// The database when nobody names one.
pub const DEFAULT_DATABASE: &str = "sqlite://provisioner.db";

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name under which this installation marks what it makes. A worker on a real cloud needs it.
    #[serde(default)]
    pub deployment: Option<String>,
    /// `sqlite://FILE` or `postgres://...`.
    #[serde(default)]
    pub database: Option<String>,
    /// Amazon Web Services, if it may be used.
    #[serde(default)]
    pub aws: Option<AwsConfig>,
    /// Google Cloud, if it may be used.
    #[serde(default)]
    pub gcp: Option<GcpConfig>,
    /// Delays, deadlines and caps.
    #[serde(default)]
    pub policy: Policy,
    /// The brakes of reconcile.
    #[serde(default)]
    pub reconcile: Settings,
    /// The worker process.
    #[serde(default)]
    pub worker: WorkerSection,
    /// The API.
    #[serde(default)]
    pub api: api::Settings,
    /// A modelled cloud in the place of every real one, for trying things out: nothing is made, and what it knows is gone
    /// with its process. It excludes `[aws]` and `[gcp]`, so that no production configuration can have it by accident.
    #[serde(default)]
    pub fake: Option<FakeConfig>,
    /// The file that it came from.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// The section `[worker]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerSection {
    /// Jobs that one process has in hand at once.
    pub slots: usize,
    /// Seconds after which a worker that is silent has lost its jobs.
    pub lease_secs: u32,
    /// Seconds between two looks at the queue when nothing wakes the worker; what suits the database if it is left out.
    pub poll_secs: Option<u32>,
    /// Days for which finished jobs and their stories are kept.
    pub history_days: u32,
}

impl Default for WorkerSection {
    fn default() -> Self {
        Self { slots: 256, lease_secs: 30, poll_secs: None, history_days: 30 }
    }
}

impl WorkerSection {
    /// The first number that can't be meant, as key and problem.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        if !(1..=10_000).contains(&self.slots) {
            return Some(("worker.slots", "must be from 1 to 10000"));
        }
        if !(2..=3_600).contains(&self.lease_secs) {
            return Some(("worker.lease_secs", "must be from 2 to 3600"));
        }
        if self.poll_secs.is_some_and(|secs| !(1..=3_600).contains(&secs)) {
            return Some(("worker.poll_secs", "must be from 1 to 3600"));
        }
        (self.history_days == 0 || self.history_days > 36_500)
            .then_some(("worker.history_days", "must be from 1 to 36500"))
    }
}

/// What flags and environment variables say. They win over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The file to read, instead of looking for one.
    pub file: Option<PathBuf>,
    /// `database`.
    pub database: Option<String>,
    /// `deployment`.
    pub deployment: Option<String>,
}

impl Config {
    /// Finds the file, reads it, lays the overrides over it, and checks the whole.
    ///
    /// # Errors
    /// [`ConfigError`], which names the key, the line and what would do.
    pub fn load(overrides: Overrides) -> Result<Self, ConfigError> {
        let mut config = match overrides.file {
            Some(file) => Self::read(&file)?.ok_or_else(|| ConfigError::missing(&file))?,
            None => Self::search()?,
        };
        if overrides.database.is_some() {
            config.database = overrides.database;
            config.check_database(|problem| ConfigError::bare("--database", problem))?;
        }
        if overrides.deployment.is_some() {
            config.deployment = overrides.deployment;
            config.check_deployment(|problem| ConfigError::bare("--deployment", problem))?;
        }
        Ok(config)
    }

    fn search() -> Result<Self, ConfigError> {
        for place in SEARCHED {
            if let Some(config) = Self::read(Path::new(place))? {
                return Ok(config);
            }
        }
        Ok(Self::default())
    }

    /// None if there is no such file.
    fn read(file: &Path) -> Result<Option<Self>, ConfigError> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text, file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ConfigError::unreadable(file, &error)),
        }
    }

    /// The configuration in that text.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| ConfigError::of_toml(file, text, &error))?;
        config.file = Some(file.to_owned());
        let at = |key: &str, problem: String| ConfigError::at(file, text, key, problem);
        config.check_database(|problem| at("database", problem))?;
        config.check_deployment(|problem| at("deployment", problem))?;
        if let Some((key, problem)) = config.worker.problem() {
            return Err(at(key, problem.to_owned()));
        }
        if let Some((key, problem)) = config.policy.problem() {
            return Err(at(key, problem.to_owned()));
        }
        if let Some((key, problem)) = config.reconcile.problem() {
            return Err(at(key, problem.to_owned()));
        }
        if let Some((key, problem)) = config.api.problem() {
            return Err(at(key, problem.to_owned()));
        }
        if config.fake.is_some() && (config.aws.is_some() || config.gcp.is_some()) {
            let problem = "the modelled cloud and a real one exclude each other: take out [fake], or [aws] and [gcp]";
            return Err(at("fake", problem.to_owned()));
        }
        if let Some(aws) = &config.aws {
            aws.validate().map_err(|error| at(&error.key, error.problem))?;
        }
        if let Some(gcp) = &config.gcp {
            gcp.validate().map_err(|error| at(&error.key, error.problem))?;
        }
        Ok(config)
    }

    fn check_database(&self, error: impl Fn(String) -> ConfigError) -> Result<(), ConfigError> {
        let Some(url) = &self.database else { return Ok(()) };
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        if known { Ok(()) } else { Err(error("is neither sqlite://FILE nor postgres://HOST/NAME".to_owned())) }
    }

    fn check_deployment(&self, error: impl Fn(String) -> ConfigError) -> Result<(), ConfigError> {
        let Some(name) = &self.deployment else { return Ok(()) };
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=32).contains(&name.len()) && name.chars().all(fits) {
            return Ok(());
        }
        Err(error(format!("`{name}` is not a deployment's name: use 1 to 32 lower-case letters, digits and hyphens")))
    }

    /// Seconds for which the clouds that are configured may not show what they have just made: the most of them.
    #[must_use]
    pub fn visibility_secs(&self) -> u32 {
        let aws = self.aws.as_ref().map(|aws| aws.visibility_secs);
        let gcp = self.gcp.as_ref().map(|gcp| gcp.visibility_secs);
        aws.into_iter().chain(gcp).max().unwrap_or(0)
    }

    /// The database's URL.
    #[must_use]
    pub fn database_url(&self) -> &str {
        self.database.as_deref().unwrap_or(DEFAULT_DATABASE)
    }
}

#[cfg(test)]
mod tests;
