//! Projects.

use axum::{Json, extract::Path, http::StatusCode};
use regions::Region;

use super::orgs::name;
use crate::{
    api::{
        caller::Caller,
        extract::Body,
        problem::{Kind, Problem},
        shape::{Accepted, Page, ProjectRequest, ProjectView},
    },
    core::{Act, Request, scene::CacheShape},
    edge,
    store::{NewJob, NewProject},
};

/// The projects of an organization
#[utoipa::path(get, path = "/v1/orgs/{org}/projects", tag = "projects", params(("org" = String, Path)),
    responses((status = 200, body = Page<ProjectView>)))]
pub(crate) async fn list(caller: Caller, Path(org): Path<String>) -> Result<Json<Page<ProjectView>>, Problem> {
    let found = caller.org(&org, Act::ListProjects).await?;
    let projects = caller.seen().projects(found.id).await?;
    Ok(Json(Page { items: projects.iter().map(|project| ProjectView::new(&org, project)).collect(), next: None }))
}

/// Make a project
#[utoipa::path(post, path = "/v1/orgs/{org}/projects", tag = "projects", params(("org" = String, Path)),
    request_body = ProjectRequest, responses((status = 201, body = ProjectView)))]
pub(crate) async fn create(
    caller: Caller,
    Path(org): Path<String>,
    Body(new): Body<ProjectRequest>,
) -> Result<(StatusCode, Json<ProjectView>), Problem> {
    let found = caller.org(&org, Act::CreateProject).await?;
    let invalid =
        |field: &str, why: String, remedy: String| Problem::new(Kind::Invalid, why).field(field).remedy(remedy);
    let region = match &new.region {
        None => None,
        Some(text) => {
            let region = Region::find(new.cloud, text).and_then(|region| region.inside(new.residency));
            let remedy = "name a region of the cloud inside the residency, or none".to_owned();
            // One that there is, and not for this project, is another matter than none.
            let is_known = regions::regions().any(|known| known.name() == text);
            Some(region.map_err(|error| {
                let kind = if is_known { Kind::Refused } else { Kind::Invalid };
                Problem::new(kind, error.to_string()).field("region").remedy(remedy)
            })?)
        }
    };
    let cache = CacheShape { size_gib: new.cache_gib, iops: None, throughput_mibps: None };
    cache.validate(new.cloud).map_err(|error| invalid("cache_gib", error.to_string(), error.remedy()))?;
    let project = NewProject {
        id: edge::new_project_id(),
        org: found.id,
        name: name(&new.name, "name")?,
        residency: new.residency,
        cloud: new.cloud,
        region,
        size: new.size,
        cache,
    };
    let resource = format!("{org}/{}", project.name);
    let change = caller.store().create_project(project, caller.now_ms());
    let made = caller.change(Act::CreateProject, Some(found.id), &resource, change).await?;
    Ok((StatusCode::CREATED, Json(ProjectView::new(&org, &made))))
}

/// A project
#[utoipa::path(get, path = "/v1/projects/{org}/{project}", tag = "projects",
    params(("org" = String, Path), ("project" = String, Path)), responses((status = 200, body = ProjectView)))]
pub(crate) async fn get(
    caller: Caller,
    Path((org, project)): Path<(String, String)>,
) -> Result<Json<ProjectView>, Problem> {
    let (_, found) = caller.project(&org, &project, Act::GetProject).await?;
    Ok(Json(ProjectView::new(&org, &found)))
}

/// Delete a project, with its builders and caches, by a job
#[utoipa::path(delete, path = "/v1/projects/{org}/{project}", tag = "projects",
    params(("org" = String, Path), ("project" = String, Path)), responses((status = 202, body = Accepted)))]
pub(crate) async fn delete(
    caller: Caller,
    Path((org, project)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let (owner, found) = caller.project(&org, &project, Act::DeleteProject).await?;
    let job = NewJob::now(Request::DeleteProject { project: found.id });
    let change = caller.store().enqueue(job, caller.now_ms());
    let accepted = caller.change(Act::DeleteProject, Some(owner.id), &format!("{org}/{project}"), change).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { job: accepted.job.0, fresh: accepted.fresh })))
}
