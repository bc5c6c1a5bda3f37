//! A PostgreSQL server of the benchmark's own: fsync on, statements counted by the server, nothing left behind.

use std::{
    ffi::OsStr,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context as _;

/// A server that stops when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    home: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
}

/// Checkpoints are kept out of the measurements: the first touch of a page after one writes the whole page to the log.
const SETTINGS: &str = "
fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 512MB
max_wal_size = 16GB
checkpoint_timeout = 1d
shared_preload_libraries = 'pg_stat_statements'
listen_addresses = '127.0.0.1'
max_connections = 200
";

impl Server {
    pub(super) fn start() -> anyhow::Result<Self> {
        let bin =
            find_bin().context("no PostgreSQL server found: install the package postgresql, or put initdb on PATH")?;
        let home = tempfile::Builder::new().prefix("bench-postgres-").tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { home, bin, port };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(server.home.path()))?;
        }
        let data = server.home.path().join("data");
        run(server.command("initdb").args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "-D"]).arg(&data))?;
        let conf = data.join("postgresql.conf");
        let text = std::fs::read_to_string(&conf)?;
        let socket = server.home.path().display();
        std::fs::write(&conf, format!("{text}{SETTINGS}port = {port}\nunix_socket_directories = '{socket}'\n"))?;
        run(server.pg_ctl("start").arg("-l").arg(server.home.path().join("log")))?;
        Ok(server)
    }

    /// A URL for a database of that name.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn pg_ctl(&self, what: &str) -> Command {
        let mut command = self.command("pg_ctl");
        command.arg(what).arg("-w").arg("-D").arg(self.home.path().join("data"));
        command
    }

    /// PostgreSQL refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.home.path()).stdout(Stdio::null()).stdin(Stdio::null());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = run(self.pg_ctl("stop").args(["-m", "immediate"]));
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

fn find_bin() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    places.into_iter().find(|place| has(place, "initdb") && has(place, "pg_ctl"))
}

fn has(place: &Path, program: impl AsRef<OsStr>) -> bool {
    place.join(program.as_ref()).is_file()
}
