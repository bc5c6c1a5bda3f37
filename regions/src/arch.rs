//! CPU architectures.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The CPU architecture of a builder. A machine's image and type both derive from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arch {
    /// 64-bit x86: EC2 calls it `x86_64`, Compute Engine `X86_64`.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm: EC2 calls it `arm64`, Compute Engine `ARM64`.
    Arm64,
}

impl Arch {
    /// Both, in the order in which they are listed everywhere.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    /// The name on the command line, in the database and in tags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An architecture that we do not build for.
#[derive(Debug, thiserror::Error)]
#[error("unknown architecture `{0}`: use x86_64 or arm64")]
pub struct UnknownArch(pub String);

impl FromStr for Arch {
    type Err = UnknownArch;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|arch| arch.as_str() == text).ok_or_else(|| UnknownArch(text.to_owned()))
    }
}
