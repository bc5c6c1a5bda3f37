//! A way in: a session of Systems Manager with an instance that carries the name of whom it lets in.
//!
//! Nothing listens and no key is copied: the agent on the instance asks Systems Manager for work, and a policy lets a principal
//! start sessions only where the tag [`tags::ACCESS`] is its own ARN (`deploy/aws/debug-policy.json`; Systems Manager User
//! Guide, "Additional sample IAM policies for Session Manager", `ssm:resourceTag`). So opening is to write a tag, and closing is
//! to take it away and to end the sessions that stand: a session goes on after its permission has ended.
//!
//! A tag holds one value, so an instance has one way at a time. Who may be in while none of our tags says so is nobody that we let
//! in: closing ends every session on the instance, unless another grant's tag is there.

use aws_sdk_ec2::types::{Instance, InstanceStateName, Tag};
use aws_sdk_ssm::types::{SessionFilter, SessionFilterKey, SessionState};

use super::observe::filter;
use super::{AwsProvider, error::code, error::refused, machine, tags};
use crate::{Access, CallError, Closed, ErrorClass, NO_MACHINE, OTHER_WAY, Opened};

/// Systems Manager API Reference, `DescribeSessions`, `MaxResults`.
const PAGE: i32 = 200;

fn what(access: &Access) -> String {
    format!("the way of grant {} onto {}", access.grant, access.remote)
}

fn conflict(access: &Access, code: &str, why: &str) -> CallError {
    CallError::new("ec2:CreateTags", ErrorClass::Conflict, code, format!("{}: {why}", what(access)))
}

/// Both tags of a way.
fn pair(access: &Access) -> Vec<Tag> {
    let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build();
    vec![tag(tags::GRANT, access.grant.to_string()), tag(tags::ACCESS, access.principal.as_str().to_owned())]
}

impl AwsProvider {
    /// Writes the tags that let the principal in. Without an effect where they are there already.
    pub(super) async fn open_way(&self, access: &Access) -> Result<Opened, CallError> {
        let region = access.placement.region();
        let instance = self.instance_of(access).await?;
        let Some(instance) = instance.filter(|instance| self.is_meant(instance, access)) else {
            let why = "the machine is not there, does not run, or is not the one that was meant";
            return Err(conflict(access, NO_MACHINE, why));
        };
        let grant = access.grant.to_string();
        let there = tags::get(instance.tags(), tags::GRANT);
        if let Some(other) = there.filter(|there| *there != grant) {
            return Err(conflict(access, OTHER_WAY, &format!("grant {other} is open there; close it first")));
        }
        if there.is_none() || tags::get(instance.tags(), tags::ACCESS) != Some(access.principal.as_str()) {
            let ec2 = self.clients(region).await.ec2;
            let write = ec2.create_tags().resources(access.remote.as_str()).set_tags(Some(pair(access)));
            write.send().await.map_err(|error| refused("ec2:CreateTags", &what(access), &error))?;
        }
        let (region, target) = (region.name(), &access.remote);
        Ok(Opened {
            command: format!("aws ssm start-session --region {region} --target {target} --reason 'grant {grant}'"),
        })
    }

    /// Takes the tags away, if they are this grant's, and ends the sessions, unless another grant has the machine now.
    pub(super) async fn close_way(&self, access: &Access) -> Result<Closed, CallError> {
        let instance = self.instance_of(access).await?;
        let Some(instance) = instance.filter(machine::is_live) else { return Ok(Closed::Gone) };
        let grant = access.grant.to_string();
        let there = tags::get(instance.tags(), tags::GRANT);
        if there.is_some_and(|there| there != grant) {
            return Ok(Closed::Gone);
        }
        let open = there.is_some();
        if open {
            let ec2 = self.clients(access.placement.region()).await.ec2;
            // A tag with another value stays (Amazon EC2 API Reference, `DeleteTags`): what somebody wrote since then is not ours.
            let delete = ec2.delete_tags().resources(access.remote.as_str()).set_tags(Some(pair(access)));
            delete.send().await.map_err(|error| refused("ec2:DeleteTags", &what(access), &error))?;
        }
        let ended = self.end_sessions(access).await?;
        Ok(if open || ended { Closed::Leaving } else { Closed::Gone })
    }

    /// The instance, whatever tags it carries.
    async fn instance_of(&self, access: &Access) -> Result<Option<Instance>, CallError> {
        let ec2 = self.clients(access.placement.region()).await.ec2;
        let ask = ec2.describe_instances().filters(filter("instance-id", [access.remote.as_str()]));
        let answer = ask.send().await.map_err(|error| refused("ec2:DescribeInstances", &what(access), &error))?;
        let found = answer.reservations.unwrap_or_default().into_iter();
        Ok(found.flat_map(|reservation| reservation.instances.unwrap_or_default()).next())
    }

    fn is_meant(&self, instance: &Instance, access: &Access) -> bool {
        let state = instance.state().and_then(|state| state.name());
        matches!(state, Some(InstanceStateName::Pending | InstanceStateName::Running))
            && tags::get(instance.tags(), tags::DEPLOYMENT) == Some(self.deployment.as_str())
            && tags::id(tags::get(instance.tags(), tags::RESOURCE)) == Some(access.machine)
    }

    /// Ends all sessions on the machine. Whether there were any.
    async fn end_sessions(&self, access: &Access) -> Result<bool, CallError> {
        let ssm = self.clients(access.placement.region()).await.ssm;
        let on_it = SessionFilter::builder().key(SessionFilterKey::TargetId).value(access.remote.as_str()).build();
        let on_it = on_it.map_err(|error| {
            CallError::new("ssm:DescribeSessions", ErrorClass::Invalid, "NoFilter", error.to_string())
        })?;
        let (mut next, mut any) = (None, false);
        loop {
            let ask = ssm.describe_sessions().state(SessionState::Active).filters(on_it.clone()).max_results(PAGE);
            let answer = ask.set_next_token(next).send().await;
            let answer = answer.map_err(|error| refused("ssm:DescribeSessions", &what(access), &error))?;
            for session in answer.sessions().iter().filter_map(|session| session.session_id()) {
                any = true;
                match ssm.terminate_session().session_id(session).send().await {
                    Ok(_) => {}
                    Err(error) if code(&error) == Some("DoesNotExistException") => {}
                    Err(error) => return Err(refused("ssm:TerminateSession", &what(access), &error)),
                }
            }
            next = answer.next_token().filter(|token| !token.is_empty()).map(ToOwned::to_owned);
            if next.is_none() {
                return Ok(any);
            }
        }
    }
}
