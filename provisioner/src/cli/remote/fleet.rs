//! `builder` and `cache`, through the API.

use http::Method;
use serde_json::{Value, json};

use super::{Remote, at_the_database, client::Sent};
use crate::cli::{
    Failure,
    args::{BuilderCommand, BuilderName, BuilderTarget, CacheCommand, ProjectPath},
    confirm,
    screen::or_dash,
};
use crate::core::Name;

impl Remote {
    pub(super) async fn builder(&self, command: BuilderCommand) -> Result<(), Failure> {
        match command {
            BuilderCommand::Provision(target) => self.verb(target, "/provision").await,
            BuilderCommand::Stop(target) => self.verb(target, "/stop").await,
            BuilderCommand::Start(target) => self.verb(target, "/start").await,
            BuilderCommand::Destroy(target) => {
                let path = format!("/v1/projects/{}/builders/{}", target.project, target.arch);
                self.enqueue(Method::DELETE, &path, target.enqueue).await
            }
            BuilderCommand::Touch { builder } => self.touch(&builder).await,
            BuilderCommand::List { org, project } => self.builders(org.as_ref(), project.as_ref()).await,
            BuilderCommand::Hold { .. } | BuilderCommand::Unhold { .. } => Err(at_the_database()),
        }
    }

    pub(super) async fn cache(&self, command: CacheCommand) -> Result<(), Failure> {
        match command {
            CacheCommand::List { org, project } => self.caches(org.as_ref(), project.as_ref()).await,
            CacheCommand::Destroy { target, yes } => {
                let name = target.project.to_string();
                confirm::by_name(&format!("the {} cache of {name} and what it holds", target.arch), &name, yes)?;
                let path = format!("/v1/projects/{name}/caches/{}", target.arch);
                self.enqueue(Method::DELETE, &path, target.enqueue).await
            }
        }
    }

    async fn verb(&self, target: BuilderTarget, verb: &str) -> Result<(), Failure> {
        let path = format!("/v1/projects/{}/builders/{}{verb}", target.project, target.arch);
        self.enqueue(Method::POST, &path, target.enqueue).await
    }

    async fn touch(&self, builder: &BuilderName) -> Result<(), Failure> {
        let path = format!("/v1/projects/{}/builders/{}/touch", builder.project, builder.arch);
        let _: Option<Value> = self.client.ask(Method::POST, &path, None).await?;
        let result = "used just now";
        if self.screen.is_json() {
            let project = builder.project.to_string();
            return self.screen.json(&json!({ "project": project, "arch": builder.arch, "result": result }));
        }
        self.screen.line(&format!("builder {} {}: {result}", builder.project, builder.arch))
    }

    /// What the projects have of a kind.
    async fn things(
        &self,
        org: Option<&Name>,
        project: Option<&ProjectPath>,
        kind: &str,
    ) -> Result<Vec<Sent>, Failure> {
        let mut all = Vec::new();
        for path in self.projects(org, project).await? {
            all.extend(self.list::<Sent>(&format!("/v1/projects/{path}/{kind}"), None, usize::MAX).await?);
        }
        Ok(all)
    }

    async fn builders(&self, org: Option<&Name>, project: Option<&ProjectPath>) -> Result<(), Failure> {
        let builders = self.things(org, project, "builders").await?;
        if self.screen.is_json() {
            return self.screen.json(&builders);
        }
        let head = ["PROJECT", "ARCH", "STATE", "ZONE", "TYPE", "ADDRESS"];
        let none = "no builders; ask for one with `provisioner builder provision ORG/PROJECT --arch ARCH`";
        let rows = builders.iter().map(|it| row(it, &["arch", "state", "zone", "type", "endpoint"]));
        self.screen.table(&head, rows.collect(), none)
    }

    async fn caches(&self, org: Option<&Name>, project: Option<&ProjectPath>) -> Result<(), Failure> {
        let caches = self.things(org, project, "caches").await?;
        if self.screen.is_json() {
            return self.screen.json(&caches);
        }
        let head = ["PROJECT", "ARCH", "STATE", "ZONE", "GIB"];
        let rows = caches.iter().map(|it| row(it, &["arch", "state", "zone", "size_gib"]));
        self.screen.table(&head, rows.collect(), "no cache volumes; the first builder of a project brings its own")
    }
}

/// The project's name, and these fields.
fn row(thing: &Sent, fields: &[&str]) -> Vec<String> {
    let text = |field: &str| match &thing[field] {
        Value::String(text) => text.clone(),
        Value::Null => or_dash(None::<String>),
        other => other.to_string(),
    };
    let project = format!("{}/{}", text("org"), text("project"));
    std::iter::once(project).chain(fields.iter().map(|field| text(field))).collect()
}
