//! One region: listed to the end, compared with its records, and what may be mended handed to jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use providers::{
    CallError, ErrorClass, Kind, Listed, Listing, Observed, PageToken, Provider, RemoteId, ResourceId, Target,
};
use regions::Region;

use super::{
    Mode, Run,
    brakes::{Decision, Grip, due},
    drift::{Ground, Judged},
    index::Index,
    report::{Item, RegionReport},
    strays,
};
use crate::{
    core::{Finding, Goal, OrgId, Prior, Progress, Repair, RowState, Step},
    store::{NewJob, Record, Sighting, StoreError, Work},
};

/// Records that are read in one statement.
const PAGE: u32 = 1_000;
/// Records that are looked at by name in one call.
const LOOK: usize = 200;
/// Attempts at a page of a listing.
const ATTEMPTS: u32 = 4;
/// More pages than any listing has: one that does not end is no listing.
const MOST_PAGES: u64 = 1_000_000;

/// Why a region is left alone.
#[derive(Debug, thiserror::Error)]
enum LeftAlone {
    #[error("{0}")]
    Cloud(#[from] CallError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Listing(String),
}

/// A region as it was compared.
struct Compared {
    index: Index,
    records: u64,
    findings: Vec<Finding>,
    work: Work,
}

impl Run<'_> {
    /// Compares, keeps what was found, and repairs what may be repaired.
    pub(super) async fn region(&self, region: Region) -> (RegionReport, Vec<Item>) {
        let mut report =
            RegionReport { region, failed: None, pages: 0, things: BTreeMap::new(), records: 0, findings: 0 };
        match self.try_region(region, &mut report).await {
            Ok(items) => {
                report.findings = items.len() as u64;
                (report, items)
            }
            Err(why) => {
                tracing::warn!(%region, %why, "the region is left alone");
                report.failed = Some(why.to_string());
                (report, Vec::new())
            }
        }
    }

    async fn try_region(&self, region: Region, report: &mut RegionReport) -> Result<Vec<Item>, LeftAlone> {
        let reconciler = self.reconciler;
        let Some(provider) = reconciler.providers.get(&region.cloud()) else {
            let message = format!("there are records in {region}, and the configuration has no [{}]", region.cloud());
            return Err(LeftAlone::Listing(message));
        };
        let compared = self.compare(provider, region, report).await?;
        report.records = compared.records;
        report.things = compared.index.counts().into_iter().map(|(kind, n)| (kind.to_string(), n)).collect();
        let now_ms = reconciler.clock.now_ms();
        reconciler.store.see(region, self.id, &compared.findings, now_ms).await?;
        let sightings =
            if compared.findings.is_empty() { BTreeMap::new() } else { reconciler.store.sightings(region).await? };
        let kinds = [Kind::Machine, Kind::Volume, Kind::Key, Kind::Snapshot];
        let explained: BTreeMap<Kind, u64> =
            kinds.into_iter().map(|kind| (kind, compared.index.explained_of(kind))).collect();
        let mut items = Vec::new();
        for finding in compared.findings {
            let Some(sighting) = sightings.get(&finding.id) else { continue };
            let mut item = Item {
                due: due(&finding, sighting, now_ms),
                first_seen_ms: sighting.first_seen_ms,
                sightings: sighting.sightings,
                quarantine_until_ms: sighting.quarantine_until_ms,
                outcome: Decision::Planned,
                finding,
            };
            let grip = Grip {
                now_ms,
                settings: &reconciler.settings,
                work: &compared.work,
                holds: &self.holds,
                explained: explained.clone(),
                has_projects: self.has_projects,
                leased_until_ms: self.leased_until_ms,
                approved: self.is_approved(&item),
            };
            item.outcome = self.act(&item, sighting, &grip).await;
            items.push(item);
        }
        Ok(items)
    }

    async fn act(&self, item: &Item, sighting: &Sighting, grip: &Grip<'_>) -> Decision {
        let finding = Finding { repair: item.due.clone(), ..item.finding.clone() };
        if matches!(self.mode, Mode::Apply(_)) && !grip.approved {
            return Decision::Braked { brake: super::Brake::NotAsked, how: "it is not in the plan".to_owned() };
        }
        if let Some(stop) = self.with_caps(|caps| grip.stops(&item.finding, sighting, &item.due, caps)) {
            return stop;
        }
        if *self.mode == Mode::Plan {
            return Decision::Planned;
        }
        let Some(request) = finding.request() else {
            return Decision::Refused {
                why: "its builder can't be named: its project or architecture is unknown".to_owned(),
            };
        };
        match self.enqueue(item, request).await {
            Ok(job) => Decision::Enqueued { job },
            Err(error) => Decision::Refused { why: error.to_string() },
        }
    }

    async fn enqueue(&self, item: &Item, request: crate::core::Request) -> Result<i64, StoreError> {
        let reconciler = self.reconciler;
        let (store, now_ms) = (&reconciler.store, reconciler.clock.now_ms());
        let id = item.finding.id;
        // A halt writes no mark: the next run does.
        if item.due == Repair::Quarantine {
            store.keep_until(id, now_ms + reconciler.settings.quarantine_secs * 1_000).await?;
        }
        let key = format!("reconcile/{}/{id}", self.id);
        let accepted = store.enqueue(NewJob { key: Some(key), ..NewJob::now(request) }, now_ms).await?;
        store.repaired_by(id, accepted.job).await?;
        Ok(accepted.job.0)
    }

    async fn compare(
        &self,
        provider: &Arc<dyn Provider>,
        region: Region,
        report: &mut RegionReport,
    ) -> Result<Compared, LeftAlone> {
        let reconciler = self.reconciler;
        let listed_ms = reconciler.clock.now_ms();
        let mut index = self.list(provider, region, &mut report.pages).await?;
        // The cloud first, then the database: whatever was being made during the listing has its record by now.
        let store = &reconciler.store;
        let keys = store.keys_of(region).await?;
        let mut work = self.work.clone();
        work.merge(store.work().await?);
        let ground = Ground {
            now_ms: reconciler.clock.now_ms(),
            listed_ms,
            settings: &reconciler.settings,
            work: &work,
            keys: &keys,
        };
        let (mut findings, mut lacking, mut records, mut at_rest) = (Vec::new(), Vec::new(), 0, BTreeMap::new());
        let mut after = None;
        loop {
            let page = store.records(region, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.row.id);
            records += page.len() as u64;
            let is_full = page.len() == PAGE as usize;
            for record in page {
                self.compare_one(&ground, &mut index, record, &mut findings, &mut lacking, &mut at_rest);
            }
            if !is_full {
                break;
            }
        }
        check_listing(&index, records, &lacking, &at_rest)?;
        self.look_for(provider, region, &ground, lacking, &mut findings).await?;
        self.strays(region, &index, &keys, &work, &mut findings).await?;
        Ok(Compared { index, records, findings, work })
    }

    fn compare_one(
        &self,
        ground: &Ground<'_>,
        index: &mut Index,
        record: Record,
        findings: &mut Vec<Finding>,
        lacking: &mut Vec<Record>,
        at_rest: &mut BTreeMap<Kind, u64>,
    ) {
        let row = &record.row;
        if row.remote.is_some()
            && matches!(row.state, RowState::Ready | RowState::Stopped)
            && ground.is_settled(&record)
        {
            *at_rest.entry(row.kind).or_default() += 1;
        }
        let seen: Vec<&Listed> = match &row.remote {
            Some(remote) => index.named(row.kind, remote).into_iter().collect(),
            None => index.with_id(row.kind, row.id),
        };
        let names: Vec<RemoteId> = seen.iter().map(|thing| thing.found.remote.clone()).collect();
        let judged = ground.judge(&record, &seen);
        for name in &names {
            index.explain(row.kind, name);
        }
        match judged {
            Judged::Fine => {}
            Judged::Wrong(finding) => findings.push(*finding),
            Judged::Lacking => lacking.push(record),
        }
    }

    async fn list(&self, provider: &Arc<dyn Provider>, region: Region, pages: &mut u64) -> Result<Index, LeftAlone> {
        let mut index = Index::default();
        let mut page = None;
        loop {
            let listing = self.list_page(provider, region, page).await?;
            *pages += 1;
            index.extend(listing.things);
            page = listing.next;
            if page.is_none() {
                return Ok(index);
            }
            if *pages > MOST_PAGES {
                return Err(LeftAlone::Listing("its listing does not end".to_owned()));
            }
        }
    }

    async fn list_page(
        &self,
        provider: &Arc<dyn Provider>,
        region: Region,
        page: Option<PageToken>,
    ) -> Result<Listing, CallError> {
        let mut attempt = 1;
        loop {
            let error = match provider.list(region, page.clone()).await {
                Ok(listing) => return Ok(listing),
                Err(error) => error,
            };
            let passes =
                matches!(error.class(), ErrorClass::Throttled | ErrorClass::Unavailable | ErrorClass::Ambiguous);
            if !passes || attempt >= ATTEMPTS {
                return Err(error);
            }
            let ours = self.reconciler.policy.delay_ms(error.class(), attempt, self.id.unsigned_abs());
            tokio::time::sleep(Duration::from_millis(ours.max(error.retry_after_ms.unwrap_or(0)))).await;
            attempt += 1;
        }
    }

    /// Looks by name at what the listing lacks. What is there after all shows that the listing is not to be trusted.
    async fn look_for(
        &self,
        provider: &Arc<dyn Provider>,
        region: Region,
        ground: &Ground<'_>,
        lacking: Vec<Record>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), LeftAlone> {
        let aimed = lacking.into_iter().filter_map(|record| Some((target(&record, ground.keys)?, record)));
        let aimed: Vec<(Target, Record)> = aimed.collect();
        let mut there = 0;
        for batch in aimed.chunks(LOOK) {
            let targets: Vec<Target> = batch.iter().map(|(target, _)| target.clone()).collect();
            let seen: Vec<Observed> = provider.observe(region, &targets).await?;
            for ((_, record), seen) in batch.iter().zip(&seen) {
                if matches!(seen, Observed::Ready(_) | Observed::Pending(_)) {
                    there += 1;
                }
                findings.extend(ground.missing(record, seen));
            }
        }
        if there > 0 {
            let message = format!(
                "its listing lacked {there} of our things that a look by name shows: it was cut short, or is old"
            );
            return Err(LeftAlone::Listing(message));
        }
        Ok(())
    }

    async fn strays(
        &self,
        region: Region,
        index: &Index,
        keys: &BTreeMap<ResourceId, (OrgId, Option<RemoteId>)>,
        work: &Work,
        findings: &mut Vec<Finding>,
    ) -> Result<(), LeftAlone> {
        let store = &self.reconciler.store;
        let mut names: BTreeSet<(String, Option<String>)> =
            index.unexplained().filter_map(strays::owner_name).collect();
        if index.unexplained().next().is_none() {
            return Ok(());
        }
        let orgs: Vec<_> = names.iter().map(|(org, _)| (org.clone(), None)).collect();
        names.extend(orgs);
        let ids: BTreeSet<ResourceId> = index.unexplained().filter_map(|thing| thing.id).collect();
        let ids: Vec<ResourceId> = ids.into_iter().collect();
        let (owners, records) = (store.owners(&names).await?, store.recorded(&ids).await?);
        let caches = index.explained_volumes();
        let mut own: BTreeMap<_, Vec<&RemoteId>> = BTreeMap::new();
        for (org, remote) in keys.values() {
            if let Some(remote) = remote {
                own.entry(*org).or_default().push(remote);
            }
        }
        let ground =
            strays::Ground { region, index, owners: &owners, records: &records, keys: &own, caches: &caches, work };
        findings.extend(index.unexplained().filter_map(|thing| ground.judge(thing)));
        Ok(())
    }
}

/// A listing that shows nothing, or nothing of a kind, where records say that there is much, has failed in silence.
fn check_listing(
    index: &Index,
    records: u64,
    lacking: &[Record],
    at_rest: &BTreeMap<Kind, u64>,
) -> Result<(), LeftAlone> {
    let counts = index.counts();
    let total: u64 = at_rest.values().sum();
    if counts.is_empty() && total > 0 {
        let message = format!("its listing is empty, and the database has {records} records there");
        return Err(LeftAlone::Listing(message));
    }
    for (kind, wanted) in at_rest {
        if counts.get(kind).copied().unwrap_or_default() == 0 && *wanted > 1 {
            let message =
                format!("its listing has no {kind} at all, and the database has {wanted} of them there at rest");
            return Err(LeftAlone::Listing(message));
        }
    }
    let named = lacking.iter().filter(|record| record.row.remote.is_some()).count() as u64;
    if named > 20 && named * 2 > records {
        let message =
            format!("its listing lacks {named} of {records} records: that is a listing gone wrong, not a cloud");
        return Err(LeftAlone::Listing(message));
    }
    Ok(())
}

/// What a provider is asked about a record.
fn target(record: &Record, keys: &BTreeMap<ResourceId, (OrgId, Option<RemoteId>)>) -> Option<Target> {
    let row = &record.row;
    let owner = providers::Owner { org: record.org_name.clone(), project: record.project_name.clone() };
    let step = Step {
        resource: row.id,
        org: row.org,
        project: row.project,
        arch: row.arch,
        owner,
        blueprint: row.blueprint.clone(),
        goal: Goal::Recorded,
        incarnation: row.incarnation,
        prior: Some(Prior { remote: row.remote.clone(), state: row.state }),
        born_with: None,
    };
    let key = step.blueprint.key().and_then(|id| Some((id, keys.get(&id)?.1.clone()?)));
    let mut known: BTreeMap<ResourceId, RemoteId> = key.into_iter().collect();
    known.extend(record.mate.as_ref().and_then(|mate| Some((mate.id, mate.remote.clone()?))));
    Progress::target_of(step, known)
}
