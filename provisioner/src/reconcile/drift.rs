//! What is the matter with a record: a pure function of the record, of what a listing shows of it, and of what jobs are at.
//!
//! Every verdict has its reason in words. What a job is at is left alone, whatever it looks like.

use std::collections::BTreeMap;

use providers::{Kind, Listed, Power, RemoteId, ResourceId, ssd_name};
use regions::Arch;

use super::{idle, settings::Settings};
use crate::core::{Blueprint, Finding, JobId, OrgId, ProjectId, Repair, RowState, Verdict};
use crate::store::{Record, Work};

mod lacking;

/// The circumstances of a comparison.
pub(super) struct Ground<'a> {
    /// The time, in milliseconds since 1970.
    pub(super) now_ms: i64,
    /// When the listing began: what was written after that may not be in it.
    pub(super) listed_ms: i64,
    pub(super) settings: &'a Settings,
    pub(super) work: &'a Work,
    /// The region's keys by our ids.
    pub(super) keys: &'a BTreeMap<ResourceId, (OrgId, Option<RemoteId>)>,
}

/// What a comparison comes to.
#[derive(Debug)]
pub(super) enum Judged {
    /// It is as it should be, or a job is at it.
    Fine,
    /// Something is the matter.
    Wrong(Box<Finding>),
    /// The listing lacks it: it has to be looked at by name before anything is said.
    Lacking,
}

impl Ground<'_> {
    fn is_in_flight(&self, record: &Record) -> bool {
        let row = &record.row;
        record.deleting || self.work.is_at(row.org, row.project.zip(row.arch))
    }

    /// Whether it has been at rest for long enough before the listing began.
    pub(super) fn is_settled(&self, record: &Record) -> bool {
        record.row.updated_ms.saturating_add(self.settings.settle_secs * 1_000) <= self.listed_ms
    }

    fn stuck_job(&self, record: &Record) -> Option<JobId> {
        let builder = record.row.project.zip(record.row.arch)?;
        self.work.stuck.get(&builder).copied()
    }

    /// What is the matter with a record, `seen` being what the listing shows of it.
    pub(super) fn judge(&self, record: &Record, seen: &[&Listed]) -> Judged {
        let row = &record.row;
        let Some(thing) = seen.first() else {
            if self.is_in_flight(record) || !self.is_settled(record) {
                return Judged::Fine;
            }
            return Judged::Lacking;
        };
        if let Some(finding) = self.security(record, thing) {
            return Judged::Wrong(Box::new(finding));
        }
        if self.is_in_flight(record) || !self.is_settled(record) {
            return Judged::Fine;
        }
        let found = if row.remote.is_none() {
            Some(self.half_born(record, seen))
        } else {
            self.shape(record, thing).or_else(|| self.tags(record, thing)).or_else(|| self.state(record, thing))
        };
        let found = found.or_else(|| idle::judge(record, self.now_ms, self.settings));
        found.map_or(Judged::Fine, |finding| Judged::Wrong(Box::new(finding)))
    }

    /// What concerns customers' data: told even while a job is at it.
    fn security(&self, record: &Record, thing: &Listed) -> Option<Finding> {
        let row = &record.row;
        let is_on = if row.kind == Kind::Machine {
            thing.found.power == Some(Power::Running)
        } else {
            record.mate.as_ref().is_some_and(|mate| mate.state == RowState::Ready)
        };
        // What is off is no danger as it stands, and no program takes a customer's data away.
        let stop = || if is_on { Repair::Stop } else { Repair::Person { remedy: replace(record) } };
        if let (Some(zone), Some(is)) = (row.zone, &thing.zone)
            && zone.name() != is
        {
            let why = format!("it stands in {is}, and its record says {zone}");
            return Some(finding(record, Some(thing), Verdict::Misplaced, why, stop()));
        }
        let Blueprint::Volume { key, .. } = &row.blueprint else { return None };
        let (_, expected) = self.keys.get(key)?;
        match (&thing.key, expected) {
            (None, _) => {
                let why = "it is not encrypted with a key of its organization".to_owned();
                Some(finding(record, Some(thing), Verdict::Unencrypted, why, stop()))
            }
            (Some(is), Some(expected)) if is != expected => {
                let why = format!("it is encrypted with {is}, and its organization's key is {expected}");
                Some(finding(record, Some(thing), Verdict::WrongKey, why, stop()))
            }
            (Some(_), Some(_) | None) => None,
        }
    }

    fn shape(&self, record: &Record, thing: &Listed) -> Option<Finding> {
        let row = &record.row;
        let (what, is, wanted) = match &row.blueprint {
            Blueprint::Machine { machine, .. } => {
                let arch = thing.arch.filter(|arch| *arch != machine.arch());
                let kind = thing.shape.as_deref().filter(|shape| *shape != machine.name());
                match (arch, kind) {
                    (Some(arch), _) => ("architecture", arch.to_string(), machine.arch().to_string()),
                    (None, Some(kind)) => ("machine type", kind.to_owned(), machine.name().to_owned()),
                    (None, None) => return None,
                }
            }
            Blueprint::Volume { shape, .. } => {
                let size = thing.size_gib.filter(|size| *size != shape.size_gib);
                let ssd = thing.shape.as_deref().filter(|ssd| *ssd != ssd_name(shape.ssd));
                match (size, ssd) {
                    (Some(size), _) => ("capacity", format!("{size} GiB"), format!("{} GiB", shape.size_gib)),
                    (None, Some(ssd)) => ("kind", ssd.to_owned(), ssd_name(shape.ssd).to_owned()),
                    (None, None) => return None,
                }
            }
            Blueprint::Key { .. } | Blueprint::Attachment { .. } | Blueprint::Stray { .. } => return None,
        };
        let why = format!("its {what} is {is}, and its record says {wanted}");
        Some(finding(record, Some(thing), Verdict::WrongShape, why, Repair::Person { remedy: anew(record) }))
    }

    fn tags(&self, record: &Record, thing: &Listed) -> Option<Finding> {
        let row = &record.row;
        let owner = thing.owner.as_ref();
        let wrong = if thing.id != Some(row.id) {
            "our id of it"
        } else if owner.map(|owner| owner.org.as_str()) != Some(record.org_name.as_str()) {
            "its organization"
        } else if row.kind != Kind::Key && owner.and_then(|owner| owner.project.clone()) != record.project_name {
            "its project"
        } else if row.kind == Kind::Volume && thing.arch != row.arch {
            "its architecture"
        } else {
            return None;
        };
        let why = format!("its tags do not say {wrong} as they should");
        Some(finding(record, Some(thing), Verdict::WrongTags, why, retag(record)))
    }

    fn state(&self, record: &Record, thing: &Listed) -> Option<Finding> {
        let row = &record.row;
        let told = |verdict, why: String, repair| Some(finding(record, Some(thing), verdict, why, repair));
        if let Some(job) =
            self.stuck_job(record).filter(|_| row.state != RowState::Ready && row.state != RowState::Stopped)
        {
            let verdict = match row.state {
                RowState::Maybe => Verdict::HalfBorn,
                RowState::Leaving => Verdict::StuckLeaving,
                RowState::Pending | RowState::Broken | RowState::Ready | RowState::Stopped => Verdict::WrongState,
            };
            let why = format!("job {job} is stuck at it");
            return told(verdict, why, Repair::Person { remedy: show_job(job) });
        }
        if thing.is_leaving {
            let why = "it is on its way out, and its record says that it is to be there".to_owned();
            if row.state == RowState::Leaving {
                let why = "it is on its way out and does not go".to_owned();
                let late = row.updated_ms.saturating_add(self.settings.leaving_secs * 1_000) <= self.now_ms;
                return if late { told(Verdict::StuckLeaving, why, Repair::Destroy) } else { None };
            }
            return told(Verdict::WrongState, why, Repair::Adopt);
        }
        match (row.state, thing.found.power) {
            (RowState::Ready, Some(Power::Stopped)) => {
                let why = "it is off, and its record says that it runs".to_owned();
                told(Verdict::WrongState, why, Repair::Start)
            }
            (RowState::Stopped, Some(Power::Running)) => {
                let why = "it runs, and its record says that it is off".to_owned();
                told(Verdict::WrongState, why, Repair::Stop)
            }
            (RowState::Leaving, _) => {
                let why = format!("job {} was to take it away, and is not there any more", row.job);
                let repair = match row.kind {
                    Kind::Machine => Repair::Destroy,
                    Kind::Volume => Repair::DestroyCache,
                    Kind::Key | Kind::Attachment | Kind::Snapshot => Repair::Person { remedy: examine(record) },
                };
                told(Verdict::StuckLeaving, why, repair)
            }
            (RowState::Maybe | RowState::Pending, _) if row.kind != Kind::Key => {
                let why = format!(
                    "its record is {} and waits for job {}, which is not there any more",
                    row.state.as_str(),
                    row.job
                );
                told(Verdict::JobLost, why, Repair::Adopt)
            }
            (RowState::Broken, _) => {
                let why = format!("job {} found it broken", row.job);
                let remedy =
                    format!("`{}` tells what is wrong with it; {} make it anew", show_job(row.job), anew(record));
                told(Verdict::WrongState, why, Repair::Person { remedy })
            }
            (RowState::Maybe | RowState::Pending | RowState::Ready | RowState::Stopped, _) => {
                self.attachment(record, thing)
            }
        }
    }

    /// A cache that hangs on another machine than its builder.
    fn attachment(&self, record: &Record, thing: &Listed) -> Option<Finding> {
        let (Kind::Volume, Some(holder)) = (record.row.kind, &thing.found.attached_to) else { return None };
        let builder = record.mate.as_ref().and_then(|mate| mate.remote.as_ref());
        // A builder without a name is a finding of its own.
        if builder == Some(holder) || record.mate.as_ref().is_some_and(|mate| mate.remote.is_none()) {
            return None;
        }
        let why = match builder {
            Some(builder) => format!("it is attached to {holder}, and its builder is {builder}"),
            None => format!("it is attached to {holder}, and it has no builder"),
        };
        Some(finding(record, Some(thing), Verdict::WrongState, why, Repair::Person { remedy: examine(record) }))
    }

    /// The record does not know its thing's name, and a thing carries the record's id.
    fn half_born(&self, record: &Record, seen: &[&Listed]) -> Finding {
        let thing = seen.first().copied();
        if let Some(job) = self.stuck_job(record) {
            let why = format!("what became of it job {job} did not find out, and is stuck");
            return finding(record, thing, Verdict::HalfBorn, why, Repair::Person { remedy: show_job(job) });
        }
        if seen.len() > 1 {
            let names: Vec<&str> = seen.iter().map(|thing| thing.found.remote.as_str()).collect();
            let why = format!("{} things carry its id: {}", names.len(), names.join(", "));
            return finding(record, thing, Verdict::Duplicate, why, Repair::Person { remedy: examine(record) });
        }
        let why = "it was asked for, and what became of it was never recorded; here it is".to_owned();
        let repair = if record.row.kind == Kind::Key { Repair::Provision } else { Repair::Adopt };
        let repair = if record.row.project.is_none() { Repair::Person { remedy: finish_key(record) } } else { repair };
        finding(record, thing, Verdict::HalfBorn, why, repair)
    }
}

fn retag(record: &Record) -> Repair {
    match record.row.kind {
        Kind::Machine | Kind::Volume => Repair::Retag,
        Kind::Key | Kind::Attachment | Kind::Snapshot => {
            Repair::Person { remedy: format!("write the tags of {}'s key anew by hand", record.org_name) }
        }
    }
}

fn examine(record: &Record) -> String {
    let name = record.row.remote.as_ref().map_or_else(|| record.row.id.to_string(), ToString::to_string);
    format!("look at {name} in the cloud's console, find out who did this, and put it right or take it away")
}

fn show_job(job: JobId) -> String {
    format!("provisioner job show {job}")
}

fn anew(record: &Record) -> String {
    let name = path(record);
    let arch = record.row.arch.map_or_else(String::new, |arch| arch.to_string());
    match record.row.kind {
        Kind::Machine => {
            format!(
                "`provisioner builder destroy {name} --arch {arch}`, then `provisioner builder provision {name} --arch {arch}`"
            )
        }
        Kind::Volume | Kind::Key | Kind::Attachment | Kind::Snapshot => format!(
            "`provisioner builder destroy {name} --arch {arch}`, `provisioner cache destroy {name} --arch {arch}`, then \
             `provisioner builder provision {name} --arch {arch}`"
        ),
    }
}

fn finish_key(record: &Record) -> String {
    format!("the next builder of {} in {} finishes or makes it", record.org_name, record.row.region)
}

/// What is where or as it must not be is not put right in place.
fn replace(record: &Record) -> String {
    let lost = if record.row.kind == Kind::Volume { "; what the cache holds is lost then" } else { "" };
    format!("find out who did this; {} make it anew where and as it should be{lost}", anew(record))
}

fn path(record: &Record) -> String {
    let project = record.project_name.as_ref().map(|project| format!("/{project}")).unwrap_or_default();
    format!("{}{project}", record.org_name)
}

/// A finding about a record.
pub(super) fn finding(
    record: &Record,
    thing: Option<&Listed>,
    verdict: Verdict,
    why: String,
    repair: Repair,
) -> Finding {
    let row = &record.row;
    let project: Option<ProjectId> = row.project;
    let arch: Option<Arch> = row.arch;
    Finding {
        id: ResourceId::derive(row.id.as_uuid(), &format!("finding/{}", verdict.as_str())),
        verdict,
        region: row.region,
        zone: thing.and_then(|thing| thing.zone.clone()).or_else(|| row.zone.map(|zone| zone.name().to_owned())),
        kind: row.kind,
        remote: row.remote.clone().or_else(|| thing.map(|thing| thing.found.remote.clone())),
        resource: Some(row.id),
        recorded: true,
        org: Some(row.org),
        org_name: record.org_name.clone(),
        project,
        project_name: record.project_name.clone(),
        arch,
        why,
        created_ms: thing.and_then(|thing| thing.created_ms).or(Some(row.created_ms)),
        shape: thing.and_then(|thing| thing.shape.clone()),
        size_gib: thing.and_then(|thing| thing.size_gib),
        marked_until_ms: None,
        repair,
    }
}
