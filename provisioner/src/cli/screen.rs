//! Where results go: tables on standard output for people, JSON for programs.
//!
//! On a terminal a table fits its width and has colour (unless `NO_COLOR` is set); elsewhere it is plain lines, whole and
//! uncoloured. It never asks the database anything.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{Failure, args::Output};

/// What standard output can show, and what was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) output: Output,
    /// Whether standard output is a terminal.
    pub(crate) terminal: bool,
    /// Whether colour is wanted there.
    pub(crate) colour: bool,
}

impl Screen {
    /// The one of this process.
    pub(crate) fn new(output: Output) -> Self {
        let terminal = io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { output, terminal, colour: terminal && !refused && !dumb }
    }

    pub(crate) fn is_json(self) -> bool {
        self.output == Output::Json
    }

    /// A value as JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = if self.terminal { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? };
        self.line(&text)
    }

    /// A line of text.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        match writeln!(io::stdout(), "{text}") {
            Ok(()) => Ok(()),
            // `... | head` has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Rows as a table, or what to say when there are none.
    pub(crate) fn table(self, head: &[&str], rows: Vec<Vec<String>>, none: &str) -> Result<(), Failure> {
        if rows.is_empty() {
            return self.line(none);
        }
        self.line(&self.table_text(head, rows))
    }

    /// The table as text, without a newline at its end.
    pub(crate) fn table_text(self, head: &[&str], rows: Vec<Vec<String>>) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let arrangement = if self.terminal { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
        table.set_content_arrangement(arrangement);
        table.set_header(head.iter().map(|title| self.bold(Cell::new(title))));
        for row in rows {
            table.add_row(row.into_iter().map(|text| self.cell(text)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    fn bold(self, cell: Cell) -> Cell {
        if self.colour { cell.add_attribute(Attribute::Bold) } else { cell }
    }

    fn cell(self, text: String) -> Cell {
        let colour = if self.colour { colour_of(&text) } else { None };
        let cell = Cell::new(text);
        match colour {
            Some(colour) => cell.fg(colour),
            None => cell,
        }
    }

    /// The text in the colour of the state that it names.
    pub(crate) fn paint(self, text: &str) -> String {
        let code = match colour_of(text) {
            Some(Color::Green) => 32,
            Some(Color::Yellow) => 33,
            Some(Color::Red) => 31,
            _ => return text.to_owned(),
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// States have colours; nothing else has.
fn colour_of(text: &str) -> Option<Color> {
    match text {
        "succeeded" | "ready" | "running" => Some(Color::Green),
        "queued" | "pending" | "maybe" | "leaving" | "deleting" | "cancelled" => Some(Color::Yellow),
        "failed" | "stuck" | "broken" | "STUCK" => Some(Color::Red),
        _ => None,
    }
}

/// What stands in a table where there is nothing.
pub(crate) fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elsewhere_than_on_a_terminal_a_table_is_plain_and_whole() {
        let screen = Screen { output: Output::Table, terminal: false, colour: false };
        let long = "x".repeat(300);
        let text = screen
            .table_text(&["NAME", "STATE"], vec![vec!["a".into(), "ready".into()], vec![long.clone(), "stuck".into()]]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[2].starts_with(&long));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
        assert!(lines[0].starts_with("NAME "));
    }
}
