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

/// Who holds all seats and says nothing, or begins as HTTP/2 begins and says no more, loses them.
#[tokio::test]
async fn silence_takes_nobodys_place() {
    let settings = Settings { max_connections: 8, head_secs: 1, ..Settings::default() };
    let stage = Stage::with(Database::sqlite().await, FakeConfig::instant(), settings).await;
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Read).await;
    let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for said in [&b""[..], &preface[..5], preface] {
        let mut silent = Vec::new();
        for _ in 0..8 {
            let mut stream = TcpStream::connect(stage.address).await.unwrap();
            stream.write_all(said).await.unwrap();
            silent.push(stream);
        }
        let asked = tokio::time::timeout(Duration::from_secs(30), stage.get("/v1/orgs", &secret)).await;
        assert_eq!(asked.expect("a seat").status, 200, "{said:?}");
        drop(silent);
    }
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

/// The numbers are at a port of their own; no tenant's name is among them, and none grows with what callers make up.
#[tokio::test]
async fn numbers_are_for_this_machine_alone() {
    let settings = Settings { metrics_listen: Some(([127, 0, 0, 1], 0).into()), ..Settings::default() };
    let stage = Stage::with(Database::sqlite().await, FakeConfig::instant(), settings).await;
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Read).await;
    stage.job(Request::Provision { project: stage.web, arch: Arch::X86_64 }).await;
    assert_eq!(stage.get("/v1/projects/acme/web", &secret).await.status, 200);
    for n in 0..20 {
        assert_eq!(stage.get(&format!("/v1/projects/acme/guess-{n}"), &secret).await.status, 404);
        let method = Method::from_bytes(format!("VERB{n}").as_bytes()).unwrap();
        stage.ask(method, &format!("/guess/{n}"), None).send().await.unwrap();
    }
    assert_eq!(stage.get("/metrics", &secret).await.status, 404, "not at the door");
    let url = format!("http://{}/metrics", stage.metrics.unwrap());
    let response = stage.client.get(&url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = response.text().await.unwrap();
    let route = "method=\"GET\",route=\"/v1/projects/{org}/{project}\"";
    let value = |line: &str| {
        let found = text.lines().find_map(|known| known.strip_prefix(line).map(str::trim).map(ToOwned::to_owned));
        found.unwrap_or_else(|| panic!("{line} is missing in\n{text}"))
    };
    assert_eq!(value(&format!("provisioner_request_duration_seconds_count{{{route},status=\"200\"}}")), "1");
    assert_eq!(
        value(&format!("provisioner_request_duration_seconds_bucket{{{route},status=\"404\",le=\"+Inf\"}}")),
        "20"
    );
    assert_eq!((value("provisioner_jobs_queued"), value("provisioner_jobs_running")), ("1".to_owned(), "0".to_owned()));
    assert_eq!(value("provisioner_workers"), "0");
    assert!(value("provisioner_connections_total").parse::<u32>().unwrap() >= 1);
    for made_up in ["acme", "guess", "VERB"] {
        assert!(!text.contains(made_up), "{made_up} in\n{text}");
    }
    // The form that Prometheus reads: a name, labels and a number, with a word on each name before it.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, number) = line.rsplit_once(' ').unwrap();
        assert!(number.parse::<f64>().is_ok() && name.starts_with("provisioner_"), "{line}");
        let bare = name.split('{').next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].iter().fold(bare, |name, end| name.strip_suffix(end).unwrap_or(name));
        assert!(text.contains(&format!("# TYPE {family} ")), "{line}");
    }
}
