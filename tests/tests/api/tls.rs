//! TLS as clients see it: the headers, the protocols, and a certificate that is put in the place of another while requests go on.

use std::{path::Path, time::Duration};

use providers::fake::FakeConfig;
use provisioner::api::{Certificates, Settings};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Certificate, Client, tls::Version};
use tests::database::Database;

use crate::stage::Stage;

/// A new certificate for this machine, in those files; the certificate as PEM.
fn certify(certificate: &Path, key: &Path) -> String {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(key, signing_key.serialize_pem()).unwrap();
    std::fs::write(certificate, cert.pem()).unwrap();
    cert.pem()
}

fn trusting(roots: &[&str]) -> reqwest::ClientBuilder {
    let builder =
        Client::builder().tls_certs_only(roots.iter().map(|pem| Certificate::from_pem(pem.as_bytes()).unwrap()));
    // Each request has a handshake of its own.
    builder.pool_max_idle_per_host(0).timeout(Duration::from_secs(20))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_shown_and_no_request_fails() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let old = certify(&certificate, &key);
    let settings = Settings {
        tls_certificate: Some(certificate.clone()),
        tls_key: Some(key.clone()),
        address_per_sec: 100_000,
        ..Settings::default()
    };
    let stage = Stage::with(Database::sqlite().await, FakeConfig::instant(), settings).await;
    let url = stage.url("/healthz");
    assert!(url.starts_with("https://"));
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        let client = trusting(&[&old]).tls_version_min(version).tls_version_max(version).build().unwrap();
        let response = client.get(&url).send().await.unwrap();
        let hsts = response.headers()["strict-transport-security"].to_str().unwrap().to_owned();
        assert_eq!((response.status().as_u16(), hsts.as_str()), (200, "max-age=63072000; includeSubDomains"));
    }
    // Plain text at the door of TLS gets no answer, and no redirection.
    let plain = Client::new().get(url.replace("https", "http")).send().await;
    assert!(plain.is_err(), "{plain:?}");
    // The files change at their leisure: half of a pair is not shown.
    let spare = tempfile::tempdir().unwrap();
    let (new_certificate, new_key) = (spare.path().join("cert.pem"), spare.path().join("key.pem"));
    let new = certify(&new_certificate, &new_key);
    std::fs::copy(&new_key, &key).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    std::fs::copy(&new_certificate, &certificate).unwrap();
    let (both, only_new) = (trusting(&[&old, &new]).build().unwrap(), trusting(&[&new]).build().unwrap());
    let (mut served, mut is_new) = (0, false);
    for _ in 0..600 {
        assert_eq!(both.get(&url).send().await.expect("no request fails").status().as_u16(), 200);
        served += 1;
        if only_new.get(&url).send().await.is_ok() {
            is_new = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(is_new, "the new certificate was not shown after {served} requests");
}

#[test]
fn what_is_no_pair_is_told_and_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let said = |certificate: &Path, key: &Path| Certificates::load(certificate, key).unwrap_err().to_string();
    assert!(said(&certificate, &key).contains("cert.pem"));
    certify(&certificate, &key);
    let shown = Certificates::load(&certificate, &key).unwrap();
    assert!(!shown.refresh().unwrap(), "nothing has changed");
    let other = tempfile::tempdir().unwrap();
    let (other_certificate, other_key) = (other.path().join("cert.pem"), other.path().join("key.pem"));
    certify(&other_certificate, &other_key);
    assert!(said(&certificate, &other_key).contains("can't be used together"));
    std::fs::write(&key, "no key").unwrap();
    assert!(said(&certificate, &key).contains("key.pem"));
    assert!(shown.refresh().is_err(), "what can't be used is not shown");
    std::fs::write(&certificate, "").unwrap();
    assert!(said(&certificate, &other_key).contains("cert.pem"));
}
