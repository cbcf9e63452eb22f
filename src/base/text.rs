//! Texts that several modules write: counts with their noun, and text made harmless for a language.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

/// Prints a number with `decimals` places, a true minus sign and commas between thousands.
pub(crate) fn decimal(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "NaN".to_owned() } else { format!("{value}") };
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    if value < 0.0 && text.contains(|c: char| ('1'..='9').contains(&c)) {
        out.push('−');
    }
    // Digits beyond what 128 bits hold are printed as they are.
    out.push_str(&whole.parse().map_or_else(|_| whole.to_owned(), grouped));
    out + rest
}

/// Prints a count with a comma between thousands: `1,797`.
pub(crate) fn grouped(count: u128) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Prints a count with commas between thousands.
pub(crate) fn whole(count: usize) -> String {
    grouped(count as u128)
}

/// Prints a count with the noun, which gets `s`, or `es` after an `s`, unless it is one.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = match count {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{plural}", whole(count))
}

/// Returns a text such that all texts that look the same in print give the same: accents are composed,
/// characters that take no place are gone.
pub(crate) fn as_seen(text: &str) -> String {
    text.nfc().filter(|c| !is_invisible(*c)).collect()
}

/// Returns whether a character takes no place in print: zero-width spaces, joiners and marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// Makes text harmless inside XML, HTML and SVG, between tags and in quoted attributes; characters XML
/// forbids become the replacement character.
pub(crate) fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            c if !is_printable(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Makes the text of a file harmless for whoever looks at it in a terminal or on GitHub, as
/// [`printable`] does what is printed; `commands` says whether lines may begin with `::`.
pub(crate) fn harmless(text: &str, commands: bool) -> String {
    printable(text, &mut Printing { colors: false, commands, at_line_start: true, hashes: 0 })
}

/// What [`printable`] lets through besides text, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Printing {
    /// Whether the colours that `bench` itself uses pass.
    pub colors: bool,
    /// Whether lines that begin with `::` pass: the workflow commands that `bench` itself writes.
    pub commands: bool,
    /// Whether nothing but spaces was printed on the current line.
    pub at_line_start: bool,
    /// How many `#` were printed last.
    pub hashes: usize,
}

/// The escape codes that `bench` itself uses.
const COLORS: [&str; 5] = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[1;32m", "\u{1b}[33m"];

/// Makes text harmless for a terminal and for GitHub's runner, wherever it came from: control
/// characters and marks of direction become `\u001b`, which is the same text in JSON, and no line is a
/// workflow command.
///
/// The runner takes a line that begins with `::` after spaces for a command, and `##[` anywhere
/// (`ActionCommand.cs` in <https://github.com/actions/runner>).
#[must_use]
pub fn printable(text: &str, printing: &mut Printing) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if printing.colors
            && let Some(color) = COLORS.iter().find(|color| rest.starts_with(**color))
        {
            out.push_str(color);
            rest = &rest[color.len()..];
            printing.hashes = 0;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        let is_command = printing.at_line_start && !printing.commands && c == ':';
        let ends_in_command = is_command && (rest.is_empty() || rest.starts_with(':'))
            || c == '[' && printing.hashes >= 2;
        if ends_in_command || !is_printable(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("text takes what is written to it");
            }
        } else {
            out.push(c);
        }
        printing.at_line_start = c == '\n' || printing.at_line_start && c.is_whitespace();
        printing.hashes = if c == '#' { printing.hashes + 1 } else { 0 };
    }
    out
}

/// Returns whether a terminal shows a character, or breaks a line at it, and does nothing else.
pub(crate) fn is_printable(c: char) -> bool {
    match c {
        '\n' | '\t' => true,
        // Marks of direction would turn the rest of the line around; the others are not to be seen.
        '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => false,
        c => !c.is_control(),
    }
}

/// Makes text harmless inside Markdown: a table cell, a heading, a list item.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '#' => out.extend(['\\', c]),
            '\n' | '\r' => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

/// Makes a sentence harmless inside Markdown; what stands between backticks stays code.
pub(crate) fn markdown_prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) || text.contains(['\n', '\r', '|']) {
        return markdown(text);
    }
    let part = |(index, part): (usize, &&str)| {
        if index % 2 == 1 { format!("`{part}`") } else { markdown(part) }
    };
    parts.iter().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Printing =
        Printing { colors: false, commands: false, at_line_start: true, hashes: 0 };

    #[test]
    fn nothing_printed_moves_a_cursor_or_turns_a_line_around() {
        let hostile = "a\u{1b}[2J\u{9b}1m\0\r\u{202e}b\u{e0041}\tc\n\u{1b}[33m";
        let plain = "a\\u001b[2J\\u009b1m\\u0000\\u000d\\u202eb\\udb40\\udc41\tc\n\\u001b[33m";
        assert_eq!(printable(hostile, &mut { PLAIN }), plain);
        let json = serde_json::to_string("\u{7f}\u{202e}\u{e0041}").unwrap();
        let read: String = serde_json::from_str(&printable(&json, &mut { PLAIN })).unwrap();
        assert_eq!(read, "\u{7f}\u{202e}\u{e0041}", "JSON says the same");
        let mut colored = Printing { colors: true, ..PLAIN };
        assert_eq!(
            printable("\u{1b}[33mx\u{1b}[0m\u{1b}[8m", &mut colored),
            "\u{1b}[33mx\u{1b}[0m\\u001b[8m"
        );
    }

    #[test]
    fn no_line_is_a_workflow_command_unless_bench_wrote_it() {
        let text = "a::b\n  ::error::x\n##[add-mask]x\n:";
        let mut printing = PLAIN;
        assert_eq!(
            printable(text, &mut printing),
            "a::b\n  \\u003a:error::x\n##\\u005badd-mask]x\n\\u003a"
        );
        assert!(!printing.at_line_start);
        assert_eq!(printable("::x", &mut printing), "::x", "the line goes on");
        let parts = ["#", "#", "[add-mask]x"].map(|part| printable(part, &mut printing));
        assert_eq!(parts.concat(), "##\\u005badd-mask]x", "written in parts");
        let mut own = Printing { commands: true, ..PLAIN };
        assert_eq!(printable("::error::x\n", &mut own), "::error::x\n");
    }

    #[test]
    fn large_numbers_are_grouped_and_small_ones_are_not() {
        assert_eq!(decimal(1_234_567.0, 0), "1,234,567");
        assert_eq!(decimal(-1234.5, 1), "−1,234.5");
        assert_eq!(decimal(999.0, 0), "999");
        assert_eq!(
            [0, 999, 1_000, 1_438, 18_446_744_073_709_551_616].map(grouped).join(" "),
            "0 999 1,000 1,438 18,446,744,073,709,551,616"
        );
        assert_eq!(
            [counted(1, "cell"), counted(1200, "cell"), counted(0, "class"), counted(1, "class")],
            ["1 cell", "1,200 cells", "0 classes", "1 class"]
        );
    }

    #[test]
    fn nothing_in_a_text_can_end_a_tag_or_an_attribute() {
        assert_eq!(
            markup("<a b=\"c\" d='e'>&\u{0}"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\u{fffd}"
        );
        assert_eq!(markup("a\u{202e}b\u{1b}"), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn markdown_escapes_what_would_break_a_table() {
        assert_eq!(markdown("a_b\n<i>|"), r"a\_b \<i\>\|");
        assert_eq!(markdown_prose("set `a_b` to *3*"), r"set `a_b` to \*3\*");
        assert_eq!(markdown_prose("a ` alone_"), r"a \` alone\_");
    }
}
