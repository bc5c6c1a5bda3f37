//! A plan in words.

use super::short;
use crate::core::{Blueprint, Goal, Plan, Step};

/// `plan 2: c7g.4xlarge in aws/us-east-1b`.
pub(super) fn title(plan: &Plan) -> String {
    let number = plan.generation + 1;
    match &plan.candidate {
        Some(candidate) => format!("plan {number}: {} in {}", candidate.machine.name(), candidate.placement),
        None => format!("plan {number}"),
    }
}

/// The title and a line for each step.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let title = title(plan);
    let mut lines = vec![title.replacen('p', "P", 1)];
    for (index, step) in plan.steps.iter().enumerate() {
        let goal = format!("{}{}", goal_word(step.goal), origin(step));
        let kind = step.blueprint.kind();
        lines.push(format!("  {}. {kind:<10} {}  {}: {goal}", index + 1, short(step.resource), what(step)));
    }
    if plan.steps.is_empty() {
        lines.push("  nothing to do in the cloud".to_owned());
    }
    lines
}

fn what(step: &Step) -> String {
    match &step.blueprint {
        Blueprint::Key { region } => format!("the key of {} in {region}", step.owner.org),
        Blueprint::Volume { placement, shape, .. } => format!("{} GiB of cache in {placement}", shape.size_gib),
        Blueprint::Machine { placement, machine, .. } => format!("{} in {placement}", machine.name()),
        Blueprint::Attachment { machine, volume, .. } => {
            format!("volume {} on machine {}", short(*volume), short(*machine))
        }
        Blueprint::Stray { region, of, .. } => format!("a {of} without a record in {region}"),
    }
}

fn goal_word(goal: Goal) -> &'static str {
    match goal {
        Goal::Present => "to be there",
        Goal::Running => "to be running",
        Goal::Stopped => "to be stopped",
        Goal::Tagged => "to carry its tags",
        Goal::Recorded => "to be written down as it is",
        Goal::Gone => "to be gone",
    }
}

fn origin(step: &Step) -> String {
    match (&step.born_with, &step.prior) {
        (Some(parent), _) => format!(", born with {}", short(*parent)),
        (None, Some(prior)) => format!(" (was {})", prior.state.as_str()),
        (None, None) => String::new(),
    }
}
