//! `serve`: opens the door, and with `--worker` works on jobs in the same process.

use std::sync::Arc;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{
    Failure,
    args::{ServeArgs, WorkerArgs},
    session::Session,
    worker,
};
use crate::{
    api::{self, App, Door, ServeError},
    config::Config,
    execute::Clock,
    store::{Backend, Store},
};

/// What was asked for, checked before the database is opened.
pub(crate) struct Plan {
    settings: api::Settings,
    worker: Option<worker::Plan>,
}

impl Plan {
    pub(crate) fn new(config: &Config, args: ServeArgs) -> Result<Self, Failure> {
        let mut settings = config.api.clone();
        (settings.policy, settings.visibility_secs) = (config.policy.clone(), config.visibility_secs());
        settings.listen = args.listen.unwrap_or(settings.listen);
        settings.metrics_listen = args.metrics_listen.or(settings.metrics_listen);
        if let Some((key, problem)) = settings.problem() {
            let flag = key.replace("api.", "--").replace('_', "-");
            return Err(Failure::usage(format!("{flag} {problem}")).remedy("correct the flag"));
        }
        if args.tls_certificate.is_some() {
            (settings.tls_certificate, settings.tls_key) = (args.tls_certificate, args.tls_key);
        }
        settings.database = args.api_database.or(settings.database);
        let is_plain = settings.tls_certificate.is_none();
        if is_plain && !settings.listen.ip().is_loopback() && !args.expose_tokens_in_plain_http {
            return Err(Failure::usage(format!(
                "{} is reached by others, and there is no TLS: every token could be read on the way",
                settings.listen
            ))
            .remedy("give --tls-certificate and --tls-key, or listen on 127.0.0.1")
            .remedy("behind a proxy that does TLS, on a network of their own: --expose-tokens-in-plain-http"));
        }
        let worker = if args.worker { Some(worker::Plan::new(config, &WorkerArgs::default())?) } else { None };
        Ok(Self { settings, worker })
    }
}

impl Plan {
    /// The configuration under which the session opens: a process that does nothing but serve needs no other database than the API's.
    pub(crate) fn config(&self, config: Config) -> Config {
        match (&self.settings.database, &self.worker) {
            (Some(url), None) => Config { database: Some(url.clone()), ..config },
            (Some(_), Some(_)) | (None, _) => config,
        }
    }
}

pub(crate) async fn serve(session: &Session, plan: Plan) -> Result<(), Failure> {
    let Plan { settings, worker: work } = plan;
    let stop = CancellationToken::new();
    worker::listen(stop.clone())?;
    let door = Door::open(&settings).await?;
    let clock: Arc<dyn Clock> = Arc::new(session.clock);
    let store = match (&settings.database, &work) {
        (Some(url), Some(_)) => Store::open(url).await?,
        (Some(_), None) | (None, _) => session.store.clone(),
    };
    if store.backend() == Backend::Postgres && !store.is_walled() {
        tracing::warn!(
            database = store.place(),
            "row-level security does not hold this role: it stands behind the API for one that `migrate --app-role` has let in"
        );
    }
    let app = App::new(store, clock, &settings);
    let scheme = if door.is_secure() { "https" } else { "http" };
    let url = format!("{scheme}://{}", door.address()?);
    let metrics = door.metrics_address()?.map(|address| format!("http://{address}/metrics"));
    if session.screen.is_json() {
        session.screen.json(&json!({ "listening": url, "metrics": metrics }))?;
    } else {
        session.screen.line(&format!("listening on {url}"))?;
        if let Some(metrics) = metrics {
            session.screen.line(&format!("metrics on {metrics}"))?;
        }
    }
    match work {
        None => api::serve(app, door, &settings, stop).await?,
        Some(work) => {
            let serving = async { api::serve(app, door, &settings, stop.clone()).await.map_err(Failure::from) };
            let working = async {
                let result = worker::work_until(session, work, stop.clone()).await;
                // A worker that can't go on does not leave a door behind which nothing is done.
                stop.cancel();
                result
            };
            let (served, worked) = tokio::join!(serving, working);
            served.and(worked)?;
        }
    }
    Ok(())
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Listen { .. } => {
                Self::failed(error.to_string()).remedy("choose another --listen, or end who has it")
            }
            ServeError::Tls(_) => Self::usage(error.to_string()).remedy("correct api.tls_certificate and api.tls_key"),
        }
    }
}
