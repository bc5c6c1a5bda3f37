//! One of everything among healthy builders.

use anyhow::{Context, Result};
use providers::{CacheSource, KeySpec, Kind, RemoteId};
use provisioner::{
    core::Verdict,
    reconcile::{Brake, Decision, Mode},
};
use regions::{Arch, Placement, Residency};
use tests::house::{House, enqueued, on_paused_time, owner, verdicts};

use crate::plant::{HEALTHY, builders, house, id, key, machine, placement, virginia, volume};

#[test]
fn a_healthy_house_has_no_findings() -> Result<()> {
    on_paused_time(async {
        let mut house = house(HEALTHY).await?;
        for _ in 0..3 {
            let report = house.round().await?;
            assert_eq!(verdicts(&report), []);
            assert!(report.regions.iter().all(|region| region.failed.is_none()), "{:?}", report.regions);
            assert_eq!(report.regions.iter().map(|region| region.records).sum::<u64>(), 2 * HEALTHY as u64 + 3);
        }
        Ok(())
    })
}

/// Plants one of everything, and says what must be found.
async fn zoo(house: &mut House) -> Result<Vec<(Verdict, String)>> {
    let arm = Arch::Arm64;
    let names = [
        "missing",
        "misplaced",
        "bare",
        "otherkey",
        "off",
        "grown",
        "untagged",
        "halfborn",
        "leaving",
        "joblost",
        "twin",
        "cachegone",
        "ghost",
    ];
    builders(house, &names).await?;
    let key = key(house).await?;
    let at = placement(virginia(), Residency::Us);
    let other_zone = virginia().zones().find(|zone| *zone != at.zone()).context("a second zone")?;
    let remote = |name: &'static str, kind| {
        let house = &*house;
        async move { house.remote(&format!("acme/{name}"), arm, kind).await }
    };
    house.cloud.terminate(&remote("missing", Kind::Machine).await?);
    let elsewhere = Placement::check(Residency::Us, other_zone)?;
    house.cloud.misplace(&remote("misplaced", Kind::Machine).await?, elsewhere);
    house.cloud.unencrypt_volume(&remote("bare", Kind::Volume).await?);
    let foreign = KeySpec { id: id("foreign"), owner: owner("globex"), region: virginia() };
    let foreign = house.cloud.plant_key(&foreign);
    house.cloud.set_volume_key(&remote("otherkey", Kind::Volume).await?, &foreign);
    house.cloud.stop(&remote("off", Kind::Machine).await?);
    house.cloud.resize_volume(&remote("grown", Kind::Volume).await?, 333);
    house.cloud.strip_tags(&remote("untagged", Kind::Machine).await?);
    let row = |name: &'static str, kind| {
        let house = &*house;
        async move { house.row(&format!("acme/{name}"), arm, kind).await }
    };
    house.tamper(
        "UPDATE resources SET remote = NULL, state = 'maybe' WHERE id = ?1",
        row("halfborn", Kind::Machine).await?.id,
    )?;
    house.tamper("UPDATE resources SET state = 'leaving' WHERE id = ?1", row("leaving", Kind::Machine).await?.id)?;
    house.tamper("UPDATE resources SET state = 'pending' WHERE id = ?1", row("joblost", Kind::Machine).await?.id)?;
    let ghost = row("ghost", Kind::Machine).await?;
    house.cloud.terminate(ghost.remote.as_ref().context("a name")?);
    house.tamper("UPDATE resources SET remote = NULL, state = 'maybe' WHERE id = ?1", ghost.id)?;
    // Without records.
    let mut twin = machine("acme/twin", "twin", &key, at);
    twin.id = row("twin", Kind::Machine).await?.id;
    twin.cache = CacheSource::Existing { id: id("none"), remote: RemoteId::from("none") };
    house.cloud.plant_machine(&twin);
    house.cloud.plant_volume(&volume("acme/healthy-0", "orphan-volume", &key, at));
    let mut orphan = machine("acme/healthy-0", "orphan-machine", &key, at);
    orphan.cache = CacheSource::Existing { id: id("none"), remote: RemoteId::from("none") };
    house.cloud.plant_machine(&orphan);
    house.cloud.plant_volume(&volume("gone/away", "unknown-owner", &key, at));
    let stray = KeySpec { id: id("stray"), owner: owner("acme"), region: virginia() };
    house.cloud.plant_key(&stray);
    let astray = house.cloud.plant_volume(&volume("acme/healthy-1", "astray", &key, at));
    let naked = house.cloud.plant_volume(&volume("acme/healthy-0", "naked", &key, at));
    house.cloud.unencrypt_volume(&naked);
    drop(astray);
    let mut abroad = machine("acme/healthy-1", "abroad", &key, at);
    abroad.cache = CacheSource::Existing { id: id("none"), remote: RemoteId::from("none") };
    house.cloud.plant_machine(&abroad);
    house.cloud.terminate(&remote("cachegone", Kind::Machine).await?);
    house.cloud.destroy_volume(&remote("cachegone", Kind::Volume).await?);
    let acme = |name: &str| format!("acme/{name} arm64");
    let mut wanted = vec![
        (Verdict::Missing, acme("missing")),
        (Verdict::Missing, acme("cachegone")),
        (Verdict::Missing, acme("cachegone")),
        (Verdict::Misplaced, acme("misplaced")),
        (Verdict::Misplaced, acme("healthy-1")),
        (Verdict::Misplaced, acme("healthy-1")),
        (Verdict::Unencrypted, acme("bare")),
        (Verdict::Unencrypted, acme("healthy-0")),
        (Verdict::WrongKey, acme("otherkey")),
        (Verdict::WrongState, acme("off")),
        (Verdict::WrongShape, acme("grown")),
        (Verdict::WrongTags, acme("untagged")),
        (Verdict::HalfBorn, acme("halfborn")),
        (Verdict::HalfBorn, acme("ghost")),
        (Verdict::StuckLeaving, acme("leaving")),
        (Verdict::JobLost, acme("joblost")),
        (Verdict::Duplicate, acme("twin")),
        (Verdict::Orphan, acme("healthy-0")),
        (Verdict::Orphan, acme("healthy-0")),
        (Verdict::Orphan, "gone/away arm64".to_owned()),
        (Verdict::StrayKey, "acme".to_owned()),
        (Verdict::StrayKey, "globex".to_owned()),
    ];
    wanted.sort();
    // What was terminated is gone, and what was planted is shown.
    house.pass(120).await;
    Ok(wanted)
}

#[test]
fn a_zoo_is_named_whole_and_mended_as_far_as_it_may_be() -> Result<()> {
    on_paused_time(async {
        let mut house = house(HEALTHY).await?;
        let healthy: Vec<_> = house.rows().await?;
        let wanted = zoo(&mut house).await?;
        let plan = house.reconcile(&Mode::Plan).await?;
        assert_eq!(
            verdicts(&plan),
            wanted,
            "{:#?}",
            plan.items
                .iter()
                .map(|item| (item.finding.verdict, item.finding.kind, item.finding.subject(), &item.finding.why))
                .collect::<Vec<_>>()
        );
        assert!(plan.items.iter().all(|item| !matches!(item.outcome, Decision::Enqueued { .. })));
        let mut rounds = Vec::new();
        for _ in 0..8 {
            rounds.push(enqueued(&house.round().await?));
        }
        assert_eq!(house.failures().await?, [] as [String; 0]);
        // What is left is for persons, or in quarantine; and nothing new.
        let last = house.reconcile(&Mode::Repair).await?;
        assert_eq!(enqueued(&last), [], "{:#?}", last.items);
        for item in &last.items {
            let waits =
                matches!(item.outcome, Decision::Person { .. } | Decision::Braked { brake: Brake::Quarantine, .. });
            assert!(waits, "{item:#?}");
        }
        // No cache of a customer went, and the healthy are as they were.
        for row in healthy {
            let now = house.store.resource(row.id).await?.context("a healthy record is gone")?;
            assert_eq!((now.state, now.remote), (row.state, row.remote));
        }
        assert_eq!(house.cloud.violations(), []);
        // When the quarantine is over, strays go; not before.
        let volumes = house.cloud.snapshot().volumes.len();
        house.pass(15 * 86_400).await;
        for _ in 0..12 {
            house.round().await?;
        }
        let left = house.reconcile(&Mode::Plan).await?;
        assert!(left.items.iter().all(|item| matches!(item.outcome, Decision::Person { .. })), "{:#?}", left.items);
        assert_eq!(volumes - house.cloud.snapshot().volumes.len(), 4, "the strays, and nothing else");
        Ok(())
    })
}
