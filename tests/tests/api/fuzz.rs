//! What meets the network, with anything in it: every answer is one that the description has, and none is a mistake of ours.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use providers::fake::FakeConfig;
use provisioner::{
    core::{Claims, JobId, Name, RefPattern, Repository, Secret, TokenScope},
    store::Holder,
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::database::Database;

use crate::stage::{Answer, Stage, answer};

/// An operation as the description has it.
#[derive(Clone, Debug)]
struct Operation {
    method: Method,
    path: String,
    statuses: BTreeSet<u16>,
    body: Option<Value>,
    query: Vec<String>,
}

/// All of them but the endless one.
fn operations(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            if path.ends_with("/events") {
                continue;
            }
            let statuses = operation["responses"].as_object().unwrap().keys().map(|key| key.parse().unwrap());
            let schema = operation.pointer("/requestBody/content/application~1json/schema/$ref");
            let schema = schema.map(|reference| document.pointer(&reference.as_str().unwrap()[1..]).unwrap().clone());
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let query = parameters.iter().filter(|one| one["in"] == "query");
            all.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                statuses: statuses.collect(),
                body: schema,
                query: query.map(|one| one["name"].as_str().unwrap().to_owned()).collect(),
            });
        }
    }
    all
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["acme", "web", "eu", "aws", "arm64", "build", "member", "octo-org/octo-repo"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{0,12}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
}

/// A part of a path: what there is, what there could be, and anything.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["acme", "web", "globex", "arm64", "x86_64", "1", "guest"]).prop_map(str::to_owned),
        2 => "[a-z0-9-]{1,45}",
        1 => any::<i64>().prop_map(|number| number.to_string()),
        // Any text and any bytes at all, in the letters of a URL.
        2 => "\\PC{1,20}".prop_map(|text| escaped(text.as_bytes())),
        1 => prop::collection::vec(any::<u8>(), 1..24).prop_map(|bytes| escaped(&bytes)),
    ]
}

/// Bytes that a header may have.
fn header() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..=0xff], 0..80)
}

#[derive(Clone, Debug)]
struct Asked {
    operation: prop::sample::Index,
    parts: Vec<String>,
    query: Vec<Option<String>>,
    fields: BTreeMap<usize, Value>,
    whole: Option<Value>,
    bare: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    authorization: Option<Vec<u8>>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let value = prop_oneof![
        any::<String>(),
        "[ja][0-9]{0,22}",
        any::<i64>().prop_map(|number| number.to_string()),
        "(queued|stuck)"
    ];
    (
        any::<prop::sample::Index>(),
        prop::collection::vec(part(), 3),
        prop::collection::vec(prop::option::of(value), 3),
        prop::collection::btree_map(0_usize..10, json_value(), 0..3),
        prop::option::weighted(0.2, json_value()),
        prop::option::weighted(0.1, prop::collection::vec(any::<u8>(), 0..400)),
        prop::option::weighted(0.3, header()),
        prop::option::weighted(0.1, header()),
    )
        .prop_map(|(operation, parts, query, fields, whole, bare, key, authorization)| Asked {
            operation,
            parts,
            query,
            fields,
            whole,
            bare,
            key,
            authorization,
        })
}

/// A body that is nearly right: each field as its example or anything, some of them not there.
fn nearly(schema: &Value, asked: &Asked) -> Value {
    let mut body = json!({});
    let examples = json!({
        "name": "fresh", "residency": "eu", "cache_gib": 10, "size": "4x8", "cloud": "aws", "role": "member", "scope": "build",
        "expires_in_secs": 60, "kind": "provision", "arch": "arm64", "repository": "o/r", "repository_id": 1, "owner_id": 2,
        "projects": ["web"], "refs": "refs/heads/*", "environment": "e", "token": "a.b.c", "org": "acme",
    });
    for (at, name) in schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name).enumerate() {
        match asked.fields.get(&at) {
            Some(value) => body[name] = value.clone(),
            None if !examples[name].is_null() => body[name] = examples[name].clone(),
            None => {}
        }
    }
    body
}

async fn send(stage: &Stage, secret: &Secret, operation: &Operation, asked: &Asked) -> Answer {
    let mut path = operation.path.clone();
    // Whole tenants stay, so that there is something to ask about to the end.
    let ends = operation.method == Method::DELETE && (path.ends_with("{org}") || path.ends_with("{project}"));
    for part in &asked.parts {
        let part = if ends && part == "acme" { "none" } else { part };
        if let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, part);
        }
    }
    let mut request = stage.ask(operation.method.clone(), &path, None);
    let values = operation.query.iter().zip(&asked.query).filter_map(|(name, value)| Some((name, value.as_ref()?)));
    // A long poll is another test's.
    let pairs: Vec<(&String, &String)> = values.filter(|(name, _)| *name != "wait_secs").collect();
    if !pairs.is_empty() {
        let text = pairs.iter().map(|(name, value)| {
            let value = escaped(value.as_bytes());
            format!("{name}={value}")
        });
        let joined = text.collect::<Vec<_>>().join("&");
        request = stage.ask(operation.method.clone(), &format!("{path}?{joined}"), None);
    }
    if let Some(key) = asked.key.as_ref().and_then(|key| reqwest::header::HeaderValue::from_bytes(key).ok()) {
        request = request.header("Idempotency-Key", key);
    }
    request = match asked.authorization.as_ref().and_then(|it| reqwest::header::HeaderValue::from_bytes(it).ok()) {
        Some(value) => request.header("Authorization", value),
        None => request.bearer_auth(secret.reveal()),
    };
    if let Some(schema) = &operation.body {
        request = match (&asked.bare, &asked.whole) {
            (Some(bytes), _) => request.header("Content-Type", "application/json").body(bytes.clone()),
            (None, Some(value)) => request.json(value),
            (None, None) => request.json(&nearly(schema, asked)),
        };
    }
    answer(request).await
}

/// Anything in any place of any operation. PROPTEST_CASES asks for more.
#[test]
fn whatever_is_sent_the_answer_is_described() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (stage, secret, operations) = runtime.block_on(async {
        let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
        stage.builder().await;
        let secret = stage.token(Holder::Operator, TokenScope::Manage).await;
        let document = stage.get("/openapi.json", &secret).await.body;
        let operations = operations(&document);
        (stage, secret, operations)
    });
    assert!(operations.len() > 30, "{}", operations.len());
    let mut met = BTreeMap::<u16, u32>::new();
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let seen = std::cell::RefCell::new(&mut met);
    runner
        .run(&asked(), |asked| {
            let operation = asked.operation.get(&operations);
            let said = runtime.block_on(send(&stage, &secret, operation, &asked));
            *seen.borrow_mut().entry(said.status).or_default() += 1;
            // Another path: an empty part, a dot, a slash within.
            let described = operation.statuses.contains(&said.status) || matches!(said.status, 404 | 405);
            prop_assert!(described && said.status != 500, "{} {}: {said:?}", operation.method, operation.path);
            if said.status >= 400 {
                let kind = said.headers["content-type"].to_str().unwrap();
                prop_assert_eq!(kind, "application/problem+json", "{:?}", said);
                prop_assert_eq!(said.body["status"].as_u64(), Some(u64::from(said.status)));
                prop_assert!(
                    said.body["type"].as_str().is_some_and(|kind| kind.starts_with("urn:provisioner:problem:"))
                );
            }
            Ok(())
        })
        .unwrap();
    println!("{cases} cases over {} operations; answers by status: {met:?}", operations.len());
    assert!(met.keys().any(|status| *status < 300) && met.contains_key(&422) && met.contains_key(&401), "{met:?}");
    runtime.block_on(async { assert_eq!(stage.store.check_audit().await.unwrap().flaw, None) });
}

proptest! {
    #![proptest_config(Config { cases: 4_000, failure_persistence: None, ..Config::default() })]

    /// What is read is what was written, and what is not is refused without a panic.
    #[test]
    fn texts_are_kept_or_refused_whole(text in prop_oneof![any::<String>(), "[a-z0-9-]{1,45}", "[A-Za-z0-9._/-]{1,60}", "refs/heads/[ -~]{1,40}", "prv[ogpuw]_[0-9A-Za-z]{40,60}"]) {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(name.as_str(), &text);
        }
        if let Ok(repository) = text.parse::<Repository>() {
            let (owner, name) = repository.parts();
            prop_assert_eq!(format!("{owner}/{name}"), text.clone());
        }
        if let Ok(pattern) = text.parse::<RefPattern>() {
            prop_assert_eq!(pattern.as_str(), &text);
            if !text.contains('*') {
                prop_assert!(pattern.matches(&text));
            }
        }
        if let Ok(secret) = text.parse::<Secret>() {
            prop_assert_eq!(secret.reveal(), &text);
        }
        if let Ok(id) = text.parse::<JobId>() {
            prop_assert_eq!(id.to_string().parse::<JobId>(), Ok(id));
        }
    }

    /// A random word of the form of a token passes the checksum once in four thousand million.
    #[test]
    fn random_words_are_no_tokens(text in "prv[ogpuw]_[0-9A-Za-z]{49}") {
        prop_assert!(text.parse::<Secret>().is_err());
    }

    /// Claims of any shape are read or refused, and no trust is found in what contradicts itself.
    #[test]
    fn claims_of_any_shape_are_read_or_refused(value in json_value(), fields in prop::collection::vec(json_value(), 8)) {
        let _ = serde_json::from_value::<Claims>(value);
        let names = ["sub", "repository", "repository_owner", "repository_id", "repository_owner_id", "ref", "environment", "run_id"];
        let claims: serde_json::Map<String, Value> = names.iter().map(ToString::to_string).zip(fields).collect();
        if let Ok(claims) = serde_json::from_value::<Claims>(Value::Object(claims)) {
            prop_assert!(claims.run().chars().count() < 400 && !claims.run().chars().any(char::is_control));
            let agree = claims.repository.split('/').next() == Some(claims.repository_owner.as_str());
            prop_assert!(agree || claims.consistent().is_err());
        }
    }
}
