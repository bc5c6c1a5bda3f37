//! `healthcheck`: asks the `serve` of this machine how it is, for a container whose image has no curl.
//!
//! It sends no token, and asks nobody but this machine: the certificate, which is made for the name that the world knows, is not
//! judged by it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use reqwest::Url;
use serde_json::json;

use super::{Failure, args::HealthcheckArgs, screen::Screen};
use crate::{api::Settings, config::Config};

/// Longer than a healthy process takes, and shorter than whoever asks will wait.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn healthcheck(config: &Config, args: HealthcheckArgs, screen: Screen) -> Result<(), Failure> {
    let base = match args.url {
        Some(url) => here(&url)?,
        None => address(&config.api),
    };
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let url: Url = format!("{base}{path}").parse().map_err(|_| wrong(&base))?;
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_danger_accept_invalid_certs(true)
        .build()
        .map_err(|error| Failure::failed(format!("no client can be made: {error}")))?;
    let told = |error: reqwest::Error| Failure::failed(format!("{url} does not answer: {error}"));
    let status = client.get(url.clone()).send().await.map_err(told)?.status();
    if !status.is_success() {
        return Err(Failure::failed(format!("{url} answers {status}")));
    }
    if screen.is_json() {
        return screen.json(&json!({ "url": url.as_str(), "status": status.as_u16() }));
    }
    screen.line(&format!("{url} answers {status}"))
}

/// Where the configuration has it listen, as this machine reaches it.
fn address(api: &Settings) -> String {
    let ip = match api.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    let scheme = if api.tls_certificate.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", SocketAddr::new(ip, api.listen.port()))
}

/// The URL's beginning, if it is one of this machine.
fn here(text: &str) -> Result<String, Failure> {
    let url: Url = text.parse().map_err(|_| wrong(text))?;
    let host = url.host_str().unwrap_or_default();
    let is_here =
        host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let is_bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && is_here && is_bare {
        return Ok(url.as_str().trim_end_matches('/').to_owned());
    }
    Err(wrong(text))
}

fn wrong(text: &str) -> Failure {
    Failure::usage(format!("`{text}` is no URL of this machine"))
        .remedy("use http://127.0.0.1:PORT or https://127.0.0.1:PORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_where_serve_listens_and_nobody_else() {
        let mut api = Settings { listen: "0.0.0.0:8443".parse().unwrap(), ..Settings::default() };
        assert_eq!(address(&api), "http://127.0.0.1:8443");
        api.tls_certificate = Some("cert.pem".into());
        assert_eq!(address(&api), "https://127.0.0.1:8443");
        api.listen = "[::]:1".parse().unwrap();
        assert_eq!(address(&api), "https://[::1]:1");
        api.listen = "10.1.2.3:1".parse().unwrap();
        assert_eq!(address(&api), "https://10.1.2.3:1");
        assert_eq!(here("https://[::1]:8443/").unwrap(), "https://[::1]:8443");
        assert_eq!(here("http://localhost:1").unwrap(), "http://localhost:1");
        for bad in
            ["https://builders.example", "http://10.1.2.3", "ftp://127.0.0.1", "127.0.0.1:8443", "http://[::1]/x", ""]
        {
            assert_eq!(here(bad).unwrap_err().status, 2, "{bad}");
        }
    }
}
