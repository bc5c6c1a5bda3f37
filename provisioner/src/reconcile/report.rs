//! What a run saw and did, as it is kept, printed and handed on. The names are a contract: add, never change.

use std::collections::BTreeMap;

use regions::Region;
use serde::{Deserialize, Serialize};

use super::brakes::Decision;
use crate::core::{Finding, Repair};

/// What was seen of a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionReport {
    /// The region.
    pub region: Region,
    /// Why it was left alone, if it was.
    pub failed: Option<String>,
    /// Pages of its listing.
    pub pages: u64,
    /// Things by kind.
    pub things: BTreeMap<String, u64>,
    /// Records that were compared.
    pub records: u64,
    /// What was the matter.
    pub findings: u64,
}

/// A finding with what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// When it was first seen, in milliseconds since 1970.
    pub first_seen_ms: i64,
    /// The runs that have seen it in a row.
    pub sightings: u32,
    /// Until when it is kept, if anybody has said.
    pub quarantine_until_ms: Option<i64>,
    /// The repair that is due now.
    pub due: Repair,
    /// What came of it.
    pub outcome: Decision,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its number.
    pub run: i64,
    /// What it was to do: `repair`, `plan` or `apply`.
    pub mode: String,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: i64,
    /// The regions, the failed ones first.
    pub regions: Vec<RegionReport>,
    /// What was found, what a person has to see first.
    pub items: Vec<Item>,
    /// Items of an applied plan that are no longer true: the subject, and why.
    pub untrue: Vec<(String, String)>,
}

impl Report {
    /// Whether a person has to look: a region failed, customers' data may be at risk, a plan was not wholly true, or a repair
    /// was refused.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        self.regions.iter().any(|region| region.failed.is_some())
            || !self.untrue.is_empty()
            || self
                .items
                .iter()
                .any(|item| item.finding.verdict.is_security() || matches!(item.outcome, Decision::Refused { .. }))
    }

    /// Items that are drift, and not what a project's rules ask for.
    #[must_use]
    pub fn drift(&self) -> usize {
        self.items.iter().filter(|item| !item.finding.verdict.is_policy()).count()
    }
}

/// A plan, as a person judges it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// The form of this file.
    pub version: u32,
    /// The deployment that it is about.
    pub deployment: String,
    /// The run that made it.
    pub run: i64,
    /// When, in milliseconds since 1970.
    pub made_ms: i64,
    /// What is to be done. Take out what is not wanted.
    pub items: Vec<Item>,
}
