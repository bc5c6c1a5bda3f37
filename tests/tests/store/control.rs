//! Cancel, retry, prune.

use provisioner::{
    core::{Ending, Fact, JobId, JobState, Outcome, Request},
    store::{NewJob, StoreError},
};

use crate::{
    fixture::{Fixture, NOW, acme, api, name, provision, refused, resource, settled, shop, web},
    jobs::failed,
};

on_both!(
    cancel_before_the_beginning,
    cancel_of_what_has_begun,
    cancel_of_what_is_stuck,
    cancel_and_claim_at_once,
    cancel_of_a_deletion_gives_the_tenant_back,
    retry_goes_on_under_the_same_id,
    retry_is_refused_where_it_makes_no_sense,
    prune_forgets_all_but_the_stuck,
);

fn stuck() -> Outcome {
    Outcome { ending: Ending::Stuck, ..failed() }
}

fn facts(entries: &[provisioner::core::Entry]) -> Vec<(i32, Fact)> {
    entries.iter().map(|entry| (entry.seq, entry.fact.clone())).collect()
}

async fn cancel_before_the_beginning(fixture: Fixture) {
    let session = fixture.session("w").await;
    let waiting = fixture.enqueue(provision(web())).await;
    let later = NewJob { run_at_ms: Some(NOW + 9_999), ..NewJob::now(provision(api())) };
    let later = fixture.store.enqueue(later, NOW).await.unwrap().job;
    for id in [waiting, later] {
        let job = fixture.store.cancel(id, NOW + 3).await.unwrap();
        assert_eq!(
            (job.state, job.ended_ms, job.started_ms, job.cancel_asked),
            (JobState::Cancelled, Some(NOW + 3), None, true)
        );
        assert_eq!(job.outcome.as_ref().map(|outcome| outcome.ending), Some(Ending::Cancelled));
        let ended = Fact::Ended { outcome: job.outcome.unwrap() };
        assert_eq!(facts(&fixture.store.entries(id).await.unwrap()), [(1, ended)]);
        let (field, text) = refused(fixture.store.cancel(id, NOW).await);
        assert!(field == format!("job {id}") && text.contains("cancelled"), "{text}");
    }
    assert!(fixture.store.claim(&session, 10, NOW + 20_000).await.unwrap().is_empty());
    let words: Vec<String> = fixture.store.events(0, 10).await.unwrap().into_iter().map(|event| event.what).collect();
    assert_eq!(words, ["cancelled", "cancelled"]);
    let error = fixture.store.cancel(JobId(999), NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }) && error.to_string().contains("999"), "{error}");
}

async fn cancel_of_what_has_begun(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    for _ in 0..2 {
        let job = fixture.store.cancel(claim.job, NOW).await.unwrap();
        assert_eq!((job.state, job.cancel_asked), (JobState::Running, true));
    }
    // Handed back until much later: it is wanted now, to unwind.
    fixture.store.record(&claim, vec![settled(resource(1))], &[], NOW).await.unwrap();
    fixture.store.release(&claim, NOW + 100_000).await.unwrap();
    let job = fixture.store.cancel(claim.job, NOW + 7).await.unwrap();
    assert_eq!((job.state, job.cancel_asked, job.run_at_ms), (JobState::Queued, true, NOW + 7));
    let claimed = fixture.store.claim(&session, 1, NOW + 7).await.unwrap().remove(0);
    assert!(claimed.cancel_asked && claimed.entries.len() == 1, "{claimed:?}");
    fixture.finish(&claimed.claim, Outcome::SUCCESS).await;
    refused(fixture.store.cancel(claim.job, NOW).await);
}

async fn cancel_of_what_is_stuck(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    fixture.store.record(&claim, vec![settled(resource(1))], &[], NOW).await.unwrap();
    fixture.finish(&claim, stuck()).await;
    let job = fixture.store.cancel(claim.job, NOW + 8).await.unwrap();
    assert_eq!((job.state, job.cancel_asked, job.attempt, job.outcome), (JobState::Queued, true, 2, None));
    let claimed = fixture.store.claim(&session, 1, NOW + 8).await.unwrap().remove(0);
    assert!(claimed.cancel_asked);
    let expected = [(1, settled(resource(1))), (2, Fact::Ended { outcome: stuck() }), (3, Fact::CancelAsked)];
    assert_eq!(facts(&claimed.entries), expected);
    assert_eq!(fixture.store.entries(claim.job).await.unwrap(), claimed.entries);
    assert_eq!((claimed.entries[1].at_ms, claimed.entries[2].at_ms), (NOW + 5, NOW + 8));
}

/// Whoever comes first: the job is called off and never claimed, or claimed and told.
async fn cancel_and_claim_at_once(fixture: Fixture) {
    let session = fixture.session("w").await;
    for n in 0..20 {
        let id = fixture.enqueue(provision(web())).await;
        let (store, other) = (fixture.store.clone(), fixture.store.clone());
        let claimer = session.clone();
        let claiming = tokio::spawn(async move { store.claim(&claimer, 1, NOW).await.unwrap() });
        let job = other.cancel(id, NOW).await.unwrap();
        let claimed = claiming.await.unwrap();
        match claimed.first() {
            Some(claimed) => {
                let asked = fixture.store.record(&claimed.claim, vec![settled(resource(n))], &[], NOW).await;
                assert!(job.cancel_asked && job.state != JobState::Cancelled, "{job:?}");
                assert!(asked.unwrap().cancel_asked);
                fixture.finish(&claimed.claim, Outcome::SUCCESS).await;
            }
            None => assert_eq!(fixture.store.job(id).await.unwrap().unwrap().state, JobState::Cancelled),
        }
    }
}

async fn cancel_of_a_deletion_gives_the_tenant_back(fixture: Fixture) {
    let deleting = async || {
        let projects = fixture.store.projects(Some(acme())).await.unwrap();
        (projects[0].0.deleting, projects.iter().map(|(_, project)| project.deleting).collect::<Vec<_>>())
    };
    let project = fixture.enqueue(Request::DeleteProject { project: web() }).await;
    assert_eq!(deleting().await, (false, vec![false, true]));
    let org = fixture.enqueue(Request::DeleteOrg { org: acme() }).await;
    assert_eq!(deleting().await, (true, vec![true, true]));
    fixture.store.cancel(org, NOW).await.unwrap();
    assert_eq!(deleting().await, (false, vec![false, true]), "the project's own deletion still stands");
    fixture.store.cancel(project, NOW).await.unwrap();
    assert_eq!(deleting().await, (false, vec![false, false]));
    fixture.enqueue(provision(web())).await;
    // And takes it again when it is tried again.
    fixture.store.retry(org, NOW).await.unwrap();
    assert_eq!(deleting().await, (true, vec![true, true]));
    fixture.store.enqueue(NewJob::now(provision(web())), NOW).await.unwrap_err();
}

async fn retry_goes_on_under_the_same_id(fixture: Fixture) {
    let session = fixture.session("w").await;
    for outcome in [stuck(), failed()] {
        let claim = fixture.claim(&session, provision(web())).await.claim;
        fixture.store.record(&claim, vec![settled(resource(1))], &[], NOW).await.unwrap();
        let younger = fixture.enqueue(provision(web())).await;
        fixture.finish(&claim, outcome.clone()).await;
        let job = fixture.store.retry(claim.job, NOW + 10).await.unwrap();
        assert_eq!((job.id, job.state, job.attempt, job.cancel_asked), (claim.job, JobState::Queued, 2, false));
        let claimed = fixture.store.claim(&session, 10, NOW + 10).await.unwrap();
        assert_eq!(claimed.iter().map(|claimed| claimed.claim.job).collect::<Vec<_>>(), [claim.job], "the older first");
        let expected = [(1, settled(resource(1))), (2, Fact::Ended { outcome }), (3, Fact::RetryAsked)];
        assert_eq!(facts(&claimed[0].entries), expected);
        fixture.finish(&claimed[0].claim, Outcome::SUCCESS).await;
        assert_eq!(fixture.store.entries(claim.job).await.unwrap().len(), 4);
        fixture.store.cancel(younger, NOW).await.unwrap();
    }
    // Where a younger job of the builder has been at work since, what was stuck has nothing left to go on with.
    let claim = fixture.claim(&session, provision(web())).await.claim;
    fixture.finish(&claim, stuck()).await;
    let younger = fixture.claim(&session, provision(web())).await.claim;
    fixture.finish(&younger, Outcome::SUCCESS).await;
    fixture.store.retry(claim.job, NOW + 10).await.unwrap();
    let claimed = fixture.store.claim(&session, 10, NOW + 10).await.unwrap();
    let Fact::Ended { outcome } = &facts(&claimed[0].entries)[0].1 else { panic!("{claimed:?}") };
    assert_eq!(outcome.ending, provisioner::core::Ending::Failed);
    fixture.finish(&claimed[0].claim, Outcome::SUCCESS).await;
    // While a younger one is at work, whether it has written a word or not, an older one must not come in between.
    let claim = fixture.claim(&session, provision(web())).await.claim;
    fixture.finish(&claim, failed()).await;
    let younger = fixture.claim(&session, provision(web())).await.claim;
    for _ in 0..2 {
        let (_, text) = refused(fixture.store.retry(claim.job, NOW + 10).await);
        assert!(
            text.contains(&format!("job {}", younger.job)) && text.contains("try again when it has ended"),
            "{text}"
        );
        fixture.store.record(&younger, vec![settled(resource(1))], &[], NOW).await.unwrap();
    }
    fixture.store.release(&younger, NOW).await.unwrap();
    assert!(fixture.store.retry(claim.job, NOW + 10).await.is_err(), "it has begun, and waits");
    let claimed = fixture.store.claim(&session, 1, NOW + 10).await.unwrap();
    assert_eq!(claimed[0].claim.job, younger.job);
    fixture.finish(&claimed[0].claim, Outcome::SUCCESS).await;
    fixture.store.retry(claim.job, NOW + 10).await.unwrap();
    let claimed = fixture.store.claim(&session, 1, NOW + 10).await.unwrap();
    fixture.finish(&claimed[0].claim, Outcome::SUCCESS).await;
    // One that had not begun begins.
    let waiting = fixture.enqueue(provision(api())).await;
    fixture.store.cancel(waiting, NOW).await.unwrap();
    let job = fixture.store.retry(waiting, NOW).await.unwrap();
    assert_eq!((job.state, job.cancel_asked), (JobState::Queued, false));
    assert_eq!(fixture.store.claim(&session, 1, NOW).await.unwrap()[0].entries.len(), 2);
}

async fn retry_is_refused_where_it_makes_no_sense(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    let (_, text) = refused(fixture.store.retry(claim.job, NOW).await);
    assert!(text.contains("running") && text.contains("job watch"), "{text}");
    fixture.finish(&claim, Outcome::SUCCESS).await;
    let (_, text) = refused(fixture.store.retry(claim.job, NOW).await);
    assert!(text.contains("succeeded") && text.contains("enqueue a new one"), "{text}");
    assert!(matches!(fixture.store.retry(JobId(999), NOW).await, Err(StoreError::NotFound { .. })));

    let claim = fixture.claim(&session, provision(shop())).await.claim;
    fixture.finish(&claim, stuck()).await;
    fixture.enqueue(Request::DeleteProject { project: shop() }).await;
    for result in [fixture.store.retry(claim.job, NOW).await, fixture.store.cancel(claim.job, NOW).await] {
        let (field, text) = refused(result);
        assert!(field.contains("shop") && text.contains("being deleted"), "{text}");
    }
    fixture.raw.run("DELETE FROM projects WHERE name = 'shop'").await.unwrap();
    let (_, text) = refused(fixture.store.retry(claim.job, NOW).await);
    assert!(text.contains("has been deleted"), "{text}");
    assert_eq!(fixture.store.job(claim.job).await.unwrap().unwrap().state, JobState::Stuck, "it is where it was");
    assert_eq!(fixture.store.entries(claim.job).await.unwrap().len(), 1);
}

async fn prune_forgets_all_but_the_stuck(fixture: Fixture) {
    let session = fixture.session("w").await;
    let mut ids = Vec::new();
    for (n, outcome) in [Outcome::SUCCESS, failed(), stuck(), Outcome::SUCCESS].into_iter().enumerate() {
        let key = Some(format!("key-{n}"));
        let new = NewJob { key, ..NewJob::now(provision(web())) };
        let id = fixture.store.enqueue(new, NOW).await.unwrap().job;
        let claim = fixture.store.claim(&session, 1, NOW).await.unwrap().remove(0).claim;
        fixture.store.record(&claim, vec![settled(resource(1))], &[], NOW).await.unwrap();
        if n < 3 {
            fixture.finish(&claim, outcome).await;
        }
        ids.push(id);
    }
    assert_eq!(fixture.store.prune(NOW + 5).await.unwrap(), 0, "what ended just then is kept");
    assert_eq!(fixture.store.prune(NOW + 6).await.unwrap(), 2);
    let mut left = Vec::new();
    for id in &ids {
        left.push(fixture.store.job(*id).await.unwrap().is_some());
    }
    assert_eq!(left, [false, false, true, true]);
    assert_eq!(fixture.count("job_facts").await, 2);
    assert_eq!(fixture.count("job_keys").await, 2);
    assert_eq!(fixture.count("events").await, 0);
    // A key that is forgotten may be used again, one that is not may not.
    let again = |key: &str| NewJob { key: Some(key.to_owned()), ..NewJob::now(provision(web())) };
    assert!(fixture.store.enqueue(again("key-0"), NOW).await.unwrap().fresh);
    let kept = fixture.store.enqueue(again("key-2"), NOW).await.unwrap();
    assert!(kept.job == ids[2] && !kept.fresh);
    assert_eq!(fixture.store.project(&name("acme"), &name("web")).await.unwrap().1.id, web());
}
