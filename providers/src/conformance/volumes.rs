//! What is promised of cache volumes and their ties to machines.

use regions::{Arch, Placement};

use super::stage::{Flaw, Stage, check, fail, same};
use crate::{CacheSource, ErrorClass, Found, MachineSpec, Observed, RemoteId, Spec, Target, VolumeSpec};

fn volume_of(machine: &MachineSpec) -> Result<VolumeSpec, Flaw> {
    match &machine.cache {
        CacheSource::Born(volume) => Ok(volume.clone()),
        CacheSource::Existing { .. } => fail("the machine has no newborn cache"),
    }
}

/// A running machine of that name, with its newborn cache.
struct Builder {
    spec: MachineSpec,
    found: Found,
    cache: RemoteId,
    volume: Spec,
}

async fn builder(stage: &Stage<'_>, role: &str, at: Placement, key: &RemoteId) -> Result<Builder, Flaw> {
    let spec = stage.cold(role, at, Arch::X86_64, key)?;
    let (found, cache) = stage.machine_and_cache(&spec).await?;
    let volume = Spec::Volume(volume_of(&spec)?);
    Ok(Builder { spec, found, cache, volume })
}

fn is_free(seen: &Observed) -> bool {
    matches!(seen, Observed::Ready(found) if found.attached_to.is_none())
}

pub(super) async fn are_born_encrypted_with_the_right_key(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let Builder { spec, found, cache, volume } = builder(stage, "one", home, &key).await?;
    for remote in [Some(&cache), None] {
        let held = |seen: &Observed| matches!(seen, Observed::Ready(_) | Observed::Broken { .. });
        match stage.wait("the newborn cache", &volume, remote, held).await? {
            Observed::Ready(seen) => {
                same("the newborn cache", &seen.remote, &cache)?;
                same("what holds it", &seen.attached_to, &Some(found.remote.clone()))?;
            }
            other => return fail(format!("the newborn cache is {other:?}")),
        }
    }
    let things = super::listings::all(stage, home.region()).await?;
    let Some(listed) = things.into_iter().find(|thing| thing.found.remote == cache) else {
        return fail("the newborn cache is not listed");
    };
    same("its key", &listed.key, &Some(key.clone()))?;
    same("its id", &listed.id, &Some(volume.id()))?;
    same("its owner", &listed.owner, &Some(spec.owner.clone()))?;
    same("its architecture", &listed.arch, &Some(Arch::X86_64))?;
    if stage.cloud.abilities().reads_volumes {
        let Some(facts) = stage.cloud.volume(home.region(), &cache).await else {
            return fail("the cloud itself does not know the cache volume");
        };
        same("its key, as the cloud tells it", &facts.key, &Some(key))?;
        same("its size, as the cloud tells it", &facts.size_gib, &volume_of(&spec)?.shape.size_gib)?;
        same("its zone, as the cloud tells it", &facts.zone.as_str(), &home.zone().name())?;
    }
    Ok(())
}

pub(super) async fn outlive_their_machine(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let Builder { spec, found, cache, volume } = builder(stage, "one", home, &key).await?;
    stage.gone(&Spec::Machine(spec), Some(&found.remote)).await?;
    stage.wait("a cache that is free", &volume, Some(&cache), is_free).await.map(drop)
}

/// A second machine on the cache of the first, which is gone.
async fn heir(stage: &Stage<'_>, first: &Builder) -> Result<(MachineSpec, Found), Flaw> {
    stage.gone(&Spec::Machine(first.spec.clone()), Some(&first.found.remote)).await?;
    stage.wait("a cache that is free", &first.volume, Some(&first.cache), is_free).await?;
    let spec = stage.warm("heir", &first.spec, &first.cache)?;
    let found = stage.machine(&spec).await?;
    if stage.provider().capabilities().attaches_at_birth {
        return Ok((spec, found));
    }
    let tie = stage.tie(&spec, &found.remote, &first.cache);
    for _ in 0..2 {
        match stage.ensure(&tie, None).await? {
            Observed::Pending(_) | Observed::Ready(_) => {}
            other => return fail(format!("an attachment that is made is {other:?}")),
        }
    }
    let tied = |seen: &Observed| matches!(seen, Observed::Ready(_));
    stage.wait("the attachment", &tie, None, tied).await?;
    let shows = |seen: &Observed| matches!(seen, Observed::Ready(found) if found.cache.is_some());
    let seen =
        stage.wait("the machine with its cache", &Spec::Machine(spec.clone()), Some(&found.remote), shows).await?;
    match seen {
        Observed::Ready(found) => Ok((spec, found)),
        other => fail(format!("the machine with its cache is {other:?}")),
    }
}

pub(super) async fn go_to_a_new_machine(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let first = builder(stage, "one", home, &key).await?;
    let (spec, found) = heir(stage, &first).await?;
    same("the new machine's cache", &found.cache.as_ref(), &Some(&first.cache))?;
    let held = |seen: &Observed| matches!(seen, Observed::Ready(found) if found.attached_to.is_some());
    let seen = stage.wait("a cache that is held", &first.volume, Some(&first.cache), held).await?;
    let holder = seen.found().and_then(|found| found.attached_to.clone());
    same("what holds the cache", &holder.as_ref(), &Some(&found.remote))?;
    if stage.provider().capabilities().attaches_at_birth {
        return Ok(());
    }
    // And it can be detached again, twice, without harm to either.
    let target = Target { spec: stage.tie(&spec, &found.remote, &first.cache), remote: None };
    for round in ["first", "second"] {
        let seen = stage.remove(&target).await?;
        let goes = seen.is_absent() || matches!(seen, Observed::Leaving(_));
        check(goes, || format!("after the {round} removal the attachment is {seen:?}"))?;
    }
    stage.wait("the end of the attachment", &target.spec, None, Observed::is_absent).await?;
    stage.wait("a cache that is free", &first.volume, Some(&first.cache), is_free).await.map(drop)
}

pub(super) async fn are_refused_in_another_zone(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let elsewhere = stage.neighbour(home)?;
    let key = stage.key("acme", home.region()).await?;
    let first = builder(stage, "one", home, &key).await?;
    stage.gone(&Spec::Machine(first.spec.clone()), Some(&first.found.remote)).await?;
    stage.wait("a cache that is free", &first.volume, Some(&first.cache), is_free).await?;
    let spec = MachineSpec { placement: elsewhere, ..stage.warm("stranger", &first.spec, &first.cache)? };
    let refused = if stage.provider().capabilities().attaches_at_birth {
        stage.ensure(&Spec::Machine(spec.clone()), None).await
    } else {
        let found = stage.machine(&spec).await?;
        stage.ensure(&stage.tie(&spec, &found.remote, &first.cache), None).await
    };
    match refused {
        Err(error) => same("the refusal", &error.class(), &ErrorClass::Invalid)?,
        Ok(seen) => return fail(format!("a cache in another zone leads to {seen:?}")),
    }
    let seen = stage.look(&first.volume, Some(&first.cache)).await?;
    check(is_free(&seen), || format!("after the refusal the cache is {seen:?}"))
}

pub(super) async fn are_refused_to_a_second_machine(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let first = builder(stage, "one", home, &key).await?;
    let spec = stage.warm("second", &first.spec, &first.cache)?;
    let refused = if stage.provider().capabilities().attaches_at_birth {
        stage.ensure(&Spec::Machine(spec.clone()), None).await
    } else {
        let found = stage.machine(&spec).await?;
        stage.ensure(&stage.tie(&spec, &found.remote, &first.cache), None).await
    };
    match refused {
        Err(error) => same("the refusal", &error.class(), &ErrorClass::Conflict)?,
        Ok(seen) => return fail(format!("a cache that is held leads to {seen:?}")),
    }
    let seen = stage.look(&first.volume, Some(&first.cache)).await?;
    let holder = seen.found().and_then(|found| found.attached_to.clone());
    same("what holds the cache", &holder, &Some(first.found.remote))
}

pub(super) async fn are_not_removed_while_attached(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let first = builder(stage, "one", home, &key).await?;
    let target = Target { spec: first.volume.clone(), remote: Some(first.cache.clone()) };
    match stage.remove(&target).await {
        Err(error) => same("the refusal", &error.class(), &ErrorClass::Conflict)?,
        Ok(seen) => return fail(format!("the removal of a cache that is held says {seen:?}")),
    }
    let seen = stage.look(&first.volume, Some(&first.cache)).await?;
    let held = matches!(&seen, Observed::Ready(found) if found.attached_to.as_ref() == Some(&first.found.remote));
    check(held, || format!("after the refusal the cache is {seen:?}"))?;
    stage.running(&Spec::Machine(first.spec), &first.found.remote).await.map(drop)
}

pub(super) async fn are_removed_twice_with_success(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let first = builder(stage, "one", home, &key).await?;
    stage.gone(&Spec::Machine(first.spec), Some(&first.found.remote)).await?;
    stage.wait("a cache that is free", &first.volume, Some(&first.cache), is_free).await?;
    let target = Target { spec: first.volume.clone(), remote: Some(first.cache.clone()) };
    for round in ["first", "second"] {
        let seen = stage.remove(&target).await?;
        let goes = seen.is_absent() || matches!(seen, Observed::Leaving(_));
        check(goes, || format!("after the {round} removal the volume is {seen:?}"))?;
    }
    stage.wait("its end", &first.volume, Some(&first.cache), Observed::is_absent).await?;
    let seen = stage.remove(&target).await?;
    check(seen.is_absent(), || format!("the removal of a volume that is gone says {seen:?}"))
}

pub(super) async fn under_another_key_than_expected_are_broken(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let other = stage.key("globex", home.region()).await?;
    let first = builder(stage, "one", home, &key).await?;
    let volume = Spec::Volume(VolumeSpec { key: other.clone(), ..volume_of(&first.spec)? });
    let seen = stage.look(&volume, Some(&first.cache)).await?;
    check(matches!(seen, Observed::Broken { .. }), || format!("a volume under another key is {seen:?}"))?;
    let cache = CacheSource::Born(VolumeSpec { key: other.clone(), ..volume_of(&first.spec)? });
    let machine = Spec::Machine(MachineSpec { key: other, cache, ..first.spec });
    let seen = stage.look(&machine, Some(&first.found.remote)).await?;
    check(matches!(seen, Observed::Broken { .. }), || format!("a machine under another key is {seen:?}"))
}
