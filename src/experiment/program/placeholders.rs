//! Placeholders in commands: `{hyperparameters.lr}`, `{seed}`, `{repeat}`, `{fold}`, `{output}`.
//!
//! Shells and languages write braces for purposes of their own, so only braces around a known name are
//! a placeholder; others stay as they are. What looks like a misspelled placeholder is refused. `{{seed}}`
//! is the text `{seed}`.

use super::super::problem::nearest;

/// Something that a command is told of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placeholder {
    /// The value of this key below `hyperparameters`.
    Hyperparameter(String),
    /// The seed of the trial, below 2³¹ and the same in all cells of a repeat.
    Seed,
    /// Index of the repeat, from 0.
    Repeat,
    /// Index of the fold, from 0.
    Fold,
    /// The folder for what the program writes.
    Output,
}

/// Names of placeholders that stand alone.
const NAMES: [&str; 4] = ["seed", "repeat", "fold", "output"];
/// What values of hyperparameters stand below.
const HYPERPARAMETERS: &str = "hyperparameters";

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// There is no such hyperparameter.
    #[error("`{{hyperparameters.{key}}}` names no key of `[hyperparameters]`")]
    NoHyperparameter {
        /// The key.
        key: String,
        /// A key that is there and is like it.
        near: Option<String>,
    },
    /// It is nearly the name of a placeholder.
    #[error("`{{{found}}}` is no placeholder")]
    Misspelled {
        /// What stands between the braces.
        found: String,
        /// What is meant.
        near: String,
    },
}

impl TemplateError {
    /// Returns what the user can do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoHyperparameter { near: Some(near), .. } => {
                format!("did you mean `{{hyperparameters.{near}}}`?")
            }
            Self::NoHyperparameter { key, near: None } => {
                format!("add `{key}` to `[hyperparameters]`")
            }
            Self::Misspelled { found, near } => {
                format!(
                    "did you mean `{{{near}}}`? Braces that mean themselves are `{{{{{found}}}}}`"
                )
            }
        }
    }
}

/// A part of a template.
enum Part<'t> {
    Text(&'t str),
    /// What stands between single braces and could be a name.
    Name(&'t str),
}

/// Splits a template into what is text and what could be a placeholder.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        parts.push(Part::Text(&rest[..start]));
        let after = &rest[start + 1..];
        let is_name = |name: &&str| {
            let is_plain = |c: char| c.is_alphanumeric() || "._-".contains(c);
            !name.is_empty() && name.chars().all(is_plain)
        };
        let name = after.find('}').map(|end| &after[..end]).filter(is_name);
        // `${seed}` is a variable of the shell.
        let is_variable = rest[..start].ends_with('$');
        if let Some(inside) = after.strip_prefix('{')
            && let Some(end) = inside.find("}}").filter(|end| is_name(&&inside[..*end]))
        {
            parts.push(Part::Text(&after[..=end + 1]));
            rest = &inside[end + 2..];
            continue;
        }
        match name {
            Some(name) if !is_variable => {
                parts.push(Part::Name(name));
                rest = &after[name.len() + 1..];
            }
            _ => {
                parts.push(Part::Text(&rest[start..=start]));
                rest = after;
            }
        }
    }
    parts.push(Part::Text(rest));
    parts
}

fn placeholder(name: &str) -> Option<Placeholder> {
    match name {
        "seed" => Some(Placeholder::Seed),
        "repeat" => Some(Placeholder::Repeat),
        "fold" => Some(Placeholder::Fold),
        "output" => Some(Placeholder::Output),
        _ => {
            let key = name.strip_prefix(HYPERPARAMETERS)?.strip_prefix('.')?;
            (!key.is_empty()).then(|| Placeholder::Hyperparameter(key.to_owned()))
        }
    }
}

/// Returns `text` with every placeholder replaced by its value.
pub(crate) fn fill(text: &str, value: &dyn Fn(&Placeholder) -> String) -> String {
    let mut filled = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Name(name) => {
                if let Some(found) = placeholder(name) {
                    filled.push_str(&value(&found));
                } else {
                    filled.extend(["{", name, "}"]);
                }
            }
        }
    }
    filled
}

/// Finds placeholders of `text` that cannot be filled in; `hyperparameters` are the keys there are.
///
/// # Errors
/// The first one that is misspelled or names a hyperparameter that is not there.
pub(crate) fn check(text: &str, hyperparameters: &[String]) -> Result<(), TemplateError> {
    let keys = || hyperparameters.iter().map(String::as_str);
    for part in parts(text) {
        let Part::Name(name) = part else { continue };
        match placeholder(name) {
            Some(Placeholder::Hyperparameter(key)) => {
                if !hyperparameters.contains(&key) {
                    let near = nearest(&key, keys()).map(str::to_owned);
                    return Err(TemplateError::NoHyperparameter { key, near });
                }
            }
            Some(_) => {}
            None => {
                let found = || name.to_owned();
                let near = if hyperparameters.iter().any(|key| key == name) {
                    Some(format!("{HYPERPARAMETERS}.{name}"))
                } else if let Some((first, key)) = name.split_once('.')
                    && nearest(first, [HYPERPARAMETERS]).is_some()
                {
                    Some(format!("{HYPERPARAMETERS}.{key}"))
                } else {
                    // Only a slip of the hand: `{out}` may mean itself.
                    let is_slip = |near: &&str| strsim::damerau_levenshtein(name, near) == 1;
                    NAMES.into_iter().find(|near| is_slip(near)).map(str::to_owned)
                };
                if let Some(near) = near {
                    return Err(TemplateError::Misspelled { found: found(), near });
                }
            }
        }
    }
    Ok(())
}

/// Returns a word of a shell's line that means `text`.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        fill(text, &|placeholder| match placeholder {
            Placeholder::Hyperparameter(key) => format!("<{key}>"),
            Placeholder::Seed => "7".to_owned(),
            Placeholder::Repeat => "0".to_owned(),
            Placeholder::Fold => "1".to_owned(),
            Placeholder::Output => "/out".to_owned(),
        })
    }

    #[test]
    fn placeholders_are_filled_in_and_other_braces_stay() {
        for (text, expected) in [
            ("--lr={hyperparameters.lr}", "--lr=<lr>"),
            ("{seed}{repeat}{fold}{output}", "701/out"),
            ("{hyperparameters.a.b}", "<a.b>"),
            ("awk '{print $1}' ${seed} {} {", "awk '{print $1}' ${seed} {} {"),
            ("{{seed}} {{\"a\": {seed}}}", "{seed} {{\"a\": 7}}"),
            ("{x} é{seed}é", "{x} é7é"),
            ("", ""),
        ] {
            assert_eq!(filled(text), expected, "{text}");
        }
    }

    #[test]
    fn misspelled_placeholders_are_refused_with_what_is_meant() {
        let keys = ["lr".to_owned(), "width".to_owned()];
        let hint = |text: &str| check(text, &keys).err().map(|error| error.hint());
        assert_eq!(hint("{hyperparameters.lr} {seed} {print} ${sed} {{seeed}}"), None);
        let meant = |text: &str| format!("did you mean `{text}`?");
        assert_eq!(hint("{hyperparameters.widht}"), Some(meant("{hyperparameters.width}")));
        assert_eq!(hint("{hyperparameters.x}"), Some("add `x` to `[hyperparameters]`".to_owned()));
        for (text, near) in [
            ("{lr}", "{hyperparameters.lr}"),
            ("{seeed}", "{seed}"),
            ("{sed}", "{seed}"),
            ("{hyperparameter.lr}", "{hyperparameters.lr}"),
        ] {
            assert!(hint(text).unwrap().starts_with(&meant(near)), "{text}: {:?}", hint(text));
        }
    }

    #[test]
    fn a_shell_reads_a_quoted_text_as_it_is() {
        assert_eq!(quoted("0.1"), "0.1");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
