//! From a place in a TOML text to the full key that stands there, and back.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The number of the line in which that byte stands, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    let upto = text.as_bytes().get(..at.min(text.len())).unwrap_or_default();
    1 + upto.iter().filter(|byte| **byte == b'\n').count()
}

/// The full key whose name or value covers that byte; none if the text is no TOML, or nothing is there.
pub(super) fn key_at(text: &str, at: usize) -> Option<String> {
    let table = DeTable::parse(text).ok()?;
    let mut path = Vec::new();
    descend(table.get_ref(), at, &mut path);
    (!path.is_empty()).then(|| path.join("."))
}

/// Follows the entries that cover `at`. A table's header and its body are apart in TOML, so a table is also entered if
/// something inside it covers the byte.
fn descend(table: &DeTable<'_>, at: usize, path: &mut Vec<String>) -> bool {
    for (name, value) in table {
        path.push(name.get_ref().to_string());
        let inside = match value.get_ref() {
            DeValue::Table(inner) => descend(inner, at, path),
            DeValue::Array(items) => items.iter().any(|item| match item.get_ref() {
                DeValue::Table(inner) => descend(inner, at, path),
                _ => false,
            }),
            _ => false,
        };
        if inside || covers(&name.span(), at) || covers(&value.span(), at) {
            return true;
        }
        path.pop();
    }
    false
}

fn covers(span: &Range<usize>, at: usize) -> bool {
    span.contains(&at)
}

/// The line of that full key, or of the nearest table above it that is written down.
pub(super) fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut here: &DeTable<'_> = table.get_ref();
    let mut found: Option<Range<usize>> = None;
    for part in key.split('.') {
        let Some((name, value)) = find(here, part) else { break };
        found = Some(name.span());
        match value.get_ref() {
            DeValue::Table(inner) => here = inner,
            _ => break,
        }
    }
    found.map(|span| line(text, span.start))
}

fn find<'t, 'i>(
    table: &'t DeTable<'i>,
    part: &str,
) -> Option<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    table.iter().find(|(name, _)| name.get_ref() == part)
}
