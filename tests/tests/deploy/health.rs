//! `certificate` and `healthcheck`: what the image has in the place of openssl and curl.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tests::binary;

fn provisioner(directory: &Path, arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binary::path()).args(arguments).current_dir(directory).output()?)
}

fn serve(directory: &Path) -> Result<(Child, String)> {
    let mut child = Command::new(binary::path())
        .arg("serve")
        .current_dir(directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
    ensure!(line.starts_with("listening on https://"), "{line:?}");
    Ok((child, line))
}

#[test]
fn a_certificate_is_made_once_and_a_healthy_door_is_told_from_none() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let here = directory.path();
    let pair = ["certificate", "--tls-certificate", "cert.pem", "--tls-key", "key.pem", "--name", "builders.test"];
    ensure!(provisioner(here, &pair)?.status.success());
    let (certificate, key) = (fs::read(here.join("cert.pem"))?, fs::read(here.join("key.pem"))?);
    assert_eq!(fs::metadata(here.join("key.pem"))?.permissions().mode() & 0o777, 0o600);
    ensure!(provisioner(here, &pair)?.status.success());
    assert_eq!((fs::read(here.join("cert.pem"))?, fs::read(here.join("key.pem"))?), (certificate, key.clone()));
    fs::remove_file(here.join("cert.pem"))?;
    assert_eq!(provisioner(here, &pair)?.status.code(), Some(1), "half a pair is not mended by a new one");
    assert_eq!(fs::read(here.join("key.pem"))?, key);
    fs::remove_file(here.join("key.pem"))?;
    ensure!(provisioner(here, &pair)?.status.success());

    // A port that is free now; the health check has to know it from the configuration.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let text = format!(
        "database = \"sqlite://p.db\"\n[api]\nlisten = \"0.0.0.0:{port}\"\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\ndrain_secs = 1\n"
    );
    fs::write(here.join("provisioner.toml"), text)?;
    ensure!(provisioner(here, &["migrate"])?.status.success());
    assert_eq!(provisioner(here, &["healthcheck"])?.status.code(), Some(1), "nobody listens");
    let (child, line) = serve(here)?;
    assert!(line.contains(&port.to_string()), "{line}");
    for arguments in [&["healthcheck"][..], &["healthcheck", "--ready"]] {
        let output = provisioner(here, arguments)?;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // It is there, and can't do its work: the one is told from the other.
    rusqlite::Connection::open(here.join("p.db"))?.execute_batch("DELETE FROM provisioner_migrations")?;
    assert_eq!(provisioner(here, &["healthcheck", "--ready"])?.status.code(), Some(1));
    assert_eq!(provisioner(here, &["healthcheck"])?.status.code(), Some(0));
    let url = format!("https://localhost:{port}");
    assert_eq!(provisioner(here, &["healthcheck", &url])?.status.code(), Some(0));
    assert_eq!(provisioner(here, &["healthcheck", "https://builders.example"])?.status.code(), Some(2));
    ensure!(Command::new("kill").arg(child.id().to_string()).status()?.success());
    assert_eq!(binary::wait(child, Duration::from_secs(20))?.status.code(), Some(0));
    assert_eq!(provisioner(here, &["healthcheck"])?.status.code(), Some(1), "it is gone");
    Ok(())
}
