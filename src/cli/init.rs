//! `bench init`: a commented experiment to begin with.

use std::path::{Path, PathBuf};

use super::arguments::InitArguments;
use super::failure::{Exit, Failure};
use crate::store::atomic;

/// The helper for scripts in Python.
const HELPER: &str = include_str!("../../helpers/bench_trial.py");
/// An experiment of the networks of `bench` itself.
const NETWORKS: &str = r#"# Which learning rate is better? A small network on 8×8 digits; a few seconds.
name = "first"
question = "Which learning rate is better?"
repeats = 5                       # trials per cell; `bench plan first.toml --difference 0.5` says how many it takes

[dataset]
source = "digits"                 # or another of `bench data list`, or your own images:
# source = "folder"               # one folder of images per class, or "csv": one line per image
# path = "pictures"               # the folder, or the CSV file
split = { validation = 0.1 }

[model]
preset = "small-cnn"

[train]
epochs = 5
optimizer = "adam"

[grid.axes]                       # every combination is a cell
"train.learning-rate" = [0.0003, 0.001, 0.003]

[report]
metric = "validation-accuracy"    # settings are chosen by validation images, never by those of the test
"#;

/// Writes an experiment, or the helper.
pub(super) fn init(arguments: &InitArguments) -> Result<Exit, Failure> {
    let named = |default: &str| arguments.file.clone().unwrap_or_else(|| PathBuf::from(default));
    let (file, text) = match (&arguments.command, arguments.python) {
        (_, true) => (named("bench_trial.py"), HELPER.to_owned()),
        (Some(command), false) => {
            let file = named("own.toml");
            let name = file.file_stem().map_or("own".into(), |stem| stem.to_string_lossy());
            let folder = file.parent().unwrap_or(Path::new("")).to_owned();
            (file.clone(), wrapped(&name, command, &folder)?)
        }
        (None, false) => {
            let file = named("first.toml");
            let text = networks(&file);
            (file, text)
        }
    };
    if file.exists() {
        return Err(Failure::input(format!("cannot write `{}`", file.display()))
            .because_of("it is there already")
            .hint(Some("name another file: `bench init FILE`")));
    }
    atomic::write_named(&file, text.as_bytes())
        .map_err(|error| Failure::unwritable("the experiment", &error))?;
    let shown = file.display();
    if arguments.python {
        say!("`{shown}` written: `import bench_trial as bench`; docs/own-trainer.md shows its use");
    } else {
        say!(
            "`{shown}` written; `bench plan {shown}` says what it does, `bench run {shown}` does it"
        );
    }
    Ok(Exit::Done)
}

/// Returns an experiment of networks that is called like its file.
fn networks(file: &Path) -> String {
    let name = file.file_stem().map_or("first".into(), |stem| stem.to_string_lossy());
    NETWORKS
        .replace("name = \"first\"", &format!("name = {}", quoted(&name)))
        .replace("first.toml", &file.display().to_string())
}

/// A number in a command.
struct Number {
    name: String,
    value: String,
}

/// Returns an experiment that wraps a command.
fn wrapped(name: &str, command: &str, folder: &Path) -> Result<String, Failure> {
    let words = words(command).filter(|words| !words.is_empty()).ok_or_else(|| {
        Failure::input("cannot wrap the command")
            .because_of(format!("found `{command}`, expected a program and its arguments"))
            .hint(Some("quote it as a whole: `bench init --command \"python3 train.py --lr 0.1\"`"))
    })?;
    let mut numbers: Vec<Number> = Vec::new();
    let mut inputs = Vec::new();
    let mut has_seed = false;
    let mut told = Vec::new();
    let mut option: Option<String> = None;
    for (index, word) in words.iter().enumerate() {
        let (before, value) = match word.split_once('=') {
            Some((key, value)) if key.starts_with('-') => (Some(key.to_owned()), value),
            _ => (option.take(), word.as_str()),
        };
        let is_option = word.starts_with('-') && value.parse::<f64>().is_err();
        if is_option && !word.contains('=') {
            option = Some(word.clone());
        }
        let key = before.as_deref().map(key_of);
        let filled = match key {
            Some(key) if ["seed", "random-seed", "random-state"].contains(&key.as_str()) => {
                has_seed = true;
                Some("{seed}".to_owned())
            }
            _ if index > 0 && value.parse::<f64>().is_ok_and(f64::is_finite) => {
                let mut name = key.unwrap_or_else(|| format!("argument-{index}"));
                if numbers.iter().any(|number| number.name == name) {
                    name = format!("{name}-{index}");
                }
                let placeholder = format!("{{hyperparameters.{name}}}");
                numbers.push(Number { name, value: toml_number(value) });
                Some(placeholder)
            }
            _ => None,
        };
        if filled.is_none() && index > 0 && !value.is_empty() && folder.join(value).is_file() {
            inputs.push(value.to_owned());
        }
        told.push(match filled {
            Some(filled) => format!("{}{filled}", word.strip_suffix(value).unwrap_or_default()),
            None => word.clone(),
        });
    }
    Ok(text(name, &told, &inputs, &numbers, has_seed))
}

fn text(
    name: &str,
    words: &[String],
    inputs: &[String],
    numbers: &[Number],
    has_seed: bool,
) -> String {
    let list = |words: &[String]| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        format!("[{}]", words.join(", "))
    };
    let inputs = if inputs.is_empty() {
        "# inputs = [\"train.py\", \"src/**/*.py\"]   # files whose change runs trials again\n"
            .to_owned()
    } else {
        format!(
            "inputs = {}   # files whose change runs trials again: add what they import and read\n",
            list(inputs)
        )
    };
    let seed = if has_seed {
        ""
    } else {
        "# The command takes no seed: if it can, pass `{seed}`, so that repeats differ and cells are paired.\n"
    };
    let values: Vec<String> =
        numbers.iter().map(|number| format!("{} = {}\n", number.name, number.value)).collect();
    let axes: Vec<String> = numbers
        .iter()
        .map(|number| {
            format!("# \"hyperparameters.{}\" = {}\n", number.name, proposed(&number.value))
        })
        .collect();
    format!(
        "# One call of a program per trial; docs/own-trainer.md says what it is told and how it answers.\n\
         name = {name}\n\
         repeats = 5                       # trials per cell, each with a seed of its own\n\n\
         [trainer]\n\
         engine = \"command\"\n\
         {seed}\
         command = {command}\n\
         {inputs}\
         # version = [\"python3\", \"-c\", \"import torch; print(torch.__version__)\"]\n\
         # environment = {{ OMP_NUM_THREADS = \"1\" }}\n\
         # time-limit = \"20m\"\n\n\
         [hyperparameters]\n{values}\n\
         # What it prints as `test-accuracy: 0.98`; one table for every metric.\n\
         [metrics.test-accuracy]\n\
         unit = \"fraction\"                 # from 0 to 1; \"percent\" from 0 to 100; or \"s\", \"ms\", any other\n\
         direction = \"maximize\"            # or \"minimize\"\n\
         # pattern = 'accuracy is ([0-9.]+)'   # for programs that cannot be changed\n\n\
         # Every combination of these is a cell: take away the `#` of what is to be varied.\n\
         [grid.axes]\n{axes}",
        name = quoted(name),
        command = list(words),
        values = values.concat(),
        axes = axes.concat(),
    )
}

/// Returns the key that an option is a hyperparameter by.
fn key_of(option: &str) -> String {
    let plain = option.trim_start_matches('-').to_lowercase().replace('_', "-");
    plain.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

fn quoted(text: &str) -> String {
    // JSON's texts are TOML's.
    serde_json::to_string(text).expect("a text serialises")
}

/// Returns a number as TOML has it: `.5` is `0.5`.
fn toml_number(text: &str) -> String {
    match text.parse::<i64>() {
        Ok(whole) => whole.to_string(),
        Err(_) => {
            text.parse::<f64>().map_or_else(|_| text.to_owned(), |value| format!("{value:?}"))
        }
    }
}

/// Returns values around a number: a third and three times of it, or one more and one less.
fn proposed(value: &str) -> String {
    if let Ok(whole) = value.parse::<i64>() {
        let below = if whole > 1 { whole / 2 } else { whole - 1 };
        return format!("[{below}, {whole}, {}]", if whole > 1 { whole * 2 } else { whole + 1 });
    }
    let number: f64 = value.parse().unwrap_or(0.0);
    // Two digits are enough of a proposal.
    let short =
        |number: f64| format!("{:?}", format!("{number:.1e}").parse::<f64>().unwrap_or(number));
    format!("[{}, {value}, {}]", short(number / 3.0), short(number * 3.0))
}

/// Splits a command as a shell does, quotes and backslashes included; nothing where a quote is open.
fn words(command: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(rest.next()?),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_splits_it() {
        let split = |text: &str| words(text).unwrap_or_default().join("|");
        assert_eq!(split("python train.py  --lr 0.1"), "python|train.py|--lr|0.1");
        assert_eq!(split(r#"a 'b c' "d \"e" f\ g '' "#), r#"a|b c|d "e|f g|"#);
        assert_eq!(words("a 'b"), None);
    }

    #[test]
    fn numbers_of_a_command_become_hyperparameters_and_proposed_axes() {
        let text =
            wrapped("x", "./t.py 3 --lr .1 --drop=0.5 --seed 7 --out a.bin -v", Path::new("/"));
        let text = text.unwrap();
        let command = "command = [\"./t.py\", \"{hyperparameters.argument-1}\", \"--lr\", \
                       \"{hyperparameters.lr}\", \"--drop={hyperparameters.drop}\", \"--seed\", \"{seed}\", \
                       \"--out\", \"a.bin\", \"-v\"]";
        assert!(text.contains(command), "{text}");
        for line in [
            "lr = 0.1\n",
            "drop = 0.5\n",
            "argument-1 = 3\n",
            "# \"hyperparameters.lr\" = [0.033, 0.1, 0.3]\n",
            "# \"hyperparameters.argument-1\" = [1, 3, 6]\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        crate::experiment::Document::parse(&text, "x.toml", &[]).unwrap();
        let text = networks(Path::new("some/shapes.toml"));
        let document = crate::experiment::Document::parse(&text, "first.toml", &[]).unwrap();
        assert_eq!(document.experiment().name, "shapes");
        assert!(text.contains("bench plan some/shapes.toml"), "{text}");
    }
}
