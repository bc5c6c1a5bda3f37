//! The listening: connections taken in, wrapped in TLS, bounded in number and in the time that a head may take; and the end,
//! in which what is under way may finish.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Request, header},
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{App, Certificates, Settings, TlsError, caller::Peer, meter, quiet::Pulse, router};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often the certificate's files are looked at, and what nobody needs any more is forgotten.
const TEND: Duration = Duration::from_secs(5);
/// Bytes of a request's head.
const HEAD_BYTES: usize = 32 * 1_024;
/// Header lines of a request.
const HEADER_LINES: usize = 64;
/// Streams of one HTTP/2 connection at once.
const STREAMS: u32 = 64;
/// "two years, subdomains": RFC 6797.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// Why it can't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not ours.
    #[error("can't listen on {address}: {reason}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        reason: io::Error,
    },
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A listening socket, before anything is taken in.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    metrics: Option<TcpListener>,
}

impl Door {
    /// Listens; with a certificate, by TLS.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn open(settings: &Settings) -> Result<Self, ServeError> {
        let certificates = match (&settings.tls_certificate, &settings.tls_key) {
            (Some(certificate), Some(key)) => Some(Certificates::load(certificate, key)?),
            (Some(_) | None, Some(_) | None) => None,
        };
        let bind =
            async |address| TcpListener::bind(address).await.map_err(|reason| ServeError::Listen { address, reason });
        let metrics = match settings.metrics_listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        Ok(Self { listener: bind(settings.listen).await?, certificates, metrics })
    }

    /// Where it listens: the port is known even where the system was to choose one.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where `/metrics` is, if it is anywhere.
    ///
    /// # Errors
    /// The system's.
    pub fn metrics_address(&self) -> io::Result<Option<SocketAddr>> {
        self.metrics.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Whether by TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.certificates.is_some()
    }
}

/// Serves until it is told to stop; then nothing more is taken in, and what is under way has so many seconds.
///
/// # Errors
/// [`ServeError`] if the certificate can't be used.
pub async fn serve(app: App, door: Door, settings: &Settings, stop: CancellationToken) -> Result<(), ServeError> {
    let Door { listener, certificates, metrics } = door;
    let tls = match &certificates {
        Some(certificates) => Some(TlsAcceptor::from(Arc::new(certificates.config()?))),
        None => None,
    };
    let tending = tokio::spawn(tend(app.clone(), certificates));
    let watched = metrics.map(|listener| {
        let page = meter::page(app.clone());
        tokio::spawn(async move { axum::serve(listener, page).await })
    });
    let (connections, room) = (TaskTracker::new(), Arc::new(Semaphore::new(settings.max_connections as usize)));
    let served = Served {
        app: app.clone(),
        router: router(app.clone()),
        tls,
        head: Duration::from_secs(settings.head_secs.into()),
        stop: stop.clone(),
    };
    loop {
        let Ok(seat) = (tokio::select! {
            seat = Arc::clone(&room).acquire_owned() => seat,
            () = stop.cancelled() => break,
        }) else {
            break;
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Too many open files, say: a connection that ends makes room.
                    tracing::warn!(%error, "a connection could not be taken in");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        let served = served.clone();
        connections.spawn(async move {
            served.connection(stream, peer).await;
            drop(seat);
        });
    }
    drop(listener);
    app.leave();
    connections.close();
    if timeout(Duration::from_secs(settings.drain_secs.into()), connections.wait()).await.is_err() {
        tracing::warn!(left = connections.len(), "requests that did not end in time were cut off");
    }
    tending.abort();
    // To the end whoever watches sees what is still under way.
    if let Some(watched) = watched {
        watched.abort();
    }
    Ok(())
}

async fn tend(app: App, certificates: Option<Arc<Certificates>>) {
    let mut ticks = tokio::time::interval(TEND);
    loop {
        ticks.tick().await;
        app.limits().forget();
        match certificates.as_ref().map(|certificates| certificates.refresh()) {
            Some(Ok(true)) => tracing::info!("a new certificate is shown"),
            Some(Err(error)) => tracing::error!(%error, "the new certificate can't be used: the old one is shown on"),
            Some(Ok(false)) | None => {}
        }
    }
}

#[derive(Clone)]
struct Served {
    app: App,
    router: axum::Router,
    tls: Option<TlsAcceptor>,
    head: Duration,
    stop: CancellationToken,
}

impl Served {
    async fn connection(self, stream: TcpStream, peer: SocketAddr) {
        let _ = stream.set_nodelay(true);
        let app = self.app.clone();
        let _counted = app.meter().connection();
        match self.tls.clone() {
            None => self.requests(stream, peer).await,
            Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.requests(stream, peer).await,
                Ok(Err(error)) => {
                    app.meter().no_tls();
                    tracing::debug!(%error, %peer, "no TLS came about");
                }
                Err(_) => {
                    app.meter().no_tls();
                    tracing::debug!(%peer, "a TLS handshake took too long");
                }
            },
        }
    }

    async fn requests<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S, peer: SocketAddr) {
        let (router, is_secure, pulse) = (self.router.clone(), self.tls.is_some(), Arc::new(Pulse::default()));
        let beats = Arc::clone(&pulse);
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer.ip()));
            let (answer, under_way) = (router.clone().oneshot(request), beats.begin());
            async move {
                let mut response = answer.await?;
                if is_secure {
                    response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
                }
                Ok::<_, Infallible>(response.map(|body| under_way.with(body)))
            }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEADER_LINES);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
            .keep_alive_interval(self.head)
            .keep_alive_timeout(self.head);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
            // Nobody asks: not with a first word, nor between requests.
            () = pulse.quiet(self.head) => {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(self.head, connection).await;
                return;
            }
        }
        let _ = connection.await;
    }
}
