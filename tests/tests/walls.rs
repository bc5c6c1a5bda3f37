//! The walls of DESIGN.md, checked by reading the source: who may name which crate, who may depend on whom, how long a file is.
//!
//! Comments and text in quotes are blanked before names are looked for. Each rule is a function from text to complaints, so
//! that the second half of this file can show it a planted violation. Never weaken a rule to let a file pass.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Crates that only certain places may name. A trailing `*` stands for the rest of a name.
const NAMES: &[(&[&str], &[&str])] = &[
    (
        &["aws_sdk_*", "aws_config", "aws_types", "aws_smithy_*", "aws_runtime", "aws_credential_types"],
        &["providers/src/aws", "providers/tests"],
    ),
    (&["google_cloud_*", "gcloud_sdk"], &["providers/src/gcp", "providers/tests"]),
    (&["sea_orm*", "sqlx", "rusqlite"], &["provisioner/src/store", "migrations/src"]),
    (&["axum*"], &["provisioner/src/api"]),
];

/// Names that these places may not use: no I/O, no runtime, no clock and no chance.
const PURE: &[&str] = &["regions/src", "provisioner/src/core"];
const IMPURE: &[&str] =
    &["tokio*", "async_trait", "sea_orm*", "SystemTime", "Instant", "fs", "net", "env", "new_v4", "now_v7", "thread"];

/// Modules of `provisioner`, each with those above it, of which it may know nothing.
const LAYERS: &[(&str, &[&str])] = &[
    ("core", &["store", "execute", "worker", "reconcile", "api", "cli"]),
    ("store", &["execute", "worker", "reconcile", "api", "cli"]),
    ("execute", &["worker", "reconcile", "api", "cli"]),
    ("worker", &["reconcile", "api", "cli"]),
    ("reconcile", &["api", "cli"]),
    ("api", &["cli"]),
];

/// Our crates, each with those of ours on which it may depend.
const CRATES: &[(&str, &[&str])] = &[
    ("regions", &[]),
    ("providers", &["regions"]),
    ("migrations", &["regions"]),
    ("provisioner", &["regions", "providers", "migrations"]),
    ("tests", &["regions", "providers", "migrations", "provisioner"]),
];

const VAGUE: &[&str] = &["utils", "util", "common", "helper", "helpers", "manager", "misc"];
const MAX_LINES: usize = 400;

// The rules.

fn check_names(path: &str, code: &str) -> Vec<String> {
    let words = words(code);
    let mut complaints = Vec::new();
    if !path.starts_with("tests/") {
        for (names, places) in NAMES {
            if !places.iter().any(|place| lies_in(path, place)) {
                let found = words.iter().filter(|word| names.iter().any(|name| is_named(word, name)));
                complaints.extend(found.map(|word| format!("{path}: `{word}` belongs only in {}", places.join(", "))));
            }
        }
    }
    if PURE.iter().any(|place| lies_in(path, place)) {
        let found = words.iter().filter(|word| IMPURE.iter().any(|name| is_named(word, name)));
        complaints.extend(found.map(|word| format!("{path}: `{word}` has no place in pure code")));
        if code.split_whitespace().collect::<String>().contains("::now(") {
            complaints.push(format!("{path}: pure code takes `now` as an argument"));
        }
    }
    complaints
}

fn check_layers(path: &str, code: &str) -> Vec<String> {
    let Some((layer, above)) = LAYERS.iter().find(|(layer, _)| lies_in(path, &format!("provisioner/src/{layer}")))
    else {
        return Vec::new();
    };
    let known = names_after(code, "crate::");
    above.iter().filter(|name| known.contains(**name)).map(|name| format!("{path}: {layer} knows `{name}`")).collect()
}

fn check_shape(path: &str, text: &str, code: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push(format!("{path}: does not open with `//!` lines on what it owns"));
    }
    // Counted on the blanked code, so that the marker in a comment or in quotes ends nothing.
    let lines = code.lines().take_while(|line| !line.trim_start().starts_with("#[cfg(test)]")).count();
    let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
    if lines > MAX_LINES && !is_test {
        complaints.push(format!("{path}: {lines} lines before its tests, {MAX_LINES} are the most"));
    }
    let in_path = path.split('/').map(|part| part.trim_end_matches(".rs"));
    let declared = names_after(code, "mod ");
    let vague = in_path.map(str::to_owned).chain(declared).filter(|name| VAGUE.contains(&name.as_str()));
    complaints.extend(vague.map(|name| format!("{path}: `{name}` says nothing about what it holds")));
    complaints
}

fn check_manifest(name: &str, manifest: &str) -> Vec<String> {
    let Some((_, allowed)) = CRATES.iter().find(|(own, _)| *own == name) else {
        return vec![format!("{name}: a crate that the wall does not know")];
    };
    let ours = dependencies(manifest).into_iter().filter(|found| CRATES.iter().any(|(own, _)| own == found));
    ours.filter(|found| !allowed.contains(&found.as_str())).map(|found| format!("{name}: depends on {found}")).collect()
}

// Reading.

/// Whether that file is the module `place` or lies below it.
fn lies_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
}

fn is_named(word: &str, name: &str) -> bool {
    name.strip_suffix('*').map_or(word == name, |prefix| word.starts_with(prefix))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words(code: &str) -> BTreeSet<&str> {
    code.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect()
}

/// The names that follow a prefix, whether one (`crate::a`) or a group of them (`crate::{a::b, c}`).
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = code[at + prefix.len()..].trim_start();
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(rest.chars().take_while(|c| is_word(*c)).collect());
            continue;
        };
        let (mut depth, mut expected) = (1, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => expected = true,
                c if expected && is_word(c) => {
                    names.insert(group[at..].chars().take_while(|c| is_word(*c)).collect());
                    expected = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

/// The keys of every table of dependencies of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies");
            if let Some((_, name)) = table.rsplit_once("dependencies.") {
                names.insert(name.trim_matches('"').to_owned());
            }
        } else if inside && !line.starts_with('#') {
            names.extend(line.split(['=', '.', ' ']).next().filter(|key| !key.is_empty()).map(str::to_owned));
        }
    }
    names
}

/// The same text with comments, and what stands in quotes, as blanks; lines stay where they are.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skip(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Where the comment or literal that begins here ends; the same place if none does.
fn skip(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied();
    let find = |from: usize, wanted: &str| {
        let wanted: Vec<char> = wanted.chars().collect();
        let found = chars[from.min(chars.len())..].windows(wanted.len()).position(|window| window == wanted);
        found.map_or(chars.len(), |offset| from + offset + wanted.len())
    };
    let quoted = |from: usize, quote: char| {
        let mut at = from;
        while at < chars.len() && chars[at] != quote {
            at += if chars[at] == '\\' { 2 } else { 1 };
        }
        (at + 1).min(chars.len())
    };
    match (chars[at], next(1)) {
        ('/', Some('/')) => find(at, "\n").saturating_sub(1).max(at + 2),
        ('/', Some('*')) => find(at + 2, "*/"),
        ('"', _) => quoted(at + 1, '"'),
        ('r', Some('"' | '#')) if at == 0 || !is_word(chars[at - 1]) || chars[at - 1] == 'b' => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            if next(1 + hashes) != Some('"') {
                return at; // a raw identifier
            }
            find(at + 2 + hashes, &format!("\"{}", "#".repeat(hashes)))
        }
        // A character, and not a lifetime.
        ('\'', Some('\\')) => quoted(at + 1, '\''),
        ('\'', Some(_)) if next(2) == Some('\'') => at + 3,
        _ => at,
    }
}

// The house as it stands.

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace holds this crate").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file of our crates: its path from the root, and its text.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut folders: Vec<_> = CRATES.iter().map(|(name, _)| root.join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push((name, read(&path)));
            }
        }
    }
    found
}

fn complaints_about(path: &str, text: &str) -> Vec<String> {
    let code = blank(text);
    [check_names(path, &code), check_layers(path, &code), check_shape(path, text, &code)].concat()
}

#[test]
fn the_source_keeps_the_walls() {
    let sources = sources();
    for (name, _) in CRATES {
        assert!(sources.iter().any(|(path, _)| path.starts_with(&format!("{name}/src/"))), "{name} has no source");
    }
    let complaints: Vec<_> = sources.iter().flat_map(|(path, text)| complaints_about(path, text)).collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_crates_depend_in_one_direction() {
    let manifests = CRATES.iter().map(|(name, _)| (name, read(&root().join(name).join("Cargo.toml"))));
    let complaints: Vec<_> = manifests.flat_map(|(name, manifest)| check_manifest(name, &manifest)).collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

// The walls themselves.

/// That a planted line is found in that file, and that the file without it is not complained about.
fn assert_found(path: &str, planted: &str) {
    let clean = "//! Owns nothing.\n";
    assert_eq!(complaints_about(path, clean), Vec::<String>::new(), "{path}");
    let complaints = complaints_about(path, &format!("{clean}{planted}\n"));
    assert_eq!(complaints.len(), 1, "{path}: {planted}: {complaints:?}");
}

fn assert_allowed(path: &str, line: &str) {
    assert_eq!(complaints_about(path, &format!("//! Owns nothing.\n{line}\n")), Vec::<String>::new());
}

#[test]
fn a_crate_outside_its_place_is_found() {
    assert_found("provisioner/src/worker.rs", "use aws_sdk_ec2::Client;");
    assert_found("providers/src/lib.rs", "fn f(c: &aws_config::SdkConfig) {}");
    assert_found("providers/src/gcp/client.rs", "use aws_smithy_types::error::ErrorMetadata;");
    assert_found("providers/src/awsome.rs", "use aws_sdk_kms as kms;");
    assert_found("providers/src/aws.rs", "use google_cloud_compute_v1::client::Instances;");
    assert_found("provisioner/src/execute.rs", "use sea_orm::EntityTrait;");
    assert_found("provisioner/src/cli/job.rs", "async fn f(pool: sqlx::SqlitePool) {}");
    assert_found("provisioner/src/worker/lease.rs", "use axum::Router;");
    assert_allowed("providers/src/aws/ec2.rs", "use aws_sdk_ec2::Client;");
    assert_allowed("providers/tests/replay.rs", "use aws_smithy_types::Blob;");
    assert_allowed("providers/src/aws.rs", "use aws_config::SdkConfig;");
    assert_allowed("provisioner/src/store.rs", "use sea_orm::EntityTrait;");
    assert_allowed("provisioner/src/store/claim.rs", "use sea_orm::EntityTrait;");
    assert_allowed("provisioner/src/worker.rs", "// aws_sdk_ec2 is not ours\nconst A: &str = \"use sea_orm\";");
}

#[test]
fn impure_code_is_found() {
    for planted in
        ["use tokio::time::sleep;", "use std::time::SystemTime;", "use sea_orm::Value;", "use std::fs::read;"]
    {
        let found = complaints_about("provisioner/src/core/next.rs", &format!("//! Pure.\n{planted}"));
        assert!(!found.is_empty(), "{planted}");
    }
    assert_found("regions/src/zone.rs", "use std::time::Instant;");
    assert_found("provisioner/src/core/job.rs", "let now = jiff::Timestamp :: now ();");
    assert_allowed("provisioner/src/core/job.rs", "use jiff::Timestamp; use std::time::Duration;");
    assert_allowed("provisioner/src/worker.rs", "use std::time::Instant;");
}

#[test]
fn a_layer_that_knows_one_above_it_is_found() {
    assert_found("provisioner/src/core/plan.rs", "use crate::store::Job;");
    assert_found("provisioner/src/store/claim.rs", "use crate::{core::job::{self, cli}, execute::Drive};");
    assert_found("provisioner/src/execute.rs", "fn f() { crate::worker::run() }");
    assert_allowed("provisioner/src/execute.rs", "use crate::{core::{api, worker}, store::Store};");
    assert_allowed("provisioner/src/worker/mod.rs", "use crate::execute::drive;");
}

#[test]
fn a_shapeless_file_is_found() {
    assert_eq!(complaints_about("regions/src/a.rs", "use std::fmt;\n").len(), 1);
    assert_found("regions/src/lib.rs", "pub mod utils;");
    assert_found("provisioner/src/worker.rs", &"\n".repeat(MAX_LINES));
    assert_found("provisioner/src/worker.rs", &format!("// #[cfg(test)]{}", "\n".repeat(MAX_LINES)));
    assert_eq!(complaints_about("provisioner/src/common/mod.rs", "//! Vague.\n").len(), 1);
    assert_eq!(complaints_about("provisioner/src/manager.rs", "//! Vague.\n").len(), 1);
    assert_allowed("regions/tests/long.rs", &"\n".repeat(MAX_LINES));
    assert_allowed("regions/src/lib.rs", &format!("#[cfg(test)]{}", "\n".repeat(MAX_LINES)));
}

#[test]
fn a_dependency_against_the_direction_is_found() {
    for (name, manifest) in [
        ("regions", "[dependencies]\nproviders.workspace = true\n"),
        ("regions", "[dev-dependencies]\nserde = \"1\"\ntests = { path = \"../tests\" }\n"),
        ("providers", "[target.'cfg(unix)'.dependencies]\nprovisioner = { workspace = true }\n"),
        ("migrations", "[dependencies.provisioner]\nworkspace = true\n"),
        ("elsewhere", ""),
    ] {
        assert_eq!(check_manifest(name, manifest).len(), 1, "{manifest}");
    }
    let fine = "[package]\nname = \"providers\"\n[dependencies]\nregions.workspace = true\n[lints]\ntests = true\n";
    assert_eq!(check_manifest("providers", fine), Vec::<String>::new());
}

#[test]
fn comments_and_quotes_are_blanked_and_code_is_not() {
    for (text, left) in [
        ("a // b\nc", "a \nc"),
        ("a /* b\n */ c", "a \n c"),
        (r#"a "b\" c" d"#, "a d"),
        (r##"a r#"b" c"# d"##, "a d"),
        (r"a br'x", "a br'x"),
        (
            r"fn f<'a>(x: &'a u8, c: char) { c == '\'' || c == '\\' } tokio",
            "fn f<'a>(x: &'a u8, c: char) { c == || c == } tokio",
        ),
        ("a r#type b", "a r#type b"),
        ("'\"' a '\"'", "a"),
    ] {
        let tidy = |text: &str| text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        assert_eq!(tidy(&blank(text)), tidy(left), "{text}");
    }
}
