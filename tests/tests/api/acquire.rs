//! Many callers, one builder.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use providers::fake::FakeConfig;
use provisioner::{
    core::{JobState, Request, TokenScope},
    store::{Holder, JobFilter},
};
use regions::Arch;
use reqwest::Method;
use serde_json::Value;
use tests::database::Database;

use crate::stage::{Answer, Stage, Wall};
use provisioner::execute::Clock as _;

const PATH: &str = "/v1/projects/acme/web/builders/arm64/acquire";

/// Asks until it is told the endpoint.
async fn endpoint(stage: &Stage, secret: &provisioner::core::Secret) -> String {
    loop {
        let Answer { status, body, headers } = stage.send(Method::POST, PATH, secret, &Value::Null).await;
        match status {
            200 => return body["endpoint"].as_str().unwrap().to_owned(),
            202 => {
                assert!(body["job"].is_number() && headers.contains_key("retry-after"), "{body}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            _ => panic!("{status} {body}"),
        }
    }
}

async fn five_hundred(database: Database) {
    let stage = Arc::new(Stage::new(database, FakeConfig { boot_ms: 1_000, ..FakeConfig::instant() }).await);
    let secret = stage.token(Holder::Project(stage.acme, stage.web), TokenScope::Build).await;
    let worker = stage.worker("one", false);
    let calls = (0..500).map(|_| {
        let (stage, secret) = (Arc::clone(&stage), secret.clone());
        tokio::spawn(async move { endpoint(&stage, &secret).await })
    });
    let endpoints: BTreeSet<String> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(endpoints.len(), 1, "{endpoints:?}");
    let jobs = stage.store.jobs(JobFilter { limit: 100, ..JobFilter::default() }).await.unwrap();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert_eq!(stage.cloud.snapshot().machines.len(), 1);
    worker.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_callers_of_a_cold_builder_get_one_on_sqlite() {
    five_hundred(Database::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_callers_of_a_cold_builder_get_one_on_postgres() {
    five_hundred(Database::postgres().await).await;
}

/// Stopped, it is started; on its way out, it is made anew; called off before anybody began it, it is asked for again.
#[tokio::test]
async fn acquire_asks_for_what_is_missing() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Build).await;
    let acquire = async || stage.send(Method::POST, PATH, &secret, &Value::Null).await;
    let verb = async |answer: &Answer| {
        let job = provisioner::core::JobId(answer.body["job"].as_i64().unwrap());
        stage.store.job(job).await.unwrap().unwrap().request.verb()
    };
    let first = acquire().await;
    assert_eq!((first.status, verb(&first).await), (202, "provision"));
    // Called off before it was begun.
    stage.store.cancel(provisioner::core::JobId(first.body["job"].as_i64().unwrap()), Wall.now_ms()).await.unwrap();
    let second = acquire().await;
    assert_eq!((second.status, verb(&second).await), (202, "provision"));
    assert_ne!(second.body["job"], first.body["job"]);
    assert_eq!(acquire().await.body["job"], second.body["job"]);
    stage.worker("a", true).await.unwrap();
    assert_eq!(acquire().await.status, 200);
    stage.job(Request::Stop { project: stage.web, arch: Arch::Arm64 }).await;
    // While it is being switched off it is asked for behind that.
    let behind = acquire().await;
    assert_eq!((behind.status, verb(&behind).await), (202, "provision"));
    stage.worker("b", true).await.unwrap();
    assert_eq!(acquire().await.status, 200);
    stage.job(Request::Stop { project: stage.web, arch: Arch::Arm64 }).await;
    stage.worker("c", true).await.unwrap();
    let third = acquire().await;
    assert_eq!((third.status, verb(&third).await), (202, "start"));
    stage.worker("d", true).await.unwrap();
    assert_eq!(acquire().await.status, 200);
}

/// What has failed a moment ago is not tried at once again by whoever polls; the answer says which job, and what to do.
#[tokio::test]
async fn a_failed_builder_is_told_and_not_tried_all_the_time() {
    let ireland = regions::Region::find(regions::Cloud::Aws, "eu-west-1").unwrap();
    let config = FakeConfig { zones: ireland.zones().collect(), ..FakeConfig::instant() };
    let stage = Stage::new(Database::sqlite().await, config).await;
    for zone in ireland.zones() {
        stage.cloud.set_capacity(zone, None, Some(0));
    }
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Build).await;
    assert_eq!(stage.send(Method::POST, PATH, &secret, &Value::Null).await.status, 202);
    stage.worker("a", true).await.unwrap();
    for _ in 0..3 {
        let answer = stage.send(Method::POST, PATH, &secret, &Value::Null).await;
        assert_eq!(
            (answer.status, answer.body["type"].as_str()),
            (503, Some("urn:provisioner:problem:builder-failed"))
        );
        assert!(answer.body["job"].is_number() && answer.body["remedy"].is_string(), "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"));
    }
    let failed = JobFilter { state: Some(JobState::Failed), limit: 10, ..JobFilter::default() };
    assert_eq!(stage.store.jobs(failed).await.unwrap().len(), 1);
}
