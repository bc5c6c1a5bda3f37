//! What a project's own rules end when nobody uses it.

use anyhow::Result;
use providers::Kind;
use provisioner::{
    core::{Request, RowState, Verdict},
    reconcile::{Decision, Mode},
    store::Rules,
};
use regions::Arch;
use tests::house::{House, enqueued, on_paused_time, verdicts};

use crate::plant::{builders, house};

const ARM: Arch = Arch::Arm64;

async fn ruled(rules: Rules) -> Result<House> {
    let mut house = house(3).await?;
    builders(&mut house, &["ruled", "free"]).await?;
    house.store.set_rules(house.project("acme/ruled"), rules).await?;
    Ok(house)
}

#[test]
fn an_idle_builder_is_stopped_and_then_destroyed_and_its_cache_stays() -> Result<()> {
    on_paused_time(async {
        let rules = Rules { idle_stop_secs: Some(600), idle_destroy_secs: Some(86_400), ..Rules::default() };
        let mut house = ruled(rules).await?;
        let project = house.project("acme/ruled");
        house.store.touch(project, ARM, house.now_ms()).await?;
        house.pass(590).await;
        assert_eq!(verdicts(&house.reconcile(&Mode::Repair).await?), []);
        // A build goes on: it is touched again and again, and stays for as long as that.
        for _ in 0..10 {
            house.store.touch(project, ARM, house.now_ms()).await?;
            house.pass(500).await;
            assert_eq!(verdicts(&house.reconcile(&Mode::Repair).await?), []);
        }
        house.pass(101).await;
        let report = house.round().await?;
        assert_eq!(enqueued(&report), [(Verdict::Idle, "stop")]);
        assert_eq!(house.row("acme/ruled", ARM, Kind::Machine).await?.state, RowState::Stopped);
        assert_eq!(verdicts(&house.round().await?), [], "it is stopped once");
        house.pass(86_400).await;
        let report = house.round().await?;
        assert_eq!(enqueued(&report), [(Verdict::Idle, "destroy")]);
        assert!(house.row("acme/ruled", ARM, Kind::Machine).await.is_err());
        assert_eq!(house.row("acme/ruled", ARM, Kind::Volume).await?.state, RowState::Ready);
        // Nobody asked for the other one to go.
        assert_eq!(house.row("acme/free", ARM, Kind::Machine).await?.state, RowState::Ready);
        assert_eq!(house.failures().await?, [] as [String; 0]);
        Ok(())
    })
}

#[test]
fn a_builder_that_was_just_made_or_started_is_not_idle() -> Result<()> {
    on_paused_time(async {
        let mut house = ruled(Rules { idle_stop_secs: Some(1_200), ..Rules::default() }).await?;
        let project = house.project("acme/ruled");
        // It was used long ago, stopped, and is started for a build that has not begun.
        house.store.touch(project, ARM, house.now_ms() - 86_400_000).await?;
        assert_eq!(verdicts(&house.reconcile(&Mode::Repair).await?), []);
        house.pass(1_300).await;
        assert_eq!(enqueued(&house.round().await?), [(Verdict::Idle, "stop")]);
        house.pass(86_400).await;
        house.ask(Request::Start { project, arch: ARM }).await?;
        house.work().await?;
        house.pass(300).await;
        assert_eq!(verdicts(&house.reconcile(&Mode::Repair).await?), []);
        Ok(())
    })
}

#[test]
fn an_unused_cache_is_reported_and_goes_where_the_project_says_so() -> Result<()> {
    on_paused_time(async {
        let rules = Rules { cache_destroy_secs: Some(60 * 86_400), ..Rules::default() };
        let mut house = ruled(rules).await?;
        for name in ["acme/ruled", "acme/free"] {
            house.ask(Request::Destroy { project: house.project(name), arch: ARM }).await?;
        }
        house.work().await?;
        house.pass(29 * 86_400).await;
        assert_eq!(verdicts(&house.reconcile(&Mode::Repair).await?), []);
        house.pass(86_400).await;
        let report = house.reconcile(&Mode::Repair).await?;
        let reported = [
            (Verdict::UnusedCache, "acme/free arm64".to_owned()),
            (Verdict::UnusedCache, "acme/ruled arm64".to_owned()),
        ];
        assert_eq!(verdicts(&report), reported);
        assert!(report.items.iter().all(|item| matches!(item.outcome, Decision::Person { .. })), "{:?}", report.items);
        house.pass(30 * 86_400).await;
        assert_eq!(enqueued(&house.round().await?), [(Verdict::UnusedCache, "destroy_cache")]);
        assert!(house.row("acme/ruled", ARM, Kind::Volume).await.is_err());
        assert!(house.row("acme/free", ARM, Kind::Volume).await.is_ok());
        Ok(())
    })
}

#[test]
fn a_builder_that_is_queued_for_work_is_not_idle() -> Result<()> {
    on_paused_time(async {
        let house = ruled(Rules { idle_stop_secs: Some(600), ..Rules::default() }).await?;
        let project = house.project("acme/ruled");
        house.pass(3_600).await;
        house.ask(Request::Provision { project, arch: ARM }).await?;
        assert_eq!(enqueued(&house.reconcile(&Mode::Repair).await?), []);
        Ok(())
    })
}
