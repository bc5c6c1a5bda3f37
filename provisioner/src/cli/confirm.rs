//! The question before a deletion. It is asked of people only: a script has no terminal and gets no question.

use std::io::{self, IsTerminal as _, Write as _};

use super::Failure;

/// Goes on if `yes` was given, if nobody is there to ask, or if the name is typed again.
pub(crate) fn by_name(what: &str, name: &str, yes: bool) -> Result<(), Failure> {
    if yes || !io::stdin().is_terminal() {
        return Ok(());
    }
    let mut err = io::stderr();
    write!(err, "This deletes {what} for good. Type {name} to go on: ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == name {
        return Ok(());
    }
    Err(Failure::failed(format!("`{}` is not {name}: nothing was done", answer.trim()))
        .remedy("type the name as it stands, or give --yes"))
}
