//! The clouds.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A cloud whose regions the catalogue knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
}

impl Cloud {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Aws, Self::Gcp];

    /// The name on the command line, in the configuration and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A cloud that we do not drive.
#[derive(Debug, thiserror::Error)]
#[error("unknown cloud `{0}`: use aws or gcp")]
pub struct UnknownCloud(pub String);

impl FromStr for Cloud {
    type Err = UnknownCloud;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|cloud| cloud.as_str() == text).ok_or_else(|| UnknownCloud(text.to_owned()))
    }
}
