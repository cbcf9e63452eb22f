//! Problems of an experiment file: what was found, what was expected, where, and the way out.

use std::fmt;

use unicode_width::UnicodeWidthChar;

/// One thing that is wrong, with its location and a way out where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What was found and what was expected.
    pub message: String,
    /// Where it was typed; absent for values that were not typed anywhere.
    pub location: Option<Location>,
    /// A command or an edit that helps.
    pub hint: Option<String>,
}

/// Characters of a line that are shown.
const MAX_LINE: usize = 160;

/// A stretch of one line of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Name of the text: the file, or `--set`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Character within the line, from 1.
    pub column: usize,
    /// The line itself.
    pub line_text: String,
    /// Number of characters concerned, at least 1.
    pub length: usize,
}

impl Location {
    /// Returns the location of the bytes `start..end` of `text`, cut at the end of the first line.
    pub(crate) fn of(file: &str, text: &str, start: usize, end: usize) -> Self {
        let mut start = start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line_text = text[line_start..line_end].trim_end_matches('\r');
        // A location among returns at the end of a line is the end of what is shown of it.
        let line_end = line_start + line_text.len();
        start = start.min(line_end);
        let mut end = end.clamp(start, line_end);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            line_text: line_text.to_owned(),
            length: text[start..end].chars().count().max(1),
        }
    }

    /// Returns the location in a line that can be read: of a long one the part around it.
    fn cut(&self) -> Self {
        let length = self.line_text.chars().count();
        if length <= MAX_LINE {
            return self.clone();
        }
        let start = (self.column - 1).saturating_sub(MAX_LINE / 3);
        let end = length.min(start + MAX_LINE);
        let part: String = self.line_text.chars().skip(start).take(end - start).collect();
        let (before, after) =
            (if start > 0 { "…" } else { "" }, if end < length { "…" } else { "" });
        let column = self.column - start + before.chars().count();
        let length = self.length.min(end + 1 - self.column);
        let line_text = format!("{before}{part}{after}");
        Self { column, line_text, length, ..self.clone() }
    }

    /// Returns the caret line that stands under the source line.
    fn carets(&self) -> String {
        // Tabs are kept so that the caret lines up whatever their width.
        let blank = |c: char| match c {
            '\t' => "\t".to_owned(),
            _ => " ".repeat(c.width().unwrap_or(0)),
        };
        let before: String = self.line_text.chars().take(self.column - 1).map(blank).collect();
        let marked: usize = self
            .line_text
            .chars()
            .skip(self.column - 1)
            .take(self.length)
            .map(|c| c.width().unwrap_or(1))
            .sum();
        format!("{before}{}", "^".repeat(marked.max(1)))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            None => write!(f, "  {}", self.message)?,
            Some(location) => {
                let number = location.line.to_string();
                let indent = " ".repeat(number.len());
                writeln!(
                    f,
                    "  {}:{}:{}: {}",
                    location.file, location.line, location.column, self.message
                )?;
                let shown = location.cut();
                writeln!(f, "    {number} | {}", shown.line_text)?;
                write!(f, "    {indent} | {}", shown.carets())?;
            }
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n    hint: {hint}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with an experiment, an override or a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentError {
    /// What was tried, for example ``cannot read experiment `a.toml` ``.
    pub attempt: String,
    /// At least one problem, in the order of the text.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ExperimentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "{}", self.attempt)?,
            count => write!(f, "{}: {count} problems", self.attempt)?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl std::error::Error for ExperimentError {}

/// Returns the candidate most like `typed`, if any is like enough to be meant.
pub(crate) fn nearest<'c>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let typed = typed.to_lowercase().replace('_', "-");
    let allowed = (typed.chars().count() / 3).max(1);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let like = candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&typed, candidate), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance);
    // `deotte` for `deotte-cnn`, `accuracy` for `test-accuracy`.
    let is_part = |candidate: &&str| {
        typed.len() > 1 && (candidate.starts_with(&typed) || candidate.ends_with(&typed))
    };
    like.map(|(_, candidate)| candidate).or_else(|| candidates.into_iter().find(is_part))
}

/// Lists names for a message: `` `a`, `b` or `c` ``.
pub(crate) fn one_of<'c>(names: impl IntoIterator<Item = &'c str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [firsts @ .., last] => format!("{} or {last}", firsts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_bytes_meant() {
        let text = "a = 1\n\tö = \"日本\" # x\n";
        let start = text.find('"').unwrap();
        let location = Location::of("x.toml", text, start, start + 8);
        assert_eq!((location.line, location.column, location.length), (2, 6, 4));
        let problem =
            Problem { message: "no".into(), location: Some(location), hint: Some("yes".into()) };
        assert_eq!(
            problem.to_string(),
            "  x.toml:2:6: no\n    2 | \tö = \"日本\" # x\n      | \t    ^^^^^^\n    hint: yes"
        );
    }

    #[test]
    fn of_a_long_line_the_part_around_the_location_is_shown() {
        let text = format!("x = [{}]", "123456789, ".repeat(1000));
        for (start, end) in [(0, 1), (4, text.len()), (5005, 5014), (text.len() - 1, text.len())] {
            let problem = Problem {
                message: "no".into(),
                location: Some(Location::of("x.toml", &text, start, end)),
                hint: None,
            };
            let shown = problem.to_string();
            let [_, line, carets] = shown.lines().collect::<Vec<_>>()[..] else {
                panic!("{shown}")
            };
            assert!(line.chars().count() < 200, "{shown}");
            let under: String = line
                .chars()
                .zip(carets.chars())
                .filter_map(|(c, caret)| (caret == '^').then_some(c))
                .collect();
            let meant = &text[start..end.min(start + under.chars().count())];
            assert!(!under.is_empty() && under.trim_end_matches('…') == meant, "{shown}");
        }
    }

    #[test]
    fn the_end_of_the_text_is_a_location() {
        let location = Location::of("x.toml", "a =", 3, 3);
        assert_eq!((location.line, location.column, location.length), (1, 4, 1));
        assert_eq!(Location::of("x.toml", "", 0, 9).line, 1);
    }

    #[test]
    fn a_location_among_returns_is_the_end_of_the_line() {
        for length in [3, 1_000] {
            let text = format!("{}{}", "a".repeat(length), "\r".repeat(400));
            let location = Location::of("x.toml", &text, text.len() - 1, text.len());
            assert_eq!((location.line, location.column, location.length), (1, length + 1, 1));
            let problem = Problem { message: "no".into(), location: Some(location), hint: None };
            assert!(problem.to_string().ends_with("a^") || problem.to_string().ends_with(" ^"));
        }
    }

    #[test]
    fn the_nearest_name_must_be_near() {
        assert_eq!(nearest("epoch", ["batch-size", "epochs"]), Some("epochs"));
        assert_eq!(nearest("batch_size", ["batch-size", "epochs"]), Some("batch-size"));
        assert_eq!(nearest("banana", ["batch-size", "epochs"]), None);
        assert_eq!(nearest("accuracy", ["test-loss", "test-accuracy"]), Some("test-accuracy"));
        assert_eq!(nearest("deotte", ["mlp", "deotte-cnn"]), Some("deotte-cnn"));
    }
}
