//! A way in: two bindings that end by themselves, on the instance and on the tunnel to it.
//!
//! SSH goes through Identity-Aware Proxy's tunnel, so that no port is open to the world, and OS Login on the instance takes the account
//! from IAM, so that no key lies there. Who is let in has on the tunnel's policy [`TUNNEL`] and on the instance's own [`LOGIN`], both under
//! a condition that ends with the grant (IAM documentation, "Configure temporary access"; Identity-Aware Proxy documentation, "Using IAP
//! for TCP forwarding"; Compute Engine documentation, "Set up OS Login": policies of single instances). The title of the condition has the
//! grant's id: closing takes that away and leaves all else as it is.
//!
//! A changed policy is known everywhere after minutes ("Access change propagation"), and a connection that stands is not cut by it: it ends
//! with its client, or when the machine is stopped.

use google_cloud_compute_v1::model as compute;
use google_cloud_compute_v1::model::instance::Status;
use google_cloud_gax::error::Error;
use google_cloud_iam_v1::model as iam;
use google_cloud_type::model::Expr;

use super::{GcpProvider, error, labels, names};
use crate::{Access, CallError, Closed, ErrorClass, NO_MACHINE, Opened};

/// To log in, as an administrator: whoever looks for a fault has to see all of the machine.
const LOGIN: &str = "roles/compute.osAdminLogin";
/// To connect through the tunnel.
const TUNNEL: &str = "roles/iap.tunnelResourceAccessor";
/// Conditions are kept by policies of this version alone (IAM documentation, "Policy versions").
const VERSION: i32 = 3;

fn what(access: &Access) -> String {
    format!("the way of grant {} onto {}", access.grant, access.remote)
}

fn title(access: &Access) -> String {
    format!("provisioner-grant-{}", access.grant)
}

/// Until when it holds, in IAM's words.
fn expression(access: &Access) -> Result<String, CallError> {
    let until = jiff::Timestamp::from_millisecond(access.until_ms).map_err(|error| {
        CallError::new(
            "compute.instances.setIamPolicy",
            ErrorClass::Invalid,
            "NoTime",
            format!("{}: {error}", what(access)),
        )
    })?;
    Ok(format!("request.time < timestamp(\"{until:.3}\")"))
}

/// Somebody changed the policy between our look and our change: the next try sees what there is.
fn unset(call: &str, access: &Access, error: &Error) -> CallError {
    let refusal = error::refused(call, &what(access), error);
    if matches!(error.http_status_code(), Some(409 | 412)) {
        return CallError::new(call, ErrorClass::Unavailable, "PolicyChanged", refusal.trouble.message);
    }
    refusal
}

impl GcpProvider {
    /// Puts both bindings where they are not.
    pub(super) async fn open_way(&self, access: &Access) -> Result<Opened, CallError> {
        let Some((zone, name)) = names::zone_and_name(access.remote.as_str()) else { return Err(no_machine(access)) };
        if !self.is_meant(access, zone, name).await? {
            return Err(no_machine(access));
        }
        let expression = expression(access)?;
        if let Some(mut policy) = self.login_policy(access, zone, name).await? {
            let whole = |binding: &compute::Binding| {
                let condition = binding.condition.as_ref().and_then(|condition| condition.expression.as_deref());
                binding.role.as_deref() == Some(LOGIN)
                    && binding.members == [access.principal.as_str()]
                    && condition == Some(expression.as_str())
            };
            let (ours, mut others): (Vec<_>, Vec<_>) =
                policy.bindings.into_iter().partition(|binding| login_title(binding) == Some(&title(access)));
            if ours.len() != 1 || !ours.iter().all(whole) {
                let condition = compute::Expr::new().set_title(title(access)).set_expression(&expression);
                let members = [access.principal.as_str()];
                others.push(compute::Binding::new().set_role(LOGIN).set_members(members).set_condition(condition));
                policy.bindings = others;
                self.set_login_policy(access, zone, name, policy).await?;
            }
        } else {
            return Err(no_machine(access));
        }
        if let Some(mut policy) = self.tunnel_policy(access, zone, name).await? {
            let whole = |binding: &iam::Binding| {
                let condition = binding.condition.as_ref().map(|condition| condition.expression.as_str());
                binding.role == TUNNEL
                    && binding.members == [access.principal.as_str()]
                    && condition == Some(expression.as_str())
            };
            let (ours, mut others): (Vec<_>, Vec<_>) =
                policy.bindings.into_iter().partition(|binding| tunnel_title(binding) == Some(&title(access)));
            if ours.len() != 1 || !ours.iter().all(whole) {
                let condition = Expr::new().set_title(title(access)).set_expression(&expression);
                let members = [access.principal.as_str()];
                others.push(iam::Binding::new().set_role(TUNNEL).set_members(members).set_condition(condition));
                policy.bindings = others;
                self.set_tunnel_policy(access, zone, name, policy).await?;
            }
        } else {
            return Err(no_machine(access));
        }
        let project = &self.config.project;
        Ok(Opened {
            command: format!("gcloud compute ssh {name} --project {project} --zone {zone} --tunnel-through-iap"),
        })
    }

    /// Takes both away: the tunnel's first, for without it nobody comes near.
    pub(super) async fn close_way(&self, access: &Access) -> Result<Closed, CallError> {
        let Some((zone, name)) = names::zone_and_name(access.remote.as_str()) else { return Ok(Closed::Gone) };
        let mut closed = Closed::Gone;
        if let Some(mut policy) = self.tunnel_policy(access, zone, name).await? {
            let before = policy.bindings.len();
            policy.bindings.retain(|binding| tunnel_title(binding) != Some(&title(access)));
            if policy.bindings.len() < before {
                self.set_tunnel_policy(access, zone, name, policy).await?;
                closed = Closed::Leaving;
            }
        }
        // The instance's own policy goes with the instance.
        if let Some(mut policy) = self.login_policy(access, zone, name).await? {
            let before = policy.bindings.len();
            policy.bindings.retain(|binding| login_title(binding) != Some(&title(access)));
            if policy.bindings.len() < before {
                self.set_login_policy(access, zone, name, policy).await?;
                closed = Closed::Leaving;
            }
        }
        Ok(closed)
    }

    /// Whether the machine is there, on, and the one that was meant.
    async fn is_meant(&self, access: &Access, zone: &str, name: &str) -> Result<bool, CallError> {
        let call = "compute.instances.get";
        let instances = &self.clients().await?.instances;
        let request = instances.get().set_project(&self.config.project).set_zone(zone).set_instance(name);
        let instance = match self.try_send(call, &what(access), request.send()).await? {
            Ok(instance) => instance,
            Err(error) if error::is_not_found(&error) => return Ok(false),
            Err(error) => return Err(error::refused(call, &what(access), &error)),
        };
        let is_on = matches!(instance.status, Some(Status::Provisioning | Status::Staging | Status::Running));
        let ours = instance.labels.get(labels::DEPLOYMENT).is_some_and(|label| *label == self.names.deployment);
        let id = instance.labels.get(labels::RESOURCE).is_some_and(|label| *label == access.machine.to_string());
        Ok(is_on && ours && id)
    }

    async fn login_policy(
        &self,
        access: &Access,
        zone: &str,
        name: &str,
    ) -> Result<Option<compute::Policy>, CallError> {
        let call = "compute.instances.getIamPolicy";
        let instances = &self.clients().await?.instances;
        let request = instances.get_iam_policy().set_project(&self.config.project).set_zone(zone).set_resource(name);
        let request = request.set_options_requested_policy_version(VERSION);
        match self.try_send(call, &what(access), request.send()).await? {
            Ok(policy) => Ok(Some(policy)),
            Err(error) if error::is_not_found(&error) => Ok(None),
            Err(error) => Err(error::refused(call, &what(access), &error)),
        }
    }

    async fn set_login_policy(
        &self,
        access: &Access,
        zone: &str,
        name: &str,
        policy: compute::Policy,
    ) -> Result<(), CallError> {
        let call = "compute.instances.setIamPolicy";
        let body = compute::ZoneSetPolicyRequest::new().set_policy(policy.set_version(VERSION));
        let instances = &self.clients().await?.instances;
        let request = instances.set_iam_policy().set_project(&self.config.project).set_zone(zone).set_resource(name);
        let sent = self.try_send(call, &what(access), request.set_body(body).send()).await?;
        sent.map(drop).map_err(|error| unset(call, access, &error))
    }

    /// As Terraform's provider names the tunnel to one instance (`google_iap_tunnel_instance_iam`).
    fn tunnel(&self, zone: &str, name: &str) -> String {
        format!("projects/{}/iap_tunnel/zones/{zone}/instances/{name}", self.config.project)
    }

    async fn tunnel_policy(&self, access: &Access, zone: &str, name: &str) -> Result<Option<iam::Policy>, CallError> {
        let call = "iap.getIamPolicy";
        let options = iam::GetPolicyOptions::new().set_requested_policy_version(VERSION);
        let iap = &self.clients().await?.iap;
        let request = iap.get_iam_policy().set_resource(self.tunnel(zone, name)).set_options(options);
        match self.try_send(call, &what(access), request.send()).await? {
            Ok(policy) => Ok(Some(policy)),
            Err(error) if error::is_not_found(&error) => Ok(None),
            Err(error) => Err(error::refused(call, &what(access), &error)),
        }
    }

    async fn set_tunnel_policy(
        &self,
        access: &Access,
        zone: &str,
        name: &str,
        policy: iam::Policy,
    ) -> Result<(), CallError> {
        let call = "iap.setIamPolicy";
        let iap = &self.clients().await?.iap;
        let request =
            iap.set_iam_policy().set_resource(self.tunnel(zone, name)).set_policy(policy.set_version(VERSION));
        let sent = self.try_send(call, &what(access), request.send()).await?;
        sent.map(drop).map_err(|error| unset(call, access, &error))
    }
}

fn no_machine(access: &Access) -> CallError {
    let message = format!("{}: the machine is not there, does not run, or is not the one that was meant", what(access));
    CallError::new("compute.instances.get", ErrorClass::Conflict, NO_MACHINE, message)
}

fn login_title(binding: &compute::Binding) -> Option<&String> {
    binding.condition.as_ref().and_then(|condition| condition.title.as_ref())
}

fn tunnel_title(binding: &iam::Binding) -> Option<&String> {
    binding.condition.as_ref().map(|condition| &condition.title)
}
