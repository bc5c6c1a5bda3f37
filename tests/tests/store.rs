//! The store, on both databases: one suite, each test twice. Without PostgreSQL its half fails.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

#[path = "store/fixture.rs"]
mod fixture;

/// Each test on SQLite and on PostgreSQL, under names that say which.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::fixture::Fixture::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::fixture::Fixture::postgres().await).await;
            })*
        }
    };
}

#[path = "store/access.rs"]
mod access;
#[path = "store/constraints.rs"]
mod constraints;
#[path = "store/control.rs"]
mod control;
#[path = "store/corrupt.rs"]
mod corrupt;
#[path = "store/jobs.rs"]
mod jobs;
#[path = "store/opening.rs"]
mod opening;
#[path = "store/record.rs"]
mod record;
#[path = "store/tenants.rs"]
mod tenants;
#[path = "store/warden.rs"]
mod warden;
