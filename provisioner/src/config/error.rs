//! What is wrong with a configuration, in words that lead to its mending.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::{SEARCHED, locate};

/// A configuration that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file, unless a flag is to blame.
    pub file: Option<PathBuf>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The full key, such as `aws.regions.us-east-1.images`, or the flag; none if the file as a whole is to blame.
    pub key: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            if let Some(line) = self.line {
                write!(f, ", line {line}")?;
            }
            f.write_str(": ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl ConfigError {
    /// A flag or a variable is wrong.
    pub(super) fn bare(flag: &str, problem: String) -> Self {
        let remedy = format!("correct {flag}, or the environment variable behind it (see --help)");
        Self { file: None, line: None, key: Some(flag.to_owned()), problem, remedy }
    }

    /// There is no such file.
    pub(super) fn missing(file: &Path) -> Self {
        let remedy = format!(
            "write it, name another with --config or PROVISIONER_CONFIG, or leave both out: then {} is read if it exists",
            SEARCHED.join(" or ")
        );
        let problem = "there is no such file".to_owned();
        Self { file: Some(file.to_owned()), line: None, key: None, problem, remedy }
    }

    /// It can't be read.
    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        let remedy = "check its permissions, or name another with --config".to_owned();
        Self { file: Some(file.to_owned()), line: None, key: None, problem: error.to_string(), remedy }
    }

    /// The value of that key is wrong.
    pub(super) fn at(file: &Path, text: &str, key: &str, problem: String) -> Self {
        let line = locate::line_of_key(text, key);
        let remedy = match line {
            Some(line) => format!("correct `{key}` on line {line}"),
            None => format!("set `{key}`"),
        };
        Self { file: Some(file.to_owned()), line, key: Some(key.to_owned()), problem, remedy }
    }

    /// The text is no TOML, or not what we know.
    pub(super) fn of_toml(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map(|span| span.start);
        let line = start.map(|start| locate::line(text, start));
        let key = start.and_then(|start| locate::key_at(text, start));
        let problem = error.message().trim().replace('\n', ", ");
        let remedy = remedy(&problem, key.as_deref());
        Self { file: Some(file.to_owned()), line, key, problem, remedy }
    }
}

fn remedy(problem: &str, key: Option<&str>) -> String {
    let key = key.unwrap_or("it");
    if problem.starts_with("unknown field") {
        format!("rename `{key}` to a known key, or take it out")
    } else if let Some(name) = problem.strip_prefix("missing field ") {
        format!("add {name} there")
    } else if problem.starts_with("invalid type") || problem.starts_with("invalid value") {
        format!("give `{key}` a value of the expected kind")
    } else {
        "correct that line".to_owned()
    }
}
