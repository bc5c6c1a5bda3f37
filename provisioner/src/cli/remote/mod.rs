//! The commands for builders, caches, jobs and debug access through the API, with a token and no database.
//!
//! `--api URL` says where, `PROVISIONER_TOKEN` who; a token on a command line would be in everybody's list of processes.

mod client;
mod debug;
mod fleet;
mod job;

use serde::Deserialize;

use super::{
    Failure,
    args::{Command, Global, ProjectPath},
    logging,
    screen::Screen,
};
use crate::core::Name;
use client::Client;

/// What the commands have at hand.
pub(crate) struct Remote {
    client: Client,
    screen: Screen,
}

/// A page of a list.
#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// Anything that has a name.
#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Whether the command goes through the API, if that is asked for; the others are told apart from those that can't.
pub(crate) async fn run(url: &str, global: &Global, command: Command, screen: Screen) -> Result<(), Failure> {
    logging::start(global, "warn");
    let remote = Remote { client: Client::new(url, global.api_ca.as_deref())?, screen };
    match command {
        Command::Builder(command) => remote.builder(command).await,
        Command::Cache(command) => remote.cache(command).await,
        Command::Debug(command) => remote.debug(command).await,
        Command::Job(command) => remote.job(command).await,
        Command::Org(_)
        | Command::Project(_)
        | Command::User(_)
        | Command::Member(_)
        | Command::Token(_)
        | Command::Trust(_)
        | Command::Audit(_) => Err(at_the_database()),
        Command::Migrate { .. }
        | Command::Worker(_)
        | Command::Serve(_)
        | Command::Healthcheck(_)
        | Command::Certificate(_)
        | Command::Reconcile(_)
        | Command::Demo(_)
        | Command::Completions { .. }
        | Command::Man { .. } => Err(Failure::usage("that command does its work here, and not through an API")
            .remedy("leave out --api, and unset PROVISIONER_API")),
    }
}

fn at_the_database() -> Failure {
    Failure::usage("that command works at the database: through the API there are builders, caches and jobs")
        .remedy("leave out --api, unset PROVISIONER_API, and name the database")
        .remedy("or call the API itself: its description is at /openapi.json")
}

impl Remote {
    /// All pages of a list, or as much of it as is wanted.
    async fn list<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        mut cursor: Option<String>,
        most: usize,
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let from = cursor.map_or_else(String::new, |cursor| format!("{joint}cursor={cursor}"));
            let page: Page<T> = self.client.get(&format!("{path}{from}")).await?;
            all.extend(page.items);
            cursor = page.next;
            if all.len() >= most || cursor.is_none() {
                all.truncate(most);
                return Ok(all);
            }
        }
    }

    /// The project that is asked about, or those of the organization, or all that the token sees; as `ORG/PROJECT`.
    async fn projects(&self, org: Option<&Name>, project: Option<&ProjectPath>) -> Result<Vec<String>, Failure> {
        if let Some(path) = project {
            return Ok(vec![path.to_string()]);
        }
        let orgs: Vec<Named> = match org {
            Some(org) => vec![Named { name: org.to_string() }],
            None => self.list("/v1/orgs", None, usize::MAX).await?,
        };
        if orgs.is_empty() {
            return Err(Failure::failed("this token sees no organization: it is of a project or of a workflow")
                .remedy("name the project with --project ORG/PROJECT"));
        }
        let mut paths = Vec::new();
        for org in orgs {
            let projects: Vec<Named> = self.list(&format!("/v1/orgs/{}/projects", org.name), None, usize::MAX).await?;
            paths.extend(projects.into_iter().map(|project| format!("{}/{}", org.name, project.name)));
        }
        Ok(paths)
    }
}
