//! Plans: what a person has judged is done, if it is still so, and nothing else.

use anyhow::Result;
use providers::Kind;
use provisioner::{
    core::Verdict,
    reconcile::{Brake, Mode, PlanFile, Report},
};
use regions::{Arch, Residency};
use tests::house::{House, enqueued, on_paused_time, verdicts};

use crate::plant::{braked, builders, house, key, placement, virginia, volume};

const ARM: Arch = Arch::Arm64;

/// By way of the file's text.
fn plan_of(report: &Report) -> Result<PlanFile> {
    let plan = PlanFile {
        version: 1,
        deployment: "test".to_owned(),
        run: report.run,
        made_ms: report.ended_ms,
        items: report.items.clone(),
    };
    Ok(serde_json::from_str(&serde_json::to_string(&plan)?)?)
}

async fn planned() -> Result<(House, PlanFile)> {
    let mut house = house(3).await?;
    builders(&mut house, &["off", "lost", "fine"]).await?;
    house.cloud.stop(&house.remote("acme/off", ARM, Kind::Machine).await?);
    house.cloud.terminate(&house.remote("acme/lost", ARM, Kind::Machine).await?);
    let (key, at) = (key(&house).await?, placement(virginia(), Residency::Us));
    house.cloud.plant_volume(&volume("acme/fine", "stray", &key, at));
    house.pass(700).await;
    let report = house.reconcile(&Mode::Plan).await?;
    assert_eq!(verdicts(&report).len(), 3, "{:?}", verdicts(&report));
    let plan = plan_of(&report)?;
    Ok((house, plan))
}

#[test]
fn a_judged_plan_is_done_at_once_and_whole() -> Result<()> {
    on_paused_time(async {
        let (mut house, plan) = planned().await?;
        house.settings.max_creations = 0;
        house.settings.max_changes = 0;
        // A person's judgement stands for the second sighting, the age and the caps.
        let report = house.reconcile(&Mode::Apply(Box::new(plan))).await?;
        let done = [(Verdict::Missing, "provision"), (Verdict::Orphan, "quarantine"), (Verdict::WrongState, "start")];
        assert_eq!((enqueued(&report), report.untrue), (done.to_vec(), vec![]));
        house.work().await?;
        house.pass(700).await;
        let report = house.reconcile(&Mode::Repair).await?;
        assert_eq!(braked(&report, Brake::Quarantine), 1);
        assert_eq!(report.items.len(), 1);
        assert_eq!(house.failures().await?, [] as [String; 0]);
        Ok(())
    })
}

#[test]
fn what_is_not_so_any_more_is_refused_item_by_item() -> Result<()> {
    on_paused_time(async {
        let (mut house, plan) = planned().await?;
        // One was mended, and one got worse.
        let project = house.project("acme/off");
        house.ask(provisioner::core::Request::Start { project, arch: ARM }).await?;
        house.work().await?;
        house.cloud.destroy_volume(&house.remote("acme/lost", ARM, Kind::Volume).await?);
        house.pass(700).await;
        let report = house.reconcile(&Mode::Apply(Box::new(plan))).await?;
        assert_eq!(report.untrue.len(), 1, "{:?}", report.untrue);
        assert!(
            report.untrue[0].0.contains("wrong_state") && report.untrue[0].1.contains("not so any more"),
            "{:?}",
            report.untrue
        );
        assert!(report.needs_a_person());
        // The volume that is missing since is not in the plan: nothing is done about it.
        let done = [(Verdict::Missing, "provision"), (Verdict::Orphan, "quarantine")];
        assert_eq!(enqueued(&report), done);
        Ok(())
    })
}

#[test]
fn what_was_taken_out_of_a_plan_is_not_done() -> Result<()> {
    on_paused_time(async {
        let (house, mut plan) = planned().await?;
        plan.items.retain(|item| item.finding.verdict == Verdict::Orphan);
        let report = house.reconcile(&Mode::Apply(Box::new(plan))).await?;
        assert_eq!(enqueued(&report), [(Verdict::Orphan, "quarantine")]);
        assert_eq!(braked(&report, Brake::NotAsked), 2);
        Ok(())
    })
}

/// A plan that somebody has written what they like into asks for something that was never found.
#[test]
fn a_forged_plan_does_nothing() -> Result<()> {
    on_paused_time(async {
        let (house, mut plan) = planned().await?;
        for item in &mut plan.items {
            item.due = provisioner::core::Repair::Collect;
            item.finding.repair = provisioner::core::Repair::Collect;
        }
        let report = house.reconcile(&Mode::Apply(Box::new(plan))).await?;
        assert_eq!((enqueued(&report), report.untrue.len()), (vec![], 3));
        Ok(())
    })
}

/// A hold is stronger than a plan.
#[test]
fn a_plan_does_not_overrule_a_hold() -> Result<()> {
    on_paused_time(async {
        let (house, plan) = planned().await?;
        let hold = provisioner::store::Hold { until_ms: house.now_ms() + 3_600_000, reason: "mine".to_owned() };
        house.store.hold(house.project("acme/lost"), ARM, &hold, house.now_ms()).await?;
        let report = house.reconcile(&Mode::Apply(Box::new(plan))).await?;
        assert_eq!((enqueued(&report).len(), braked(&report, Brake::Hold)), (2, 1));
        Ok(())
    })
}
