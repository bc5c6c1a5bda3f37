//! The clouds' own tools: judges that are not ours.
//!
//! The AWS CLI is in the emulator's virtual environment. gcloud is in no registry that the scripts can install from: where it is
//! on the machine it is the judge, and where it is not, the API is asked as it stands.

use std::{path::Path, process::Command};

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

/// Whether gcloud is on this machine.
#[must_use]
pub fn has_gcloud() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join("gcloud").exists())
}

/// Runs gcloud against the emulator and reads its JSON. `home` is a directory for its own state.
///
/// # Errors
/// What it says on its standard error.
pub fn gcloud(emulator: &Emulator, home: &Path, arguments: &[&str]) -> Result<Value> {
    let url = emulator.url();
    let output = Command::new("gcloud")
        .args(arguments)
        .args(["--format", "json", "--quiet"])
        .env("CLOUDSDK_CONFIG", home)
        .env("CLOUDSDK_CORE_PROJECT", PROJECT)
        .env("CLOUDSDK_AUTH_ACCESS_TOKEN", "emulated")
        .env("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "true")
        .env("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "true")
        .env("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", format!("{url}/compute/v1/"))
        .env("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", format!("{url}/"))
        .output()?;
    if !output.status.success() {
        bail!("gcloud {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The emulator's project.
pub const PROJECT: &str = "emulated-project";

/// All instances or disks of the project, as gcloud lists them, or as the API does.
///
/// # Errors
/// If neither answers.
pub fn google(emulator: &Emulator, home: &Path, collection: &str) -> Result<Vec<Value>> {
    if has_gcloud() {
        let listed = gcloud(emulator, home, &["compute", collection, "list"])?;
        return Ok(listed.as_array().cloned().unwrap_or_default());
    }
    let answer = emulator.cloud_get(&format!("/compute/v1/projects/{PROJECT}/aggregated/{collection}"))?;
    let scopes = answer["items"].as_object().cloned().unwrap_or_default();
    let lists = scopes.values().filter_map(|scope| scope[collection].as_array().cloned());
    Ok(lists.flatten().collect())
}

/// The keys of the deployment `test` in that region, with their versions as `versions`.
///
/// # Errors
/// If neither gcloud nor the API answers.
pub fn google_keys(emulator: &Emulator, home: &Path, region: &str) -> Result<Vec<Value>> {
    let ring = format!("projects/{PROJECT}/locations/{region}/keyRings/provisioner-test");
    let list = |what: &str, parent: &[&str], path: String, field: &str| -> Result<Vec<Value>> {
        let found = if has_gcloud() {
            let mut arguments = vec!["kms", "keys"];
            arguments.extend(what.split(' ').filter(|word| !word.is_empty()));
            arguments.push("list");
            arguments.extend(parent);
            gcloud(emulator, home, &arguments)?
        } else {
            emulator.cloud_get(&path)?[field].clone()
        };
        Ok(found.as_array().cloned().unwrap_or_default())
    };
    let place = ["--location", region, "--keyring", "provisioner-test"];
    let mut keys = list("", &place, format!("/v1/{ring}/cryptoKeys"), "cryptoKeys")?;
    for key in &mut keys {
        let name = key["name"].as_str().unwrap_or_default().to_owned();
        let mut parent = vec!["--key", name.rsplit('/').next().unwrap_or_default()];
        parent.extend(place);
        key["versions"] =
            list("versions", &parent, format!("/v1/{name}/cryptoKeyVersions"), "cryptoKeyVersions")?.into();
    }
    Ok(keys)
}
