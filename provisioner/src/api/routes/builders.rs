//! Builders and caches of a project.

use std::time::Duration;

use axum::{
    Json,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use providers::Kind as Thing;
use regions::Arch;

use super::jobs::ask;
use crate::{
    api::{
        caller::Caller,
        extract::Asked,
        problem::{Kind, Problem},
        shape::{Accepted, AcquiredView, AcquiredWord, BuilderView, CacheView, Page, VerbWord, WaitQuery},
    },
    core::{Act, JobState, Place, ProjectId, ResourceRow, RowState},
    store::Acquired,
};

/// Seconds after which somebody who waits for a builder asks again.
const AGAIN_SECS: u32 = 2;
/// How often a long poll looks.
const LOOK_MS: u64 = 500;

pub(crate) type Target = Path<(String, String, String)>;
type Asking = Result<(StatusCode, Json<Accepted>), Problem>;

pub(crate) fn arch(text: &str) -> Result<Arch, Problem> {
    text.parse().map_err(|_| Problem::not_found("architecture", text))
}

/// The builders of a project
#[utoipa::path(get, path = "/v1/projects/{org}/{project}/builders", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path)), responses((status = 200, body = Page<BuilderView>)))]
pub(crate) async fn list(
    caller: Caller,
    Path((org, project)): Path<(String, String)>,
) -> Result<Json<Page<BuilderView>>, Problem> {
    let (_, found) = caller.project(&org, &project, Act::GetBuilder).await?;
    let rows = caller.seen().resources(found.id, Thing::Machine).await?;
    Ok(Json(Page { items: rows.iter().map(|row| BuilderView::new(&org, &project, row)).collect(), next: None }))
}

/// A builder; with `wait_secs`, once it runs or the job at it has ended
#[utoipa::path(get, path = "/v1/projects/{org}/{project}/builders/{arch}", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path), WaitQuery),
    responses((status = 200, body = BuilderView)))]
pub(crate) async fn get(
    caller: Caller,
    Path((org, project, word)): Target,
    Asked(query): Asked<WaitQuery>,
) -> Result<Json<BuilderView>, Problem> {
    let (owner, found) = caller.project(&org, &project, Act::GetBuilder).await?;
    let arch = arch(&word)?;
    let wait = query.wait_secs.unwrap_or(0);
    if wait > 60 {
        return Err(Problem::new(Kind::Invalid, format!("{wait} is more than 60")).field("wait_secs"));
    }
    let until_ms = caller.now_ms() + i64::from(wait) * 1_000;
    loop {
        let row = machine(&caller, found.id, arch).await?;
        let runs = row.as_ref().is_some_and(|row| row.state == RowState::Ready);
        if runs || caller.now_ms() >= until_ms || caller.app.is_leaving() || !is_busy(&caller, found.id, arch).await? {
            let row = row.ok_or_else(|| Problem::not_found("builder", &format!("{org}/{project} {word}")))?;
            return Ok(Json(BuilderView::new(&org, &project, &row)));
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        caller.still(Act::GetBuilder, Place::Project { org: owner.id, project: found.id }).await?;
    }
}

async fn machine(caller: &Caller, project: ProjectId, arch: Arch) -> Result<Option<ResourceRow>, Problem> {
    let rows = caller.seen().resources(project, Thing::Machine).await?;
    Ok(rows.into_iter().find(|row| row.arch == Some(arch)))
}

/// Whether a job is at that builder.
async fn is_busy(caller: &Caller, project: ProjectId, arch: Arch) -> Result<bool, Problem> {
    for state in [JobState::Queued, JobState::Running] {
        let filter = crate::store::JobFilter {
            state: Some(state),
            project: Some(project),
            limit: 50,
            ..crate::store::JobFilter::default()
        };
        if caller.seen().jobs(filter).await?.iter().any(|job| job.arch == Some(arch)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The one call that a build needs: the builder that is ready, or the job that makes it so
///
/// However many ask at once, there is one job. 200 with the endpoint, or 202 with the job and when to ask again; 503 when the
/// last try has failed a moment ago, or is stuck.
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/builders/{arch}/acquire", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)),
    responses((status = 200, body = AcquiredView), (status = 202, body = AcquiredView)))]
pub(crate) async fn acquire(caller: Caller, Path((org, project, word)): Target) -> Result<Response, Problem> {
    let (owner, found) = caller.project(&org, &project, Act::AcquireBuilder).await?;
    let arch = arch(&word)?;
    match caller.store().acquire(found.id, arch, caller.now_ms()).await? {
        Acquired::Ready(row) => {
            let view = AcquiredView {
                state: AcquiredWord::Ready,
                endpoint: row.address.clone(),
                job: None,
                retry_after_secs: None,
            };
            Ok(Json(view).into_response())
        }
        Acquired::Pending { job, fresh } => {
            if fresh {
                let resource = format!("{org}/{project} {arch} (job {job})");
                caller.change(Act::AcquireBuilder, Some(owner.id), &resource, async { Ok(()) }).await?;
            }
            let view = AcquiredView {
                state: AcquiredWord::Pending,
                endpoint: None,
                job: Some(job.0),
                retry_after_secs: Some(AGAIN_SECS),
            };
            let mut response = (StatusCode::ACCEPTED, Json(view)).into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(AGAIN_SECS));
            Ok(response)
        }
        Acquired::Failed { job, state, again_ms } => Err(failed(&caller, job.0, state, again_ms)),
    }
}

fn failed(caller: &Caller, job: i64, state: JobState, again_ms: Option<i64>) -> Problem {
    let told = Problem::new(Kind::BuilderFailed, format!("job {job} for this builder is {}", state.as_str())).job(job);
    match again_ms {
        Some(at_ms) => {
            let secs = u64::try_from((at_ms - caller.now_ms()).max(0) / 1_000 + 1).unwrap_or(1);
            told.remedy(format!("GET /v1/jobs/{job} says why; ask again later and it is tried anew")).retry_after(secs)
        }
        None => told
            .remedy(format!("GET /v1/jobs/{job} says why; when that is mended, POST /v1/jobs/{job}/retry"))
            .retry_after(60),
    }
}

/// Say that a build goes on: it keeps the builder from being switched off
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/builders/{arch}/touch", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)), responses((status = 204)))]
pub(crate) async fn touch(caller: Caller, target: Target) -> Result<StatusCode, Problem> {
    used(&caller, target, Act::TouchBuilder).await
}

/// Say that a build is over: the idle time counts from here
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/builders/{arch}/release", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)), responses((status = 204)))]
pub(crate) async fn release(caller: Caller, target: Target) -> Result<StatusCode, Problem> {
    used(&caller, target, Act::ReleaseBuilder).await
}

async fn used(caller: &Caller, Path((org, project, word)): Target, act: Act) -> Result<StatusCode, Problem> {
    let (_, found) = caller.project(&org, &project, act).await?;
    let arch = arch(&word)?;
    if machine(caller, found.id, arch).await?.is_none() {
        return Err(Problem::not_found("builder", &format!("{org}/{project} {word}")));
    }
    caller.store().touch(found.id, arch, caller.now_ms()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have a builder made, or made right
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/builders/{arch}/provision", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)),
    responses((status = 202, body = Accepted)))]
pub(crate) async fn provision(caller: Caller, Path((org, project, word)): Target, headers: HeaderMap) -> Asking {
    ask(&caller, (&org, &project), VerbWord::Provision, arch(&word)?, &headers).await
}

/// Have a builder switched on
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/builders/{arch}/start", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)),
    responses((status = 202, body = Accepted)))]
pub(crate) async fn start(caller: Caller, Path((org, project, word)): Target, headers: HeaderMap) -> Asking {
    ask(&caller, (&org, &project), VerbWord::Start, arch(&word)?, &headers).await
}

/// Have a builder switched off
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/builders/{arch}/stop", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)),
    responses((status = 202, body = Accepted)))]
pub(crate) async fn stop(caller: Caller, Path((org, project, word)): Target, headers: HeaderMap) -> Asking {
    ask(&caller, (&org, &project), VerbWord::Stop, arch(&word)?, &headers).await
}

/// Have a builder taken away; its cache stays
#[utoipa::path(delete, path = "/v1/projects/{org}/{project}/builders/{arch}", tag = "builders",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)),
    responses((status = 202, body = Accepted)))]
pub(crate) async fn destroy(caller: Caller, Path((org, project, word)): Target, headers: HeaderMap) -> Asking {
    ask(&caller, (&org, &project), VerbWord::Destroy, arch(&word)?, &headers).await
}

/// The caches of a project
#[utoipa::path(get, path = "/v1/projects/{org}/{project}/caches", tag = "caches",
    params(("org" = String, Path), ("project" = String, Path)), responses((status = 200, body = Page<CacheView>)))]
pub(crate) async fn caches(
    caller: Caller,
    Path((org, project)): Path<(String, String)>,
) -> Result<Json<Page<CacheView>>, Problem> {
    let (_, found) = caller.project(&org, &project, Act::GetCache).await?;
    let rows = caller.seen().resources(found.id, Thing::Volume).await?;
    Ok(Json(Page { items: rows.iter().map(|row| CacheView::new(&org, &project, row)).collect(), next: None }))
}

/// Have a cache taken away, with what it holds
#[utoipa::path(delete, path = "/v1/projects/{org}/{project}/caches/{arch}", tag = "caches",
    params(("org" = String, Path), ("project" = String, Path), ("arch" = String, Path)),
    responses((status = 202, body = Accepted)))]
pub(crate) async fn destroy_cache(caller: Caller, Path((org, project, word)): Target, headers: HeaderMap) -> Asking {
    ask(&caller, (&org, &project), VerbWord::DestroyCache, arch(&word)?, &headers).await
}
