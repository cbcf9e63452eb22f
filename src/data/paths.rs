//! Names of files: what their endings say, and how names from files are shown in messages.

use std::fmt::Write as _;
use std::path::Path;

use crate::base::text::is_printable;

/// Most characters of a text from a file that a message shows.
const MAX_SHOWN: usize = 40;

/// Returns the last part of a path as text.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the ending of a file's name in lower case, without its full stop; empty without one.
pub(super) fn ending_of(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// Returns whether `path` ends like a table, `.csv` or `.tsv`, plain or packed as `.gz`.
pub(super) fn is_table(path: &Path) -> bool {
    let of = |path: &Path| ["csv", "tsv"].contains(&ending_of(path).as_str());
    of(path) || ending_of(path) == "gz" && of(&path.with_extension(""))
}

/// Returns a text from a file as messages show it: in back quotes, without control characters, and cut
/// where it is long.
pub(super) fn shown(text: &str) -> String {
    if text.is_empty() {
        return "`` (no name)".to_owned();
    }
    let mut out = "`".to_owned();
    for letter in text.chars().take(MAX_SHOWN) {
        if is_printable(letter) && !letter.is_control() {
            out.push(letter);
        } else {
            write!(out, "{}", letter.escape_default()).expect("text takes what is written to it");
        }
    }
    if text.chars().nth(MAX_SHOWN).is_some() {
        out.push('…');
    }
    out + "`"
}

/// Returns the first `most` of `names` as messages show them, and how many more there are.
pub(super) fn listed<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let cut = if names.len() > most { most.saturating_sub(1).max(1) } else { names.len() };
    let first: Vec<String> = names.iter().take(cut).map(|name| shown(name.as_ref())).collect();
    match (first.split_last(), names.len() - cut) {
        (None, _) => "none".to_owned(),
        (Some((last, [])), 0) => last.clone(),
        (Some((last, others)), 0) => format!("{} and {last}", others.join(", ")),
        (_, more) => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_files_is_cut_and_cannot_write_to_the_terminal() {
        assert_eq!([shown("cat"), shown("")], ["`cat`", "`` (no name)"]);
        assert_eq!(shown("a\u{1b}[2Jb\n\u{202e}c"), "`a\\u{1b}[2Jb\\n\\u{202e}c`");
        assert_eq!(shown(&"x".repeat(7000)), format!("`{}…`", "x".repeat(40)));
    }

    #[test]
    fn long_lists_are_counted() {
        assert_eq!(listed(&["a"], 3), "`a`");
        assert_eq!(listed(&["a", "b", "c"], 3), "`a`, `b` and `c`");
        assert_eq!(listed(&["a", "b", "c", "d", "e"], 3), "`a`, `b` and 3 more");
        assert_eq!(listed::<&str>(&[], 3), "none");
    }

    #[test]
    fn tables_are_known_by_their_endings() {
        for name in ["a.csv", "a.CSV", "a.tsv", "a.csv.gz", "a.tsv.GZ"] {
            assert!(is_table(Path::new(name)), "{name}");
        }
        for name in ["a.gz", "csv", "a.txt", "a.csv.zip"] {
            assert!(!is_table(Path::new(name)), "{name}");
        }
    }
}
