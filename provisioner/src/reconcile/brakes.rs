//! Whether a repair may happen now. Pure, but for the counters of the run.
//!
//! A brake never changes what was found. It says what it stopped, and how to go on.

use std::collections::BTreeMap;

use providers::Kind;
use regions::{Arch, Region};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::core::{Effect, Finding, JobState, ProjectId, Repair, Verdict};
use crate::store::{Hold, Sighting, Work};

/// What came of a finding in this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
pub enum Decision {
    /// A job was enqueued.
    Enqueued {
        /// Its number.
        job: i64,
    },
    /// It may be done; this run only plans.
    Planned,
    /// Something keeps it from being done now.
    Braked {
        /// Which brake.
        brake: Brake,
        /// How to go on.
        how: String,
    },
    /// Nothing that a program may do.
    Person {
        /// What to do.
        remedy: String,
    },
    /// The database did not accept the job.
    Refused {
        /// Why.
        why: String,
    },
}

/// What can stop a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Brake {
    /// It is too young.
    Age,
    /// Too few runs have seen it.
    Sightings,
    /// A job is at it.
    LiveJob,
    /// Somebody holds the builder.
    Hold,
    /// It is kept until a deadline.
    Quarantine,
    /// Its mark was taken off: somebody wants to keep it.
    Released,
    /// Repairs have been tried often enough.
    GaveUp,
    /// The run has done as much as it may.
    Cap,
    /// Too much of a kind in a region at once.
    Percent,
    /// It is not among what was asked for.
    NotAsked,
    /// This clock and the workers' do not agree.
    Clock,
}

impl Brake {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Sightings => "sightings",
            Self::LiveJob => "live job",
            Self::Hold => "hold",
            Self::Quarantine => "quarantine",
            Self::Released => "released",
            Self::GaveUp => "gave up",
            Self::Cap => "cap",
            Self::Percent => "percent",
            Self::NotAsked => "not asked",
            Self::Clock => "clock",
        }
    }
}

/// How far a worker's lease may be from our own time before one of the clocks is taken to be wrong, in milliseconds.
const CLOCKS_MS: i64 = 600_000;

/// What a run has let through so far.
#[derive(Debug, Default)]
pub(super) struct Caps {
    removals: u32,
    creations: u32,
    changes: u32,
    /// By region and kind: what is taken away, or missed and made anew.
    shares: BTreeMap<(Region, Kind), u64>,
}

/// What the brakes go by.
pub(super) struct Grip<'a> {
    pub(super) now_ms: i64,
    pub(super) settings: &'a Settings,
    pub(super) work: &'a Work,
    pub(super) holds: &'a BTreeMap<(ProjectId, Arch), Hold>,
    /// How many things of a kind records of this region name.
    pub(super) explained: BTreeMap<Kind, u64>,
    /// Whether the database has any project.
    pub(super) has_projects: bool,
    /// Until when the workers' leases last, by the workers' clocks.
    pub(super) leased_until_ms: Option<i64>,
    /// Whether a person has judged this very finding.
    pub(super) approved: bool,
}

/// The repair as it is to be done now: what stands in quarantine goes when its time is over.
pub(super) fn due(finding: &Finding, sighting: &Sighting, now_ms: i64) -> Repair {
    let is_over = sighting.quarantine_until_ms.is_some_and(|until| until <= now_ms);
    match &finding.repair {
        Repair::Quarantine if is_over && finding.marked_until_ms.is_some_and(|until| until <= now_ms) => {
            Repair::Collect
        }
        other => other.clone(),
    }
}

fn braked(brake: Brake, how: impl Into<String>) -> Option<Decision> {
    Some(Decision::Braked { brake, how: how.into() })
}

impl Grip<'_> {
    /// What stops it; nothing if it may be done. What may be done is counted.
    pub(super) fn stops(
        &self,
        finding: &Finding,
        sighting: &Sighting,
        repair: &Repair,
        caps: &mut Caps,
    ) -> Option<Decision> {
        if let Repair::Person { remedy } = repair {
            return Some(Decision::Person { remedy: remedy.clone() });
        }
        self.owner(finding)
            .or_else(|| self.quarantine(finding, sighting, repair))
            .or_else(|| self.tries(sighting))
            .or_else(|| self.clocks(finding))
            .or_else(|| self.time(finding, sighting, repair))
            .or_else(|| self.amount(finding, repair, caps))
    }

    fn owner(&self, finding: &Finding) -> Option<Decision> {
        let builder = finding.project.zip(finding.arch);
        let at = finding.org.is_some_and(|org| self.work.is_at(org, builder));
        if at || self.work.findings.contains(&finding.id) {
            return braked(
                Brake::LiveJob,
                "a job is at it: see `provisioner job list --state running`; the next run looks again",
            );
        }
        let hold = builder.and_then(|builder| self.holds.get(&builder)).filter(|hold| hold.until_ms > self.now_ms)?;
        braked(
            Brake::Hold,
            format!("held until {}: {}; `provisioner builder unhold` lets it go", time(hold.until_ms), hold.reason),
        )
    }

    fn quarantine(&self, finding: &Finding, sighting: &Sighting, repair: &Repair) -> Option<Decision> {
        if *repair != Repair::Quarantine {
            return None;
        }
        let until_ms = sighting.quarantine_until_ms?;
        match (finding.marked_until_ms, sighting.job_state) {
            (Some(_), _) => {
                let how =
                    format!("kept until {}, then taken away; take its mark off to keep it for good", time(until_ms));
                braked(Brake::Quarantine, how)
            }
            (None, Some(JobState::Succeeded)) => {
                let how = "it was marked, and the mark was taken off: somebody wants to keep it; give it a record, or take our \
                           deployment's tag off it";
                braked(Brake::Released, how)
            }
            (None, _) => None,
        }
    }

    fn tries(&self, sighting: &Sighting) -> Option<Decision> {
        let job = sighting.job?;
        if sighting.job_state == Some(JobState::Stuck) || sighting.repairs >= self.settings.max_repairs {
            let how = format!("{} repairs came to nothing: see `provisioner job show {job}`", sighting.repairs);
            return braked(Brake::GaveUp, how);
        }
        None
    }

    /// What a rule ends, it ends by the clock alone: the clock has to be right.
    fn clocks(&self, finding: &Finding) -> Option<Decision> {
        let leased_ms = self.leased_until_ms.filter(|_| finding.verdict.is_policy())?;
        if (leased_ms - self.now_ms).abs() <= CLOCKS_MS {
            return None;
        }
        let how = format!(
            "it is {} here, and the workers' leases end at {}: start a worker, or put the clock right",
            time(self.now_ms),
            time(leased_ms)
        );
        braked(Brake::Clock, how)
    }

    fn time(&self, finding: &Finding, sighting: &Sighting, repair: &Repair) -> Option<Decision> {
        let at_once = finding.verdict.is_security() && repair.effect() == Effect::Switches;
        if self.approved || at_once || finding.verdict.is_policy() {
            return None;
        }
        if sighting.sightings < self.settings.min_sightings {
            let how =
                format!("seen by {} of {} runs: the next run goes on", sighting.sightings, self.settings.min_sightings);
            return braked(Brake::Sightings, how);
        }
        let min_ms = self.settings.min_age_secs * 1_000;
        // Two clocks: whichever of them is wrong, the other one holds.
        let seen_ms = self.now_ms.saturating_sub(sighting.first_seen_ms);
        let there_ms = finding.created_ms.map_or(i64::MAX, |created| self.now_ms.saturating_sub(created));
        if seen_ms.min(there_ms) < min_ms {
            let left = (min_ms - seen_ms.min(there_ms)).max(0) / 1_000;
            return braked(Brake::Age, format!("too young: {left} s to go (reconcile.min_age_secs)"));
        }
        None
    }

    fn amount(&self, finding: &Finding, repair: &Repair, caps: &mut Caps) -> Option<Decision> {
        let effect = repair.effect();
        let (used, most, key) = match effect {
            Effect::Removes => (&mut caps.removals, self.settings.max_removals, "max_removals"),
            Effect::Creates => (&mut caps.creations, self.settings.max_creations, "max_creations"),
            Effect::Switches | Effect::Writes => (&mut caps.changes, self.settings.max_changes, "max_changes"),
            Effect::Nothing => return None,
        };
        if !self.approved && *used >= most {
            let how = format!(
                "{most} in this run already (reconcile.{key}): the next run goes on, or judge it yourself with --plan and --apply"
            );
            return braked(Brake::Cap, how);
        }
        let shares = effect == Effect::Removes || finding.verdict == Verdict::Missing;
        if !self.approved && shares && !finding.verdict.is_policy() {
            let explained = self.explained.get(&finding.kind).copied().unwrap_or_default();
            let floor = u64::from(self.has_projects);
            let most = (explained * u64::from(self.settings.max_percent) / 100).max(floor);
            let share = caps.shares.entry((finding.region, finding.kind)).or_default();
            if *share >= most {
                let how = format!(
                    "more than {most} of the {explained} {}s of {} at once (reconcile.max_percent): judge it yourself with \
                     --plan and --apply",
                    finding.kind, finding.region
                );
                return braked(Brake::Percent, how);
            }
            *share += 1;
        }
        *used += 1;
        None
    }
}

fn time(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| at_ms.to_string(), |at| at.strftime("%Y-%m-%d %H:%MZ").to_string())
}
