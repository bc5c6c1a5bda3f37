//! What is promised of organizations' keys.

use super::stage::{Flaw, Stage, check, fail, same};
use super::{Creation, Harm};
use crate::{ErrorClass, Observed, Spec, Target};

pub(super) async fn is_made_once_and_found_again(stage: &Stage<'_>) -> Result<(), Flaw> {
    let region = stage.home()?.region();
    let key = stage.key("acme", region).await?;
    same("the key of a second ensure", &stage.key("acme", region).await?, &key)?;
    let spec = Spec::Key(stage.key_spec("acme", region));
    let ready = |seen: &Observed| matches!(seen, Observed::Ready(_));
    for remote in [Some(&key), None] {
        let seen = stage.wait("a key that is ready", &spec, remote, ready).await?;
        same("the key that is observed", &seen.found().map(|found| &found.remote), &Some(&key))?;
    }
    Ok(())
}

pub(super) async fn is_never_shared_by_two_organizations(stage: &Stage<'_>) -> Result<(), Flaw> {
    let region = stage.home()?.region();
    let (acme, globex) = (stage.key("acme", region).await?, stage.key("globex", region).await?);
    check(acme != globex, || format!("two organizations have the key {acme}"))
}

pub(super) async fn leaves_when_removed_and_is_not_used_again(stage: &Stage<'_>) -> Result<(), Flaw> {
    let region = stage.home()?.region();
    let key = stage.key("acme", region).await?;
    let spec = Spec::Key(stage.key_spec("acme", region));
    let target = Target { spec: spec.clone(), remote: Some(key.clone()) };
    stage.wait("the key to be shown", &spec, Some(&key), |seen| !seen.is_absent()).await?;
    for round in ["first", "second"] {
        match stage.remove(&target).await? {
            Observed::Leaving(found) => same("the key that leaves", &found.remote, &key)?,
            other => return fail(format!("after the {round} removal the key is {other:?}")),
        }
    }
    let leaving = |seen: &Observed| matches!(seen, Observed::Leaving(_));
    stage.wait("the key to be seen leaving", &spec, Some(&key), leaving).await?;
    match stage.ensure(&spec, Some(&key)).await? {
        Observed::Leaving(_) | Observed::Absent { .. } => {}
        Observed::Broken { why, .. } if why.class == ErrorClass::KeyUnusable => {}
        other => return fail(format!("a key that leaves was ensured and is {other:?}")),
    }
    match stage.ensure(&spec, None).await? {
        Observed::Ready(found) | Observed::Pending(found) => {
            check(found.remote != key, || format!("the dying key {key} is given out again"))
        }
        Observed::Broken { why, .. } if why.class == ErrorClass::KeyUnusable => Ok(()),
        Observed::Leaving(_) => Ok(()),
        other => fail(format!("a key after its removal is {other:?}")),
    }
}

pub(super) async fn of_nobody_is_absent_and_its_removal_succeeds(stage: &Stage<'_>) -> Result<(), Flaw> {
    let spec = Spec::Key(stage.key_spec("nobody", stage.home()?.region()));
    same("a key that never was", &stage.look(&spec, None).await?, &Observed::ABSENT)?;
    let removed = stage.remove(&Target { spec, remote: None }).await?;
    check(removed.is_absent(), || format!("the removal of no key says {removed:?}"))
}

pub(super) async fn whose_making_was_cut_short_is_found_by_tag_and_finished(stage: &Stage<'_>) -> Result<(), Flaw> {
    stage.needs("plants keys", |can| can.plants_keys)?;
    let spec = stage.key_spec("acme", stage.home()?.region());
    let stray = stage.cloud.plant_key(&spec).await;
    finish_stray(stage, &Spec::Key(spec), Some(stray)).await
}

pub(super) async fn whose_answer_was_lost_is_found_and_finished(stage: &Stage<'_>) -> Result<(), Flaw> {
    stage.needs("loses answers", |can| can.loses_replies)?;
    let spec = Spec::Key(stage.key_spec("acme", stage.home()?.region()));
    stage.cloud.lose_reply(Creation::Key).await;
    match stage.ensure(&spec, None).await {
        Err(error) => check(error.class().may_have_happened(), || format!("a lost answer is told as {error}"))?,
        Ok(seen) => return fail(format!("a lost answer is told as {seen:?}")),
    }
    finish_stray(stage, &spec, None).await
}

async fn finish_stray(stage: &Stage<'_>, spec: &Spec, stray: Option<crate::RemoteId>) -> Result<(), Flaw> {
    let pending = |seen: &Observed| matches!(seen, Observed::Pending(_));
    let seen = stage.wait("the stray key", spec, None, pending).await?;
    let Some(found) = seen.found().map(|found| found.remote.clone()) else { return fail("nothing found") };
    if let Some(stray) = stray {
        same("the stray that is found", &found, &stray)?;
    }
    match stage.ensure(spec, Some(&found)).await? {
        Observed::Ready(ready) => same("the key that was finished", &ready.remote, &found)?,
        other => return fail(format!("a stray key that is finished is {other:?}")),
    }
    match stage.ensure(spec, None).await? {
        Observed::Ready(ready) => same("the key that the alias leads to", &ready.remote, &found),
        other => fail(format!("a finished key is {other:?}")),
    }
}

pub(super) async fn that_is_disabled_is_diagnosed(stage: &Stage<'_>) -> Result<(), Flaw> {
    is_diagnosed(stage, Harm::Disabled).await
}

pub(super) async fn that_is_to_be_deleted_is_diagnosed(stage: &Stage<'_>) -> Result<(), Flaw> {
    is_diagnosed(stage, Harm::PendingDeletion).await
}

async fn is_diagnosed(stage: &Stage<'_>, harm: Harm) -> Result<(), Flaw> {
    stage.needs("harms keys", |can| can.harms_keys)?;
    let region = stage.home()?.region();
    let key = stage.key("acme", region).await?;
    stage.cloud.harm_key(region, &key, harm).await;
    let spec = Spec::Key(stage.key_spec("acme", region));
    let broken = |seen: &Observed| matches!(seen, Observed::Broken { .. });
    let looked = stage.wait("the key to be seen broken", &spec, Some(&key), broken).await?;
    for seen in [looked, stage.ensure(&spec, None).await?, stage.ensure(&spec, Some(&key)).await?] {
        match seen {
            Observed::Broken { found, why } => {
                same("the broken key", &found.remote, &key)?;
                same("its trouble", &why.class, &ErrorClass::KeyUnusable)?;
            }
            other => return fail(format!("a key that is {harm:?} is seen as {other:?}")),
        }
    }
    Ok(())
}
