//! `certificate`: a self-signed certificate for an API that is tried out on one machine, and the making of it.
//!
//! It never writes over anything: a key that somebody uses is not replaced by a command that was run twice.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde::Serialize;

use super::{Failure, args::CertificateArgs, screen::Screen};

#[derive(Serialize)]
struct Said<'a> {
    tls_certificate: &'a Path,
    tls_key: &'a Path,
    made: bool,
}

pub(crate) fn certificate(args: &CertificateArgs, screen: Screen) -> Result<(), Failure> {
    let CertificateArgs { tls_certificate, tls_key, names } = args;
    let made = match (tls_certificate.exists(), tls_key.exists()) {
        (true, true) => false,
        (false, false) => {
            certify(tls_certificate, tls_key, names)?;
            true
        }
        (true, false) | (false, true) => {
            return Err(Failure::failed(format!(
                "of {} and {} one is there and the other is not",
                tls_certificate.display(),
                tls_key.display()
            ))
            .remedy("name both files of a pair, or take the one away"));
        }
    };
    if screen.is_json() {
        return screen.json(&Said { tls_certificate, tls_key, made });
    }
    let what = if made { "made" } else { "kept as it is" };
    screen.line(&format!("{} {what}, with its key in {}", tls_certificate.display(), tls_key.display()))
}

/// A certificate for those names, signed by itself, and its key for nobody else's eyes.
pub(crate) fn certify(certificate: &Path, key: &Path, names: &[String]) -> Result<(), Failure> {
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| Failure::failed(format!("no certificate can be made for {}: {error}", names.join(", "))))?;
    // The key first: who finds a certificate finds its key.
    write_new(key, 0o600, &made.signing_key.serialize_pem())?;
    write_new(certificate, 0o644, &made.cert.pem())
}

fn write_new(file: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let told = |error: io::Error| {
        Failure::failed(format!("{} can't be written: {error}", file.display()))
            .remedy("name a new file in a directory that is there and can be written")
    };
    let mut opened = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(told)?;
    opened.write_all(text.as_bytes()).map_err(told)
}
