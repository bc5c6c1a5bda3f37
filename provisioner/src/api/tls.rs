//! TLS by rustls, 1.2 and 1.3 only; certificates come from files and are read again when these change.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

/// What is wrong with a certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or holds something else.
    #[error("{file}: {problem}")]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The two do not belong together, or can't be used.
    #[error("the certificate {certificate} and the key {key} can't be used together: {problem}")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// Why.
        problem: String,
    },
}

/// The certificate that is shown, from files.
#[derive(Debug)]
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    shown: Arc<CertifiedKey>,
    stamps: Stamps,
}

type Stamps = [Option<(SystemTime, u64)>; 2];

impl Certificates {
    /// Reads both files.
    ///
    /// # Errors
    /// [`TlsError`], which names the file.
    pub fn load(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let stamps = stamps(certificate, key);
        let shown = read(certificate, key, &provider)?;
        let current = RwLock::new(Current { shown, stamps });
        Ok(Arc::new(Self { certificate: certificate.to_owned(), key: key.to_owned(), provider, current }))
    }

    /// Reads the files again if they have changed; true if there is a new certificate. What can't be used is not shown: the old
    /// one stays.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let now = stamps(&self.certificate, &self.key);
        if self.current.read().unwrap_or_else(PoisonError::into_inner).stamps == now {
            return Ok(false);
        }
        let shown = read(&self.certificate, &self.key, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current { shown, stamps: now };
        Ok(true)
    }

    /// What rustls needs to serve.
    pub(super) fn config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let versions = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| self.pair(&error))?;
        let mut config =
            versions.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn pair(&self, error: &rustls::Error) -> TlsError {
        TlsError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), problem: error.to_string() }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).shown))
    }
}

fn stamps(certificate: &Path, key: &Path) -> Stamps {
    [certificate, key].map(|file| {
        let known = std::fs::metadata(file).ok()?;
        Some((known.modified().ok()?, known.len()))
    })
}

fn read(certificate: &Path, key: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<CertifiedKey>, TlsError> {
    let wrong = |file: &Path, problem: String| TlsError::File { file: file.to_owned(), problem };
    let text = |file: &Path| std::fs::read(file).map_err(|error| wrong(file, error.to_string()));
    let chain = CertificateDer::pem_slice_iter(&text(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(certificate, format!("it is no certificate in PEM: {error}")))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "there is no certificate in it".to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&text(key)?)
        .map_err(|error| wrong(key, format!("it is no private key in PEM: {error}")))?;
    let pair = CertifiedKey::from_der(chain, secret, provider).map_err(|error| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        problem: error.to_string(),
    })?;
    Ok(Arc::new(pair))
}
