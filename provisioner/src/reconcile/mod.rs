//! Reconcile: what the clouds have and what the database says, compared, explained, and made one again by ordinary jobs.
//!
//! It lists a region to the end before it reads the database, and leaves a region alone that it could not list completely. It
//! never changes a cloud itself, and does nothing that a brake stops.

mod brakes;
mod drift;
mod idle;
mod index;
mod region;
mod report;
mod settings;
mod strays;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use providers::ResourceId;
use regions::{Arch, Region};

pub use brakes::{Brake, Decision};
pub use report::{Item, PlanFile, RegionReport, Report};
pub use settings::Settings;

use crate::{
    core::{Policy, ProjectId},
    execute::{Clock, Providers},
    store::{Hold, Store, StoreError, Work},
};
use brakes::Caps;

/// What a run is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Repair what the brakes let through.
    Repair,
    /// Find only.
    Plan,
    /// Repair what a person has judged, if it is still so.
    Apply(Box<PlanFile>),
}

impl Mode {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Plan => "plan",
            Self::Apply(_) => "apply",
        }
    }
}

/// What a run needs. It holds nothing from run to run: that is in the database.
pub struct Reconciler {
    store: Store,
    providers: Providers,
    policy: Policy,
    settings: Settings,
    clock: Arc<dyn Clock>,
}

/// What the regions of one run share.
struct Run<'a> {
    reconciler: &'a Reconciler,
    id: i64,
    mode: &'a Mode,
    /// What a plan asks for, by finding.
    wanted: HashMap<ResourceId, &'a Item>,
    holds: BTreeMap<(ProjectId, Arch), Hold>,
    has_projects: bool,
    leased_until_ms: Option<i64>,
    /// What jobs were at when the run began.
    work: Work,
    caps: Mutex<Caps>,
}

impl Reconciler {
    /// One over these clouds.
    #[must_use]
    pub fn new(store: Store, providers: Providers, policy: Policy, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self { store, providers, policy, settings, clock }
    }

    /// One run over all regions that are configured or have a record. What goes wrong in a region is in its report.
    ///
    /// # Errors
    /// Those of the database, where nothing can be done without it.
    pub async fn run(&self, runner: &str, mode: &Mode) -> Result<Report, StoreError> {
        let started_ms = self.clock.now_ms();
        let id = self.store.begin_run(runner, mode.as_str(), started_ms).await?;
        let mut regions: BTreeSet<Region> = self.store.recorded_regions().await?.into_iter().collect();
        regions.extend(self.providers.values().flat_map(|provider| provider.zones()).map(regions::Zone::region));
        let holds = self.store.holds(started_ms).await?;
        let run = Run {
            reconciler: self,
            id,
            mode,
            wanted: match mode {
                Mode::Apply(plan) => plan.items.iter().map(|item| (item.finding.id, item)).collect(),
                Mode::Repair | Mode::Plan => HashMap::new(),
            },
            holds: holds.into_iter().map(|(project, arch, hold)| ((project, arch), hold)).collect(),
            has_projects: self.store.has_projects().await?,
            leased_until_ms: self.store.leased_until().await?,
            work: self.store.work().await?,
            caps: Mutex::default(),
        };
        let seen = futures_util::future::join_all(regions.into_iter().map(|region| run.region(region))).await;
        let (mut reports, mut items) = (Vec::new(), Vec::new());
        for (report, mut found) in seen {
            reports.push(report);
            items.append(&mut found);
        }
        reports.sort_by_key(|report| (report.failed.is_none(), report.region));
        items.sort_by_key(|item| {
            (!item.finding.verdict.is_security(), item.finding.verdict, item.finding.region, item.first_seen_ms)
        });
        let untrue = run.untrue(&items, &reports);
        let ended_ms = self.clock.now_ms();
        let report =
            Report { run: id, mode: mode.as_str().to_owned(), started_ms, ended_ms, regions: reports, items, untrue };
        let text = serde_json::to_string(&report).map_err(StoreError::other)?;
        self.store.end_run(id, &text, ended_ms).await?;
        self.store.prune_runs(ended_ms - self.settings.history_days * 86_400_000).await?;
        Ok(report)
    }
}

impl Run<'_> {
    /// What a plan asks for and is not so any more.
    fn untrue(&self, items: &[Item], regions: &[RegionReport]) -> Vec<(String, String)> {
        let Mode::Apply(plan) = self.mode else { return Vec::new() };
        let found: HashMap<_, &Item> = items.iter().rev().map(|item| (item.finding.id, item)).collect();
        let told = plan.items.iter().filter_map(|wanted| {
            let finding = &wanted.finding;
            let name = finding.remote.as_ref().map_or_else(|| finding.subject(), ToString::to_string);
            let subject = format!("{} {} {name}", finding.verdict.as_str(), finding.kind);
            let failed = regions.iter().find(|region| region.region == finding.region)?.failed.as_ref();
            if let Some(why) = failed {
                return Some((subject, format!("{} could not be looked at: {why}", finding.region)));
            }
            match found.get(&finding.id).copied() {
                None => Some((subject, "it is not so any more".to_owned())),
                Some(now) if !is_same(wanted, now) => {
                    let why = format!(
                        "it is now {}, and would be met with {}",
                        now.finding.verdict.as_str(),
                        now.due.as_str()
                    );
                    Some((subject, why))
                }
                Some(_) => None,
            }
        });
        told.collect()
    }

    /// Whether a person has judged that item as it is now.
    fn is_approved(&self, item: &Item) -> bool {
        self.wanted.get(&item.finding.id).is_some_and(|wanted| is_same(wanted, item))
    }

    fn with_caps<T>(&self, act: impl FnOnce(&mut Caps) -> T) -> T {
        act(&mut self.caps.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn is_same(one: &Item, other: &Item) -> bool {
    let key = |item: &Item| (item.finding.id, item.finding.verdict, item.finding.remote.clone(), item.due.clone());
    key(one) == key(other)
}
