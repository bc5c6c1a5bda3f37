//! The way to the cloud and back: every request passes here, is counted, may be late, throttled or lost, and has its
//! effect at one moment under the lock.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use regions::{Cloud, Region};

use super::FakeCloud;
use super::call::{CallInfo, CallOutcome, Moment, Operation, Verb};
use super::fault::{self, Fault};
use super::state::State;
use crate::{CallError, ErrorClass, Kind, ResourceId, Trouble};

/// What the requests of one provider call have in common.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) cloud: FakeCloud,
    pub(super) kind: Cloud,
    pub(super) verb: Verb,
    pub(super) region: Region,
}

/// What one request is about.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) kind: Kind,
    pub(super) resources: Vec<ResourceId>,
}

impl About {
    pub(super) fn one(kind: Kind, id: ResourceId) -> Self {
        Self { kind, resources: vec![id] }
    }
}

impl Asker {
    /// An error of that request.
    pub(super) fn error(&self, operation: Operation, class: ErrorClass, code: &str, message: &str) -> CallError {
        CallError::new(operation.name(self.kind), class, code, message)
    }

    /// The refusal of that request.
    pub(super) fn refusal(&self, operation: Operation, trouble: Trouble) -> CallError {
        CallError { call: operation.name(self.kind).to_owned(), trouble, retry_after_ms: None }
    }

    fn injected(&self, operation: Operation, class: ErrorClass) -> CallError {
        let mut error = self.error(operation, class, fault::code(class), "an injected fault");
        error.retry_after_ms = (class == ErrorClass::Throttled).then_some(100);
        error
    }

    /// Makes one request. `effect` happens at most once, at one moment.
    pub(super) async fn request<T: Send>(
        &self,
        operation: Operation,
        about: About,
        effect: impl FnOnce(&mut State) -> Result<T, CallError> + Send,
    ) -> Result<T, CallError> {
        let (mut call, latency_ms) = self.enter(operation, about);
        let fault = self.fault(&call);
        self.tell(&call, Moment::Before);
        if fault == Some(Fault::HangBefore) {
            return self.hang().await;
        }
        let late_ms = if let Some(Fault::Delay(delay_ms)) = fault { delay_ms } else { 0 };
        sleep(latency_ms / 2 + late_ms).await;
        let answer = match fault {
            Some(Fault::RequestLost) => Err(self.injected(operation, ErrorClass::Ambiguous)),
            Some(Fault::Error(class)) => Err(self.injected(operation, class)),
            Some(Fault::ErrorAfter(class)) if !class.may_have_happened() => Err(self.injected(operation, class)),
            Some(Fault::ReplyLost | Fault::ErrorAfter(_) | Fault::Delay(_) | Fault::HangBefore | Fault::HangAfter)
            | None => self.take_effect(operation, effect),
        };
        if fault == Some(Fault::HangAfter) {
            self.tell(&call, Moment::After);
            return self.hang().await;
        }
        sleep(latency_ms - latency_ms / 2).await;
        let answer = match fault {
            Some(Fault::ReplyLost) => Err(self.injected(operation, ErrorClass::Ambiguous)),
            Some(Fault::ErrorAfter(class)) => answer.and_then(|_| Err(self.injected(operation, class))),
            Some(Fault::RequestLost | Fault::Error(_) | Fault::Delay(_) | Fault::HangBefore | Fault::HangAfter)
            | None => answer,
        };
        call.outcome = match &answer {
            Ok(_) => CallOutcome::Done,
            Err(error) => CallOutcome::Failed(error.class()),
        };
        self.cloud.state().journal.close(call.n, call.outcome);
        self.tell(&call, Moment::After);
        answer
    }

    fn enter(&self, operation: Operation, about: About) -> (CallInfo, u64) {
        let mut state = self.cloud.state();
        let call = CallInfo {
            n: state.journal.next(),
            at_ms: state.now_ms,
            verb: self.verb,
            kind: about.kind,
            operation,
            name: operation.name(self.kind),
            region: self.region,
            resources: about.resources,
            outcome: CallOutcome::Open,
        };
        let most = state.config.log_size;
        state.journal.enter(&call, most);
        (call, state.config.latency_ms)
    }

    fn fault(&self, call: &CallInfo) -> Option<Fault> {
        let (scripted, decide) = {
            let mut faults = self.cloud.faults();
            (faults.scripted(call), faults.decide.clone())
        };
        scripted.or_else(|| decide.and_then(|decide| decide(call))).or_else(|| {
            let state = self.cloud.state();
            fault::by_chance(&state.config.faults, state.dice(), call)
        })
    }

    /// No lock is held: the hook may look at the cloud, and may panic.
    fn tell(&self, call: &CallInfo, moment: Moment) {
        let on_call = self.cloud.faults().on_call.as_ref().map(Arc::clone);
        if let Some(on_call) = on_call {
            on_call(call, moment);
        }
    }

    async fn hang<T>(&self) -> T {
        self.cloud.state().journal.hung += 1;
        pending().await
    }

    fn take_effect<T>(
        &self,
        operation: Operation,
        effect: impl FnOnce(&mut State) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut state = self.cloud.state();
        if let Some(limit) = state.config.throttle {
            let now_ms = state.now_ms;
            if let Err(wait_ms) = state.buckets.take(limit, self.region, operation.is_mutating(), now_ms) {
                let code = fault::code(ErrorClass::Throttled);
                let mut error = self.error(operation, ErrorClass::Throttled, code, "asked too often");
                error.retry_after_ms = Some(wait_ms);
                return Err(error);
            }
        }
        effect(&mut state)
    }
}

/// Nothing to wait for is no wait: even an empty sleep would hand over to another task.
async fn sleep(millis: u64) {
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}
