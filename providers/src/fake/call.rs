//! The words for the requests that a cloud is asked, and the record that is kept of each.

use std::collections::{BTreeMap, VecDeque};

use regions::{Cloud, Region};
use serde::Serialize;

use crate::{ErrorClass, Kind, ResourceId};

/// The provider call that a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// [`crate::Provider::ensure`].
    Ensure,
    /// [`crate::Provider::power`], to on.
    Start,
    /// [`crate::Provider::power`], to off.
    Stop,
    /// [`crate::Provider::observe`].
    Observe,
    /// [`crate::Provider::remove`].
    Remove,
    /// [`crate::Provider::tag`].
    Tag,
    /// [`crate::Provider::list`].
    List,
    /// [`crate::Provider::open_access`].
    Open,
    /// [`crate::Provider::close_access`].
    Close,
}

/// One request to the cloud. A provider call makes one or a few.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Looks at one key, by alias or name.
    DescribeKey,
    /// Searches or lists keys by tag.
    ListKeys,
    /// Makes a key.
    CreateKey,
    /// Turns a key's rotation on.
    RotateKey,
    /// Gives a key its alias.
    AliasKey,
    /// Schedules a key's deletion.
    ScheduleKeyDeletion,
    /// Takes an alias away.
    DeleteAlias,
    /// Makes a machine.
    RunMachine,
    /// Starts one.
    StartMachine,
    /// Stops one.
    StopMachine,
    /// Ends one.
    TerminateMachine,
    /// Looks at machines.
    DescribeMachines,
    /// Looks at volumes.
    DescribeVolumes,
    /// Attaches a volume.
    AttachVolume,
    /// Detaches one.
    DetachVolume,
    /// Deletes one.
    DeleteVolume,
    /// Writes tags.
    WriteTags,
    /// Lets somebody onto a machine.
    OpenWay,
    /// Takes that back, and ends what sessions there are.
    CloseWay,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::DescribeKey,
        Self::ListKeys,
        Self::CreateKey,
        Self::RotateKey,
        Self::AliasKey,
        Self::ScheduleKeyDeletion,
        Self::DeleteAlias,
        Self::RunMachine,
        Self::StartMachine,
        Self::StopMachine,
        Self::TerminateMachine,
        Self::DescribeMachines,
        Self::DescribeVolumes,
        Self::AttachVolume,
        Self::DetachVolume,
        Self::DeleteVolume,
        Self::WriteTags,
        Self::OpenWay,
        Self::CloseWay,
    ];

    /// The real cloud's name for what comes nearest.
    #[must_use]
    pub const fn name(self, cloud: Cloud) -> &'static str {
        let (aws, gcp) = match self {
            Self::DescribeKey => ("kms:DescribeKey", "cloudkms.cryptoKeys.get"),
            Self::ListKeys => ("kms:ListKeys", "cloudkms.cryptoKeys.list"),
            Self::CreateKey => ("kms:CreateKey", "cloudkms.cryptoKeys.create"),
            Self::RotateKey => ("kms:EnableKeyRotation", "cloudkms.cryptoKeys.patch"),
            Self::AliasKey => ("kms:CreateAlias", "cloudkms.cryptoKeys.setIamPolicy"),
            Self::ScheduleKeyDeletion => ("kms:ScheduleKeyDeletion", "cloudkms.cryptoKeyVersions.destroy"),
            Self::DeleteAlias => ("kms:DeleteAlias", "cloudkms.cryptoKeys.removeIamPolicy"),
            Self::RunMachine => ("ec2:RunInstances", "compute.instances.insert"),
            Self::StartMachine => ("ec2:StartInstances", "compute.instances.start"),
            Self::StopMachine => ("ec2:StopInstances", "compute.instances.stop"),
            Self::TerminateMachine => ("ec2:TerminateInstances", "compute.instances.delete"),
            Self::DescribeMachines => ("ec2:DescribeInstances", "compute.instances.list"),
            Self::DescribeVolumes => ("ec2:DescribeVolumes", "compute.disks.list"),
            Self::AttachVolume => ("ec2:AttachVolume", "compute.instances.attachDisk"),
            Self::DetachVolume => ("ec2:DetachVolume", "compute.instances.detachDisk"),
            Self::DeleteVolume => ("ec2:DeleteVolume", "compute.disks.delete"),
            Self::WriteTags => ("ec2:CreateTags", "compute.instances.setLabels"),
            Self::OpenWay => ("ec2:CreateTags", "compute.instances.setIamPolicy"),
            Self::CloseWay => ("ec2:DeleteTags", "compute.instances.setIamPolicy"),
        };
        match cloud {
            Cloud::Aws => aws,
            Cloud::Gcp => gcp,
        }
    }

    /// Whether it may change anything.
    #[must_use]
    pub const fn is_mutating(self) -> bool {
        !matches!(self, Self::DescribeKey | Self::ListKeys | Self::DescribeMachines | Self::DescribeVolumes)
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// No answer so far. It stays so where the caller was killed meanwhile.
    Open,
    /// Answered.
    Done,
    /// Refused, or its answer was lost.
    Failed(ErrorClass),
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallInfo {
    /// Its number, from 0, over all clouds of one [`super::FakeCloud`].
    pub n: u64,
    /// When it was sent.
    pub at_ms: i64,
    /// The provider call that it belongs to.
    pub verb: Verb,
    /// What it is about.
    pub kind: Kind,
    /// Which request.
    pub operation: Operation,
    /// The real cloud's name for it.
    pub name: &'static str,
    /// The region.
    pub region: Region,
    /// The resources that it concerns: one for a change, any number for a look, none for a listing.
    pub resources: Vec<ResourceId>,
    /// How it ended, as far as it has.
    pub outcome: CallOutcome,
}

/// Before or after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It has not reached the cloud.
    Before,
    /// It has had its effect, if any; the caller has no answer yet.
    After,
}

/// Numbers of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Those that may change something.
    pub mutating: u64,
    /// Those that look.
    pub describe: u64,
}

impl Tally {
    fn add(&mut self, operation: Operation) {
        if operation.is_mutating() {
            self.mutating += 1;
        } else {
            self.describe += 1;
        }
    }
}

/// What was asked so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    pub(super) total: Tally,
    pub(super) by_name: BTreeMap<&'static str, u64>,
    pub(super) by_resource: BTreeMap<ResourceId, Tally>,
    pub(super) by_verb: BTreeMap<(Verb, Kind), u64>,
    pub(super) log: VecDeque<CallInfo>,
    /// How many requests never return because a fault holds them.
    pub(super) hung: u64,
    next: u64,
}

impl Journal {
    /// The number of the next request.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn enter(&mut self, call: &CallInfo, most: usize) {
        self.next = call.n + 1;
        self.total.add(call.operation);
        *self.by_name.entry(call.name).or_default() += 1;
        *self.by_verb.entry((call.verb, call.kind)).or_default() += 1;
        for id in &call.resources {
            self.by_resource.entry(*id).or_default().add(call.operation);
        }
        self.log.push_back(call.clone());
        while self.log.len() > most {
            self.log.pop_front();
        }
    }

    /// Notes how a request ended.
    pub(super) fn close(&mut self, n: u64, outcome: CallOutcome) {
        let first = self.log.front().map_or(0, |call| call.n);
        let place = n.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        if let Some(call) = place.and_then(|place| self.log.get_mut(place)) {
            call.outcome = outcome;
        }
    }

    /// Starts to count anew. The numbers of requests go on.
    pub(super) fn clear(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }
}
