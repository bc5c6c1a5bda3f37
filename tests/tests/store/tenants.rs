//! Organizations and projects.

use provisioner::{
    core::{OrgId, ProjectId, Request, scene::CacheShape},
    store::{NewJob, NewProject, ResourceFilter, StoreError},
};
use regions::{Cloud, Region, Residency};
use uuid::Uuid;

use crate::fixture::{Fixture, NOW, acme, api, frankfurt, globex, name, new_project, provision, refused, shop, web};

on_both!(
    names_are_unique_where_they_should_be,
    what_is_made_is_read_back,
    unknown_names_are_told,
    a_region_lies_in_cloud_and_residency,
    nothing_is_added_to_what_is_being_deleted,
    a_scene_has_all_that_a_plan_needs,
);

fn id(n: u128) -> ProjectId {
    ProjectId::from_uuid(Uuid::from_u128(n))
}

async fn names_are_unique_where_they_should_be(fixture: Fixture) {
    let org = OrgId::from_uuid(Uuid::from_u128(77));
    let error = fixture.store.create_org(&name("acme"), org, NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }) && error.to_string().contains("`acme`"), "{error}");
    let second = new_project(id(78), acme(), "web", Residency::Us);
    let error = fixture.store.create_project(second, NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }) && error.to_string().contains("`acme/web`"), "{error}");
    fixture.store.create_project(new_project(id(79), globex(), "web", Residency::Us), NOW).await.unwrap();
}

async fn what_is_made_is_read_back(fixture: Fixture) {
    let new = NewProject {
        region: Some(frankfurt()),
        cache: CacheShape { size_gib: 7, iops: None, throughput_mibps: Some(250) },
        ..new_project(id(80), acme(), "zulu", Residency::Eu)
    };
    let made = fixture.store.create_project(new, NOW + 3).await.unwrap();
    let (org, read) = fixture.store.project(&name("acme"), &name("zulu")).await.unwrap();
    assert_eq!((org.id, &read), (acme(), &made));
    assert_eq!((read.region, read.created_ms, read.cache.throughput_mibps), (Some(frankfurt()), NOW + 3, Some(250)));
    assert_eq!(org, fixture.store.org(&name("acme")).await.unwrap());
    let all = fixture.store.projects(None).await.unwrap();
    let names: Vec<String> = all.iter().map(|(org, project)| format!("{}/{}", org.name, project.name)).collect();
    assert_eq!(names, ["acme/api", "acme/web", "acme/zulu", "globex/shop"]);
    let of_globex = fixture.store.projects(Some(globex())).await.unwrap();
    assert_eq!(of_globex.iter().map(|(_, project)| project.id).collect::<Vec<_>>(), [shop()]);
}

async fn unknown_names_are_told(fixture: Fixture) {
    let error = fixture.store.org(&name("nobody")).await.unwrap_err();
    assert!(error.to_string().contains("organization `nobody`") && error.to_string().contains("org create"), "{error}");
    let error = fixture.store.project(&name("nobody"), &name("web")).await.unwrap_err();
    assert!(error.to_string().contains("organization `nobody`"), "{error}");
    let error = fixture.store.project(&name("acme"), &name("none")).await.unwrap_err();
    assert!(error.to_string().contains("project `acme/none`"), "{error}");
    let nobody = new_project(id(81), OrgId::from_uuid(Uuid::from_u128(9)), "web", Residency::Us);
    let error = fixture.store.create_project(nobody, NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
}

async fn a_region_lies_in_cloud_and_residency(fixture: Fixture) {
    let outside = NewProject { region: Some(frankfurt()), ..new_project(id(82), acme(), "one", Residency::Us) };
    let (field, text) = refused(fixture.store.create_project(outside, NOW).await);
    assert!(field == "region" && text.contains("aws/eu-central-1") && text.contains("us-east-1"), "{text}");
    let elsewhere = Region::find(Cloud::Gcp, "europe-west3").unwrap();
    let elsewhere = NewProject { region: Some(elsewhere), ..new_project(id(83), acme(), "two", Residency::Eu) };
    let (field, text) = refused(fixture.store.create_project(elsewhere, NOW).await);
    assert!(field == "region" && text.contains("not a region of aws"), "{text}");
}

async fn nothing_is_added_to_what_is_being_deleted(fixture: Fixture) {
    fixture.store.enqueue(NewJob::now(Request::DeleteOrg { org: acme() }), NOW).await.unwrap();
    let late = new_project(id(84), acme(), "late", Residency::Us);
    let (field, text) = refused(fixture.store.create_project(late, NOW).await);
    assert!(field.contains("acme") && text.contains("being deleted"), "{text}");
    assert!(fixture.store.org(&name("acme")).await.unwrap().deleting);
    assert!(fixture.store.projects(Some(acme())).await.unwrap().iter().all(|(_, project)| project.deleting));
    fixture.store.enqueue(NewJob::now(provision(web())), NOW).await.unwrap_err();
}

async fn a_scene_has_all_that_a_plan_needs(fixture: Fixture) {
    use crate::fixture::{key, machine, volume};
    use provisioner::core::RowState;
    let session = fixture.session("w").await;
    let virginia = Region::find(Cloud::Aws, "us-east-1").unwrap();
    for (project, org, region, n) in
        [(web(), acme(), frankfurt(), 10), (api(), acme(), virginia, 20), (shop(), globex(), frankfurt(), 30)]
    {
        let claim = fixture.claim(&session, provision(project)).await.claim;
        let rows = [
            key(n + 1, org, region, RowState::Ready),
            volume(n + 2, org, project, region),
            machine(n + 3, org, project, region),
        ];
        fixture.put(&claim, &rows).await.unwrap();
    }
    let before = fixture.store.statements();
    let scene = fixture.store.scene(&provision(web())).await.unwrap().unwrap();
    assert_eq!(fixture.store.statements() - before, 2);
    assert_eq!((scene.org.id, scene.projects.len(), scene.projects[0].id), (acme(), 1, web()));
    let mut kinds: Vec<String> = scene.resources.iter().map(|row| format!("{} {}", row.kind, row.region)).collect();
    kinds.sort_unstable();
    let expected = ["key aws/eu-central-1", "key aws/us-east-1", "machine aws/eu-central-1", "volume aws/eu-central-1"];
    assert_eq!(kinds, expected, "the project's, and all keys of its organization");

    let before = fixture.store.statements();
    let scene = fixture.store.scene(&Request::DeleteOrg { org: acme() }).await.unwrap().unwrap();
    assert_eq!(fixture.store.statements() - before, 3);
    assert_eq!((scene.projects.len(), scene.resources.len()), (2, 6));
    assert!(scene.resources.iter().all(|row| row.org == acme()));
    assert_eq!(fixture.store.scene(&provision(id(999))).await.unwrap(), None);
    let nobody = Request::DeleteOrg { org: OrgId::from_uuid(Uuid::from_u128(9)) };
    assert_eq!(fixture.store.scene(&nobody).await.unwrap(), None);

    let filter = ResourceFilter { kind: Some(providers::Kind::Key), ..ResourceFilter::default() };
    assert_eq!(fixture.store.resources(filter).await.unwrap().len(), 3);
    let filter = ResourceFilter { project: Some(shop()), ..ResourceFilter::default() };
    assert_eq!(fixture.store.resources(filter).await.unwrap().len(), 2);
}

/// A deletion that is being accepted when a project is made comes first.
#[tokio::test]
async fn a_deletion_in_the_middle_is_seen() {
    let fixture = Fixture::postgres().await;
    fixture.raw.run("BEGIN; UPDATE orgs SET deleting = true").await.unwrap();
    let store = fixture.store.clone();
    let late = new_project(id(90), acme(), "late", Residency::Us);
    let making = tokio::spawn(async move { store.create_project(late, NOW).await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!making.is_finished(), "it waits for the deletion");
    fixture.raw.run("COMMIT").await.unwrap();
    refused(making.await.unwrap());
}
