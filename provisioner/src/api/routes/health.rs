//! Whether the service is there, and whether it can do its work. Nobody has to say who asks.

use axum::{Json, extract::State};

use crate::{
    api::{
        App,
        problem::{Kind, Problem},
        shape::Health,
    },
    store::StoreError,
};

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// The database answers, has the schema that this program needs, and the process is not on its way out.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn readyz(State(app): State<App>) -> Result<Json<Health>, Problem> {
    if app.is_leaving() {
        return Err(Problem::new(Kind::Unavailable, "this process is on its way out").retry_after(1));
    }
    match app.store().is_ready().await {
        Ok(()) => Ok(Json(Health { status: "ok" })),
        Err(error @ StoreError::NoSchema { .. }) => {
            tracing::error!(%error, "not ready");
            let told = Problem::new(Kind::Unavailable, "the database lacks changes of the schema");
            Err(told.remedy("run `provisioner migrate`").retry_after(5))
        }
        Err(error) => Err(error.into()),
    }
}
