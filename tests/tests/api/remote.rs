//! The command line through the API: no database, a token, and the same words.

use std::process::Output;

use providers::fake::FakeConfig;
use provisioner::{
    api::Settings,
    core::{Secret, TokenScope},
    store::Holder,
};
use serde_json::Value;
use tests::database::Database;
use tokio::process::Command;

use crate::stage::Stage;

/// A shell without a database and without a configuration.
struct Shell<'a> {
    url: String,
    secret: &'a str,
    home: tempfile::TempDir,
}

impl<'a> Shell<'a> {
    fn new(stage: &Stage, secret: &'a Secret) -> Self {
        Self { url: stage.url(""), secret: secret.reveal(), home: tempfile::tempdir().unwrap() }
    }

    async fn run(&self, line: &str) -> Output {
        let mut command = Command::new(tests::binary::path());
        command.args(line.split_whitespace()).env("PROVISIONER_API", &self.url).env("PROVISIONER_TOKEN", self.secret);
        for name in ["DATABASE", "CONFIG", "OUTPUT", "API_CA"] {
            command.env_remove(format!("PROVISIONER_{name}"));
        }
        command.current_dir(self.home.path()).output().await.unwrap()
    }

    async fn json(&self, line: &str) -> Value {
        let output = self.run(&format!("{line} --output json")).await;
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The exit status, and what was said.
    async fn fails(&self, line: &str) -> (i32, String) {
        let output = self.run(line).await;
        assert!(!output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stdout));
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn builders_and_jobs_need_no_database() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Manage).await;
    let shell = Shell::new(&stage, &secret);
    let worker = stage.worker("w", false);
    let job = shell.json("builder provision acme/web --arch arm64 --wait").await;
    assert_eq!((&job["state"], &job["kind"]), (&"succeeded".into(), &"provision".into()));
    let builders = shell.json("builder list").await;
    assert_eq!(builders.as_array().unwrap().len(), 1);
    assert_eq!((&builders[0]["state"], &builders[0]["project"]), (&"running".into(), &"web".into()));
    let table = shell.run("builder list --project acme/web").await;
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.starts_with("PROJECT") && table.contains("acme/web") && table.contains("running"), "{table}");
    shell.json("builder touch acme/web --arch arm64").await;
    for (line, kind) in [
        ("builder stop acme/web --arch arm64 --wait", "stop"),
        ("builder start acme/web --arch arm64 --wait", "start"),
        ("builder destroy acme/web --arch arm64 --wait", "destroy"),
        ("cache destroy acme/web --arch arm64 --yes --wait", "destroy_cache"),
    ] {
        let job = shell.json(line).await;
        assert_eq!((&job["state"], &job["kind"]), (&"succeeded".into(), &kind.into()), "{line}");
    }
    assert_eq!(shell.json("cache list").await, serde_json::json!([]));
    worker.abort();
    // The same key is the same job; a job that nobody works on is called off and tried again.
    let first = shell.json("builder provision acme/web --arch x86_64 --key k").await;
    let again = shell.json("builder provision acme/web --arch x86_64 --key k").await;
    assert_eq!((&first["id"], &first["fresh"], &again["fresh"]), (&again["id"], &true.into(), &false.into()));
    let id = &first["id"];
    assert_eq!(shell.json(&format!("job cancel {id}")).await["state"], "cancelled");
    assert_eq!(shell.json(&format!("job retry {id}")).await["state"], "queued");
    let story = shell.json(&format!("job show {id}")).await;
    assert_eq!((&story["id"], story["entries"].as_array().map(Vec::len)), (id, Some(2)), "{story}");
    assert!(story["next"].is_string(), "{story}");
    let told = shell.run("job show 1").await;
    let told = String::from_utf8(told.stdout).unwrap();
    for words in ["Job 1: provision acme/web arm64", "What happened", "succeeded"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // A hold, as an operator at the database would place it.
    let held = "builder hold acme/web --arch x86_64 --until 2h --reason looking";
    assert!(shell.json(held).await["result"].as_str().unwrap().starts_with("held until 2"));
    let now_ms = provisioner::execute::Clock::now_ms(&crate::stage::Wall);
    let holds = stage.store.holds(now_ms).await.unwrap();
    assert_eq!((holds.len(), holds[0].1, holds[0].2.reason.as_str()), (1, regions::Arch::X86_64, "looking"));
    assert!((now_ms + 7_100_000..=now_ms + 7_200_000).contains(&holds[0].2.until_ms), "{holds:?}");
    shell.json("builder unhold acme/web --arch x86_64").await;
    assert!(stage.store.holds(now_ms).await.unwrap().is_empty());
    let jobs = shell.json("job list --state succeeded --limit 3").await;
    let numbers: Vec<i64> = jobs.as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect();
    assert!(numbers.len() == 3 && numbers.windows(2).all(|pair| pair[0] > pair[1]), "{numbers:?}");
    let before = shell.json(&format!("job list --project acme/web --before {}", numbers[2])).await;
    assert!(before.as_array().unwrap().iter().all(|job| job["id"].as_i64().unwrap() < numbers[2]));
    assert!(!shell.home.path().join("provisioner.db").exists(), "no database was made");
}

/// All tenants' jobs wait in one queue: who goes first is the operators' to say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_priority_is_for_operators() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let owner = stage.token(Holder::Org(stage.acme), TokenScope::Manage).await;
    let (status, said) = Shell::new(&stage, &owner).fails("builder provision acme/web --arch arm64 --priority 5").await;
    assert!(status == 1 && said.contains("a priority is for operators"), "{said}");
    let operator = stage.token(Holder::Operator, TokenScope::Manage).await;
    let shell = Shell::new(&stage, &operator);
    let job = shell.json("builder provision acme/web --arch arm64 --priority 5").await;
    assert_eq!(shell.json(&format!("job show {}", job["id"])).await["priority"], 5);
    // Of all tenants, deletions among them.
    shell.json("builder provision globex/shop --arch arm64").await;
    stage.job(provisioner::core::Request::DeleteOrg { org: stage.globex }).await;
    let jobs = shell.json("job list").await;
    let kinds: Vec<&str> = jobs.as_array().unwrap().iter().map(|job| job["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["delete_org", "provision", "provision"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_what_to_do() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let reads = stage.token(Holder::Project(stage.acme, stage.web), TokenScope::Read).await;
    let shell = Shell::new(&stage, &reads);
    let (status, said) = shell.fails("builder provision acme/web --arch arm64").await;
    assert!(status == 1 && said.contains("may not `builder.provision`") && said.contains("remedy:"), "{said}");
    let (status, said) = shell.fails("builder provision globex/shop --arch arm64").await;
    assert!(status == 1 && said.contains("`globex/shop` does not exist"), "{said}");
    let (status, said) = shell.fails("builder list").await;
    assert!(status == 1 && said.contains("--project ORG/PROJECT"), "{said}");
    assert_eq!(shell.json("builder list --project acme/web").await, serde_json::json!([]));
    let (status, said) = shell.fails("builder hold acme/web --arch arm64 --until 1h --reason x").await;
    assert!(status == 1 && said.contains("may not `builder.hold`"), "{said}");
    assert_eq!(shell.json("job list").await, serde_json::json!([]));
    for local in ["org list", "worker --drain"] {
        let (status, said) = shell.fails(local).await;
        assert!(status == 2 && said.contains("leave out --api"), "{local}: {said}");
    }
    let bad = Shell { secret: "prvp_nothing", ..Shell::new(&stage, &reads) };
    let (status, said) = bad.fails("job list --project acme/web").await;
    assert!(status == 2 && said.contains("PROVISIONER_TOKEN"), "{said}");
    let plain = Shell { url: "http://192.0.2.1:8443".to_owned(), ..Shell::new(&stage, &reads) };
    let (status, said) = plain.fails("job list --project acme/web").await;
    assert!(status == 2 && said.contains("without TLS") && !said.contains("prvp_"), "{said}");
    let unknown = Secret::new(provisioner::core::TokenKind::Org, [9; 32]);
    let (status, said) = Shell::new(&stage, &unknown).fails("builder list").await;
    assert!(status == 1 && said.contains("no token has that secret"), "{said}");
}

/// A certificate of one's own is trusted when it is named, and not otherwise; a new one is shown without a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_checked_and_may_be_ones_own() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let settings = Settings { tls_certificate: Some(certificate.clone()), tls_key: Some(key), ..Settings::default() };
    let stage = Stage::with(Database::sqlite().await, FakeConfig::instant(), settings).await;
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Read).await;
    let shell = Shell::new(&stage, &secret);
    assert!(shell.url.starts_with("https://"));
    let (status, said) = shell.fails("builder list").await;
    assert!(status == 1 && said.contains("can't be reached") && said.contains("--api-ca"), "{said}");
    let line = format!("builder list --api-ca {}", certificate.display());
    assert_eq!(shell.json(&line).await, serde_json::json!([]));
    let other = rcgen::generate_simple_self_signed(["other.example".to_owned()]).unwrap();
    std::fs::write(&certificate, other.cert.pem()).unwrap();
    let (status, said) = shell.fails(&line).await;
    assert!(status == 1 && said.contains("can't be reached"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_access_needs_no_database() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    stage.builder().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let _warden = crate::grants::warden(&stage, &stop);
    let (owner, operator) = (
        stage.person("olga", stage.acme, provisioner::core::Role::Owner).await,
        stage.token(Holder::Operator, TokenScope::Manage).await,
    );
    let (owner, operator) = (Shell::new(&stage, &owner), Shell::new(&stage, &operator));
    let grant =
        "debug grant acme/web --arch x86_64 --to arn:aws:iam::123456789012:role/support --reason INC-4711 --until";
    let (status, said) = operator.fails(&format!("{grant} 1h")).await;
    assert!(status == 1 && said.contains("grant.create") && said.contains("owner"), "{said}");
    assert_eq!(owner.fails(&format!("{grant} 9h")).await.0, 2);
    let made = owner.json(&format!("{grant} 1h")).await;
    let id = made["id"].as_str().unwrap();
    let opened = operator.run(&format!("debug open acme/web {id}")).await;
    let opened = String::from_utf8(opened.stdout).unwrap();
    assert!(opened.contains("enter: fake-cloud enter i-"), "{opened}");
    assert_eq!(operator.json("debug list acme/web").await[0]["state"], "open");
    let ended = operator.run(&format!("debug revoke acme/web {id}")).await;
    assert!(String::from_utf8(ended.stdout).unwrap().contains("is over"));
    let (status, said) = operator.fails(&format!("debug open acme/web {id}")).await;
    assert!(status == 1 && said.contains("over") && said.contains("debug grant"), "{said}");
    stop.cancel();
}
