//! Tests of the modelled cloud: the suite that every provider passes, and one for each thing that makes clouds hard.

mod conformance;
mod faults;
mod liars;
mod model;
mod stage;
