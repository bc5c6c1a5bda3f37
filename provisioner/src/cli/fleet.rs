//! `builder` and `cache`.

use providers::Kind;

use super::{
    Failure,
    args::{BuilderCommand, BuilderName, BuilderTarget, CacheCommand, ProjectPath},
    confirm,
    enqueue::enqueue,
    screen::or_dash,
    session::Session,
    span::Moment,
    time::clock_time,
    view::{BuilderView, CacheView},
};
use crate::{
    core::{Name, Org, Project, ProjectId, Request, ResourceRow},
    store::{Hold, ResourceFilter},
};
use regions::Arch;

pub(crate) async fn builder(session: &Session, command: BuilderCommand) -> Result<(), Failure> {
    match command {
        BuilderCommand::Provision(target) => {
            ask(session, target, |project, arch| Request::Provision { project, arch }).await
        }
        BuilderCommand::Stop(target) => ask(session, target, |project, arch| Request::Stop { project, arch }).await,
        BuilderCommand::Start(target) => ask(session, target, |project, arch| Request::Start { project, arch }).await,
        BuilderCommand::Destroy(target) => {
            ask(session, target, |project, arch| Request::Destroy { project, arch }).await
        }
        BuilderCommand::Hold { builder, until, reason } => hold(session, &builder, until, reason).await,
        BuilderCommand::Unhold { builder } => {
            let project = known(session, &builder).await?;
            let was = session.store.let_go(project, builder.arch).await?;
            said(session, &builder, if was { "let go" } else { "was not held" })
        }
        BuilderCommand::Touch { builder } => {
            let project = known(session, &builder).await?;
            session.store.touch(project, builder.arch, session.now_ms()).await?;
            said(session, &builder, "used just now")
        }
        BuilderCommand::List { org, project } => builders(session, org.as_ref(), project.as_ref()).await,
    }
}

pub(crate) async fn cache(session: &Session, command: CacheCommand) -> Result<(), Failure> {
    match command {
        CacheCommand::List { org, project } => caches(session, org.as_ref(), project.as_ref()).await,
        CacheCommand::Destroy { target, yes } => {
            let name = target.project.to_string();
            confirm::by_name(&format!("the {} cache of {name} and what it holds", target.arch), &name, yes)?;
            ask(session, target, |project, arch| Request::DestroyCache { project, arch }).await
        }
    }
}

async fn ask(
    session: &Session,
    target: BuilderTarget,
    request: impl FnOnce(ProjectId, Arch) -> Request,
) -> Result<(), Failure> {
    let (_, project) = session.store.project(&target.project.org, &target.project.project).await?;
    enqueue(session, request(project.id, target.arch), target.enqueue).await
}

async fn known(session: &Session, builder: &BuilderName) -> Result<ProjectId, Failure> {
    let (_, project) = session.store.project(&builder.project.org, &builder.project.project).await?;
    Ok(project.id)
}

async fn hold(session: &Session, builder: &BuilderName, until: Moment, reason: String) -> Result<(), Failure> {
    let now_ms = session.now_ms();
    let until_ms = until.ms(now_ms);
    if until_ms <= now_ms {
        return Err(
            Failure::usage("--until is in the past").remedy("give a time to come, or a length of time such as 8h")
        );
    }
    if reason.trim().is_empty() {
        return Err(Failure::usage("--reason is empty").remedy("say why, for whoever meets the hold"));
    }
    let project = known(session, builder).await?;
    session.store.hold(project, builder.arch, &Hold { until_ms, reason }, now_ms).await?;
    said(session, builder, &format!("held until {}", clock_time(until_ms)))
}

fn said(session: &Session, builder: &BuilderName, what: &str) -> Result<(), Failure> {
    if session.screen.is_json() {
        let project = builder.project.to_string();
        return session.screen.json(&serde_json::json!({ "project": project, "arch": builder.arch, "result": what }));
    }
    session.screen.line(&format!("builder {} {}: {what}", builder.project, builder.arch))
}

/// Rows with the names of their tenants.
pub(crate) struct Fleet {
    projects: Vec<(Org, Project)>,
    pub(crate) rows: Vec<ResourceRow>,
}

impl Fleet {
    pub(crate) async fn read(session: &Session, org: Option<&Name>) -> Result<Self, Failure> {
        let org = session.org_id(org).await?;
        let projects = session.store.projects(org).await?;
        let rows = session.store.resources(ResourceFilter { org, ..ResourceFilter::default() }).await?;
        Ok(Self { projects, rows })
    }

    fn names(&self, row: &ResourceRow) -> (String, String) {
        let found = self.projects.iter().find(|(_, project)| Some(project.id) == row.project);
        found.map_or_else(
            || (row.org.to_string(), or_dash(row.project)),
            |(org, project)| (org.name.to_string(), project.name.to_string()),
        )
    }

    pub(crate) fn builders(&self) -> Vec<BuilderView> {
        let machines = self.rows.iter().filter(|row| row.kind == Kind::Machine);
        let mut views: Vec<BuilderView> = machines
            .map(|row| {
                let (org, project) = self.names(row);
                BuilderView::new(&org, &project, row, &self.rows)
            })
            .collect();
        views.sort_by_key(|view| (view.org.clone(), view.project.clone(), view.arch.map(Arch::as_str)));
        views
    }

    pub(crate) fn caches(&self) -> Vec<CacheView> {
        let volumes = self.rows.iter().filter(|row| row.kind == Kind::Volume);
        let mut views: Vec<CacheView> = volumes
            .map(|row| {
                let (org, project) = self.names(row);
                CacheView::new(&org, &project, row, &self.rows)
            })
            .collect();
        views.sort_by_key(|view| (view.org.clone(), view.project.clone(), view.arch.map(Arch::as_str)));
        views
    }
}

/// The rows of the organization that is asked about, or of the project's.
async fn narrowed(session: &Session, org: Option<&Name>, project: Option<&ProjectPath>) -> Result<Fleet, Failure> {
    if let Some(path) = project {
        session.store.project(&path.org, &path.project).await?;
    }
    Fleet::read(session, project.map(|path| &path.org).or(org)).await
}

async fn builders(session: &Session, org: Option<&Name>, project: Option<&ProjectPath>) -> Result<(), Failure> {
    let mut views = narrowed(session, org, project).await?.builders();
    views.retain(|view| project.is_none_or(|path| view.project == path.project.as_str()));
    let screen = session.screen;
    if screen.is_json() {
        return screen.json(&views);
    }
    let rows = views.into_iter().map(|view| {
        vec![
            format!("{}/{}", view.org, view.project),
            or_dash(view.arch),
            view.state,
            or_dash(view.zone),
            or_dash(view.machine),
            or_dash(view.remote_id.as_deref().map(last_part)),
            or_dash(view.address),
            or_dash(view.cache_remote_id.as_deref().map(last_part)),
        ]
    });
    let head = ["PROJECT", "ARCH", "STATE", "ZONE", "TYPE", "REMOTE ID", "ADDRESS", "CACHE"];
    let none = "no builders; ask for one with `provisioner builder provision ORG/PROJECT --arch ARCH`";
    screen.table(&head, rows.collect(), none)
}

async fn caches(session: &Session, org: Option<&Name>, project: Option<&ProjectPath>) -> Result<(), Failure> {
    let mut views = narrowed(session, org, project).await?.caches();
    views.retain(|view| project.is_none_or(|path| view.project == path.project.as_str()));
    let screen = session.screen;
    if screen.is_json() {
        return screen.json(&views);
    }
    let rows = views.into_iter().map(|view| {
        vec![
            format!("{}/{}", view.org, view.project),
            or_dash(view.arch),
            view.state.to_owned(),
            or_dash(view.zone),
            view.size_gib.map_or_else(|| "-".to_owned(), |size| format!("{size} GiB")),
            or_dash(view.remote_id.as_deref().map(last_part)),
            or_dash(view.key.as_deref().map(last_part)),
            or_dash(view.attached_to.as_deref().map(last_part)),
        ]
    });
    let head = ["PROJECT", "ARCH", "STATE", "ZONE", "SIZE", "REMOTE ID", "KEY", "ATTACHED TO"];
    screen.table(&head, rows.collect(), "no cache volumes; the first builder of a project brings its own")
}

/// The part of an ARN or a path that tells it from its like. JSON has all of it.
fn last_part(remote: &str) -> &str {
    remote.rsplit('/').next().unwrap_or(remote)
}
