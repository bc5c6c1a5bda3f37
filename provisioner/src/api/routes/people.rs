//! People, and what they are in organizations.

use axum::{Json, extract::Path, http::StatusCode};

use super::orgs::name;
use crate::{
    api::{
        caller::Caller,
        extract::Body,
        problem::Problem,
        shape::{MemberView, NewName, NewRole, Page, UserView},
    },
    core::{Act, Place, Role},
    edge,
    store::Member,
};

/// The people
#[utoipa::path(get, path = "/v1/users", tag = "people", responses((status = 200, body = Page<UserView>)))]
pub(crate) async fn users(caller: Caller) -> Result<Json<Page<UserView>>, Problem> {
    caller.permit(Act::ListUsers, Place::Installation, "installation", "users").await?;
    let users = caller.store().users().await?;
    Ok(Json(Page { items: users.into_iter().map(UserView::from).collect(), next: None }))
}

/// Make a person known
#[utoipa::path(post, path = "/v1/users", tag = "people", request_body = NewName,
    responses((status = 201, body = UserView)))]
pub(crate) async fn create(caller: Caller, Body(new): Body<NewName>) -> Result<(StatusCode, Json<UserView>), Problem> {
    caller.permit(Act::CreateUser, Place::Installation, "installation", &new.name).await?;
    let name = name(&new.name, "name")?;
    let change = caller.store().create_user(&name, edge::new_user_id(), caller.now_ms());
    let user = caller.change(Act::CreateUser, None, name.as_str(), change).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Who belongs to an organization
#[utoipa::path(get, path = "/v1/orgs/{org}/members", tag = "people", params(("org" = String, Path)),
    responses((status = 200, body = Page<MemberView>)))]
pub(crate) async fn members(caller: Caller, Path(org): Path<String>) -> Result<Json<Page<MemberView>>, Problem> {
    let org = caller.org(&org, Act::ListMembers).await?;
    let members = caller.store().members(org.id).await?;
    Ok(Json(Page { items: members.into_iter().map(MemberView::from).collect(), next: None }))
}

/// Say what a person is in an organization
#[utoipa::path(put, path = "/v1/orgs/{org}/members/{user}", tag = "people", request_body = NewRole,
    params(("org" = String, Path), ("user" = String, Path)), responses((status = 200, body = MemberView)))]
pub(crate) async fn set(
    caller: Caller,
    Path((org, user)): Path<(String, String)>,
    Body(new): Body<NewRole>,
) -> Result<Json<MemberView>, Problem> {
    let found = caller.org(&org, Act::SetMember).await?;
    let person = match user.parse() {
        Ok(user_name) => caller.found(caller.store().user(&user_name).await)?,
        Err(_) => None,
    };
    let Some(person) = person else {
        // Of the installation's people an owner learns nothing but this; who tries names shows in the audit.
        return caller.refuse(Act::SetMember, Some(found.id), &user, Problem::not_found("user", &user)).await;
    };
    let role = Role::from(new.role);
    let change = caller.store().set_member(found.id, &person, role, caller.now_ms());
    let resource = format!("{org}/{user} {}", role.as_str());
    caller.change(Act::SetMember, Some(found.id), &resource, change).await?;
    Ok(Json(Member { user: person, role }.into()))
}

/// Take a person out of an organization, at once
#[utoipa::path(delete, path = "/v1/orgs/{org}/members/{user}", tag = "people",
    params(("org" = String, Path), ("user" = String, Path)), responses((status = 204)))]
pub(crate) async fn remove(caller: Caller, Path((org, user)): Path<(String, String)>) -> Result<StatusCode, Problem> {
    let found = caller.org(&org, Act::RemoveMember).await?;
    // Whether the installation knows a person who is not of this organization is nobody's business here.
    let members = caller.store().members(found.id).await?;
    let member = members.into_iter().find(|member| member.user.name.as_str() == user);
    let Some(member) = member else {
        return caller.refuse(Act::RemoveMember, Some(found.id), &user, Problem::not_found("member", &user)).await;
    };
    let change = caller.store().remove_member(found.id, &member.user);
    caller.change(Act::RemoveMember, Some(found.id), &format!("{org}/{user}"), change).await?;
    Ok(StatusCode::NO_CONTENT)
}
