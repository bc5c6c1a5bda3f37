//! The control plane's door: HTTP with identities, tenants and limits.
//!
//! A request proves who asks, finds its place only among what that identity sees, and asks the store; a change is in the audit
//! before it is made. It calls no cloud and runs no job. axum is nowhere else.

mod caller;
mod document;
mod extract;
mod limit;
mod meter;
mod oidc;
mod problem;
mod quiet;
mod routes;
mod server;
mod shape;
mod tls;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};

use crate::{core::Policy, execute::Clock, store::Store};
use caller::Peer;
use limit::Limits;
use meter::Meter;
use oidc::Issuer;
use problem::{Kind, Problem};

pub use oidc::OidcSettings;
pub use server::{Door, ServeError, serve};
pub use tls::{Certificates, TlsError};

/// Bytes of a body: the largest request has a few hundred.
const BODY_BYTES: usize = 16 * 1_024;
/// How long a request may take; a long poll takes a minute.
const REQUEST: Duration = Duration::from_secs(75);

/// The section `[api]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The certificate with its chain, as PEM. With `tls_key` it turns TLS on.
    pub tls_certificate: Option<PathBuf>,
    /// The database's URL under the API's own role (see `migrate --app-role`); that of everything else if it is left out.
    pub database: Option<String>,
    /// The certificate's key, as PEM.
    pub tls_key: Option<PathBuf>,
    /// Where `/metrics` is, on this machine: a port of its own. Without it there is none.
    pub metrics_listen: Option<SocketAddr>,
    /// Requests a second that one address may send, and twice as many at once.
    pub address_per_sec: u32,
    /// Requests a second that one token may send, and twice as many at once.
    pub identity_per_sec: u32,
    /// Connections at once.
    pub max_connections: u32,
    /// Seconds in which a request's head has to be there.
    pub head_secs: u32,
    /// Seconds for which requests that are under way may go on when the process is told to stop.
    pub drain_secs: u32,
    /// Whose workflows may exchange their tokens.
    pub oidc: OidcSettings,
    /// The installation's delays, deadlines and caps, for the story of a job. They have a section of their own.
    #[serde(skip)]
    pub policy: Policy,
    /// For how long its clouds may not show what they have just made.
    #[serde(skip)]
    pub visibility_secs: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8_443)),
            tls_certificate: None,
            tls_key: None,
            database: None,
            metrics_listen: None,
            address_per_sec: 200,
            identity_per_sec: 500,
            max_connections: 4_096,
            head_secs: 10,
            drain_secs: 20,
            oidc: OidcSettings::default(),
            policy: Policy::default(),
            visibility_secs: 0,
        }
    }
}

impl Settings {
    /// The first value that can't be meant, as key and problem.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let wrong = [
            (!(1..=1_000_000).contains(&self.address_per_sec), "api.address_per_sec", "must be from 1 to 1000000"),
            (!(1..=1_000_000).contains(&self.identity_per_sec), "api.identity_per_sec", "must be from 1 to 1000000"),
            (!(1..=1_000_000).contains(&self.max_connections), "api.max_connections", "must be from 1 to 1000000"),
            (!(1..=60).contains(&self.head_secs), "api.head_secs", "must be from 1 to 60"),
            (!(1..=600).contains(&self.drain_secs), "api.drain_secs", "must be from 1 to 600"),
            (
                self.metrics_listen.is_some_and(|address| !address.ip().is_loopback()),
                "api.metrics_listen",
                "must be an address of this machine alone, such as 127.0.0.1:9464",
            ),
            (
                self.tls_certificate.is_some() != self.tls_key.is_some(),
                "api.tls_key",
                "and api.tls_certificate go together: give both, or none",
            ),
        ];
        let wrong = wrong.into_iter().find(|(wrong, ..)| *wrong).map(|(_, key, problem)| (key, problem));
        wrong.or_else(|| self.oidc.problem())
    }
}

/// What all requests share.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    store: Store,
    clock: Arc<dyn Clock>,
    limits: Limits,
    issuer: Issuer,
    meter: Meter,
    policy: (Policy, u32),
    is_leaving: AtomicBool,
    /// Whether the application's own checks are made. They are, but in the test that shows what stands behind them.
    is_checked: bool,
}

impl App {
    /// Over that store, by that clock.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, settings: &Settings) -> Self {
        Self::made(store, clock, settings, true)
    }

    /// The same with the application's checks broken: every identity sees all and may do all, as far as the database lets it.
    #[cfg(feature = "sabotage")]
    #[must_use]
    pub fn unchecked(store: Store, clock: Arc<dyn Clock>, settings: &Settings) -> Self {
        Self::made(store, clock, settings, false)
    }

    fn made(store: Store, clock: Arc<dyn Clock>, settings: &Settings, is_checked: bool) -> Self {
        Self(Arc::new(Shared {
            store,
            clock,
            limits: Limits::new(settings),
            issuer: Issuer::new(settings.oidc.clone()),
            meter: Meter::default(),
            policy: (settings.policy.clone(), settings.visibility_secs),
            is_leaving: AtomicBool::new(false),
            is_checked,
        }))
    }

    /// The installation's policy, and for how long its clouds may not show what they have just made.
    pub(crate) fn policy(&self) -> (Policy, u32) {
        self.0.policy.clone()
    }

    /// Whether the application's own checks are made.
    pub(crate) fn is_checked(&self) -> bool {
        self.0.is_checked
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.0.clock.now_ms()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.0.meter
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }

    /// Whether the process is on its way out: long polls and streams end.
    pub(crate) fn is_leaving(&self) -> bool {
        self.0.is_leaving.load(Ordering::Relaxed)
    }

    pub(crate) fn leave(&self) {
        self.0.is_leaving.store(true, Ordering::Relaxed);
    }
}

/// All routes, with what every request goes through.
pub(crate) fn router(app: App) -> Router {
    let (routes, document) = document::routes();
    document::served(routes, document)
        .fallback(|| async { Problem::new(Kind::NotFound, "there is no such path").remedy("see /openapi.json") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Kind::MethodNotAllowed, "that path does not take this method").remedy("see /openapi.json")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// The limit of an address, the time that a request may take, and the headers that every answer has.
async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let (counted, began_ms, method) = (app.meter().request(), app.now_ms(), request.method().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let limited = peer.map_or(Ok(()), |peer| app.limits().of_address(peer.0));
    let mut response = match limited {
        Err(problem) => problem.into_response(),
        Ok(()) => match tokio::time::timeout(REQUEST, answer(request, next)).await {
            Ok(response) => in_our_words(response),
            Err(_) => Problem::new(Kind::TooSlow, "the request took too long")
                .remedy("try again")
                .retry_after(5)
                .into_response(),
        },
    };
    let took_ms = app.now_ms() - began_ms;
    app.meter().answered(&method, route.as_ref().map(MatchedPath::as_str), response.status().as_u16(), took_ms);
    drop(counted);
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What changes something is done to its end, whether its client waits or not: else the audit would tell of what was cut off in the middle.
async fn answer(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    tokio::spawn(next.run(request)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request failed outside of its route");
        Problem::new(Kind::Internal, "the request failed; the log of the service says why").into_response()
    })
}

/// What axum refuses before a route of ours is asked, such as a path that is no text, has axum's words; callers read one form alone.
fn in_our_words(response: Response) -> Response {
    let status = response.status();
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == problem::CONTENT_TYPE);
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    if status.is_client_error() {
        let detail = format!("the request can't be understood: {status}");
        return Problem::new(Kind::Malformed, detail).remedy("see /openapi.json").into_response();
    }
    tracing::error!(%status, "a request failed outside of its route");
    Problem::new(Kind::Internal, "the request failed; the log of the service says why").into_response()
}

/// OWASP's HTTP Headers Cheat Sheet, for an API that no browser shows.
const HEADERS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
];
