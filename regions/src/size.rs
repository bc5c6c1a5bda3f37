//! Builder sizes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A builder's size, named vCPU x GiB of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Size {
    /// 4 vCPU, 8 GiB.
    #[serde(rename = "4x8")]
    S4x8,
    /// 8 vCPU, 16 GiB.
    #[serde(rename = "8x16")]
    S8x16,
    /// 16 vCPU, 32 GiB: what a project gets that asks for nothing.
    #[default]
    #[serde(rename = "16x32")]
    S16x32,
    /// 32 vCPU, 64 GiB.
    #[serde(rename = "32x64")]
    S32x64,
}

impl Size {
    /// All sizes, smallest first.
    pub const ALL: [Self; 4] = [Self::S4x8, Self::S8x16, Self::S16x32, Self::S32x64];

    /// Virtual CPUs.
    #[must_use]
    pub const fn vcpus(self) -> u16 {
        match self {
            Self::S4x8 => 4,
            Self::S8x16 => 8,
            Self::S16x32 => 16,
            Self::S32x64 => 32,
        }
    }

    /// Memory in GiB that a builder of this size has at least.
    #[must_use]
    pub const fn memory_gib(self) -> u16 {
        2 * self.vcpus()
    }

    /// The name on the command line and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S4x8 => "4x8",
            Self::S8x16 => "8x16",
            Self::S16x32 => "16x32",
            Self::S32x64 => "32x64",
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A size that we do not offer.
#[derive(Debug, thiserror::Error)]
#[error("unknown builder size `{0}`: use 4x8, 8x16, 16x32 or 32x64 (vCPU x GiB)")]
pub struct UnknownSize(pub String);

impl FromStr for Size {
    type Err = UnknownSize;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|size| size.as_str() == text).ok_or_else(|| UnknownSize(text.to_owned()))
    }
}
