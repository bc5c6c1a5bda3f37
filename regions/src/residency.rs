//! Residencies, as values and as types.

use std::{fmt, hash::Hash, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a project's data must stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residency {
    /// The United States.
    Us,
    /// Member states of the European Union. The United Kingdom and Switzerland are not among them.
    Eu,
}

impl Residency {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Us, Self::Eu];

    /// The name on the command line and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
        }
    }
}

impl fmt::Display for Residency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A residency that we do not offer.
#[derive(Debug, thiserror::Error)]
#[error("unknown residency `{0}`: use us (United States) or eu (member states of the European Union)")]
pub struct UnknownResidency(pub String);

impl FromStr for Residency {
    type Err = UnknownResidency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|residency| residency.as_str() == text)
            .ok_or_else(|| UnknownResidency(text.to_owned()))
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A residency as a type, so that the compiler keeps zones of different residencies apart.
pub trait Jurisdiction: sealed::Sealed + Copy + Eq + Hash + fmt::Debug + Send + Sync + 'static {
    /// The same, as a value.
    const RESIDENCY: Residency;
}

/// The United States, as a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Us {}

/// The European Union, as a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Eu {}

impl sealed::Sealed for Us {}
impl sealed::Sealed for Eu {}

impl Jurisdiction for Us {
    const RESIDENCY: Residency = Residency::Us;
}

impl Jurisdiction for Eu {
    const RESIDENCY: Residency = Residency::Eu;
}
