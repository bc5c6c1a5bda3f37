//! Listings that lie and clocks that are wrong: nothing of ours or theirs is taken away, made or switched.

use anyhow::{Context, Result};
use providers::{CacheSource, Kind, RemoteId};
use provisioner::{
    core::{Request, Verdict},
    reconcile::{Decision, Mode},
};
use regions::{Arch, Residency};
use tests::{
    house::{House, enqueued, on_paused_time, verdicts},
    liar::Lie,
};

use crate::plant::{builders, house, key, machine, placement, removals, virginia, volume};

/// What a run must not change: what is alive in the cloud, and what the records say.
async fn everything(house: &House) -> Result<(Vec<RemoteId>, Vec<(String, String)>)> {
    let mut alive = Vec::new();
    for region in [virginia()] {
        alive.extend(house.listing(region).await?.into_iter().map(|thing| thing.found.remote));
    }
    let rows = house.rows().await?.into_iter();
    let rows = rows.map(|row| (row.id.to_string(), format!("{:?} {:?}", row.state, row.remote)));
    Ok((alive, rows.collect()))
}

/// So many builders in Virginia that its listing has several pages.
async fn many(config: fn(&mut providers::fake::FakeConfig)) -> Result<House> {
    let mut house = house(3).await?;
    house.cloud.tune(config);
    builders(&mut house, &["aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh", "ii"]).await?;
    Ok(house)
}

/// Rounds in which the listing of Virginia lies: nothing happens, and the region is reported.
async fn lied_to(house: &mut House, lie: Lie) -> Result<()> {
    let before = everything(house).await?;
    house.tell(virginia(), Some(lie.clone()));
    for _ in 0..4 {
        let report = house.round().await?;
        let told = report.regions.iter().find(|seen| seen.region == virginia()).context("Virginia")?;
        assert!(told.failed.is_some(), "{lie:?} is believed: {:?}", verdicts(&report));
        assert_eq!(enqueued(&report), [], "{lie:?}");
        let others = report.regions.iter().filter(|seen| seen.region != virginia());
        assert!(
            others.map(|seen| (&seen.failed, seen.records > 0)).all(|seen| seen == (&None, true)),
            "the others go on"
        );
    }
    assert_eq!(everything(house).await?, before, "{lie:?}");
    house.tell(virginia(), None);
    let report = house.round().await?;
    assert_eq!(verdicts(&report), [], "after {lie:?}");
    Ok(())
}

#[test]
fn a_listing_that_is_cut_empty_or_refused_changes_nothing() -> Result<()> {
    on_paused_time(async {
        let mut house = many(|config| config.page_size = 4).await?;
        let one = house.remote("acme/aa", Arch::Arm64, Kind::Volume).await?;
        for lie in [
            Lie::Cut,
            Lie::CutOf(Kind::Machine),
            Lie::CutOf(Kind::Volume),
            Lie::Empty,
            Lie::Without(Kind::Machine),
            Lie::Without(Kind::Volume),
            Lie::Without(Kind::Key),
            Lie::Lacks(vec![one]),
            Lie::Refused,
        ] {
            lied_to(&mut house, lie).await?;
        }
        Ok(())
    })
}

#[test]
fn an_empty_listing_is_never_believed_however_small_the_house() -> Result<()> {
    on_paused_time(async {
        let mut house = house(1).await?;
        let before = everything(&house).await?;
        house.tell(virginia(), Some(Lie::Empty));
        for _ in 0..4 {
            let report = house.round().await?;
            assert!(report.regions.iter().any(|seen| seen.region == virginia() && seen.failed.is_some()));
            assert_eq!(enqueued(&report), []);
        }
        assert_eq!(everything(&house).await?, before);
        Ok(())
    })
}

#[test]
fn what_is_listed_twice_is_there_once() -> Result<()> {
    on_paused_time(async {
        let mut house = many(|_| ()).await?;
        house.tell(virginia(), Some(Lie::Twice));
        for _ in 0..3 {
            assert_eq!(verdicts(&house.round().await?), []);
        }
        Ok(())
    })
}

/// A picture that is minutes old lacks what was made since, and shows what has gone.
#[test]
fn an_old_listing_changes_nothing() -> Result<()> {
    on_paused_time(async {
        let mut house = many(|_| ()).await?;
        let old = house.listing(virginia()).await?;
        // Since then one has gone, one was made anew, and one is new.
        let (gone, again) = (house.project("acme/aa"), house.project("acme/bb"));
        for request in [
            Request::Destroy { project: gone, arch: Arch::Arm64 },
            Request::DestroyCache { project: gone, arch: Arch::Arm64 },
            Request::Destroy { project: again, arch: Arch::Arm64 },
        ] {
            house.ask(request).await?;
        }
        house.work().await?;
        house.ask(Request::Provision { project: again, arch: Arch::Arm64 }).await?;
        builders(&mut house, &["new"]).await?;
        let before = everything(&house).await?;
        house.tell(virginia(), Some(Lie::Old(old)));
        for _ in 0..4 {
            let report = house.round().await?;
            assert_eq!(enqueued(&report), [], "{:?}", verdicts(&report));
        }
        assert_eq!(everything(&house).await?, before);
        house.tell(virginia(), None);
        assert_eq!(verdicts(&house.round().await?), []);
        Ok(())
    })
}

/// A listing that is always a few minutes old shows what has gone for so long: less than the brakes' minimum age.
#[test]
fn a_listing_that_lags_changes_nothing_that_is_there() -> Result<()> {
    on_paused_time(async {
        let mut house = many(|config| config.list_stale_ms = 300_000).await?;
        for round in 0..6 {
            let name = format!("late-{round}");
            let project = house.found(&format!("acme/{name}"), virginia()).await?;
            house.ask(Request::Provision { project, arch: Arch::Arm64 }).await?;
            let old = house.project(["acme/aa", "acme/bb", "acme/cc", "acme/dd", "acme/ee", "acme/ff"][round]);
            house.ask(Request::Destroy { project: old, arch: Arch::Arm64 }).await?;
            house.work().await?;
            house.pass(100).await;
            let report = house.reconcile(&Mode::Repair).await?;
            assert_eq!(removals(&report), 0, "{:?}", verdicts(&report));
            let made = enqueued(&report);
            assert_eq!(made, [], "{:?}", verdicts(&report));
        }
        house.pass(700).await;
        assert_eq!(verdicts(&house.round().await?), []);
        Ok(())
    })
}

/// What another deployment has made looks like ours, but for the tag that says whose it is.
#[test]
fn another_deployments_look_alikes_are_not_seen() -> Result<()> {
    on_paused_time(async {
        let mut house = many(|_| ()).await?;
        let (key, at) = (key(&house).await?, placement(virginia(), Residency::Us));
        let theirs = house.cloud.plant_volume(&volume("acme/aa", "theirs", &key, at));
        let mut twin = machine("acme/bb", "their-machine", &key, at);
        twin.id = house.row("acme/bb", Arch::Arm64, Kind::Machine).await?.id;
        twin.cache = CacheSource::Existing { id: twin.id, remote: RemoteId::from("none") };
        let twin = house.cloud.plant_machine(&twin);
        for thing in [&theirs, &twin] {
            house.cloud.strip_tags(thing);
        }
        house.pass(3_600).await;
        for _ in 0..4 {
            assert_eq!(verdicts(&house.round().await?), []);
        }
        let snapshot = house.cloud.snapshot();
        assert!(snapshot.volumes.iter().any(|volume| volume.remote == theirs), "theirs is gone");
        assert!(snapshot.machines.iter().any(|machine| machine.remote == twin), "theirs is gone");
        Ok(())
    })
}

/// Young strays, fresh builders and an idle rule, and reconcile's clock an hour fast, slow, or jumping: what has to be old to be
/// touched is not touched before it is, by whichever clock is slower.
#[test]
fn a_clock_that_is_off_by_an_hour_takes_nothing_away() -> Result<()> {
    const HOUR_MS: i64 = 3_600_000;
    on_paused_time(async {
        for skews in [[HOUR_MS; 4], [-HOUR_MS; 4], [0, HOUR_MS, 0, HOUR_MS], [HOUR_MS, -HOUR_MS, HOUR_MS, -HOUR_MS]] {
            let mut house = house(3).await?;
            let (key, at) = (key(&house).await?, placement(virginia(), Residency::Us));
            let project = house.found("acme/young", virginia()).await?;
            house.ask(Request::Provision { project, arch: Arch::Arm64 }).await?;
            house.work().await?;
            let stray = house.cloud.plant_volume(&volume("acme/young", "stray", &key, at));
            let before = everything(&house).await?;
            for skew in skews {
                house.set_watch(skew);
                let report = house.reconcile(&Mode::Repair).await?;
                assert_eq!(removals(&report), 0, "{skews:?}: {:?}", verdicts(&report));
                assert!(
                    verdicts(&report).iter().all(|(verdict, _)| *verdict == Verdict::Orphan),
                    "{:?}",
                    verdicts(&report)
                );
                house.work().await?;
                house.pass(30).await;
            }
            let after = everything(&house).await?;
            assert_eq!((&after.1, after.0.len()), (&before.1, before.0.len() + 1), "{skews:?}");
            // An hour is not two weeks: the stray is at most marked.
            let listed = house.listing(virginia()).await?;
            let stray = listed.iter().find(|thing| thing.found.remote == stray).context("the stray is gone")?;
            let marked = stray.found.quarantined_until_ms;
            assert!(marked.is_none_or(|until| until > house.now_ms() + 12 * 86_400_000), "{marked:?}");
        }
        Ok(())
    })
}

/// A fast clock must not end what is in use.
#[test]
fn a_fast_clock_ends_no_builder_that_is_used() -> Result<()> {
    on_paused_time(async {
        let mut house = house(3).await?;
        let project = house.project("acme/healthy-0");
        let rules =
            provisioner::store::Rules { idle_destroy_secs: Some(1_800), ..provisioner::store::Rules::default() };
        house.store.set_rules(project, rules).await?;
        house.store.touch(project, Arch::X86_64, house.now_ms()).await?;
        house.stand_by().await?;
        house.set_watch(3_600_000);
        let report = house.reconcile(&Mode::Repair).await?;
        assert_eq!(removals(&report), 0, "{:?}", verdicts(&report));
        let clock = |outcome: &Decision| {
            matches!(outcome, Decision::Braked { brake: provisioner::reconcile::Brake::Clock, .. })
        };
        assert!(report.items.iter().any(|item| clock(&item.outcome)), "{:?}", report.items);
        // By the right clock it goes when its time has come.
        house.set_watch(0);
        assert_eq!(enqueued(&house.reconcile(&Mode::Repair).await?), []);
        Ok(())
    })
}
