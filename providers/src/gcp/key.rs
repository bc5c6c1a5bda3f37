//! An organization's key in a region: one crypto key in the deployment's key ring there, rotating, for Compute Engine to use.
//!
//! Its name is derived, so it is never made twice. The last thing that is done to a new key is to let Compute Engine's service
//! agent use it: a key without that binding is unfinished, or, where we may not grant it, unusable. Keys can't be deleted: the
//! removal of one destroys all its versions, the primary one last.

use std::sync::PoisonError;

use google_cloud_kms_v1::model::{
    CryptoKey, CryptoKeyVersion, CryptoKeyVersionTemplate, ProtectionLevel,
    crypto_key::{CryptoKeyPurpose, RotationSchedule},
    crypto_key_version::{CryptoKeyVersionAlgorithm, CryptoKeyVersionState as State},
};
use google_cloud_wkt::{Duration, FieldMask, Timestamp};

use super::{GcpProvider, error, labels};
use crate::{CallError, ErrorClass, Found, KeySpec, Observed, RemoteId, Target, Trouble};

/// Whether a key can be named for that organization (Cloud KMS, `cryptoKeyId`: `[a-zA-Z0-9_-]{1,63}`, with our hash behind it).
pub(super) fn check_name(org: &str) -> Result<(), CallError> {
    if (1..=50).contains(&org.len()) && labels::fits(org) {
        return Ok(());
    }
    let message = format!(
        "organization `{org}` can't be part of a key's name: lower-case letters, digits, - and _ only, at most 50"
    );
    Err(CallError::new("check", ErrorClass::Invalid, "WrongName", message))
}

impl GcpProvider {
    /// Finds the key by its name, or makes it; then lets Compute Engine use it.
    ///
    /// Calls: 2 if it is finished; else up to 5, and one more the first time in a process for the project's number.
    pub(super) async fn ensure_key(&self, target: &Target, spec: &KeySpec) -> Result<Observed, CallError> {
        let (name, remote) = self.names.key(spec);
        let remote = target.remote.clone().unwrap_or(remote);
        let key = match self.get_key(&remote).await? {
            Some(key) => key,
            None if target.remote.is_some() => return Ok(Observed::ABSENT),
            None => self.create_key(spec, &name, &remote).await?,
        };
        if key.labels.contains_key(labels::LEAVING) {
            return Ok(Observed::Leaving(Found::new(remote)));
        }
        if let Some(seen) = unfit(&key) {
            return Ok(seen);
        }
        match self.finish(&remote, &key).await {
            // The key exists: that must not be forgotten over what came after. The next `ensure`, which knows its name, tells
            // the error if it lasts.
            Err(error) if target.remote.is_none() => {
                tracing::warn!(key = %remote, %error, "a key is there and could not be finished");
                Ok(Observed::Pending(Found::new(remote)))
            }
            other => other,
        }
    }

    async fn finish(&self, remote: &RemoteId, key: &CryptoKey) -> Result<Observed, CallError> {
        if key.rotation_schedule.is_none() {
            self.rotate(remote).await?;
        }
        self.admit(remote).await
    }

    /// Two calls.
    pub(super) async fn observe_key(&self, target: &Target, spec: &KeySpec) -> Result<Observed, CallError> {
        let remote = target.remote.clone().unwrap_or_else(|| self.names.key(spec).1);
        let key = match self.get_key(&remote).await {
            Err(error) if target.remote.is_some() && error.class() == ErrorClass::Denied => {
                let message =
                    format!("key {remote}: {}; allow the worker cloudkms.cryptoKeys.get on it", error.trouble.message);
                let why = Trouble { class: ErrorClass::KeyUnusable, code: error.trouble.code, message };
                return Ok(Observed::Broken { found: Found::new(remote), why });
            }
            other => other?,
        };
        let Some(key) = key else { return Ok(Observed::ABSENT) };
        if let Some(seen) = unfit(&key) {
            return Ok(seen);
        }
        if self.is_admitted(&remote).await? {
            return Ok(Observed::Ready(Found::new(remote)));
        }
        if self.config.grant_key_access {
            return Ok(Observed::Pending(Found::new(remote)));
        }
        self.not_admitted(&remote).await
    }

    /// Marks the key, stops its rotation, and destroys all its versions. Each step can be repeated.
    pub(super) async fn remove_key(&self, target: &Target, spec: &KeySpec) -> Result<Observed, CallError> {
        self.destroy_key(target.remote.clone().unwrap_or_else(|| self.names.key(spec).1)).await
    }

    /// Destroys all versions of a key of that name.
    pub(super) async fn destroy_key(&self, remote: RemoteId) -> Result<Observed, CallError> {
        let Some(key) = self.get_key(&remote).await? else { return Ok(Observed::ABSENT) };
        if !key.labels.contains_key(labels::LEAVING) || key.rotation_schedule.is_some() {
            self.mark(&remote, &key).await?;
        }
        let primary = key.primary.as_ref().map(|version| version.name.clone());
        let mut versions = self.live_versions(&remote).await?;
        // The primary one last: a key whose primary version is gone has no other left.
        versions.sort_by_key(|version| (Some(&version.name) == primary.as_ref(), version.name.clone()));
        for version in versions {
            let call = "cloudkms.cryptoKeyVersions.destroy";
            let request = self.clients().await?.kms.destroy_crypto_key_version().set_name(&version.name);
            self.send(call, &version.name, request.send()).await?;
        }
        Ok(Observed::Leaving(Found::new(remote)))
    }

    /// What is wrong with a key that something failed with; nothing if it is fine, or can't be asked.
    pub(super) async fn key_trouble(&self, key: &RemoteId) -> Option<Trouble> {
        let unusable = |code: &str, message: String| {
            Some(Trouble { class: ErrorClass::KeyUnusable, code: code.to_owned(), message })
        };
        match self.get_key(key).await {
            Ok(None) => return unusable("KeyNotFound", format!("there is no key {key}")),
            Ok(Some(found)) => match unfit(&found) {
                Some(Observed::Broken { why, .. }) => return Some(why),
                Some(Observed::Leaving(_)) => {
                    return unusable(
                        "DestroyScheduled",
                        format!("key {key} was removed: its versions are being destroyed"),
                    );
                }
                _ => {}
            },
            Err(error) => {
                tracing::warn!(%key, %error, "a key that something failed with can't be looked at");
                return None;
            }
        }
        match self.is_admitted(key).await {
            Ok(false) => match self.not_admitted(key).await {
                Ok(Observed::Broken { why, .. }) => Some(why),
                _ => None,
            },
            Ok(true) => self.dead_version(key).await.unwrap_or(None),
            Err(_) => None,
        }
    }

    pub(super) async fn get_key(&self, key: &RemoteId) -> Result<Option<CryptoKey>, CallError> {
        let call = "cloudkms.cryptoKeys.get";
        let request = self.clients().await?.kms.get_crypto_key().set_name(key.as_str());
        match self.try_send(call, key.as_str(), request.send()).await? {
            Ok(key) => Ok(Some(key)),
            Err(error) if error::is_not_found(&error) => Ok(None),
            Err(error) => Err(error::refused(call, key.as_str(), &error)),
        }
    }

    async fn create_key(&self, spec: &KeySpec, name: &str, full: &RemoteId) -> Result<CryptoKey, CallError> {
        let (ring, parent) = self.names.key_ring(spec.region.name());
        self.ensure_ring(spec, &ring, &parent).await?;
        let call = "cloudkms.cryptoKeys.create";
        let (period, next) = self.rotation();
        let destruction = Duration::clamp(i64::from(self.config.key_destruction_days) * 86_400, 0);
        let template = CryptoKeyVersionTemplate::new()
            .set_protection_level(ProtectionLevel::Software)
            .set_algorithm(CryptoKeyVersionAlgorithm::GoogleSymmetricEncryption);
        let key = CryptoKey::new()
            .set_purpose(CryptoKeyPurpose::EncryptDecrypt)
            .set_version_template(template)
            .set_labels(labels::of_key(&self.names.deployment, spec))
            .set_rotation_schedule(Some(RotationSchedule::RotationPeriod(Box::new(period))))
            .set_next_rotation_time(next)
            .set_destroy_scheduled_duration(destruction);
        let kms = &self.clients().await?.kms;
        let request = kms.create_crypto_key().set_parent(&parent).set_crypto_key_id(name).set_crypto_key(key);
        match self.try_send(call, full.as_str(), request.send()).await? {
            Ok(key) => Ok(key),
            // Another worker was faster: there is one.
            Err(error) if error::is_already_there(&error) => {
                let refusal = error::refused(call, full.as_str(), &error);
                self.get_key(full).await?.ok_or(refusal)
            }
            Err(error) => Err(error::refused(call, full.as_str(), &error)),
        }
    }

    /// Key rings can't be deleted either, so one that was seen stays.
    async fn ensure_ring(&self, spec: &KeySpec, name: &str, full: &str) -> Result<(), CallError> {
        if self.rings.lock().unwrap_or_else(PoisonError::into_inner).contains(full) {
            return Ok(());
        }
        let call = "cloudkms.keyRings.create";
        let parent = self.names.location(spec.region.name());
        let request = self.clients().await?.kms.create_key_ring().set_parent(parent).set_key_ring_id(name);
        let request = request.set_key_ring(google_cloud_kms_v1::model::KeyRing::new());
        match self.try_send(call, full, request.send()).await? {
            Ok(_) => {}
            Err(error) if error::is_already_there(&error) => {}
            Err(error) => return Err(error::refused(call, full, &error)),
        }
        self.rings.lock().unwrap_or_else(PoisonError::into_inner).insert(full.to_owned());
        Ok(())
    }

    /// How often, and when next. Cloud KMS wants both, or neither (`CryptoKey.nextRotationTime`).
    fn rotation(&self) -> (Duration, Timestamp) {
        let secs = i64::from(self.config.key_rotation_days) * 86_400;
        let next = (self.now_ms)() / 1_000 + secs;
        (Duration::clamp(secs, 0), Timestamp::clamp(next, 0))
    }

    async fn rotate(&self, remote: &RemoteId) -> Result<(), CallError> {
        let (period, next) = self.rotation();
        let key = CryptoKey::new()
            .set_name(remote.as_str())
            .set_rotation_schedule(Some(RotationSchedule::RotationPeriod(Box::new(period))))
            .set_next_rotation_time(next);
        self.patch(remote, key, &["rotation_period", "next_rotation_time"]).await
    }

    async fn mark(&self, remote: &RemoteId, key: &CryptoKey) -> Result<(), CallError> {
        let mut labels = key.labels.clone();
        labels.insert(labels::LEAVING.to_owned(), "true".to_owned());
        let key = CryptoKey::new().set_name(remote.as_str()).set_labels(labels);
        self.patch(remote, key, &["labels", "rotation_period", "next_rotation_time"]).await
    }

    pub(super) async fn patch(&self, remote: &RemoteId, key: CryptoKey, fields: &[&str]) -> Result<(), CallError> {
        let mask = FieldMask::default().set_paths(fields.iter().map(|field| (*field).to_owned()));
        let request = self.clients().await?.kms.update_crypto_key().set_crypto_key(key).set_update_mask(mask);
        self.send("cloudkms.cryptoKeys.patch", remote.as_str(), request.send()).await.map(drop)
    }

    /// The versions that are not on their way out.
    async fn live_versions(&self, remote: &RemoteId) -> Result<Vec<CryptoKeyVersion>, CallError> {
        let mut versions = self.versions(remote).await?;
        versions.retain(|version| !is_dead(&version.state));
        Ok(versions)
    }

    async fn versions(&self, remote: &RemoteId) -> Result<Vec<CryptoKeyVersion>, CallError> {
        let call = "cloudkms.cryptoKeyVersions.list";
        let kms = &self.clients().await?.kms;
        let mut versions = Vec::new();
        let mut page = String::new();
        loop {
            let request =
                kms.list_crypto_key_versions().set_parent(remote.as_str()).set_page_size(100).set_page_token(&page);
            let answer = self.send(call, remote.as_str(), request.send()).await?;
            versions.extend(answer.crypto_key_versions);
            page = answer.next_page_token;
            if page.is_empty() {
                return Ok(versions);
            }
        }
    }

    /// A version, not the primary one, that what was encrypted with it can't be read by now.
    async fn dead_version(&self, key: &RemoteId) -> Result<Option<Trouble>, CallError> {
        let locked = self.versions(key).await?.into_iter().find_map(|version| {
            let verb = match version.state {
                State::Disabled => "enable",
                State::DestroyScheduled => "restore",
                _ => return None,
            };
            let number = version.name.rsplit('/').next().unwrap_or_default().to_owned();
            Some((number, verb, version.state))
        });
        Ok(locked.map(|(number, verb, state)| {
            let message = format!(
                "version {number} of key {key}, under which older disks are, is {state:?}: \
                 `gcloud kms keys versions {verb} {number} --key {key}`"
            );
            Trouble { class: ErrorClass::KeyUnusable, code: "VersionUnusable".to_owned(), message }
        }))
    }
}

fn is_dead(state: &State) -> bool {
    matches!(state, State::DestroyScheduled | State::Destroyed)
}

/// What a key is that nothing can be encrypted with; none if something can.
fn unfit(key: &CryptoKey) -> Option<Observed> {
    let found = Found::new(RemoteId(key.name.clone()));
    let leaving = key.labels.contains_key(labels::LEAVING);
    let Some(primary) = &key.primary else {
        if leaving {
            return Some(Observed::Leaving(found));
        }
        return broken(
            found,
            "NoPrimary",
            "has no primary version: `gcloud kms keys versions create`, and make it primary",
        );
    };
    let version = primary.name.rsplit('/').next().unwrap_or_default();
    let command = |verb: &str| {
        let name = &key.name;
        format!("`gcloud kms keys versions {verb} {version} --key {name}`")
    };
    match &primary.state {
        State::Enabled if leaving => Some(Observed::Pending(found)),
        State::Enabled if key.purpose == CryptoKeyPurpose::EncryptDecrypt => None,
        State::Enabled => broken(found, "WrongPurpose", "is not for encryption: another name is needed"),
        State::PendingGeneration => Some(Observed::Pending(found)),
        state if is_dead(state) && leaving => Some(Observed::Leaving(found)),
        State::DestroyScheduled => broken(
            found,
            "DestroyScheduled",
            &format!(
                "has its primary version scheduled for destruction: {} and {}",
                command("restore"),
                command("enable")
            ),
        ),
        State::Destroyed => broken(found, "Destroyed", "has its primary version destroyed: what it encrypted is lost"),
        State::Disabled => {
            broken(found, "Disabled", &format!("has its primary version disabled: {}", command("enable")))
        }
        other => broken(
            found,
            "UnknownState",
            &format!("has its primary version in state {other:?}: look at it in the console"),
        ),
    }
}

fn broken(found: Found, code: &str, problem: &str) -> Option<Observed> {
    let message = format!("key {} {problem}", found.remote);
    Some(Observed::Broken { found, why: Trouble { class: ErrorClass::KeyUnusable, code: code.to_owned(), message } })
}
