//! What can go wrong with a call, as classes, and the one table from a class to its remedy.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of failure that call for different behaviour. Classification reads codes and status, never message text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Refused for now because we ask too often. Nothing happened.
    Throttled,
    /// The service answered that it can't. Something may have happened.
    Unavailable,
    /// No answer, or one that says nothing. Something may have happened.
    Ambiguous,
    /// The cloud has no such machine there now. Nothing happened.
    NoCapacity,
    /// The account may not have more of it. Nothing happened.
    Quota,
    /// Our credentials are missing, wrong, or may not do this. Nothing happened.
    Denied,
    /// The key is disabled, on its way out, elsewhere, or not ours to use.
    KeyUnusable,
    /// The request is wrong, and will be wrong again. Nothing happened.
    Invalid,
    /// The thing is in a state that does not allow this now.
    Conflict,
    /// A code that no table of ours knows. Never blindly retried.
    Unrecognized,
}

/// What a failure calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// Wait, then do the same again.
    Retry,
    /// Look what is there before anything else, then go on from what was seen.
    ObserveFirst,
    /// Take back what was begun, then try the next candidate.
    Replan,
    /// Take back what was begun, and fail.
    Unwind,
    /// Touch nothing more, and call a person.
    Halt,
}

impl ErrorClass {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Throttled,
        Self::Unavailable,
        Self::Ambiguous,
        Self::NoCapacity,
        Self::Quota,
        Self::Denied,
        Self::KeyUnusable,
        Self::Invalid,
        Self::Conflict,
        Self::Unrecognized,
    ];

    /// The name in the database and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Ambiguous => "ambiguous",
            Self::NoCapacity => "no_capacity",
            Self::Quota => "quota",
            Self::Denied => "denied",
            Self::KeyUnusable => "key_unusable",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Unrecognized => "unrecognized",
        }
    }

    /// The one table.
    #[must_use]
    pub const fn remedy(self) -> Remedy {
        match self {
            Self::Throttled => Remedy::Retry,
            Self::Unavailable | Self::Ambiguous | Self::Conflict => Remedy::ObserveFirst,
            Self::NoCapacity => Remedy::Replan,
            Self::Quota | Self::Denied | Self::KeyUnusable | Self::Invalid => Remedy::Unwind,
            Self::Unrecognized => Remedy::Halt,
        }
    }

    /// Whether the failed call may have had its effect all the same.
    #[must_use]
    pub const fn may_have_happened(self) -> bool {
        match self {
            Self::Unavailable | Self::Ambiguous | Self::Conflict | Self::Unrecognized => true,
            Self::Throttled | Self::NoCapacity | Self::Quota | Self::Denied | Self::KeyUnusable | Self::Invalid => {
                false
            }
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Throttled => "ask the cloud for a higher request rate, then `provisioner job retry`",
            Self::Unavailable => "look at the cloud's status page; when it is well again, `provisioner job retry`",
            Self::Ambiguous => "check that the endpoint can be reached; then `provisioner job retry`",
            Self::NoCapacity => "allow more zones or regions, choose another size, or try again later",
            Self::Quota => "ask the cloud for a higher quota in that region, then `provisioner job retry`",
            Self::Denied => "check the credentials and the policy of the worker's role, then `provisioner job retry`",
            Self::KeyUnusable => "enable the key, cancel its deletion or mend its policy, then `provisioner job retry`",
            Self::Invalid => "correct the configuration or the request that the message names, then enqueue it again",
            Self::Conflict => {
                "look at the resource in the cloud's console; when it is at rest, `provisioner job retry`"
            }
            Self::Unrecognized => {
                "look the code up in the cloud's documentation, look at the resource, then `provisioner job retry`"
            }
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What every provider calls a thing that is there and lacks tags or has others than it was made with.
pub const WRONG_TAGS: &str = "WrongTags";
/// What every provider calls a machine that nobody can be let onto: it is not there, does not run, or is not the one that was meant.
pub const NO_MACHINE: &str = "NoMachine";
/// What every provider calls a machine onto which another grant's way is still open, where the cloud has room for one.
pub const OTHER_WAY: &str = "OtherWay";
/// What every provider calls a volume that is under no key of a customer.
pub const NOT_ENCRYPTED: &str = "NotEncrypted";
/// What every provider calls a volume that is under another key than its organization's.
pub const WRONG_KEY: &str = "WrongKey";
/// What every provider calls a thing that stands in another zone than it was made in.
pub const WRONG_ZONE: &str = "WrongZone";

/// Something wrong, in a form that can be kept and shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Its class.
    pub class: ErrorClass,
    /// The cloud's code, such as `InsufficientInstanceCapacity`, or ours where the cloud gave none.
    pub code: String,
    /// For people; it names the resource. No program reads it.
    pub message: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.class, self.code, self.message)
    }
}

/// A provider call that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{call}: {trouble}")]
pub struct CallError {
    /// The cloud's name for the operation that failed, such as `ec2:RunInstances`.
    pub call: String,
    /// What went wrong.
    pub trouble: Trouble,
    /// How long the cloud asks us to wait, in milliseconds, where it says so.
    pub retry_after_ms: Option<u64>,
}

impl CallError {
    /// An error of that class.
    #[must_use]
    pub fn new(call: &str, class: ErrorClass, code: &str, message: impl Into<String>) -> Self {
        let trouble = Trouble { class, code: code.to_owned(), message: message.into() };
        Self { call: call.to_owned(), trouble, retry_after_ms: None }
    }

    /// Its class.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        self.trouble.class
    }
}
