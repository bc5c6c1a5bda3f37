//! The list of all cases, and the loop that runs them.

use std::future::Future;
use std::pin::Pin;

use super::stage::{Flaw, Stage};
use super::{CaseResult, Cloudlike, Verdict, access, keys, listings, machines, power, strays, trouble, volumes};

type Played<'a> = Pin<Box<dyn Future<Output = Result<(), Flaw>> + Send + 'a>>;

/// A case: its name, and what it does.
struct Case {
    name: &'static str,
    play: for<'a> fn(&'a Stage<'a>) -> Played<'a>,
}

/// A case is named after its function.
macro_rules! cases {
    ($($module:ident: $($name:ident),+ $(,)?;)+) => {
        &[$($(Case { name: concat!(stringify!($module), "::", stringify!($name)), play: |stage| Box::pin($module::$name(stage)) }),+),+]
    };
}

const CASES: &[Case] = cases! {
    keys:
        is_made_once_and_found_again,
        is_never_shared_by_two_organizations,
        leaves_when_removed_and_is_not_used_again,
        of_nobody_is_absent_and_its_removal_succeeds,
        whose_making_was_cut_short_is_found_by_tag_and_finished,
        whose_answer_was_lost_is_found_and_finished,
        that_is_disabled_is_diagnosed,
        that_is_to_be_deleted_is_diagnosed;
    machines:
        are_one_for_one_token,
        are_refused_for_a_used_token_with_another_request,
        are_not_made_again_by_a_spent_token,
        are_what_was_asked_for_on_both_architectures,
        are_found_by_tag_after_a_lost_answer,
        are_removed_twice_with_success,
        that_never_were_are_removed_with_success,
        stand_in_their_own_residency_only;
    volumes:
        are_born_encrypted_with_the_right_key,
        outlive_their_machine,
        go_to_a_new_machine,
        are_refused_in_another_zone,
        are_refused_to_a_second_machine,
        are_not_removed_while_attached,
        are_removed_twice_with_success,
        under_another_key_than_expected_are_broken;
    power:
        can_be_asked_for_twice,
        of_nothing_is_absent;
    trouble:
        with_a_key_is_told_of_the_machine_that_died_of_it,
        with_capacity_comes_before_any_effect,
        with_a_wrong_region_is_refused;
    strays:
        are_marked_and_show_their_mark,
        are_switched_off_and_removed_by_name,
        that_never_were_are_absent,
        tags_are_written_again_without_harm;
    access:
        is_for_one_person_until_it_is_closed,
        stays_when_another_grants_is_closed,
        is_only_onto_the_machine_that_was_meant;
    listings:
        show_everything_to_the_last_page,
        show_nothing_that_is_gone,
        are_spared_by_one_look_at_many;
};

/// Runs all cases, one after the other, and cleans up after each.
pub async fn suite(cloud: &dyn Cloudlike) -> Vec<CaseResult> {
    let mut results = Vec::with_capacity(CASES.len());
    for case in CASES {
        let stage = Stage::new(cloud, case.name);
        let played = (case.play)(&stage).await;
        let cleaned = stage.clean().await;
        let verdict = match (played, cleaned) {
            (Ok(()), Ok(())) => Verdict::Passed,
            (Ok(()), Err(why)) => Verdict::Failed(format!("cleaning up: {why}")),
            (Err(Flaw::Skip(why)), _) => Verdict::Skipped(why),
            (Err(Flaw::Fail(why)), _) => Verdict::Failed(why),
        };
        results.push(CaseResult { name: case.name, verdict });
    }
    results
}
