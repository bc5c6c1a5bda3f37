//! The emulators of `tests/clouds`: started for a test, steered through its control API, stopped with it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use regions::Cloud;
use serde_json::{Value, json};

/// A running emulator. Dropping it stops it.
pub struct Emulator {
    cloud: Cloud,
    url: String,
    child: Child,
    /// The emulator ends when this closes, should we be killed.
    _lifeline: Option<ChildStdin>,
    agent: ureq::Agent,
}

impl Emulator {
    /// Starts one of that cloud whose states last so many seconds.
    ///
    /// # Errors
    /// If the script that starts it is missing or fails.
    pub fn start(cloud: Cloud, settle_secs: f64) -> Result<Self> {
        let (script, variable) = match cloud {
            Cloud::Aws => ("aws-emulator", "AWS_ENDPOINT_URL="),
            Cloud::Gcp => ("gcp-emulator", "GCP_ENDPOINT_URL="),
        };
        let mut child = Command::new(crate::root().join("scripts").join(script))
            .args(["--settle", &settle_secs.to_string(), "--parent-watch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("scripts/{script} could not be started"))?;
        let lifeline = child.stdin.take();
        let stdout = child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Some(url) = line.trim().strip_prefix(variable) else {
            bail!("scripts/{script} said {line:?} instead of its address");
        };
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build();
        Ok(Self { cloud, url: url.to_owned(), child, _lifeline: lifeline, agent: config.into() })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Which cloud it is.
    #[must_use]
    pub const fn cloud(&self) -> Cloud {
        self.cloud
    }

    /// The environment of a client: credentials that are none, found the way real ones are.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        if self.cloud == Cloud::Gcp {
            let host = self.url.trim_start_matches("http://").to_owned();
            return vec![("GCE_METADATA_HOST", host)];
        }
        vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Asks the control API.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn get(&self, what: &str) -> Result<Value> {
        let mut answer = self.agent.get(format!("{}/_emulator/{what}", self.url)).call()?;
        Ok(answer.body_mut().read_json()?)
    }

    /// Asks the cloud itself, with a token that it takes for credentials.
    ///
    /// # Errors
    /// If it does not answer, or refuses.
    pub fn cloud_get(&self, path: &str) -> Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.url)).header("Authorization", "Bearer test");
        Ok(request.call()?.body_mut().read_json()?)
    }

    /// Changes something in the cloud itself, behind our own back.
    ///
    /// # Errors
    /// If it does not answer, or refuses.
    pub fn cloud_send(&self, method: &str, path: &str, body: &Value) -> Result<()> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("Authorization", "Bearer test")
            .header("Content-Type", "application/json")
            .body(if body.is_null() { String::new() } else { body.to_string() })?;
        self.agent.run(request)?;
        Ok(())
    }

    /// Tells the control API.
    ///
    /// # Errors
    /// If it refuses.
    pub fn post(&self, what: &str, body: &Value) -> Result<()> {
        self.agent.post(format!("{}/_emulator/{what}", self.url)).send_json(body)?;
        Ok(())
    }

    /// Wipes every cloud, the rules and the counters; the settings stay.
    ///
    /// # Errors
    /// If it refuses.
    pub fn reset(&self) -> Result<()> {
        self.post("reset", &json!({ "keep_settings": true }))
    }

    /// The cloud calls so far, by service and action.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn counts(&self) -> Result<std::collections::BTreeMap<String, u64>> {
        let calls = self.get("calls")?;
        Ok(serde_json::from_value(calls["counts"].clone())?)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Its own end is all that a failure here could mean.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
