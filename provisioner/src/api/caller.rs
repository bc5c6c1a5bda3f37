//! Who asks: the identity that a request proves, and what it is let do. Every refusal and every change goes into the audit from
//! here.

use std::{convert::Infallible, future::Future, net::IpAddr};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::{
    App,
    problem::{Kind, Problem},
};
use crate::{
    core::{
        Act, Identity, JobId, Name, Org, OrgId, Place, Project, Secret, Tenants, TokenKind, UserId, Word, audit::Deed,
    },
    store::{Job, Store, StoreError, Unproved},
};

/// The address at the other end of a connection; the server puts it into every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Where a request comes from whose sender has no identity of ours.
pub(crate) struct Origin(Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Peer>().map(|peer| peer.0)))
    }
}

impl Origin {
    /// An exchange of a workflow's token, for the audit.
    pub(crate) fn deed(&self, app: &App, identity: String, org: Option<OrgId>, resource: &str, outcome: &str) -> Deed {
        Deed {
            at_ms: app.now_ms(),
            identity,
            token: None,
            address: self.0.map(|address| address.to_string()),
            act: "oidc.exchange".to_owned(),
            org,
            resource: resource.chars().take(200).collect(),
            outcome: outcome.to_owned(),
            detail: None,
        }
    }
}

/// An identity that has been proved, with what it takes to use it.
pub(crate) struct Caller {
    pub(crate) app: App,
    pub(crate) identity: Identity,
    tenants: Tenants,
    store: Store,
    address: Option<IpAddr>,
    secret: Secret,
}

/// Whose secret it is, if it is anybody's now.
async fn prove(app: &App, secret: &Secret) -> Result<Result<Identity, Unproved>, StoreError> {
    let (hash, now_ms) = (secret.hash(), app.now_ms());
    match secret.kind() {
        TokenKind::Workflow => app.store().authenticate_workflow(&hash, now_ms).await,
        TokenKind::Operator | TokenKind::Org | TokenKind::Project | TokenKind::User => {
            app.store().authenticate(&hash, now_ms).await
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let address = parts.extensions.get::<Peer>().map(|peer| peer.0);
        let secret = secret(parts)?;
        let identity = match prove(app, &secret).await? {
            Ok(identity) => identity,
            Err(why) => {
                let why = match why {
                    Unproved::Unknown => "no token has that secret",
                    Unproved::Expired => "that token's time is over",
                    Unproved::Revoked => "that token was revoked",
                };
                let deed = deed(app.now_ms(), format!("nobody: {why}"), address, parts.uri.path());
                app.store().append_deed(deed).await?;
                return Err(unauthenticated(why));
            }
        };
        app.limits().of_identity(identity.token)?;
        let tenants = identity.tenants();
        let store = app.store().within(&tenants, identity.person());
        let tenants = if app.is_checked() { tenants } else { Tenants::All };
        Ok(Self { app: app.clone(), identity, tenants, store, address, secret })
    }
}

fn deed(at_ms: i64, identity: String, address: Option<IpAddr>, resource: &str) -> Deed {
    Deed {
        at_ms,
        identity,
        token: None,
        address: address.map(|address| address.to_string()),
        act: "authenticate".to_owned(),
        org: None,
        resource: resource.chars().take(200).collect(),
        outcome: Kind::Unauthenticated.name().to_owned(),
        detail: None,
    }
}

fn unauthenticated(why: &str) -> Problem {
    Problem::new(Kind::Unauthenticated, why)
        .field("Authorization")
        .remedy("send `Authorization: Bearer TOKEN` with a token that is good")
}

/// A secret of ours, by form and checksum: what is none costs no look into the database.
fn secret(parts: &Parts) -> Result<Secret, Problem> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
        return Err(unauthenticated("the request says not who asks"));
    };
    let text = value.to_str().map_err(|_| unauthenticated("the header is no text"))?;
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) | None => return Err(unauthenticated("the header is not of the form `Bearer TOKEN`")),
    };
    token.parse().map_err(|error| unauthenticated(&format!("{error}")))
}

impl Caller {
    pub(crate) fn now_ms(&self) -> i64 {
        self.app.now_ms()
    }

    /// Asks again, for an answer that has waited: a token that was revoked meanwhile, a person who was taken out, a trust that has gone
    /// get nothing more.
    pub(crate) async fn still(&self, act: Act, place: Place) -> Result<(), Problem> {
        match prove(&self.app, &self.secret).await? {
            Ok(identity) if !self.app.is_checked() || identity.may(act, place) == Word::Yes => Ok(()),
            Ok(_) | Err(_) => Err(unauthenticated("that token is not good for this any more")),
        }
    }

    /// The store, for what this identity has been let do. Where the database has walls of its own, they stand around its tenants.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The store, as far as this identity sees.
    pub(crate) fn seen(&self) -> crate::store::Tenancy<'_> {
        self.store.seen_by(&self.tenants)
    }

    fn deed(&self, act: Act, org: Option<OrgId>, resource: &str, outcome: &str) -> Deed {
        Deed {
            at_ms: self.now_ms(),
            identity: self.identity.name.clone(),
            token: Some(self.identity.token),
            address: self.address.map(|address| address.to_string()),
            act: act.as_str().to_owned(),
            org,
            resource: resource.to_owned(),
            outcome: outcome.to_owned(),
            detail: None,
        }
    }

    /// A refusal, with its entry in the audit before it.
    pub(crate) async fn refuse<T>(
        &self,
        act: Act,
        org: Option<OrgId>,
        resource: &str,
        problem: Problem,
    ) -> Result<T, Problem> {
        let deed = self.deed(act, org, resource, &problem.outcome());
        self.app.store().append_deed(deed).await?;
        Err(problem)
    }

    /// Whether it may; a refusal is in the audit.
    pub(crate) async fn permit(&self, act: Act, place: Place, what: &str, resource: &str) -> Result<(), Problem> {
        let org = match place {
            Place::Installation | Place::Own => None,
            Place::Org(org) | Place::Project { org, .. } => Some(org),
        };
        let word = if self.app.is_checked() { self.identity.may(act, place) } else { Word::Yes };
        match word {
            Word::Yes => Ok(()),
            Word::No => {
                let detail = format!("{} may not `{}` here", self.identity.name, act.as_str());
                let remedy = "ask an owner of the organization, or use a token of a wider scope";
                self.refuse(act, org, resource, Problem::new(Kind::Forbidden, detail).remedy(remedy)).await
            }
            Word::Unseen => self.refuse(act, org, resource, Problem::not_found(what, resource)).await,
        }
    }

    /// The person who asks, for an act about what is that person's own.
    pub(crate) async fn own(&self, act: Act, resource: &str) -> Result<UserId, Problem> {
        let Some(user) = self.identity.person() else {
            let problem = Problem::new(Kind::NotFound, "this token is no person's").remedy("use a person's token");
            return self.refuse(act, None, resource, problem).await;
        };
        self.permit(act, Place::Own, "person", resource).await?;
        Ok(user)
    }

    /// The organization of that name, for that act.
    pub(crate) async fn org(&self, name: &str, act: Act) -> Result<Org, Problem> {
        let found = match name.parse::<Name>() {
            Ok(name) => self.found(self.seen().org(&name).await)?,
            Err(_) => None,
        };
        let Some(org) = found else {
            return self.refuse(act, None, name, Problem::not_found("organization", name)).await;
        };
        self.permit(act, Place::Org(org.id), "organization", name).await?;
        Ok(org)
    }

    /// The project of that name, for that act.
    pub(crate) async fn project(&self, org: &str, project: &str, act: Act) -> Result<(Org, Project), Problem> {
        let path = format!("{org}/{project}");
        let found = match (org.parse::<Name>(), project.parse::<Name>()) {
            (Ok(org), Ok(project)) => self.found(self.seen().project(&org, &project).await)?,
            (Ok(_) | Err(_), Ok(_) | Err(_)) => None,
        };
        let Some((org, project)) = found else {
            return self.refuse(act, None, &path, Problem::not_found("project", &path)).await;
        };
        self.permit(act, Place::Project { org: org.id, project: project.id }, "project", &path).await?;
        Ok((org, project))
    }

    /// The job of that number, for that act.
    pub(crate) async fn job(&self, id: i64, act: Act) -> Result<Job, Problem> {
        let name = id.to_string();
        let Some(job) = self.found(self.seen().job(JobId(id)).await)? else {
            return self.refuse(act, None, &name, Problem::not_found("job", &name)).await;
        };
        let place = match job.project {
            Some(project) => Place::Project { org: job.org, project },
            None => Place::Org(job.org),
        };
        self.permit(act, place, "job", &name).await?;
        Ok(job)
    }

    #[expect(clippy::unused_self, reason = "it reads as what the caller has found")]
    pub(crate) fn found<T>(&self, result: Result<T, StoreError>) -> Result<Option<T>, Problem> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A change, with its entry in the audit before it.
    pub(crate) async fn change<T>(
        &self,
        act: Act,
        org: Option<OrgId>,
        resource: &str,
        change: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, Problem> {
        let deed = self.deed(act, org, resource, "accepted");
        Ok(self.app.store().audited(deed, change).await?)
    }
}
