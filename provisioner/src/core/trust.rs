//! Trust in the workflows of a GitHub repository: what an owner has said, what a workflow's token claims, and whether they agree.
//!
//! What a claim means is from GitHub's documentation, "OpenID Connect reference", "OIDC token claims". A name alone proves nothing: whoever
//! takes a name over that another has given up gets tokens with it. So a trust names repository and owner by their numbers as
//! well, and all must agree, to the letter. Nothing here checks a signature: the claims have been proved before.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Name, OrgId, ProjectId, TokenScope, TrustId};

/// The longest name of an environment, and the longest pattern of refs, in characters.
const LONGEST: usize = 255;

/// A repository as GitHub names it: `OWNER/NAME`, in the letters that GitHub shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(String);

/// What is no part of a trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not `OWNER/NAME`.
    #[error("`{0}` is not a repository: use OWNER/NAME, as GitHub shows it")]
    Repository(String),
    /// Not a pattern of refs.
    #[error(
        "`{0}` is not a pattern of refs: begin with refs/heads/, refs/tags/ or refs/pull/; `*` stands for any part of a name, up to the next `/`"
    )]
    Refs(String),
    /// Not the name of an environment.
    #[error("an environment's name has 1 to 255 characters, none of them a control character")]
    Environment,
}

impl Repository {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Owner and name.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }
}

impl FromStr for Repository {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || TrustError::Repository(text.chars().take(LONGEST).collect());
        let (owner, name) = text.split_once('/').ok_or_else(wrong)?;
        // A managed user of an enterprise has an underscore in the name.
        let owns = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let sound = (1..=100).contains(&owner.len())
            && owner.chars().all(owns)
            && (1..=100).contains(&name.len())
            && name.chars().all(names)
            && name.trim_start_matches('.').len() + 2 >= name.len()
            && !name.trim_start_matches('.').is_empty();
        if sound { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }
}

/// Refs of a repository. `*` stands for any part of a name, up to the next `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefPattern(String);

impl RefPattern {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether that ref is one of them. It takes no more steps than the two lengths multiplied.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to go on if what stands after the last star does not fit where it was tried.
        let mut again: Option<(usize, usize)> = None;
        while n < name.len() {
            if pattern.get(p) == Some(&b'*') {
                again = Some((p, n));
                p += 1;
            } else if pattern.get(p) == name.get(n) {
                p += 1;
                n += 1;
            } else {
                match again {
                    Some((star, from)) if name.get(from).is_some_and(|byte| *byte != b'/') => {
                        again = Some((star, from + 1));
                        p = star + 1;
                        n = from + 1;
                    }
                    Some(_) | None => return false,
                }
            }
        }
        pattern.get(p..).is_none_or(|rest| rest.iter().all(|byte| *byte == b'*'))
    }
}

impl FromStr for RefPattern {
    type Err = TrustError;

    /// Characters that `git check-ref-format` forbids in a name are in no pattern. Two stars would look as if they stood for more.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = ["refs/heads/", "refs/tags/", "refs/pull/"].iter().find_map(|start| text.strip_prefix(start));
        let sound = text.len() <= LONGEST
            && rest.is_some_and(|rest| !rest.is_empty())
            && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '~' | '^' | ':' | '?' | '[' | '\\'))
            && !text.contains("**");
        if sound { Ok(Self(text.to_owned())) } else { Err(TrustError::Refs(text.chars().take(LONGEST).collect())) }
    }
}

macro_rules! texts {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = TrustError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )*};
}

texts! { Repository RefPattern }

/// Whether an environment can be called that.
///
/// # Errors
/// [`TrustError::Environment`].
pub fn check_environment(name: &str) -> Result<(), TrustError> {
    let sound = (1..=LONGEST).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if sound { Ok(()) } else { Err(TrustError::Environment) }
}

/// What an owner trusts, for which projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Its id.
    pub id: TrustId,
    /// Whose it is.
    pub org: OrgId,
    /// Its name, unique in the organization.
    pub name: Name,
    /// The repository by name.
    pub repository: Repository,
    /// The repository's number, which no other repository ever has.
    pub repository_id: u64,
    /// The owner's number.
    pub owner_id: u64,
    /// Jobs of that environment only.
    pub environment: Option<String>,
    /// Runs for those refs only.
    pub refs: Option<RefPattern>,
    /// What a token that comes of it is good for at most.
    pub scope: TokenScope,
    /// The projects that it is for.
    pub projects: BTreeSet<ProjectId>,
}

/// What a workflow's token says of its run. Unknown claims are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// `repo:OWNER/NAME:...`, since July 2026 `repo:OWNER@NUMBER/NAME@NUMBER:...`, or what the organization has made of it.
    pub sub: String,
    /// `OWNER/NAME`.
    pub repository: String,
    /// The owner's name.
    pub repository_owner: String,
    /// The repository's number, in digits.
    pub repository_id: String,
    /// The owner's number, in digits.
    pub repository_owner_id: String,
    /// The ref for which the workflow runs.
    #[serde(rename = "ref")]
    pub git_ref: String,
    /// The environment of the job, if it has one.
    #[serde(default)]
    pub environment: Option<String>,
    /// The number of the run.
    #[serde(default)]
    pub run_id: Option<String>,
}

/// Why claims and trust do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Mismatch {
    /// Its claims do not agree with each other.
    #[error("the token's own claims contradict each other")]
    Itself,
    /// Another name, in letters or in case.
    #[error("the repository has another name")]
    Name,
    /// Another repository of that name.
    #[error("it is another repository of that name: its number differs")]
    Repository,
    /// The owner of that name is another.
    #[error("the owner of that name is another: the number differs")]
    Owner,
    /// Another environment, or none.
    #[error("the job is of another environment, or of none")]
    Environment,
    /// Another ref.
    #[error("the run is for another ref")]
    Ref,
}

impl Trust {
    /// Whether a run with those claims is trusted.
    ///
    /// # Errors
    /// The first [`Mismatch`].
    pub fn agrees(&self, claims: &Claims) -> Result<(), Mismatch> {
        claims.consistent()?;
        let checks = [
            (claims.repository == self.repository.as_str(), Mismatch::Name),
            (number(&claims.repository_id) == Some(self.repository_id), Mismatch::Repository),
            (number(&claims.repository_owner_id) == Some(self.owner_id), Mismatch::Owner),
            (self.environment.is_none() || self.environment == claims.environment, Mismatch::Environment),
            (self.refs.as_ref().is_none_or(|refs| refs.matches(&claims.git_ref)), Mismatch::Ref),
        ];
        checks.into_iter().find(|(agrees, _)| !agrees).map_or(Ok(()), |(_, mismatch)| Err(mismatch))
    }

    /// Whether those claims are about its repository at least by name or by number: then its owners want to know of a refusal.
    #[must_use]
    pub fn concerns(&self, claims: &Claims) -> bool {
        claims.repository.eq_ignore_ascii_case(self.repository.as_str())
            || number(&claims.repository_id) == Some(self.repository_id)
    }
}

impl Claims {
    /// Whether the claims that say the same thing say the same.
    ///
    /// # Errors
    /// [`Mismatch::Itself`].
    pub fn consistent(&self) -> Result<(), Mismatch> {
        let repository: Repository = self.repository.parse().map_err(|_| Mismatch::Itself)?;
        let (owner, name) = repository.parts();
        let subject = match self.sub.strip_prefix("repo:") {
            None => true, // The organization has a subject of its own.
            Some(rest) => rest.split(':').next().and_then(|path| path.split_once('/')).is_some_and(|(of, named)| {
                is_named(of, owner, &self.repository_owner_id) && is_named(named, name, &self.repository_id)
            }),
        };
        let sound = subject
            && owner == self.repository_owner
            && number(&self.repository_id).is_some()
            && number(&self.repository_owner_id).is_some();
        if sound { Ok(()) } else { Err(Mismatch::Itself) }
    }

    /// What to call the run in an audit.
    #[must_use]
    pub fn run(&self) -> String {
        let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(120).collect::<String>();
        let run = self.run_id.as_deref().map_or_else(String::new, |run| format!(" run {}", short(run)));
        format!("workflow {}@{}{run}", short(&self.repository), short(&self.git_ref))
    }
}

/// `NAME` or `NAME@NUMBER`.
fn is_named(text: &str, name: &str, id: &str) -> bool {
    match text.split_once('@') {
        None => text == name,
        Some((of, given)) => of == name && given == id,
    }
}

/// A number as GitHub writes it: digits, no sign, no zero first.
fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
