//! Log lines on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt};

use super::args::{Global, LogFormat};

/// Starts logging. `RUST_LOG` decides what is logged; without it `-v`, and `level` without that.
pub(crate) fn start(global: &Global, level: &str) {
    let level = match global.verbose {
        0 => level.to_owned(),
        1 => "warn,provisioner=debug,providers=debug".to_owned(),
        _ => "info,provisioner=trace,providers=trace".to_owned(),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, in a test for one, changes nothing.
    let _ = match global.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal() && !refused).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
