//! `trust`: whose workflows may come in by the API's door, for which projects. It works at the database.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Failure,
    access::deed,
    args::{TrustCommand, TrustCreate},
    screen::or_dash,
    session::Session,
};
use crate::{
    core::{Act, Org, Project, Trust},
    edge,
    store::NewTrust,
};

pub(crate) async fn trust(session: &Session, command: TrustCommand) -> Result<(), Failure> {
    let screen = session.screen;
    match command {
        TrustCommand::Create(new) => create(session, new).await,
        TrustCommand::List { org } => {
            let org = session.store.org(&org).await?;
            let (trusts, projects) = (session.store.trusts(org.id).await?, session.store.projects(Some(org.id)).await?);
            if screen.is_json() {
                let views = trusts.iter().map(|trust| view(&org, trust, &projects));
                return screen.json(&views.collect::<Vec<Value>>());
            }
            let rows = trusts.iter().map(|trust| {
                vec![
                    trust.name.to_string(),
                    trust.repository.to_string(),
                    trust.repository_id.to_string(),
                    or_dash(trust.environment.as_ref()),
                    or_dash(trust.refs.as_ref()),
                    trust.scope.as_str().to_owned(),
                    names(trust, &projects).join(", "),
                ]
            });
            let head = ["TRUST", "REPOSITORY", "NUMBER", "ENVIRONMENT", "REFS", "SCOPE", "PROJECTS"];
            screen.table(&head, rows.collect(), "it trusts nobody; `provisioner trust create` makes a trust")
        }
        TrustCommand::Delete { org, trust } => {
            let org = session.store.org(&org).await?;
            let deed = deed(session, Act::DeleteTrust, Some(org.id), format!("{} {trust}", org.name));
            session.store.audited(deed, session.store.delete_trust(org.id, &trust)).await?;
            if screen.is_json() {
                return screen.json(&json!({ "org": org.name, "trust": trust, "deleted": true }));
            }
            screen.line(&format!("{} trusts {trust} no more; its tokens are worthless now", org.name))
        }
    }
}

async fn create(session: &Session, new: TrustCreate) -> Result<(), Failure> {
    let org = session.store.org(&new.org).await?;
    let (mut ids, mut projects) = (BTreeSet::new(), Vec::new());
    for name in &new.projects {
        let found = session.store.project(&org.name, name).await?;
        ids.insert(found.1.id);
        projects.push(found);
    }
    let trust = Trust {
        id: edge::new_trust_id(),
        org: org.id,
        name: new.trust,
        repository: new.repository,
        repository_id: new.repository_id,
        owner_id: new.owner_id,
        environment: new.environment,
        refs: new.refs,
        scope: new.scope.into(),
        projects: ids,
    };
    let resource = format!("{} {} ({})", org.name, trust.name, trust.repository);
    let deed = deed(session, Act::CreateTrust, Some(org.id), resource);
    let new = NewTrust { trust, created_by: "operator at the database".to_owned() };
    session.store.audited(deed, session.store.create_trust(&new, session.now_ms())).await?;
    let trust = &new.trust;
    if session.screen.is_json() {
        return session.screen.json(&view(&org, trust, &projects));
    }
    let named = names(trust, &projects).join(", ");
    session.screen.line(&format!("{} trusts the workflows of {} for {named}", org.name, trust.repository))
}

fn names(trust: &Trust, projects: &[(Org, Project)]) -> Vec<String> {
    let theirs = projects.iter().filter(|(_, project)| trust.projects.contains(&project.id));
    theirs.map(|(_, project)| project.name.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn view(org: &Org, trust: &Trust, projects: &[(Org, Project)]) -> Value {
    json!({
        "org": org.name, "name": trust.name, "repository": trust.repository, "repository_id": trust.repository_id,
        "owner_id": trust.owner_id, "environment": trust.environment, "refs": trust.refs, "scope": trust.scope,
        "projects": names(trust, projects),
    })
}
