//! What a job does next, and what it is doing now, in one line.

use super::{JobView, Setting, name_of, view::trouble_line};
use crate::{
    cli::time,
    core::{After, Certainty, JobState, Move, Now, Phase, Progress, next},
};

/// What comes next.
pub(crate) fn what_next(job: &JobView, progress: &Progress, setting: &Setting<'_>) -> String {
    let wait = job.ms.run_at - setting.now_ms;
    if job.state == JobState::Queued && progress.facts == 0 {
        return if wait > 0 {
            format!("a worker takes it in {}", time::span(wait))
        } else {
            "a worker takes it, once one is free and the earlier jobs of this builder have ended".to_owned()
        };
    }
    let now = Now {
        now_ms: setting.now_ms,
        policy: setting.policy,
        visibility_secs: setting.visibility_secs,
        seed: u64::try_from(job.id.0).unwrap_or_default(),
    };
    let text = describe(progress, &next(progress, &now), setting.now_ms);
    if job.state == JobState::Queued && wait > 0 { format!("{text}, in {}", time::span(wait)) } else { text }
}

fn describe(progress: &Progress, step: &Move, now_ms: i64) -> String {
    let plan = progress.plan.as_ref();
    let until = |at_ms: i64| {
        if at_ms > now_ms { format!(" in {}", time::span(at_ms - now_ms)) } else { " now".to_owned() }
    };
    match step {
        Move::Plan if progress.generation > 0 => "another plan is made, for the next candidate".to_owned(),
        Move::Plan => "a plan is made".to_owned(),
        Move::Call { resource, verb } => format!("{} {}", verb.as_str(), name_of(plan, *resource)),
        Move::Look { resources, from_ms } => {
            let names: Vec<String> = resources.iter().map(|id| name_of(plan, *id)).collect();
            format!("look at {}{}", names.join(", "), until(*from_ms))
        }
        Move::Sleep { until_ms } => format!("try again{}", until(*until_ms)),
        Move::Settle { resource } => format!("write down that {} is not there", name_of(plan, *resource)),
        Move::Unwind { because, then } => {
            let then = match then {
                After::Fail => "fail",
                After::Replan => "try the next candidate",
                After::Cancel => "be cancelled",
            };
            format!("take back what was begun, then {then}, because {}", trouble_line(because))
        }
        Move::End(outcome) => format!("end as {}", outcome.ending.state().as_str()),
    }
}

/// What the job is doing now, for a progress line.
pub(crate) fn current_step(job: &JobView, progress: &Progress) -> String {
    if job.state == JobState::Queued && progress.facts == 0 {
        return "waits for a worker".to_owned();
    }
    match &progress.phase {
        Phase::Unplanned => "plans".to_owned(),
        Phase::Ended(outcome) => outcome.ending.state().as_str().to_owned(),
        Phase::Unwinding { then: After::Replan, .. } => "no luck there: takes it back and tries elsewhere".to_owned(),
        Phase::Unwinding { .. } => "takes back what it had begun".to_owned(),
        Phase::Forward => forward_step(progress),
    }
}

fn forward_step(progress: &Progress) -> String {
    let Some(plan) = &progress.plan else { return "plans".to_owned() };
    let open = plan.steps.iter().enumerate().find_map(|(index, step)| {
        let thing = progress.things.get(&step.resource)?;
        (step.born_with.is_none() && !thing.meets(step)).then_some((index, step, thing))
    });
    let Some((index, step, thing)) = open else { return "ends".to_owned() };
    let state = match (&thing.error, &thing.certainty) {
        (Some((_, error)), _) => format!("{}, tried again", error.trouble.code),
        (None, Certainty::Nothing) => "to be made".to_owned(),
        (None, Certainty::Believed) => "is asked for".to_owned(),
        (None, Certainty::Maybe { .. }) => "asked for, not answered yet".to_owned(),
        (None, Certainty::Seen(observed)) => match observed {
            providers::Observed::Absent { .. } => "gone".to_owned(),
            providers::Observed::Pending(_) => "on its way".to_owned(),
            providers::Observed::Ready(_) => "there".to_owned(),
            providers::Observed::Leaving(_) => "going".to_owned(),
            providers::Observed::Broken { .. } => "broken".to_owned(),
        },
    };
    let blueprint = &step.blueprint;
    let place = blueprint.zone().map_or_else(|| blueprint.region().to_string(), |zone| zone.to_string());
    format!("step {}/{}: {} in {place}: {state}", index + 1, plan.steps.len(), blueprint.kind())
}
