//! `migrate`.

use serde::Serialize;

use super::{Failure, screen::Screen};
use crate::{config::Config, store::Store};

#[derive(Serialize)]
struct Said {
    schema: String,
    applied: Vec<String>,
    roles: Vec<String>,
}

/// Makes the database or brings it up to date.
pub(crate) async fn migrate(config: &Config, app_role: Option<&str>, screen: Screen) -> Result<(), Failure> {
    let done = match app_role {
        Some(role) => Store::migrate_for(config.database_url(), role).await?,
        None => Store::migrate(config.database_url()).await?,
    };
    if screen.is_json() {
        return screen.json(&Said { schema: done.schema, applied: done.applied, roles: done.roles });
    }
    for name in &done.applied {
        screen.line(&format!("applied {name}"))?;
    }
    for role in &done.roles {
        screen.line(&format!("role {role} may serve the API"))?;
    }
    let what = if done.applied.is_empty() { "was up to date" } else { "is up to date" };
    screen.line(&format!("the database {what}: schema {}", done.schema))
}
