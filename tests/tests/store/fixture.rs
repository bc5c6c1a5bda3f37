//! Two organizations with projects, and jobs in a worker's hands.

use providers::{Kind, RemoteId, ResourceId, VolumeShape};
use provisioner::{
    core::{
        Blueprint, Fact, JobId, Name, OrgId, Outcome, ProjectId, Request, ResourceRow, RowChange, RowState,
        scene::CacheShape,
    },
    store::{Claim, Claimed, Finish, NewJob, NewProject, RecordError, Session, SignOn, Store, StoreError, WorkerId},
};
use regions::{Arch, Cloud, Placement, Region, Residency, Size, SsdKind, machine_types};
use tests::database::{Database, Raw};
use uuid::Uuid;

/// A time for tests that bring their own.
pub(crate) const NOW: i64 = 1_700_000_000_000;

pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) store: Store,
    pub(crate) raw: Raw,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn acme() -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(0xacae))
}

pub(crate) fn globex() -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(0x910b))
}

/// Of acme, in the European Union.
pub(crate) fn web() -> ProjectId {
    ProjectId::from_uuid(Uuid::from_u128(0x3eb))
}

/// Of acme, in the United States.
pub(crate) fn api() -> ProjectId {
    ProjectId::from_uuid(Uuid::from_u128(0xa91))
}

/// Of globex, in the European Union.
pub(crate) fn shop() -> ProjectId {
    ProjectId::from_uuid(Uuid::from_u128(0x5709))
}

pub(crate) fn frankfurt() -> Region {
    Region::find(Cloud::Aws, "eu-central-1").unwrap()
}

pub(crate) fn provision(project: ProjectId) -> Request {
    Request::Provision { project, arch: Arch::Arm64 }
}

pub(crate) fn new_project(id: ProjectId, org: OrgId, text: &str, residency: Residency) -> NewProject {
    NewProject {
        id,
        org,
        name: name(text),
        residency,
        cloud: Cloud::Aws,
        region: None,
        size: Size::S4x8,
        cache: CacheShape { size_gib: 50, iops: Some(3_000), throughput_mibps: None },
    }
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        Self::over(Database::sqlite().await).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::over(Database::postgres().await).await
    }

    async fn over(database: Database) -> Self {
        let (store, raw) = (database.store().await, database.raw().await);
        store.create_org(&name("acme"), acme(), NOW).await.unwrap();
        store.create_org(&name("globex"), globex(), NOW).await.unwrap();
        store.create_project(new_project(web(), acme(), "web", Residency::Eu), NOW).await.unwrap();
        store.create_project(new_project(api(), acme(), "api", Residency::Us), NOW).await.unwrap();
        store.create_project(new_project(shop(), globex(), "shop", Residency::Eu), NOW).await.unwrap();
        Self { database, store, raw }
    }

    /// An id as the database writes it in a statement.
    pub(crate) fn id(&self, id: Uuid) -> String {
        if self.database.is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.simple()) }
    }

    pub(crate) async fn session(&self, worker: &str) -> Session {
        match self.store.sign_on(&WorkerId::from(worker), None, NOW + 1_000_000, NOW).await.unwrap() {
            SignOn::Done { session, .. } => session,
            SignOn::Held { .. } => panic!("{worker} is taken"),
        }
    }

    pub(crate) async fn enqueue(&self, request: Request) -> JobId {
        self.store.enqueue(NewJob::now(request), NOW).await.unwrap().job
    }

    /// Enqueues that and claims it.
    pub(crate) async fn claim(&self, session: &Session, request: Request) -> Claimed {
        let job = self.enqueue(request).await;
        let claimed = self.store.claim(session, 10, NOW).await.unwrap();
        claimed.into_iter().find(|claimed| claimed.claim.job == job).unwrap()
    }

    pub(crate) async fn finish(&self, claim: &Claim, outcome: Outcome) {
        let facts = vec![Fact::Ended { outcome: outcome.clone() }];
        let finish = Finish { claim: claim.clone(), outcome, facts, drops: None };
        for result in self.store.finish(vec![finish], NOW + 5).await {
            result.unwrap();
        }
    }

    /// Records rows with a fact that means nothing.
    pub(crate) async fn put(&self, claim: &Claim, rows: &[ResourceRow]) -> Result<(), RecordError> {
        let changes: Vec<RowChange> = rows.iter().map(|row| RowChange::Put(Box::new(row.clone()))).collect();
        self.store.record(claim, vec![settled(rows[0].id)], &changes, NOW).await.map(drop)
    }

    /// The number of rows in a table, behind the store's back.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        self.raw.number(&format!("SELECT count(*) FROM {table}")).await
    }
}

pub(crate) fn settled(resource: ResourceId) -> Fact {
    Fact::Settled { resource }
}

pub(crate) fn resource(n: u128) -> ResourceId {
    ResourceId::from_uuid(Uuid::from_u128((0xf00d << 64) + n))
}

fn row(id: u128, kind: Kind, org: OrgId, project: Option<ProjectId>, blueprint: Blueprint) -> ResourceRow {
    ResourceRow {
        id: resource(id),
        kind,
        org,
        project,
        arch: project.map(|_| Arch::Arm64),
        region: blueprint.region(),
        zone: blueprint.zone(),
        remote: Some(RemoteId(format!("{kind}-{id}"))),
        state: RowState::Ready,
        incarnation: 0,
        blueprint,
        address: None,
        job: JobId(0),
        created_ms: 0,
        updated_ms: 0,
    }
}

pub(crate) fn key(id: u128, org: OrgId, region: Region, state: RowState) -> ResourceRow {
    ResourceRow { state, ..row(id, Kind::Key, org, None, Blueprint::Key { region }) }
}

fn placement(region: Region) -> Placement {
    Placement::check(region.residency(), region.zones().next().unwrap()).unwrap()
}

pub(crate) fn volume(id: u128, org: OrgId, project: ProjectId, region: Region) -> ResourceRow {
    let shape = VolumeShape { ssd: SsdKind::Gp3, size_gib: 50, iops: None, throughput_mibps: None };
    let blueprint = Blueprint::Volume { placement: placement(region), arch: Arch::Arm64, shape, key: resource(1) };
    row(id, Kind::Volume, org, Some(project), blueprint)
}

pub(crate) fn machine(id: u128, org: OrgId, project: ProjectId, region: Region) -> ResourceRow {
    let machine = machine_types(Cloud::Aws, Arch::Arm64, Size::S4x8).next().unwrap();
    let blueprint = Blueprint::Machine {
        placement: placement(region),
        machine,
        root_gib: 20,
        key: resource(1),
        cache: resource(2),
        births_cache: true,
    };
    row(id, Kind::Machine, org, Some(project), blueprint)
}

/// Shows the message when it is not the error that was expected.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> (String, String) {
    match result {
        Err(error @ StoreError::Refused { .. }) => {
            let StoreError::Refused { field, .. } = &error else { unreachable!() };
            (field.clone(), error.to_string())
        }
        other => panic!("not refused: {other:?}"),
    }
}
