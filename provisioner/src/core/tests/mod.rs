//! The rules of the core, tried without a database or a runtime: every call may fail in every way, every crash resumes, twice is once.

mod world;

use providers::{CallError, ErrorClass, Kind};
use regions::Arch;

use super::{Ending, Entry, Fact, Move, Now, Policy, Progress, Request, next};
use world::{Fault, Refusal, World};

const PROJECT: u128 = 7;

fn provision() -> Request {
    Request::Provision { project: world::project_id(PROJECT), arch: Arch::Arm64 }
}

fn destroy() -> Request {
    Request::Destroy { project: world::project_id(PROJECT), arch: Arch::Arm64 }
}

fn destroy_cache() -> Request {
    Request::DestroyCache { project: world::project_id(PROJECT), arch: Arch::Arm64 }
}

fn delete_org() -> Request {
    Request::DeleteOrg { org: world::org_id() }
}

/// The requests of a builder's whole life, in order.
fn life() -> Vec<Request> {
    let (project, arch) = (world::project_id(PROJECT), Arch::Arm64);
    vec![
        provision(),
        Request::Stop { project, arch },
        Request::Start { project, arch },
        destroy(),
        provision(),
        destroy(),
        destroy_cache(),
        delete_org(),
    ]
}

#[test]
fn a_builders_whole_life() {
    let mut world = World::new();
    for request in life() {
        let ending = world.run(&request, Vec::new());
        assert_eq!(ending, Ending::Succeeded, "{request:?}\n{}", world.story());
        world.check();
    }
    assert_eq!(world.standing(), (0, 0, 0), "nothing is left");
    assert!(world.rows.is_empty());
}

#[test]
fn a_cold_builder_takes_one_call_that_makes_machines_and_two_facts_a_call() {
    let mut world = World::new();
    world.run(&provision(), Vec::new());
    assert_eq!(world.calls, 2, "the key and the machine");
    assert_eq!(world.standing(), (1, 1, 1));
}

#[test]
fn twice_is_once() {
    let mut world = World::new();
    for request in life() {
        for _ in 0..2 {
            let ending = world.run(&request, Vec::new());
            let again_has_nothing_to_stand_on = ending == Ending::Failed;
            assert!(ending == Ending::Succeeded || again_has_nothing_to_stand_on);
            world.check();
        }
    }
    assert_eq!(world.standing(), (0, 0, 0));
}

/// Each call of a life, each class, with the effect and without where the class leaves it open.
#[test]
fn every_call_may_fail() {
    let mut tried = 0;
    for (place, request) in life().into_iter().enumerate() {
        let calls = calls_of(place);
        for call in 0..calls {
            for class in ErrorClass::ALL {
                for effect in [false, true] {
                    if effect && !class.may_have_happened() {
                        continue;
                    }
                    let mut world = World::after(&life()[..place]);
                    let start = world.calls;
                    world.fault = Some(Fault { call: start + call, class, effect });
                    let ending = world.run(&request, Vec::new());
                    world.check();
                    judge(&mut world, &request, ending, class);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 100, "{tried} cases");
}

fn calls_of(place: usize) -> usize {
    let mut world = World::after(&life()[..place]);
    let start = world.calls;
    world.run(&life()[place], Vec::new());
    world.calls - start
}

/// However it ended: the database and the cloud agree, and a person's retry after the fault brings it to its end.
fn judge(world: &mut World, request: &Request, ending: Ending, class: ErrorClass) {
    world.fault = None;
    match ending {
        Ending::Succeeded => {}
        Ending::Failed => {
            assert_eq!(world.run(request, Vec::new()), Ending::Succeeded, "{class} {request:?}\n{}", world.story());
        }
        Ending::Stuck => {
            let mut facts = world.facts.clone();
            facts.push(Entry { seq: 0, at_ms: world.now_ms, fact: Fact::RetryAsked });
            assert_eq!(world.run(request, facts), Ending::Succeeded, "{class} {request:?}\n{}", world.story());
        }
        Ending::Cancelled => panic!("nobody asked"),
    }
    world.check();
}

/// A crash after any fact, with the call that it announces made or not, leads to the same end.
#[test]
fn every_crash_resumes() {
    for (place, request) in life().into_iter().enumerate() {
        let mut whole = World::after(&life()[..place]);
        assert_eq!(whole.run(&request, Vec::new()), Ending::Succeeded);
        for cut in 0..whole.facts.len() {
            for made in [false, true] {
                let mut world = World::after(&life()[..place]);
                world.crash = Some((cut, made));
                world.run(&request, Vec::new());
                let facts = world.facts.clone();
                world.crash = None;
                assert_eq!(world.run(&request, facts), Ending::Succeeded, "cut {cut} {request:?}\n{}", world.story());
                world.check();
                assert_eq!(world.standing(), whole.standing(), "cut {cut} {request:?}");
            }
        }
    }
}

/// A cancellation at any point leaves nothing but the organization's key, which is kept on purpose.
#[test]
fn cancelling_anywhere_unwinds() {
    let mut whole = World::new();
    whole.run(&provision(), Vec::new());
    for cut in 0..whole.facts.len() - 1 {
        for made in [false, true] {
            let mut world = World::new();
            world.crash = Some((cut, made));
            world.run(&provision(), Vec::new());
            let mut facts = world.facts.clone();
            facts.push(Entry { seq: 0, at_ms: world.now_ms, fact: Fact::CancelAsked });
            world.crash = None;
            assert_eq!(world.run(&provision(), facts), Ending::Cancelled, "cut {cut}\n{}", world.story());
            world.check();
            let (_, volumes, machines) = world.standing();
            assert_eq!((volumes, machines), (0, 0), "cut {cut} made {made}\n{}", world.story());
        }
    }
}

#[test]
fn a_full_zone_is_left_for_the_next_candidate() {
    let mut world = World::new();
    world.full = 2;
    assert_eq!(world.run(&provision(), Vec::new()), Ending::Succeeded);
    let plans = world.facts.iter().filter(|entry| matches!(entry.fact, Fact::Planned { .. })).count();
    assert_eq!(plans, 3);
    world.check();
    let mut world = World::new();
    world.full = usize::MAX;
    assert_eq!(world.run(&provision(), Vec::new()), Ending::Failed);
    let Some(Fact::Ended { outcome }) = world.facts.last().map(|entry| entry.fact.clone()) else { panic!() };
    assert_eq!(outcome.because.unwrap().class, ErrorClass::NoCapacity);
    world.check();
}

/// There is no other candidate for a machine that exists. The job ends and says why; a later one tries again, whatever the cloud
/// still shows of the start that failed.
#[test]
fn a_start_that_finds_no_room_fails_and_can_be_tried_again() {
    let (project, arch) = (world::project_id(PROJECT), Arch::Arm64);
    for refusal in [Refusal::AtOnce, Refusal::Later] {
        let mut world = World::after(&[provision(), Request::Stop { project, arch }]);
        world.refuses_starts = Some(refusal);
        let start = Request::Start { project, arch };
        for request in [start, provision(), start] {
            assert_eq!(world.run(&request, Vec::new()), Ending::Failed, "{}", world.story());
            let Some(Fact::Ended { outcome }) = world.facts.last().map(|entry| entry.fact.clone()) else { panic!() };
            assert_eq!(outcome.because.unwrap().class, ErrorClass::NoCapacity);
            assert!(world.facts.len() < 50, "{}", world.story());
            assert_eq!(world.standing(), (1, 1, 1), "the machine is kept");
            world.check();
        }
        world.refuses_starts = None;
        assert_eq!(world.run(&start, Vec::new()), Ending::Succeeded, "{}", world.story());
    }
}

#[test]
fn what_has_died_of_its_key_fails_and_leaves_nothing() {
    let mut world = World::new();
    world.key_is_bad = true;
    assert_eq!(world.run(&provision(), Vec::new()), Ending::Failed, "{}", world.story());
    let (_, volumes, machines) = world.standing();
    assert_eq!((volumes, machines), (0, 0));
    world.check();
}

#[test]
fn waiting_after_failures_grows_and_is_capped() {
    let policy = Policy::default();
    let delays: Vec<u64> = (1..12).map(|failures| policy.delay_ms(ErrorClass::Unavailable, failures, 3)).collect();
    assert!(delays[4] > delays[0] * 4, "{delays:?}");
    assert!(delays.iter().all(|delay| *delay <= policy.backoff_most_ms * 2), "{delays:?}");
    assert_eq!(delays, (1..12).map(|n| policy.delay_ms(ErrorClass::Unavailable, n, 3)).collect::<Vec<_>>());
}

#[test]
fn the_clouds_own_wish_to_wait_is_heeded() {
    let mut world = World::new();
    let mut error = CallError::new("create", ErrorClass::Throttled, "Slow", "slow down");
    error.retry_after_ms = Some(90_000);
    world.crash = Some((1, false));
    world.run(&provision(), Vec::new());
    let mut facts = world.facts.clone();
    let key = world.began(Kind::Key);
    let fact = Fact::Failed { resource: key, verb: Some(super::Verb::Ensure), error };
    facts.push(Entry { seq: 0, at_ms: 1_000, fact });
    let policy = Policy::default();
    let now = Now { now_ms: 2_000, policy: &policy, visibility_secs: 5, seed: 1 };
    assert_eq!(next(&Progress::fold(&facts), &now), Move::Sleep { until_ms: 91_000 });
}

/// Two jobs may both find a key that was perhaps made. Whoever asks for it anew has to write its row, for the
/// database lets only one do so.
#[test]
fn asking_anew_for_a_key_that_was_perhaps_made_writes_its_row() {
    let mut world = World::new();
    world.run(&provision(), Vec::new());
    let mut plan = Progress::fold(&world.facts).plan.expect("a plan");
    let key = plan.steps.iter_mut().find(|step| step.blueprint.kind() == Kind::Key).expect("a key");
    key.prior = Some(super::Prior { remote: None, state: super::RowState::Maybe });
    let resource = key.resource;
    let mut before = Progress::default();
    before.apply(0, &Fact::Planned { plan });
    let mut now = before.clone();
    now.apply(1_000, &Fact::Began { resource, verb: super::Verb::Ensure, token: None });
    let is_put = |change: &super::RowChange| matches!(change, super::RowChange::Put(row) if row.id == resource);
    assert!(now.row_changes(&before, super::JobId(2)).iter().any(is_put));
    assert!(!now.row_changes(&now, super::JobId(2)).iter().any(is_put), "and no more after that");
}
