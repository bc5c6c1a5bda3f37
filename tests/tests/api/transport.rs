//! The connections: slow ones, headers, events that go on where they were, and the end of the process.

use std::time::Duration;

use providers::fake::FakeConfig;
use provisioner::{
    api::Settings,
    core::{Request, TokenScope},
    store::Holder,
};
use regions::Arch;
use reqwest::Method;
use tests::database::Database;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::stage::Stage;

#[tokio::test]
async fn every_answer_has_the_headers_of_security() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let secret = stage.token(Holder::Operator, TokenScope::Read).await;
    for path in ["/v1/orgs", "/v1/orgs/none", "/healthz", "/nowhere", "/", "/openapi.json"] {
        let headers = stage.get(path, &secret).await.headers;
        for name in ["x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy"] {
            assert!(headers.contains_key(name), "{path} {name}");
        }
        assert_eq!(headers["cache-control"], "no-store", "{path}");
    }
}

/// A thousand connections that send their heads a byte at a time, and go on doing so: others are served, and the slow are cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_take_nobodys_place() {
    let settings =
        Settings { head_secs: 2, address_per_sec: 100_000, identity_per_sec: 100_000, ..Settings::default() };
    let stage = Stage::with(Database::sqlite().await, FakeConfig::instant(), settings).await;
    let secret = stage.token(Holder::Operator, TokenScope::Read).await;
    let mut slow = Vec::new();
    for _ in 0..1_000 {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(b"GET /v1/orgs HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        slow.push(stream);
    }
    for _ in 0..50 {
        assert_eq!(stage.get("/v1/orgs", &secret).await.status, 200);
    }
    // Each has sent something lately, and each is cut off all the same.
    for _ in 0..4 {
        for stream in &mut slow {
            let _ = stream.write_all(b"X-a: b\r\n").await;
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    for stream in &mut slow {
        let mut text = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut text)).await;
        assert!(ended.is_ok(), "a slow connection is still open");
    }
    assert_eq!(stage.get("/v1/orgs", &secret).await.status, 200);
}

/// Lines of a stream until so many events have come: their numbers.
async fn numbers(response: reqwest::Response, wanted: usize) -> Vec<i64> {
    let (mut response, mut text) = (response, String::new());
    loop {
        let ids: Vec<i64> =
            text.lines().filter_map(|line| line.strip_prefix("id: ").and_then(|id| id.parse().ok())).collect();
        if ids.len() >= wanted {
            return ids;
        }
        let chunk = tokio::time::timeout(Duration::from_secs(30), response.chunk()).await.expect("events in time");
        text.push_str(&String::from_utf8_lossy(&chunk.unwrap().expect("the stream goes on")));
    }
}

#[tokio::test]
async fn events_go_on_where_a_client_was() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Read).await;
    let follow = |last: Option<i64>| {
        let request = stage.ask(Method::GET, "/v1/projects/acme/web/events", Some(&secret));
        match last {
            Some(last) => request.header("Last-Event-ID", last.to_string()),
            None => request,
        }
    };
    let live = follow(None).send().await.unwrap();
    stage.job(Request::Provision { project: stage.shop, arch: Arch::X86_64 }).await;
    stage.builder().await;
    let all = numbers(follow(Some(0)).send().await.unwrap(), 3).await;
    assert_eq!(numbers(live, 3).await[..3], all[..3], "what began now is what has happened since");
    let rest = numbers(follow(Some(all[0])).send().await.unwrap(), 2).await;
    assert_eq!(rest[..2], all[1..3]);
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
    let wrong = crate::stage::answer(follow(None).header("Last-Event-ID", "x")).await;
    assert_eq!((wrong.status, wrong.body["field"].as_str()), (422, Some("Last-Event-ID")));
}
