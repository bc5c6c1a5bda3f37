//! Operations: what became of what was asked for. Compute Engine answers a change with an operation, and says only there
//! why the change came to nothing.

use std::collections::HashMap;
use std::sync::PoisonError;

use google_cloud_compute_v1::model::{Operation, operation::Status};

use super::{GcpProvider, error, names};
use crate::{CallError, RemoteId};

/// How many names one filter has; its URL stays below 8 KiB.
pub(super) const MOST_NAMES: usize = 60;

/// A change that this process asked for and has not seen the end of. It may be lost at any time: without it, the
/// change is asked for once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Insert,
    Start,
    Stop,
    Delete,
}

/// Whether it has come to an end.
pub(super) fn is_done(operation: &Operation) -> bool {
    operation.status == Some(Status::Done)
}

/// The last operation on each target that has one.
pub(super) type Latest = HashMap<String, Operation>;

impl GcpProvider {
    /// Remembers what was asked for.
    pub(super) fn remember(&self, remote: &RemoteId, asked: Asked, operation: &Operation) {
        let name = operation.name.clone().unwrap_or_default();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(remote.clone(), (asked, name));
    }

    /// Whether the last operation that a list shows is older than what this process has asked for: the list is behind, and
    /// what it says of the end is of something else.
    pub(super) fn is_behind(&self, remote: &RemoteId, last: Option<&Operation>) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, name)) = asked.get(remote).filter(|(_, name)| !name.is_empty()) else { return false };
        last.is_some_and(|last| last.name.as_deref() != Some(name.as_str()))
    }

    /// What this process has asked of it and not seen the end of.
    pub(super) fn asked(&self, remote: &RemoteId) -> Option<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(remote).map(|(asked, _)| *asked)
    }

    /// The end was seen.
    pub(super) fn forget(&self, remote: &RemoteId) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(remote);
    }

    /// The last operation on each of those machines of a zone: one call, and one for each further page.
    pub(super) async fn latest_operations(&self, zone: &str, machines: &[String]) -> Result<Latest, CallError> {
        let call = "compute.zoneOperations.list";
        let what = format!("operations in {zone}");
        let operations = &self.clients().await?.operations;
        let mut latest = Latest::new();
        for machines in machines.chunks(MOST_NAMES) {
            let mut page = None;
            loop {
                let request = operations
                    .list()
                    .set_project(&self.names.project)
                    .set_zone(zone)
                    // With `eq` the value is a regular expression that the whole field must match (Compute Engine API
                    // reference, `zoneOperations.list`, `filter`).
                    .set_filter(format!("targetLink eq \".*/instances/({})\"", machines.join("|")))
                    .set_max_results(500_u32)
                    .set_or_clear_page_token(page);
                let answer = self.send(call, &what, request.send()).await?;
                for operation in answer.items {
                    let target = names::last(operation.target_link.as_deref().unwrap_or_default()).to_owned();
                    let is_later =
                        latest.get(&target).is_none_or(|known: &Operation| begun(&operation) >= begun(known));
                    if is_later && machines.contains(&target) {
                        latest.insert(target, operation);
                    }
                }
                page = answer.next_page_token.filter(|token| !token.is_empty());
                if page.is_none() {
                    break;
                }
            }
        }
        Ok(latest)
    }
}

/// When it was asked for. RFC 3339 with an offset; of one project all have the same offset, and ids grow with time where
/// the millisecond is the same.
fn begun(operation: &Operation) -> (&str, u64) {
    (operation.insert_time.as_deref().unwrap_or_default(), operation.id.unwrap_or_default())
}

/// Why it failed, if it has.
pub(super) fn trouble(operation: &Operation, what: &str) -> Option<crate::Trouble> {
    if is_done(operation) { error::failure(operation, what) } else { None }
}
