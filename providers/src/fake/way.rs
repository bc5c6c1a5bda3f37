//! Ways onto a machine, and who came in by them.
//!
//! In the way of AWS a machine has one at a time (a tag holds one value), it stays open until it is closed, and closing ends the
//! sessions. In the way of Google Cloud there may be several, each ends by itself at its time, and who is in stays in until they
//! leave: a connection that stands is not cut by a changed policy.

use std::collections::BTreeSet;

use regions::Cloud;

use super::FakeCloud;
use super::call::Operation;
use super::request::{About, Asker};
use super::state::{Machine, MachineLife, State};
use super::trouble;
use crate::{Access, CallError, Closed, ErrorClass, Kind, NO_MACHINE, OTHER_WAY, Opened, Principal, RemoteId, Trouble};

/// Who may come in, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) principal: Principal,
    until_ms: i64,
}

impl Machine {
    const fn can_be_entered(&self) -> bool {
        matches!(self.life, MachineLife::Starting | MachineLife::Running)
    }
}

impl State {
    fn open_way(&mut self, access: &Access) -> Result<Opened, Trouble> {
        let now_ms = self.now_ms;
        let machine = self.machines.get_mut(&access.remote);
        let meant = machine.filter(|machine| {
            machine.tags.names(access.machine) && machine.visible_ms <= now_ms && machine.can_be_entered()
        });
        let Some(machine) = meant else {
            let message = format!("{} is not there, does not run, or is another machine", access.remote);
            return Err(trouble(ErrorClass::Conflict, NO_MACHINE, message));
        };
        let alone = access.placement.region().cloud() == Cloud::Aws;
        if let Some(other) = machine.ways.keys().find(|grant| alone && **grant != access.grant) {
            return Err(trouble(
                ErrorClass::Conflict,
                OTHER_WAY,
                format!("grant {other} is open on {}", access.remote),
            ));
        }
        let way = Way { principal: access.principal.clone(), until_ms: access.until_ms };
        machine.ways.insert(access.grant, way);
        Ok(Opened { command: format!("fake-cloud enter {} as {}", access.remote, access.principal) })
    }

    fn close_way(&mut self, access: &Access) -> Closed {
        let Some(machine) = self.machines.get_mut(&access.remote).filter(|machine| machine.is_live()) else {
            return Closed::Gone;
        };
        let found = machine.ways.remove(&access.grant).is_some();
        let in_the_way_of_aws = access.placement.region().cloud() == Cloud::Aws;
        let ended = in_the_way_of_aws && machine.ways.is_empty() && !machine.inside.is_empty();
        if ended {
            machine.inside.clear();
        }
        if found || ended { Closed::Leaving } else { Closed::Gone }
    }
}

impl Asker {
    /// Lets the principal in.
    pub(super) async fn open_way(&self, access: &Access) -> Result<Opened, CallError> {
        let open = |state: &mut State| state.open_way(access).map_err(|why| self.refusal(Operation::OpenWay, why));
        self.request(Operation::OpenWay, About::one(Kind::Machine, access.machine), open).await
    }

    /// Takes that back.
    pub(super) async fn close_way(&self, access: &Access) -> Result<Closed, CallError> {
        let close = |state: &mut State| Ok(state.close_way(access));
        self.request(Operation::CloseWay, About::one(Kind::Machine, access.machine), close).await
    }
}

impl FakeCloud {
    /// The cloud's time, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.state().now_ms
    }

    /// Somebody tries to come onto a machine. Whoever gets in stays in until the cloud or the machine's end puts them out.
    #[must_use]
    pub fn enter(&self, machine: &RemoteId, who: &Principal) -> bool {
        let mut state = self.state();
        let now_ms = state.now_ms;
        let Some(machine) = state.machines.get_mut(machine).filter(|machine| machine.can_be_entered()) else {
            return false;
        };
        let holds = |way: &Way| machine.spec.placement.region().cloud() == Cloud::Aws || now_ms < way.until_ms;
        let may = machine.ways.values().any(|way| way.principal == *who && holds(way));
        if may {
            machine.inside.insert(who.clone());
        }
        may
    }

    /// Who is on a machine now.
    #[must_use]
    pub fn inside(&self, machine: &RemoteId) -> BTreeSet<Principal> {
        let state = self.state();
        let machine = state.machines.get(machine).filter(|machine| machine.can_be_entered());
        machine.map(|machine| machine.inside.clone()).unwrap_or_default()
    }

    /// Whom the cloud would let onto any machine, whether their time is over or not: what closing must have taken away.
    #[must_use]
    pub fn ways(&self) -> Vec<(RemoteId, uuid::Uuid, Principal)> {
        let state = self.state();
        let live = state.machines.iter().filter(|(_, machine)| machine.is_live());
        let ways = live.flat_map(|(remote, machine)| {
            machine.ways.iter().map(|(grant, way)| (remote.clone(), *grant, way.principal.clone()))
        });
        ways.collect()
    }
}
