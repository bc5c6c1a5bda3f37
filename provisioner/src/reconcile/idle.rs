//! What a project's own rules ask for when its builders and caches are not used. Pure.

use providers::Kind;

use super::{drift::finding, settings::Settings};
use crate::core::{Finding, Repair, RowState, Verdict};
use crate::store::Record;

/// What is due for that record; nothing for most.
pub(super) fn judge(record: &Record, now_ms: i64, settings: &Settings) -> Option<Finding> {
    let row = &record.row;
    let used_ms = record.used_ms.unwrap_or(i64::MIN).max(row.updated_ms);
    let idle_secs = now_ms.saturating_sub(used_ms) / 1_000;
    let is_over = |limit: Option<i64>| limit.is_some_and(|limit| idle_secs >= limit);
    let words = || hours(idle_secs);
    match (row.kind, row.state, &record.mate) {
        (Kind::Machine, RowState::Ready | RowState::Stopped, _) if is_over(record.rules.idle_destroy_secs) => {
            let why = format!("not used for {}: its project has its builders taken away after that", words());
            Some(finding(record, None, Verdict::Idle, why, Repair::Destroy))
        }
        (Kind::Machine, RowState::Ready, _) if is_over(record.rules.idle_stop_secs) => {
            let why = format!("not used for {}: its project has its builders switched off after that", words());
            Some(finding(record, None, Verdict::Idle, why, Repair::Stop))
        }
        (Kind::Volume, RowState::Ready, None) if is_over(record.rules.cache_destroy_secs) => {
            let why = format!("no builder for {}: its project has its caches taken away after that", words());
            Some(finding(record, None, Verdict::UnusedCache, why, Repair::DestroyCache))
        }
        (Kind::Volume, RowState::Ready, None) if idle_secs >= settings.cache_unused_days * 86_400 => {
            let name = format!("{}/{}", record.org_name, record.project_name.as_deref().unwrap_or_default());
            let arch = row.arch.map(regions::Arch::as_str).unwrap_or_default();
            let remedy = format!("if nobody needs it: `provisioner cache destroy {name} --arch {arch}`");
            let why = format!("no builder for {}", words());
            Some(finding(record, None, Verdict::UnusedCache, why, Repair::Person { remedy }))
        }
        (Kind::Machine | Kind::Volume | Kind::Key | Kind::Attachment | Kind::Snapshot, _, _) => None,
    }
}

fn hours(secs: i64) -> String {
    match secs {
        ..=119 => format!("{secs} s"),
        120..=7_199 => format!("{} min", secs / 60),
        7_200..=172_799 => format!("{} h", secs / 3_600),
        _ => format!("{} days", secs / 86_400),
    }
}
