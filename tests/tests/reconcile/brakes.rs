//! The brakes: age, sightings, live jobs, holds, quarantine, caps, shares, and giving up.

use anyhow::{Context, Result};
use providers::{
    ErrorClass, Kind,
    fake::{Fault, Operation, When},
};
use provisioner::{
    core::{JobState, Request, Verdict},
    reconcile::{Brake, Decision, Mode},
    store::{Hold, JobFilter},
};
use regions::{Arch, Residency};
use tests::house::{House, enqueued, on_paused_time, verdicts};

use crate::plant::{braked, builders, house, key, placement, removals, virginia, volume};

const ARM: Arch = Arch::Arm64;

/// Every stopped brake says how to go on.
fn told(report: &provisioner::reconcile::Report) {
    for item in &report.items {
        if let Decision::Braked { how, .. } = &item.outcome {
            assert!(how.len() > 10, "{item:?}");
        }
    }
}

async fn with_builders(names: &[&str]) -> Result<House> {
    let mut house = house(3).await?;
    builders(&mut house, names).await?;
    Ok(house)
}

async fn lose(house: &House, name: &str) -> Result<()> {
    let machine = house.remote(&format!("acme/{name}"), ARM, Kind::Machine).await?;
    house.cloud.terminate(&machine);
    Ok(())
}

#[test]
fn nothing_is_done_that_is_young_or_was_seen_once() -> Result<()> {
    on_paused_time(async {
        let mut house = with_builders(&["aa"]).await?;
        lose(&house, "aa").await?;
        house.pass(120).await;
        let report = house.reconcile(&Mode::Repair).await?;
        assert_eq!((enqueued(&report), braked(&report, Brake::Sightings)), (vec![], 1));
        house.pass(10).await;
        // Seen twice, and not for long enough.
        let report = house.reconcile(&Mode::Repair).await?;
        assert_eq!((enqueued(&report), braked(&report, Brake::Age)), (vec![], 1));
        told(&report);
        house.pass(600).await;
        let report = house.round().await?;
        assert_eq!(enqueued(&report), [(Verdict::Missing, "provision")]);
        assert_eq!(verdicts(&house.round().await?), []);
        Ok(())
    })
}

/// What is not seen in between has to be seen anew.
#[test]
fn sightings_count_in_a_row() -> Result<()> {
    on_paused_time(async {
        let mut house = with_builders(&["aa"]).await?;
        let machine = house.remote("acme/aa", ARM, Kind::Machine).await?;
        house.cloud.stop(&machine);
        house.pass(120).await;
        assert_eq!(enqueued(&house.reconcile(&Mode::Repair).await?), []);
        house.ask(Request::Start { project: house.project("acme/aa"), arch: ARM }).await?;
        house.work().await?;
        house.pass(700).await;
        assert_eq!(verdicts(&house.reconcile(&Mode::Repair).await?), []);
        house.cloud.stop(&machine);
        house.pass(700).await;
        let report = house.reconcile(&Mode::Repair).await?;
        assert_eq!((enqueued(&report), braked(&report, Brake::Sightings)), (vec![], 1));
        Ok(())
    })
}

#[test]
fn what_a_job_is_at_is_left_alone() -> Result<()> {
    on_paused_time(async {
        let house = with_builders(&["aa", "bb"]).await?;
        lose(&house, "aa").await?;
        house.pass(700).await;
        house.reconcile(&Mode::Repair).await?;
        house.pass(700).await;
        // It is queued, and nobody works.
        house.ask(Request::Stop { project: house.project("acme/aa"), arch: ARM }).await?;
        for _ in 0..3 {
            let report = house.reconcile(&Mode::Repair).await?;
            assert_eq!(verdicts(&report), []);
            house.pass(700).await;
        }
        Ok(())
    })
}

#[test]
fn a_held_builder_is_left_alone_by_reconcile_and_by_jobs() -> Result<()> {
    on_paused_time(async {
        let mut house = with_builders(&["aa", "bb"]).await?;
        let project = house.project("acme/aa");
        let until_ms = house.now_ms() + 3 * 3_600_000;
        let hold = Hold { until_ms, reason: "a customer looks at it".to_owned() };
        house.store.hold(project, ARM, &hold, house.now_ms()).await?;
        let machine = house.remote("acme/aa", ARM, Kind::Machine).await?;
        house.cloud.stop(&machine);
        house.pass(60).await;
        for _ in 0..4 {
            let report = house.round().await?;
            assert_eq!(enqueued(&report), []);
            assert_eq!(braked(&report, Brake::Hold), 1, "{:?}", report.items);
            assert!(report.items.iter().any(|item| {
                matches!(&item.outcome, Decision::Braked { how, .. } if how.contains("a customer looks at it"))
            }));
        }
        for request in [
            Request::Stop { project, arch: ARM },
            Request::Destroy { project, arch: ARM },
            Request::DestroyCache { project, arch: ARM },
        ] {
            house.ask(request).await?;
            house.work().await?;
        }
        let failed =
            house.store.jobs(JobFilter { state: Some(JobState::Failed), limit: 100, ..JobFilter::default() }).await?;
        assert_eq!(failed.len(), 3, "{failed:?}");
        assert!(
            house.row("acme/aa", ARM, Kind::Volume).await.is_ok()
                && house.row("acme/aa", ARM, Kind::Machine).await.is_ok()
        );
        // Let go, it is mended like any other.
        assert!(house.store.let_go(project, ARM).await?);
        let report = house.round().await?;
        assert_eq!(enqueued(&report), [(Verdict::WrongState, "start")]);
        Ok(())
    })
}

#[test]
fn a_held_builders_project_is_not_deleted_until_it_is_let_go() -> Result<()> {
    on_paused_time(async {
        let mut house = with_builders(&["aa"]).await?;
        let project = house.project("acme/aa");
        let hold = Hold { until_ms: house.now_ms() + 86_400_000, reason: "evidence".to_owned() };
        house.store.hold(project, ARM, &hold, house.now_ms()).await?;
        house.ask(Request::DeleteProject { project }).await?;
        house.work().await?;
        let stuck =
            house.store.jobs(JobFilter { state: Some(JobState::Stuck), limit: 10, ..JobFilter::default() }).await?;
        let told = stuck.first().and_then(|job| job.outcome.as_ref()?.because.as_ref()).context("a reason")?;
        assert!(told.message.contains("acme/aa arm64") && told.message.contains("evidence"), "{told:?}");
        assert_eq!(house.rows().await?.iter().filter(|row| row.project == Some(project)).count(), 2);
        house.store.let_go(project, ARM).await?;
        house.store.retry(stuck[0].id, house.now_ms()).await?;
        house.work().await?;
        assert_eq!(house.rows().await?.iter().filter(|row| row.project == Some(project)).count(), 0);
        Ok(())
    })
}

#[test]
fn a_run_makes_and_takes_no_more_than_its_caps() -> Result<()> {
    on_paused_time(async {
        let mut house = with_builders(&["aa", "bb", "cc", "dd", "ee", "ff"]).await?;
        house.settings.max_creations = 2;
        house.settings.max_percent = 100;
        house.settings.max_repairs = 10;
        for name in ["aa", "bb", "cc", "dd", "ee"] {
            lose(&house, name).await?;
        }
        house.pass(700).await;
        house.reconcile(&Mode::Repair).await?;
        house.pass(700).await;
        let report = house.reconcile(&Mode::Repair).await?;
        assert_eq!(enqueued(&report), [(Verdict::Missing, "provision"); 2]);
        assert_eq!(braked(&report, Brake::Cap), 3);
        told(&report);
        house.work().await?;
        house.pass(700).await;
        for wanted in [2, 1, 0] {
            assert_eq!(enqueued(&house.round().await?).len(), wanted);
        }
        assert_eq!(verdicts(&house.round().await?), []);
        Ok(())
    })
}

/// Half of a region's machines gone at once is a cloud's outage, or a mistake of ours: no program answers with as many new ones.
#[test]
fn a_run_replaces_a_small_part_of_a_region_only() -> Result<()> {
    on_paused_time(async {
        let mut house = with_builders(&["aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh", "ii"]).await?;
        house.settings.max_percent = 20;
        for name in ["aa", "bb", "cc", "dd", "ee"] {
            lose(&house, name).await?;
        }
        house.pass(700).await;
        house.reconcile(&Mode::Repair).await?;
        house.pass(700).await;
        let report = house.reconcile(&Mode::Repair).await?;
        assert_eq!(enqueued(&report).len(), 1, "20 percent of the five or so that are left");
        assert_eq!(braked(&report, Brake::Percent), 4);
        told(&report);
        Ok(())
    })
}

#[test]
fn strays_go_a_few_at_a_time() -> Result<()> {
    on_paused_time(async {
        let mut house = with_builders(&["aa"]).await?;
        house.settings.max_removals = 2;
        house.settings.max_percent = 100;
        let (key, at) = (key(&house).await?, placement(virginia(), Residency::Us));
        for n in 0..5 {
            house.cloud.plant_volume(&volume("acme/aa", &format!("stray-{n}"), &key, at));
        }
        house.pass(700).await;
        house.reconcile(&Mode::Repair).await?;
        house.pass(700).await;
        let report = house.round().await?;
        assert_eq!(enqueued(&report), [(Verdict::Orphan, "quarantine"); 5]);
        house.pass(13 * 86_400).await;
        for _ in 0..2 {
            let report = house.round().await?;
            assert_eq!((removals(&report), braked(&report, Brake::Quarantine)), (0, 5));
            told(&report);
        }
        house.pass(86_400).await;
        for wanted in [2, 2, 1, 0] {
            assert_eq!(removals(&house.round().await?), wanted);
        }
        assert_eq!(verdicts(&house.round().await?), []);
        assert_eq!(house.failures().await?, [] as [String; 0]);
        Ok(())
    })
}

/// Whoever takes the mark off a stray wants to keep it.
#[test]
fn a_stray_whose_mark_was_taken_off_is_kept() -> Result<()> {
    on_paused_time(async {
        let mut house = with_builders(&["aa"]).await?;
        let (key, at) = (key(&house).await?, placement(virginia(), Residency::Us));
        let stray = house.cloud.plant_volume(&volume("acme/aa", "stray", &key, at));
        house.pass(700).await;
        house.round().await?;
        house.round().await?;
        let marked = house.listing(virginia()).await?;
        let marked = marked.iter().find(|thing| thing.found.remote == stray).context("the stray")?;
        assert!(marked.found.quarantined_until_ms.is_some());
        house.cloud.unmark(&stray);
        house.pass(30 * 86_400).await;
        for _ in 0..4 {
            let report = house.round().await?;
            assert_eq!((removals(&report), braked(&report, Brake::Released)), (0, 1), "{:?}", report.items);
            told(&report);
        }
        assert!(house.cloud.snapshot().volumes.iter().any(|volume| volume.remote == stray));
        Ok(())
    })
}

/// The mark comes off, or somebody mounts it, between the decision and the job: the job looks once more.
#[test]
fn a_stray_is_looked_at_once_more_before_it_goes() -> Result<()> {
    on_paused_time(async {
        for meddle in 0..3 {
            let mut house = with_builders(&["aa"]).await?;
            let (key, at) = (key(&house).await?, placement(virginia(), Residency::Us));
            let stray = house.cloud.plant_volume(&volume("acme/aa", "stray", &key, at));
            house.pass(700).await;
            house.round().await?;
            house.round().await?;
            house.pass(15 * 86_400).await;
            house.reconcile(&Mode::Repair).await?;
            let report = house.reconcile(&Mode::Repair).await?;
            let last = if removals(&report) == 1 { report } else { house.reconcile(&Mode::Repair).await? };
            drop(last);
            match meddle {
                0 => house.cloud.unmark(&stray),
                1 => {
                    let machine = house.remote("acme/aa", ARM, Kind::Machine).await?;
                    house.cloud.attach(&stray, &machine);
                }
                _ => {
                    // Adopted in the meantime: a record names it.
                    let row = house.row("acme/aa", ARM, Kind::Volume).await?;
                    let sql = format!("UPDATE resources SET remote = '{stray}' WHERE id = ?1");
                    house.tamper(&sql, row.id)?;
                }
            }
            house.work().await?;
            let kept = house.cloud.snapshot().volumes.iter().any(|volume| volume.remote == stray);
            assert!(kept, "meddle {meddle}");
        }
        Ok(())
    })
}

/// A repair that comes to nothing is not tried for ever: a person is called.
#[test]
fn reconcile_gives_up_and_calls_a_person() -> Result<()> {
    on_paused_time(async {
        let mut house = with_builders(&["aa"]).await?;
        let when = When { operation: Some(Operation::WriteTags), ..When::default() };
        house.cloud.inject(when, Fault::Error(ErrorClass::Denied));
        let (key, at) = (key(&house).await?, placement(virginia(), Residency::Us));
        house.cloud.plant_volume(&volume("acme/aa", "stray", &key, at));
        house.pass(700).await;
        let mut jobs = 0;
        for _ in 0..8 {
            jobs += enqueued(&house.round().await?).len();
        }
        assert!((1..=3).contains(&jobs), "{jobs} jobs");
        let report = house.reconcile(&Mode::Repair).await?;
        let waits = |item: &provisioner::reconcile::Item| match &item.outcome {
            Decision::Braked { brake: Brake::GaveUp, how } => how.contains("provisioner job show"),
            _ => false,
        };
        assert!(report.items.iter().any(waits), "{:?}", report.items);
        Ok(())
    })
}
