//! The end of a job that takes a tenant's row with it: rare, and both or neither.

use sea_orm::{DatabaseConnection, DbErr};

use crate::core::Drop;

use super::{Finish, tx};

/// Frees the lane, moves the job into the history and deletes the tenant's row, in one transaction. False, and nothing, if the
/// job was lost. Resources that are left make the database refuse.
pub(super) async fn finish_dropping(db: &DatabaseConnection, finish: &Finish, now_ms: i64) -> Result<bool, DbErr> {
    let claim = &finish.claim;
    let job = claim.job.0;
    let tx = tx::begin(db).await?;
    let guard = "WHERE lane = $1 AND job = $2 AND fence = $3 AND worker = $4";
    let held = [claim.lane.into(), job.into(), claim.fence.into(), claim.session.into()];
    let sql = format!("SELECT since FROM lanes {guard}{}", tx::for_update(&tx));
    let Some(lane) = tx::one(&tx, &sql, held.clone()).await? else { return Ok(false) };
    let since: Option<i64> = lane.try_get_by_index(0)?;
    let free = "UPDATE lanes SET job = NULL, worker = NULL, since = NULL, fence = fence + 1, stamp = stamp + 1";
    tx::exec(&tx, &format!("{free} {guard}"), held).await?;
    for fact in finish.facts_json().map_err(tx::encoding)? {
        tx::exec(
            &tx,
            "INSERT INTO job_facts (job, at, seq, fact) \
             SELECT $1, $2, (SELECT coalesce(max(seq), 0) + 1 FROM job_facts WHERE job = $1), $3",
            [job.into(), now_ms.into(), fact.into()],
        )
        .await?;
    }
    let state = finish.outcome.ending.state().as_str();
    tx::exec(
        &tx,
        "INSERT INTO job_history (id, created, started, ended, org, project, attempt, rank, cancel_asked, state, verb, arch, \
         org_name, project_name, worker, key, outcome) \
         SELECT id, created, $2, $3, org, project, attempt, rank, cancel_asked, $4, verb, arch, org_name, project_name, $5, key, $6 \
         FROM jobs WHERE id = $1",
        [
            job.into(),
            since.into(),
            now_ms.into(),
            state.into(),
            claim.worker.0.clone().into(),
            finish.outcome_json().map_err(tx::encoding)?.into(),
        ],
    )
    .await?;
    if !tx::is_postgres(&tx) {
        tx::exec(
            &tx,
            "INSERT INTO events (at, job, org, project, what) SELECT $2, id, org, project, $3 FROM jobs WHERE id = $1",
            [job.into(), now_ms.into(), state.into()],
        )
        .await?;
    }
    tx::exec(&tx, "DELETE FROM jobs WHERE id = $1", [job.into()]).await?;
    match finish.drops {
        Some(Drop::Project(project)) => {
            tx::exec(&tx, "DELETE FROM projects WHERE id = $1", [project.as_uuid().into()]).await?;
        }
        Some(Drop::Org(org)) => {
            // Its projects go with it. A resource that is left keeps them, and with them the organization.
            tx::exec(&tx, "DELETE FROM projects WHERE org = $1", [org.as_uuid().into()]).await?;
            tx::exec(&tx, "DELETE FROM orgs WHERE id = $1", [org.as_uuid().into()]).await?;
        }
        None => {}
    }
    tx.commit().await?;
    Ok(true)
}
