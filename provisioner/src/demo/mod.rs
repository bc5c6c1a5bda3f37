//! The demonstration.

use crate::cli::{Failure, screen::Screen};

pub(crate) async fn run(_screen: Screen) -> Result<(), Failure> {
    Err(Failure::failed("not yet"))
}
