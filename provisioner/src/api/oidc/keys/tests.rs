//! An issuer that changes its keys, goes away, and says what it should not.

use std::sync::{Mutex as Shared, PoisonError};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse as _, routing::get};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_700_000_000_000;

#[derive(Default)]
struct Published {
    discovery: Value,
    keys: Value,
    asked: u32,
    away: bool,
}

type Said = Arc<Shared<Published>>;

/// An issuer, and what it says.
async fn issuer() -> (Keys, Said) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/jwks") });
    let said: Said = Arc::new(Shared::new(Published { discovery, ..Published::default() }));
    let answer = |it: &Said, pick: fn(&Published) -> String| {
        let it = it.lock().unwrap_or_else(PoisonError::into_inner);
        if it.away { StatusCode::BAD_GATEWAY.into_response() } else { pick(&it).into_response() }
    };
    let router = Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(async move |State(it): State<Said>| {
                it.lock().unwrap().asked += 1;
                answer(&it, |it| it.discovery.to_string())
            }),
        )
        .route("/jwks", get(async move |State(it): State<Said>| answer(&it, |it| it.keys.to_string())))
        .route("/elsewhere", get(async || (StatusCode::FOUND, [("location", "/jwks")])))
        .with_state(Arc::clone(&said));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (Keys::new(url), said)
}

fn key(kid: &str) -> Value {
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": "A".repeat(342), "e": "AQAB" })
}

fn say(said: &Said, keys: &[Value]) {
    said.lock().unwrap().keys = json!({ "keys": keys });
}

fn asked(said: &Said) -> u32 {
    said.lock().unwrap().asked
}

#[test]
fn an_issuer_is_reached_by_tls_or_is_on_this_machine() {
    assert_eq!(origin("https://h.example/a/b").as_deref(), Some("https://h.example"));
    assert_eq!(origin("http://127.0.0.1:8/x").as_deref(), Some("http://127.0.0.1:8"));
    assert_eq!(origin("http://[::1]:8").as_deref(), Some("http://[::1]:8"));
    for bad in [
        "http://h.example",
        "http://127.0.0.1.evil.example",
        "ftp://localhost",
        "https://u:p@h.example",
        "https://h/?x",
        "x",
    ] {
        assert_eq!(origin(bad), None, "{bad}");
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_anew_for_a_new_name() {
    let (keys, said) = issuer().await;
    say(&said, &[key("a")]);
    for after_ms in [0, 1, FRESH_MS - 1] {
        assert!(keys.get("a", NOW + after_ms).await.is_ok());
    }
    assert_eq!(asked(&said), 1);
    say(&said, &[key("a"), key("b")]);
    assert!(keys.get("b", NOW + FRESH_MS - 1).await.is_ok(), "a key that is new is found at once");
    assert_eq!(asked(&said), 2);
}

#[tokio::test]
async fn unknown_names_do_not_have_the_issuer_asked_often() {
    let (keys, said) = issuer().await;
    say(&said, &[key("a")]);
    for n in 0..500 {
        let got = keys.get(&format!("guess {n}"), NOW + n * 100).await;
        assert!(matches!(got, Err(KeyError::Unknown)));
    }
    assert_eq!(asked(&said), 4, "50 seconds of guesses");
}

#[tokio::test]
async fn a_key_that_was_withdrawn_is_good_for_minutes_at_most() {
    let (keys, said) = issuer().await;
    say(&said, &[key("a"), key("b")]);
    assert!(keys.get("a", NOW).await.is_ok());
    say(&said, &[key("b")]);
    assert!(keys.get("a", NOW + FRESH_MS - 1).await.is_ok());
    assert!(matches!(keys.get("a", NOW + FRESH_MS).await, Err(KeyError::Unknown)));
    assert!(keys.get("b", NOW + FRESH_MS).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_is_away_is_missed_after_an_hour() {
    let (keys, said) = issuer().await;
    said.lock().unwrap().away = true;
    assert!(matches!(keys.get("a", NOW).await, Err(KeyError::Unavailable(_))));
    said.lock().unwrap().away = false;
    say(&said, &[key("a")]);
    assert!(matches!(keys.get("a", NOW + GAP_MS - 1).await, Err(KeyError::Unavailable(_))), "not asked again yet");
    assert!(keys.get("a", NOW + GAP_MS).await.is_ok());
    said.lock().unwrap().away = true;
    assert!(keys.get("a", NOW + GAP_MS + STALE_MS - 1).await.is_ok());
    assert!(matches!(keys.get("a", NOW + GAP_MS + STALE_MS).await, Err(KeyError::Unavailable(_))));
    // A clock that was set back does not make them young again.
    assert!(matches!(keys.get("a", NOW - STALE_MS).await, Err(KeyError::Unavailable(_))));
}

#[tokio::test]
async fn what_an_issuer_should_not_say_is_not_believed() {
    let with = |changes: Value| {
        let mut key = key("a");
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        json!({ "keys": [key] })
    };
    let sets = [
        json!({ "keys": [] }),
        json!({}),
        json!([]),
        with(json!({ "use": "enc" })),
        with(json!({ "alg": "RS384" })),
        with(json!({ "alg": "PS256" })),
        with(json!({ "kty": "oct", "k": "AAAA" })),
        with(json!({ "n": "A".repeat(171) })),
        with(json!({ "n": "A".repeat(2_000) })),
        with(json!({ "n": "not base64!".repeat(40) })),
        with(json!({ "kid": "" })),
        with(json!({ "kid": "x".repeat(300) })),
        json!({ "keys": (0..=MOST_KEYS).map(|n| key(&n.to_string())).collect::<Vec<_>>() }),
        json!({ "keys": [key("a")], "more": "x".repeat(MOST_BYTES) }),
    ];
    for set in sets {
        let (keys, said) = issuer().await;
        said.lock().unwrap().keys = set.clone();
        let got = keys.get("a", NOW).await;
        assert!(matches!(got, Err(KeyError::Unavailable(_))), "{}", &set.to_string()[..set.to_string().len().min(200)]);
    }
    for (name, value) in
        [("issuer", "https://other.example"), ("jwks_uri", "http://127.0.0.1:1/jwks"), ("jwks_uri", "/jwks")]
    {
        let (keys, said) = issuer().await;
        say(&said, &[key("a")]);
        said.lock().unwrap().discovery[name] = json!(value);
        assert!(matches!(keys.get("a", NOW).await, Err(KeyError::Unavailable(_))), "{name} {value}");
    }
    let (keys, said) = issuer().await;
    say(&said, &[key("a")]);
    let moved = said.lock().unwrap().discovery["jwks_uri"].as_str().unwrap().replace("/jwks", "/elsewhere");
    said.lock().unwrap().discovery["jwks_uri"] = json!(moved);
    assert!(matches!(keys.get("a", NOW).await, Err(KeyError::Unavailable(_))), "sent elsewhere");
}
