//! The routes, by what they are about. Each finds its place through [`Caller`](super::caller::Caller), which knows what is theirs.

pub(crate) mod builders;
pub(crate) mod events;
pub(crate) mod grants;
pub(crate) mod health;
pub(crate) mod holds;
pub(crate) mod jobs;
pub(crate) mod orgs;
pub(crate) mod people;
pub(crate) mod projects;
pub(crate) mod tokens;
pub(crate) mod trusts;
