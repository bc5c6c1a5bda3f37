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
