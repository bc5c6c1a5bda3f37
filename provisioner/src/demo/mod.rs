//! `provisioner demo`: all of it on a modelled cloud, in one process, in well under a minute.
//!
//! Real are the queue, the database (a SQLite file that is gone afterwards), the workers and the executor; only the cloud is a
//! model. It checks its own claims at the end and fails if one does not hold.

mod board;
mod crew;
pub(crate) mod door;
mod fleet;
mod proof;
mod report;

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use providers::fake::{FakeCloud, FakeConfig};
use tokio::time::sleep;

use crate::{
    cli::{Failure, screen::Screen, view::JobView},
    core::Request,
    edge::{self, Anchored},
    execute::Clock as _,
    store::{NewJob, Store},
};
use board::{Board, plain};
use crew::{Doom, Member, Yard};
use fleet::Ordered;

/// Long enough for everything, short enough to notice that something hangs.
const PATIENCE_MS: i64 = 90_000;

/// How the directory's name begins, and the database in it.
const NAME: &str = "provisioner-demo-";
const DATABASE: &str = "demo.db";

/// A directory that goes when the demonstration ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("{NAME}{}", edge::new_request_key()));
        // Nobody else's eyes: the certificate's key will be in it. One that is there already is not ours.
        DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
            Failure::failed(format!("{} can't be made: {error}", path.display()))
                .remedy("point TMPDIR to a place with room")
        })?;
        Ok(Self(path))
    }

    /// The directory that another process has handed over.
    fn taken(path: PathBuf) -> Result<Self, Failure> {
        let is_ours = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(NAME));
        if is_ours && path.join(DATABASE).exists() {
            return Ok(Self(path));
        }
        Err(Failure::usage(format!("{} is not the directory of a demonstration", path.display())))
    }

    /// Leaves the directory to another process.
    fn hand_over(mut self) {
        self.0 = PathBuf::new();
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.0.join(DATABASE).display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.as_os_str().is_empty() {
            return;
        }
        // What is left in a temporary directory hurts nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the demonstration; with `serve`, the API is open over what it has made for some minutes afterwards.
pub(crate) async fn run(screen: Screen, serve: bool) -> Result<(), Failure> {
    let scratch = Scratch::new()?;
    let url = scratch.url();
    Store::migrate(&url).await?;
    let store = Store::open(&url).await?;
    let clock = Anchored::to_wall();
    let began_ms = clock.now_ms();
    let config = FakeConfig { zones: fleet::zones(), ..FakeConfig::default() };
    let cloud = FakeCloud::new(config, Arc::new(move || clock.now_ms()));
    if let Some((zone, machine)) = fleet::shortage() {
        cloud.set_capacity(zone, Some(machine), Some(0));
    }
    let orders = fleet::order(&store, began_ms).await?;
    plain(screen, &opening(&orders));

    let yard = Yard { url: &url, cloud: &cloud, clock };
    let doom = Doom::default();
    let alpha = yard.hire("alpha", Some(doom.clone())).await?;
    let beta = yard.hire("beta", None).await?;
    let show = Show { store: &store, clock, screen, began_ms };
    show.play(&orders, Some(&doom)).await?;

    let encore = show.encore(&orders).await?;
    show.play(&encore, None).await?;
    finish(alpha).await?;
    finish(beta).await?;
    report::tell(&store, &cloud, &orders, screen, clock.now_ms() - began_ms).await?;
    if serve { door::open(scratch, &store, clock, screen).await } else { Ok(()) }
}

fn opening(orders: &[Ordered]) -> String {
    format!(
        "A fleet of {} builders for {} organizations, in both residencies, on both architectures and two modelled clouds.\n\
         Two workers, alpha and beta; alpha is going to crash, and a zone is going to be full.\n",
        orders.len(),
        fleet::ORGS.len()
    )
}

async fn finish(member: Member) -> Result<(), Failure> {
    member.stop.cancel();
    match member.task.await {
        Ok(result) => result.map(|_| ()).map_err(Failure::from),
        Err(error) => Err(Failure::failed(format!("a worker ended badly: {error}"))),
    }
}

/// What is needed to watch.
struct Show<'a> {
    store: &'a Store,
    clock: Anchored,
    screen: Screen,
    began_ms: i64,
}

impl Show<'_> {
    /// Watches these jobs to their ends.
    async fn play(&self, orders: &[Ordered], doom: Option<&Doom>) -> Result<(), Failure> {
        let mut board = Board::new(self.screen, self.began_ms, orders);
        let mut crashed = false;
        let since_ms = self.clock.now_ms();
        while !board.open().is_empty() {
            let now_ms = self.clock.now_ms();
            if !crashed && doom.is_some_and(|doom| doom.struck.is_cancelled()) {
                crashed = true;
                board.say(now_ms, "worker alpha crashes in the middle of making a machine; its lease runs out in 3 s");
            }
            for id in board.open() {
                let Some(job) = self.store.job(id).await? else { continue };
                let entries = self.store.entries(id).await?;
                board.show(now_ms, &JobView::from(job), &entries);
            }
            if now_ms - since_ms > PATIENCE_MS {
                return Err(Failure::failed("the demonstration takes too long: jobs are still open")
                    .remedy("run it again with -v and report what it logs"));
            }
            sleep(Duration::from_millis(120)).await;
        }
        board.close();
        self.all_succeeded(orders).await
    }

    async fn all_succeeded(&self, orders: &[Ordered]) -> Result<(), Failure> {
        for order in orders {
            let job = self.store.job(order.job).await?.map(JobView::from);
            let state = job.as_ref().map(|job| job.state);
            if state != Some(crate::core::JobState::Succeeded) {
                let why = job.and_then(|job| job.outcome?.because).map_or_else(String::new, |why| format!(": {why}"));
                return Err(Failure::failed(format!("{} did not succeed{why}", order.name)));
            }
        }
        Ok(())
    }

    /// One builder is stopped and started again, another destroyed.
    async fn encore(&self, orders: &[Ordered]) -> Result<Vec<Ordered>, Failure> {
        let (Some(first), Some(last)) = (orders.first(), orders.last()) else { return Ok(Vec::new()) };
        let (project, arch) = (first.project, first.arch);
        let requests = [
            (first, Request::Stop { project, arch }),
            (first, Request::Start { project, arch }),
            (last, Request::Destroy { project: last.project, arch: last.arch }),
        ];
        let mut encore = Vec::new();
        for (order, request) in requests {
            let job = self.store.enqueue(NewJob::now(request), self.clock.now_ms()).await?.job;
            encore.push(Ordered { job, ..order.clone() });
        }
        plain(self.screen, "\nOne of them is stopped and started again, another destroyed; its cache stays.\n");
        Ok(encore)
    }
}
