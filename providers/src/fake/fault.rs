//! What can go wrong on the way to the cloud and back: scripted, decided by a closure, or by chance from the seed.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::call::{CallInfo, Moment, Operation, Verb};
use super::dice::{Dice, Purpose};
use crate::{ErrorClass, Kind, ResourceId};

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The effect happens; the caller gets [`ErrorClass::Ambiguous`].
    ReplyLost,
    /// Nothing happens; the caller gets [`ErrorClass::Ambiguous`].
    RequestLost,
    /// Nothing happens; the caller gets an error of that class.
    Error(ErrorClass),
    /// The effect happens, and the caller gets an error of that class all the same. For a class of which
    /// [`ErrorClass::may_have_happened`] says no this would be a lie: it acts as [`Fault::Error`].
    ErrorAfter(ErrorClass),
    /// The request reaches the cloud that many milliseconds later.
    Delay(u64),
    /// Nothing happens, and the call never returns: the worker was killed before the request was sent.
    HangBefore,
    /// The effect happens, and the call never returns: the worker was killed before the answer came.
    HangAfter,
}

/// Which requests a scripted fault meets. What is none matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// The request's number.
    pub n: Option<u64>,
    /// The provider call that it belongs to.
    pub verb: Option<Verb>,
    /// What it is about.
    pub kind: Option<Kind>,
    /// Which request.
    pub operation: Option<Operation>,
    /// The resource that it concerns.
    pub resource: Option<ResourceId>,
    /// How many matching requests pass unharmed before the first that is met.
    pub skip: u64,
    /// How many are met after those; none is all.
    pub times: Option<u64>,
}

impl When {
    /// That one request.
    #[must_use]
    pub fn number(n: u64) -> Self {
        Self { n: Some(n), ..Self::default() }
    }

    /// The next such request only.
    #[must_use]
    pub fn next(operation: Operation) -> Self {
        Self { operation: Some(operation), times: Some(1), ..Self::default() }
    }

    fn matches(&self, call: &CallInfo) -> bool {
        self.n.is_none_or(|n| n == call.n)
            && self.verb.is_none_or(|verb| verb == call.verb)
            && self.kind.is_none_or(|kind| kind == call.kind)
            && self.operation.is_none_or(|operation| operation == call.operation)
            && self.resource.is_none_or(|id| call.resources.contains(&id))
    }
}

/// Faults by chance, each in so many of a thousand requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultRates {
    /// [`Fault::ReplyLost`].
    pub reply_lost: u32,
    /// [`Fault::RequestLost`].
    pub request_lost: u32,
    /// [`Fault::Error`] with [`ErrorClass::Throttled`].
    pub throttled: u32,
    /// [`Fault::Error`] with [`ErrorClass::Unavailable`].
    pub unavailable: u32,
    /// [`Fault::ErrorAfter`] with [`ErrorClass::Unavailable`].
    pub unavailable_after: u32,
    /// [`Fault::Error`] with [`ErrorClass::NoCapacity`], for requests that need capacity only.
    pub no_capacity: u32,
    /// [`Fault::Delay`].
    pub delay: u32,
    /// The longest such delay.
    pub delay_ms: u64,
}

impl FaultRates {
    pub(super) const fn longest_delay_ms(&self) -> u64 {
        if self.delay == 0 { 0 } else { self.delay_ms }
    }

    fn decide(&self, dice: Dice, call: &CallInfo) -> Option<Fault> {
        let needs_capacity = matches!(call.operation, Operation::RunMachine | Operation::StartMachine);
        let delay_ms = 1 + dice.below(Purpose::FaultDelay, call.n, self.delay_ms);
        let table = [
            (self.reply_lost, Fault::ReplyLost),
            (self.request_lost, Fault::RequestLost),
            (self.throttled, Fault::Error(ErrorClass::Throttled)),
            (self.unavailable, Fault::Error(ErrorClass::Unavailable)),
            (self.unavailable_after, Fault::ErrorAfter(ErrorClass::Unavailable)),
            (if needs_capacity { self.no_capacity } else { 0 }, Fault::Error(ErrorClass::NoCapacity)),
            (self.delay, Fault::Delay(delay_ms.min(self.delay_ms))),
        ];
        let mut rest = dice.below(Purpose::Fault, call.n, 1_000);
        for (rate, fault) in table {
            match rest.checked_sub(u64::from(rate)) {
                None => return Some(fault),
                Some(less) => rest = less,
            }
        }
        None
    }
}

/// A test's own decision about a request.
pub type Decide = Arc<dyn Fn(&CallInfo) -> Option<Fault> + Send + Sync>;
/// A test's wish to be told of every request. It may panic: no lock is held.
pub type OnCall = Arc<dyn Fn(&CallInfo, Moment) + Send + Sync>;

/// All that decides about faults: first the script, then the closure, then chance.
#[derive(Clone, Default)]
pub(super) struct Faults {
    pub(super) script: Vec<(When, Fault)>,
    pub(super) decide: Option<Decide>,
    pub(super) on_call: Option<OnCall>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("script", &self.script).finish_non_exhaustive()
    }
}

impl Faults {
    /// The script's word on that request. Counters of the script go on.
    pub(super) fn scripted(&mut self, call: &CallInfo) -> Option<Fault> {
        let mut met = None;
        for (when, fault) in &mut self.script {
            if met.is_some() || when.times == Some(0) || !when.matches(call) {
                continue;
            }
            if when.skip > 0 {
                when.skip -= 1;
                continue;
            }
            when.times = when.times.map(|left| left - 1);
            met = Some(*fault);
        }
        self.script.retain(|(when, _)| when.times != Some(0));
        met
    }
}

/// What chance says of that request.
pub(super) fn by_chance(rates: &FaultRates, dice: Dice, call: &CallInfo) -> Option<Fault> {
    rates.decide(dice, call)
}

/// The code that an injected error of that class has.
pub(super) const fn code(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Throttled => "RequestLimitExceeded",
        ErrorClass::Unavailable => "ServiceUnavailable",
        ErrorClass::Ambiguous => "NoReply",
        ErrorClass::NoCapacity => "InsufficientInstanceCapacity",
        ErrorClass::Quota => "VcpuLimitExceeded",
        ErrorClass::Denied => "UnauthorizedOperation",
        ErrorClass::KeyUnusable => "InvalidKMSKey.InvalidState",
        ErrorClass::Invalid => "InvalidParameterValue",
        ErrorClass::Conflict => "IncorrectState",
        ErrorClass::Unrecognized => "NeverHeardOf",
    }
}
