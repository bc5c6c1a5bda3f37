//! What every command that touches the database has at hand.

use super::{Failure, args::Global, screen::Screen};
use crate::{
    config::{Config, Overrides},
    core::{Name, OrgId},
    edge::Anchored,
    execute::Clock as _,
    store::Store,
};

/// Configuration, database, time and screen of one command.
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) clock: Anchored,
    pub(crate) screen: Screen,
}

impl Session {
    /// Opens the database that the configuration names.
    pub(crate) async fn open(config: Config, screen: Screen) -> Result<Self, Failure> {
        let store = Store::open(config.database_url()).await?;
        let clock = Anchored::to_store(&store).await?;
        Ok(Self { config, store, clock, screen })
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The id of the organization by which a list is narrowed, if it is.
    pub(crate) async fn org_id(&self, org: Option<&Name>) -> Result<Option<OrgId>, Failure> {
        Ok(match org {
            Some(name) => Some(self.store.org(name).await?.id),
            None => None,
        })
    }
}

/// The configuration that the flags, the environment and the file make together.
pub(crate) fn load_config(global: &Global) -> Result<Config, Failure> {
    let overrides = Overrides {
        file: global.config.clone(),
        database: global.database.clone(),
        deployment: global.deployment.clone(),
    };
    Ok(Config::load(overrides)?)
}
