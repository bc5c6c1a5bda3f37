//! What programs read and send. The names and types are a contract: add, never change.
//!
//! Job ids are numbers, all other ids strings; times are RFC 3339 in UTC; what is not there is null.

mod grants;
mod tenants;
mod trusts;
mod work;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::core::audit::AuditEntry;

pub(crate) use grants::*;
pub(crate) use tenants::*;
pub(crate) use trusts::*;
pub(crate) use work::*;

pub(crate) fn time(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| format!("{at:.3}"))
}

/// A whole number. JSON knows one kind of numbers: `100.0` is the integer 100 (JSON Schema 2020-12, 4.2.3).
pub(crate) fn whole<'de, D: Deserializer<'de>, T: TryFrom<i64>>(deserializer: D) -> Result<T, D::Error> {
    let number = f64::deserialize(deserializer)?;
    let exact = number.fract() == 0.0 && number.abs() <= f64::from(u32::MAX);
    // In range and without a fraction: the text of it is exact.
    let found = if exact { format!("{number:.0}").parse::<i64>().ok() } else { None };
    let found = found.and_then(|whole| T::try_from(whole).ok());
    found.ok_or_else(|| serde::de::Error::custom(format!("{number} is not a whole number in its bounds")))
}

/// A page of a list, and where the next one begins.
#[derive(Serialize, ToSchema)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Pass it as `cursor` for the next page; null at the end.
    pub(crate) next: Option<String>,
}

/// The query of the audit.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// At most so many; 100 if it is left out.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<u32>,
    /// Where the page before ended.
    #[serde(default)]
    #[param(pattern = "^a[0-9]{1,18}$")]
    pub(crate) cursor: Option<String>,
}

/// An entry of the audit.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditView {
    pub(crate) seq: i64,
    pub(crate) at: String,
    pub(crate) identity: String,
    pub(crate) token: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) act: String,
    pub(crate) resource: String,
    pub(crate) outcome: String,
    pub(crate) detail: Option<String>,
    pub(crate) hash: String,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        let deed = entry.deed;
        Self {
            seq: entry.seq,
            at: time(deed.at_ms),
            identity: deed.identity,
            token: deed.token.map(|token| token.to_string()),
            address: deed.address,
            act: deed.act,
            resource: deed.resource,
            outcome: deed.outcome,
            detail: deed.detail,
            hash: entry.hash,
        }
    }
}

/// Whether the service can do its work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(pattern = "^ok$")]
    pub(crate) status: &'static str,
}
