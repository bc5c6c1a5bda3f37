//! `org` and `project`.

use regions::{Cloud, Region};

use super::{
    Failure,
    args::{After, IdleFlags, OrgCommand, ProjectCommand, ProjectCreate},
    confirm,
    enqueue::enqueue,
    screen::or_dash,
    session::Session,
    time,
    view::{OrgView, ProjectView, RulesView},
};
use crate::{
    core::{Request, scene::CacheShape},
    edge,
    store::{NewProject, Rules},
};

pub(crate) async fn org(session: &Session, command: OrgCommand) -> Result<(), Failure> {
    let screen = session.screen;
    match command {
        OrgCommand::Create { org } => {
            let org = session.store.create_org(&org, edge::new_org_id(), session.now_ms()).await?;
            if screen.is_json() {
                return screen.json(&OrgView::from(&org));
            }
            screen.line(&format!("organization {} made", org.name))
        }
        OrgCommand::List => {
            let orgs = session.store.orgs().await?;
            if screen.is_json() {
                return screen.json(&orgs.iter().map(OrgView::from).collect::<Vec<_>>());
            }
            let rows = orgs.iter().map(|org| {
                vec![org.name.to_string(), life(org.deleting), time::clock_time(org.created_ms), org.id.to_string()]
            });
            let none = "no organizations; make one with `provisioner org create NAME`";
            screen.table(&["ORGANIZATION", "STATE", "MADE", "ID"], rows.collect(), none)
        }
        OrgCommand::Delete { org, yes, enqueue: flags } => {
            let found = session.store.org(&org).await?;
            let what = format!("the organization {org}, its projects, builders, caches and keys");
            confirm::by_name(&what, org.as_str(), yes)?;
            enqueue(session, Request::DeleteOrg { org: found.id }, flags).await
        }
    }
}

fn life(deleting: bool) -> String {
    if deleting { "deleting" } else { "active" }.to_owned()
}

/// What can be said of a project without the database: a region outside the residency, a cache that no SSD can be.
pub(crate) struct CheckedProject {
    flags: ProjectCreate,
    region: Option<Region>,
    cache: CacheShape,
}

impl CheckedProject {
    pub(crate) fn new(flags: ProjectCreate) -> Result<Self, Failure> {
        let region = flags.region.as_deref().map(|name| region(&flags, name)).transpose()?;
        let cache = CacheShape {
            size_gib: flags.cache_gib,
            iops: flags.cache_iops,
            throughput_mibps: flags.cache_throughput_mibps,
        };
        cache
            .validate(flags.cloud)
            .map_err(|error| Failure::usage(format!("{}: {error}", flag_of(error.field))).remedy(error.remedy()))?;
        Ok(Self { flags, region, cache })
    }
}

fn flag_of(field: &str) -> &'static str {
    match field {
        "iops" => "--cache-iops",
        "throughput_mibps" => "--cache-throughput-mibps",
        _ => "--cache-gib",
    }
}

/// The region as the flag names it: bare, or with its cloud.
fn region(flags: &ProjectCreate, name: &str) -> Result<Region, Failure> {
    let bare = match name.split_once('/') {
        Some((cloud, rest)) if cloud.parse::<Cloud>().is_ok_and(|cloud| cloud == flags.cloud) => rest,
        _ => name,
    };
    let found = Region::find(flags.cloud, bare).and_then(|region| region.inside(flags.residency));
    found.map_err(|error| {
        let other = Cloud::ALL.into_iter().find(|cloud| *cloud != flags.cloud && Region::find(*cloud, bare).is_ok());
        let failure = Failure::usage(format!("--region {name}: {error}"));
        match other {
            Some(cloud) => failure.remedy(format!("it is a region of {cloud}: give --cloud {cloud} with it")),
            None => failure.remedy("give a --region inside the --residency, or leave it out for any configured one"),
        }
    })
}

/// `project`; what `create` is given has been checked before the database was opened.
pub(crate) enum ProjectAction {
    Create(CheckedProject),
    Other(ProjectCommand),
}

impl ProjectAction {
    pub(crate) fn new(command: ProjectCommand) -> Result<Self, Failure> {
        Ok(match command {
            ProjectCommand::Create(flags) => Self::Create(CheckedProject::new(flags)?),
            other @ (ProjectCommand::List { .. } | ProjectCommand::Delete { .. } | ProjectCommand::Set { .. }) => {
                Self::Other(other)
            }
        })
    }
}

pub(crate) async fn project(session: &Session, action: ProjectAction) -> Result<(), Failure> {
    match action {
        ProjectAction::Create(checked) => create(session, checked).await,
        ProjectAction::Other(ProjectCommand::Create(flags)) => create(session, CheckedProject::new(flags)?).await,
        ProjectAction::Other(ProjectCommand::Set { project, idle }) => {
            let (_, found) = session.store.project(&project.org, &project.project).await?;
            let rules = ruled(session.store.rules(found.id).await?, idle);
            session.store.set_rules(found.id, rules).await?;
            if session.screen.is_json() {
                return session.screen.json(&RulesView::from(rules));
            }
            session.screen.line(&format!("project {project}: {}", RulesView::from(rules)))
        }
        ProjectAction::Other(ProjectCommand::List { org }) => {
            let org = session.org_id(org.as_ref()).await?;
            list(session, &session.store.projects(org).await?)
        }
        ProjectAction::Other(ProjectCommand::Delete { project, yes, enqueue: flags }) => {
            let (_, found) = session.store.project(&project.org, &project.project).await?;
            let what = format!("the project {project} with its builders and caches");
            confirm::by_name(&what, &project.to_string(), yes)?;
            enqueue(session, Request::DeleteProject { project: found.id }, flags).await
        }
    }
}

async fn create(session: &Session, checked: CheckedProject) -> Result<(), Failure> {
    let CheckedProject { flags, region, cache } = checked;
    let org = session.store.org(&flags.project.org).await?;
    let new = NewProject {
        id: edge::new_project_id(),
        org: org.id,
        name: flags.project.project.clone(),
        residency: flags.residency,
        cloud: flags.cloud,
        region,
        size: flags.size,
        cache,
    };
    let project = session.store.create_project(new, session.now_ms()).await?;
    let rules = ruled(Rules::default(), flags.idle);
    if rules != Rules::default() {
        session.store.set_rules(project.id, rules).await?;
    }
    let screen = session.screen;
    if screen.is_json() {
        return screen.json(&ProjectView::new(&org, &project));
    }
    let place = region.map_or_else(|| "any configured region".to_owned(), |region| region.name().to_owned());
    screen.line(&format!(
        "project {} made: residency {}, {} in {place}, builders {}, caches {} GiB",
        flags.project, project.residency, project.cloud, project.size, project.cache.size_gib
    ))
}

/// Rules with what the flags say laid over them.
fn ruled(rules: Rules, flags: IdleFlags) -> Rules {
    let over = |flag: Option<After>, before| flag.map_or(before, |After(secs)| secs);
    Rules {
        idle_stop_secs: over(flags.idle_stop, rules.idle_stop_secs),
        idle_destroy_secs: over(flags.idle_destroy, rules.idle_destroy_secs),
        cache_destroy_secs: over(flags.cache_destroy, rules.cache_destroy_secs),
    }
}

fn list(session: &Session, projects: &[(crate::core::Org, crate::core::Project)]) -> Result<(), Failure> {
    let screen = session.screen;
    if screen.is_json() {
        return screen.json(&projects.iter().map(|(org, project)| ProjectView::new(org, project)).collect::<Vec<_>>());
    }
    let rows = projects.iter().map(|(org, project)| {
        vec![
            format!("{}/{}", org.name, project.name),
            project.residency.to_string(),
            project.cloud.to_string(),
            or_dash(project.region.map(Region::name)),
            project.size.to_string(),
            format!("{} GiB", project.cache.size_gib),
            life(project.deleting || org.deleting),
            time::clock_time(project.created_ms),
        ]
    });
    let head = ["PROJECT", "RESIDENCY", "CLOUD", "REGION", "SIZE", "CACHE", "STATE", "MADE"];
    let none = "no projects; make one with `provisioner project create ORG/PROJECT --residency us|eu`";
    screen.table(&head, rows.collect(), none)
}
