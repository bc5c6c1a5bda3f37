//! The demonstration keeps what it promises: a fleet stands, a refusal and a crash were on the way, and nothing leaked.

use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn the_demonstration_proves_that_nothing_leaked() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    let output = command.args(["demo", "--output", "json"]).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    for part in ["alpha crashes", "taken over by beta", "InsufficientInstanceCapacity", "running again"] {
        assert!(told.contains(part), "`{part}` is missing in:\n{told}");
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let builders = report["builders"].as_array().unwrap();
    assert_eq!(builders.len(), 12);
    assert_eq!(builders.iter().filter(|builder| builder["state"] == "running").count(), 11);
    for arch in ["x86_64", "arm64"] {
        for residency in ["us", "eu"] {
            assert!(builders.iter().any(|builder| builder["arch"] == arch && builder["residency"] == residency));
        }
    }
    let proof = &report["proof"];
    assert_eq!(proof["faults"], serde_json::json!([]));
    assert_eq!((&proof["in_cloud"], &proof["matched"]), (&proof["in_database"], &proof["in_database"]));
    assert_eq!((&proof["encrypted"], &proof["in_residency"]), (&proof["things"], &proof["things"]));
    assert!(report["elapsed_ms"].as_i64().unwrap() < 60_000);
}

/// The last two lines are commands: they are run by a shell as they stand, after the demonstration has ended.
#[test]
fn the_last_lines_are_two_commands_that_work() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    let output = command.args(["demo", "--serve"]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    let [.., hint, acquire, list] = lines.as_slice() else { panic!("{told}") };
    let pid = hint.split("kill ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    let pasted = |line: &str| {
        let output = Command::new("sh").args(["-c", line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let ready = pasted(acquire);
    assert_eq!(ready["state"], "ready");
    let builders = pasted(list);
    assert_eq!(builders["items"].as_array().unwrap().len(), 2);
    assert!(builders["items"].as_array().unwrap().iter().any(|builder| builder["endpoint"] == ready["endpoint"]));
    // It ends when it is told to, and takes its directory with it.
    let directory = acquire.split("--cacert ").nth(1).and_then(|rest| rest.split("/cert.pem").next()).unwrap();
    assert!(std::path::Path::new(directory).exists());
    assert!(Command::new("kill").arg(pid).status().unwrap().success());
    let gone = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        !std::path::Path::new(directory).exists()
    });
    assert!(gone, "{directory} is left behind");
}
