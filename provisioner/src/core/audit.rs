//! An entry of the audit, and the chain that ties it to the one before: whoever changes one has to change all that follow.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{OrgId, TokenId, secret::hex};

/// What stands before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Who did what, or was not let.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who: the identity's name, or why nobody is known.
    pub identity: String,
    /// The token that proved it, if one did.
    pub token: Option<TokenId>,
    /// The network address that asked; none at the command line.
    pub address: Option<String>,
    /// What was asked: an act's name.
    pub act: String,
    /// The organization that it concerns, if one is known.
    pub org: Option<OrgId>,
    /// On what.
    pub resource: String,
    /// `accepted`, or the refusal's type.
    pub outcome: String,
    /// What else is worth knowing: never a secret.
    pub detail: Option<String>,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number: one more than the last one's.
    pub seq: i64,
    /// What happened.
    #[serde(flatten)]
    pub deed: Deed,
    /// The hash of the entry before.
    pub previous: String,
    /// The hash of this one.
    pub hash: String,
}

/// The longest text of an entry, in characters.
const LONGEST: usize = 1_000;

impl Deed {
    /// As both databases can keep it: PostgreSQL's text holds no NUL, and a refusal is told of whatever was asked for, as long as it is
    /// (nobody can take an entry away again).
    fn kept(self) -> Self {
        let kept = |text: String| {
            let is_long = text.len() > LONGEST;
            let text = if is_long { text.chars().take(LONGEST).collect() } else { text };
            if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
        };
        Self {
            identity: kept(self.identity),
            address: self.address.map(kept),
            act: kept(self.act),
            resource: kept(self.resource),
            outcome: kept(self.outcome),
            detail: self.detail.map(kept),
            ..self
        }
    }
}

impl AuditEntry {
    /// The entry that comes after that one.
    #[must_use]
    pub fn after(last: Option<(i64, &str)>, deed: Deed) -> Self {
        let deed = deed.kept();
        let (seq, previous) = last.map_or((1, GENESIS), |(seq, hash)| (seq + 1, hash));
        let hash = chained(seq, &deed, previous);
        Self { seq, deed, previous: previous.to_owned(), hash }
    }

    /// What is wrong with it as the one after `last`; nothing if it is sound.
    #[must_use]
    pub fn flaw(&self, last: Option<(i64, &str)>) -> Option<String> {
        let (seq, previous) = last.map_or((1, GENESIS), |(seq, hash)| (seq + 1, hash));
        if self.seq != seq {
            return Some(format!("entry {seq} is missing: after it comes {}", self.seq));
        }
        if self.previous != previous {
            return Some(format!(
                "entry {seq} does not follow the one before it: that was changed, or put in its place"
            ));
        }
        (self.hash != chained(seq, &self.deed, previous))
            .then(|| format!("entry {seq} was changed after it was written"))
    }
}

/// SHA-256 over a JSON array of all fields in a fixed order: lengths and quotes can't be shifted from one to the next.
fn chained(seq: i64, deed: &Deed, previous: &str) -> String {
    let Deed { at_ms, identity, token, address, act, org, resource, outcome, detail } = deed;
    let fields =
        serde_json::json!([previous, seq, at_ms, identity, token, address, act, org, resource, outcome, detail]);
    hex(&Sha256::digest(fields.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(n: i64) -> Deed {
        Deed {
            at_ms: n,
            identity: format!("user {n}"),
            token: None,
            address: Some("10.0.0.1".to_owned()),
            act: "org.create".to_owned(),
            org: None,
            resource: "acme".to_owned(),
            outcome: "accepted".to_owned(),
            detail: None,
        }
    }

    fn chain(length: i64) -> Vec<AuditEntry> {
        let mut chain: Vec<AuditEntry> = Vec::new();
        for n in 0..length {
            let entry = AuditEntry::after(chain.last().map(|last| (last.seq, last.hash.as_str())), deed(n));
            chain.push(entry);
        }
        chain
    }

    fn first_flaw(chain: &[AuditEntry]) -> Option<String> {
        let mut last = None;
        for entry in chain {
            if let Some(flaw) = entry.flaw(last) {
                return Some(flaw);
            }
            last = Some((entry.seq, entry.hash.as_str()));
        }
        None
    }

    #[test]
    fn a_chain_shows_what_was_changed_put_in_or_taken_out() {
        let sound = chain(6);
        assert_eq!(first_flaw(&sound), None);
        let mut changed = sound.clone();
        changed[2].deed.outcome = "forbidden".to_owned();
        assert!(first_flaw(&changed).unwrap().contains("entry 3 was changed"));
        let mut rehashed = changed.clone();
        rehashed[2].hash = chained(3, &rehashed[2].deed, &rehashed[2].previous);
        assert!(first_flaw(&rehashed).unwrap().contains("entry 4 does not follow"));
        let mut cut = sound.clone();
        cut.remove(3);
        assert!(first_flaw(&cut).unwrap().contains("entry 4 is missing"));
        let mut shifted = sound.clone();
        shifted[1].deed.identity = "user 1\",\"x".to_owned();
        assert!(first_flaw(&shifted).is_some());
        assert!(first_flaw(&sound[1..]).unwrap().contains("entry 1 is missing"));
    }
}
