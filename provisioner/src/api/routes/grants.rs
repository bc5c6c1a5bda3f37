//! Debug access: granted by owners, opened by operators, ended by its time or by either.

use std::time::Duration;

use axum::{Json, extract::Path, http::StatusCode};
use providers::Principal;
use regions::Cloud;

use super::builders::{Target, arch};
use crate::{
    api::{
        caller::Caller,
        extract::{Asked, Body},
        problem::{Kind, Problem},
        shape::{GrantRequest, GrantView, Page, WaitQuery, time},
    },
    core::{Act, GrantId, Org, Place, Project},
    edge,
    store::{Grant, GrantState, NewGrant},
};

/// Eight hours, as the database has it.
const LONGEST_SECS: u32 = 28_800;
/// The newest of a project, which has few.
const MOST: u32 = 200;
const LOOK_MS: u64 = 500;

type Named = Path<(String, String, String)>;

/// Grant debug access to a builder: to one person or role, for at most eight hours
///
/// Only an owner's own token does it. Nobody is let in by it yet: an operator asks for that with `open`. A builder has one grant at a time.
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/builders/{arch}/grants", tag = "debug access",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)), request_body = GrantRequest,
    responses((status = 201, body = GrantView)))]
pub(crate) async fn create(
    caller: Caller,
    Path((org, project, word)): Target,
    Body(new): Body<GrantRequest>,
) -> Result<(StatusCode, Json<GrantView>), Problem> {
    let (owner, found) = caller.project(&org, &project, Act::CreateGrant).await?;
    let arch = arch(&word)?;
    let principal = Principal::parse(found.cloud, &new.principal).map_err(|bad| {
        // What names somebody elsewhere is well said, and of no use for this project.
        let is_of_another = Cloud::ALL.iter().any(|cloud| Principal::parse(*cloud, &new.principal).is_ok());
        let kind = if is_of_another { Kind::Refused } else { Kind::Invalid };
        Problem::new(kind, bad.to_string()).field("principal").remedy(bad.wanted)
    })?;
    if !(1..=LONGEST_SECS).contains(&new.for_secs) {
        let detail = format!("{} is not from 1 to {LONGEST_SECS}", new.for_secs);
        let remedy = "name a length of time in seconds, of eight hours at most; grant again when it is over";
        return Err(Problem::new(Kind::Invalid, detail).field("for_secs").remedy(remedy));
    }
    let reason = new.reason.trim();
    if !(1..=500).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
        return Err(Problem::new(Kind::Invalid, "a reason has 1 to 500 printable characters")
            .field("reason")
            .remedy("say why, for whoever reads the audit"));
    }
    let now_ms = caller.now_ms();
    let new = NewGrant {
        id: edge::new_grant_id(),
        project: found.id,
        arch,
        principal,
        reason: reason.to_owned(),
        created_by: caller.identity.name.clone(),
        until_ms: now_ms + i64::from(new.for_secs) * 1_000,
    };
    let until = time(new.until_ms);
    let resource =
        format!("{org}/{project} {arch}: grant {} to {} until {until}: {}", new.id, new.principal, new.reason);
    let change = caller.store().create_grant(&new, now_ms);
    caller.change(Act::CreateGrant, Some(owner.id), &resource, change).await?;
    let grant = caller.seen().grant(new.id).await?;
    Ok((StatusCode::CREATED, Json(GrantView::new(&org, &project, &grant, now_ms))))
}

/// The newest 200 grants of a project
#[utoipa::path(get, path = "/v1/projects/{org}/{project}/grants", tag = "debug access",
    params(("org" = String, Path), ("project" = String, Path)), responses((status = 200, body = Page<GrantView>)))]
pub(crate) async fn list(
    caller: Caller,
    Path((org, project)): Path<(String, String)>,
) -> Result<Json<Page<GrantView>>, Problem> {
    let (_, found) = caller.project(&org, &project, Act::ListGrants).await?;
    let (grants, now_ms) = (caller.seen().grants(Some(found.id), MOST).await?, caller.now_ms());
    Ok(Json(Page {
        items: grants.iter().map(|grant| GrantView::new(&org, &project, grant, now_ms)).collect(),
        next: None,
    }))
}

/// A grant; with `wait_secs`, once its way is open or closed
#[utoipa::path(get, path = "/v1/projects/{org}/{project}/grants/{grant}", tag = "debug access",
    params(("org" = String, Path), ("project" = String, Path), ("grant" = String, Path), WaitQuery),
    responses((status = 200, body = GrantView)))]
pub(crate) async fn get(
    caller: Caller,
    Path((org, project, id)): Named,
    Asked(query): Asked<WaitQuery>,
) -> Result<Json<GrantView>, Problem> {
    let (owner, found, mut grant) = one(&caller, (&org, &project, &id), Act::ListGrants).await?;
    let wait = query.wait_secs.unwrap_or(0);
    if wait > 60 {
        return Err(Problem::new(Kind::Invalid, format!("{wait} is more than 60")).field("wait_secs"));
    }
    let until_ms = caller.now_ms() + i64::from(wait) * 1_000;
    while matches!(grant.state, GrantState::Opening | GrantState::Closing)
        && caller.now_ms() < until_ms
        && !caller.app.is_leaving()
    {
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        caller.still(Act::ListGrants, Place::Project { org: owner.id, project: found.id }).await?;
        grant = caller.seen().grant(grant.id).await?;
    }
    Ok(Json(GrantView::new(&org, &project, &grant, caller.now_ms())))
}

/// Have the way of a grant opened: the worker lets its principal onto the builder that runs now
///
/// Refused without a live grant. Follow the grant with `wait_secs`: once it is `open` it has the command to enter by.
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/grants/{grant}/open", tag = "debug access",
    params(("org" = String, Path), ("project" = String, Path), ("grant" = String, Path)),
    responses((status = 202, body = GrantView)))]
pub(crate) async fn open(
    caller: Caller,
    Path((org, project, id)): Named,
) -> Result<(StatusCode, Json<GrantView>), Problem> {
    let (owner, _, grant) = one(&caller, (&org, &project, &id), Act::OpenGrant).await?;
    let (by, now_ms) = (caller.identity.name.clone(), caller.now_ms());
    let change = caller.store().open_grant(grant.id, &by, now_ms);
    caller.change(Act::OpenGrant, Some(owner.id), &resource(&org, &project, &grant), change).await?;
    let grant = caller.seen().grant(grant.id).await?;
    Ok((StatusCode::ACCEPTED, Json(GrantView::new(&org, &project, &grant, now_ms))))
}

/// End a grant before its time: what is open is closed, and the sessions are ended where the cloud can
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/grants/{grant}/revoke", tag = "debug access",
    params(("org" = String, Path), ("project" = String, Path), ("grant" = String, Path)),
    responses((status = 200, body = GrantView)))]
pub(crate) async fn revoke(caller: Caller, Path((org, project, id)): Named) -> Result<Json<GrantView>, Problem> {
    let (owner, _, grant) = one(&caller, (&org, &project, &id), Act::RevokeGrant).await?;
    let (by, now_ms) = (caller.identity.name.clone(), caller.now_ms());
    let change = caller.store().revoke_grant(grant.id, &by, now_ms);
    caller.change(Act::RevokeGrant, Some(owner.id), &resource(&org, &project, &grant), change).await?;
    let grant = caller.seen().grant(grant.id).await?;
    Ok(Json(GrantView::new(&org, &project, &grant, now_ms)))
}

fn resource(org: &str, project: &str, grant: &Grant) -> String {
    format!("{org}/{project} {}: grant {} to {}", grant.arch, grant.id, grant.principal)
}

/// The grant of that id, which is the project's.
async fn one(
    caller: &Caller,
    (org, project, id): (&str, &str, &str),
    act: Act,
) -> Result<(Org, Project, Grant), Problem> {
    let (owner, found) = caller.project(org, project, act).await?;
    let grant = match id.parse().map(GrantId::from_uuid) {
        Ok(id) => caller.found(caller.seen().grant(id).await)?.filter(|grant| grant.project == found.id),
        Err(_) => None,
    };
    match grant {
        Some(grant) => Ok((owner, found, grant)),
        None => {
            caller.refuse(act, Some(owner.id), &format!("{org}/{project} {id}"), Problem::not_found("grant", id)).await
        }
    }
}
