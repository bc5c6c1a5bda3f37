//! What a run of reconcile costs as the fleet grows: calls, statements, time and memory, each size in a process of its own.

use std::{path::Path, process::Command, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use providers::{
    CacheSource, KeySpec, MachineSpec, Provider, RemoteId, ResourceId, VolumeShape, VolumeSpec,
    fake::{FakeCloud, FakeConfig},
};
use provisioner::{
    core::{Blueprint, Policy},
    execute::{Clock, Providers},
    reconcile::{Mode, Reconciler, Settings},
    store::Store,
};
use regions::{Arch, Cloud, MachineType, Placement, Region, Residency, Size};
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::table::{Table, Target};
use crate::house::owner;

const SIZES: [u64; 3] = [1_000, 10_000, 100_000];
/// As EC2's largest page; Compute Engine's is half of it.
const PAGE: u32 = 1_000;
const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const ORGS: u64 = 10;
/// When all of it was made, and when it is compared, in milliseconds since 1970.
const THEN_MS: i64 = 1_790_000_000_000;
const NOW_MS: i64 = THEN_MS + 36_000_000;

/// What one size cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cost {
    things: u64,
    pages: u64,
    calls: u64,
    statements: u64,
    findings: u64,
    secs: f64,
    peak_mib: f64,
}

struct Still(i64);

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        self.0
    }
}

/// Measures every size and prints the table; true if every target was met.
///
/// # Errors
/// If a size can't be measured.
pub fn run() -> Result<bool> {
    let costs: Vec<Cost> = SIZES.into_iter().map(measured).collect::<Result<_>>()?;
    println!("\nReconcile on the modelled cloud: two regions, pages of {PAGE}, one thing in a hundred an orphan\n");
    let head = ["things", "pages", "calls", "statements", "a page", "findings", "seconds", "peak MiB", "KiB a thing"];
    println!("{}", head.map(|word| format!("{word:>12}")).concat());
    for cost in &costs {
        let each = cost.peak_mib * 1_024.0 / cost.things as f64;
        let by_page = cost.statements as f64 / cost.pages as f64;
        println!(
            "{:>12}{:>12}{:>12}{:>12}{by_page:>12.1}{:>12}{:>12.2}{:>12.1}{each:>12.2}",
            cost.things, cost.pages, cost.calls, cost.statements, cost.findings, cost.secs, cost.peak_mib
        );
    }
    let mut table = Table::default();
    for pair in costs.windows(2) {
        let [small, large] = pair else { continue };
        let grown = large.things as f64 / small.things as f64;
        let what = |text: &str| format!("{text}, {} over {}", large.things, small.things);
        let target = |most: f64| Some(Target::AtMost(most));
        // What a run costs at all weighs on the small one.
        table.ratio(&what("seconds a thing"), large.secs / grown, small.secs, " s", target(1.3));
        table.ratio(&what("memory a thing"), large.peak_mib / grown, small.peak_mib, " MiB", target(1.3));
    }
    for cost in &costs {
        let more = cost.calls.saturating_sub(cost.pages) as f64;
        table.figure(&format!("calls that are no page, {} things", cost.things), more, Some(Target::AtMost(0.0)));
        // A page of records for each of things, at most; what a run costs at all; findings by the hundred.
        let bound = 25.0 + 1.5 * cost.pages as f64 + cost.findings as f64 / 100.0;
        let what = format!("statements, {} things", cost.things);
        table.figure(&what, cost.statements as f64, Some(Target::AtMost(bound)));
    }
    Ok(table.print("Reconcile and the size of the fleet"))
}

/// In a process of its own, so that its peak is its own.
fn measured(things: u64) -> Result<Cost> {
    let output = Command::new(std::env::current_exe()?).args(["reconcile-of", &things.to_string()]).output()?;
    let told = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{things} things: {}", String::from_utf8_lossy(&output.stderr));
    let line = told.lines().last().context("it said nothing")?;
    serde_json::from_str(line).context("it said something else")
}

/// One size, in this process: prints its cost as a line of JSON.
///
/// # Errors
/// Those of the database.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub async fn child(things: u64) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("fleet.db");
    let url = format!("sqlite://{}", file.display());
    Store::migrate(&url).await?;
    let zones = REGIONS.iter().map(|name| Region::find(Cloud::Aws, name)).collect::<Result<Vec<_>, _>>()?;
    let zones = zones.into_iter().flat_map(Region::zones).collect();
    let config = FakeConfig { page_size: PAGE, log_size: 0, zones, ..FakeConfig::instant() };
    let cloud = FakeCloud::new(config, Arc::new(|| THEN_MS));
    Fleet { cloud: &cloud, things }.build(&file)?;
    let store = Store::open(&url).await?;
    let clouds = Cloud::ALL.into_iter();
    let providers: Providers =
        clouds.map(|cloud_of| (cloud_of, Arc::new(cloud.provider(cloud_of)) as Arc<dyn Provider>)).collect();
    let clock = Arc::new(Still(NOW_MS));
    let reconciler = Reconciler::new(store.clone(), providers, Policy::default(), Settings::default(), clock);
    cloud.clear_calls();
    let (before, statements) = (forget_peak()?, store.statements());
    let start = Instant::now();
    let report = reconciler.run("bench", &Mode::Plan).await?;
    let secs = start.elapsed().as_secs_f64();
    let calls = cloud.calls();
    let cost = Cost {
        things: report.regions.iter().flat_map(|region| region.things.values()).sum(),
        pages: report.regions.iter().map(|region| region.pages).sum(),
        calls: calls.mutating + calls.describe,
        statements: store.statements() - statements,
        findings: report.items.len() as u64,
        secs,
        peak_mib: (peak()?.saturating_sub(before)) as f64 / 1_024.0,
    };
    ensure!(cost.findings == things / 100, "{cost:?}");
    ensure!(report.regions.iter().all(|region| region.failed.is_none()), "{:?}", report.regions);
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// Has the kernel count this process's peak anew (proc(5), `/proc/pid/clear_refs`); what is resident now, in KiB.
fn forget_peak() -> Result<u64> {
    std::fs::write("/proc/self/clear_refs", "5")?;
    status("VmRSS:")
}

fn peak() -> Result<u64> {
    status("VmHWM:")
}

fn status(field: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// A cloud and a database that say the same, but for the orphans.
struct Fleet<'c> {
    cloud: &'c FakeCloud,
    things: u64,
}

struct Place {
    region: Region,
    placement: Placement,
    machine: MachineType,
}

impl Fleet<'_> {
    fn build(&self, file: &Path) -> Result<()> {
        let mut connection = Connection::open(file)?;
        let transaction = connection.transaction()?;
        let places = [place(REGIONS[0], Residency::Us)?, place(REGIONS[1], Residency::Eu)?];
        let mut keys = Vec::new();
        for org in 0..ORGS {
            let sql = "INSERT INTO orgs (id, name, deleting, created) VALUES (?1, ?2, 0, ?3)";
            transaction.execute(sql, params![bytes("org", org), org_name(org), THEN_MS])?;
            for place in &places {
                let spec = KeySpec {
                    id: id(&format!("key/{}", place.region.name()), org),
                    owner: owner(&org_name(org)),
                    region: place.region,
                };
                let remote = self.cloud.plant_key(&spec);
                let blueprint = Blueprint::Key { region: place.region };
                record(
                    &transaction,
                    &Row { id: spec.id, kind: "key", org, builder: None, remote: &remote, blueprint, place },
                )?;
                keys.push((spec.id, remote));
            }
        }
        let orphans = self.things / 100;
        let builders = (self.things - orphans - keys.len() as u64) / 2;
        for builder in 0..builders {
            let (at, org) = ((builder % 2) as usize, builder % ORGS);
            make_project(&transaction, builder, &places[at])?;
            self.builder(&transaction, builder, &places[at], &keys[org as usize * places.len() + at])?;
        }
        for orphan in 0..orphans {
            let at = (orphan % 2) as usize;
            let key = &keys[(orphan % ORGS) as usize * places.len() + at];
            self.cloud.plant_volume(&volume(id("orphan", orphan), orphan, &places[at], &key.1));
        }
        transaction.commit()?;
        connection.execute_batch("ANALYZE")?;
        Ok(())
    }

    fn builder(
        &self,
        transaction: &Transaction<'_>,
        builder: u64,
        place: &Place,
        (key, key_remote): &(ResourceId, RemoteId),
    ) -> Result<()> {
        let cache = volume(id("volume", builder), builder, place, key_remote);
        let remote = self.cloud.plant_volume(&cache);
        let spec = MachineSpec {
            id: id("machine", builder),
            owner: cache.owner.clone(),
            placement: place.placement,
            machine: place.machine,
            root_gib: 20,
            key: key_remote.clone(),
            cache: CacheSource::Existing { id: cache.id, remote: remote.clone() },
        };
        let machine = self.cloud.plant_machine(&spec);
        self.cloud.attach(&remote, &machine);
        let org = builder % ORGS;
        let volume = Blueprint::Volume { placement: place.placement, arch: cache.arch, shape: cache.shape, key: *key };
        let builder = Some((builder, cache.arch));
        let row = Row { id: cache.id, kind: "volume", org, builder, remote: &remote, blueprint: volume, place };
        record(transaction, &row)?;
        let blueprint = Blueprint::Machine {
            placement: place.placement,
            machine: place.machine,
            root_gib: 20,
            key: *key,
            cache: cache.id,
            births_cache: false,
        };
        record(transaction, &Row { id: spec.id, kind: "machine", org, builder, remote: &machine, blueprint, place })
    }
}

struct Row<'r> {
    id: ResourceId,
    kind: &'r str,
    org: u64,
    builder: Option<(u64, Arch)>,
    remote: &'r RemoteId,
    blueprint: Blueprint,
    place: &'r Place,
}

fn record(transaction: &Transaction<'_>, row: &Row<'_>) -> Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO resources (id, kind, org, project, arch, cloud, region, zone, residency, remote, state, incarnation, blueprint, job, created, updated) \
         VALUES (?1, ?2, ?3, ?4, ?5, 'aws', ?6, ?7, ?8, ?9, 'ready', 0, ?10, 1, ?11, ?11)",
    )?;
    let zone = row.builder.map(|_| row.place.placement.zone().name());
    insert.execute(params![
        row.id.as_uuid().as_bytes().as_slice(),
        row.kind,
        bytes("org", row.org),
        row.builder.map(|(project, _)| bytes("project", project)),
        row.builder.map(|(_, arch)| arch.to_string()),
        row.place.region.name(),
        zone,
        row.place.placement.residency().as_str(),
        row.remote.as_str(),
        serde_json::to_string(&row.blueprint)?,
        THEN_MS,
    ])?;
    Ok(())
}

fn make_project(transaction: &Transaction<'_>, project: u64, place: &Place) -> Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO projects (id, org, name, residency, cloud, region, size, cache_gib, deleting, created) \
         VALUES (?1, ?2, ?3, ?4, 'aws', ?5, '4x8', 100, 0, ?6)",
    )?;
    let residency = place.placement.residency().as_str();
    let org = bytes("org", project % ORGS);
    insert.execute(params![
        bytes("project", project),
        org,
        format!("p-{project}"),
        residency,
        place.region.name(),
        THEN_MS
    ])?;
    Ok(())
}

fn place(name: &str, residency: Residency) -> Result<Place> {
    let region = Region::find(Cloud::Aws, name)?;
    let zone = region.zones().next().context("a zone")?;
    let machines = regions::machine_types(Cloud::Aws, Arch::X86_64, Size::ALL[0]);
    let machine = machines.into_iter().find(|machine| machine.offered_in(zone)).context("a machine type")?;
    Ok(Place { region, placement: Placement::check(residency, zone)?, machine })
}

/// A cache volume of that project.
fn volume(id: ResourceId, project: u64, place: &Place, key: &RemoteId) -> VolumeSpec {
    let shape = VolumeShape { ssd: place.machine.ssds()[0], size_gib: 100, iops: None, throughput_mibps: None };
    let owner = owner(&format!("{}/p-{project}", org_name(project % ORGS)));
    VolumeSpec { id, owner, placement: place.placement, arch: Arch::X86_64, shape, key: key.clone() }
}

fn org_name(org: u64) -> String {
    format!("org-{org}")
}

fn id(what: &str, number: u64) -> ResourceId {
    ResourceId::derive(Uuid::from_u128(77), &format!("{what}/{number}"))
}

fn bytes(what: &str, number: u64) -> Vec<u8> {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{what}/{number}").as_bytes()).as_bytes().to_vec()
}
