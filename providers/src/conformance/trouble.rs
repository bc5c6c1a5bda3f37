//! What is promised where the cloud refuses, at once or later.

use regions::Arch;

use super::Harm;
use super::stage::{Flaw, Stage, check, fail, same};
use crate::{CacheSource, ErrorClass, Observed, Spec, Target, Token};

pub(super) async fn with_a_key_is_told_of_the_machine_that_died_of_it(stage: &Stage<'_>) -> Result<(), Flaw> {
    stage.needs("harms keys", |can| can.harms_keys)?;
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    stage.cloud.harm_key(home.region(), &key, Harm::Disabled).await;
    let CacheSource::Born(volume) = machine.cache.clone() else { return fail("no newborn cache") };
    let spec = Spec::Machine(machine);
    match stage.ensure(&spec, None).await {
        Err(error) => same("the refusal", &error.class(), &ErrorClass::KeyUnusable)?,
        Ok(first) => {
            let remote = first.found().map(|found| found.remote.clone());
            let told = |seen: &Observed| matches!(seen, Observed::Absent { died: Some(_) } | Observed::Broken { .. });
            let seen = if told(&first) {
                first
            } else {
                stage.wait("the machine's death", &spec, remote.as_ref(), told).await?
            };
            match seen {
                Observed::Absent { died: Some(why) } | Observed::Broken { why, .. } => {
                    same("what it died of", &why.class, &ErrorClass::KeyUnusable)?;
                }
                other => return fail(format!("a machine under a disabled key is {other:?}")),
            }
            if remote.is_some() {
                stage.gone(&spec, remote.as_ref()).await?;
            }
        }
    }
    stage.outwait_hiding().await;
    let seen = stage.look(&Spec::Volume(volume), None).await?;
    check(seen.is_absent(), || format!("the volume of a machine that died of its key is {seen:?}"))
}

pub(super) async fn with_capacity_comes_before_any_effect(stage: &Stage<'_>) -> Result<(), Flaw> {
    stage.needs("sets the room in a zone", |can| can.sets_room)?;
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let CacheSource::Born(volume) = machine.cache.clone() else { return fail("no newborn cache") };
    stage.cloud.set_room(home, machine.machine, false).await;
    let spec = Spec::Machine(machine.clone());
    let refused = stage.ensure(&spec, None).await;
    let late = refused.is_ok();
    match refused {
        Err(error) => same("the refusal", &error.class(), &ErrorClass::NoCapacity)?,
        Ok(first) => {
            // Some clouds say yes, and then take it back.
            let remote = first.found().map(|found| found.remote.clone());
            let told = |seen: &Observed| matches!(seen, Observed::Absent { died: Some(_) });
            match stage.wait("the machine's death", &spec, remote.as_ref(), told).await? {
                Observed::Absent { died: Some(why) } => {
                    same("what it died of", &why.class, &ErrorClass::NoCapacity)?;
                }
                other => return fail(format!("a zone without room has {other:?}")),
            }
            match stage.ensure(&spec, None).await {
                Err(error) => same("the same request again", &error.class(), &ErrorClass::NoCapacity)?,
                Ok(Observed::Absent { .. }) => {}
                Ok(seen) => return fail(format!("a request that was taken back makes {seen:?}")),
            }
        }
    }
    stage.cloud.set_room(home, machine.machine, true).await;
    stage.outwait_hiding().await;
    for spec in [Spec::Machine(machine.clone()), Spec::Volume(volume)] {
        let seen = stage.look(&spec, None).await?;
        check(seen.is_absent(), || format!("after a refusal there is {seen:?}"))?;
    }
    if late {
        // What was taken back has spent its token: the next incarnation has another.
        let target = Target { spec: spec.clone(), remote: None };
        let made = stage.provider().ensure(&Token::derive(spec.id(), 1), &target).await?;
        let remote = made.found().map(|found| found.remote.clone());
        let Some(remote) = remote else { return fail(format!("another token makes {made:?}")) };
        return stage.running(&spec, &remote).await.map(drop);
    }
    // A refusal does not spend the token.
    stage.machine(&machine).await.map(drop)
}

pub(super) async fn with_a_wrong_region_is_refused(stage: &Stage<'_>) -> Result<(), Flaw> {
    let (home, mut others) = (stage.home()?, stage.cloud.placements().into_iter());
    let Some(elsewhere) = others.find(|other| other.region() != home.region()) else {
        return Err(Flaw::Skip("there is only one region".to_owned()));
    };
    let target = Target { spec: Spec::Key(stage.key_spec("acme", home.region())), remote: None };
    match stage.provider().observe(elsewhere.region(), &[target]).await {
        Err(error) => same("the refusal", &error.class(), &ErrorClass::Invalid),
        Ok(seen) => fail(format!("a look at the wrong region shows {seen:?}")),
    }
}
