//! What is the matter with a record that a listing lacks, by what a look by name shows.

use providers::{Kind, NOT_ENCRYPTED, Observed, Trouble, WRONG_KEY, WRONG_TAGS, WRONG_ZONE};

use super::{Ground, anew, examine, finding, finish_key, replace, retag, show_job};
use crate::core::{Finding, Repair, RowState, Verdict};
use crate::store::Record;

impl Ground<'_> {
    /// What a look by name says of a record that the listing lacks; none if it is there after all.
    pub(in crate::reconcile) fn missing(&self, record: &Record, observed: &Observed) -> Option<Finding> {
        let row = &record.row;
        match observed {
            // Perhaps asked for, and certainly not there: the next builder that needs it makes it.
            Observed::Absent { .. } if row.kind == Kind::Key && row.remote.is_none() => None,
            Observed::Absent { .. } => Some(self.gone(record)),
            Observed::Pending(_) | Observed::Ready(_) => None,
            Observed::Leaving(_) if row.kind == Kind::Key => {
                let why = "its deletion is scheduled, and its organization is to be there".to_owned();
                let remedy = format!(
                    "cancel the key's deletion at once, then enable it: everything of {} is under it",
                    record.org_name
                );
                Some(finding(record, None, Verdict::WrongState, why, Repair::Person { remedy }))
            }
            Observed::Leaving(_) if row.state == RowState::Leaving => {
                let why = "it is on its way out and does not go".to_owned();
                let late = row.updated_ms.saturating_add(self.settings.leaving_secs * 1_000) <= self.now_ms;
                late.then(|| finding(record, None, Verdict::StuckLeaving, why, Repair::Destroy))
            }
            Observed::Leaving(_) => {
                let why = "it is on its way out, and its record says that it is to be there".to_owned();
                Some(finding(record, None, Verdict::WrongState, why, recorded(record)))
            }
            Observed::Broken { why, .. } => Some(broken(record, why)),
        }
    }

    fn gone(&self, record: &Record) -> Finding {
        let row = &record.row;
        let half = row.remote.is_none();
        if let Some(job) = self.stuck_job(record) {
            let why = format!("the cloud has nothing, and job {job} is stuck at it");
            let verdict = if half { Verdict::HalfBorn } else { Verdict::Missing };
            return finding(record, None, verdict, why, Repair::Person { remedy: show_job(job) });
        }
        match row.kind {
            Kind::Machine if half => {
                let why =
                    "it was asked for, what became of it was never recorded, and the cloud has nothing".to_owned();
                finding(record, None, Verdict::HalfBorn, why, Repair::Adopt)
            }
            Kind::Machine => {
                let (why, repair) = match row.state {
                    RowState::Ready | RowState::Broken => {
                        ("the cloud has no such machine, and its record wants it running", Repair::Provision)
                    }
                    RowState::Maybe | RowState::Pending | RowState::Stopped | RowState::Leaving => {
                        ("the cloud has no such machine", Repair::Adopt)
                    }
                };
                finding(record, None, Verdict::Missing, why.to_owned(), repair)
            }
            Kind::Volume => {
                let verdict = if half { Verdict::HalfBorn } else { Verdict::Missing };
                match &record.mate {
                    None => {
                        let why = "the cloud has no such volume: what it held is lost".to_owned();
                        finding(record, None, verdict, why, Repair::Adopt)
                    }
                    Some(_) => {
                        let why = "the cloud has no such volume: what it held is lost, and its builder has a record"
                            .to_owned();
                        finding(record, None, verdict, why, Repair::Person { remedy: anew(record) })
                    }
                }
            }
            Kind::Key => {
                let why = "the cloud has no such key: what it encrypted can't be read".to_owned();
                finding(record, None, Verdict::Missing, why, Repair::Person { remedy: finish_key(record) })
            }
            Kind::Attachment | Kind::Snapshot => {
                let why = "the cloud has no such thing".to_owned();
                finding(record, None, Verdict::Missing, why, Repair::Person { remedy: examine(record) })
            }
        }
    }
}

/// What is the matter with something that the listing lacks and a look by name shows: its deployment's tag, for one.
fn broken(record: &Record, trouble: &Trouble) -> Finding {
    let (verdict, repair) = match trouble.code.as_str() {
        WRONG_TAGS => (Verdict::WrongTags, retag(record)),
        NOT_ENCRYPTED => (Verdict::Unencrypted, stop(record)),
        WRONG_KEY => (Verdict::WrongKey, stop(record)),
        WRONG_ZONE => (Verdict::Misplaced, stop(record)),
        "WrongArchitecture" | "WrongType" | "WrongSsd" => {
            (Verdict::WrongShape, Repair::Person { remedy: anew(record) })
        }
        "Duplicate" => (Verdict::Duplicate, Repair::Person { remedy: examine(record) }),
        _ => (Verdict::WrongState, Repair::Person { remedy: trouble.class.advice().to_owned() }),
    };
    finding(record, None, verdict, trouble.message.clone(), repair)
}

fn stop(record: &Record) -> Repair {
    if record.row.kind == Kind::Machine { Repair::Stop } else { Repair::Person { remedy: replace(record) } }
}

fn recorded(record: &Record) -> Repair {
    match record.row.kind {
        Kind::Machine | Kind::Volume => Repair::Adopt,
        Kind::Key | Kind::Attachment | Kind::Snapshot => Repair::Person { remedy: examine(record) },
    }
}
