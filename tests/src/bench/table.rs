//! Figures and their targets, as a table.

use std::fmt::Write as _;

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }
}

/// The lines so far.
#[derive(Debug, Default)]
pub(super) struct Table {
    lines: Vec<[String; 6]>,
    missed: usize,
}

impl Table {
    /// A figure that stands for itself.
    pub(super) fn figure(&mut self, what: &str, figure: f64, target: Option<Target>) {
        self.line(what, "", "", figure, target);
    }

    /// Ours over the bare one's.
    pub(super) fn ratio(&mut self, what: &str, ours: f64, bare: f64, unit: &str, target: Option<Target>) {
        let show = |value: f64| format!("{}{unit}", number(value));
        self.line(what, &show(ours), &show(bare), ours / bare, target);
    }

    fn line(&mut self, what: &str, ours: &str, bare: &str, figure: f64, target: Option<Target>) {
        let (wanted, verdict) = match target {
            None => (String::new(), ""),
            Some(target) => {
                let met = target.is_met(figure);
                self.missed += usize::from(!met);
                let wanted = match target {
                    Target::AtMost(most) => format!("<= {}", number(most)),
                    Target::AtLeast(least) => format!(">= {}", number(least)),
                };
                (wanted, if met { "ok" } else { "MISSED" })
            }
        };
        let line = [what.to_owned(), ours.to_owned(), bare.to_owned(), number(figure), wanted, verdict.to_owned()];
        eprintln!("  {}", line.join("  "));
        self.lines.push(line);
    }

    /// Prints it; true if every target was met.
    pub(super) fn print(&self, title: &str) -> bool {
        let head = ["", "ours", "bare", "figure", "target", ""].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(&head).chain(&self.lines).collect();
        let widths: Vec<_> = (0..6).map(|n| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0)).collect();
        let mut text = format!("\n{title}\n\n");
        for row in rows {
            let _ = write!(text, "{:<width$}", row[0], width = widths[0]);
            for n in 1..6 {
                let _ = write!(text, "  {:>width$}", row[n], width = widths[n]);
            }
            text.push('\n');
        }
        println!("{text}");
        self.missed == 0
    }
}

fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}

/// The middle one.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value that so many percent are below.
pub(super) fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len() * percent / 100).min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
