//! Whatever happens to a warden, and to the calls that it makes, nobody stays in after a grant has ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use providers::{
    Access, ErrorClass, Principal, Provider,
    fake::{FakeCloud, FakeConfig, Fault, Operation, When},
};
use provisioner::{
    core::{GrantId, OrgId, Policy, ProjectId, Request, Tenants, scene::CacheShape},
    execute::{Clock, Executor, Patience, Providers, Warden},
    store::{GrantState, NewGrant, NewJob, NewProject, Store, StoreError, WorkerId},
    worker::{self, WorkerConfig},
};
use regions::{Arch, Cloud, Residency, Size};
use tests::database::Database;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const HOUR_MS: i64 = 3_600_000;
const WHO: &str = "arn:aws:iam::123456789012:role/support";

/// The real time, and what the test has added to it.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicI64>);

impl Clock for Ahead {
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond() + self.0.load(Ordering::SeqCst)
    }
}

impl Ahead {
    fn pass(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

struct House {
    store: Store,
    cloud: FakeCloud,
    clock: Ahead,
    project: ProjectId,
    _database: Database,
}

impl House {
    /// A project whose builder runs.
    async fn new(database: Database) -> Self {
        let (store, clock) = (database.store().await, Ahead::default());
        let (org, project) = (OrgId::from_uuid(Uuid::now_v7()), ProjectId::from_uuid(Uuid::now_v7()));
        store.create_org(&"acme".parse().unwrap(), org, clock.now_ms()).await.unwrap();
        let new = NewProject {
            id: project,
            org,
            name: "web".parse().unwrap(),
            residency: Residency::Eu,
            cloud: Cloud::Aws,
            region: None,
            size: Size::S4x8,
            cache: CacheShape { size_gib: 50, iops: None, throughput_mibps: None },
        };
        store.create_project(new, clock.now_ms()).await.unwrap();
        let time = clock.clone();
        let cloud = FakeCloud::new(FakeConfig::instant(), Arc::new(move || time.now_ms()));
        let house = Self { store, cloud, clock, project, _database: database };
        let request = Request::Provision { project, arch: Arch::X86_64 };
        house.store.enqueue(NewJob::now(request), house.clock.now_ms()).await.unwrap();
        let time: Arc<dyn Clock> = Arc::new(house.clock.clone());
        let executor = Executor::new(house.store.clone(), house.providers(), Policy::default(), Arc::clone(&time));
        let config = WorkerConfig { drain: true, ..WorkerConfig::new(WorkerId("maker".to_owned())) };
        let stop = CancellationToken::new();
        worker::run(house.store.clone(), Arc::new(executor), config, time, stop).await.unwrap();
        house
    }

    fn providers(&self) -> Providers {
        [(Cloud::Aws, Arc::new(self.cloud.provider(Cloud::Aws)) as Arc<dyn Provider>)].into()
    }

    fn warden(&self, name: &str) -> Warden {
        Warden {
            store: self.store.clone(),
            providers: self.providers(),
            clock: Arc::new(self.clock.clone()),
            name: name.to_owned(),
            patience: Patience { call_ms: 40, lease_ms: 120_000, settle_ms: 90_000, again_ms: 3_000 },
        }
    }

    async fn grant(&self) -> GrantId {
        let now_ms = self.clock.now_ms();
        let new = NewGrant {
            id: GrantId::from_uuid(Uuid::now_v7()),
            project: self.project,
            arch: Arch::X86_64,
            principal: Principal::parse(Cloud::Aws, WHO).unwrap(),
            reason: "a look".to_owned(),
            created_by: "olga".to_owned(),
            until_ms: now_ms + HOUR_MS,
        };
        self.store.create_grant(&new, now_ms).await.unwrap();
        new.id
    }

    async fn state(&self, id: GrantId) -> GrantState {
        self.store.grant(id).await.unwrap().state
    }

    /// Somebody is let in if anybody can be; then wardens come and go until nothing is left to do.
    async fn to_the_end(&self, id: GrantId) {
        for round in 0..40 {
            // One that dies of it: its call is cut off wherever it is, as by a process that ends.
            let warden = self.warden(&format!("warden {round}"));
            drop(tokio::time::timeout(Duration::from_millis(400), warden.round()).await);
            if self.state(id).await == GrantState::Closed {
                return;
            }
            self.clock.pass(10_000);
        }
        panic!("it does not end: {:?}", self.store.grant(id).await.unwrap());
    }

    fn machine(&self) -> providers::RemoteId {
        self.cloud.snapshot().machines[0].remote.clone()
    }

    fn is_shut(&self) -> bool {
        let who = Principal::parse(Cloud::Aws, WHO).unwrap();
        self.cloud.ways().is_empty()
            && self.cloud.inside(&self.machine()).is_empty()
            && !self.cloud.enter(&self.machine(), &who)
    }
}

const FAULTS: [Fault; 7] = [
    Fault::RequestLost,
    Fault::ReplyLost,
    Fault::HangBefore,
    Fault::HangAfter,
    Fault::Error(ErrorClass::Throttled),
    Fault::Error(ErrorClass::Denied),
    Fault::ErrorAfter(ErrorClass::Unavailable),
];

/// How a life goes: which fault meets which of the calls, and how the grant ends.
async fn live(house: &House, fault: Option<(Operation, Fault)>, by_time: bool) {
    let id = house.grant().await;
    house.store.open_grant(id, "operator", house.clock.now_ms()).await.unwrap();
    if let Some((operation, fault)) = &fault {
        house.cloud.inject(When::next(*operation), *fault);
    }
    for _ in 0..4 {
        drop(house.warden("first").round().await);
        house.clock.pass(5_000);
    }
    let _ = house.cloud.enter(&house.machine(), &Principal::parse(Cloud::Aws, WHO).unwrap());
    if by_time {
        house.clock.pass(HOUR_MS);
    } else {
        house.store.revoke_grant(id, "olga", house.clock.now_ms()).await.unwrap();
    }
    assert!(!house.store.grant(id).await.unwrap().is_live(house.clock.now_ms()));
    house.to_the_end(id).await;
    assert!(house.is_shut(), "{fault:?}, by time: {by_time}: {:?}", house.cloud.ways());
    house.cloud.calm();
}

async fn lives(database: Database) {
    let house = House::new(database).await;
    let mut lived = 0;
    for by_time in [false, true] {
        live(&house, None, by_time).await;
        lived += 1;
        for operation in [Operation::OpenWay, Operation::CloseWay] {
            for fault in FAULTS {
                live(&house, Some((operation, fault)), by_time).await;
                lived += 1;
            }
        }
    }
    assert_eq!(lived, 2 * (1 + 2 * FAULTS.len()));
}

#[tokio::test]
async fn nobody_stays_in_whatever_happens_to_a_call_on_sqlite() {
    lives(Database::sqlite().await).await;
}

#[tokio::test]
async fn nobody_stays_in_whatever_happens_to_a_call_on_postgres() {
    lives(Database::postgres().await).await;
}

/// The request of a warden that died arrives after another has found nothing to close.
#[tokio::test]
async fn what_arrives_late_is_closed_as_well() {
    let house = House::new(Database::sqlite().await).await;
    let id = house.grant().await;
    house.store.open_grant(id, "operator", house.clock.now_ms()).await.unwrap();
    let due = house.store.take_grants("dead", &[Cloud::Aws], 120_000, house.clock.now_ms()).await.unwrap();
    let access: Access = due[0].access.clone();
    assert!(due[0].opens);
    house.store.revoke_grant(id, "olga", house.clock.now_ms()).await.unwrap();
    assert_eq!(house.warden("next").round().await.unwrap(), 0, "it is left alone for as long as it is taken");
    house.clock.pass(80_000);
    // Its lease is longer than what a call may take; say that it handed back what it could.
    house.store.grant_opened(id, "dead", "late", house.clock.now_ms()).await.unwrap();
    assert_eq!(house.warden("next").round().await.unwrap(), 1);
    assert_eq!(house.state(id).await, GrantState::Closing, "gone is not believed so early");
    house.cloud.provider(Cloud::Aws).open_access(&access).await.unwrap();
    assert!(!house.is_shut());
    house.to_the_end(id).await;
    assert!(house.is_shut());
}

/// Two workers' wardens at the same moment: one of them does it.
#[tokio::test]
async fn two_wardens_do_not_open_the_same_way_twice() {
    for database in [Database::sqlite().await, Database::postgres().await] {
        let house = House::new(database).await;
        let id = house.grant().await;
        house.store.open_grant(id, "operator", house.clock.now_ms()).await.unwrap();
        let (one, two) = (house.warden("one"), house.warden("two"));
        let (first, second) = tokio::join!(one.round(), two.round());
        assert_eq!(first.unwrap() + second.unwrap(), 1);
        assert_eq!(house.state(id).await, GrantState::Open);
    }
}

#[tokio::test]
async fn a_grant_is_short_and_one_at_a_time() {
    for database in [Database::sqlite().await, Database::postgres().await] {
        let house = House::new(database).await;
        let now_ms = house.clock.now_ms();
        let new = |until_ms| NewGrant {
            id: GrantId::from_uuid(Uuid::now_v7()),
            project: house.project,
            arch: Arch::X86_64,
            principal: Principal::parse(Cloud::Aws, WHO).unwrap(),
            reason: "a look".to_owned(),
            created_by: "olga".to_owned(),
            until_ms,
        };
        // The database itself has the last word about eight hours.
        for bad in [now_ms, now_ms + 8 * HOUR_MS + 1] {
            house.store.create_grant(&new(bad), now_ms).await.unwrap_err();
        }
        let first = new(now_ms + 8 * HOUR_MS);
        house.store.create_grant(&first, now_ms).await.unwrap();
        let error = house.store.create_grant(&new(now_ms + 1_000), now_ms).await.unwrap_err();
        assert!(matches!(&error, StoreError::Refused { field, .. } if field == "builder"), "{error}");
        // What was never opened and is over needs no worker to make room.
        let later = now_ms + 8 * HOUR_MS;
        house.store.open_grant(first.id, "operator", later).await.unwrap_err();
        house.store.create_grant(&new(later + 1_000), later).await.unwrap();
        assert_eq!(house.store.seen_by(&Tenants::All).grants(Some(house.project), 10).await.unwrap().len(), 2);
        // One that was is revoked once, and opened no more.
        let second = house.store.seen_by(&Tenants::All).grants(Some(house.project), 1).await.unwrap().remove(0);
        house.store.revoke_grant(second.id, "olga", later).await.unwrap();
        house.store.revoke_grant(second.id, "eve", later + 1).await.unwrap();
        let second = house.store.grant(second.id).await.unwrap();
        assert_eq!((second.state, second.revoked_by.as_deref()), (GrantState::Closed, Some("olga")));
        house.store.open_grant(second.id, "operator", later).await.unwrap_err();
    }
}
