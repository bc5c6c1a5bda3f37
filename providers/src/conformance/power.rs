//! What is promised of starting and stopping.

use regions::Arch;

use super::stage::{Flaw, Stage, check, fail, same};
use crate::{Observed, Power, Spec, Target};

pub(super) async fn can_be_asked_for_twice(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let (found, cache) = stage.machine_and_cache(&machine).await?;
    let target = Target { spec: Spec::Machine(machine), remote: Some(found.remote.clone()) };
    for power in [Power::Running, Power::Stopped, Power::Stopped, Power::Running, Power::Running] {
        match stage.power(&target, power).await? {
            Observed::Pending(seen) | Observed::Ready(seen) => same("the machine", &seen.remote, &found.remote)?,
            other => return fail(format!("a machine that is to be {power:?} is {other:?}")),
        }
        let rests = |seen: &Observed| {
            matches!(seen, Observed::Ready(found) if found.power == Some(power))
                || matches!(seen, Observed::Broken { .. } | Observed::Absent { .. })
        };
        match stage.wait("the machine at rest", &target.spec, Some(&found.remote), rests).await? {
            Observed::Ready(seen) => {
                same("its cache", &seen.cache.as_ref(), &Some(&cache))?;
                let has_address = seen.address.is_some();
                check(power == Power::Stopped || has_address, || "a running machine has no address".to_owned())?;
            }
            other => return fail(format!("a machine that was asked to be {power:?} is {other:?}")),
        }
    }
    Ok(())
}

pub(super) async fn of_nothing_is_absent(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let spec = Spec::Machine(stage.cold("nobody", home, Arch::X86_64, &key)?);
    let target = Target { spec, remote: None };
    for power in [Power::Running, Power::Stopped] {
        let seen = stage.power(&target, power).await?;
        check(seen.is_absent(), || format!("a machine that never was, asked to be {power:?}, is {seen:?}"))?;
    }
    Ok(())
}
