//! A way in: what lets one person onto one builder for a while, by the cloud's own means, and what takes it away again.

use std::fmt;

use regions::{Cloud, Placement};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{RemoteId, ResourceId};

/// The longest that a principal's name may be, in characters: the value of a tag of EC2 takes 256 (Amazon EC2 User Guide,
/// "Tag restrictions"), and a member of a Google Cloud policy is shorter than that.
const LONGEST: usize = 256;

/// Whom a cloud lets in, in its own words: on AWS the ARN of a user or a role of IAM, on Google Cloud
/// `user:NAME@DOMAIN` or `serviceAccount:NAME@DOMAIN`.
///
/// A group is none: who is in it changes without us, and a grant is to one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Principal(String);

/// A name that is none of a principal of that cloud.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names nobody that {cloud} can let in: {wanted}")]
pub struct BadPrincipal {
    /// What was given.
    pub text: String,
    /// The cloud whose builder it is.
    pub cloud: Cloud,
    /// What is wanted.
    pub wanted: &'static str,
}

impl Principal {
    /// Takes a name in that cloud's words (IAM User Guide, "IAM ARNs"; Google Cloud IAM documentation, "Principal
    /// identifiers").
    ///
    /// # Errors
    /// [`BadPrincipal`].
    pub fn parse(cloud: Cloud, text: &str) -> Result<Self, BadPrincipal> {
        let (good, wanted) = match cloud {
            Cloud::Aws => (
                is_arn(text),
                "give the ARN of an IAM user or role, such as arn:aws:iam::123456789012:role/support; it is matched as a \
                 whole, without wildcards",
            ),
            Cloud::Gcp => (
                is_member(text),
                "give user:NAME@DOMAIN or serviceAccount:NAME@DOMAIN, in lower case; a group is not one person",
            ),
        };
        if good && text.len() <= LONGEST {
            return Ok(Self(text.to_owned()));
        }
        Err(BadPrincipal { text: text.chars().take(LONGEST).collect(), cloud, wanted })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, name] = parts.as_slice() else { return false };
    let named = |rest: &str| {
        let mut segments = rest.split('/');
        segments
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c)))
    };
    *arn == "arn"
        && (*partition == "aws" || partition.starts_with("aws-"))
        && partition.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && *service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && ["user/", "role/"].iter().any(|kind| name.strip_prefix(kind).is_some_and(named))
}

fn is_member(text: &str) -> bool {
    let Some(address) = text.strip_prefix("user:").or_else(|| text.strip_prefix("serviceAccount:")) else {
        return false;
    };
    let Some((name, domain)) = address.split_once('@') else { return false };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let labels = domain.split('.').collect::<Vec<_>>();
    !name.is_empty()
        && name.chars().all(|c| plain(c) || "._%+-".contains(c))
        && labels.len() > 1
        && labels.iter().all(|label| !label.is_empty() && label.chars().all(|c| plain(c) || c == '-'))
}

/// One way in: who, to which machine, until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The grant's id. What is made on the cloud carries it, so that closing one takes away nothing of another.
    pub grant: Uuid,
    /// Our id of the machine: the cloud's machine must carry it, or nothing is opened.
    pub machine: ResourceId,
    /// The cloud's name for the machine.
    pub remote: RemoteId,
    /// Where the machine stands.
    pub placement: Placement,
    /// Who is let in.
    pub principal: Principal,
    /// The end, in milliseconds since 1970. A cloud that can hold to it by itself is told to.
    pub until_ms: i64,
}

/// A way in that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The command that the principal enters by, for a person to paste. Nothing in it is secret.
    pub command: String,
}

/// What closing found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Something was there and has been taken away or told to end. Look again: only [`Closed::Gone`] is the end.
    Leaving,
    /// There is nothing of this grant on the cloud, and no session on the machine.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_one_person_or_role_in_the_clouds_own_words() {
        for good in ["arn:aws:iam::123456789012:role/support", "arn:aws-us-gov:iam::123456789012:user/eng/ann.b+c@d"] {
            assert_eq!(Principal::parse(Cloud::Aws, good).unwrap().as_str(), good);
        }
        for good in ["user:ann@example.com", "serviceAccount:on-call@proj-1.iam.gserviceaccount.com"] {
            assert_eq!(Principal::parse(Cloud::Gcp, good).unwrap().as_str(), good);
        }
        let long = format!("arn:aws:iam::123456789012:role/{}", "a".repeat(LONGEST));
        let bad_on_aws = [
            "",
            "*",
            "ann",
            "arn:aws:iam::123456789012:root",
            "arn:aws:iam::*:role/a",
            "arn:aws:iam::123456789012:role/*",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a//b",
            "arn:aws:iam::12345678901:role/a",
            "arn:aws:sts::123456789012:assumed-role/a/b",
            "arn:aws:iam:us-east-1:123456789012:role/a",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a\n",
            "user:ann@example.com",
            "arn:aws:iam::123456789012:role/${aws:x}",
            long.as_str(),
        ];
        for bad in bad_on_aws {
            assert!(Principal::parse(Cloud::Aws, bad).is_err(), "{bad:?} was taken");
        }
        let bad_on_gcp = [
            "",
            "ann@example.com",
            "user:ann",
            "user:@example.com",
            "user:ann@",
            "user:ann@com",
            "user:ann@example..com",
            "group:all@example.com",
            "allUsers",
            "allAuthenticatedUsers",
            "domain:example.com",
            "user:Ann@example.com",
            "user:ann@example.com ",
            "user:a b@example.com",
            "user:ann@example.com?uid=1",
            "user:*@example.com",
            "arn:aws:iam::123456789012:role/support",
        ];
        for bad in bad_on_gcp {
            assert!(Principal::parse(Cloud::Gcp, bad).is_err(), "{bad:?} was taken");
        }
    }
}
