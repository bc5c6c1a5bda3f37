//! Regions and zones as values that only the catalogue can make, and the proof that a zone lies inside a residency.

use std::{fmt, hash, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{Cloud, Eu, Jurisdiction, Residency, Us, catalogue};

/// A region of a cloud that lies inside one of the residencies. Text form: `aws/us-east-1`.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(pub(crate) &'static catalogue::Row);

/// A zone of such a region. Text form: `aws/us-east-1a`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "String")]
pub struct Zone {
    region: Region,
    name: &'static str,
}

/// Why a region or zone can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// The name is in no list of ours.
    #[error("unknown {cloud} region `{name}`: use one of {known}")]
    UnknownRegion {
        /// The cloud that was asked for.
        cloud: Cloud,
        /// The name as it was given.
        name: String,
        /// Those that exist, separated by commas.
        known: String,
    },
    /// The region has no such zone.
    #[error("unknown zone `{name}`: region {region} has {known}")]
    UnknownZone {
        /// The region.
        region: String,
        /// The name as it was given.
        name: String,
        /// Those that exist, separated by commas.
        known: String,
    },
    /// A real region that lies in no residency that we offer.
    #[error("{cloud} region `{name}` is refused: {reason}")]
    Refused {
        /// The cloud.
        cloud: Cloud,
        /// The region.
        name: String,
        /// Where it lies and why that is outside.
        reason: &'static str,
    },
    /// A region of ours, but of another residency than the project's.
    #[error("{region} lies in residency {actual}, the project's data must stay in {wanted}: choose one of {inside}")]
    Outside {
        /// The region.
        region: String,
        /// Where it lies.
        actual: Residency,
        /// Where it should.
        wanted: Residency,
        /// The regions of the same cloud that would do, separated by commas.
        inside: String,
    },
    /// Not of the form `cloud/name`.
    #[error("`{0}` is not of the form CLOUD/NAME, such as aws/us-east-1")]
    Malformed(String),
}

impl Region {
    /// The region of that name.
    ///
    /// # Errors
    /// [`RegionError::Refused`] for real regions outside every residency, [`RegionError::UnknownRegion`] for the rest.
    pub fn find(cloud: Cloud, name: &str) -> Result<Self, RegionError> {
        if let Some(region) = catalogue::regions().find(|region| region.cloud() == cloud && region.name() == name) {
            return Ok(region);
        }
        if let Some(refused) = catalogue::refused_regions().iter().find(|row| row.cloud == cloud && row.name == name) {
            return Err(RegionError::Refused { cloud, name: name.to_owned(), reason: refused.reason });
        }
        let known = join(catalogue::regions().filter(|region| region.cloud() == cloud).map(Self::name));
        Err(RegionError::UnknownRegion { cloud, name: name.to_owned(), known })
    }

    /// The cloud.
    #[must_use]
    pub fn cloud(self) -> Cloud {
        self.0.cloud
    }

    /// The provider's name, such as `eu-central-1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The residency in which it lies.
    #[must_use]
    pub fn residency(self) -> Residency {
        self.0.residency
    }

    /// The country, as ISO 3166-1 alpha-2.
    #[must_use]
    pub fn country(self) -> &'static str {
        self.0.country
    }

    /// The place, for people.
    #[must_use]
    pub fn place(self) -> &'static str {
        self.0.place
    }

    /// Its zones, in the provider's order.
    pub fn zones(self) -> impl Iterator<Item = Zone> + Clone {
        self.0.zones.iter().map(move |name| Zone { region: self, name })
    }

    /// The zone of that name.
    ///
    /// # Errors
    /// [`RegionError::UnknownZone`], which lists those that exist.
    pub fn zone(self, name: &str) -> Result<Zone, RegionError> {
        self.zones().find(|zone| zone.name == name).ok_or_else(|| RegionError::UnknownZone {
            region: self.to_string(),
            name: name.to_owned(),
            known: join(self.zones().map(Zone::name)),
        })
    }

    /// Itself, if it lies inside that residency.
    ///
    /// # Errors
    /// [`RegionError::Outside`], which lists the regions that would do.
    pub fn inside(self, residency: Residency) -> Result<Self, RegionError> {
        if self.residency() == residency {
            return Ok(self);
        }
        let inside = catalogue::regions().filter(|r| r.cloud() == self.cloud() && r.residency() == residency);
        Err(RegionError::Outside {
            region: self.to_string(),
            actual: self.residency(),
            wanted: residency,
            inside: join(inside.map(Self::name)),
        })
    }
}

fn join(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

impl Zone {
    /// The region.
    #[must_use]
    pub fn region(self) -> Region {
        self.region
    }

    /// The cloud.
    #[must_use]
    pub fn cloud(self) -> Cloud {
        self.region.cloud()
    }

    /// The provider's name, such as `eu-central-1a`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }
}

/// A zone that is proven to lie inside the residency `J`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site<J: Jurisdiction>(Zone, PhantomData<J>);

impl<J: Jurisdiction> Site<J> {
    /// The proof, made by looking at the catalogue.
    ///
    /// # Errors
    /// [`RegionError::Outside`] where there is none.
    pub fn prove(zone: Zone) -> Result<Self, RegionError> {
        zone.region.inside(J::RESIDENCY).map(|_| Self(zone, PhantomData))
    }

    /// The zone.
    #[must_use]
    pub fn zone(self) -> Zone {
        self.0
    }
}

/// A project's residency as a type: what it places stays inside `J`.
///
/// ```compile_fail,E0308
/// use regions::{Cloud, Eu, Home, Region, Site, Us};
/// let virginia = Region::find(Cloud::Aws, "us-east-1").unwrap().zones().next().unwrap();
/// let site = Site::<Us>::prove(virginia).unwrap();
/// Home::<Eu>::new().place(site); // expected `Site<Eu>`, found `Site<Us>`
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Home<J: Jurisdiction>(PhantomData<J>);

impl<J: Jurisdiction> Home<J> {
    /// The home of a project of that residency.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    /// A placement inside it.
    #[must_use]
    pub fn place(self, site: Site<J>) -> Placement {
        Placement { residency: J::RESIDENCY, zone: site.zone() }
    }
}

/// A zone together with the residency that allows it. Whoever holds one need not check again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Placement {
    residency: Residency,
    zone: Zone,
}

/// What a placement looks like before it has been checked.
#[derive(Deserialize)]
struct Unchecked {
    residency: Residency,
    zone: Zone,
}

impl Placement {
    /// The check for values that come from outside, a database row for one.
    ///
    /// # Errors
    /// [`RegionError::Outside`] if the zone lies in another residency.
    pub fn check(residency: Residency, zone: Zone) -> Result<Self, RegionError> {
        match residency {
            Residency::Us => Site::<Us>::prove(zone).map(|site| Home::new().place(site)),
            Residency::Eu => Site::<Eu>::prove(zone).map(|site| Home::new().place(site)),
        }
    }

    /// The residency.
    #[must_use]
    pub fn residency(self) -> Residency {
        self.residency
    }

    /// The zone.
    #[must_use]
    pub fn zone(self) -> Zone {
        self.zone
    }

    /// The region.
    #[must_use]
    pub fn region(self) -> Region {
        self.zone.region
    }
}

impl TryFrom<Unchecked> for Placement {
    type Error = RegionError;

    fn try_from(raw: Unchecked) -> Result<Self, Self::Error> {
        Self::check(raw.residency, raw.zone)
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.zone.fmt(f)
    }
}

impl PartialEq for Region {
    fn eq(&self, other: &Self) -> bool {
        (self.cloud(), self.name()) == (other.cloud(), other.name())
    }
}

impl Eq for Region {}

impl PartialOrd for Region {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Region {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.cloud(), self.name()).cmp(&(other.cloud(), other.name()))
    }
}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Zone {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.region, self.name).cmp(&(other.region, other.name))
    }
}

impl hash::Hash for Region {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        (self.cloud(), self.name()).hash(state);
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.cloud(), self.name()))
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.cloud(), self.name))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.to_string()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.to_string()
    }
}

fn split(text: &str) -> Result<(Cloud, &str), RegionError> {
    let malformed = || RegionError::Malformed(text.to_owned());
    let (cloud, name) = text.split_once('/').ok_or_else(malformed)?;
    Ok((cloud.parse().map_err(|_| malformed())?, name))
}

impl TryFrom<String> for Region {
    type Error = RegionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (cloud, name) = split(&text)?;
        Self::find(cloud, name)
    }
}

// Written out because the derived one would borrow the name from its input.
impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.try_into().map_err(de::Error::custom)
    }
}

impl TryFrom<String> for Zone {
    type Error = RegionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (cloud, name) = split(&text)?;
        // AWS: the region and a letter. Google Cloud: the region, a hyphen and a letter.
        let region = match cloud {
            Cloud::Aws => name.strip_suffix(|letter: char| letter.is_ascii_lowercase()),
            Cloud::Gcp => name.rsplit_once('-').map(|(region, _)| region),
        };
        Region::find(cloud, region.unwrap_or(name))?.zone(name)
    }
}
