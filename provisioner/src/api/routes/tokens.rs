//! Tokens of an organization and of its projects, and those of the person who asks.

use axum::{Json, extract::Path, http::StatusCode};
use uuid::Uuid;

use super::orgs::name;
use crate::{
    api::{
        caller::Caller,
        extract::Body,
        problem::{Kind, Problem},
        shape::{IssuedToken, OwnTokenRequest, Page, TokenRequest, TokenView},
    },
    core::{Act, OrgId, TokenId, TokenScope},
    edge,
    store::{Holder, NewToken},
};

/// The tokens of an organization and its projects; never their secrets
#[utoipa::path(get, path = "/v1/orgs/{org}/tokens", tag = "tokens", params(("org" = String, Path)),
    responses((status = 200, body = Page<TokenView>)))]
pub(crate) async fn list(caller: Caller, Path(org): Path<String>) -> Result<Json<Page<TokenView>>, Problem> {
    let org = caller.org(&org, Act::ListTokens).await?;
    let tokens = caller.store().tokens(Some(org.id)).await?;
    Ok(Json(Page { items: tokens.into_iter().map(TokenView::from).collect(), next: None }))
}

/// Make a token of the organization, or of one of its projects
#[utoipa::path(post, path = "/v1/orgs/{org}/tokens", tag = "tokens", params(("org" = String, Path)),
    request_body = TokenRequest, responses((status = 201, body = IssuedToken)))]
pub(crate) async fn create(
    caller: Caller,
    Path(org): Path<String>,
    Body(new): Body<TokenRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), Problem> {
    let found = caller.org(&org, Act::CreateToken).await?;
    let holder = match &new.project {
        None => Holder::Org(found.id),
        // Each of the two can be, and not both: that is no matter of the form.
        Some(_) if TokenScope::from(new.scope) == TokenScope::Manage => {
            let remedy = "use read or build, or a token of the organization";
            let told = Problem::new(Kind::Refused, "a project's token manages nothing");
            let told = told.field("scope").remedy(remedy);
            return caller.refuse(Act::CreateToken, Some(found.id), &org, told).await;
        }
        Some(project) => {
            let (path, known) =
                (format!("{org}/{project}"), caller.seen().project(&found.name, &name(project, "project")?).await);
            let Some((_, project)) = caller.found(known)? else {
                let told = Problem::not_found("project", &path);
                return caller.refuse(Act::CreateToken, Some(found.id), &path, told).await;
            };
            Holder::Project(found.id, project.id)
        }
    };
    let (scope, expires_in_secs) = (new.scope.into(), new.expires_in_secs);
    issue(&caller, Act::CreateToken, &org, Some(found.id), Terms { holder, scope, name: new.name, expires_in_secs })
        .await
}

/// A token to be.
struct Terms {
    holder: Holder,
    scope: TokenScope,
    name: String,
    expires_in_secs: u32,
}

/// Makes a token, and shows its secret once.
async fn issue(
    caller: &Caller,
    act: Act,
    whose: &str,
    org: Option<OrgId>,
    terms: Terms,
) -> Result<(StatusCode, Json<IssuedToken>), Problem> {
    let Terms { holder, scope, name, expires_in_secs } = terms;
    let secret = edge::new_secret(holder.kind()).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random bits");
        Problem::new(Kind::Internal, "no secret can be made")
    })?;
    let token = NewToken {
        id: edge::new_token_id(),
        hash: secret.hash(),
        holder,
        scope,
        name,
        created_by: caller.identity.name.clone(),
        expires_ms: caller.now_ms() + i64::from(expires_in_secs) * 1_000,
    };
    let change = caller.store().create_token(&token, caller.now_ms());
    let resource = format!("{whose} {} ({})", token.id, token.name);
    caller.change(act, org, &resource, change).await?;
    let issued = IssuedToken::new(token.id, holder.kind(), token.expires_ms, secret.reveal());
    Ok((StatusCode::CREATED, Json(issued)))
}

/// Make a token worthless, at once
#[utoipa::path(delete, path = "/v1/orgs/{org}/tokens/{token}", tag = "tokens",
    params(("org" = String, Path), ("token" = String, Path)), responses((status = 204)))]
pub(crate) async fn revoke(caller: Caller, Path((org, token)): Path<(String, String)>) -> Result<StatusCode, Problem> {
    let found = caller.org(&org, Act::RevokeToken).await?;
    let Ok(id) = token.parse::<Uuid>() else {
        return caller.refuse(Act::RevokeToken, Some(found.id), &token, Problem::not_found("token", &token)).await;
    };
    let change = caller.store().revoke_token(TokenId::from_uuid(id), Some(found.id), caller.now_ms());
    caller.change(Act::RevokeToken, Some(found.id), &token, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The tokens of the person who asks; never their secrets
#[utoipa::path(get, path = "/v1/user/tokens", tag = "tokens", responses((status = 200, body = Page<TokenView>)))]
pub(crate) async fn list_own(caller: Caller) -> Result<Json<Page<TokenView>>, Problem> {
    let user = caller.own(Act::ListOwnTokens, "tokens").await?;
    let tokens = caller.store().tokens_of(user).await?;
    Ok(Json(Page { items: tokens.into_iter().map(TokenView::from).collect(), next: None }))
}

/// Make a token of the person who asks
#[utoipa::path(post, path = "/v1/user/tokens", tag = "tokens", request_body = OwnTokenRequest,
    responses((status = 201, body = IssuedToken)))]
pub(crate) async fn create_own(
    caller: Caller,
    Body(new): Body<OwnTokenRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), Problem> {
    let user = caller.own(Act::CreateOwnToken, "tokens").await?;
    // No more than that of the token that asks: the act takes one that is good for everything.
    let scope = new.scope.into();
    let terms = Terms { holder: Holder::User(user), scope, name: new.name, expires_in_secs: new.expires_in_secs };
    issue(&caller, Act::CreateOwnToken, "user", None, terms).await
}

/// Make a token of the person who asks worthless, at once; also the one that asks
#[utoipa::path(delete, path = "/v1/user/tokens/{token}", tag = "tokens", params(("token" = String, Path)),
    responses((status = 204)))]
pub(crate) async fn revoke_own(caller: Caller, Path(token): Path<String>) -> Result<StatusCode, Problem> {
    let user = caller.own(Act::RevokeOwnToken, &token).await?;
    let Ok(id) = token.parse::<Uuid>() else {
        return caller.refuse(Act::RevokeOwnToken, None, &token, Problem::not_found("token", &token)).await;
    };
    let change = caller.store().revoke_token_of(user, TokenId::from_uuid(id), caller.now_ms());
    caller.change(Act::RevokeOwnToken, None, &token, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
