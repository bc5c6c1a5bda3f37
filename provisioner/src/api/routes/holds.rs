//! Holds: what keeps reconcile, stops and removals off a builder.

use axum::{Json, extract::Path, http::StatusCode};

use super::builders::{Target, arch};
use crate::{
    api::{
        caller::Caller,
        extract::Body,
        problem::{Kind, Problem},
        shape::{HoldRequest, HoldView, time},
    },
    core::Act,
    store::Hold,
};

/// A year: whoever needs more has a project of their own for it.
const LONGEST_SECS: u32 = 366 * 86_400;

/// Keep reconcile, stops and removals off a builder for a time
#[utoipa::path(put, path = "/v1/projects/{org}/{project}/builders/{arch}/hold", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)), request_body = HoldRequest,
    responses((status = 200, body = HoldView)))]
pub(crate) async fn hold(
    caller: Caller,
    Path((org, project, word)): Target,
    Body(new): Body<HoldRequest>,
) -> Result<Json<HoldView>, Problem> {
    let (owner, found) = caller.project(&org, &project, Act::HoldBuilder).await?;
    let arch = arch(&word)?;
    if !(1..=LONGEST_SECS).contains(&new.for_secs) {
        let detail = format!("{} is not from 1 to {LONGEST_SECS}", new.for_secs);
        return Err(Problem::new(Kind::Invalid, detail).field("for_secs").remedy("name a length of time in seconds"));
    }
    let reason = new.reason.trim();
    if !(1..=500).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
        return Err(Problem::new(Kind::Invalid, "a reason has 1 to 500 printable characters")
            .field("reason")
            .remedy("say why, for whoever meets the hold"));
    }
    let now_ms = caller.now_ms();
    let hold = Hold { until_ms: now_ms + i64::from(new.for_secs) * 1_000, reason: reason.to_owned() };
    let resource = format!("{org}/{project} {arch} until {}", time(hold.until_ms));
    let change = caller.store().hold(found.id, arch, &hold, now_ms);
    caller.change(Act::HoldBuilder, Some(owner.id), &resource, change).await?;
    Ok(Json(HoldView { until: time(hold.until_ms), reason: hold.reason }))
}

/// Let a builder go that is held
#[utoipa::path(delete, path = "/v1/projects/{org}/{project}/builders/{arch}/hold", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)), responses((status = 204)))]
pub(crate) async fn unhold(caller: Caller, Path((org, project, word)): Target) -> Result<StatusCode, Problem> {
    let (owner, found) = caller.project(&org, &project, Act::UnholdBuilder).await?;
    let arch = arch(&word)?;
    let change = caller.store().let_go(found.id, arch);
    caller.change(Act::UnholdBuilder, Some(owner.id), &format!("{org}/{project} {arch}"), change).await?;
    Ok(StatusCode::NO_CONTENT)
}
