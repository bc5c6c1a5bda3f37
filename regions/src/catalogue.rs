//! The regions that lie in the United States or in a member state of the European Union, and those that are refused by name.
//!
//! A row is a claim about where a data centre stands, so each cites the provider's document. Never add a region here
//! because its name begins with `us` or `eu`: London, Zurich, GovCloud and the sovereign clouds do as well.

mod aws;
mod gcp;
mod refused;

use crate::{Cloud, Region, Residency};

/// One region of the catalogue.
pub(crate) struct Row {
    pub(crate) cloud: Cloud,
    pub(crate) name: &'static str,
    pub(crate) residency: Residency,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: &'static str,
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
    aws::ROWS.iter().chain(gcp::ROWS).map(Region)
}

/// Every region that is known and refused.
#[must_use]
pub fn refused_regions() -> &'static [RefusedRegion] {
    refused::ROWS
}

/// A row in the United States.
const fn us(cloud: Cloud, name: &'static str, place: &'static str, zones: &'static [&'static str]) -> Row {
    Row { cloud, name, residency: Residency::Us, country: "US", place, zones }
}

/// A row in a member state of the European Union; a test holds `country` against the list of the 27.
const fn eu(
    cloud: Cloud,
    name: &'static str,
    country: &'static str,
    place: &'static str,
    zones: &'static [&'static str],
) -> Row {
    Row { cloud, name, residency: Residency::Eu, country, place, zones }
}
