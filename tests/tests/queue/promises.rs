//! Order, exclusion, priorities, delays, fences, takeovers: without a worker's engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use providers::{ErrorClass, Trouble};
use provisioner::{
    core::{Ending, Fact, Outcome, Request},
    store::{Claim, Claimed, Finish, NewJob, RecordError, Release, Session, Store, lane_key},
};

use crate::db::{Db, NOW, ids, on_both, provision, sign_on};

fn done(claim: &Claim) -> Finish {
    Finish {
        claim: claim.clone(),
        outcome: Outcome::SUCCESS,
        facts: vec![Fact::Ended { outcome: Outcome::SUCCESS }],
        drops: None,
    }
}

async fn finish(store: &Store, claimed: &[Claimed]) -> Vec<Result<(), RecordError>> {
    store.finish(claimed.iter().map(|claimed| done(&claimed.claim)).collect(), NOW).await
}

async fn finish_all(store: &Store, claimed: &[Claimed]) {
    for result in finish(store, claimed).await {
        result.unwrap();
    }
}

#[tokio::test]
async fn jobs_of_a_lane_run_one_at_a_time_in_order_of_arrival() {
    on_both(async |db: &Db| {
        let (first, other) = (db.enqueue(provision(1)).await, db.enqueue(provision(2)).await);
        // A higher priority does not overtake within a lane.
        let urgent = NewJob { priority: 9, ..NewJob::now(provision(1)) };
        let second = db.store.enqueue(urgent, NOW).await.unwrap().job.0;
        let (a, b) = (sign_on(&db.store, "a", NOW).await, sign_on(&db.store, "b", NOW).await);
        let claimed = db.store.claim(&a, 10, NOW).await.unwrap();
        assert_eq!(ids(&claimed), [first, other]);
        assert_eq!(db.store.claim(&b, 10, NOW).await.unwrap(), []);
        finish_all(&db.store, &claimed).await;
        assert_eq!(ids(&db.store.claim(&b, 10, NOW).await.unwrap()), [second]);
        assert_eq!(db.succeeded().await, 2);
    })
    .await;
}

#[tokio::test]
async fn the_higher_priority_goes_first_and_no_more_than_asked() {
    on_both(async |db: &Db| {
        let mut by_priority = BTreeMap::new();
        for (n, priority) in [(0, 0), (1, -5), (2, 7), (3, 0), (4, i16::MIN), (5, i16::MAX), (6, 7)] {
            let job = NewJob { priority, ..NewJob::now(provision(n)) };
            by_priority.insert(n, db.store.enqueue(job, NOW).await.unwrap().job.0);
        }
        let session = sign_on(&db.store, "a", NOW).await;
        let mut order = Vec::new();
        for slots in [1, 3, 100] {
            let claimed = db.store.claim(&session, slots, NOW).await.unwrap();
            assert!(claimed.len() <= slots);
            order.extend(ids(&claimed));
        }
        assert_eq!(order, [5, 2, 6, 0, 3, 1, 4].map(|n| by_priority[&n]));
        assert_eq!(db.store.claim(&session, 0, NOW).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_job_for_later_waits_and_holds_up_its_lane() {
    on_both(async |db: &Db| {
        let later = NewJob { run_at_ms: Some(NOW + 500), ..NewJob::now(provision(1)) };
        let later = db.store.enqueue(later, NOW).await.unwrap().job.0;
        let behind = db.enqueue(provision(1)).await;
        let session = sign_on(&db.store, "a", NOW).await;
        assert_eq!(db.store.claim(&session, 9, NOW + 499).await.unwrap(), []);
        let claimed = db.store.claim(&session, 9, NOW + 500).await.unwrap();
        assert_eq!(ids(&claimed), [later]);
        finish_all(&db.store, &claimed).await;
        assert_eq!(ids(&db.store.claim(&session, 9, NOW).await.unwrap()), [behind]);
    })
    .await;
}

#[tokio::test]
async fn a_job_handed_back_is_as_it_was() {
    on_both(async |db: &Db| {
        let job = db.enqueue(provision(1)).await;
        let session = sign_on(&db.store, "a", NOW).await;
        let claimed = db.store.claim(&session, 9, NOW).await.unwrap();
        db.store.release(&claimed[0].claim, NOW + 100).await.unwrap();
        assert_eq!(db.store.release(&claimed[0].claim, NOW).await, Err(RecordError::LostLease));
        assert_eq!(db.store.claim(&session, 9, NOW + 99).await.unwrap(), []);
        let again = db.store.claim(&session, 9, NOW + 100).await.unwrap();
        assert_eq!((ids(&again), again[0].attempt), (vec![job], 1));
        assert!(again[0].claim.fence > claimed[0].claim.fence);
        assert_eq!(finish(&db.store, &claimed).await, [Err(RecordError::LostLease)]);
        let spent = Release { claim: again[0].claim.clone(), run_at_ms: NOW, spent: true };
        db.store.release_all(&[spent], false).await.unwrap();
        assert_eq!(db.store.claim(&session, 9, NOW).await.unwrap()[0].attempt, 2);
    })
    .await;
}

#[tokio::test]
async fn a_dead_workers_jobs_are_taken_over_and_it_can_write_nothing_more() {
    on_both(async |db: &Db| {
        for n in 0..5 {
            db.enqueue(provision(n)).await;
        }
        let (dead, alive) = (sign_on(&db.store, "dead", NOW).await, sign_on(&db.store, "alive", NOW).await);
        let lost = db.store.claim(&dead, 5, NOW).await.unwrap();
        finish_all(&db.store, &lost[..1]).await;
        let at = NOW + 10_001;
        let beat = db.store.beat(&alive, at + 10_000).await.unwrap().unwrap();
        assert_eq!(beat.others_until_ms, Some(NOW + 10_000));
        assert_eq!(db.store.sweep(at - 1).await.unwrap().freed, 0);
        let swept = db.store.sweep(at).await.unwrap();
        assert_eq!((swept.freed, swept.next_until_ms), (4, Some(at + 10_000)));
        assert_eq!(db.store.beat(&dead, at + 10_000).await.unwrap(), None);
        for result in finish(&db.store, &lost[1..]).await {
            assert_eq!(result, Err(RecordError::LostLease));
        }
        assert_eq!(db.store.release(&lost[1].claim, NOW).await, Err(RecordError::LostLease));
        let again = db.store.claim(&alive, 9, at).await.unwrap();
        assert_eq!(ids(&again), ids(&lost[1..]));
        for (before, after) in lost[1..].iter().zip(&again) {
            assert_eq!(after.attempt, 2);
            assert!(after.claim.fence > before.claim.fence);
        }
        for result in finish(&db.store, &lost[1..]).await {
            assert_eq!(result, Err(RecordError::LostLease));
        }
        finish_all(&db.store, &again).await;
        assert_eq!((db.live().await, db.succeeded().await), (0, 5));
    })
    .await;
}

#[tokio::test]
async fn one_lost_job_does_not_keep_a_batch_from_its_end() {
    on_both(async |db: &Db| {
        for n in 0..4 {
            db.enqueue(provision(n)).await;
        }
        let session = sign_on(&db.store, "a", NOW).await;
        let claimed = db.store.claim(&session, 9, NOW).await.unwrap();
        db.store.release(&claimed[2].claim, NOW + 1).await.unwrap();
        let results = finish(&db.store, &claimed).await;
        assert_eq!(results, [Ok(()), Ok(()), Err(RecordError::LostLease), Ok(())]);
        assert_eq!((db.live().await, db.succeeded().await), (1, 3));
        // Twice is refused, and changes nothing.
        assert!(finish(&db.store, &claimed).await.iter().all(|result| *result == Err(RecordError::LostLease)));
        assert_eq!((db.live().await, db.succeeded().await), (1, 3));
    })
    .await;
}

#[tokio::test]
async fn the_history_tells_how_it_ended_and_facts_come_back_with_a_claim() {
    on_both(async |db: &Db| {
        let job = db.enqueue(provision(3)).await;
        let session = sign_on(&db.store, "ann", NOW).await;
        let claimed = db.store.claim(&session, 1, NOW + 5).await.unwrap();
        db.sql(&format!(
            "INSERT INTO job_facts (job, at, seq, fact) VALUES ({job}, 7, 2, '{{\"fact\":\"cancel_asked\"}}'), \
             ({job}, 6, 1, '{{\"fact\":\"retry_asked\"}}')"
        ))
        .await;
        db.store.release(&claimed[0].claim, NOW).await.unwrap();
        let claimed = db.store.claim(&session, 1, NOW + 6).await.unwrap();
        let facts: Vec<_> =
            claimed[0].entries.iter().map(|entry| (entry.seq, entry.at_ms, entry.fact.clone())).collect();
        assert_eq!(facts, [(1, 6, Fact::RetryAsked), (2, 7, Fact::CancelAsked)]);
        let because = Trouble { class: ErrorClass::Denied, code: "Denied".into(), message: "no 'way'".into() };
        let outcome = Outcome::of(Ending::Failed, because);
        let finish = Finish {
            claim: claimed[0].claim.clone(),
            outcome: outcome.clone(),
            facts: vec![Fact::CancelAsked, Fact::Ended { outcome: outcome.clone() }],
            drops: None,
        };
        db.store.finish(vec![finish], NOW + 9).await.pop().unwrap().unwrap();
        let row =
            "SELECT state || ' ' || worker || ' ' || started || ' ' || ended || ' ' || project_name FROM job_history";
        let expected = format!("failed ann {} {} project-3", NOW + 6, NOW + 9);
        assert_eq!(db.text(row).await.unwrap(), expected);
        let kept: Outcome = serde_json::from_str(&db.text("SELECT outcome FROM job_history").await.unwrap()).unwrap();
        assert_eq!(kept, outcome);
        assert_eq!(db.text("SELECT fact FROM job_facts WHERE seq = 3").await.unwrap(), r#"{"fact":"cancel_asked"}"#);
        let event = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM job_history WHERE event IS NOT NULL)";
        assert_eq!(db.number(event).await, 1);
    })
    .await;
}

/// What all workers together believe to hold, and the order in which each lane's jobs ended.
#[derive(Default)]
struct Witness {
    held: BTreeSet<i64>,
    ended: BTreeMap<i64, Vec<i64>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_workers_at_once_never_run_two_jobs_of_a_lane() {
    on_both(async |db: &Db| {
        let (lanes, each) = (12, 25);
        for round in 0..each {
            for lane in 0..lanes {
                let run_at_ms = (round % 7 == 3).then_some(NOW);
                db.store.enqueue(NewJob { run_at_ms, ..NewJob::now(provision(lane)) }, NOW).await.unwrap();
            }
        }
        let witness = Arc::new(Mutex::new(Witness::default()));
        let mut workers = Vec::new();
        for n in 0..8 {
            let store = db.another().await;
            let session = sign_on(&store, &format!("worker-{n}"), NOW).await;
            workers.push(tokio::spawn(hammer(store, session, Arc::clone(&witness))));
        }
        for worker in workers {
            worker.await.unwrap();
        }
        let live = (db.live().await, db.succeeded().await);
        let witness = witness.lock().unwrap();
        assert_eq!(witness.ended.len(), lanes as usize);
        for (lane, jobs) in &witness.ended {
            assert_eq!(jobs.len(), each, "lane {lane}");
            assert!(jobs.is_sorted(), "lane {lane}: {jobs:?}");
        }
        assert_eq!(live, (0, i64::try_from(lanes).unwrap() * each as i64));
    })
    .await;
}

async fn hammer(store: Store, session: Session, witness: Arc<Mutex<Witness>>) {
    let mut idle = 0;
    while idle < 40 {
        let claimed = store.claim(&session, 5, NOW).await.unwrap();
        idle = if claimed.is_empty() { idle + 1 } else { 0 };
        for job in &claimed {
            assert!(witness.lock().unwrap().held.insert(job.claim.lane), "two of lane {}", job.claim.lane);
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let (back, finished): (Vec<_>, Vec<_>) = claimed.into_iter().partition(|job| job.claim.fence % 5 == 3);
        {
            let mut witness = witness.lock().unwrap();
            for job in finished.iter().chain(&back) {
                witness.held.remove(&job.claim.lane);
            }
            for job in &finished {
                witness.ended.entry(job.claim.lane).or_default().push(job.claim.job.0);
            }
        }
        finish_all(&store, &finished).await;
        for job in back {
            store.release(&job.claim, NOW).await.unwrap();
        }
    }
}

/// Whoever writes several lanes writes them in the order of their numbers, claims of urgent jobs too: two that meet wait for each
/// other one after another, and not each for the other.
#[tokio::test]
async fn a_claim_takes_lanes_in_the_order_in_which_others_do() {
    on_both(async |db: &Db| {
        if !db.is_postgres {
            return;
        }
        let mut lanes: Vec<(i64, Request)> =
            [1, 2].map(|n| (lane_key(provision(n).lane()), provision(n))).into_iter().collect();
        lanes.sort_by_key(|(lane, _)| *lane);
        let [(low, first), (high, last)] = lanes[..] else { unreachable!("there are two") };
        db.store.enqueue(NewJob::now(first), NOW).await.unwrap();
        db.store.enqueue(NewJob { priority: 9, ..NewJob::now(last) }, NOW).await.unwrap();
        let session = sign_on(&db.store, "a", NOW).await;
        // Somebody is on the way from the low lane to the high one while a claim is made of both.
        use sea_orm::{ConnectionTrait, TransactionTrait};
        let tx = db.side.begin().await.unwrap();
        let step = |lane: i64| format!("UPDATE lanes SET stamp = stamp + 1 WHERE lane = {lane}");
        tx.execute_unprepared(&step(low)).await.unwrap();
        let (store, claimer) = (db.store.clone(), session.clone());
        let claim = tokio::spawn(async move { store.claim(&claimer, 9, NOW).await.unwrap() });
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        tx.execute_unprepared(&step(high)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(claim.await.unwrap(), [], "both were decided on an old view");
        assert_eq!(db.store.claim(&session, 9, NOW).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_claim_decided_on_an_old_view_fails() {
    on_both(async |db: &Db| {
        if !db.is_postgres {
            return;
        }
        let job = db.enqueue(provision(1)).await;
        let session = sign_on(&db.store, "a", NOW).await;
        // Somebody takes the job out of the queue, slowly: the claim sees it and waits at the lane.
        use sea_orm::{ConnectionTrait, TransactionTrait};
        let tx = db.side.begin().await.unwrap();
        tx.execute_unprepared("UPDATE lanes SET stamp = stamp + 1").await.unwrap();
        tx.execute_unprepared(&format!("DELETE FROM jobs WHERE id = {job}")).await.unwrap();
        let (store, claimer) = (db.store.clone(), session.clone());
        let claim = tokio::spawn(async move { store.claim(&claimer, 9, NOW).await.unwrap() });
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        tx.commit().await.unwrap();
        assert_eq!(claim.await.unwrap(), []);
        assert_eq!(db.number("SELECT count(*) FROM lanes WHERE worker IS NOT NULL").await, 0);
    })
    .await;
}
