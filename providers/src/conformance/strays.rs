//! What is promised of things that are known by name alone, and of tags.

use regions::Arch;

use super::listings;
use super::stage::{Flaw, Stage, check, fail, same};
use crate::{CacheSource, Kind, Observed, Power, RemoteId, ResourceId, Spec, StraySpec, Target, Token};

/// A time in the far future, in whole seconds, as marks may have it.
const UNTIL_MS: i64 = 2_000_000_000_000;

fn stray(like: &Spec, remote: &RemoteId, until_ms: Option<i64>) -> Spec {
    Spec::Stray(StraySpec {
        id: ResourceId::of_stray(like.region(), like.kind(), remote),
        owner: like.owner().clone(),
        kind: like.kind(),
        region: like.region(),
        quarantine_until_ms: until_ms,
    })
}

async fn tag(stage: &Stage<'_>, spec: &Spec, remote: &RemoteId) -> Result<Observed, Flaw> {
    let target = Target { spec: spec.clone(), remote: Some(remote.clone()) };
    Ok(stage.provider().tag(&Token::of_attempt(spec.id(), "tag"), &target).await?)
}

pub(super) async fn are_marked_and_show_their_mark(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let (found, cache) = stage.machine_and_cache(&machine).await?;
    let CacheSource::Born(volume) = machine.cache.clone() else { return fail("no newborn cache") };
    let things = [
        (Spec::Machine(machine), found.remote),
        (Spec::Volume(volume), cache),
        (Spec::Key(stage.key_spec("acme", home.region())), key),
    ];
    for (spec, remote) in &things {
        let marked = stray(spec, remote, Some(UNTIL_MS));
        tag(stage, &marked, remote).await?;
        let shows = |seen: &Observed| {
            matches!(seen, Observed::Ready(_))
                && seen.found().and_then(|found| found.quarantined_until_ms) == Some(UNTIL_MS)
        };
        stage.wait("the mark of a quarantine", &marked, Some(remote), shows).await?;
    }
    let listed = listings::all(stage, home.region()).await?;
    for (spec, remote) in &things {
        let shown = listed.iter().find(|thing| thing.found.remote == *remote);
        let until = shown.and_then(|thing| thing.found.quarantined_until_ms);
        same(&format!("the mark of {} {remote} in a listing", spec.kind()), &until, &Some(UNTIL_MS))?;
        // A mark is a tag more: what a thing was made with is still there.
        let seen = stage.look(spec, Some(remote)).await?;
        check(matches!(seen, Observed::Ready(_)), || format!("a marked {} is {seen:?}", spec.kind()))?;
    }
    Ok(())
}

pub(super) async fn are_switched_off_and_removed_by_name(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let (found, cache) = stage.machine_and_cache(&machine).await?;
    let CacheSource::Born(volume) = machine.cache.clone() else { return fail("no newborn cache") };
    let by_name = stray(&Spec::Machine(machine), &found.remote, None);
    let target = Target { spec: by_name.clone(), remote: Some(found.remote.clone()) };
    stage.power(&target, Power::Stopped).await?;
    let is_off = |seen: &Observed| matches!(seen, Observed::Ready(found) if found.power == Some(Power::Stopped));
    stage.wait("a machine that is off", &by_name, Some(&found.remote), is_off).await?;
    stage.gone(&by_name, Some(&found.remote)).await?;
    let by_name = stray(&Spec::Volume(volume), &cache, None);
    let seen = stage.look(&by_name, Some(&cache)).await?;
    check(!seen.is_absent(), || "the volume went with a machine that was removed by name".to_owned())?;
    stage.gone(&by_name, Some(&cache)).await?;
    // Twice is once.
    let target = Target { spec: by_name, remote: Some(cache) };
    let again = stage.remove(&target).await?;
    check(again.is_absent(), || format!("the second removal answers {again:?}"))
}

pub(super) async fn that_never_were_are_absent(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let (found, _) = stage.machine_and_cache(&machine).await?;
    let spec = Spec::Machine(machine);
    stage.gone(&spec, Some(&found.remote)).await?;
    let by_name = stray(&spec, &found.remote, Some(UNTIL_MS));
    let target = Target { spec: by_name.clone(), remote: Some(found.remote.clone()) };
    check(stage.look(&by_name, Some(&found.remote)).await?.is_absent(), || "what is gone is seen".to_owned())?;
    let removed = stage.remove(&target).await?;
    check(removed.is_absent(), || format!("the removal of what is gone answers {removed:?}"))?;
    same("the kind of a stray", &by_name.kind(), &Kind::Machine)
}

pub(super) async fn tags_are_written_again_without_harm(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let (found, cache) = stage.machine_and_cache(&machine).await?;
    let CacheSource::Born(volume) = machine.cache.clone() else { return fail("no newborn cache") };
    for (spec, remote) in [(Spec::Machine(machine), found.remote), (Spec::Volume(volume), cache)] {
        tag(stage, &spec, &remote).await?;
        let is_ready = |seen: &Observed| matches!(seen, Observed::Ready(_));
        stage.wait("a thing with its tags", &spec, Some(&remote), is_ready).await?;
    }
    Ok(())
}
