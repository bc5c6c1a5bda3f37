//! From columns to requests and claims, the same for both databases.

use providers::ResourceId;
use uuid::Uuid;

use crate::core::{Entry, Fact, JobId, OrgId, ProjectId, Request};

use super::{Claim, Claimed, Session, step::Unreadable};

/// A job's columns as they are read by a claim.
#[derive(Debug)]
pub(super) struct JobColumns {
    pub(super) id: i64,
    pub(super) lane: i64,
    pub(super) fence: i32,
    pub(super) created: i64,
    pub(super) org: Uuid,
    pub(super) project: Option<Uuid>,
    pub(super) attempt: i32,
    pub(super) rank: i16,
    pub(super) cancel_asked: bool,
    pub(super) verb: String,
    pub(super) arch: Option<String>,
    /// JSON: an array of arrays of seq, time and the fact's own JSON as a string.
    pub(super) entries: Option<String>,
}

impl JobColumns {
    /// The job, for that session.
    pub(super) fn into_claimed(self, session: &Session) -> Result<Claimed, Unreadable> {
        let claim = Claim {
            job: JobId(self.id),
            fence: i64::from(self.fence),
            worker: session.worker.clone(),
            session: session.id,
            lane: self.lane,
        };
        let read = request(&self.verb, self.project, self.org, self.arch.as_deref())
            .and_then(|request| Ok((request, entries(self.entries.as_deref())?)));
        match read {
            Ok((request, entries)) => Ok(Claimed {
                claim,
                request,
                org: OrgId::from_uuid(self.org),
                project: request.project(),
                attempt: self.attempt,
                priority: self.rank.saturating_neg(),
                created_ms: self.created,
                cancel_asked: self.cancel_asked,
                entries,
            }),
            Err(reason) => Err(Unreadable { claim, reason }),
        }
    }
}

/// A request from its columns. One about something without a record has its finding where others have their project.
pub(crate) fn request(verb: &str, project: Option<Uuid>, org: Uuid, arch: Option<&str>) -> Result<Request, String> {
    let stray = project.map(ResourceId::from_uuid).ok_or_else(|| format!("`{verb}` without a finding"));
    let project = project.map(ProjectId::from_uuid).ok_or_else(|| format!("`{verb}` without a project"));
    let arch = arch.ok_or_else(|| format!("`{verb}` without an architecture"));
    let arch = arch.and_then(|arch| arch.parse().map_err(|error: regions::UnknownArch| error.to_string()));
    Ok(match verb {
        "provision" => Request::Provision { project: project?, arch: arch? },
        "stop" => Request::Stop { project: project?, arch: arch? },
        "start" => Request::Start { project: project?, arch: arch? },
        "destroy" => Request::Destroy { project: project?, arch: arch? },
        "destroy_cache" => Request::DestroyCache { project: project?, arch: arch? },
        "adopt" => Request::Adopt { project: project?, arch: arch? },
        "retag" => Request::Retag { project: project?, arch: arch? },
        "quarantine" => Request::Quarantine { stray: stray? },
        "halt" => Request::Halt { stray: stray? },
        "collect" => Request::Collect { stray: stray? },
        "delete_project" => Request::DeleteProject { project: project? },
        "delete_org" => Request::DeleteOrg { org: OrgId::from_uuid(org) },
        other => return Err(format!("`{other}` is no request that this version knows")),
    })
}

/// A job's facts from the array that a claim reads with it.
fn entries(json: Option<&str>) -> Result<Vec<Entry>, String> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let rows: Vec<(i32, i64, String)> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    rows.into_iter()
        .map(|(seq, at_ms, fact)| {
            let fact: Fact = serde_json::from_str(&fact).map_err(|error| format!("fact {seq}: {error}"))?;
            Ok(Entry { seq, at_ms, fact })
        })
        .collect()
}
