//! The suite itself, tried: providers that break one promise each, and the case that must notice.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use regions::{Cloud, Region, Zone};

use super::conformance::Bench;
use crate::conformance::suite;
use crate::fake::{FakeCloud, FakeConfig, FakeProvider};
use crate::{
    Access, CacheSource, CallError, Capabilities, Closed, ErrorClass, Listing, Observed, Opened, PageToken, Power,
    Provider, Spec, Target, Token,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// Every call has a token of its own.
    NewTokens,
    /// A listing ends after its first page.
    OnePage,
    /// What is broken is shown as ready.
    AllIsWell,
    /// Nobody learns why a machine died.
    NoReasons,
    /// What is absent already can't be removed.
    AbsentIsAnError,
    /// Each target is looked at by itself.
    OneLookEach,
    /// One key for everybody.
    OneKey,
    /// A cache that is held is detached, to remove it.
    Detaches,
    /// Machines take their caches with them.
    TakesCaches,
    /// A capacity error comes after a machine was made.
    LateRefusal,
    /// What the tag would find is not looked for.
    NoSearch,
    /// A machine stands in another zone than it should.
    OtherZone,
}

struct Liar {
    lie: Lie,
    cloud: FakeCloud,
    honest: FakeProvider,
    count: AtomicU32,
}

impl Liar {
    fn is(&self, lie: Lie) -> bool {
        self.lie == lie
    }

    /// What is asked for in the place of what should be.
    fn bend(&self, target: &Target) -> Target {
        let mut target = target.clone();
        if let (true, Spec::Key(spec)) = (self.is(Lie::OneKey), &mut target.spec) {
            spec.owner.org = "everybody".to_owned();
        }
        if let (true, Spec::Machine(spec)) = (self.is(Lie::OtherZone), &mut target.spec) {
            let zones = spec.placement.region().zones().filter(|zone| *zone != spec.placement.zone());
            let residency = spec.placement.residency();
            let place = zones.filter_map(|zone| regions::Placement::check(residency, zone).ok()).next().unwrap();
            spec.placement = place;
            if let CacheSource::Born(volume) = &mut spec.cache {
                volume.placement = place;
            }
        }
        target
    }

    fn show(&self, seen: Observed) -> Observed {
        match seen {
            Observed::Broken { found, .. } if self.is(Lie::AllIsWell) => Observed::Ready(found),
            Observed::Absent { .. } if self.is(Lie::NoReasons) => Observed::ABSENT,
            honest => honest,
        }
    }
}

#[async_trait]
impl Provider for Liar {
    fn cloud(&self) -> Cloud {
        self.honest.cloud()
    }

    fn capabilities(&self) -> Capabilities {
        self.honest.capabilities()
    }

    fn zones(&self) -> Vec<Zone> {
        self.honest.zones()
    }

    fn check(&self, spec: &Spec) -> Result<(), CallError> {
        self.honest.check(spec)
    }

    async fn ensure(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        let token = if self.is(Lie::NewTokens) { Token::derive(target.spec.id(), count) } else { token.clone() };
        let answer = self.honest.ensure(&token, &self.bend(target)).await;
        if let (Err(error), Spec::Machine(spec)) = (&answer, &target.spec)
            && self.is(Lie::LateRefusal)
            && error.class() == ErrorClass::NoCapacity
        {
            self.cloud.plant_machine(spec);
        }
        answer.map(|seen| self.show(seen))
    }

    async fn power(&self, token: &Token, target: &Target, power: Power) -> Result<Observed, CallError> {
        self.honest.power(token, target, power).await
    }

    async fn observe(&self, region: Region, targets: &[Target]) -> Result<Vec<Observed>, CallError> {
        let mut seen = Vec::new();
        if self.is(Lie::OneLookEach) {
            for target in targets {
                seen.extend(self.honest.observe(region, std::slice::from_ref(target)).await?);
            }
        } else {
            let targets: Vec<Target> = targets.iter().map(|target| self.bend(target)).collect();
            seen = self.honest.observe(region, &targets).await?;
        }
        for (target, seen) in targets.iter().zip(&mut seen) {
            if self.is(Lie::NoSearch) && target.remote.is_none() && matches!(target.spec, Spec::Machine(_)) {
                *seen = Observed::ABSENT;
            }
        }
        Ok(seen.into_iter().map(|seen| self.show(seen)).collect())
    }

    async fn tag(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        self.honest.tag(token, target).await
    }

    async fn open_access(&self, access: &Access) -> Result<Opened, CallError> {
        self.honest.open_access(access).await
    }

    async fn close_access(&self, access: &Access) -> Result<Closed, CallError> {
        self.honest.close_access(access).await
    }

    async fn remove(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        if self.is(Lie::Detaches) && matches!(target.spec, Spec::Volume(_)) {
            target.remote.iter().for_each(|remote| self.cloud.detach(remote));
        }
        if self.is(Lie::TakesCaches) && matches!(target.spec, Spec::Machine(_)) {
            let machines = self.cloud.snapshot().machines;
            let ours = machines.into_iter().find(|machine| Some(&machine.remote) == target.remote.as_ref());
            ours.and_then(|machine| machine.cache).iter().for_each(|cache| self.cloud.destroy_volume(cache));
        }
        match self.honest.remove(token, &self.bend(target)).await? {
            Observed::Absent { .. } if self.is(Lie::AbsentIsAnError) => {
                Err(CallError::new("remove", ErrorClass::Invalid, "NotFound", "not found"))
            }
            seen => Ok(seen),
        }
    }

    async fn list(&self, region: Region, page: Option<PageToken>) -> Result<Listing, CallError> {
        let listing = self.honest.list(region, page).await?;
        let next = listing.next.filter(|_| !self.is(Lie::OnePage));
        Ok(Listing { next, ..listing })
    }
}

#[tokio::test(start_paused = true)]
async fn every_lie_is_noticed() {
    let table = [
        (Lie::NewTokens, "machines::are_one_for_one_token"),
        (Lie::OnePage, "listings::show_everything_to_the_last_page"),
        (Lie::AllIsWell, "keys::that_is_disabled_is_diagnosed"),
        (Lie::AllIsWell, "volumes::under_another_key_than_expected_are_broken"),
        (Lie::NoReasons, "trouble::with_a_key_is_told_of_the_machine_that_died_of_it"),
        (Lie::AbsentIsAnError, "machines::are_removed_twice_with_success"),
        (Lie::AbsentIsAnError, "machines::that_never_were_are_removed_with_success"),
        (Lie::OneLookEach, "listings::are_spared_by_one_look_at_many"),
        (Lie::OneKey, "keys::is_never_shared_by_two_organizations"),
        (Lie::Detaches, "volumes::are_not_removed_while_attached"),
        (Lie::TakesCaches, "volumes::outlive_their_machine"),
        (Lie::LateRefusal, "trouble::with_capacity_comes_before_any_effect"),
        (Lie::NoSearch, "machines::are_found_by_tag_after_a_lost_answer"),
        (Lie::OtherZone, "volumes::are_born_encrypted_with_the_right_key"),
    ];
    for (lie, case) in table {
        let bench = Bench::new(Cloud::Aws, FakeConfig { page_size: 2, ..FakeConfig::default() }, |cloud, honest| {
            Box::new(Liar { lie, cloud, honest, count: AtomicU32::new(0) })
        });
        let results = suite(&bench).await;
        let result = results.iter().find(|result| result.name == case).unwrap();
        assert!(result.is_failure(), "{lie:?} was not noticed by {case}");
    }
}
