//! Texts that several modules write: counts with their noun, and text made harmless for a language.

/// Prints a number with `decimals` places, a true minus sign and commas between thousands.
#[must_use]
pub fn decimal(value: f64, decimals: usize) -> String {
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
#[must_use]
pub fn grouped(count: u128) -> String {
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
#[must_use]
pub fn whole(count: usize) -> String {
    grouped(count as u128)
}

/// Prints a count with the noun, adding `s` unless it is one.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", whole(count))
}

/// Makes text harmless inside XML, HTML and SVG, between tags and in quoted attributes; characters XML
/// forbids become the replacement character.
#[must_use]
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Makes text harmless inside Markdown: a table cell, a heading, a list item.
#[must_use]
pub fn markdown(text: &str) -> String {
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
#[must_use]
pub fn markdown_prose(text: &str) -> String {
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
            (counted(1, "cell"), counted(1200, "cell")),
            ("1 cell".into(), "1,200 cells".into())
        );
    }

    #[test]
    fn nothing_in_a_text_can_end_a_tag_or_an_attribute() {
        assert_eq!(
            markup("<a b=\"c\" d='e'>&\u{0}"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\u{fffd}"
        );
    }

    #[test]
    fn markdown_escapes_what_would_break_a_table() {
        assert_eq!(markdown("a_b\n<i>|"), r"a\_b \<i\>\|");
        assert_eq!(markdown_prose("set `a_b` to *3*"), r"set `a_b` to \*3\*");
        assert_eq!(markdown_prose("a ` alone_"), r"a \` alone\_");
    }
}
