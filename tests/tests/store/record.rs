//! The one door: who may write, what is written, and that it is all or nothing.

use providers::RemoteId;
use provisioner::{
    core::{Entry, Fact, JobId, Outcome, Request, RowChange, RowState},
    store::{Claim, RecordError, ResourceFilter, StoreError, WorkerId},
};
use regions::{Arch, Cloud, Region};

use crate::fixture::{
    Fixture, NOW, acme, api, frankfurt, globex, key, machine, provision, resource, settled, shop, volume, web,
};

on_both!(
    facts_rows_and_event_are_one,
    only_the_holder_writes,
    a_released_job_is_nobodys,
    a_row_is_updated_and_dropped,
    a_second_one_is_told,
    a_key_in_the_making_is_held,
    nothing_changes_hands,
    nothing_is_half_written,
    a_cancellation_is_seen,
    statements_are_few,
);

/// Everything that a record writes.
async fn written(fixture: &Fixture) -> [i64; 3] {
    [fixture.count("job_facts").await, fixture.count("resources").await, fixture.count("events").await]
}

async fn facts_rows_and_event_are_one(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    let rows = [key(1, acme(), frankfurt(), RowState::Pending), machine(2, acme(), web(), frankfurt())];
    let changes: Vec<RowChange> = rows.iter().map(|row| RowChange::Put(Box::new(row.clone()))).collect();
    let facts = vec![settled(resource(1)), Fact::CancelAsked];
    let recorded = fixture.store.record(&claim, facts, &changes, NOW + 1).await.unwrap();
    assert_eq!(
        recorded.entries.iter().map(|entry| (entry.seq, entry.at_ms)).collect::<Vec<_>>(),
        [(1, NOW + 1), (2, NOW + 1)]
    );
    assert!(!recorded.cancel_asked);
    let third = fixture.store.record(&claim, vec![settled(resource(2))], &[], NOW + 2).await.unwrap();
    assert_eq!(third.entries, [Entry { seq: 3, at_ms: NOW + 2, fact: settled(resource(2)) }]);
    let all: Vec<Entry> = recorded.entries.into_iter().chain(third.entries).collect();
    assert_eq!(fixture.store.entries(claim.job).await.unwrap(), all);
    for row in rows {
        let read = fixture.store.resource(row.id).await.unwrap().unwrap();
        let expected =
            provisioner::core::ResourceRow { job: claim.job, created_ms: NOW + 1, updated_ms: NOW + 1, ..row };
        assert_eq!(read, expected);
    }
    let events = fixture.store.events(0, 10).await.unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].job, events[0].org, events[0].project), (Some(claim.job), acme(), Some(web())));
    assert_eq!(events[0].what, format!("settled {}; cancel asked", resource(1)));
    assert_eq!(fixture.store.events(events[0].id, 10).await.unwrap(), events[1..]);
}

async fn only_the_holder_writes(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    let second = fixture.claim(&session, provision(api())).await.claim;
    let before = written(&fixture).await;
    let strangers = [
        Claim { fence: claim.fence - 1, ..claim.clone() },
        Claim { fence: claim.fence + 1, ..claim.clone() },
        Claim { session: claim.session + 1, ..claim.clone() },
        Claim { job: second.job, ..claim.clone() },
        Claim { lane: second.lane, ..claim.clone() },
        Claim { job: JobId(claim.job.0 + 100), ..claim.clone() },
    ];
    for stranger in strangers {
        for changes in [vec![], vec![RowChange::Put(Box::new(machine(2, acme(), web(), frankfurt())))]] {
            let error = fixture.store.record(&stranger, vec![settled(resource(1))], &changes, NOW).await.unwrap_err();
            assert_eq!(error, RecordError::LostLease, "{stranger:?}");
        }
    }
    assert_eq!(written(&fixture).await, before);
    // The name is for people; what counts is the session.
    let renamed = Claim { worker: WorkerId::from("other"), ..claim };
    fixture.store.record(&renamed, vec![settled(resource(1))], &[], NOW).await.unwrap();
}

async fn a_released_job_is_nobodys(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    fixture.store.record(&claim, vec![settled(resource(1))], &[], NOW).await.unwrap();
    fixture.store.release(&claim, NOW).await.unwrap();
    let record = async |claim: &Claim| fixture.store.record(claim, vec![settled(resource(2))], &[], NOW).await;
    assert_eq!(record(&claim).await.unwrap_err(), RecordError::LostLease);
    let again = fixture.store.claim(&session, 1, NOW).await.unwrap().remove(0).claim;
    assert_eq!(again.job, claim.job);
    assert_eq!(record(&claim).await.unwrap_err(), RecordError::LostLease, "an old claim stays lost");
    assert_eq!(record(&again).await.unwrap().entries[0].seq, 2);
    fixture.finish(&again, Outcome::SUCCESS).await;
    assert_eq!(record(&again).await.unwrap_err(), RecordError::LostLease);
    // A worker that is given up for dead loses what it holds.
    let other = fixture.claim(&session, provision(api())).await.claim;
    assert_eq!(fixture.store.sweep(NOW + 2_000_000).await.unwrap().freed, 1);
    assert_eq!(record(&other).await.unwrap_err(), RecordError::LostLease);
}

async fn a_row_is_updated_and_dropped(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    let row = machine(2, acme(), web(), frankfurt());
    fixture.put(&claim, std::slice::from_ref(&row)).await.unwrap();
    let zone = frankfurt().zones().nth(1).unwrap();
    let mut moved = machine(2, acme(), web(), frankfurt());
    if let provisioner::core::Blueprint::Machine { placement, .. } = &mut moved.blueprint {
        *placement = regions::Placement::check(regions::Residency::Eu, zone).unwrap();
    }
    moved.zone = Some(zone);
    moved.remote = Some(RemoteId("i-2".to_owned()));
    (moved.state, moved.incarnation, moved.address) = (RowState::Stopped, 3, Some("10.0.0.1".to_owned()));
    let put = RowChange::Put(Box::new(moved.clone()));
    fixture.store.record(&claim, vec![settled(row.id)], &[put], NOW + 9).await.unwrap();
    let read = fixture.store.resource(row.id).await.unwrap().unwrap();
    let expected = provisioner::core::ResourceRow { job: claim.job, created_ms: NOW, updated_ms: NOW + 9, ..moved };
    assert_eq!(read, expected);
    // Twice is once, and the place is free for the next in the same breath.
    let next = machine(3, acme(), web(), frankfurt());
    let changes = [RowChange::Put(Box::new(next)), RowChange::Drop(row.id)];
    fixture.store.record(&claim, vec![settled(row.id)], &changes, NOW).await.unwrap();
    fixture.store.record(&claim, vec![settled(row.id)], &[RowChange::Drop(row.id)], NOW).await.unwrap();
    let left = fixture.store.resources(ResourceFilter::default()).await.unwrap();
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [resource(3)]);
}

async fn a_second_one_is_told(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    let first = [
        key(1, acme(), frankfurt(), RowState::Ready),
        volume(2, acme(), web(), frankfurt()),
        machine(3, acme(), web(), frankfurt()),
    ];
    fixture.put(&claim, &first).await.unwrap();
    let mut stolen = machine(14, acme(), web(), frankfurt());
    stolen.arch = Some(Arch::X86_64);
    stolen.remote = first[2].remote.clone();
    let rivals = [
        (key(11, acme(), frankfurt(), RowState::Ready), 1),
        (volume(12, acme(), web(), frankfurt()), 2),
        (machine(13, acme(), web(), frankfurt()), 3),
        (stolen, 3),
    ];
    let before = written(&fixture).await;
    for (rival, standing) in rivals {
        let error = fixture.put(&claim, std::slice::from_ref(&rival)).await.unwrap_err();
        let RecordError::Store(StoreError::Exists { what, .. }) = &error else { panic!("{error}") };
        assert_eq!(*what, rival.kind.as_str());
        let text = error.to_string();
        for part in [resource(standing).to_string(), rival.id.to_string(), format!("job {}", claim.job)] {
            assert!(text.contains(&part), "{text}");
        }
    }
    assert_eq!(written(&fixture).await, before);
}

async fn a_key_in_the_making_is_held(fixture: Fixture) {
    let session = fixture.session("w").await;
    let maker = fixture.claim(&session, provision(web())).await.claim;
    let request = Request::Provision { project: web(), arch: Arch::X86_64 };
    let waiter = fixture.claim(&session, request).await.claim;
    let making = key(1, acme(), frankfurt(), RowState::Maybe);
    let ready = key(1, acme(), frankfurt(), RowState::Ready);
    fixture.put(&maker, std::slice::from_ref(&making)).await.unwrap();
    let before = written(&fixture).await;
    let held = RecordError::Held { resource: making.id, by: maker.job };
    assert_eq!(fixture.put(&waiter, std::slice::from_ref(&making)).await.unwrap_err(), held);
    // What the waiter has not seen, because it was not there yet, is not its to drop.
    let drop = async || {
        fixture.store.record(&waiter, vec![settled(making.id)], &[RowChange::Drop(making.id)], NOW).await.map(|_| ())
    };
    assert_eq!(drop().await.unwrap_err(), held);
    assert_eq!(written(&fixture).await, before, "nothing was written");
    // The maker goes on; what is ready is everybody's to write, but not to drop while its writer lives.
    fixture.put(&maker, std::slice::from_ref(&making)).await.unwrap();
    fixture.put(&maker, std::slice::from_ref(&ready)).await.unwrap();
    assert_eq!(drop().await.unwrap_err(), held);
    fixture.put(&waiter, std::slice::from_ref(&ready)).await.unwrap();
    drop().await.unwrap();
    // A maker that is no longer live holds nothing.
    fixture.put(&maker, std::slice::from_ref(&making)).await.unwrap();
    assert_eq!(
        fixture.put(&waiter, std::slice::from_ref(&making)).await.unwrap_err(),
        RecordError::Held { resource: making.id, by: maker.job }
    );
    fixture.finish(&maker, Outcome::SUCCESS).await;
    fixture.put(&waiter, std::slice::from_ref(&making)).await.unwrap();
    // Only keys are shared.
    fixture.put(&waiter, &[machine(5, acme(), web(), frankfurt())]).await.unwrap();
}

async fn nothing_changes_hands(fixture: Fixture) {
    let session = fixture.session("w").await;
    let ours = fixture.claim(&session, provision(web())).await.claim;
    let theirs = fixture.claim(&session, provision(shop())).await.claim;
    let row = machine(1, acme(), web(), frankfurt());
    fixture.put(&ours, std::slice::from_ref(&row)).await.unwrap();
    let before = written(&fixture).await;
    let virginia = Region::find(Cloud::Aws, "us-east-1").unwrap();
    let attempts = [
        // Rows of others.
        (&ours, RowChange::Put(Box::new(machine(2, globex(), shop(), frankfurt())))),
        (&ours, RowChange::Put(Box::new(machine(2, acme(), api(), virginia)))),
        (&ours, RowChange::Put(Box::new(key(2, globex(), frankfurt(), RowState::Ready)))),
        // The same machine, handed over.
        (&theirs, RowChange::Put(Box::new(machine(1, globex(), shop(), frankfurt())))),
        (&theirs, RowChange::Drop(row.id)),
        (&ours, RowChange::Put(Box::new(volume(1, acme(), web(), frankfurt())))),
        (&ours, RowChange::Put(Box::new(provisioner::core::ResourceRow { arch: Some(Arch::X86_64), ..row.clone() }))),
        // Outside the residency.
        (&ours, RowChange::Put(Box::new(machine(2, acme(), web(), virginia)))),
    ];
    for (claim, change) in attempts {
        let error =
            fixture.store.record(claim, vec![settled(row.id)], std::slice::from_ref(&change), NOW).await.unwrap_err();
        let told = matches!(&error, RecordError::Store(StoreError::Refused { .. } | StoreError::Exists { .. }));
        assert!(told, "{change:?}: {error}");
    }
    assert_eq!(written(&fixture).await, before);
}

async fn nothing_is_half_written(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    fixture.put(&claim, &[machine(1, acme(), web(), frankfurt())]).await.unwrap();
    let before = written(&fixture).await;
    // The first change is sound, the second is not.
    let changes = [RowChange::Drop(resource(1)), RowChange::Put(Box::new(volume(2, acme(), web(), frankfurt())))];
    fixture.raw.run("DELETE FROM zones WHERE name = 'eu-central-1b'").await.unwrap();
    let mut unknown = volume(3, acme(), web(), frankfurt());
    unknown.zone = frankfurt().zones().find(|zone| zone.name() == "eu-central-1b");
    let mut bad = changes.to_vec();
    bad[1] = RowChange::Put(Box::new(unknown));
    let error = fixture.store.record(&claim, vec![settled(resource(1))], &bad, NOW).await.unwrap_err();
    assert!(error.to_string().contains("provisioner migrate"), "{error}");
    assert_eq!(written(&fixture).await, before);
    fixture.store.record(&claim, vec![settled(resource(1))], &changes, NOW).await.unwrap();
}

async fn a_cancellation_is_seen(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    fixture.store.cancel(claim.job, NOW).await.unwrap();
    assert!(fixture.store.record(&claim, vec![settled(resource(1))], &[], NOW).await.unwrap().cancel_asked);
}

async fn statements_are_few(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    let counted = async |changes: Vec<RowChange>| {
        let (statements, commits) = (fixture.store.statements(), fixture.store.commits());
        fixture.store.record(&claim, vec![settled(resource(1)), settled(resource(2))], &changes, NOW).await.unwrap();
        (fixture.store.statements() - statements, fixture.store.commits() - commits)
    };
    let put = || {
        let rows = [volume(2, acme(), web(), frankfurt()), machine(3, acme(), web(), frankfurt())];
        rows.into_iter().map(|row| RowChange::Put(Box::new(row)))
    };
    let postgres = fixture.database.is_postgres();
    assert_eq!(counted(vec![]).await, (if postgres { 1 } else { 5 }, 1));
    assert_eq!(counted(put().collect()).await, (if postgres { 4 } else { 6 }, 1));
    let drops = [RowChange::Drop(resource(2)), RowChange::Drop(resource(3))];
    assert_eq!(counted(drops.to_vec()).await, (if postgres { 4 } else { 6 }, 1));
}

/// A takeover that is under way when a record begins comes first, and the record sees it. On SQLite there is one writer.
#[tokio::test]
async fn a_takeover_in_the_middle_is_seen() {
    let fixture = Fixture::postgres().await;
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    let before = written(&fixture).await;
    for changes in [vec![], vec![RowChange::Put(Box::new(machine(2, acme(), web(), frankfurt())))]] {
        fixture.raw.run("BEGIN").await.unwrap();
        fixture.raw.run("UPDATE lanes SET fence = fence + 1").await.unwrap();
        let (store, late) = (fixture.store.clone(), claim.clone());
        let recording =
            tokio::spawn(async move { store.record(&late, vec![settled(resource(1))], &changes, NOW).await });
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert!(!recording.is_finished(), "it waits for the takeover");
        fixture.raw.run("COMMIT").await.unwrap();
        assert_eq!(recording.await.unwrap().unwrap_err(), RecordError::LostLease);
        fixture.raw.run("UPDATE lanes SET fence = fence - 1").await.unwrap();
    }
    assert_eq!(written(&fixture).await, before);
    fixture.store.record(&claim, vec![settled(resource(1))], &[], NOW).await.unwrap();
}
