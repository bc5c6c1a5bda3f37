//! Thousands of seeds of the simulation; and the proof that it notices when a rule is broken.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use provisioner::core::{JobState, policy::Sabotage};
use tests::simulation::{Report, simulate};

/// Seeds of an ordinary run; `SEEDS` sets another number.
const SEEDS: u64 = 2_000;
/// The first seed; `FIRST_SEED` sets another.
const FIRST: u64 = 1;
/// A break must show within so many seeds.
const BROKEN_SEEDS: u64 = 400;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn whatever_happens_the_cloud_and_the_database_agree() {
    let (first, count) = (number("FIRST_SEED", FIRST), number("SEEDS", SEEDS));
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let sum = Mutex::new(Report::default());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    match simulate(seed, None) {
                        Ok(report) => add(&mut sum.lock().unwrap(), report),
                        Err(error) => failures.lock().unwrap().push(format!("{error:#}")),
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap();
    let failures = failures.into_inner().unwrap();
    println!("{count} seeds, {first} to {}: {} failed", first + count - 1, failures.len());
    println!("machines made: {}, machines and volumes standing at the ends: {}", sum.machines, sum.standing);
    let jobs: BTreeMap<&str, usize> = sum.jobs.iter().map(|(state, n)| (state.as_str(), *n)).collect();
    println!("jobs by their end: {jobs:?}");
    println!(
        "runs of reconcile: {}, with {} findings that were in flight and left alone",
        sum.reconciled, sum.findings
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(sum.jobs.get(&JobState::Succeeded).copied().unwrap_or(0) as u64 > count, "the seeds did too little");
}

fn add(sum: &mut Report, report: Report) {
    for (state, count) in report.jobs {
        *sum.jobs.entry(state).or_default() += count;
    }
    sum.machines += report.machines;
    sum.standing += report.standing;
    sum.reconciled += report.reconciled;
    sum.findings += report.findings;
}

/// The first seed that notices the break, and nothing else: without it the same seed is sound.
fn caught(sabotage: Sabotage) {
    for seed in FIRST..FIRST + BROKEN_SEEDS {
        if let Err(error) = simulate(seed, Some(sabotage)) {
            simulate(seed, None).expect("the seed is sound without the break");
            println!("{sabotage:?} is caught: {error:#}");
            return;
        }
    }
    panic!("{sabotage:?} was not noticed in {BROKEN_SEEDS} seeds");
}

#[test]
fn random_tokens_are_caught() {
    caught(Sabotage::RandomTokens);
}

#[test]
fn missing_fences_are_caught() {
    caught(Sabotage::NoFencing);
}

#[test]
fn undoing_only_what_succeeded_is_caught() {
    caught(Sabotage::UndoOnlySucceeded);
}
