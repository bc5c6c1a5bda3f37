//! What is promised of the making and the end of machines.

use regions::{Arch, Residency};

use super::Creation;
use super::stage::{Flaw, Stage, check, fail, same};
use crate::{CacheSource, ErrorClass, Kind, MachineSpec, Observed, Spec, Target, Token, VolumeSpec};

pub(super) async fn are_one_for_one_token(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let spec = Spec::Machine(machine);
    let first = stage.begun(&spec).await?;
    same("the machine of a second call", &stage.begun(&spec).await?, &first)?;
    stage.running(&spec, &first).await?;
    same("the machine of a call when it runs", &stage.begun(&spec).await?, &first)?;
    // Two would be broken when looked for by tag.
    let found = stage.wait("the machine by its tag", &spec, None, |seen| !seen.is_absent()).await?;
    match found {
        Observed::Ready(found) => same("the machine that the tag finds", &found.remote, &first),
        other => fail(format!("by its tag the machine is {other:?}")),
    }
}

pub(super) async fn are_refused_for_a_used_token_with_another_request(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let first = stage.begun(&Spec::Machine(machine.clone())).await?;
    let other_root = MachineSpec { root_gib: machine.root_gib + 1, ..machine.clone() };
    let mut others = vec![other_root];
    let CacheSource::Born(cache) = &machine.cache else { return fail("no newborn cache") };
    let mut types = stage.machine_types(Arch::X86_64, home).into_iter();
    let other_type = types.find(|other| *other != machine.machine && other.ssds().contains(&cache.shape.ssd));
    others.extend(other_type.map(|other| MachineSpec { machine: other, ..machine.clone() }));
    for other in others {
        match stage.ensure(&Spec::Machine(other), None).await {
            Err(error) => same("the refusal", &error.class(), &ErrorClass::Conflict)?,
            Ok(seen) => return fail(format!("a used token with another request makes {seen:?}")),
        }
    }
    stage.running(&Spec::Machine(machine), &first).await.map(drop)
}

pub(super) async fn are_not_made_again_by_a_spent_token(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let spec = Spec::Machine(machine);
    let first = stage.begun(&spec).await?;
    stage.running(&spec, &first).await?;
    stage.gone(&spec, Some(&first)).await?;
    match stage.ensure(&spec, None).await {
        Ok(Observed::Absent { .. } | Observed::Leaving(_)) => {}
        Ok(seen) => return fail(format!("a spent token makes {seen:?}")),
        // Some clouds refuse it instead.
        Err(error) => same("the refusal", &error.class(), &ErrorClass::Conflict)?,
    }
    let seen = stage.look(&spec, None).await?;
    check(seen.is_absent() || matches!(seen, Observed::Leaving(_)), || format!("a spent token has made {seen:?}"))
}

pub(super) async fn are_what_was_asked_for_on_both_architectures(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    for arch in Arch::ALL {
        let machine = stage.cold(arch.as_str(), home, arch, &key)?;
        let found = stage.machine(&machine).await?;
        check(found.address.is_some(), || format!("a running {arch} machine has no address"))?;
        let listed = super::listings::all(stage, home.region()).await?;
        let Some(listed) = listed.into_iter().find(|thing| thing.found.remote == found.remote) else {
            return fail(format!("the {arch} machine is not listed"));
        };
        same("its architecture", &listed.arch, &Some(arch))?;
        same("its zone", &listed.zone.as_deref(), &Some(home.zone().name()))?;
    }
    Ok(())
}

pub(super) async fn are_found_by_tag_after_a_lost_answer(stage: &Stage<'_>) -> Result<(), Flaw> {
    stage.needs("loses answers", |can| can.loses_replies)?;
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::Arm64, &key)?;
    let spec = Spec::Machine(machine);
    stage.cloud.lose_reply(Creation::Machine).await;
    match stage.ensure(&spec, None).await {
        Err(error) => check(error.class().may_have_happened(), || format!("a lost answer is told as {error}"))?,
        Ok(seen) => return fail(format!("a lost answer is told as {seen:?}")),
    }
    let seen = stage.wait("the machine by its tag", &spec, None, |seen| !seen.is_absent()).await?;
    let Some(found) = seen.found() else { return fail("nothing found") };
    same("the machine of the same token", &stage.begun(&spec).await?, &found.remote)?;
    stage.running(&spec, &found.remote).await.map(drop)
}

pub(super) async fn are_removed_twice_with_success(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let found = stage.machine(&machine).await?;
    let target = Target { spec: Spec::Machine(machine), remote: Some(found.remote.clone()) };
    for round in ["first", "second"] {
        let seen = stage.remove(&target).await?;
        let goes = seen.is_absent() || matches!(seen, Observed::Leaving(_));
        check(goes, || format!("after the {round} removal the machine is {seen:?}"))?;
    }
    stage.wait("its end", &target.spec, Some(&found.remote), Observed::is_absent).await?;
    let seen = stage.remove(&target).await?;
    check(seen.is_absent(), || format!("the removal of a machine that is gone says {seen:?}"))
}

pub(super) async fn that_never_were_are_removed_with_success(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let spec = Spec::Machine(stage.cold("nobody", home, Arch::X86_64, &key)?);
    same("a machine that never was", &stage.look(&spec, None).await?, &Observed::ABSENT)?;
    let removed = stage.remove(&Target { spec, remote: None }).await?;
    check(removed.is_absent(), || format!("the removal of no machine says {removed:?}"))
}

pub(super) async fn stand_in_their_own_residency_only(stage: &Stage<'_>) -> Result<(), Flaw> {
    let (eu, us) = (stage.placement(Residency::Eu)?, stage.placement(Residency::Us)?);
    let key = stage.key("acme", eu.region()).await?;
    let machine = stage.cold("european", eu, Arch::X86_64, &key)?;
    let (found, cache) = stage.machine_and_cache(&machine).await?;
    for remote in [&found.remote, &cache, &key] {
        let here = super::listings::all(stage, eu.region()).await?;
        check(here.iter().any(|thing| thing.found.remote == *remote), || {
            format!("{remote} is not in {}", eu.region())
        })?;
        let there = super::listings::all(stage, us.region()).await?;
        check(there.iter().all(|thing| thing.found.remote != *remote), || format!("{remote} is in {}", us.region()))?;
    }
    let org = machine.owner.org.clone();
    let abroad = super::listings::all(stage, us.region()).await?;
    let strangers: Vec<Kind> = abroad
        .iter()
        .filter(|thing| thing.owner.as_ref().is_some_and(|owner| owner.org == org))
        .map(|thing| thing.kind)
        .collect();
    check(strangers.is_empty(), || format!("of a European project there are {strangers:?} in {}", us.region()))?;
    // The same key is of no use abroad.
    let abroad = stage.cold("abroad", us, Arch::X86_64, &key)?;
    let CacheSource::Born(cache) = &abroad.cache else { return fail("no newborn cache") };
    let cache = Spec::Volume(VolumeSpec { ..cache.clone() });
    let spec = Spec::Machine(abroad);
    let token = Token::derive(spec.id(), 0);
    stage.remember(&Target { spec: spec.clone(), remote: None });
    if let Ok(seen) = stage.provider().ensure(&token, &Target { spec: spec.clone(), remote: None }).await {
        let remote = seen.found().map(|found| found.remote.clone());
        if remote.is_some() {
            stage.wait("its death", &spec, remote.as_ref(), Observed::is_absent).await?;
        }
    }
    stage.outwait_hiding().await;
    let seen = stage.look(&cache, None).await?;
    check(seen.is_absent(), || format!("a volume in {} under a key of {} is {seen:?}", us.region(), eu.region()))
}
