//! Reconcile on the modelled cloud: a zoo of all that can go wrong among healthy builders, listings that lie, clocks that are
//! wrong, brakes, holds, plans, and rules for what is not used.

#[path = "reconcile/brakes.rs"]
mod brakes;
#[path = "reconcile/idle.rs"]
mod idle;
#[path = "reconcile/lies.rs"]
mod lies;
#[path = "reconcile/plans.rs"]
mod plans;
#[path = "reconcile/plant.rs"]
mod plant;
#[path = "reconcile/zoo.rs"]
mod zoo;
