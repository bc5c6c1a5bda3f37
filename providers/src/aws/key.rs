//! An organization's key in a region: customer-managed, symmetric, rotating, found by its alias.
//!
//! The alias is made last, so a key that has it is finished. `CreateKey` has no token: after a lost reply the key is
//! searched by its tags (see [`super::strays`]). No key is ever scheduled for deletion here but one that this very call
//! made and nobody can have used, or one whose removal was asked for.

use aws_sdk_kms::types::{KeyManagerType, KeyMetadata, KeySpec as CipherSpec, KeyState, KeyUsageType, Tag};

use super::{AwsProvider, clients::Clients, error::code, error::refused, policy, tags};
use crate::{CallError, ErrorClass, Found, KeySpec, Observed, RemoteId, Target, Trouble};

/// Credentials that are good, and a key or a role that does not let them. Missing credentials have other codes.
const ACCESS_DENIED: &str = "AccessDeniedException";

/// Whether it can be a part of an alias (AWS KMS API Reference, `CreateAlias`, `AliasName`: `[a-zA-Z0-9/_-]`, 256 at
/// most).
pub(super) fn fits_alias(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

/// Whether a key can be named for that organization.
pub(super) fn check_name(org: &str) -> Result<(), CallError> {
    if fits_alias(org) {
        return Ok(());
    }
    let message =
        format!("organization `{org}` can't be part of a KMS alias: letters, digits, - and _ only, at most 64");
    Err(CallError::new("check", ErrorClass::Invalid, "WrongName", message))
}

/// A key's ARN.
pub(super) fn arn(key: &KeyMetadata) -> RemoteId {
    RemoteId::from(key.arn().unwrap_or_else(|| key.key_id()))
}

/// The key's id in its ARN. Every operation takes either (AWS KMS API Reference); an id is what the console shows.
pub(super) fn bare_id(key: &RemoteId) -> &str {
    key.as_str().rsplit('/').next().unwrap_or(key.as_str())
}

impl AwsProvider {
    pub(super) fn alias(&self, spec: &KeySpec) -> String {
        format!("alias/provisioner/{}/{}", self.deployment, spec.owner.org)
    }

    /// Finds the key by its alias, or finishes the one that is known, or makes one.
    ///
    /// Calls: 2 if the alias is there; else 5, and one more the first time in a process for the account's id.
    pub(super) async fn ensure_key(&self, target: &Target, spec: &KeySpec) -> Result<Observed, CallError> {
        let kms = self.clients(spec.region).await;
        let alias = self.alias(spec);
        if let Some(key) = describe(&kms, &alias).await? {
            return self.read_back(&kms, &alias, &key).await;
        }
        if let Some(remote) = &target.remote {
            let Some(key) = self.describe_known(&kms, remote).await? else { return Ok(Observed::ABSENT) };
            if let Some(seen) = unusable(&key, None) {
                return Ok(seen);
            }
            return self.finish(&kms, spec, &arn(&key), false).await;
        }
        let made = self.create(&kms, spec, &alias).await?;
        match self.finish(&kms, spec, &made, true).await {
            Ok(seen) => Ok(seen),
            // The key exists: that must not be forgotten over what came after. The next `ensure` names the error if it
            // lasts.
            Err(error) => {
                tracing::warn!(key = %made, %error, "a key was made and could not be finished");
                Ok(Observed::Pending(Found::new(made)))
            }
        }
    }

    async fn create(&self, kms: &Clients, spec: &KeySpec, alias: &str) -> Result<RemoteId, CallError> {
        let call = "kms:CreateKey";
        let account = self.account(spec.region).await?;
        let request = (kms.kms.create_key())
            .description(format!("Build caches of {} ({})", spec.owner.org, self.deployment))
            .key_usage(KeyUsageType::EncryptDecrypt)
            .key_spec(CipherSpec::SymmetricDefault)
            // A multi-Region key could be replicated out of its residency.
            .multi_region(false)
            .policy(policy::document(account, spec.region.name()))
            .bypass_policy_lockout_safety_check(false)
            .set_tags(Some(key_tags(call, &tags::of_key(&self.deployment, spec))?));
        let answer = request.send().await.map_err(|error| refused(call, alias, &error))?;
        let lost = || CallError::new(call, ErrorClass::Ambiguous, "Empty", format!("{alias}: the answer names no key"));
        answer.key_metadata().map(arn).ok_or_else(lost)
    }

    /// Rotation, tags (those of a key that was made just now are there), and last the alias.
    async fn finish(&self, kms: &Clients, spec: &KeySpec, key: &RemoteId, fresh: bool) -> Result<Observed, CallError> {
        let alias = self.alias(spec);
        let what = format!("{alias} ({key})");
        let rotation = kms.kms.enable_key_rotation().key_id(bare_id(key)).send().await;
        rotation.map_err(|error| refused("kms:EnableKeyRotation", &what, &error))?;
        if !fresh {
            let call = "kms:TagResource";
            let tags = key_tags(call, &tags::of_key(&self.deployment, spec))?;
            let tagged = kms.kms.tag_resource().key_id(bare_id(key)).set_tags(Some(tags)).send().await;
            tagged.map_err(|error| refused(call, &what, &error))?;
        }
        match kms.kms.create_alias().alias_name(&alias).target_key_id(bare_id(key)).send().await {
            Ok(_) => self.rotates(kms, &alias, key).await,
            Err(error) if code(&error) == Some("AlreadyExistsException") => {
                let refusal = refused("kms:CreateAlias", &what, &error);
                let winner = describe(kms, &alias).await?.ok_or(refusal)?;
                if fresh && arn(&winner) != *key {
                    // Another worker's key has the alias. Ours is seconds old, and nobody was told of it.
                    self.schedule_deletion(kms, key).await?;
                }
                self.read_back(kms, &alias, &winner).await
            }
            Err(error) => Err(refused("kms:CreateAlias", &what, &error)),
        }
    }

    /// Verifies a key that has its alias, its rotation included.
    async fn read_back(&self, kms: &Clients, alias: &str, key: &KeyMetadata) -> Result<Observed, CallError> {
        match unusable(key, Some(alias)) {
            Some(seen) => Ok(seen),
            None => self.rotates(kms, alias, &arn(key)).await,
        }
    }

    async fn rotates(&self, kms: &Clients, alias: &str, key: &RemoteId) -> Result<Observed, CallError> {
        let what = format!("{alias} ({key})");
        let answer = kms.kms.get_key_rotation_status().key_id(bare_id(key)).send().await;
        let answer = answer.map_err(|error| refused("kms:GetKeyRotationStatus", &what, &error))?;
        if !answer.key_rotation_enabled() {
            let rotation = kms.kms.enable_key_rotation().key_id(bare_id(key)).send().await;
            rotation.map_err(|error| refused("kms:EnableKeyRotation", &what, &error))?;
        }
        Ok(Observed::Ready(Found::new(key.clone())))
    }

    /// One call for a finished key, two for one without alias, a search where neither alias nor ARN is known.
    pub(super) async fn observe_key(&self, target: &Target, spec: &KeySpec) -> Result<Observed, CallError> {
        let kms = self.clients(spec.region).await;
        let alias = self.alias(spec);
        let named = describe(&kms, &alias).await;
        if let (Err(error), Some(remote)) = (&named, &target.remote)
            && error.trouble.code == ACCESS_DENIED
        {
            return Ok(denied(remote, error));
        }
        let named = named?;
        match (&target.remote, named) {
            (None, Some(key)) => {
                Ok(unusable(&key, Some(&alias)).unwrap_or_else(|| Observed::Ready(Found::new(arn(&key)))))
            }
            (Some(remote), Some(key)) if arn(&key) == *remote => {
                Ok(unusable(&key, Some(&alias)).unwrap_or_else(|| Observed::Ready(Found::new(arn(&key)))))
            }
            (Some(remote), _) => match self.describe_known(&kms, remote).await? {
                None => Ok(Observed::ABSENT),
                Some(key) => Ok(unusable(&key, None).unwrap_or_else(|| Observed::Pending(Found::new(arn(&key))))),
            },
            (None, None) => {
                let strays = self.stray_keys(spec).await?;
                Ok(strays.into_iter().next().map_or(Observed::ABSENT, |stray| Observed::Pending(Found::new(stray))))
            }
        }
    }

    /// Schedules the deletion, then takes the alias away. Each half alone can be repeated.
    pub(super) async fn remove_key(&self, target: &Target, spec: &KeySpec) -> Result<Observed, CallError> {
        let kms = self.clients(spec.region).await;
        let alias = self.alias(spec);
        let named = describe(&kms, &alias).await?;
        let ours = named.filter(|key| target.remote.as_ref().is_none_or(|remote| arn(key) == *remote));
        if let Some(key) = ours {
            let remote = arn(&key);
            if !is_dying(&key) {
                self.schedule_deletion(&kms, &remote).await?;
            }
            return match kms.kms.delete_alias().alias_name(&alias).send().await {
                Ok(_) => Ok(Observed::Leaving(Found::new(remote))),
                Err(error) if code(&error) == Some("NotFoundException") => Ok(Observed::Leaving(Found::new(remote))),
                Err(error) => Err(refused("kms:DeleteAlias", &alias, &error)),
            };
        }
        let doomed = match &target.remote {
            Some(remote) => vec![remote.clone()],
            None => self.stray_keys(spec).await?,
        };
        let mut seen = Observed::ABSENT;
        for remote in doomed {
            let Some(key) = describe(&kms, remote.as_str()).await? else { continue };
            if !is_dying(&key) {
                self.schedule_deletion(&kms, &remote).await?;
            }
            seen = Observed::Leaving(Found::new(remote));
        }
        Ok(seen)
    }

    pub(super) async fn schedule_deletion(&self, kms: &Clients, key: &RemoteId) -> Result<(), CallError> {
        let days = i32::from(self.config.key_deletion_days);
        let error = match kms.kms.schedule_key_deletion().key_id(bare_id(key)).pending_window_in_days(days).send().await
        {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        match code(&error) {
            Some("NotFoundException") => return Ok(()),
            // Scheduled already, by another worker: that is the wanted state.
            Some("KMSInvalidStateException") if describe(kms, key.as_str()).await?.as_ref().is_none_or(is_dying) => {
                return Ok(());
            }
            _ => {}
        }
        Err(refused("kms:ScheduleKeyDeletion", key.as_str(), &error))
    }

    /// A key that was named to us: being denied is then the key's own doing.
    async fn describe_known(&self, kms: &Clients, key: &RemoteId) -> Result<Option<KeyMetadata>, CallError> {
        describe(kms, key.as_str()).await.map_err(|mut error| {
            if error.trouble.code == ACCESS_DENIED {
                error.trouble.class = ErrorClass::KeyUnusable;
            }
            error
        })
    }
}

/// `DescribeKey` by ARN or alias; none if there is no such key.
pub(super) async fn describe(kms: &Clients, key: &str) -> Result<Option<KeyMetadata>, CallError> {
    let call = "kms:DescribeKey";
    match kms.kms.describe_key().key_id(key).send().await {
        Ok(answer) => match answer.key_metadata {
            Some(key) => Ok(Some(key)),
            None => {
                Err(CallError::new(call, ErrorClass::Ambiguous, "Empty", format!("{key}: the answer names no key")))
            }
        },
        Err(error) if code(&error) == Some("NotFoundException") => Ok(None),
        Err(error) => Err(refused(call, key, &error)),
    }
}

pub(super) fn key_tags(call: &str, pairs: &[tags::Pair]) -> Result<Vec<Tag>, CallError> {
    let tags = pairs.iter().map(|(key, value)| Tag::builder().tag_key(*key).tag_value(value).build());
    let wrong =
        |error: aws_sdk_kms::error::BuildError| CallError::new(call, ErrorClass::Invalid, "NotSent", error.to_string());
    tags.collect::<Result<_, _>>().map_err(wrong)
}

/// Whether its deletion is scheduled.
pub(super) fn is_dying(key: &KeyMetadata) -> bool {
    matches!(key.key_state(), Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion))
}

fn denied(remote: &RemoteId, error: &CallError) -> Observed {
    let message = format!("key {remote}: {}; allow the worker's role kms:DescribeKey on it", error.trouble.message);
    let why = Trouble { class: ErrorClass::KeyUnusable, code: error.trouble.code.clone(), message };
    Observed::Broken { found: Found::new(remote.clone()), why }
}

/// What a key is that can't be used; none if it can. A dying key without `alias` is on its way out; one that still has
/// it was not removed by us, or not wholly.
fn unusable(key: &KeyMetadata, alias: Option<&str>) -> Option<Observed> {
    let remote = arn(key);
    let id = key.key_id();
    let (code, problem) = match key.key_state() {
        Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => match alias {
            None => return Some(Observed::Leaving(Found::new(remote))),
            Some(alias) => (
                "PendingDeletion",
                format!(
                    "is scheduled for deletion, and {alias} still leads to it: `aws kms cancel-key-deletion --key-id \
                     {id}` and `aws kms enable-key --key-id {id}`, or let its removal end"
                ),
            ),
        },
        Some(KeyState::Disabled) => ("Disabled", format!("is disabled: `aws kms enable-key --key-id {id}`")),
        Some(KeyState::PendingImport) => {
            ("PendingImport", "has no key material: import it, or give the alias to another key".to_owned())
        }
        Some(KeyState::Unavailable) => {
            ("Unavailable", "is in a key store that can't be reached: connect it".to_owned())
        }
        Some(KeyState::Creating | KeyState::Updating) => return Some(Observed::Pending(Found::new(remote))),
        Some(KeyState::Enabled) => {
            let ours = matches!(key.key_manager(), Some(KeyManagerType::Customer) | None)
                && matches!(key.key_spec(), Some(CipherSpec::SymmetricDefault) | None)
                && matches!(key.key_usage(), Some(KeyUsageType::EncryptDecrypt) | None)
                && key.multi_region() != Some(true);
            if ours {
                return None;
            }
            (
                "WrongKind",
                "is not a customer-managed symmetric key of this one region: give the alias to one that is".to_owned(),
            )
        }
        other => ("UnknownState", format!("is in the unknown state {other:?}: look at it in the KMS console")),
    };
    let why =
        Trouble { class: ErrorClass::KeyUnusable, code: code.to_owned(), message: format!("key {remote} {problem}") };
    Some(Observed::Broken { found: Found::new(remote), why })
}
