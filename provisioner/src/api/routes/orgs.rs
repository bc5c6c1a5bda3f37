//! Organizations and their audit.

use axum::{Json, extract::Path, http::StatusCode};

use crate::{
    api::{
        caller::Caller,
        extract::{Asked, Body},
        problem::{Kind, Problem},
        shape::{Accepted, AuditQuery, AuditView, IdentityView, NewName, OrgView, Page},
    },
    core::{Act, Name, Place, Request},
    edge,
    store::NewJob,
};

/// A name in a body.
pub(crate) fn name(text: &str, field: &str) -> Result<Name, Problem> {
    text.parse().map_err(|error: crate::core::NameError| {
        Problem::new(Kind::Invalid, error.to_string()).field(field).remedy("choose another name")
    })
}

/// Who asks, as the service sees it
#[utoipa::path(get, path = "/v1/identity", tag = "identity", responses((status = 200, body = IdentityView)))]
pub(crate) async fn identity(caller: Caller) -> Json<IdentityView> {
    let identity = &caller.identity;
    Json(IdentityView {
        token: identity.token.to_string(),
        name: identity.name.clone(),
        scope: identity.scope.as_str(),
    })
}

/// The organizations that one sees
#[utoipa::path(get, path = "/v1/orgs", tag = "organizations", responses((status = 200, body = Page<OrgView>)))]
pub(crate) async fn list(caller: Caller) -> Result<Json<Page<OrgView>>, Problem> {
    caller.permit(Act::ListOrgs, Place::Installation, "installation", "organizations").await?;
    let orgs = caller.seen().orgs().await?;
    Ok(Json(Page { items: orgs.into_iter().map(OrgView::from).collect(), next: None }))
}

/// Make an organization
#[utoipa::path(post, path = "/v1/orgs", tag = "organizations", request_body = NewName,
    responses((status = 201, body = OrgView)))]
pub(crate) async fn create(caller: Caller, Body(new): Body<NewName>) -> Result<(StatusCode, Json<OrgView>), Problem> {
    caller.permit(Act::CreateOrg, Place::Installation, "installation", &new.name).await?;
    let name = name(&new.name, "name")?;
    let change = caller.store().create_org(&name, edge::new_org_id(), caller.now_ms());
    let org = caller.change(Act::CreateOrg, None, name.as_str(), change).await?;
    Ok((StatusCode::CREATED, Json(org.into())))
}

/// An organization
#[utoipa::path(get, path = "/v1/orgs/{org}", tag = "organizations", params(("org" = String, Path)),
    responses((status = 200, body = OrgView)))]
pub(crate) async fn get(caller: Caller, Path(org): Path<String>) -> Result<Json<OrgView>, Problem> {
    Ok(Json(caller.org(&org, Act::GetOrg).await?.into()))
}

/// Delete an organization, with all that it has, by a job
#[utoipa::path(delete, path = "/v1/orgs/{org}", tag = "organizations", params(("org" = String, Path)),
    responses((status = 202, body = Accepted)))]
pub(crate) async fn delete(caller: Caller, Path(org): Path<String>) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let found = caller.org(&org, Act::DeleteOrg).await?;
    let change = caller.store().enqueue(NewJob::now(Request::DeleteOrg { org: found.id }), caller.now_ms());
    let accepted = caller.change(Act::DeleteOrg, Some(found.id), &org, change).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { job: accepted.job.0, fresh: accepted.fresh })))
}

/// What was done in an organization, and refused, oldest first
#[utoipa::path(get, path = "/v1/orgs/{org}/audit", tag = "audit", params(("org" = String, Path), AuditQuery),
    responses((status = 200, body = Page<AuditView>)))]
pub(crate) async fn audit(
    caller: Caller,
    Path(org): Path<String>,
    Asked(query): Asked<AuditQuery>,
) -> Result<Json<Page<AuditView>>, Problem> {
    let org = caller.org(&org, Act::ReadAudit).await?;
    let limit = within(query.limit, 100, 1_000)?;
    let after = position(query.cursor.as_deref(), 'a')?.unwrap_or(0);
    let entries = caller.seen().audit(org.id, after, limit).await?;
    let next = (entries.len() == limit as usize).then(|| entries.last().map(|last| format!("a{}", last.seq))).flatten();
    Ok(Json(Page { items: entries.into_iter().map(AuditView::from).collect(), next }))
}

/// A limit that may be left out.
pub(crate) fn within(limit: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(usual);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(Kind::Invalid, format!("{limit} is not from 1 to {most}")).field("limit").remedy("ask for fewer"))
}

/// Where a cursor points: a letter that says of which list it is, and a number.
pub(crate) fn position(cursor: Option<&str>, of: char) -> Result<Option<i64>, Problem> {
    let Some(text) = cursor else { return Ok(None) };
    let digits =
        text.strip_prefix(of).filter(|digits| digits.len() <= 18 && digits.bytes().all(|b| b.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(position) => Ok(Some(position)),
        None => Err(Problem::new(Kind::Invalid, "that is no cursor of this list")
            .field("cursor")
            .remedy("pass what `next` of the page before said")),
    }
}
