//! An emulator of tests/clouds for a test process: started once, ended with the process; and its control API.

#![allow(unreachable_pub, dead_code, reason = "each test binary takes what it needs")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The address of the emulator that `scripts/SCRIPT` starts and tells as `VARIABLE=...`, or of the one that the environment
/// names so.
pub fn endpoint(script: &str, variable: &str) -> String {
    if let Ok(url) = std::env::var(variable) {
        return url;
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts").join(script);
    let child = Command::new(&script)
        .args(["--settle", "0.3", "--parent-watch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let prefix = format!("{variable}=");
    let url =
        lines.by_ref().map_while(Result::ok).find_map(|line| line.trim().strip_prefix(&prefix).map(ToOwned::to_owned));
    // Its pipes stay open for as long as this process lives: closing one would end it early.
    std::thread::spawn(move || {
        let _stdin = child.stdin.take();
        lines.for_each(drop);
        child.wait()
    });
    url.expect("the emulator prints its address")
}

/// The emulator's control API.
pub struct Control(pub String);

impl Control {
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.send(method, &format!("/_emulator/{path}"), body).await
    }

    /// Any request to the emulator, with a token that it takes for credentials.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let host = self.0.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = tokio::net::TcpStream::connect(host).await.expect("the emulator answers");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer test\r\n");
        let request = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("received");
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.0 200"), "{path}: {answer}");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }
}
