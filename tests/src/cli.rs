//! The AWS CLI of the emulator's virtual environment: a judge that is not ours.

use std::process::Command;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::emulator::Emulator;

/// Runs one command against the emulator and reads its JSON.
///
/// # Errors
/// What the CLI says on its standard error.
pub fn aws(emulator: &Emulator, region: &str, arguments: &[&str]) -> Result<Value> {
    let output = Command::new(crate::root().join(".venv/bin/aws"))
        .args(arguments)
        .args(["--region", region, "--output", "json"])
        .envs(emulator.environment())
        .output()?;
    if !output.status.success() {
        bail!("aws {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    if output.stdout.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
