//! What a person meant who typed a command or an option that does not exist.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};

use super::Arguments;
use crate::experiment::{self, nearest};

/// Adds to an error of the command line what was meant, as far as that can be guessed: a command
/// that is spelled nearly so, or the key of an experiment that was typed like an option.
pub(in crate::cli) fn with_suggestion(mut error: Error, typed: &[OsString]) -> Error {
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let commands = names(&error);
            if let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidSubcommand)
                && let Some(near) = nearest(found, commands.iter().map(String::as_str))
            {
                let near = vec![near.to_owned()];
                error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
            }
        }
        ErrorKind::UnknownArgument => {
            let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidArg) else {
                return error;
            };
            // A misspelled option of the command itself is nearer than any key, unless it is `--set` or
            // the key is spelled right.
            let near = match error.get(ContextKind::SuggestedArg) {
                Some(ContextValue::String(near)) => Some(near.as_str()),
                _ => None,
            };
            let name = found.trim_start_matches('-').split('=').next().unwrap_or_default();
            let is_key = experiment::EXPERIMENT_KEYS.contains(&name);
            if near.is_some_and(|near| !near.starts_with("--set")) && !is_key {
                return error;
            }
            if let Some(tip) = override_of(found, typed) {
                let tip = StyledStr::from(format!("keys of the experiment are set by `{tip}`"));
                error.remove(ContextKind::SuggestedArg);
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
            }
        }
        _ => {}
    }
    error
}

/// Returns the commands beside the one that does not exist.
fn names(error: &Error) -> Vec<String> {
    let program = Arguments::command();
    let is_of_data = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string().contains("bench data"),
        _ => false,
    };
    let level = if is_of_data { program.find_subcommand("data") } else { Some(&program) };
    let commands = level.into_iter().flat_map(clap::Command::get_subcommands);
    commands.map(|command| command.get_name().to_owned()).collect()
}

/// Returns `--set KEY=VALUE` for an option that names a key of the experiment.
fn override_of(option: &str, typed: &[OsString]) -> Option<String> {
    let name = option.trim_start_matches('-');
    let (name, within) = match name.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (name, None),
    };
    let key = experiment::meant(name)?;
    let position =
        typed.iter().position(|one| one.to_str().is_some_and(|one| one.starts_with(option)));
    let joined =
        || typed.get(position?)?.to_str()?.split_once('=').map(|(_, value)| value.to_owned());
    let next = || typed.get(position? + 1)?.to_str().map(str::to_owned);
    let value = within.or_else(joined).or_else(next).filter(|value| !value.starts_with('-'));
    Some(format!("--set {key}={}", value.as_deref().unwrap_or("VALUE")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn error(arguments: &[&str]) -> String {
        let typed: Vec<OsString> =
            ["bench"].iter().chain(arguments).map(|one| OsString::from(*one)).collect();
        let error = Arguments::try_parse_from(&typed).expect_err("the arguments are wrong");
        with_suggestion(error, &typed).render().to_string()
    }

    #[test]
    fn a_command_that_is_nearly_one_is_suggested() {
        for (typed, meant) in
            [("rnu", "run"), ("raport", "report"), ("plann", "plan"), ("chek", "check")]
        {
            let text = error(&[typed, "x.toml"]);
            assert!(text.contains(&format!("'{meant}'")), "{text}");
        }
        assert!(error(&["data", "fecth"]).contains("'fetch'"), "{}", error(&["data", "fecth"]));
        assert!(!error(&["banana"]).contains("similar"), "{}", error(&["banana"]));
    }

    #[test]
    fn an_option_that_is_a_key_of_the_experiment_is_set() {
        for (typed, meant) in [
            (&["--epochs", "3"][..], "`--set train.epochs=3`"),
            (&["--epochs=3"], "`--set train.epochs=3`"),
            (&["--lr", "0.1"], "`--set train.learning-rate=0.1`"),
            (&["--batch_size", "32"], "`--set train.batch-size=32`"),
            (&["--repeats", "2"], "`--set repeats=2`"),
            (&["--seed", "--json"], "`--set seed=VALUE`"),
        ] {
            let text = error(&[&["run", "x.toml"], typed].concat());
            assert!(text.contains(meant), "{text}");
        }
        assert!(error(&["run", "x.toml", "--quite"]).contains("'--quiet'"));
        assert!(!error(&["run", "x.toml", "--banana", "3"]).contains("--set"));
    }
}
