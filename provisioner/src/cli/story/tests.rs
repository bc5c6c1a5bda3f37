//! Stories of made-up jobs, against the words that they should have.

use providers::{CallError, ErrorClass, Found, Kind, Observed, Owner, Power, RemoteId, Token, Trouble, VolumeShape};
use regions::{Arch, Cloud, MachineType, Placement, Region, Residency, Size, SsdKind, machine_types};
use uuid::Uuid;

use super::*;
use crate::{
    cli::{args::Output, view::JobTimes},
    core::{After, Blueprint, Candidate, Fact, Goal, JobId, OrgId, Outcome, ProjectId, Request, Step, Verb},
};

const T0: i64 = 1_795_416_361_000;

fn id(n: u8) -> ResourceId {
    ResourceId::from_uuid(Uuid::from_u128(u128::from(n) << 120 | 0xabc))
}

fn project() -> ProjectId {
    ProjectId::from_uuid(Uuid::from_u128(1))
}

fn placement(zone: usize) -> Placement {
    let region = Region::find(Cloud::Aws, "eu-central-1").unwrap();
    Placement::check(Residency::Eu, region.zones().nth(zone).unwrap()).unwrap()
}

fn machine() -> MachineType {
    machine_types(Cloud::Aws, Arch::Arm64, Size::S16x32).next().unwrap()
}

fn step(resource: ResourceId, blueprint: Blueprint, goal: Goal, born_with: Option<ResourceId>) -> Step {
    Step {
        resource,
        org: OrgId::from_uuid(Uuid::from_u128(2)),
        project: Some(project()),
        arch: Some(Arch::Arm64),
        owner: Owner { org: "acme".to_owned(), project: Some("web".to_owned()) },
        blueprint,
        goal,
        incarnation: 0,
        prior: None,
        born_with,
    }
}

fn plan(generation: u32, zone: usize) -> Plan {
    let placement = placement(zone);
    let shape = VolumeShape { ssd: SsdKind::Gp3, size_gib: 100, iops: None, throughput_mibps: None };
    let volume = Blueprint::Volume { placement, arch: Arch::Arm64, shape, key: id(0x11) };
    let builder = Blueprint::Machine {
        placement,
        machine: machine(),
        root_gib: 30,
        key: id(0x11),
        cache: id(0x22),
        births_cache: true,
    };
    Plan {
        generation,
        candidate: Some(Candidate { placement, machine: machine() }),
        steps: vec![
            step(id(0x11), Blueprint::Key { region: placement.region() }, Goal::Present, None),
            step(id(0x22), volume, Goal::Present, Some(id(0x33))),
            step(id(0x33), builder, Goal::Running, None),
        ],
        known: Default::default(),
        drops: None,
    }
}

fn entries(facts: Vec<(i64, Fact)>) -> Vec<Entry> {
    let numbered = facts.into_iter().zip(1..);
    numbered.map(|((after, fact), seq)| Entry { seq, at_ms: T0 + after, fact }).collect()
}

fn job(state: JobState, ended: Option<i64>, outcome: Option<Outcome>) -> JobView {
    JobView {
        id: JobId(12),
        kind: "provision",
        org: "acme".to_owned(),
        project: Some("web".to_owned()),
        arch: Some(Arch::Arm64),
        state,
        priority: 0,
        attempt: 1,
        created_at: String::new(),
        run_at: String::new(),
        started_at: None,
        ended_at: None,
        worker: Some("rack7".to_owned()),
        cancel_asked: false,
        outcome,
        key: None,
        request: Request::Provision { project: project(), arch: Arch::Arm64 },
        ms: JobTimes { created: T0, run_at: T0, started: Some(T0 + 12), ended: ended.map(|after| T0 + after) },
    }
}

fn tell_all(job: &JobView, entries: &[Entry], now: i64) -> String {
    let screen = Screen { output: Output::Table, terminal: false, colour: false };
    let policy = Policy::default();
    text(job, entries, &Setting { now_ms: T0 + now, policy: &policy, visibility_secs: 60 }, screen)
}

fn found(remote: &str) -> Found {
    Found::new(RemoteId::from(remote))
}

fn no_capacity() -> CallError {
    let message = format!("machine {}: no c7g.4xlarge in eu-central-1a", id(0x33));
    CallError::new("ec2:RunInstances", ErrorClass::NoCapacity, "InsufficientInstanceCapacity", message)
}

fn key_is_there() -> Vec<(i64, Fact)> {
    let key = Observed::Ready(found("arn:aws:kms:eu-central-1:1:key/k"));
    vec![
        (15, Fact::Planned { plan: plan(0, 0) }),
        (16, Fact::Began { resource: id(0x11), verb: Verb::Ensure, token: Some(Token::from_string("t-1".into())) }),
        (90, Fact::Answered { resource: id(0x11), verb: Verb::Ensure, observed: key }),
    ]
}

#[test]
fn a_job_that_had_to_try_twice_tells_all_of_it() {
    let mut facts = key_is_there();
    let running = Found {
        power: Some(Power::Running),
        address: Some("10.0.0.7".to_owned()),
        cache: Some(RemoteId::from("vol-7")),
        ..found("i-7")
    };
    facts.extend([
        (91, Fact::Began { resource: id(0x33), verb: Verb::Ensure, token: None }),
        (300, Fact::Failed { resource: id(0x33), verb: Some(Verb::Ensure), error: no_capacity() }),
        (301, Fact::Unwinding { because: no_capacity().trouble, then: After::Replan }),
        (302, Fact::Planned { plan: plan(1, 1) }),
        (303, Fact::Began { resource: id(0x33), verb: Verb::Ensure, token: None }),
        (900, Fact::Answered { resource: id(0x33), verb: Verb::Ensure, observed: Observed::Pending(found("i-7")) }),
        (61_900, Fact::Saw { resource: id(0x33), observed: Observed::Ready(running) }),
        (61_950, Fact::Ended { outcome: Outcome::SUCCESS }),
    ]);
    let story = tell_all(&job(JobState::Succeeded, Some(61_950), Some(Outcome::SUCCESS)), &entries(facts), 70_000);
    let told = format!(
        "\
Job 12: provision acme/web arm64
  state     succeeded
  asked     2026-11-23 06:46:01Z (1m 10s ago)
  begun     2026-11-23 06:46:01Z (+0.012s)
  ended     2026-11-23 06:47:02Z (+1m 01.950s)
  attempt   1, worker rack7, priority 0

Plan 2: {machine} in aws/eu-central-1b
  1. key        11000000  the key of acme in aws/eu-central-1: to be there
  2. volume     22000000  100 GiB of cache in aws/eu-central-1b: to be there, born with 33000000
  3. machine    33000000  {machine} in aws/eu-central-1b: to be running

What happened
       +0.015s  planned   plan 1: {machine} in aws/eu-central-1a, 3 steps
       +0.016s  call      ensure key 11000000, token t-1
       +0.090s  answer    ensure key 11000000: ready, arn:aws:kms:eu-central-1:1:key/k
       +0.091s  call      ensure machine 33000000
       +0.300s  error     ensure machine 33000000: no_capacity InsufficientInstanceCapacity (ec2:RunInstances)
                            machine 33000000-0000-0000-0000-000000000abc: no c7g.4xlarge in eu-central-1a
       +0.301s  unwind    what was begun is taken back, then the next candidate is tried
                            because no_capacity InsufficientInstanceCapacity: machine 33000000-0000-0000-0000-000000000abc: no c7g.4xlarge in eu-central-1a
       +0.302s  planned   plan 2: {machine} in aws/eu-central-1b, 3 steps
       +0.303s  call      ensure machine 33000000
       +0.900s  answer    ensure machine 33000000: pending, i-7
   +1m 01.900s  seen      machine 33000000: ready, i-7, running, address 10.0.0.7, cache vol-7
   +1m 01.950s  end       succeeded

Succeeded after 1m 01s.",
        machine = machine().name()
    );
    assert_eq!(story, told, "\n{story}");
}

#[test]
fn a_stuck_job_is_loud_and_names_the_resource_and_the_remedy() {
    let trouble = Trouble {
        class: ErrorClass::Unrecognized,
        code: "Weird".to_owned(),
        message: format!("{} {}: never heard of", Kind::Machine, id(0x33)),
    };
    let outcome = Outcome::of(Ending::Stuck, trouble);
    let story = tell_all(&job(JobState::Stuck, Some(500), Some(outcome)), &entries(key_is_there()), 600);
    for part in [
        "STUCK: this job needs a person",
        &format!("why     unrecognized Weird: machine {}", id(0x33)),
        "remedy  look the code up",
        "provisioner job retry 12",
        "Stuck after 500ms. Nothing more happens by itself.",
    ] {
        assert!(story.contains(part), "{part} is missing in\n{story}");
    }
}

#[test]
fn what_comes_next_is_the_next_move_in_words() {
    let mut facts = key_is_there();
    let running = job(JobState::Running, None, None);
    let next = |facts: &[(i64, Fact)]| {
        let story = tell_all(&running, &entries(facts.to_vec()), 400);
        story.lines().last().unwrap().to_owned()
    };
    assert_eq!(next(&facts), "What comes next: ensure machine 33000000");
    facts.push((91, Fact::Began { resource: id(0x33), verb: Verb::Ensure, token: None }));
    facts.push((300, Fact::Failed { resource: id(0x33), verb: Some(Verb::Ensure), error: no_capacity() }));
    assert!(next(&facts).contains("then try the next candidate, because no_capacity"), "{}", next(&facts));
    let waiting = JobView { state: JobState::Queued, ..running };
    assert!(
        tell_all(&waiting, &[], 0)
            .ends_with("a worker takes it, once one is free and the earlier jobs of this builder have ended")
    );
}

#[test]
fn the_progress_line_says_where_the_job_is() {
    let running = job(JobState::Running, None, None);
    let mut facts = key_is_there();
    let line = |facts: &[(i64, Fact)]| current_step(&running, &Progress::fold(&entries(facts.to_vec())));
    assert_eq!(line(&facts), "step 3/3: machine in aws/eu-central-1a: to be made");
    facts.push((91, Fact::Began { resource: id(0x33), verb: Verb::Ensure, token: None }));
    assert_eq!(line(&facts), "step 3/3: machine in aws/eu-central-1a: asked for, not answered yet");
}
