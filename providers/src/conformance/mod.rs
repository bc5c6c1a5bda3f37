//! One suite that every provider passes: what [`crate::Provider`] promises, put to the test on a real or a modelled cloud.
//!
//! A backend implements [`Cloudlike`]: the provider, where things may stand, how time passes, and what mischief it can do
//! on demand. What it can't do it says in its [`Abilities`], and the cases that need it are skipped by name.
//! [`suite`] runs everything, cleans up after each case, and never stops at the first failure.

mod access;
mod cases;
mod keys;
mod listings;
mod machines;
mod power;
mod stage;
mod strays;
mod trouble;
mod volumes;

use std::fmt;

use async_trait::async_trait;
use regions::{Arch, MachineType, Placement, Region};
use uuid::Uuid;

pub use cases::suite;

use crate::{KeySpec, Principal, Provider, RemoteId};

/// What a backend can do on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// [`Cloudlike::harm_key`].
    pub harms_keys: bool,
    /// [`Cloudlike::set_room`].
    pub sets_room: bool,
    /// [`Cloudlike::lose_reply`].
    pub loses_replies: bool,
    /// [`Cloudlike::plant_key`].
    pub plants_keys: bool,
    /// [`Cloudlike::requests`].
    pub counts_requests: bool,
    /// [`Cloudlike::volume`].
    pub reads_volumes: bool,
    /// [`Cloudlike::enter`].
    pub lets_in: bool,
}

/// What is done to a key behind the provider's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is disabled.
    Disabled,
    /// Its deletion is scheduled; its alias still leads to it.
    PendingDeletion,
}

/// A creation whose answer is to be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// Of a key.
    Key,
    /// Of a machine.
    Machine,
}

/// A volume as the cloud itself shows it, read without the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFacts {
    /// The key that it is encrypted with; none if it is not encrypted.
    pub key: Option<RemoteId>,
    /// Capacity in GiB.
    pub size_gib: u32,
    /// The zone's name in the cloud's words.
    pub zone: String,
}

/// A cloud on which the suite can run.
#[async_trait]
pub trait Cloudlike: Send + Sync {
    /// The provider that is tried.
    fn provider(&self) -> &dyn Provider;

    /// What the backend can do on demand.
    fn abilities(&self) -> Abilities;

    /// Where things may stand. Wanted are two zones of one region in the United States, and one in the European Union;
    /// cases that lack theirs are skipped.
    fn placements(&self) -> Vec<Placement>;

    /// At least two machine types of that architecture, small and cheap where it costs something.
    fn machines(&self, arch: Arch) -> Vec<MachineType>;

    /// Different for each run against one and the same cloud.
    fn run(&self) -> Uuid;

    /// Lets that many milliseconds pass.
    async fn pass(&self, millis: u64);

    /// Milliseconds between two looks.
    fn pause_ms(&self) -> u64;

    /// Milliseconds after which a state that does not come is a failure.
    fn patience_ms(&self) -> u64;

    /// The cloud's time, in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Whether the cloud lets them onto that machine now, if [`Abilities::lets_in`]: that one tries.
    async fn enter(&self, placement: Placement, machine: &RemoteId, who: &Principal) -> bool;

    /// Harms a key, if [`Abilities::harms_keys`].
    async fn harm_key(&self, region: Region, key: &RemoteId, harm: Harm);

    /// Lets a zone have none of a machine type, or plenty, if [`Abilities::sets_room`].
    async fn set_room(&self, placement: Placement, machine: MachineType, plenty: bool);

    /// Has the next such creation happen and its answer be lost, if [`Abilities::loses_replies`].
    async fn lose_reply(&self, creation: Creation);

    /// Puts a key there that carries all tags of that specification and has no alias, if [`Abilities::plants_keys`].
    async fn plant_key(&self, spec: &KeySpec) -> RemoteId;

    /// How many requests the cloud has had, if [`Abilities::counts_requests`].
    async fn requests(&self) -> u64;

    /// What the cloud itself says of a volume, if [`Abilities::reads_volumes`]; none if there is no such volume.
    async fn volume(&self, region: Region, remote: &RemoteId) -> Option<VolumeFacts>;
}

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The provider keeps the promise.
    Passed,
    /// The backend can't try it.
    Skipped(String),
    /// The provider breaks the promise; or nothing could be tried because something else failed.
    Failed(String),
}

/// One case and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// The case's name: the promise in a few words.
    pub name: &'static str,
    /// How it went.
    pub verdict: Verdict,
}

impl CaseResult {
    /// Whether the promise was broken.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_))
    }
}

impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Passed => write!(f, "pass  {}", self.name),
            Verdict::Skipped(why) => write!(f, "skip  {}: {why}", self.name),
            Verdict::Failed(why) => write!(f, "FAIL  {}: {why}", self.name),
        }
    }
}
