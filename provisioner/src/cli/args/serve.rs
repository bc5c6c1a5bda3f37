//! `serve`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen; wins over `api.listen`. Port 0 lets the system choose one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// The certificate with its chain, as PEM; wins over `api.tls_certificate`. Read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// The certificate's key, as PEM; wins over `api.tls_key`
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where `/metrics` is: an address of this machine alone; wins over `api.metrics_listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Serve without TLS on an address that others reach: whoever is on the way reads every token. For a proxy that does TLS
    /// in front of it, on a network of their own
    #[arg(long)]
    pub(crate) expose_tokens_in_plain_http: bool,
    /// The database as the API's own role, see `migrate --app-role`; wins over `api.database`. Without it the API connects as
    /// everything else does
    #[arg(long, env = "PROVISIONER_API_DATABASE", hide_env_values = true, value_name = "URL")]
    pub(crate) api_database: Option<String>,
    /// Work on jobs as well, in this process
    #[arg(long)]
    pub(crate) worker: bool,
}
