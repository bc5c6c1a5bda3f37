//! The [`Provider`] trait, its errors and remedies, and the clouds behind it.
//!
//! A provider turns one call of ours into the calls of one cloud, reads back what it made, and says honestly what it
//! knows. It never retries, never sleeps, never chooses a region, and keeps nothing that a crash may lose.

mod access;
pub mod aws;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
pub mod fake;
pub mod gcp;
mod id;
mod observed;
mod spec;

use async_trait::async_trait;
use regions::{Cloud, Region, Zone};

pub use access::{Access, BadPrincipal, Closed, Opened, Principal};
pub use error::{
    CallError, ErrorClass, NO_MACHINE, NOT_ENCRYPTED, OTHER_WAY, Remedy, Trouble, WRONG_KEY, WRONG_TAGS, WRONG_ZONE,
};
pub use id::{RemoteId, ResourceId, Token};
pub use observed::{Found, Listed, Listing, Observed, PageToken};
pub use spec::{
    AttachmentSpec, CacheSource, KeySpec, Kind, MachineSpec, Owner, Power, Spec, StraySpec, Target, VolumeShape,
    VolumeSpec, ssd_name,
};

/// What two clouds do differently, for the planner to read. There is no other way to ask which cloud it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether creating a machine can attach a volume that already exists (Compute Engine: yes; EC2: no, it takes a
    /// second call).
    pub attaches_at_birth: bool,
    /// Seconds for which the cloud may not yet show what it has just made. Absence is believed only after them.
    pub visibility_secs: u32,
}

/// A cloud. All calls take effect at most once for a token, and doing one twice is doing it once.
///
/// Implementations make no attempt of their own to retry: one call here is one attempt, and its error says what the
/// caller may conclude. Not found is [`Observed::Absent`], never an error.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Which cloud's regions and machine types it takes.
    fn cloud(&self) -> Cloud;

    /// What this cloud can do that another can't.
    fn capabilities(&self) -> Capabilities;

    /// The zones in which the configuration lets it place machines, the preferred region's first.
    fn zones(&self) -> Vec<Zone>;

    /// Whether the configuration has all that creating this takes: a subnet for the zone, an image for the
    /// architecture, and the like. No cloud call is made. What the specification refers to may be [`RemoteId::unknown`].
    ///
    /// # Errors
    /// [`ErrorClass::Invalid`], naming the missing configuration key.
    fn check(&self, spec: &Spec) -> Result<(), CallError>;

    /// Makes it, or finds what this token already made, and verifies it against its specification.
    ///
    /// `target.remote` names a thing that is known to exist and only needs finishing (a key that has no alias yet).
    /// A [`Spec::Volume`] is never ensured by itself: it is born with its machine.
    ///
    /// The answer to the creation of a machine is [`Observed::Pending`]: only a later look can verify. A token is spent
    /// by what it made, for ever: when that has died or was removed, the same token answers [`Observed::Absent`] (with
    /// the reason, where the cloud tells) or [`ErrorClass::Conflict`], and never makes another. The same token with
    /// another request is [`ErrorClass::Conflict`]. A refusal spends no token.
    ///
    /// A key has no token: its alias is unique, and of two that race for it both get the winner. A key that can't be
    /// used is [`Observed::Broken`] with [`ErrorClass::KeyUnusable`]. After its removal, when the alias is gone, a key
    /// that is named by `target.remote` is [`Observed::Leaving`], and without that name a fresh one is made.
    ///
    /// # Errors
    /// [`CallError`], whose class says whether anything may have been made.
    async fn ensure(&self, token: &Token, target: &Target) -> Result<Observed, CallError>;

    /// Starts or stops a machine. Asking for the state that it is in already is success. The token is the attempt's own
    /// ([`Token::of_attempt`]); a cloud without tokens for this ignores it.
    ///
    /// # Errors
    /// [`CallError`].
    async fn power(&self, token: &Token, target: &Target, power: Power) -> Result<Observed, CallError>;

    /// What there is now, in the order of `targets`, all of them in `region`. The cost is a constant number of calls
    /// for a page of targets, never one for each. What is found is verified against its specification:
    /// encryption, key, zone, architecture and tags; what differs is [`Observed::Broken`].
    ///
    /// Keys are the exception where the cloud has no call for many: they may cost a call each.
    ///
    /// A target without a remote id is looked for by its tag, which finds no shadows: `died` is told to those who know
    /// the remote id. What was made less than [`Capabilities::visibility_secs`] ago may be shown as absent either way.
    ///
    /// # Errors
    /// [`CallError`]. A listing that was cut short is an error, never a shorter answer.
    async fn observe(&self, region: Region, targets: &[Target]) -> Result<Vec<Observed>, CallError>;

    /// Takes it away. What is absent already is success. A machine's cache volume stays; a key is scheduled for
    /// deletion and loses its alias; an attachment is detached. A volume that is attached is refused with
    /// [`ErrorClass::Conflict`], and nothing happens to it.
    ///
    /// Without a remote id it takes away all that the tag finds now. That is to be believed only when the time has
    /// passed in which the cloud may hide what it has just made. The token is the attempt's own, as with `power`.
    ///
    /// # Errors
    /// [`CallError`].
    async fn remove(&self, token: &Token, target: &Target) -> Result<Observed, CallError>;

    /// Writes the tags that the specification asks for: on a thing of ours those that it was made with, on a stray the
    /// mark of its quarantine. Nothing else of it changes. The answer is what a look shows afterwards; what is not there is
    /// [`Observed::Absent`]. The target must have its remote id.
    ///
    /// # Errors
    /// [`CallError`].
    async fn tag(&self, token: &Token, target: &Target) -> Result<Observed, CallError>;

    /// One page of all that carries the deployment's tag in that region: machines, volumes, snapshots and keys.
    ///
    /// # Errors
    /// [`CallError`]. What can't be listed completely is an error.
    async fn list(&self, region: Region, page: Option<PageToken>) -> Result<Listing, CallError>;

    /// Lets the principal onto the machine, and nobody else, until the end or until it is closed. Doing it twice is doing it
    /// once. Nothing else of the machine changes, and no port of it is opened.
    ///
    /// # Errors
    /// [`ErrorClass::Conflict`] with the code [`NO_MACHINE`] where the machine is not there, does not run, or does not carry our
    /// deployment's tag and that id: then nothing is opened. The same with the code [`OTHER_WAY`] where a cloud has room for one way
    /// onto a machine at a time and another grant has it. [`CallError`] otherwise.
    async fn open_access(&self, access: &Access) -> Result<Opened, CallError>;

    /// Takes away what [`Provider::open_access`] made for this grant, and ends the sessions on the machine where the cloud
    /// can. What another grant made stays. A machine that is gone has no way in: [`Closed::Gone`].
    ///
    /// # Errors
    /// [`CallError`]. Until it answers [`Closed::Gone`] somebody may still be in.
    async fn close_access(&self, access: &Access) -> Result<Closed, CallError>;
}
