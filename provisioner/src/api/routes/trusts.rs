//! What an organization trusts, and what comes of it: a workflow's token against one of ours that lives minutes.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use super::orgs::name;
use crate::{
    api::{
        App,
        caller::{Caller, Origin},
        extract::Body,
        oidc::{KeyError, OidcError},
        problem::{Kind, Problem},
        shape::{ExchangeRequest, ExchangedToken, Page, TrustView, time},
    },
    core::{Act, Claims, Mismatch, Name, OrgId, Tenants, TokenKind, Trust, trust::check_environment},
    edge,
    store::{NewExchange, NewTrust, StoreError},
};

/// What an organization trusts
#[utoipa::path(get, path = "/v1/orgs/{org}/trusts", tag = "trusts", params(("org" = String, Path)),
    responses((status = 200, body = Page<TrustView>)))]
pub(crate) async fn list(caller: Caller, Path(org): Path<String>) -> Result<Json<Page<TrustView>>, Problem> {
    let org = caller.org(&org, Act::ListTrusts).await?;
    let trusts = caller.store().trusts(org.id).await?;
    let projects = caller.seen().projects(org.id).await?;
    let view = |trust: &Trust| {
        let named = projects.iter().filter(|project| trust.projects.contains(&project.id));
        view(trust, named.map(|project| project.name.to_string()).collect())
    };
    Ok(Json(Page { items: trusts.iter().map(view).collect(), next: None }))
}

fn view(trust: &Trust, projects: Vec<String>) -> TrustView {
    TrustView {
        name: trust.name.to_string(),
        repository: trust.repository.to_string(),
        repository_id: trust.repository_id,
        owner_id: trust.owner_id,
        environment: trust.environment.clone(),
        refs: trust.refs.as_ref().map(ToString::to_string),
        scope: trust.scope.into(),
        projects,
    }
}

/// Trust the workflows of a GitHub repository for some projects
#[utoipa::path(post, path = "/v1/orgs/{org}/trusts", tag = "trusts", params(("org" = String, Path)),
    request_body = TrustView, responses((status = 201, body = TrustView)))]
pub(crate) async fn create(
    caller: Caller,
    Path(org): Path<String>,
    Body(new): Body<TrustView>,
) -> Result<(StatusCode, Json<TrustView>), Problem> {
    let found = caller.org(&org, Act::CreateTrust).await?;
    let invalid = |field: &'static str| {
        move |error: &dyn std::fmt::Display| Problem::new(Kind::Invalid, error.to_string()).field(field)
    };
    if new.projects.len() > 100 {
        return Err(invalid("projects")(&"a trust is for 100 projects at most"));
    }
    if let Some(environment) = &new.environment {
        check_environment(environment).map_err(|error| invalid("environment")(&error))?;
    }
    let (mut projects, mut names) = (BTreeSet::new(), BTreeSet::new());
    for text in &new.projects {
        let (_, project) = caller.seen().project(&found.name, &name(text, "projects")?).await?;
        projects.insert(project.id);
        names.insert(project.name.to_string());
    }
    let trust = Trust {
        id: edge::new_trust_id(),
        org: found.id,
        name: name(&new.name, "name")?,
        repository: new.repository.parse().map_err(|error| invalid("repository")(&error))?,
        repository_id: new.repository_id,
        owner_id: new.owner_id,
        environment: new.environment,
        refs: new.refs.map(|refs| refs.parse()).transpose().map_err(|error| invalid("refs")(&error))?,
        scope: new.scope.into(),
        projects,
    };
    let resource = format!("{org} {} ({})", trust.name, trust.repository);
    let made = NewTrust { trust, created_by: caller.identity.name.clone() };
    let change = caller.store().create_trust(&made, caller.now_ms());
    caller.change(Act::CreateTrust, Some(found.id), &resource, change).await?;
    Ok((StatusCode::CREATED, Json(view(&made.trust, names.into_iter().collect()))))
}

/// Trust them no more; the tokens that came of it are worthless at once
#[utoipa::path(delete, path = "/v1/orgs/{org}/trusts/{trust}", tag = "trusts",
    params(("org" = String, Path), ("trust" = String, Path)), responses((status = 204)))]
pub(crate) async fn delete(caller: Caller, Path((org, trust)): Path<(String, String)>) -> Result<StatusCode, Problem> {
    let found = caller.org(&org, Act::DeleteTrust).await?;
    let Ok(name) = trust.parse::<Name>() else {
        return caller.refuse(Act::DeleteTrust, Some(found.id), &trust, Problem::not_found("trust", &trust)).await;
    };
    let change = caller.store().delete_trust(found.id, &name);
    caller.change(Act::DeleteTrust, Some(found.id), &format!("{org} {trust}"), change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Exchange a GitHub workflow's token for one of ours, which lives minutes
///
/// 401 for a token that proves nothing, 403 for one that no trust agrees with.
#[utoipa::path(post, path = "/v1/oidc/exchange", tag = "trusts", security(()), request_body = ExchangeRequest,
    responses((status = 201, body = ExchangedToken)))]
pub(crate) async fn exchange(
    State(app): State<App>,
    origin: Origin,
    Body(request): Body<ExchangeRequest>,
) -> Result<(StatusCode, Json<ExchangedToken>), Problem> {
    let claims = match app.issuer().prove(&request.token, app.now_ms()).await {
        Ok(claims) => claims,
        Err(error) => {
            let problem = unproved(&error);
            let who = format!("a workflow: {}", problem.detail);
            app.store().append_deed(origin.deed(&app, who, None, &request.org, &problem.outcome())).await?;
            return Err(problem);
        }
    };
    let trust = match agreed(&app, &request, &claims).await? {
        Ok(trust) => trust,
        Err((org, problem, why)) => {
            let mut deed = origin.deed(&app, claims.run(), org, &request.org, &problem.outcome());
            deed.detail = why.map(|why| why.to_string());
            app.store().append_deed(deed).await?;
            return Err(problem);
        }
    };
    issue(&app, &origin, &request.org, &trust, &claims).await
}

/// A refusal: whose audit it belongs in, what the caller is told, and what the owners are told beside it.
type Refusal = (Option<OrgId>, Problem, Option<Mismatch>);

/// The one trust that agrees with the claims.
async fn agreed(app: &App, request: &ExchangeRequest, claims: &Claims) -> Result<Result<Trust, Refusal>, Problem> {
    let refused = || {
        let detail = format!("organization `{}` trusts no such run: {}", request.org, claims.run());
        let remedy = "an owner of the organization can say what is trusted, and the audit tells owners what differs";
        Problem::new(Kind::Forbidden, detail).field("token").remedy(remedy)
    };
    let org = match request.org.parse::<Name>() {
        Ok(name) => match app.store().within(&Tenants::All, None).seen_by(&Tenants::All).org(&name).await {
            Ok(org) => org,
            Err(StoreError::NotFound { .. }) => return Ok(Err((None, refused(), None))),
            Err(error) => return Err(error.into()),
        },
        Err(_) => return Ok(Err((None, refused(), None))),
    };
    let mut trusts = app.store().within(&Tenants::Orgs([org.id].into()), None).trusts(org.id).await?;
    trusts.retain(|trust| request.trust.as_deref().is_none_or(|name| trust.name.as_str() == name));
    let mut agreeing: Vec<Trust> = Vec::new();
    let mut nearest: Option<Mismatch> = None;
    for trust in trusts {
        match trust.agrees(claims) {
            Ok(()) => agreeing.push(trust),
            Err(mismatch) if trust.concerns(claims) => nearest = Some(mismatch),
            Err(_) => {}
        }
    }
    if agreeing.len() > 1 {
        let names: Vec<String> = agreeing.iter().map(|trust| format!("`{}`", trust.name)).collect();
        let problem = Problem::new(Kind::Invalid, format!("several trusts agree: {}", names.join(", ")));
        return Ok(Err((Some(org.id), problem.field("trust").remedy("name one of them"), None)));
    }
    // A repository that has nothing to do with the organization is nothing for its owners' audit.
    Ok(agreeing.pop().ok_or_else(|| (nearest.map(|_| org.id), refused(), nearest)))
}

async fn issue(
    app: &App,
    origin: &Origin,
    org: &str,
    trust: &Trust,
    claims: &Claims,
) -> Result<(StatusCode, Json<ExchangedToken>), Problem> {
    let secret = edge::new_secret(TokenKind::Workflow).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random bits");
        Problem::new(Kind::Internal, "no secret can be made")
    })?;
    let now_ms = app.now_ms();
    let new = NewExchange {
        id: edge::new_token_id(),
        hash: secret.hash(),
        trust: trust.id,
        run: claims.run(),
        expires_ms: now_ms + app.issuer().token_ms(),
    };
    let mut deed = origin.deed(app, claims.run(), Some(trust.org), &format!("{org} {}", trust.name), "accepted");
    deed.token = Some(new.id);
    let tenants = Tenants::Orgs([trust.org].into());
    let store = app.store().within(&tenants, None);
    app.store().audited(deed, store.create_exchange(&new, now_ms)).await?;
    let projects = store.seen_by(&tenants).projects(trust.org).await?;
    let named = projects.iter().filter(|project| trust.projects.contains(&project.id));
    let exchanged = ExchangedToken {
        secret: secret.reveal().to_owned(),
        expires_at: time(new.expires_ms),
        scope: trust.scope.into(),
        trust: trust.name.to_string(),
        projects: named.map(|project| format!("{org}/{}", project.name)).collect(),
    };
    Ok((StatusCode::CREATED, Json(exchanged)))
}

fn unproved(error: &OidcError) -> Problem {
    let refused = |detail: String| {
        let remedy = "ask GitHub for a new token, with the audience of this installation";
        Problem::new(Kind::Unauthenticated, detail).field("token").remedy(remedy)
    };
    match error {
        OidcError::Token(error) => refused(error.to_string()),
        OidcError::Keys(KeyError::Unknown) => refused(KeyError::Unknown.to_string()),
        OidcError::Keys(KeyError::Unavailable(_)) => {
            Problem::new(Kind::Unavailable, "the issuer's keys can't be had at the moment")
                .remedy("try again")
                .retry_after(15)
        }
        OidcError::Off => Problem::new(Kind::NotFound, error.to_string())
            .remedy("its operators can set `api.oidc.audience`; or use a token of the project"),
    }
}
