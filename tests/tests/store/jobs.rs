//! Jobs as people see them.

use providers::{ErrorClass, Trouble};
use provisioner::{
    core::{Ending, Fact, JobId, JobState, Outcome, Request},
    store::{Job, JobFilter, NewJob, Pulse},
};
use regions::Arch;

use crate::fixture::{Fixture, NOW, acme, api, globex, provision, resource, settled, shop, web};

on_both!(
    hot_and_ended_are_one,
    pages_and_filters,
    the_end_is_the_last_entry,
    older_jobs_of_a_scope,
    events_go_on,
    the_pulse_is_the_queue_in_numbers,
);

pub(crate) fn failed() -> Outcome {
    let trouble =
        Trouble { class: ErrorClass::Quota, code: "VcpuLimitExceeded".to_owned(), message: "no more".to_owned() };
    Outcome::of(Ending::Failed, trouble)
}

async fn list(fixture: &Fixture, filter: JobFilter) -> Vec<Job> {
    fixture.store.jobs(filter).await.unwrap()
}

const ALL: JobFilter = JobFilter { state: None, org: None, project: None, limit: 100, before: None };

async fn hot_and_ended_are_one(fixture: Fixture) {
    let session = fixture.session("w-1").await;
    let new = NewJob { request: provision(web()), priority: 7, key: Some("k".to_owned()), run_at_ms: Some(NOW + 50) };
    let id = fixture.store.enqueue(new, NOW).await.unwrap().job;
    let queued = fixture.store.job(id).await.unwrap().unwrap();
    let expected = Job {
        id,
        request: provision(web()),
        org: acme(),
        org_name: "acme".parse().unwrap(),
        project: Some(web()),
        project_name: Some("web".parse().unwrap()),
        arch: Some(Arch::Arm64),
        state: JobState::Queued,
        priority: 7,
        attempt: 1,
        run_at_ms: NOW + 50,
        created_ms: NOW,
        started_ms: None,
        ended_ms: None,
        worker: None,
        cancel_asked: false,
        outcome: None,
        key: Some("k".to_owned()),
    };
    assert_eq!(queued, expected);
    let claim = fixture.store.claim(&session, 1, NOW + 60).await.unwrap().remove(0).claim;
    let running = fixture.store.job(id).await.unwrap().unwrap();
    let worker = Some("w-1".to_owned());
    let expected = Job { state: JobState::Running, started_ms: Some(NOW + 60), worker, ..expected };
    assert_eq!(running, expected);
    fixture.finish(&claim, failed()).await;
    let ended = fixture.store.job(id).await.unwrap().unwrap();
    let expected =
        Job { state: JobState::Failed, ended_ms: Some(NOW + 5), outcome: Some(failed()), run_at_ms: NOW, ..expected };
    assert_eq!(ended, expected);
    assert_eq!(fixture.store.job(JobId(id.0 + 1)).await.unwrap(), None);

    let deletion = fixture.enqueue(Request::DeleteOrg { org: globex() }).await;
    let deletion = fixture.store.job(deletion).await.unwrap().unwrap();
    assert_eq!((deletion.request, deletion.project, deletion.arch), (Request::DeleteOrg { org: globex() }, None, None));
}

async fn pages_and_filters(fixture: Fixture) {
    let session = fixture.session("w").await;
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(fixture.enqueue(provision([web(), api(), shop()][n % 3])).await);
    }
    // Of each project the first runs to an end, the second runs, the rest wait.
    for outcome in [Outcome::SUCCESS, failed(), Outcome::SUCCESS] {
        let claimed = fixture.store.claim(&session, 1, NOW).await.unwrap().remove(0);
        fixture.finish(&claimed.claim, outcome).await;
    }
    fixture.store.claim(&session, 3, NOW).await.unwrap();
    ids.reverse();
    let of = |jobs: Vec<Job>| jobs.into_iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(of(list(&fixture, ALL).await), ids);
    let mut paged = Vec::new();
    let mut filter = JobFilter { limit: 5, ..ALL };
    while let page @ [.., last] = list(&fixture, filter).await.as_slice() {
        filter.before = Some(last.id);
        paged.extend(page.iter().map(|job| job.id));
    }
    assert_eq!(paged, ids);
    for (state, count) in [
        (JobState::Queued, 6),
        (JobState::Running, 3),
        (JobState::Succeeded, 2),
        (JobState::Failed, 1),
        (JobState::Cancelled, 0),
        (JobState::Stuck, 0),
    ] {
        let jobs = list(&fixture, JobFilter { state: Some(state), ..ALL }).await;
        assert!(jobs.len() == count && jobs.iter().all(|job| job.state == state), "{state:?}: {jobs:?}");
    }
    assert_eq!(list(&fixture, JobFilter { org: Some(acme()), ..ALL }).await.len(), 8);
    let mine = JobFilter { project: Some(web()), state: Some(JobState::Succeeded), ..ALL };
    assert_eq!(list(&fixture, mine).await.len(), 1);
    let before = fixture.store.statements();
    list(&fixture, ALL).await;
    fixture.store.job(ids[0]).await.unwrap();
    assert_eq!(fixture.store.statements() - before, 2);
}

async fn the_end_is_the_last_entry(fixture: Fixture) {
    let session = fixture.session("w").await;
    for (outcome, facts) in [(Outcome::SUCCESS, 0), (Outcome::SUCCESS, 2), (failed(), 1)] {
        let claim = fixture.claim(&session, provision(web())).await.claim;
        for n in 0..facts {
            fixture.store.record(&claim, vec![settled(resource(n))], &[], NOW).await.unwrap();
        }
        assert_eq!(fixture.store.entries(claim.job).await.unwrap().len() as u128, facts);
        fixture.finish(&claim, outcome.clone()).await;
        let entries = fixture.store.entries(claim.job).await.unwrap();
        let last = entries.last().unwrap();
        assert_eq!((last.seq as u128, last.at_ms), (facts + 1, NOW + 5));
        assert_eq!(last.fact, Fact::Ended { outcome });
    }
    assert_eq!(fixture.store.entries(JobId(999)).await.unwrap(), []);
}

async fn older_jobs_of_a_scope(fixture: Fixture) {
    for project in [web(), web(), api(), shop()] {
        fixture.enqueue(provision(project)).await;
    }
    fixture.enqueue(Request::Stop { project: web(), arch: Arch::X86_64 }).await;
    let deletion = Request::DeleteProject { project: web() };
    let id = fixture.enqueue(deletion).await;
    let of_org = Request::DeleteOrg { org: acme() };
    let org_id = fixture.enqueue(of_org).await;
    let older = async |request: &Request, id| fixture.store.older_jobs_in_scope(request, id).await.unwrap();
    assert_eq!(older(&deletion, id).await, 3);
    assert_eq!(older(&of_org, org_id).await, 5);
    assert_eq!(older(&provision(web()), id).await, 0);
    let session = fixture.session("w").await;
    let claimed = fixture.store.claim(&session, 10, NOW).await.unwrap();
    assert_eq!(older(&deletion, id).await, 3, "running ones count");
    for claimed in claimed.iter().filter(|claimed| claimed.request.arch().is_some()) {
        fixture.finish(&claimed.claim, Outcome::SUCCESS).await;
    }
    assert_eq!(older(&deletion, id).await, 1);
}

async fn events_go_on(fixture: Fixture) {
    let session = fixture.session("w").await;
    let first = fixture.claim(&session, provision(web())).await.claim;
    fixture.store.record(&first, vec![Fact::RetryAsked], &[], NOW).await.unwrap();
    fixture.finish(&first, failed()).await;
    let second = fixture.claim(&session, provision(api())).await.claim;
    fixture.finish(&second, Outcome::SUCCESS).await;
    let all = fixture.store.events(0, 10).await.unwrap();
    let words: Vec<(JobId, &str)> = all.iter().map(|event| (event.job.unwrap(), event.what.as_str())).collect();
    assert_eq!(words, [(first.job, "retry asked"), (first.job, "failed"), (second.job, "succeeded")]);
    let mut followed = Vec::new();
    while let Some(event) = fixture
        .store
        .events(followed.last().map_or(0, |event: &provisioner::store::Event| event.id), 1)
        .await
        .unwrap()
        .pop()
    {
        followed.push(event);
    }
    assert_eq!(followed, all);
    // A retry keeps what was told.
    fixture.store.retry(first.job, NOW + 9).await.unwrap();
    let after = fixture.store.events(0, 10).await.unwrap();
    assert_eq!(after[..3], all[..]);
    assert_eq!((after.len(), after[3].what.as_str()), (4, "retry asked"));
}

async fn the_pulse_is_the_queue_in_numbers(fixture: Fixture) {
    assert_eq!(fixture.store.pulse(NOW).await.unwrap(), Pulse::default());
    let session = fixture.session("w-1").await;
    for (project, outcome) in [(web(), failed()), (api(), Outcome { ending: Ending::Stuck, ..failed() })] {
        let claim = fixture.claim(&session, provision(project)).await.claim;
        fixture.finish(&claim, outcome).await;
    }
    fixture.claim(&session, provision(web())).await;
    fixture.enqueue(provision(web())).await;
    // Its time has not come: it waits, and is not late.
    let later = NewJob { run_at_ms: Some(NOW + 90_000), ..NewJob::now(provision(shop())) };
    fixture.store.enqueue(later, NOW - 50_000).await.unwrap();
    let pulse = fixture.store.pulse(NOW + 2_000).await.unwrap();
    assert_eq!(pulse, Pulse { queued: 2, running: 1, stuck: 1, failed: 1, oldest_ms: 2_000, workers: 1 });
}
