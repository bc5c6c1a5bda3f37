//! Jobs: asked for, followed, called off, tried again.

use axum::{
    Json,
    extract::Path,
    http::{HeaderMap, StatusCode},
};

use super::orgs::{position, within};
use crate::{
    api::{
        caller::Caller,
        extract::{Asked, Body},
        problem::{Kind, Problem},
        shape::{Accepted, JobQuery, JobRequest, JobView, Page, StoryView, VerbWord},
    },
    core::{Act, JobId, Place, ProjectId, Request, Who},
    store::{Job, JobFilter, NewJob},
};

/// The header by which a request that is sent twice is one.
const KEY: &str = "idempotency-key";

/// The caller's key, which is nobody else's: the keys of a project are apart from all others, for a token may be a project's alone.
fn key(headers: &HeaderMap, project: ProjectId) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let fits = |text: &&str| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let text = value.to_str().ok().filter(fits);
    let text = text.ok_or_else(|| {
        Problem::new(Kind::Invalid, "an idempotency key has 1 to 128 visible characters of ASCII, and no space")
            .field("Idempotency-Key")
            .remedy("use an id of your own for the request, such as a UUID")
    })?;
    Ok(Some(format!("api/{project}/{text}")))
}

pub(crate) fn request(verb: VerbWord, project: ProjectId, arch: regions::Arch) -> (Act, Request) {
    match verb {
        VerbWord::Provision => (Act::ProvisionBuilder, Request::Provision { project, arch }),
        VerbWord::Start => (Act::StartBuilder, Request::Start { project, arch }),
        VerbWord::Stop => (Act::StopBuilder, Request::Stop { project, arch }),
        VerbWord::Destroy => (Act::DestroyBuilder, Request::Destroy { project, arch }),
        VerbWord::DestroyCache => (Act::DestroyCache, Request::DestroyCache { project, arch }),
    }
}

/// Asks for a job about a builder or a cache of a project.
pub(crate) async fn ask(
    caller: &Caller,
    (org, project): (&str, &str),
    verb: VerbWord,
    arch: regions::Arch,
    headers: &HeaderMap,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    ask_with(caller, (org, project), (verb, arch, 0), headers).await
}

async fn ask_with(
    caller: &Caller,
    (org, project): (&str, &str),
    (verb, arch, priority): (VerbWord, regions::Arch, i16),
    headers: &HeaderMap,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let (act, _) = request(verb, ProjectId::from_uuid(uuid::Uuid::nil()), arch);
    let (owner, found) = caller.project(org, project, act).await?;
    let (_, request) = request(verb, found.id, arch);
    if !(-100..=100).contains(&priority) {
        return Err(Problem::new(Kind::Invalid, format!("{priority} is not from -100 to 100")).field("priority"));
    }
    if priority != 0 && caller.identity.who != Who::Operator {
        // All tenants' jobs wait in one queue.
        let told =
            Problem::new(Kind::Forbidden, "a priority is for operators").field("priority").remedy("leave it out");
        return caller.refuse(act, Some(owner.id), &format!("{org}/{project} {arch}"), told).await;
    }
    let job = NewJob { key: key(headers, found.id)?, priority, ..NewJob::now(request) };
    let change = caller.store().enqueue(job, caller.now_ms());
    let accepted = caller.change(act, Some(owner.id), &format!("{org}/{project} {arch}"), change).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { job: accepted.job.0, fresh: accepted.fresh })))
}

/// The jobs of a project, newest first
#[utoipa::path(get, path = "/v1/projects/{org}/{project}/jobs", tag = "jobs",
    params(("org" = String, Path), ("project" = String, Path), JobQuery),
    responses((status = 200, body = Page<JobView>)))]
pub(crate) async fn list(
    caller: Caller,
    Path((org, project)): Path<(String, String)>,
    Asked(query): Asked<JobQuery>,
) -> Result<Json<Page<JobView>>, Problem> {
    let (_, found) = caller.project(&org, &project, Act::ListJobs).await?;
    page(&caller, Some(found.id), query).await
}

/// Ask for a job
#[utoipa::path(post, path = "/v1/projects/{org}/{project}/jobs", tag = "jobs", request_body = JobRequest,
    params(("org" = String, Path), ("project" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]+$",
            description = "The same key, the same request: the same job")),
    responses((status = 202, body = Accepted)))]
pub(crate) async fn create(
    caller: Caller,
    Path((org, project)): Path<(String, String)>,
    headers: HeaderMap,
    Body(new): Body<JobRequest>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    ask_with(&caller, (&org, &project), (new.kind, new.arch.into(), new.priority), &headers).await
}

/// The jobs that one can see, of all projects together, newest first
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", params(JobQuery), responses((status = 200, body = Page<JobView>)))]
pub(crate) async fn find(caller: Caller, Asked(query): Asked<JobQuery>) -> Result<Json<Page<JobView>>, Problem> {
    caller.permit(Act::FindJobs, Place::Installation, "installation", "jobs").await?;
    page(&caller, None, query).await
}

async fn page(caller: &Caller, project: Option<ProjectId>, query: JobQuery) -> Result<Json<Page<JobView>>, Problem> {
    let limit = within(query.limit, 50, 200)?;
    let filter = JobFilter {
        state: query.state.map(Into::into),
        project,
        limit,
        before: position(query.cursor.as_deref(), 'j')?.map(JobId),
        ..JobFilter::default()
    };
    let jobs = caller.seen().jobs(filter).await?;
    let next = (jobs.len() == limit as usize).then(|| jobs.last().map(|job| format!("j{}", job.id))).flatten();
    Ok(Json(Page { items: jobs.into_iter().map(JobView::from).collect(), next }))
}

/// A job's number, where it is one.
fn number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::not_found("job", text))
}

/// A job
#[utoipa::path(get, path = "/v1/jobs/{job}", tag = "jobs", params(("job" = String, Path)),
    responses((status = 200, body = JobView)))]
pub(crate) async fn get(caller: Caller, Path(job): Path<String>) -> Result<Json<JobView>, Problem> {
    Ok(Json(caller.job(number(&job)?, Act::GetJob).await?.into()))
}

/// A job's whole story: each step, each call, each error
#[utoipa::path(get, path = "/v1/jobs/{job}/story", tag = "jobs", params(("job" = String, Path)),
    responses((status = 200, body = StoryView)))]
pub(crate) async fn story(caller: Caller, Path(job): Path<String>) -> Result<Json<StoryView>, Problem> {
    let found = caller.job(number(&job)?, Act::ReadStory).await?;
    let entries = caller.store().entries(found.id).await?;
    let (policy, visibility_secs) = caller.app.policy();
    Ok(Json(StoryView::new(found, entries, policy, visibility_secs)))
}

/// The job, for whom may decide about it: who may not ask for it may neither call it off nor have it tried again.
async fn decided(caller: &Caller, job: &str, act: Act) -> Result<Job, Problem> {
    let found = caller.job(number(job)?, act).await?;
    let place = match found.project {
        Some(project) => Place::Project { org: found.org, project },
        None => Place::Org(found.org),
    };
    caller.permit(Act::asking(&found.request), place, "job", job).await?;
    Ok(found)
}

/// Call a job off
#[utoipa::path(post, path = "/v1/jobs/{job}/cancel", tag = "jobs", params(("job" = String, Path)),
    responses((status = 200, body = JobView)))]
pub(crate) async fn cancel(caller: Caller, Path(job): Path<String>) -> Result<Json<JobView>, Problem> {
    let found = decided(&caller, &job, Act::CancelJob).await?;
    let change = caller.store().cancel(found.id, caller.now_ms());
    Ok(Json(caller.change(Act::CancelJob, Some(found.org), &format!("job {job}"), change).await?.into()))
}

/// Give a job another try
#[utoipa::path(post, path = "/v1/jobs/{job}/retry", tag = "jobs", params(("job" = String, Path)),
    responses((status = 200, body = JobView)))]
pub(crate) async fn retry(caller: Caller, Path(job): Path<String>) -> Result<Json<JobView>, Problem> {
    let found = decided(&caller, &job, Act::RetryJob).await?;
    let change = caller.store().retry(found.id, caller.now_ms());
    Ok(Json(caller.change(Act::RetryJob, Some(found.org), &format!("job {job}"), change).await?.into()))
}
