//! The API, in this process, over real connections: who may do what, what is not theirs, many callers at once, and answers to what
//! nobody should send.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

#[path = "api/acquire.rs"]
mod acquire;
#[path = "api/answers.rs"]
mod answers;
#[path = "api/fuzz.rs"]
mod fuzz;
#[path = "api/grants.rs"]
mod grants;
#[path = "api/issuer.rs"]
mod issuer;
#[path = "api/oidc.rs"]
mod oidc;
#[path = "api/own.rs"]
mod own;
#[path = "api/processes.rs"]
mod processes;
#[path = "api/remote.rs"]
mod remote;
#[path = "api/stage.rs"]
mod stage;
#[path = "api/still.rs"]
mod still;
#[path = "api/table.rs"]
mod table;
#[path = "api/tls.rs"]
mod tls;
#[path = "api/transport.rs"]
mod transport;
#[path = "api/walled.rs"]
mod walled;
