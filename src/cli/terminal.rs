//! What the terminal can show.

use std::io::IsTerminal;

use super::arguments::Color;
use crate::report::wrap_parts;

/// Width assumed where nothing says otherwise.
const USUAL_WIDTH: usize = 100;
/// Narrowest width a table is laid out for.
const MIN_WIDTH: usize = 60;
/// Widest width that is believed.
const MAX_WIDTH: usize = 1000;

/// What the terminal can show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    /// Whether standard output takes colour.
    pub(super) color: bool,
    /// Columns.
    pub(super) width: usize,
    /// Whether standard output is shown to a person.
    pub(super) is_shown: bool,
    /// Whether standard error is watched by a person.
    pub(super) is_watched: bool,
}

impl Terminal {
    /// Looks at the process's streams and environment.
    pub(super) fn of(color: Color) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = match color {
            Color::Auto => is_terminal && !refused && !is_dumb,
            Color::Always => true,
            Color::Never => false,
        };
        Self {
            color,
            width: width(),
            is_shown: is_terminal,
            is_watched: std::io::stderr().is_terminal(),
        }
    }
}

/// Returns `COLUMNS` where it is set, else the width of the terminal, else the usual one.
pub(super) fn width() -> usize {
    let told = std::env::var_os("COLUMNS").and_then(|text| text.to_str()?.parse::<usize>().ok());
    let seen = || {
        let (_, columns) = console::Term::stdout().size_checked()?;
        Some(usize::from(columns))
    };
    told.or_else(seen).unwrap_or(USUAL_WIDTH).clamp(MIN_WIDTH, MAX_WIDTH)
}

/// Prints a sentence in lines that the terminal holds.
pub(super) fn print_text(text: &str) {
    for line in wrap_parts(&words(text), " ", width(), 2) {
        outln!("{line}");
    }
}

/// Breaks the lines of a text that are wider than `width`; what is broken off is indented below.
pub(super) fn fitted(text: &str, width: usize) -> String {
    let broken = text.lines().flat_map(|line| {
        let rest = line.trim_start();
        let indent = line.len() - rest.len();
        let parts = wrap_parts(&words(rest), " ", width.saturating_sub(indent), 2);
        let is_wide = line.chars().count() > width;
        let lines = if is_wide { parts } else { vec![rest.to_owned()] };
        lines.into_iter().map(move |part| format!("{:indent$}{part}\n", ""))
    });
    broken.collect()
}

/// Cuts a text at spaces.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_are_too_wide_are_broken_below_their_beginning() {
        let text = "one  two\n  three four five\n";
        assert_eq!(fitted(text, 80), text);
        assert_eq!(fitted(text, 14), "one  two\n  three four\n    five\n");
    }
}
