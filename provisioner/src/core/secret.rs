//! The text of an API token: a prefix that scanners know, 256 random bits, and a checksum that tells a leaked token from a
//! random word without asking anybody.
//!
//! The form follows what GitHub has published of its own ("Behind GitHub's new authentication token formats", 2021): a prefix, base 62,
//! and a CRC-32 of what stands before in the last six digits. Randomness comes in from the edge. Only [`Secret::hash`] is
//! ever stored; with 256 random bits a plain SHA-256 is enough, and a lookup by it needs no comparison in constant
//! time: who can make the hash has the secret.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62 to the power of 43 is the first that is more than 2 to the power of 256.
const BODY: usize = 43;
/// The same for 32 bits.
const CHECK: usize = 6;

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// The operators'.
    Operator,
    /// An organization's.
    Org,
    /// A project's.
    Project,
    /// A person's.
    User,
    /// A workflow's, which a trust let in. It lives minutes.
    Workflow,
}

impl TokenKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Operator, Self::Org, Self::Project, Self::User, Self::Workflow];

    /// The name in the database and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Org => "org",
            Self::Project => "project",
            Self::User => "user",
            Self::Workflow => "workflow",
        }
    }

    /// What its secrets begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "prvo_",
            Self::Org => "prvg_",
            Self::Project => "prvp_",
            Self::User => "prvu_",
            Self::Workflow => "prvw_",
        }
    }
}

/// A secret, whole. It is shown once, and never by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    kind: TokenKind,
    text: String,
}

/// What is no secret of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It begins with none of the prefixes.
    #[error("it is no token of this service: one begins with prvo_, prvg_, prvp_, prvu_ or prvw_")]
    Prefix,
    /// It is too long or too short, or has characters that none has.
    #[error("it is cut short, or has characters that no token has: copy it whole")]
    Form,
    /// The checksum is not that of the rest.
    #[error("its checksum is wrong: a character was changed on the way")]
    Checksum,
}

impl Secret {
    /// The secret with those random bits.
    #[must_use]
    pub fn new(kind: TokenKind, random: [u8; 32]) -> Self {
        let mut text = kind.prefix().to_owned();
        text.push_str(&digits(&random, BODY));
        let check = crc32fast::hash(text.as_bytes()).to_be_bytes();
        text.push_str(&digits(&check, CHECK));
        Self { kind, text }
    }

    /// Whose it is.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The whole text: for its holder, once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is stored in its place: SHA-256 in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.text.as_bytes()))
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = TokenKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()));
        let kind = kind.ok_or(SecretError::Prefix)?;
        let rest = text.strip_prefix(kind.prefix()).unwrap_or_default();
        if rest.len() != BODY + CHECK || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(SecretError::Form);
        }
        let (body, check) = text.split_at(text.len() - CHECK);
        if digits(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECK) != check {
            return Err(SecretError::Checksum);
        }
        Ok(Self { kind, text: text.to_owned() })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}***", self.kind.prefix())
    }
}

/// A number, the most significant byte first, in so many digits of base 62.
fn digits(number: &[u8], width: usize) -> String {
    let mut number = number.to_vec();
    let mut text = vec![b'0'; width];
    for place in text.iter_mut().rev() {
        let mut rest: u32 = 0;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(0);
            rest = value % 62;
        }
        *place = DIGITS[rest as usize];
    }
    String::from_utf8(text).unwrap_or_default()
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_and_known_by_its_prefix() {
        for (n, kind) in TokenKind::ALL.into_iter().enumerate() {
            for seed in [[0; 32], [0xff; 32], [n as u8 + 7; 32]] {
                let secret = Secret::new(kind, seed);
                assert_eq!(secret.reveal().len(), 5 + BODY + CHECK);
                assert_eq!(secret.reveal().parse::<Secret>(), Ok(secret.clone()));
                assert_eq!(secret.kind(), kind);
                assert!(!format!("{secret:?}").contains(&secret.reveal()[5..]));
                assert_eq!(secret.hash().len(), 64);
            }
        }
    }

    /// All that is not the secret itself is refused, whichever character is another.
    #[test]
    fn every_changed_character_is_noticed() {
        let secret = Secret::new(TokenKind::Org, std::array::from_fn(|n| n as u8 * 7));
        for place in 0..secret.reveal().len() {
            for other in ["0", "z", "A", "-", " ", "é", ""] {
                let text = secret.reveal();
                let changed = format!("{}{other}{}", &text[..place], &text[place + 1..]);
                if changed != text {
                    assert!(changed.parse::<Secret>().is_err(), "{changed}");
                }
            }
        }
        for other in ["", "prvg_", "Bearer", &"prvg_".repeat(20), &format!("{} ", secret.reveal())] {
            assert!(other.parse::<Secret>().is_err(), "{other}");
        }
    }

    #[test]
    fn digits_are_those_of_the_number() {
        assert_eq!(digits(&[0], 3), "000");
        assert_eq!(digits(&[61], 3), "00z");
        assert_eq!(digits(&[62], 3), "010");
        assert_eq!(digits(&u32::MAX.to_be_bytes(), CHECK), "4gfFC3");
        assert!(!digits(&[0xff; 32], BODY).starts_with('0'), "256 bits need all digits");
    }
}
