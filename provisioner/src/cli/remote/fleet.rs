//! `builder` and `cache`, through the API.

use http::Method;
use serde_json::{Value, json};

use super::{Remote, client::Sent};
use crate::cli::{
    Failure,
    args::{BuilderCommand, BuilderName, CacheCommand, ProjectPath},
    confirm,
    screen::or_dash,
    span::Moment,
};
use crate::{core::Name, edge::Anchored, execute::Clock as _};

impl Remote {
    pub(super) async fn builder(&self, command: BuilderCommand) -> Result<(), Failure> {
        match command {
            BuilderCommand::Provision(target) => self.enqueue("provision", target).await,
            BuilderCommand::Stop(target) => self.enqueue("stop", target).await,
            BuilderCommand::Start(target) => self.enqueue("start", target).await,
            BuilderCommand::Destroy(target) => self.enqueue("destroy", target).await,
            BuilderCommand::Touch { builder } => self.touch(&builder).await,
            BuilderCommand::List { org, project } => self.builders(org.as_ref(), project.as_ref()).await,
            BuilderCommand::Hold { builder, until, reason } => self.hold(&builder, until, &reason).await,
            BuilderCommand::Unhold { builder } => {
                let path = format!("/v1/projects/{}/builders/{}/hold", builder.project, builder.arch);
                let _: Option<Value> = self.client.ask(Method::DELETE, &path, None).await?;
                self.done(&builder, "let go")
            }
        }
    }

    pub(super) async fn cache(&self, command: CacheCommand) -> Result<(), Failure> {
        match command {
            CacheCommand::List { org, project } => self.caches(org.as_ref(), project.as_ref()).await,
            CacheCommand::Destroy { target, yes } => {
                let name = target.project.to_string();
                confirm::by_name(&format!("the {} cache of {name} and what it holds", target.arch), &name, yes)?;
                self.enqueue("destroy_cache", target).await
            }
        }
    }

    async fn hold(&self, builder: &BuilderName, until: Moment, reason: &str) -> Result<(), Failure> {
        let now_ms = Anchored::to_wall().now_ms();
        let for_secs = (until.ms(now_ms) - now_ms) / 1_000;
        if for_secs < 1 {
            return Err(
                Failure::usage("--until is in the past").remedy("give a time to come, or a length of time such as 8h")
            );
        }
        let path = format!("/v1/projects/{}/builders/{}/hold", builder.project, builder.arch);
        let body = json!({ "for_secs": for_secs, "reason": reason });
        let held: Value = self.client.tell(Method::PUT, &path, None, &body).await?;
        self.done(builder, &format!("held until {}", held["until"].as_str().unwrap_or_default()))
    }

    async fn touch(&self, builder: &BuilderName) -> Result<(), Failure> {
        let path = format!("/v1/projects/{}/builders/{}/touch", builder.project, builder.arch);
        let _: Option<Value> = self.client.ask(Method::POST, &path, None).await?;
        self.done(builder, "used just now")
    }

    fn done(&self, builder: &BuilderName, result: &str) -> Result<(), Failure> {
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
