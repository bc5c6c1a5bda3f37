//! The API at the end of the demonstration: a process of its own on loopback, with a certificate of its own, over the demonstration's
//! database. It ends by itself after some minutes, and takes the directory of the demonstration with it.

use std::{
    io::{self, BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::Scratch;
use crate::{
    api::{self, App, Door, Settings},
    cli::{Failure, certificate::certify, screen::Screen},
    core::{TokenKind, TokenScope},
    edge::{self, Anchored},
    execute::Clock as _,
    store::{Holder, NewToken, Store},
};

/// How long it stays open.
const OPEN: Duration = Duration::from_secs(600);

const CERTIFICATE: &str = "cert.pem";
const KEY: &str = "key.pem";

/// What somebody needs who wants in.
#[derive(Serialize)]
struct Opened {
    api: String,
    certificate: PathBuf,
    token: String,
    pid: u32,
    seconds: u64,
}

/// Starts the process, and says how to come in: two commands that work when they are pasted.
pub(super) async fn open(scratch: Scratch, store: &Store, clock: Anchored, screen: Screen) -> Result<(), Failure> {
    let directory = &scratch.0;
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    certify(&directory.join(CERTIFICATE), &directory.join(KEY), &names)?;
    let token = token(store, clock).await?;
    let told = |error: io::Error| Failure::failed(format!("the API can't be started: {error}"));
    let mut child = Command::new(std::env::current_exe().map_err(told)?)
        .args(["demo", "--door"])
        .arg(directory)
        .args(["--output", "json"])
        // A group of its own: Ctrl-C is for what is typed next.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(told)?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line).map_err(told)?;
    }
    let api = line.trim().to_owned();
    if api.is_empty() {
        return Err(Failure::failed("the API did not start").remedy("run `provisioner serve` by hand to see why"));
    }
    // From here on the directory is the child's.
    let certificate = directory.join(CERTIFICATE);
    let opened = Opened { api, certificate, token, pid: child.id(), seconds: OPEN.as_secs() };
    scratch.hand_over();
    tell(screen, &opened)
}

fn tell(screen: Screen, opened: &Opened) -> Result<(), Failure> {
    if screen.is_json() {
        return screen.json(opened);
    }
    let Opened { api, certificate, token, pid, seconds } = opened;
    screen.line(&format!(
        "\nThe API is open on this machine for {} minutes, or until `kill {pid}`. The builder of a build, and all of the project:",
        seconds / 60
    ))?;
    let curl =
        format!("curl --silent --show-error --cacert {} -H 'Authorization: Bearer {token}'", certificate.display());
    let path = format!("{api}/v1/projects/acme/web/builders");
    screen.line(&format!("{curl} -X POST {path}/arm64/acquire; echo"))?;
    screen.line(&format!("{curl} {path}; echo"))
}

/// A token of acme that is good for as long as the door is open.
async fn token(store: &Store, clock: Anchored) -> Result<String, Failure> {
    let acme = store.org(&super::fleet::name(super::fleet::ORGS[0])?).await?;
    let secret = edge::new_secret(TokenKind::Org)
        .map_err(|error| Failure::failed(format!("the operating system gives no random bits: {error}")))?;
    let now_ms = clock.now_ms();
    let new = NewToken {
        id: edge::new_token_id(),
        hash: secret.hash(),
        holder: Holder::Org(acme.id),
        scope: TokenScope::Build,
        name: "demonstration".to_owned(),
        created_by: "the demonstration".to_owned(),
        expires_ms: now_ms + i64::try_from(OPEN.as_millis()).unwrap_or(0) + 60_000,
    };
    store.create_token(&new, now_ms).await?;
    Ok(secret.reveal().to_owned())
}

/// The process itself: serves over the demonstration's database until its time is over or it is told to stop.
pub(crate) async fn serve(directory: PathBuf, screen: Screen) -> Result<(), Failure> {
    let scratch = Scratch::taken(directory)?;
    let store = Store::open(&scratch.url()).await?;
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        tls_certificate: Some(scratch.0.join(CERTIFICATE)),
        tls_key: Some(scratch.0.join(KEY)),
        drain_secs: 1,
        ..Settings::default()
    };
    let door = Door::open(&settings).await?;
    screen.line(&format!("https://{}", door.address()?))?;
    let stop = CancellationToken::new();
    crate::cli::stop_at_signals(stop.clone())?;
    let app = App::new(store, Arc::new(Anchored::to_wall()), &settings);
    let later = stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(OPEN).await;
        later.cancel();
    });
    api::serve(app, door, &settings, stop).await?;
    Ok(())
}
