//! Names that become paths: the one place that says which text from a file may name a file or
//! folder.

/// Longest name.
const MAX_LENGTH: usize = 100;

/// Returns whether `name` can name a file or folder wherever `bench` puts it: 1 to 100 letters,
/// digits, `-`, `_` and `.`, beginning with a letter or digit.
///
/// No such name leads out of its folder, hides a file, means a device, or says anything to a
/// terminal or a shell.
#[must_use]
pub fn is_file_name(name: &str) -> bool {
    name.len() <= MAX_LENGTH
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Returns `name` with every character that a file name cannot hold replaced by `-`, cut to
/// `longest` characters; `None` where nothing is left that could begin a name.
pub(crate) fn to_file_name(name: &str, longest: usize) -> Option<String> {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "_.".contains(c) { c } else { '-' };
    let name: String = name
        .chars()
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(longest.min(MAX_LENGTH))
        .map(kept)
        .collect();
    is_file_name(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_no_file_names() {
        let far =
            ["", ".", "..", "../x", "/etc", "a/b", "a\\b", "-rf", ".hidden", "a b", "a\0", "ä"];
        for name in far {
            assert!(!is_file_name(name), "{name}");
        }
        let long = "x".repeat(101);
        assert!(!is_file_name(&long));
        for name in ["a", "0", "mnist_augment", "seed.4-final", &long[..100]] {
            assert!(is_file_name(name), "{name}");
        }
    }

    #[test]
    fn any_text_is_made_a_name_or_refused() {
        assert_eq!(to_file_name("node 7/x", 40).as_deref(), Some("node-7-x"));
        assert_eq!(to_file_name("../x", 40).as_deref(), Some("x"));
        assert_eq!(to_file_name("abcdef", 3).as_deref(), Some("abc"));
        assert_eq!(to_file_name("…", 40), None);
    }
}
