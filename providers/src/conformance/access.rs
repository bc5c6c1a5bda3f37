//! What is promised of ways in.

use regions::{Arch, Cloud};

use super::stage::{Flaw, Stage, check, fail, same};
use crate::{Access, Closed, ErrorClass, Found, MachineSpec, NO_MACHINE, Principal, RemoteId, Spec};

/// Longer than any run of the suite.
const HOUR_MS: i64 = 3_600_000;

fn somebody(stage: &Stage<'_>, name: &str) -> Result<Principal, Flaw> {
    let cloud = stage.provider().cloud();
    let text = match cloud {
        Cloud::Aws => format!("arn:aws:iam::123456789012:role/{name}"),
        Cloud::Gcp => format!("user:{name}@example.com"),
    };
    Principal::parse(cloud, &text).map_err(|why| Flaw::Fail(why.to_string()))
}

fn access(stage: &Stage<'_>, grant: &str, machine: &MachineSpec, found: &Found) -> Result<Access, Flaw> {
    Ok(Access {
        grant: stage.id(grant).as_uuid(),
        machine: machine.id,
        remote: found.remote.clone(),
        placement: machine.placement,
        principal: somebody(stage, grant)?,
        until_ms: stage.cloud.now_ms() + HOUR_MS,
    })
}

async fn closed(stage: &Stage<'_>, access: &Access) -> Result<(), Flaw> {
    for _ in 0..20 {
        if stage.provider().close_access(access).await? == Closed::Gone {
            return Ok(());
        }
        stage.cloud.pass(stage.cloud.pause_ms()).await;
    }
    fail("a way in is not gone after twenty calls")
}

async fn may_enter(stage: &Stage<'_>, access: &Access, who: &Principal) -> bool {
    stage.cloud.enter(access.placement, &access.remote, who).await
}

pub(super) async fn is_for_one_person_until_it_is_closed(stage: &Stage<'_>) -> Result<(), Flaw> {
    stage.needs("lets somebody in", |able| able.lets_in)?;
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let found = stage.machine(&machine).await?;
    let way = access(stage, "ann", &machine, &found)?;
    let other = somebody(stage, "bob")?;
    check(!may_enter(stage, &way, &way.principal).await, || "somebody comes in without a way".to_owned())?;
    let opened = stage.provider().open_access(&way).await?;
    let short = way.remote.as_str().rsplit('/').next().unwrap_or_default();
    check(opened.command.contains(short), || format!("the command does not name {short}: {}", opened.command))?;
    check(may_enter(stage, &way, &way.principal).await, || "a way that is open lets nobody in".to_owned())?;
    check(!may_enter(stage, &way, &other).await, || "a way lets somebody else in".to_owned())?;
    same("opened again", &stage.provider().open_access(&way).await?, &opened)?;
    closed(stage, &way).await?;
    check(!may_enter(stage, &way, &way.principal).await, || "a way that was closed lets somebody in".to_owned())?;
    same("closed again", &stage.provider().close_access(&way).await?, &Closed::Gone)?;
    // Nothing else of the machine has changed.
    let seen = stage.look(&Spec::Machine(machine), Some(&found.remote)).await?;
    check(matches!(seen, crate::Observed::Ready(_)), || format!("after it the machine is {seen:?}"))
}

pub(super) async fn stays_when_another_grants_is_closed(stage: &Stage<'_>) -> Result<(), Flaw> {
    stage.needs("lets somebody in", |able| able.lets_in)?;
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let found = stage.machine(&machine).await?;
    let way = access(stage, "ann", &machine, &found)?;
    let never_opened = Access { grant: stage.id("another").as_uuid(), ..way.clone() };
    stage.provider().open_access(&way).await?;
    same("of a grant that has none", &stage.provider().close_access(&never_opened).await?, &Closed::Gone)?;
    check(may_enter(stage, &way, &way.principal).await, || "another grant's closing closed this one".to_owned())?;
    closed(stage, &way).await
}

pub(super) async fn is_only_onto_the_machine_that_was_meant(stage: &Stage<'_>) -> Result<(), Flaw> {
    let home = stage.home()?;
    let key = stage.key("acme", home.region()).await?;
    let machine = stage.cold("one", home, Arch::X86_64, &key)?;
    let found = stage.machine(&machine).await?;
    let way = access(stage, "ann", &machine, &found)?;
    let another = Access { machine: stage.id("another"), ..way.clone() };
    refused(stage, &another, "another machine's").await?;
    let nothing = Access { remote: unlike(&way.remote), ..way.clone() };
    refused(stage, &nothing, "a machine's that never was").await?;
    same("closing at no machine", &stage.provider().close_access(&nothing).await?, &Closed::Gone)?;
    stage.provider().open_access(&way).await?;
    stage.gone(&Spec::Machine(machine), Some(&found.remote)).await?;
    refused(stage, &way, "a machine's that is gone").await?;
    closed(stage, &way).await
}

async fn refused(stage: &Stage<'_>, access: &Access, what: &str) -> Result<(), Flaw> {
    match stage.provider().open_access(access).await {
        Err(error) if error.class() == ErrorClass::Conflict && error.trouble.code == NO_MACHINE => Ok(()),
        other => fail(format!("the way onto {what}: {other:?}")),
    }
}

/// A name of the same form that nothing has: its last digit is another.
fn unlike(remote: &RemoteId) -> RemoteId {
    let mut text = remote.as_str().to_owned();
    let last = text.pop();
    text.push(if last == Some('0') { '1' } else { '0' });
    RemoteId(text)
}
