//! How jobs get in: keys, tenants, deletions, crowds.

use std::collections::BTreeSet;

use provisioner::{
    core::{Drop, Fact, Outcome, Request},
    store::{Finish, NewJob, StoreError},
};
use regions::Arch;

use crate::db::{Db, NOW, ids, on_both, org, project, provision, sign_on};

fn keyed(request: Request, key: &str) -> NewJob {
    NewJob { key: Some(key.to_owned()), ..NewJob::now(request) }
}

fn done(claim: provisioner::store::Claim, drops: Option<Drop>) -> Finish {
    Finish { claim, outcome: Outcome::SUCCESS, facts: vec![Fact::Ended { outcome: Outcome::SUCCESS }], drops }
}

#[tokio::test]
async fn a_key_stands_for_one_job_for_as_long_as_it_is_remembered() {
    on_both(async |db: &Db| {
        let first = db.store.enqueue(keyed(provision(1), "k"), NOW).await.unwrap();
        assert!(first.fresh);
        let again = db.store.enqueue(NewJob { priority: 3, ..keyed(provision(1), "k") }, NOW).await.unwrap();
        assert_eq!((again.job, again.fresh), (first.job, false));
        let other = db.store.enqueue(keyed(provision(2), "k"), NOW).await;
        assert_eq!(other, Err(StoreError::KeyReused { key: "k".into(), job: first.job }));
        let other = Request::Stop { project: project(1), arch: Arch::Arm64 };
        assert!(matches!(db.store.enqueue(keyed(other, "k"), NOW).await, Err(StoreError::KeyReused { .. })));
        // After its end, too, and when the tenant admits nothing any more.
        let session = sign_on(&db.store, "a", NOW).await;
        let claimed = db.store.claim(&session, 9, NOW).await.unwrap();
        assert_eq!(ids(&claimed), [first.job.0]);
        db.store.finish(vec![done(claimed[0].claim.clone(), None)], NOW).await.pop().unwrap().unwrap();
        db.sql("UPDATE projects SET deleting = true").await;
        let again = db.store.enqueue(keyed(provision(1), "k"), NOW).await.unwrap();
        assert_eq!((again.job, again.fresh), (first.job, false));
        assert!(matches!(db.store.enqueue(keyed(provision(2), "k"), NOW).await, Err(StoreError::KeyReused { .. })));
        for bad in ["", "a\0b", &"x".repeat(201)] {
            assert!(matches!(db.store.enqueue(keyed(provision(1), bad), NOW).await, Err(StoreError::Refused { .. })));
        }
        assert_eq!(db.number("SELECT count(*) FROM jobs").await, 0);
    })
    .await;
}

#[tokio::test]
async fn strangers_and_the_departing_are_refused_by_name() {
    on_both(async |db: &Db| {
        let stranger = db.store.enqueue(NewJob::now(provision(5_000)), NOW).await.unwrap_err();
        assert!(matches!(stranger, StoreError::NotFound { what: "project", .. }), "{stranger}");
        let stranger = Request::DeleteProject { project: project(5_000) };
        let stranger = db.store.enqueue(keyed(stranger, "s"), NOW).await.unwrap_err();
        assert!(matches!(stranger, StoreError::NotFound { what: "project", .. }), "{stranger}");
        db.sql("UPDATE projects SET deleting = true WHERE name = 'project-7'").await;
        let departing = db.store.enqueue(keyed(provision(7), "k"), NOW).await.unwrap_err();
        assert!(departing.to_string().contains("project-7"), "{departing}");
        assert_eq!(db.live().await, 0);
        assert_eq!(db.number("SELECT count(*) FROM job_keys").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_deletion_closes_the_door_behind_it_and_is_one_job() {
    on_both(async |db: &Db| {
        let before = db.enqueue(provision(1)).await;
        let delete = Request::DeleteProject { project: project(1) };
        let deletion = db.store.enqueue(keyed(delete, "d"), NOW).await.unwrap();
        assert!(deletion.fresh);
        for job in [NewJob::now(delete), keyed(delete, "d"), keyed(delete, "e")] {
            let again = db.store.enqueue(job, NOW).await.unwrap();
            assert_eq!((again.job, again.fresh), (deletion.job, false));
        }
        assert!(matches!(db.store.enqueue(keyed(provision(2), "e"), NOW).await, Err(StoreError::KeyReused { .. })));
        assert!(matches!(db.store.enqueue(NewJob::now(provision(1)), NOW).await, Err(StoreError::Refused { .. })));
        // It has a lane of its own; its handler waits for what is older.
        let session = sign_on(&db.store, "a", NOW).await;
        let claimed = db.store.claim(&session, 9, NOW).await.unwrap();
        assert_eq!(ids(&claimed), [before, deletion.job.0]);
        let finishes =
            vec![done(claimed[0].claim.clone(), None), done(claimed[1].claim.clone(), Some(Drop::Project(project(1))))];
        assert_eq!(db.store.finish(finishes, NOW).await, [Ok(()), Ok(())]);
        assert_eq!(db.number("SELECT count(*) FROM projects WHERE name = 'project-1'").await, 0);
        assert_eq!((db.live().await, db.succeeded().await), (0, 2));
        assert_eq!(
            db.text(&format!("SELECT project_name FROM job_history WHERE id = {before}")).await.unwrap(),
            "project-1"
        );
    })
    .await;
}

#[tokio::test]
async fn an_organization_takes_its_projects_with_it_and_goes_last() {
    on_both(async |db: &Db| {
        let delete = Request::DeleteOrg { org: org() };
        let deletion = db.store.enqueue(NewJob::now(delete), NOW).await.unwrap();
        assert_eq!(db.number("SELECT count(*) FROM projects WHERE NOT deleting").await, 0);
        assert!(matches!(db.store.enqueue(NewJob::now(provision(1)), NOW).await, Err(StoreError::Refused { .. })));
        let part = Request::DeleteProject { project: project(1) };
        assert!(matches!(db.store.enqueue(NewJob::now(part), NOW).await, Err(StoreError::Refused { .. })));
        // While something is left in it the database lets it not go, and the job is as it was.
        let session = sign_on(&db.store, "a", NOW).await;
        let claimed = db.store.claim(&session, 9, NOW).await.unwrap();
        assert_eq!(ids(&claimed), [deletion.job.0]);
        let finish = done(claimed[0].claim.clone(), Some(Drop::Org(org())));
        let (volume, project, org) = (db.uuid(uuid::Uuid::max()), db.uuid(project(1).as_uuid()), db.uuid(org().as_uuid()));
        db.sql(&format!(
            "INSERT INTO resources (id, kind, org, project, arch, cloud, region, zone, residency, state, incarnation, \
             blueprint, job, created, updated) VALUES ({volume}, 'volume', {org}, {project}, 'arm64', 'aws', 'us-east-1', \
             'us-east-1a', 'us', 'ready', 0, '{{}}', 1, 0, 0)"
        ))
        .await;
        assert!(db.store.finish(vec![finish.clone()], NOW).await.pop().unwrap().is_err());
        assert_eq!((db.live().await, db.succeeded().await), (1, 0));
        db.sql("DELETE FROM resources").await;
        assert_eq!(db.store.finish(vec![finish.clone()], NOW).await, [Ok(())]);
        assert_eq!(db.number("SELECT count(*) FROM orgs").await, 0);
        let lost = db.store.finish(vec![finish], NOW).await.pop().unwrap();
        assert_eq!(lost, Err(provisioner::store::RecordError::LostLease));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_gets_in_once_each() {
    on_both(async |db: &Db| {
        let other = db.another().await;
        let mut tasks = Vec::new();
        for n in 0..400_u128 {
            let store = if n % 2 == 0 { db.store.clone() } else { other.clone() };
            // Ten callers for each key; a few are strangers.
            let job = if n % 50 == 7 {
                NewJob::now(provision(n + 5_000))
            } else {
                keyed(provision(n / 10), &format!("{}", n / 10))
            };
            tasks.push(tokio::spawn(async move { store.enqueue(job, NOW).await }));
        }
        let (mut jobs, mut fresh, mut refused) = (BTreeSet::new(), 0, 0);
        for task in tasks {
            match task.await.unwrap() {
                Ok(enqueued) => {
                    fresh += usize::from(enqueued.fresh);
                    jobs.insert(enqueued.job);
                }
                Err(StoreError::NotFound { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((jobs.len(), fresh, refused), (40, 40, 8));
        assert_eq!((db.live().await, db.number("SELECT count(*) FROM job_keys").await), (40, 40));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_gets_in_behind_a_deletion() {
    on_both(async |db: &Db| {
        for n in 0..20 {
            let mut tasks = Vec::new();
            for _ in 0..8 {
                let store = db.store.clone();
                tasks.push(tokio::spawn(async move { store.enqueue(NewJob::now(provision(n)), NOW).await }));
            }
            let other = db.another().await;
            let delete = NewJob::now(Request::DeleteProject { project: project(n) });
            let deletion = other.enqueue(delete, NOW).await.unwrap();
            // What is not there by now must not come, and what is there is older.
            let there = db.live().await;
            let mut accepted = 0;
            for task in tasks {
                if let Ok(enqueued) = task.await.unwrap() {
                    accepted += 1;
                    assert!(enqueued.job < deletion.job);
                }
            }
            assert_eq!(there, db.live().await);
            assert_eq!(there, accepted + 1);
            db.sql("DELETE FROM jobs").await;
        }
    })
    .await;
}
