//! One conversation with an API: what is asked, again if it passes, and what its problems mean for whoever typed the command.

use std::{fs, net::IpAddr, path::Path, time::Duration};

use http::{Method, StatusCode, header};
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{cli::Failure, core::Secret};

/// How often something is asked that may pass.
const TRIES: u32 = 5;
/// The longest pause between two tries.
const LONGEST_SECS: u64 = 30;
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// The variable that has the token.
const TOKEN: &str = "PROVISIONER_TOKEN";

pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: Secret,
}

/// The API's problems, as far as a command tells of them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
    field: Option<String>,
    remedy: Option<String>,
}

impl Client {
    pub(super) fn new(url: &str, ca: Option<&Path>) -> Result<Self, Failure> {
        let base = base(url)?;
        let text = std::env::var(TOKEN).map_err(|_| {
            Failure::usage(format!("--api needs a token, and {TOKEN} is not set"))
                .remedy("an owner makes one with POST /v1/orgs/ORG/tokens, an operator with `provisioner token create`")
        })?;
        let token = text.trim().parse().map_err(|error| Failure::usage(format!("{TOKEN}: {error}")))?;
        let mut builder = reqwest::Client::builder()
            .timeout(PATIENCE)
            // The token goes to the place that was named, and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("provisioner/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = ca {
            let wrong = |why: String| {
                Failure::usage(format!("--api-ca {}: {why}", file.display()))
                    .remedy("name a file of certificates in PEM")
            };
            let pem = fs::read(file).map_err(|error| wrong(error.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|error| Failure::failed(format!("no client can be made: {error}")))?;
        Ok(Self { http, base, token })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, None).await
    }

    /// As [`Client::ask`], of what may be asked for twice, with something to say.
    pub(super) async fn tell<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Result<T, Failure> {
        self.converse(method, path, key, Some(body)).await
    }

    /// Asks until there is an answer that will not pass. What changes something goes under a key, so that twice is once.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
    ) -> Result<T, Failure> {
        self.converse(method, path, key, None).await
    }

    async fn converse<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let is_safe = method == Method::GET || method == Method::PUT || key.is_some();
        let mut tries = 1;
        loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
            request = request.bearer_auth(self.token.reveal());
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await;
            if tries >= TRIES || !is_safe {
                return self.read(answer).await;
            }
            let pause = match &answer {
                // A certificate or a name that is wrong does not mend itself.
                Err(error) if error.is_timeout() || (error.is_connect() && is_refused(error)) => {
                    Some(Duration::from_millis(200 << tries))
                }
                Err(_) => None,
                Ok(answer) if passes(answer.status()) => {
                    let said = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let secs = said.and_then(|text| text.parse().ok()).unwrap_or(1_u64);
                    (secs <= LONGEST_SECS).then_some(Duration::from_secs(secs))
                }
                Ok(_) => None,
            };
            let Some(pause) = pause else { return self.read(answer).await };
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }

    async fn read<T: DeserializeOwned>(&self, answer: reqwest::Result<reqwest::Response>) -> Result<T, Failure> {
        let lost = |error: reqwest::Error| {
            Failure::failed(format!("{} can't be reached: {}", self.base, causes(&error)))
                .remedy("check that it runs, the URL, and the certificate (--api-ca for one of your own)")
        };
        let answer = answer.map_err(lost)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(lost)?;
        if status.is_success() {
            // 204 has nothing to say.
            let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
            return serde_json::from_slice(text).map_err(|error| {
                Failure::failed(format!("{} answers in another way than this program knows: {error}", self.base))
                    .remedy("use programs of the same release on both sides")
            });
        }
        Err(refused(status, &serde_json::from_slice(&bytes).unwrap_or_default()))
    }
}

fn refused(status: StatusCode, problem: &Problem) -> Failure {
    let field = problem.field.as_ref().map_or_else(String::new, |field| format!("{field}: "));
    let mut failure = if problem.detail.is_empty() {
        Failure::failed(format!("the API answers {status}")).remedy("check the URL: something else may answer there")
    } else {
        Failure::failed(format!("{field}{}", problem.detail))
    };
    if status == StatusCode::UNAUTHORIZED {
        failure.remedies.push(format!("set {TOKEN} to a token that is good"));
    } else {
        failure.remedies.extend(problem.remedy.clone());
    }
    failure
}

fn passes(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY)
}

/// The whole chain: the first of them says only that something went wrong.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Whether nobody listened: a service that is being started again.
fn is_refused(error: &reqwest::Error) -> bool {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return matches!(io.kind(), std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::ConnectionReset);
        }
        next = cause.source();
    }
    false
}

/// An https URL, or http on this machine: anybody on the way could read the token.
fn base(url: &str) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::usage(format!("--api {url}: {why}")).remedy("use https://HOST[:PORT]");
    let parsed: Url = url.parse().map_err(|_| wrong("that is no URL"))?;
    let host = parsed.host_str().unwrap_or_default();
    let is_here =
        host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match parsed.scheme() {
        "https" => {}
        "http" if is_here => {}
        "http" => return Err(wrong("without TLS everybody on the way can read the token")),
        _ => return Err(wrong("it is neither https nor http")),
    }
    if parsed.query().is_some() || parsed.fragment().is_some() || !parsed.username().is_empty() {
        return Err(wrong("a URL with a query, a fragment or a user is none of an API"));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// A value as the API sent it, for programs.
pub(super) type Sent = Value;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_tls_or_stays_on_this_machine() {
        assert_eq!(base("https://h.example:8443/").unwrap(), "https://h.example:8443");
        assert_eq!(base("http://127.0.0.1:8443").unwrap(), "http://127.0.0.1:8443");
        assert_eq!(base("http://[::1]:1").unwrap(), "http://[::1]:1");
        for bad in
            ["http://h.example", "http://127.0.0.1.evil.example", "ftp://localhost", "h.example", "", "https://u@h/?x"]
        {
            assert_eq!(base(bad).unwrap_err().status, 2, "{bad}");
        }
    }
}
