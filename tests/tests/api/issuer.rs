//! An issuer of workflows' tokens, on this machine: its keys are whatever the test says, and it signs whatever it is given.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use axum::{Json, Router, extract::State, routing::get};
use jsonwebtoken::{Algorithm, DecodingKey, jwk::Jwk};
use rcgen::{KeyPair, PKCS_RSA_SHA256, SigningKey as _};
use serde_json::{Value, json};

/// A pair of keys with a name.
pub struct Pair {
    pub kid: String,
    pub keys: KeyPair,
}

impl Pair {
    pub fn new(kid: &str) -> Self {
        Self { kid: kid.to_owned(), keys: KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap() }
    }

    /// As the issuer publishes it.
    pub fn public(&self) -> Value {
        let key = DecodingKey::from_rsa_der(self.keys.public_key_raw());
        let mut key = serde_json::to_value(Jwk::from_decoding_key(&key, Some(Algorithm::RS256)).unwrap()).unwrap();
        key["kid"] = json!(self.kid);
        key["use"] = json!("sig");
        key
    }

    /// What stands before the last dot, signed as RS256 is.
    pub fn signed(&self, header: &Value, claims: &str) -> String {
        let message = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.as_bytes()));
        let signature = self.keys.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", base64url(&signature))
    }

    /// A token as the issuer makes them.
    pub fn token(&self, claims: &Value) -> String {
        self.signed(&json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid }), &claims.to_string())
    }
}

pub fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(DIGITS[(number >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

/// The issuer.
pub struct Issuer {
    pub url: String,
    published: Arc<Published>,
}

struct Published {
    url: String,
    keys: Mutex<Vec<Value>>,
    asked: AtomicU32,
}

impl Issuer {
    pub async fn start(keys: Vec<Value>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let published = Arc::new(Published { url: url.clone(), keys: Mutex::new(keys), asked: AtomicU32::new(0) });
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async |State(it): State<Arc<Published>>| {
                    Json(json!({ "issuer": it.url, "jwks_uri": format!("{}/.well-known/jwks", it.url) }))
                }),
            )
            .route(
                "/.well-known/jwks",
                get(async |State(it): State<Arc<Published>>| {
                    it.asked.fetch_add(1, Ordering::SeqCst);
                    Json(json!({ "keys": *it.keys.lock().unwrap() }))
                }),
            )
            .with_state(Arc::clone(&published));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, published }
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> u32 {
        self.published.asked.load(Ordering::SeqCst)
    }
}
