//! The `[gcp]` section of the configuration: its shape, and the check that every name in it can be right.
//!
//! It is checked once, when it is loaded. It asks no cloud, and an error always names the key that is wrong.

use std::collections::BTreeMap;

use regions::{Arch, Cloud, Region, Zone};
use serde::{Deserialize, Serialize};

/// The section `[gcp]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcpConfig {
    /// The id of the project that pays for everything.
    pub project: String,
    /// The project's number, which is part of the name of its Compute Engine service agent. Without it, it is read from the
    /// project's default service account, which some projects do not have.
    #[serde(default)]
    pub project_number: Option<u64>,
    /// Another address for both APIs: `https://...`, or `http://` to this machine only.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The service account of every builder, as an address; none leaves builders without credentials.
    #[serde(default)]
    pub service_account: Option<String>,
    /// The access scopes of that account; none unless they are given here.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether builders have an address outside the network.
    #[serde(default)]
    pub external_ip: bool,
    /// Network tags of every builder, which firewall rules refer to.
    #[serde(default)]
    pub network_tags: Vec<String>,
    /// For each architecture an image, `projects/P/global/images/NAME`, or a family, `projects/P/global/images/family/NAME`.
    #[serde(default)]
    pub images: BTreeMap<String, String>,
    /// Whether the Compute Engine service agent may be allowed on a key by us; else somebody else has to.
    #[serde(default = "yes")]
    pub grant_key_access: bool,
    /// Days after which a key gets its next version: 1 to 3650.
    #[serde(default = "key_rotation_days")]
    pub key_rotation_days: u32,
    /// Days for which the versions of a key that was removed can still be restored: 1 to 120
    /// (Cloud KMS documentation, "Destroy and restore key versions", the scheduled-for-destruction duration).
    #[serde(default = "key_destruction_days")]
    pub key_destruction_days: u32,
    /// Seconds after which a call counts as unanswered.
    #[serde(default = "call_timeout_secs")]
    pub call_timeout_secs: u32,
    /// Seconds for which Compute Engine may not show what it has just been asked to make. Names are unique, so what is made
    /// twice collides: this only bounds how long a request may be on its way.
    #[serde(default = "visibility_secs")]
    pub visibility_secs: u32,
    /// The regions that may be used, by the provider's name.
    #[serde(default)]
    pub regions: BTreeMap<String, GcpRegionConfig>,
}

/// The section `[gcp.regions.REGION]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcpRegionConfig {
    /// The subnetwork of every builder: its name, or `projects/P/regions/R/subnetworks/NAME` for a shared network.
    pub subnetwork: String,
    /// The zones that may be used; all of the region if it is left out.
    #[serde(default)]
    pub zones: Vec<String>,
    /// Images of this region, before those of `[gcp]`.
    #[serde(default)]
    pub images: BTreeMap<String, String>,
}

const fn yes() -> bool {
    true
}

const fn key_rotation_days() -> u32 {
    90
}

const fn key_destruction_days() -> u32 {
    30
}

const fn call_timeout_secs() -> u32 {
    30
}

const fn visibility_secs() -> u32 {
    30
}

impl GcpConfig {
    /// The section with nothing but a project in it.
    #[must_use]
    pub fn new(project: &str) -> Self {
        Self {
            project: project.to_owned(),
            project_number: None,
            endpoint: None,
            service_account: None,
            scopes: Vec::new(),
            external_ip: false,
            network_tags: Vec::new(),
            images: BTreeMap::new(),
            grant_key_access: yes(),
            key_rotation_days: key_rotation_days(),
            key_destruction_days: key_destruction_days(),
            call_timeout_secs: call_timeout_secs(),
            visibility_secs: visibility_secs(),
            regions: BTreeMap::new(),
        }
    }
}

/// A value that can't be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct GcpConfigError {
    /// The configuration key, in full.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl GcpConfigError {
    fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

impl GcpConfig {
    /// Checks all of it.
    ///
    /// # Errors
    /// The first key that can't be right.
    pub fn validate(&self) -> Result<(), GcpConfigError> {
        // Resource Manager documentation, "Creating and managing projects": 6 to 30 characters; with a domain before a colon.
        if !fits(&self.project, 4..=63, "-:.") || !self.project.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(GcpConfigError::new("gcp.project", format!("`{}` is not the id of a project", self.project)));
        }
        if let Some(endpoint) = &self.endpoint {
            check_endpoint(endpoint)?;
        }
        if let Some(account) = self.service_account.as_ref().filter(|account| !is_account(account)) {
            let problem = format!("`{account}` is not the address of a service account");
            return Err(GcpConfigError::new("gcp.service_account", problem));
        }
        if self.service_account.is_none() && !self.scopes.is_empty() {
            return Err(GcpConfigError::new("gcp.scopes", "there is no gcp.service_account that could have them"));
        }
        let is_none = |scope: &&String| !scope.starts_with("https://www.googleapis.com/auth/");
        if let Some(scope) = self.scopes.iter().find(is_none) {
            let problem = format!("`{scope}` is not a scope https://www.googleapis.com/auth/...");
            return Err(GcpConfigError::new("gcp.scopes", problem));
        }
        if let Some(tag) = self.network_tags.iter().find(|tag| !fits(tag, 1..=63, "-")) {
            return Err(GcpConfigError::new("gcp.network_tags", format!("`{tag}` is not a network tag")));
        }
        for (key, value, most) in [
            ("gcp.key_rotation_days", self.key_rotation_days, 3650),
            ("gcp.key_destruction_days", self.key_destruction_days, 120),
            ("gcp.call_timeout_secs", self.call_timeout_secs, 300),
        ] {
            if !(1..=most).contains(&value) {
                return Err(GcpConfigError::new(key, format!("must be from 1 to {most}")));
            }
        }
        if self.visibility_secs > 3600 {
            return Err(GcpConfigError::new("gcp.visibility_secs", "must be at most 3600"));
        }
        check_images("gcp.images", &self.images)?;
        self.regions.iter().try_for_each(|(name, region)| region.validate(name))
    }

    /// The section of that region.
    #[must_use]
    pub fn region(&self, region: Region) -> Option<&GcpRegionConfig> {
        if region.cloud() == Cloud::Gcp { self.regions.get(region.name()) } else { None }
    }

    /// The zones of that region that may be used, in the provider's order.
    #[must_use]
    pub fn usable_zones(&self, region: Region) -> Vec<Zone> {
        let Some(section) = self.region(region) else { return Vec::new() };
        let usable = |zone: &Zone| section.zones.is_empty() || section.zones.iter().any(|name| name == zone.name());
        region.zones().filter(usable).collect()
    }

    /// The image for that architecture there.
    #[must_use]
    pub fn image(&self, region: Region, arch: Arch) -> Option<&str> {
        let here = self.region(region).and_then(|section| section.images.get(arch.as_str()));
        here.or_else(|| self.images.get(arch.as_str())).map(String::as_str)
    }

    /// Whether the endpoint is on this machine and not encrypted.
    pub(super) fn is_plain(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"))
    }
}

impl GcpRegionConfig {
    fn validate(&self, name: &str) -> Result<(), GcpConfigError> {
        let key = format!("gcp.regions.{name}");
        let region = Region::find(Cloud::Gcp, name).map_err(|error| GcpConfigError::new(&key, error.to_string()))?;
        for zone in &self.zones {
            region.zone(zone).map_err(|error| GcpConfigError::new(format!("{key}.zones"), error.to_string()))?;
        }
        let parts: Vec<&str> = self.subnetwork.split('/').collect();
        let sound = match parts.as_slice() {
            [bare] => fits(bare, 1..=63, "-"),
            ["projects", project, "regions", place, "subnetworks", bare] => {
                if place != &name {
                    let problem = format!("`{}` is not a subnetwork of {name}", self.subnetwork);
                    return Err(GcpConfigError::new(format!("{key}.subnetwork"), problem));
                }
                fits(project, 4..=63, "-:.") && fits(bare, 1..=63, "-")
            }
            _ => false,
        };
        if !sound {
            let problem = format!(
                "`{}` is neither the name of a subnetwork nor projects/P/regions/{name}/subnetworks/NAME",
                self.subnetwork
            );
            return Err(GcpConfigError::new(format!("{key}.subnetwork"), problem));
        }
        check_images(&format!("{key}.images"), &self.images)
    }
}

/// The deployment's name is part of the key ring's and the value of a label.
pub(super) fn check_deployment(name: &str) -> Result<(), GcpConfigError> {
    if fits(name, 1..=40, "-_") {
        return Ok(());
    }
    let problem = format!("`{name}` may have lower-case letters, digits, - and _ only, at most 40");
    Err(GcpConfigError::new("deployment", problem))
}

fn fits(text: &str, lengths: std::ops::RangeInclusive<usize>, besides: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || besides.contains(c);
    lengths.contains(&text.len()) && text.chars().all(allowed)
}

fn is_account(account: &str) -> bool {
    account.split_once('@').is_some_and(|(name, host)| fits(name, 1..=64, "-.") && fits(host, 4..=200, "-."))
}

/// Credentials go with every request: never in the clear past this machine.
fn check_endpoint(endpoint: &str) -> Result<(), GcpConfigError> {
    let host = |rest: &str| rest.split('/').next().unwrap_or_default().to_owned();
    let sound = match (endpoint.strip_prefix("https://"), endpoint.strip_prefix("http://")) {
        (Some(rest), _) => !host(rest).is_empty() && !host(rest).contains('@'),
        (None, Some(rest)) => {
            let name = host(rest);
            let is_port = |port: &str| port.parse::<u16>().is_ok();
            let bare = match name.rsplit_once(':') {
                Some((bare, port)) if is_port(port) && !name.ends_with(']') => bare,
                Some(_) | None => name.as_str(),
            };
            ["localhost", "127.0.0.1", "[::1]"].contains(&bare)
        }
        (None, None) => false,
    };
    if sound {
        return Ok(());
    }
    let problem = format!("`{endpoint}` is neither https://HOST nor http:// to this machine itself");
    Err(GcpConfigError::new("gcp.endpoint", problem))
}

fn check_images(key: &str, images: &BTreeMap<String, String>) -> Result<(), GcpConfigError> {
    for (arch, image) in images {
        let key = format!("{key}.{arch}");
        arch.parse::<Arch>().map_err(|error| GcpConfigError::new(&key, error.to_string()))?;
        let parts: Vec<&str> = image.split('/').collect();
        let sound = match parts.as_slice() {
            ["projects", project, "global", "images", name]
            | ["projects", project, "global", "images", "family", name] => {
                fits(project, 4..=63, "-:.") && fits(name, 1..=63, "-")
            }
            _ => false,
        };
        if !sound {
            let problem =
                format!("`{image}` is neither projects/P/global/images/NAME nor projects/P/global/images/family/NAME");
            return Err(GcpConfigError::new(key, problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl Fn(&mut GcpConfig)) -> String {
        let mut config = GcpConfig::new("acme-builds");
        let region = GcpRegionConfig { subnetwork: "builders".to_owned(), ..GcpRegionConfig::default() };
        config.regions.insert("europe-west3".to_owned(), region);
        change(&mut config);
        config.validate().map_or_else(|error| error.key, |()| "none".to_owned())
    }

    #[test]
    fn what_can_not_be_right_is_named() {
        assert_eq!(problem(|_| {}), "none");
        assert_eq!(problem(|config| config.project = "Acme".to_owned()), "gcp.project");
        assert_eq!(problem(|config| config.endpoint = Some("http://example.com".to_owned())), "gcp.endpoint");
        assert_eq!(problem(|config| config.endpoint = Some("http://127.0.0.1:80".to_owned())), "none");
        assert_eq!(problem(|config| config.endpoint = Some("https://compute.example".to_owned())), "none");
        assert_eq!(problem(|config| config.service_account = Some("builder".to_owned())), "gcp.service_account");
        assert_eq!(problem(|config| config.scopes = vec!["cloud-platform".to_owned()]), "gcp.scopes");
        assert_eq!(problem(|config| config.key_rotation_days = 0), "gcp.key_rotation_days");
        assert_eq!(
            problem(|config| drop(config.images.insert("arm64".to_owned(), "debian-12".to_owned()))),
            "gcp.images.arm64"
        );
        assert_eq!(
            problem(|config| drop(config.regions.insert("europe-west2".to_owned(), GcpRegionConfig::default()))),
            "gcp.regions.europe-west2",
            "London is refused"
        );
        let change = |subnetwork: &str, zones: &[&str]| {
            problem(|config| {
                let region = config.regions.get_mut("europe-west3").expect("it is there");
                region.subnetwork = subnetwork.to_owned();
                region.zones = zones.iter().map(|zone| (*zone).to_owned()).collect();
            })
        };
        assert_eq!(change("builders", &["europe-west3-a"]), "none");
        assert_eq!(change("builders", &["europe-west4-a"]), "gcp.regions.europe-west3.zones");
        assert_eq!(change("projects/net-host/regions/europe-west3/subnetworks/b", &[]), "none");
        assert_eq!(
            change("projects/net-host/regions/us-east1/subnetworks/b", &[]),
            "gcp.regions.europe-west3.subnetwork"
        );
    }
}
