//! Whether the service is there, and whether it can do its work. Nobody has to say who asks.

use axum::{Json, extract::State};

use crate::api::{
    App,
    problem::{Kind, Problem},
    shape::Health,
};

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The database answers, its schema is this program's, and the process is not on its way out.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn readyz(State(app): State<App>) -> Result<Json<Health>, Problem> {
    if app.is_leaving() {
        return Err(Problem::new(Kind::Unavailable, "this process is on its way out").retry_after(1));
    }
    // The schema was checked when the database was opened; that it answers is asked now.
    app.store().has_projects().await?;
    Ok(Json(Health { status: "ok" }))
}
