//! `migrate`.

use serde::Serialize;

use super::{Failure, screen::Screen};
use crate::{config::Config, store::Store};

#[derive(Serialize)]
struct Said {
    schema: String,
    applied: Vec<String>,
}

/// Makes the database or brings it up to date.
pub(crate) async fn migrate(config: &Config, screen: Screen) -> Result<(), Failure> {
    let done = Store::migrate(config.database_url()).await?;
    if screen.is_json() {
        return screen.json(&Said { schema: done.schema, applied: done.applied });
    }
    for name in &done.applied {
        screen.line(&format!("applied {name}"))?;
    }
    let what = if done.applied.is_empty() { "was up to date" } else { "is up to date" };
    screen.line(&format!("the database {what}: schema {}", done.schema))
}
