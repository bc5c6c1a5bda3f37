//! What is promised of listings and of looks at many.

use regions::{Arch, Region};

use super::stage::{Flaw, Stage, check, fail, same};
use crate::{CacheSource, Kind, Listed, Spec, Target};

/// More pages than any listing of a test has.
const MOST_PAGES: u32 = 10_000;

/// All pages of a listing.
pub(super) async fn all(stage: &Stage<'_>, region: Region) -> Result<Vec<Listed>, Flaw> {
    let (mut things, mut page) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let listing = stage.provider().list(region, page).await?;
        things.extend(listing.things);
        page = listing.next;
        if page.is_none() {
            return Ok(things);
        }
    }
    fail("a listing does not end")
}

/// Listings may be behind. Looks at them until it is so.
async fn wait(
    stage: &Stage<'_>,
    what: &str,
    region: Region,
    so: impl Fn(&[Listed]) -> bool + Send,
) -> Result<Vec<Listed>, Flaw> {
    let mut passed_ms = 0;
    loop {
        let things = all(stage, region).await?;
        if so(&things) {
            return Ok(things);
        }
        if passed_ms > stage.cloud.patience_ms() {
            return fail(format!("waited in vain for {what}"));
        }
        stage.cloud.pass(stage.cloud.pause_ms()).await;
        passed_ms += stage.cloud.pause_ms();
    }
}

pub(super) async fn show_everything_to_the_last_page(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let mut wanted = vec![(Kind::Key, stage.key_spec("acme", home.region()).id, key.clone(), None)];
    for role in ["one", "two", "three"] {
        let machine = stage.cold(role, home, Arch::X86_64, &key)?;
        let (found, cache) = stage.machine_and_cache(&machine).await?;
        let CacheSource::Born(volume) = &machine.cache else { return fail("no newborn cache") };
        wanted.push((Kind::Machine, machine.id, found.remote, Some(machine.owner.clone())));
        wanted.push((Kind::Volume, volume.id, cache, Some(volume.owner.clone())));
    }
    let complete = |things: &[Listed]| {
        wanted.iter().all(|(_, _, remote, _)| things.iter().any(|thing| thing.found.remote == *remote))
    };
    let things = wait(stage, "a complete listing", home.region(), complete).await?;
    for (kind, id, remote, owner) in &wanted {
        let shown: Vec<&Listed> = things.iter().filter(|thing| thing.found.remote == *remote).collect();
        let [thing] = shown.as_slice() else { return fail(format!("{remote} is listed {} times", shown.len())) };
        same("its kind", &thing.kind, kind)?;
        same("its id", &thing.id, &Some(*id))?;
        if let Some(owner) = owner {
            same("its owner", &thing.owner.as_ref(), &Some(owner))?;
            same("its zone", &thing.zone.as_deref(), &Some(home.zone().name()))?;
            same("its architecture", &thing.arch, &Some(Arch::X86_64))?;
        }
        if *kind == Kind::Volume {
            same("its key", &thing.key, &Some(key.clone()))?;
        }
        check(thing.created_ms.is_some(), || format!("{kind} {remote} does not say when it was made"))?;
    }
    Ok(())
}

pub(super) async fn show_nothing_that_is_gone(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let (found, cache) = stage.machine_and_cache(&machine).await?;
    let CacheSource::Born(volume) = machine.cache.clone() else { return fail("no newborn cache") };
    stage.gone(&Spec::Machine(machine), Some(&found.remote)).await?;
    let is_there = |things: &[Listed], remote: &crate::RemoteId| things.iter().any(|it| it.found.remote == *remote);
    let things = wait(stage, "a listing without it", home.region(), |things| !is_there(things, &found.remote)).await?;
    check(is_there(&things, &cache), || "the cache volume went with its machine".to_owned())?;
    stage.gone(&Spec::Volume(volume), Some(&cache)).await?;
    wait(stage, "a listing without the volume", home.region(), |things| !is_there(things, &cache)).await?;
    let target = Target { spec: Spec::Key(stage.key_spec("acme", home.region())), remote: Some(key.clone()) };
    stage.remove(&target).await?;
    wait(stage, "a listing without the key", home.region(), |things| !is_there(things, &key)).await.map(drop)
}

pub(super) async fn are_spared_by_one_look_at_many(stage: &Stage<'_>) -> Result<(), Flaw> {
    stage.needs("counts requests", |can| can.counts_requests)?;
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let mut targets = Vec::new();
    for role in ["one", "two", "three", "four"] {
        let machine = stage.cold(role, home, Arch::X86_64, &key)?;
        let (found, cache) = stage.machine_and_cache(&machine).await?;
        let CacheSource::Born(volume) = machine.cache.clone() else { return fail("no newborn cache") };
        targets.push(Target { spec: Spec::Machine(machine), remote: Some(found.remote) });
        targets.push(Target { spec: Spec::Volume(volume), remote: Some(cache) });
    }
    let mut counts = Vec::new();
    for few in [&targets[..2], &targets[..]] {
        let before = stage.cloud.requests().await;
        let seen = stage.provider().observe(home.region(), few).await?;
        counts.push(stage.cloud.requests().await - before);
        same("the number of answers", &seen.len(), &few.len())?;
        for (target, seen) in few.iter().zip(&seen) {
            same("the answer in the place of its target", &seen.found().map(|f| &f.remote), &target.remote.as_ref())?;
        }
    }
    check(counts[0] >= counts[1], || format!("looks at one builder and at four take {counts:?} requests"))
}
