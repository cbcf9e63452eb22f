//! Text tables: alignment by display width, splitting to fit, Markdown.

use unicode_width::UnicodeWidthStr;

use crate::base::text::markdown as escape;

/// How a piece of text stands out where colour is allowed; it never carries meaning alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Paint {
    /// As the terminal prints it.
    #[default]
    Plain,
    /// Headings.
    Bold,
    /// Asides.
    Dim,
    /// Good.
    Green,
    /// Needs attention.
    Yellow,
}

impl Paint {
    /// Wraps `text` in the escape codes of this paint, if `colour` is on.
    pub(super) fn on(self, text: &str, colour: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            _ if !colour || text.is_empty() => return text.to_owned(),
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "1;32",
            Self::Yellow => "33",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Where text stands within its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// At the left.
    Left,
    /// At the right.
    Right,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextColumn {
    /// Heading.
    pub head: String,
    /// Where heading and entries stand.
    pub align: Align,
    /// Entries from top to bottom.
    pub entries: Vec<(String, Paint)>,
}

impl TextColumn {
    /// Returns a column of plain text.
    pub(super) fn plain(head: impl Into<String>, align: Align, entries: Vec<String>) -> Self {
        let entries = entries.into_iter().map(|text| (text, Paint::Plain)).collect();
        Self { head: head.into(), align, entries }
    }

    fn width(&self) -> usize {
        let entries = self.entries.iter().map(|(text, _)| text.width());
        entries.chain([self.head.width()]).max().unwrap_or(0)
    }
}

/// A table whose first columns are repeated wherever it is split.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TextTable {
    /// What the columns after the keys share, printed above their headings.
    pub banner: Option<String>,
    /// Columns that name the rows.
    pub keys: Vec<TextColumn>,
    /// The other columns.
    pub columns: Vec<TextColumn>,
    /// How they are shared out where they do not fit beside each other.
    pub split: Split,
}

/// How columns are shared out over the parts of a table that is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Split {
    /// As many as fit in each part.
    #[default]
    Full,
    /// About equally many in each part.
    Even,
}

/// Spaces between two columns.
const GAP: usize = 2;
/// Spaces before the first column.
const INDENT: usize = 1;

impl TextTable {
    /// Returns the columns the table takes where it is not split.
    pub(super) fn width(&self) -> usize {
        let columns = self.keys.iter().chain(&self.columns);
        INDENT + columns.map(|column| column.width() + GAP).sum::<usize>() - GAP
    }

    /// Draws the table in lines of at most `width` columns, in several parts where it must be
    /// split; a single column that is wider than that is drawn all the same.
    pub(super) fn draw(&self, width: usize, colour: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for part in self.parts(width) {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            self.draw_part(part, colour, &mut lines);
        }
        lines
    }

    /// Returns the columns of each part, as few parts as can be.
    fn parts(&self, width: usize) -> Vec<&[TextColumn]> {
        let fewest = self.parts_within(width);
        // What fits at once is not evened out, however wide the page.
        if self.split == Split::Full || fewest.len() == 1 {
            return fewest;
        }
        let narrower = (1..width).rev().map(|width| self.parts_within(width));
        narrower.take_while(|parts| parts.len() == fewest.len()).last().unwrap_or(fewest)
    }

    /// Fills each part with as many columns as fit.
    fn parts_within(&self, width: usize) -> Vec<&[TextColumn]> {
        let keys: usize = INDENT + self.keys.iter().map(|key| key.width() + GAP).sum::<usize>();
        let (mut parts, mut from, mut used) = (Vec::new(), 0, keys);
        for (index, width_of) in self.columns.iter().map(TextColumn::width).enumerate() {
            let gap = if index > from { GAP } else { 0 };
            if index > from && used + gap + width_of > width {
                parts.push(&self.columns[from..index]);
                (from, used) = (index, keys + width_of);
            } else {
                used += gap + width_of;
            }
        }
        parts.push(&self.columns[from..]);
        parts
    }

    fn draw_part(&self, part: &[TextColumn], colour: bool, lines: &mut Vec<String>) {
        let columns: Vec<&TextColumn> = self.keys.iter().chain(part).collect();
        if let Some(banner) = &self.banner {
            let keys: usize = self.keys.iter().map(|key| key.width() + GAP).sum();
            let banner = Paint::Dim.on(banner, colour);
            lines.push(format!("{}{banner}", " ".repeat(INDENT + keys)));
        }
        let head = |column: &&TextColumn| (column.head.clone(), Paint::Bold);
        lines.push(join(&columns, columns.iter().map(head), colour));
        let rule: Vec<String> = columns.iter().map(|column| "─".repeat(column.width())).collect();
        let rule = format!("{}{}", " ".repeat(INDENT), rule.join(&" ".repeat(GAP)));
        lines.push(Paint::Dim.on(&rule, colour));
        let rows = columns.iter().map(|column| column.entries.len()).max().unwrap_or(0);
        for row in 0..rows {
            let entry = |column: &&TextColumn| column.entries.get(row).cloned().unwrap_or_default();
            lines.push(join(&columns, columns.iter().map(entry), colour));
        }
    }

    /// Writes the table as a Markdown table, whole.
    pub(super) fn markdown(&self) -> Vec<String> {
        let columns: Vec<&TextColumn> = self.keys.iter().chain(&self.columns).collect();
        let line = |texts: Vec<String>| format!("| {} |", texts.join(" | "));
        let rule = |column: &&TextColumn| match column.align {
            Align::Left => ":--".to_owned(),
            Align::Right => "--:".to_owned(),
        };
        let mut lines = vec![
            line(columns.iter().map(|column| escape(&column.head)).collect()),
            line(columns.iter().map(rule).collect()),
        ];
        let rows = columns.iter().map(|column| column.entries.len()).max().unwrap_or(0);
        for row in 0..rows {
            let entry = |column: &&TextColumn| match column.entries.get(row) {
                None => String::new(),
                Some((text, paint)) => {
                    let words: Vec<&str> = text.split_whitespace().collect();
                    let text = escape(&words.join(" "));
                    if *paint == Paint::Green { format!("**{text}**") } else { text }
                }
            };
            lines.push(line(columns.iter().map(entry).collect()));
        }
        lines
    }
}

fn join(
    columns: &[&TextColumn],
    texts: impl Iterator<Item = (String, Paint)>,
    colour: bool,
) -> String {
    let mut line = " ".repeat(INDENT);
    for (index, (column, (text, paint))) in columns.iter().zip(texts).enumerate() {
        if index > 0 {
            line.push_str(&" ".repeat(GAP));
        }
        let padding = " ".repeat(column.width().saturating_sub(text.width()));
        let text = paint.on(&text, colour);
        match column.align {
            Align::Left => line.extend([text, padding]),
            Align::Right => line.extend([padding, text]),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Breaks `parts` into lines of at most `width`, joined by `separator`; later lines are indented.
pub(crate) fn wrap_parts(
    parts: &[String],
    separator: &str,
    width: usize,
    indent: usize,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.width() + separator.width() + part.width() <= width => {
                line.push_str(separator);
                line.push_str(part);
            }
            Some(_) => lines.push(format!("{}{part}", " ".repeat(indent))),
            None => lines.push(part.clone()),
        }
    }
    lines
}

/// Breaks `text` at spaces into lines of at most `width`; later lines are indented.
pub(crate) fn wrap_text(text: &str, width: usize, indent: usize) -> Vec<String> {
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    wrap_parts(&words, " ", width, indent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TextTable {
        let entries = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        TextTable {
            banner: Some("zoom →".to_owned()),
            keys: vec![TextColumn::plain("shift ↓", Align::Left, entries(&["0", "0.1"]))],
            columns: vec![
                TextColumn::plain("a", Align::Left, entries(&["98.1 ± 0.2", ""])),
                TextColumn::plain("b|c", Align::Right, entries(&["1", "2 ●"])),
            ],
            split: Split::Even,
        }
    }

    #[test]
    fn columns_align_by_display_width() {
        let lines = [
            "          zoom →",
            " shift ↓  a           b|c",
            " ───────  ──────────  ───",
            " 0        98.1 ± 0.2    1",
            " 0.1                  2 ●",
        ];
        assert_eq!(table().draw(80, false), lines);
    }

    #[test]
    fn a_table_too_wide_is_split_and_repeats_its_keys() {
        let lines = table().draw(22, false);
        assert!(lines.iter().all(|line| line.width() <= 22), "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| line.contains("shift ↓")).count(), 2);
    }

    #[test]
    fn a_page_of_any_width_is_laid_out_at_once() {
        assert_eq!(table().draw(usize::MAX, false), table().draw(80, false));
    }

    #[test]
    fn colour_changes_no_width() {
        let mut table = table();
        table.columns[0].entries[0].1 = Paint::Green;
        let plain = table.draw(80, false);
        let painted = table.draw(80, true);
        let strip = |line: &String| {
            ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[1;32m", "\u{1b}[0m"]
                .iter()
                .fold(line.clone(), |line, code| line.replace(code, ""))
                .trim_end()
                .to_owned()
        };
        assert_ne!(plain, painted);
        assert_eq!(plain, painted.iter().map(strip).collect::<Vec<_>>());
    }

    #[test]
    fn markdown_escapes_what_would_break_the_table() {
        assert_eq!(table().markdown()[0], r"| shift ↓ | a | b\|c |");
    }

    #[test]
    fn long_text_is_wrapped_at_spaces() {
        assert_eq!(wrap_text("one two three", 8, 2), ["one two", "  three"]);
    }
}
