//! `debug`: who may come onto a builder for a while. It works at the database, where whoever can reach it is an operator; what only an
//! owner may do takes the owner's token all the same.

use std::time::Duration;

use providers::Principal;
use serde_json::{Value, json};

use super::{
    Failure,
    access::deed,
    args::{BuilderName, DebugCommand, ProjectPath},
    screen::or_dash,
    session::Session,
    span::Moment,
    time::{clock_time, rfc3339},
};
use crate::{
    core::{Act, GrantId, Identity, Org, Place, Project, Secret, TokenKind, Word, audit::Deed},
    edge,
    store::{Grant, GrantState, NewGrant},
};

/// The variable that has the owner's token.
const TOKEN: &str = "PROVISIONER_TOKEN";
/// For how long a command waits for a worker.
const PATIENCE_MS: i64 = 60_000;
const LOOK: Duration = Duration::from_millis(300);
const LONGEST_MS: i64 = 28_800_000;
/// The newest of a project.
const MOST: u32 = 200;

pub(crate) async fn debug(session: &Session, command: DebugCommand) -> Result<(), Failure> {
    match command {
        DebugCommand::Grant { builder, to, until, reason } => grant(session, &builder, &to, until, &reason).await,
        DebugCommand::Open { project, grant } => open(session, &project, grant).await,
        DebugCommand::Revoke { project, grant } => revoke(session, &project, grant).await,
        DebugCommand::List { project } => list(session, &project).await,
    }
}

/// The length of time that was asked for, in seconds, and the reason: what can be told before anybody is asked.
pub(super) fn checked(until: Moment, reason: &str, now_ms: i64) -> Result<(i64, String), Failure> {
    let for_ms = until.ms(now_ms) - now_ms;
    if for_ms < 1_000 {
        return Err(
            Failure::usage("--until is in the past").remedy("give a time to come, or a length of time such as 2h")
        );
    }
    if for_ms > LONGEST_MS {
        return Err(Failure::usage("--until is more than eight hours from now")
            .remedy("give eight hours at most, and grant again when they are over"));
    }
    let reason = reason.trim();
    if !(1..=500).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
        return Err(Failure::usage("--reason has 1 to 500 printable characters").remedy("say why, for the audit"));
    }
    Ok((for_ms / 1_000, reason.to_owned()))
}

/// The owner whose token it is, of whom the act is; a refusal is in the audit.
async fn owner(session: &Session, act: Act, org: &Org, project: &Project, resource: &str) -> Result<Identity, Failure> {
    let needs = || {
        format!("an owner's own token in {TOKEN}; an operator makes one with `provisioner token create --user NAME`")
    };
    let text = std::env::var(TOKEN)
        .map_err(|_| Failure::usage(format!("only an owner grants access, and {TOKEN} is not set")).remedy(needs()))?;
    let secret: Secret = text.trim().parse().map_err(|error| Failure::usage(format!("{TOKEN}: {error}")))?;
    let (hash, now_ms) = (secret.hash(), session.now_ms());
    let proved = match secret.kind() {
        TokenKind::Workflow => session.store.authenticate_workflow(&hash, now_ms).await?,
        TokenKind::Operator | TokenKind::Org | TokenKind::Project | TokenKind::User => {
            session.store.authenticate(&hash, now_ms).await?
        }
    };
    let place = Place::Project { org: org.id, project: project.id };
    let who = match proved {
        Ok(identity) if identity.may(act, place) == Word::Yes => return Ok(identity),
        Ok(identity) => identity.name,
        Err(why) => format!("nobody: {why:?}"),
    };
    let refusal = Deed {
        identity: who.clone(),
        outcome: "forbidden".to_owned(),
        ..deed(session, act, Some(org.id), resource.to_owned())
    };
    session.store.append_deed(refusal).await?;
    Err(Failure::failed(format!("{who} may not `{}` here: only an owner of {} may", act.as_str(), org.name))
        .remedy(needs()))
}

async fn grant(session: &Session, builder: &BuilderName, to: &str, until: Moment, reason: &str) -> Result<(), Failure> {
    let now_ms = session.now_ms();
    let (for_secs, reason) = checked(until, reason, now_ms)?;
    let (org, project) = session.store.project(&builder.project.org, &builder.project.project).await?;
    let principal =
        Principal::parse(project.cloud, to).map_err(|bad| Failure::usage(format!("--to: {bad}")).remedy(bad.wanted))?;
    let name = format!("{}/{} {}", org.name, project.name, builder.arch);
    let identity = owner(session, Act::CreateGrant, &org, &project, &name).await?;
    let new = NewGrant {
        id: edge::new_grant_id(),
        project: project.id,
        arch: builder.arch,
        principal,
        reason,
        created_by: identity.name.clone(),
        until_ms: now_ms + for_secs * 1_000,
    };
    let resource =
        format!("{name}: grant {} to {} until {}: {}", new.id, new.principal, rfc3339(new.until_ms), new.reason);
    let deed = Deed {
        identity: identity.name,
        token: Some(identity.token),
        ..deed(session, Act::CreateGrant, Some(org.id), resource)
    };
    session.store.audited(deed, session.store.create_grant(&new, now_ms)).await?;
    let grant = session.store.grant(new.id).await?;
    if session.screen.is_json() {
        return session.screen.json(&view(&builder.project, &grant));
    }
    session.screen.line(&format!(
        "grant {}: {} may be let onto {name} until {}",
        grant.id,
        grant.principal,
        clock_time(grant.until_ms)
    ))?;
    session.screen.line(&format!("  then: provisioner debug open {} {}", builder.project, grant.id))
}

/// The grant of that id, which is the project's.
async fn one(session: &Session, path: &ProjectPath, id: GrantId) -> Result<(Org, Grant), Failure> {
    let (org, project) = session.store.project(&path.org, &path.project).await?;
    let grant = session.store.grant(id).await?;
    if grant.project != project.id {
        return Err(Failure::failed(format!("grant `{id}` is not {path}'s")).remedy("see `provisioner debug list`"));
    }
    Ok((org, grant))
}

async fn open(session: &Session, path: &ProjectPath, id: GrantId) -> Result<(), Failure> {
    let (org, grant) = one(session, path, id).await?;
    let deed = deed(
        session,
        Act::OpenGrant,
        Some(org.id),
        format!("{path} {}: grant {id} to {}", grant.arch, grant.principal),
    );
    let by = deed.identity.clone();
    session.store.audited(deed, session.store.open_grant(id, &by, session.now_ms())).await?;
    let grant = settled(session, id).await?;
    if session.screen.is_json() {
        return session.screen.json(&view(path, &grant));
    }
    match (&grant.command, grant.state) {
        (Some(command), GrantState::Open) => {
            session.screen.line(&format!(
                "grant {id} is open for {} until {}",
                grant.principal,
                clock_time(grant.until_ms)
            ))?;
            session.screen.line(&format!("  enter: {command}"))
        }
        _ => Err(unsettled(&grant, "opened")),
    }
}

async fn revoke(session: &Session, path: &ProjectPath, id: GrantId) -> Result<(), Failure> {
    let (org, grant) = one(session, path, id).await?;
    let deed = deed(
        session,
        Act::RevokeGrant,
        Some(org.id),
        format!("{path} {}: grant {id} to {}", grant.arch, grant.principal),
    );
    let by = deed.identity.clone();
    session.store.audited(deed, session.store.revoke_grant(id, &by, session.now_ms())).await?;
    let grant = session.store.grant(id).await?;
    if session.screen.is_json() {
        return session.screen.json(&view(path, &grant));
    }
    session.screen.line(&said_of_end(&grant))
}

/// What a revocation has come to.
pub(super) fn end_said(id: &str, state: &str) -> String {
    if state == "closed" {
        return format!("grant {id} is over: nobody is let in by it");
    }
    format!(
        "grant {id} is over; a worker takes its way away now (`provisioner debug list` says `closed` when nothing is left). \
         On Google Cloud a connection that stands ends with its client, or when the builder is stopped"
    )
}

fn said_of_end(grant: &Grant) -> String {
    end_said(&grant.id.to_string(), grant.state.as_str())
}

/// The grant, once its way has been opened or could not be.
async fn settled(session: &Session, id: GrantId) -> Result<Grant, Failure> {
    let until_ms = session.now_ms() + PATIENCE_MS;
    loop {
        let grant = session.store.grant(id).await?;
        if grant.state != GrantState::Opening || session.now_ms() > until_ms {
            return Ok(grant);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn unsettled(grant: &Grant, what: &str) -> Failure {
    let why = grant.problem.clone().unwrap_or_else(|| "no worker has answered yet".to_owned());
    Failure::failed(format!("grant {} has not been {what}, it is {}: {why}", grant.id, grant.state.as_str()))
        .remedy("see that a worker runs; `provisioner debug list` shows how it goes on")
}

async fn list(session: &Session, path: &ProjectPath) -> Result<(), Failure> {
    let (_, project) = session.store.project(&path.org, &path.project).await?;
    let grants = session.store.seen_by(&crate::core::Tenants::All).grants(Some(project.id), MOST).await?;
    if session.screen.is_json() {
        return session.screen.json(&grants.iter().map(|grant| view(path, grant)).collect::<Vec<Value>>());
    }
    let rows = grants.iter().map(|grant| {
        vec![
            grant.id.to_string(),
            grant.arch.to_string(),
            grant.state.as_str().to_owned(),
            grant.principal.clone(),
            clock_time(grant.until_ms),
            grant.created_by.clone(),
            or_dash(grant.remote.as_ref()),
            or_dash(grant.problem.as_ref().or(Some(&grant.reason))),
        ]
    });
    let head = ["GRANT", "ARCH", "STATE", "WHO", "UNTIL", "BY", "MACHINE", "WHY"];
    session.screen.table(&head, rows.collect(), "nobody has been granted debug access")
}

fn view(path: &ProjectPath, grant: &Grant) -> Value {
    json!({
        "id": grant.id, "org": path.org, "project": path.project, "arch": grant.arch, "principal": grant.principal,
        "reason": grant.reason, "state": grant.state, "created_at": rfc3339(grant.created_ms), "created_by": grant.created_by,
        "until": rfc3339(grant.until_ms), "revoked_at": grant.revoked_ms.map(rfc3339), "revoked_by": grant.revoked_by,
        "opened_by": grant.opened_by, "machine": grant.remote, "command": grant.command, "problem": grant.problem,
    })
}
