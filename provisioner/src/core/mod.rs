//! The pure heart: requests, plans, facts, and the two functions between them.
//!
//! [`plan()`] turns a request and what the database knows into immutable data; [`Progress`] is a fold over
//! recorded facts; [`next()`] says what to do now. No I/O happens here, and time comes in as an argument.

pub mod access;
pub mod audit;
pub mod cache_limits;
pub mod fact;
pub mod finding;
pub mod id;
pub mod job;
pub mod next;
pub mod plan;
pub mod policy;
pub mod progress;
pub mod request;
pub mod row;
pub mod scene;
pub mod secret;
#[cfg(test)]
mod tests;
pub mod trust;

pub use access::{Act, Identity, Place, Role, Tenants, TokenScope, Who, Word};
pub use cache_limits::CacheShapeError;
pub use fact::{After, Entry, Fact, Verb};
pub use finding::{Effect, Finding, Repair, Verdict};
pub use id::{GrantId, JobId, Name, NameError, OrgId, ProjectId, TokenId, TrustId, UserId};
pub use job::{Ending, JobState, Outcome};
pub use next::{Move, Now, next, shown_by_ms};
pub use plan::{Blueprint, Candidate, Drop, Goal, Plan, PlanError, Prior, Step, Stock, make::Ground, plan};
pub use policy::Policy;
pub use progress::{Certainty, Phase, Progress, Thing};
pub use request::{Lane, Request, Scope};
pub use row::{ResourceRow, RowChange, RowState};
pub use scene::{Org, Project, Scene, Stray};
pub use secret::{Secret, SecretError, TokenKind};
pub use trust::{Claims, Mismatch, RefPattern, Repository, Trust};
