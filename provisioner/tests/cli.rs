//! The built `provisioner`, driven as a shell would: exit statuses, messages, JSON. The cloud is never reached: what needs one is
//! in the workspace's `tests` crate.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A directory with a database, and a shell in it.
struct Shell {
    directory: PathBuf,
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Shell {
    fn bare() -> Self {
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("provisioner-cli-{}-{n}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    fn migrated() -> Self {
        let shell = Self::bare();
        shell.ok("migrate");
        shell
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
        command.args(line.split_whitespace()).current_dir(&self.directory).stdin(Stdio::null());
        for name in ["CONFIG", "DATABASE", "DEPLOYMENT", "OUTPUT", "LOG_FORMAT", "WORKER_ID"] {
            command.env_remove(format!("PROVISIONER_{name}"));
        }
        command.env_remove("RUST_LOG").env("HOME", &self.directory);
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --output json"))).unwrap()
    }

    /// The standard error of a command that must end with that status.
    fn refused(&self, status: i32, line: &str) -> String {
        let output = self.run(line);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{line}: {text}");
        text
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.join(name), text).unwrap();
    }

    fn fleet(&self) {
        self.ok("org create acme");
        self.ok("project create acme/web --residency eu --region eu-central-1");
    }
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[test]
fn without_a_schema_every_command_says_to_migrate() {
    let shell = Shell::bare();
    for line in ["org list", "project list", "builder list", "cache list", "job list", "job show 1"] {
        says(&shell.refused(1, line), &["error: ", "provisioner migrate"]);
    }
    assert!(!shell.directory.join("provisioner.db").exists(), "looking makes no file");
    let first = shell.json("migrate");
    assert_ne!(first["applied"], serde_json::json!([]));
    assert_eq!(shell.json("migrate")["applied"], serde_json::json!([]));
}

#[test]
fn bad_words_never_reach_the_database() {
    let shell = Shell::bare();
    let cases: [(&str, &[&str]); 8] = [
        ("org create Acme", &["`Acme`", "lower-case"]),
        ("project create acme --residency us", &["ORG/PROJECT"]),
        ("project create acme/web --residency eu --region us-east-1", &["--region us-east-1", "us", "eu-central-1"]),
        ("project create acme/web --residency eu --region eu-west-2", &["London", "United Kingdom"]),
        ("project create acme/web --residency us --region moon-1", &["--region moon-1", "us-east-1"]),
        ("project create acme/web --residency us --cache-gib 70000", &["--cache-gib", "65536"]),
        ("project create acme/web --residency us --cache-iops 100", &["--cache-iops", "3000"]),
        ("builder provision acme/web --arch mips", &["--arch", "arm64"]),
    ];
    for (line, parts) in cases {
        says(&shell.refused(2, line), parts);
    }
    let told: Value =
        serde_json::from_str(&shell.refused(2, "builder stop acme/web --arch mips --output json")).unwrap();
    assert_eq!(told["exit_status"], 2);
    says(told["error"].as_str().unwrap(), &["--arch", "mips"]);
}

#[test]
fn a_configuration_that_is_wrong_is_named_by_line_and_key() {
    let shell = Shell::migrated();
    shell.write("provisioner.toml", "deployment = \"prod\"\n[worker]\nslot = 3\n");
    says(&shell.refused(2, "org list"), &["provisioner.toml, line 3: worker.slot: unknown field", "remedy: "]);
    shell.write("provisioner.toml", "[worker]\nlease_secs = \"long\"\n");
    says(&shell.refused(2, "org list"), &["line 2: worker.lease_secs: invalid type"]);
    says(&shell.refused(2, "--config nowhere.toml org list"), &["nowhere.toml", "no such file", "--config"]);
    shell.write("provisioner.toml", "database = \"sqlite://elsewhere.db\"\n");
    says(&shell.refused(1, "org list"), &["elsewhere.db"]);
    shell.ok("--database sqlite://provisioner.db org list");
    let output = shell.command("org list").env("PROVISIONER_DATABASE", "sqlite://provisioner.db").output().unwrap();
    assert!(output.status.success(), "a variable wins over the file");
    says(&shell.refused(2, "--database mysql://h/d org list"), &["--database", "sqlite://", "postgres://"]);
    let text = shell.refused(1, "--database postgres://u:hush@127.0.0.1:1/x org list");
    says(&text, &["127.0.0.1:1"]);
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn a_worker_without_a_cloud_or_a_name_does_not_start() {
    let shell = Shell::migrated();
    says(&shell.refused(2, "worker --drain"), &["needs a cloud", "[aws.regions.REGION]"]);
    shell.write(
        "provisioner.toml",
        "[aws.regions.us-east-1]\nsecurity_groups = [\"sg-0123456789abcdef0\"]\n[aws.regions.us-east-1.subnets]\nus-east-1a = \
         \"subnet-0123456789abcdef0\"\n",
    );
    says(&shell.refused(2, "worker --drain"), &["deployment", "PROVISIONER_DEPLOYMENT"]);
    says(&shell.refused(2, "worker --slots 0"), &["--slots", "1 to 10000"]);
}

#[test]
fn tenants_are_made_listed_and_refused_twice() {
    let shell = Shell::migrated();
    shell.fleet();
    says(&shell.refused(1, "org create acme"), &["`acme` exists already", "remedy: "]);
    says(&shell.refused(1, "project create acme/web --residency us"), &["exists already"]);
    says(&shell.refused(1, "project create globex/web --residency us"), &["`globex` does not exist"]);
    says(&shell.refused(1, "builder provision acme/api --arch arm64"), &["does not exist"]);
    let orgs = shell.json("org list");
    assert_eq!(orgs[0]["name"], "acme");
    assert!(orgs[0]["created_at"].as_str().unwrap().ends_with('Z'));
    let projects = shell.json("project list --org acme");
    assert_eq!(projects[0]["region"], "eu-central-1");
    assert_eq!(projects[0]["residency"], "eu");
    says(&shell.ok("project list"), &["acme/web", "eu-central-1", "16x32", "100 GiB"]);
    assert_eq!(shell.json("builder list"), serde_json::json!([]));
}

#[test]
fn jobs_are_accepted_once_for_a_key_listed_shown_and_called_off() {
    let shell = Shell::migrated();
    shell.fleet();
    let first = shell.json("builder provision acme/web --arch arm64 --key k1");
    assert_eq!(
        (&first["fresh"], &first["kind"], &first["state"]),
        (&true.into(), &"provision".into(), &"queued".into())
    );
    let again = shell.json("builder provision acme/web --arch arm64 --key k1");
    assert_eq!((&again["fresh"], &again["id"]), (&false.into(), &first["id"]));
    says(&shell.refused(1, "builder stop acme/web --arch arm64 --key k1"), &["k1", &first["id"].to_string()]);
    let listed = shell.json("job list --state queued --project acme/web");
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let id = first["id"].to_string();
    says(&shell.ok(&format!("job show {id}")), &[&format!("Job {id}: provision acme/web arm64"), "What comes next: "]);
    let story = shell.json(&format!("job show {id}"));
    assert_eq!((&story["entries"], &story["org"]), (&serde_json::json!([]), &"acme".into()));
    assert_eq!(shell.json(&format!("job cancel {id}"))["state"], "cancelled");
    says(&shell.refused(1, &format!("job watch {id}")), &["cancelled"]);
    says(&shell.refused(1, &format!("job cancel {id}")), &["error: "]);
    assert_eq!(shell.json(&format!("job retry {id}"))["state"], "queued");
    says(&shell.refused(1, "job show 4711"), &["4711", "job list"]);
    says(&shell.ok("job list"), &["provision", "acme/web arm64", "queued"]);
}

#[test]
fn deletions_ask_nobody_where_nobody_is() {
    let shell = Shell::migrated();
    shell.fleet();
    assert_eq!(shell.json("org delete acme")["kind"], "delete_org");
    says(&shell.refused(1, "builder provision acme/web --arch arm64"), &["delet"]);
    assert_eq!(shell.json("org list")[0]["deleting"], true);
}

#[test]
fn scripts_for_shells_and_manual_pages_are_made() {
    let shell = Shell::bare();
    for name in ["bash", "zsh", "fish"] {
        says(&shell.ok(&format!("completions {name}")), &["provisioner", "provision"]);
    }
    let pages = shell.json("man pages");
    assert!(pages.as_array().unwrap().iter().any(|name| name == "provisioner-builder-provision.1"), "{pages}");
    says(&shell.ok("--help"), &["First steps:", "Exit status", "provisioner demo"]);
    says(&shell.ok("builder provision --help"), &["--wait", "Examples:", "--priority"]);
    says(&shell.ok("worker --help"), &["--drain", "SIGTERM", "Exit status"]);
}

/// A worker that is ended with its test.
struct Worker(Child);

impl Worker {
    fn start(shell: &Shell, line: &str) -> Self {
        Self(shell.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const QUICK: &str = "\
[policy]
look_ms = 50
[worker]
lease_secs = 2
poll_secs = 1
[fake]
boot_ms = 200
stop_ms = 200
terminate_ms = 200
volume_ms = 100
visibility_ms = 0
latency_ms = 2
";

#[test]
fn a_builders_life_on_the_modelled_cloud_leaves_nothing() {
    let shell = Shell::migrated();
    shell.fleet();
    shell.write("provisioner.toml", QUICK);
    let mut worker = Worker::start(&shell, "worker --id rack7");
    let ready = shell.json("builder provision acme/web --arch arm64 --wait");
    assert_eq!((&ready["state"], &ready["worker"]), (&"succeeded".into(), &"rack7".into()));
    let builders = shell.json("builder list");
    assert_eq!((&builders[0]["state"], &builders[0]["region"]), (&"running".into(), &"eu-central-1".into()));
    let caches = shell.json("cache list");
    assert_eq!((&caches[0]["id"], &caches[0]["attached_to"]), (&builders[0]["cache"], &builders[0]["remote_id"]));
    assert!(caches[0]["key"].is_string());
    let story = shell.ok(&format!("job show {}", ready["id"]));
    says(&story, &["Plan 1: ", "ensure machine ", "What happened", "end       succeeded", "Succeeded after "]);

    let early = shell.refused(1, "cache destroy acme/web --arch arm64 --wait");
    says(&early, &["failed", "remedy: ", "job show"]);
    shell.ok("builder stop acme/web --arch arm64 --wait");
    assert_eq!(shell.json("builder list")[0]["state"], "stopped");
    shell.ok("builder start acme/web --arch arm64 --wait");
    shell.ok("builder destroy acme/web --arch arm64 --wait");
    assert_eq!(shell.json("builder list"), serde_json::json!([]));
    assert_eq!(shell.json("cache list").as_array().unwrap().len(), 1, "the cache stays");
    shell.ok("cache destroy acme/web --arch arm64 --wait");
    says(&shell.ok("org delete acme --wait"), &["delete_org acme succeeded"]);
    assert_eq!(shell.json("org list"), serde_json::json!([]));
    worker.signal("TERM");
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_worker_of_the_same_name_does_not_start() {
    let shell = Shell::migrated();
    shell.write("provisioner.toml", QUICK);
    let _first = Worker::start(&shell, "worker --id rack7");
    std::thread::sleep(std::time::Duration::from_millis(700));
    says(&shell.refused(1, "worker --id rack7 --drain"), &["`rack7`", "remedy: ", "--id"]);
}

/// From an owner's word to a way that is open, at the database, with a worker beside it.
#[test]
fn nobody_comes_onto_a_builder_without_an_owners_word() {
    let shell = Shell::migrated();
    shell.fleet();
    shell.write("provisioner.toml", QUICK);
    let mut worker = Worker::start(&shell, "worker");
    shell.json("builder provision acme/web --arch arm64 --wait");
    let grant =
        "debug grant acme/web --arch arm64 --to arn:aws:iam::123456789012:role/support --until 1h --reason INC-4711";
    says(&shell.refused(2, grant), &["PROVISIONER_TOKEN", "owner"]);
    for line in [
        "user create olga",
        "user create mike",
        "member set acme olga --role owner",
        "member set acme mike --role member",
    ] {
        shell.ok(line);
    }
    let token = |user: &str| {
        let made = shell.json(&format!("token create --user {user} --scope manage --name laptop"));
        made["secret"].as_str().unwrap().to_owned()
    };
    let with = |token: &str, line: &str| shell.command(line).env("PROVISIONER_TOKEN", token).output().unwrap();
    let (owner, member) = (token("olga"), token("mike"));
    let output = with(&member, grant);
    assert_eq!(output.status.code(), Some(1));
    says(&String::from_utf8(output.stderr).unwrap(), &["mike", "grant.create", "only an owner of acme"]);
    let output = with(&owner, &format!("{grant} --output json"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let id = made["id"].as_str().unwrap();
    says(&shell.ok(&format!("debug open acme/web {id}")), &["is open for arn:aws:iam", "enter: fake-cloud enter i-"]);
    says(&shell.refused(1, "builder stop acme/web --arch arm64 --wait"), &["held", "debug revoke"]);
    says(&shell.ok(&format!("debug revoke acme/web {id}")), &["is over"]);
    says(&shell.ok("debug list acme/web"), &["closing", "support", "olga"]);
    says(&shell.refused(1, &format!("debug open acme/web {id}")), &["it is over", "debug grant"]);
    says(&shell.ok("audit list --limit 1000"), &["grant.create", "forbidden", "grant.open", "grant.revoke", "olga"]);
    shell.ok("audit verify");
    worker.signal("TERM");
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
}
