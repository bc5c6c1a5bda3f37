//! Whether Compute Engine may use a key, and the one binding that lets it.

use std::sync::PoisonError;

use google_cloud_iam_v1::model::{Binding, GetPolicyOptions, Policy};

use super::{GcpProvider, error};
use crate::{CallError, ErrorClass, Found, Observed, RemoteId, Trouble};

/// What lets Compute Engine encrypt and decrypt disks (Compute Engine documentation, "Protect resources by using Cloud KMS
/// keys", required roles).
pub(super) const ROLE: &str = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
/// How long a change of access may take to be known everywhere (IAM documentation, "Access change propagation": usually two
/// minutes, potentially seven or longer).
const PROPAGATION_MS: i64 = 600_000;

impl GcpProvider {
    async fn policy(&self, resource: &str) -> Result<Policy, CallError> {
        // Version 3, or conditional bindings would be lost on the way back (IAM documentation, "Policy versions").
        let options = GetPolicyOptions::new().set_requested_policy_version(3);
        let request = self.clients().await?.kms.get_iam_policy().set_resource(resource).set_options(options);
        self.send("cloudkms.getIamPolicy", resource, request.send()).await
    }

    pub(super) async fn is_admitted(&self, key: &RemoteId) -> Result<bool, CallError> {
        let agent = self.service_agent().await?;
        Ok(admits(&self.policy(key.as_str()).await?, &agent))
    }

    /// Lets Compute Engine's service agent use the key, where that is for us to do.
    pub(super) async fn admit(&self, key: &RemoteId) -> Result<Observed, CallError> {
        let agent = self.service_agent().await?;
        let mut policy = self.policy(key.as_str()).await?;
        if admits(&policy, &agent) {
            return Ok(Observed::Ready(Found::new(key.clone())));
        }
        if !self.config.grant_key_access {
            return self.not_admitted(key).await;
        }
        policy.version = 3;
        policy.bindings.push(Binding::new().set_role(ROLE).set_members([agent.to_string()]));
        let call = "cloudkms.setIamPolicy";
        let request = self.clients().await?.kms.set_iam_policy().set_resource(key.as_str()).set_policy(policy);
        match self.try_send(call, key.as_str(), request.send()).await? {
            Ok(_) => {
                let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
                granted.insert(key.clone(), (self.now_ms)());
                Ok(Observed::Ready(Found::new(key.clone())))
            }
            // Somebody changed the policy in between: the next call sees what there is.
            Err(error) if error.http_status_code() == Some(409) => Ok(Observed::Pending(Found::new(key.clone()))),
            Err(error) => {
                let refusal = error::refused(call, key.as_str(), &error);
                if refusal.class() != ErrorClass::Denied {
                    return Err(refusal);
                }
                // It is not for us to give: what is missing is still to be named.
                match self.not_admitted(key).await {
                    Ok(Observed::Broken { found, why }) => {
                        let message = format!("{}; {}", why.message, refusal.trouble.message);
                        Ok(Observed::Broken { found, why: Trouble { message, ..why } })
                    }
                    Ok(other) => Ok(other),
                    Err(_) => Err(refusal),
                }
            }
        }
    }

    /// Whether this process let Compute Engine use that key so lately that the clouds may not all know.
    pub(super) fn was_just_admitted(&self, key: &RemoteId) -> bool {
        let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.get(key).is_some_and(|at| (self.now_ms)() - at < PROPAGATION_MS)
    }

    /// The binding may stand on the whole key ring; if not, it is missing.
    pub(super) async fn not_admitted(&self, key: &RemoteId) -> Result<Observed, CallError> {
        let agent = self.service_agent().await?;
        let ring = key.as_str().split("/cryptoKeys/").next().unwrap_or_default();
        if admits(&self.policy(ring).await?, &agent) {
            return Ok(Observed::Ready(Found::new(key.clone())));
        }
        let message = format!(
            "key {key} has no binding of {ROLE} for {agent}: `gcloud kms keys add-iam-policy-binding {key} --role {ROLE} \
             --member {agent}`, or let us do it with gcp.grant_key_access"
        );
        let why = Trouble { class: ErrorClass::KeyUnusable, code: "MissingBinding".to_owned(), message };
        Ok(Observed::Broken { found: Found::new(key.clone()), why })
    }
}

/// Whether a binding without a condition names that member for the role.
fn admits(policy: &Policy, agent: &str) -> bool {
    let names = |binding: &&Binding| binding.role == ROLE && binding.condition.is_none();
    policy.bindings.iter().filter(names).any(|binding| binding.members.iter().any(|member| member == agent))
}
