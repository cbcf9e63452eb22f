//! The examples at the end of every help, and the command line with them.

use clap::{Command, CommandFactory};

use super::Arguments;

/// Commands by their path, and calls of them with what they do; a test reads every call as a
/// command line.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "",
        &[
            ("bench run experiments/smoke.toml", "train a small grid, about ten seconds"),
            ("bench report results/smoke", "print its tables again"),
            ("bench plan experiments/augment_grid.toml", "what a larger grid costs and can show"),
        ],
    ),
    (
        "plan",
        &[
            ("bench plan experiments/smoke.toml", "cells, trials, cost"),
            (
                "bench plan experiments/smoke.toml --difference 0.5",
                "repeats that show half a point",
            ),
            ("bench plan experiments/smoke.toml --model", "layers, shapes, parameters"),
            ("bench plan - < experiment.toml", "an experiment from standard input"),
        ],
    ),
    (
        "init",
        &[
            ("bench init", "a commented experiment, `first.toml`"),
            (
                "bench init lr.toml --command \"python3 train.py --lr 0.1 --seed 1\"",
                "an experiment around a program of yours",
            ),
            ("bench init --python", "the helper for scripts in Python"),
        ],
    ),
    (
        "run",
        &[
            ("bench run experiments/smoke.toml", "into `results/smoke`; again to resume"),
            ("bench run experiments/smoke.toml --set repeats=20", "more repeats of the same cells"),
            (
                "bench run experiments/smoke.toml --out /tmp/try --jobs 2",
                "another folder, 2 workers",
            ),
            ("bench run experiments/smoke.toml --json > events.jsonl", "events for a script"),
        ],
    ),
    (
        "worker",
        &[
            (
                "bench worker experiments/smoke.toml --store /shared/smoke",
                "on as many machines as you like",
            ),
            ("bench worker --store /shared/smoke --stop-after 55m", "joins, and leaves in time"),
            (
                "bench worker experiments/smoke.toml --store /shared/smoke --close",
                "writes the tables when all workers have ended",
            ),
        ],
    ),
    (
        "submit",
        &[
            (
                "bench submit experiments/smoke.toml --scheduler slurm --workers 16 --time 4:00:00",
                "an array of 16 workers",
            ),
            (
                "bench submit experiments/smoke.toml --scheduler kubernetes --container IMAGE --dry-run",
                "prints the manifest",
            ),
            (
                "bench submit experiments/smoke.toml --scheduler local --workers 2",
                "two processes of this machine",
            ),
        ],
    ),
    ("cancel", &[("bench cancel results/smoke", "the workers leave, what they finished is kept")]),
    (
        "watch",
        &[("bench watch results/smoke", "until all is done; Ctrl-C ends the watching alone")],
    ),
    (
        "logs",
        &[
            ("bench logs results/smoke", "of all workers, and of what failed"),
            ("bench logs results/smoke augment.rotation=10 -n 50", "of one cell"),
        ],
    ),
    ("status", &[("bench status results/smoke", "trials done, outstanding and failed")]),
    (
        "list",
        &[
            ("bench list", "the experiments in `results/`"),
            ("bench list results --json", "the same for a script"),
        ],
    ),
    (
        "show",
        &[
            ("bench show results/smoke", "everything of the best cell"),
            (
                "bench show results/smoke optimizer=adam rotation=10",
                "of the cell with these values",
            ),
            ("bench show results/smoke 3fa9c1", "of the cell this id belongs to"),
        ],
    ),
    (
        "diff",
        &[
            ("bench diff experiments/smoke.toml results/smoke", "what was edited since the run"),
            ("bench diff results/smoke results/other", "settings, axes, cells and origin"),
        ],
    ),
    (
        "report",
        &[
            ("bench report results/smoke", "tables for the terminal"),
            ("bench report results --format markdown -o report.md", "all experiments in one page"),
            ("bench report results/smoke --format html -o report.html", "one page with charts"),
        ],
    ),
    ("baseline", &[("bench baseline results/smoke -o baseline.json", "write it; commit the file")]),
    (
        "check",
        &[
            ("bench check results/smoke --baseline baseline.json", "ok, regressed or inconclusive"),
            (
                "bench check results/smoke --baseline baseline.json --escalate --format github",
                "in CI: train on where the verdict is open",
            ),
            (
                "bench check results/smoke --baseline baseline.json --control",
                "say first whether program, data or machine changed what a trial comes to",
            ),
        ],
    ),
    (
        "history",
        &[
            ("bench history history.jsonl", "the last values and changes of level"),
            ("bench history history.jsonl --format svg -o history.svg", "a picture of them"),
        ],
    ),
    (
        "import",
        &[(
            "bench import runs.csv --axes lr,batch --repeat seed --metric acc",
            "runs of another tool, as results",
        )],
    ),
    (
        "export",
        &[(
            "bench export results/smoke --cell optimizer=adam,rotation=0 -o model.safetensors",
            "one network of a run with `--save-weights`",
        )],
    ),
    (
        "predict",
        &[("bench predict model.safetensors photos -o predictions.csv", "classes of new images")],
    ),
    (
        "adopt",
        &[
            ("bench adopt own.toml", "what would stay"),
            ("bench adopt own.toml --reason \"comments only\" --apply", "record it"),
        ],
    ),
    ("doctor", &[("bench doctor own.toml", "a trial of your program, twice")]),
    (
        "duel",
        &[
            (
                "bench duel \"python3 a.py --seed {seed}\" \"python3 b.py --seed {seed}\" --metric accuracy",
                "which is better, and by how much",
            ),
            (
                "bench duel \"python3 train.py --seed {seed}\" --against best.json --save-baseline best.json",
                "keep a change that is better",
            ),
        ],
    ),
    (
        "compare",
        &[
            ("bench compare results/a results/b", "cell by cell where both have the same cells"),
            (
                "bench compare results/smoke --cell-a optimizer=adam --cell-b optimizer=rmsprop",
                "two values of one axis",
            ),
        ],
    ),
    (
        "confirm",
        &[("bench confirm results/smoke --top 2 --repeats 10", "the 2 best cells on fresh seeds")],
    ),
    (
        "tensorboard",
        &[("bench tensorboard results/smoke -o logs", "then `tensorboard --logdir logs`")],
    ),
    (
        "migrate",
        &[
            ("bench migrate results/old", "what would be changed"),
            ("bench migrate results/old --apply", "change it"),
        ],
    ),
    (
        "clean",
        &[
            ("bench clean results/smoke", "what would be removed"),
            ("bench clean results/smoke --apply", "remove it"),
            ("bench clean results/smoke --unused", "also what earlier settings left"),
        ],
    ),
    (
        "data",
        &[
            ("bench data list", "known datasets and where they lie"),
            ("bench data info digits", "classes, sizes, sensible augmentation"),
        ],
    ),
    ("data list", &[("bench data list --json", "known datasets and where they lie, for a script")]),
    ("data fetch", &[("bench data fetch mnist", "into BENCH_DATA_DIR or the user's cache folder")]),
    ("data info", &[("bench data info digits", "classes, sizes, sensible augmentation")]),
    (
        "data preview",
        &[("bench data preview experiments/augment_grid.toml -o sheet.png", "augmented images")],
    ),
    (
        "data convert",
        &[(
            "bench data convert digits --form folder -o digits",
            "one folder of PNG files per class",
        )],
    ),
    ("devices", &[("bench devices", "what `bench run --device` takes")]),
    (
        "schema",
        &[("bench schema > experiment.json", "then begin a file with `#:schema experiment.json`")],
    ),
    (
        "completions",
        &[
            (
                "bench completions bash > ~/.local/share/bash-completion/completions/bench",
                "for bash",
            ),
            ("bench completions zsh > ~/.zfunc/_bench", "for zsh, with ~/.zfunc in `fpath`"),
            ("bench completions fish > ~/.config/fish/completions/bench.fish", "for fish"),
        ],
    ),
    (
        "manual",
        &[
            ("bench manual | man -l -", "read the page of `bench`"),
            ("bench manual -o ~/.local/share/man/man1", "then `man bench-run`"),
        ],
    ),
];

/// Returns the whole command line, with examples at the end of every help.
pub(in crate::cli) fn command() -> Command {
    with_examples(Arguments::command(), "")
}

fn with_examples(mut command: Command, path: &str) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(name, |inner| with_examples(inner, &path));
    }
    let Some(examples) = examples_of(path) else { return command };
    let joined = |more: Option<String>| match more {
        Some(more) => format!("{examples}\n\n{more}"),
        None => examples.clone(),
    };
    let after = command.get_after_help().map(ToString::to_string);
    let after_long = command.get_after_long_help().map(ToString::to_string);
    if let Some(after_long) = after_long {
        command = command.after_long_help(joined(Some(after_long)));
    }
    command.after_help(joined(after))
}

/// Returns the examples of a command as text: each call, and below it what it does where both do not
/// fit in one line.
fn examples_of(path: &str) -> Option<String> {
    const WIDTH: usize = 78;
    let (_, calls) = EXAMPLES.iter().find(|(known, _)| *known == path)?;
    let longest = calls.iter().map(|(call, _)| call.chars().count()).max()?;
    let fits = calls.iter().all(|(_, what)| 2 + longest + 4 + what.chars().count() <= WIDTH);
    let lines = calls.iter().map(|(call, what)| {
        if fits { format!("  {call:<longest$}  # {what}") } else { format!("  # {what}\n  {call}") }
    });
    let lines: Vec<String> = lines.collect();
    Some(format!("Examples:\n{}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the paths of a command and all below it.
    fn paths(command: &Command, path: &str) -> Vec<String> {
        let inner = command.get_subcommands().filter(|inner| inner.get_name() != "help");
        let inner = inner.flat_map(|inner| {
            let name = inner.get_name();
            paths(inner, &if path.is_empty() { name.to_owned() } else { format!("{path} {name}") })
        });
        std::iter::once(path.to_owned()).chain(inner).collect()
    }

    #[test]
    fn every_command_has_examples_that_are_command_lines() {
        let known: Vec<String> = paths(&Arguments::command(), "");
        for path in &known {
            assert!(examples_of(path).is_some(), "`bench {path}` has no examples");
        }
        for (path, calls) in EXAMPLES {
            assert!(known.iter().any(|one| one == path), "there is no `bench {path}`");
            for (call, _) in *calls {
                let words = words(call);
                let is_of_it = words.join(" ").starts_with(format!("bench {path}").trim_end());
                assert!(is_of_it, "`{call}` is no example of `bench {path}`");
                let read = command().try_get_matches_from(&words);
                assert!(read.is_ok(), "{call}: {}", read.unwrap_err());
            }
        }
    }

    /// Returns the words of a call up to a pipe or redirection, as a shell does: quotes hold together.
    fn words(call: &str) -> Vec<&str> {
        let parts = call.split('"').enumerate().flat_map(|(index, part)| {
            let is_quoted = index % 2 == 1;
            let words = if is_quoted { vec![part] } else { part.split_whitespace().collect() };
            words.into_iter().map(move |word| (word, is_quoted))
        });
        let ends = |(word, is_quoted): &(&str, bool)| !is_quoted && ["|", ">", "<"].contains(word);
        parts.take_while(|word| !ends(word)).map(|(word, _)| word).collect()
    }

    #[test]
    fn help_shows_examples_before_what_stood_at_its_end() {
        let long = |name: &str| {
            let mut command = command();
            let inner = command.find_subcommand_mut(name).expect("a command");
            inner.render_long_help().to_string()
        };
        let check = long("check");
        assert!(check.find("Examples:\n") < check.find("Verdicts:\n"), "{check}");
        assert!(long("run").contains("bench run experiments/smoke.toml"));
        assert!(command().render_help().to_string().contains("Exit codes:"));
    }
}
