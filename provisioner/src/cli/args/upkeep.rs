//! `certificate` and `healthcheck`: what an image has no shell for.

use std::path::PathBuf;

use clap::Args;

#[derive(Clone, Debug, Args)]
pub(crate) struct CertificateArgs {
    /// Where the certificate goes, as PEM. It and its key stay as they are if they are there
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_certificate: PathBuf,
    /// Where its key goes, as PEM, for nobody else's eyes
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: PathBuf,
    /// A host name or address under which it is asked for; may be given again
    #[arg(long = "name", value_name = "HOST", default_values = ["localhost", "127.0.0.1"])]
    pub(crate) names: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct HealthcheckArgs {
    /// Where `serve` listens, on this machine; what the configuration says without it
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Ask whether it can do its work, and not only whether it is there: the database answers, and has the schema
    #[arg(long)]
    pub(crate) ready: bool,
}
