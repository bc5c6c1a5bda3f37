//! One fact in words.

use providers::{CallError, Observed, Power, ResourceId};

use super::{name_of, plan_lines, view::trouble_line};
use crate::core::{After, Ending, Fact, Plan, Verb};

/// A fact, told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// One word for the kind of fact.
    pub(crate) label: &'static str,
    /// The line.
    pub(crate) text: String,
    /// Lines that belong to it.
    pub(crate) more: Vec<String>,
}

/// What has been told so far, as far as later lines need it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telling {
    plan: Option<Plan>,
}

impl Told {
    fn new(label: &'static str, text: String) -> Self {
        Self { label, text, more: Vec::new() }
    }
}

/// The words for the next fact.
pub(crate) fn tell(telling: &mut Telling, fact: &Fact) -> Told {
    let name = |resource: &ResourceId| name_of(telling.plan.as_ref(), *resource);
    match fact {
        Fact::Planned { plan } => {
            let steps = plan.steps.len();
            let told = format!("{}, {steps} step{}", plan_lines::title(plan), if steps == 1 { "" } else { "s" });
            telling.plan = Some(plan.clone());
            Told::new("planned", told)
        }
        Fact::Began { resource, verb, token } => {
            let token = token.as_ref().map_or_else(String::new, |token| format!(", token {}", token.as_str()));
            Told::new("call", format!("{} {}{token}", verb.as_str(), name(resource)))
        }
        Fact::Answered { resource, verb, observed } => {
            let mut told = Told::new("answer", format!("{} {}: {}", verb.as_str(), name(resource), state(observed)));
            told.more = reasons(observed);
            told
        }
        Fact::Saw { resource, observed } => {
            let mut told = Told::new("seen", format!("{}: {}", name(resource), state(observed)));
            told.more = reasons(observed);
            told
        }
        Fact::Failed { resource, verb, error } => failed(&name(resource), *verb, error),
        Fact::Settled { resource } => {
            Told::new("settled", format!("{}: it is certain that nothing is there", name(resource)))
        }
        Fact::Unwinding { because, then } => {
            let then = match then {
                After::Fail => "then the job fails",
                After::Replan => "then the next candidate is tried",
                After::Cancel => "then the job is cancelled",
            };
            let mut told = Told::new("unwind", format!("what was begun is taken back, {then}"));
            told.more.push(format!("because {}", trouble_line(because)));
            told
        }
        Fact::CancelAsked => Told::new("asked", "a person asked to call it off".to_owned()),
        Fact::RetryAsked => Told::new("asked", "a person asked for another try".to_owned()),
        Fact::Ended { outcome } => Told::new("end", ending_word(outcome.ending).to_owned()),
    }
}

fn failed(name: &str, verb: Option<Verb>, error: &CallError) -> Told {
    let action = verb.map_or_else(|| format!("look at {name}"), |verb| format!("{} {name}", verb.as_str()));
    let trouble = &error.trouble;
    let mut told = Told::new("error", format!("{action}: {} {} ({})", trouble.class, trouble.code, error.call));
    told.more.push(trouble.message.clone());
    if let Some(wait) = error.retry_after_ms {
        told.more.push(format!("the cloud asks to wait {wait} ms"));
    }
    told
}

fn ending_word(ending: Ending) -> &'static str {
    match ending {
        Ending::Succeeded => "succeeded",
        Ending::Failed => "failed",
        Ending::Cancelled => "cancelled",
        Ending::Stuck => "stuck",
    }
}

/// The state in one line.
fn state(observed: &Observed) -> String {
    let word = match observed {
        Observed::Absent { .. } => return "nothing there".to_owned(),
        Observed::Pending(_) => "pending",
        Observed::Ready(_) => "ready",
        Observed::Leaving(_) => "leaving",
        Observed::Broken { .. } => "broken",
    };
    let Some(found) = observed.found() else { return word.to_owned() };
    let mut text = format!("{word}, {}", found.remote);
    match found.power {
        Some(Power::Running) => text.push_str(", running"),
        Some(Power::Stopped) => text.push_str(", stopped"),
        None => {}
    }
    let parts = [
        found.address.as_ref().map(|address| format!(", address {address}")),
        found.cache.as_ref().map(|cache| format!(", cache {cache}")),
        found.attached_to.as_ref().map(|machine| format!(", attached to {machine}")),
    ];
    parts.into_iter().flatten().for_each(|part| text.push_str(&part));
    text
}

fn reasons(observed: &Observed) -> Vec<String> {
    match observed {
        Observed::Absent { died: Some(why) } => vec![format!("the cloud took it away: {}", trouble_line(why))],
        Observed::Broken { why, .. } => vec![trouble_line(why)],
        Observed::Absent { died: None } | Observed::Pending(_) | Observed::Ready(_) | Observed::Leaving(_) => {
            Vec::new()
        }
    }
}
