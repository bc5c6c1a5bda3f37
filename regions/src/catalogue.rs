//! The regions that lie in the United States or in a member state of the European Union, and those that are refused by name.

use crate::{Cloud, Region, Residency};

/// One region of the catalogue.
pub(crate) struct Row {
    pub(crate) cloud: Cloud,
    pub(crate) name: &'static str,
    pub(crate) residency: Residency,
    pub(crate) place: &'static str,
    pub(crate) zones: &'static [&'static str],
}

/// A real region that a person might ask for, and why we refuse it.
#[derive(Clone, Copy, Debug)]
pub struct RefusedRegion {
    /// The cloud.
    pub cloud: Cloud,
    /// The provider's name.
    pub name: &'static str,
    /// Where it lies and why that is outside.
    pub reason: &'static str,
}

/// Every region of the catalogue, AWS before Google Cloud.
pub fn regions() -> impl Iterator<Item = Region> + Clone {
    ROWS.iter().map(Region)
}

/// Every region that is known and refused.
#[must_use]
pub fn refused_regions() -> &'static [RefusedRegion] {
    REFUSED
}

const ROWS: &[Row] = &[
    Row {
        cloud: Cloud::Aws,
        name: "us-east-1",
        residency: Residency::Us,
        place: "Northern Virginia",
        zones: &["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d", "us-east-1e", "us-east-1f"],
    },
    Row {
        cloud: Cloud::Aws,
        name: "eu-central-1",
        residency: Residency::Eu,
        place: "Frankfurt, Germany",
        zones: &["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    },
];

const REFUSED: &[RefusedRegion] = &[RefusedRegion {
    cloud: Cloud::Aws,
    name: "eu-west-2",
    reason: "London lies in the United Kingdom, which is not a member state of the European Union",
}];
