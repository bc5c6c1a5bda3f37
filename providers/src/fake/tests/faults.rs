//! What is lost on the way, at every request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::stage::{Stage, attempt, pass};
use crate::fake::{CallOutcome, FakeConfig, Fault, FaultRates, Moment, Operation, When};
use crate::{ErrorClass, Observed, Provider, Spec, Target, Token};

fn quick() -> FakeConfig {
    FakeConfig { latency_ms: 10, visibility_ms: 0, ..FakeConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn each_fault_has_its_effect_or_has_none() {
    let table = [
        (Fault::ReplyLost, Some(ErrorClass::Ambiguous), 1),
        (Fault::RequestLost, Some(ErrorClass::Ambiguous), 0),
        (Fault::Error(ErrorClass::Unavailable), Some(ErrorClass::Unavailable), 0),
        (Fault::Error(ErrorClass::Quota), Some(ErrorClass::Quota), 0),
        (Fault::ErrorAfter(ErrorClass::Unavailable), Some(ErrorClass::Unavailable), 1),
        (Fault::ErrorAfter(ErrorClass::Unrecognized), Some(ErrorClass::Unrecognized), 1),
        // No cloud says so after the effect.
        (Fault::ErrorAfter(ErrorClass::NoCapacity), Some(ErrorClass::NoCapacity), 0),
        (Fault::Delay(500), None, 1),
    ];
    for (fault, class, made) in table {
        let stage = Stage::new(quick());
        let key = stage.key("acme").await;
        let spec = stage.machine("web", &key);
        stage.cloud.inject(When::next(Operation::RunMachine), fault);
        let answer = stage.ensure(&Spec::Machine(spec.clone())).await;
        assert_eq!(answer.as_ref().err().map(crate::CallError::class), class, "{fault:?}");
        assert_eq!(stage.cloud.snapshot().machines.len(), made, "{fault:?}");
        let outcome = class.map_or(CallOutcome::Done, CallOutcome::Failed);
        assert_eq!(stage.cloud.log().last().unwrap().outcome, outcome, "{fault:?}");
        stage.begin(&spec).await;
        assert_eq!(stage.cloud.snapshot().machines.len(), 1, "{fault:?}: the same token makes no second one");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_can_hang_before_or_after_its_effect() {
    for (fault, made) in [(Fault::HangBefore, 0), (Fault::HangAfter, 1)] {
        let stage = Stage::new(quick());
        let key = stage.key("acme").await;
        let spec = Spec::Machine(stage.machine("web", &key));
        stage.cloud.inject(When::next(Operation::RunMachine), fault);
        let hung = tokio::time::timeout(Duration::from_secs(3_600), stage.ensure(&spec)).await;
        assert!(hung.is_err(), "{fault:?}");
        assert_eq!(stage.cloud.hung(), 1);
        assert_eq!(stage.cloud.snapshot().machines.len(), made, "{fault:?}");
        assert_eq!(stage.cloud.log().last().unwrap().outcome, CallOutcome::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_dropped_has_had_its_effect_or_not() {
    for (patience_ms, made) in [(3, 0), (7, 1)] {
        let stage = Stage::new(quick());
        let key = stage.key("acme").await;
        let spec = Spec::Machine(stage.machine("web", &key));
        drop(tokio::time::timeout(Duration::from_millis(patience_ms), stage.ensure(&spec)).await);
        pass(1_000).await;
        assert_eq!(stage.cloud.snapshot().machines.len(), made, "dropped after {patience_ms} of 10 ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_cut_short_anywhere_is_found_and_finished() {
    let steps = [Operation::DescribeKey, Operation::CreateKey, Operation::RotateKey, Operation::AliasKey];
    for step in steps {
        for fault in [Fault::HangBefore, Fault::HangAfter, Fault::RequestLost, Fault::ReplyLost] {
            let stage = Stage::new(quick());
            let spec = Spec::Key(stage.key_spec("acme"));
            stage.cloud.inject(When::next(step), fault);
            drop(tokio::time::timeout(Duration::from_secs(60), stage.ensure(&spec)).await);
            // As a worker goes on that knows nothing: look, then ensure with what was found.
            let seen = stage.look(&spec, None).await;
            let remote = seen.found().map(|found| found.remote.clone());
            let target = Target { spec: spec.clone(), remote };
            let done = stage.provider.ensure(&Token::derive(spec.id(), 0), &target).await.unwrap();
            assert!(matches!(done, Observed::Ready(_)), "{step:?} {fault:?}: {done:?}");
            let keys = stage.cloud.snapshot().keys;
            assert_eq!(keys.len(), 1, "{step:?} {fault:?}");
            assert!(keys[0].has_alias && keys[0].rotates, "{step:?} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_sees_every_request_and_may_panic() {
    let stage = Stage::new(quick());
    let key = stage.key("acme").await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    stage.cloud.on_call(move |call, moment| {
        tell.lock().unwrap().push((call.operation, moment, call.outcome));
        assert!(call.operation != Operation::TerminateMachine || moment == Moment::Before, "crash");
    });
    let spec = Spec::Machine(stage.machine("web", &key));
    stage.ensure(&spec).await.unwrap();
    let seen = told.lock().unwrap().clone();
    let run = Operation::RunMachine;
    assert_eq!(seen, [(run, Moment::Before, CallOutcome::Open), (run, Moment::After, CallOutcome::Done)]);
    let provider = stage.provider.clone();
    let remote = stage.cloud.snapshot().machines[0].remote.clone();
    let target = Target { spec, remote: Some(remote) };
    let crashed = tokio::spawn(async move { provider.remove(&attempt(), &target).await }).await;
    assert!(crashed.unwrap_err().is_panic());
    assert!(stage.cloud.snapshot().machines[0].leaving, "the effect was there before the crash");
}

#[tokio::test(start_paused = true)]
async fn a_script_can_skip_and_count() {
    let stage = Stage::new(quick());
    let (one, two) = (stage.key_spec("one"), stage.key_spec("two"));
    let when = When { operation: Some(Operation::DescribeKey), skip: 1, times: Some(2), ..When::default() };
    stage.cloud.inject(when, Fault::Error(ErrorClass::Denied));
    stage.cloud.decide(move |call| {
        let hit = call.resources == [two.id] && call.operation == Operation::CreateKey;
        hit.then_some(Fault::Error(ErrorClass::Quota))
    });
    let spec = Spec::Key(one);
    assert!(stage.ensure(&spec).await.is_ok());
    for _ in 0..2 {
        assert_eq!(stage.ensure(&spec).await.unwrap_err().class(), ErrorClass::Denied);
    }
    assert!(stage.ensure(&spec).await.is_ok());
    let other = Spec::Key(stage.key_spec("two"));
    assert_eq!(stage.ensure(&other).await.unwrap_err().class(), ErrorClass::Quota);
    stage.cloud.calm();
    assert!(stage.ensure(&other).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn chance_keeps_to_its_rates() {
    let rates = FaultRates { reply_lost: 100, unavailable: 200, ..FaultRates::default() };
    let stage = Stage::new(FakeConfig { faults: rates, ..FakeConfig::instant() });
    let spec = Spec::Key(stage.key_spec("acme"));
    let target = Target { spec, remote: None };
    for _ in 0..2_000 {
        drop(stage.provider.observe(stage.region(), std::slice::from_ref(&target)).await);
    }
    let log = stage.cloud.log();
    let share = |class: ErrorClass| {
        let failed = log.iter().filter(|call| call.outcome == CallOutcome::Failed(class)).count();
        failed * 1_000 / log.len()
    };
    assert!((80..120).contains(&share(ErrorClass::Ambiguous)), "{}", share(ErrorClass::Ambiguous));
    assert!((170..230).contains(&share(ErrorClass::Unavailable)), "{}", share(ErrorClass::Unavailable));
}
