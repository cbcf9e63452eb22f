//! Arguments of the commands that judge and hand over results: `check`, `compare`, `confirm`,
//! `tensorboard`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::TrainingArguments;
use crate::base::MetricName;
use crate::check::Verdict;
use crate::check::render::Form;
use crate::experiment::selector::Selector;
use crate::report::compare::CompareFormat;

#[derive(Debug, Args)]
#[command(after_long_help = verdicts())]
#[expect(clippy::struct_excessive_bools, reason = "every switch of the command line is one")]
pub(in crate::cli) struct CheckArguments {
    /// Results folder of one experiment.
    pub(in crate::cli) folder: PathBuf,
    /// The baseline file `bench baseline` wrote.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) baseline: PathBuf,
    /// Largest loss accepted, in percentage points for accuracies [default: the experiment's].
    #[arg(long, value_name = "POINTS")]
    pub(in crate::cli) tolerance: Option<f64>,
    /// Train more repeats of cells that cannot be judged: 2 and 4 times as many, at most.
    #[arg(long)]
    pub(in crate::cli) escalate: bool,
    /// Plant losses of the tolerance and of twice it into numbers with the spread of these, and say how
    /// often this gate notices.
    #[arg(long)]
    pub(in crate::cli) self_test: bool,
    /// See one trial of the baseline again under its own seed, training it where the results do not hold
    /// it, and report before the verdict whether its bits have changed.
    #[arg(long)]
    pub(in crate::cli) control: bool,
    #[command(flatten)]
    pub(in crate::cli) training: TrainingArguments,
    /// How to write the verdict.
    #[arg(long, value_enum, default_value_t = Form::Terminal)]
    pub(in crate::cli) format: Form,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Write the verdict in another format to a file too, for example `--also junit=check.xml`;
    /// may be repeated.
    #[arg(long, value_name = "FORMAT=FILE", value_parser = also)]
    pub(in crate::cli) also: Vec<(Form, PathBuf)>,
    /// Append a line to this history, for `bench history`.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) history: Option<PathBuf>,
    /// Append the verdict to the job summary of GitHub Actions.
    #[arg(long)]
    pub(in crate::cli) summary: bool,
    /// Write JSON: short for `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub(in crate::cli) json: bool,
}

/// Says what the verdicts mean, and the exit codes.
fn verdicts() -> String {
    let code = |verdict: Verdict| match verdict {
        Verdict::Ok => 0,
        Verdict::Regressed => 4,
        Verdict::Inconclusive => 5,
    };
    let line = |verdict: Verdict| {
        format!("  {} (exit code {}): {}", verdict.name(), code(verdict), verdict.meaning())
    };
    format!("Verdicts:\n{}", Verdict::ALL.map(line).join("\n"))
}

fn also(text: &str) -> Result<(Form, PathBuf), String> {
    let (format, file) = text
        .split_once('=')
        .filter(|(_, file)| !file.is_empty())
        .ok_or("expected a format and a file with `=` between them, such as `junit=check.xml`")?;
    Form::from_str(format, false).map(|format| (format, PathBuf::from(file))).map_err(|_| {
        let known: Vec<String> = Form::value_variants()
            .iter()
            .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
            .collect();
        format!("unknown format `{format}`, expected one of {}", known.join(", "))
    })
}

/// How a history is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum HistoryFormat {
    /// Lines for a terminal.
    Terminal,
    /// A picture.
    Svg,
    /// A page with the picture and every change in words.
    Html,
    /// Everything, for scripts.
    Json,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArguments {
    /// The file that `bench check --history` appends to.
    pub(in crate::cli) file: PathBuf,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = HistoryFormat::Terminal)]
    pub(in crate::cli) format: HistoryFormat,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompareArguments {
    /// Results folder of the first side.
    pub(in crate::cli) a: PathBuf,
    /// Results folder of the second side [default: that of the first].
    pub(in crate::cli) b: Option<PathBuf>,
    /// Only cells with these axis values, on both sides: `augment.shift=0.1,optimizer=adam`; may be
    /// repeated, and so may the next two.
    #[arg(long = "where", alias = "cell", value_name = "AXIS=VALUE,…")]
    pub(in crate::cli) cells: Vec<Selector>,
    /// Only cells of A with these axis values; cells pair by the other axes.
    #[arg(long, value_name = "AXIS=VALUE,…")]
    pub(in crate::cli) cell_a: Vec<Selector>,
    /// Only cells of B with these axis values; cells pair by the other axes.
    #[arg(long, value_name = "AXIS=VALUE,…")]
    pub(in crate::cli) cell_b: Vec<Selector>,
    /// What to compare [default: what the report of A shows].
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Option<MetricName>,
    /// Two-sided level of the tests, over all pairs.
    #[arg(long, default_value_t = 0.05, value_parser = level)]
    pub(in crate::cli) alpha: f64,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = CompareFormat::Terminal)]
    pub(in crate::cli) format: CompareFormat,
    /// Write JSON: short for `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub(in crate::cli) json: bool,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ConfirmArguments {
    /// An experiment file that was run, or its results folder.
    pub(in crate::cli) experiment: PathBuf,
    /// How many of the best cells.
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) top: u32,
    /// Fresh repeats of each.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(in crate::cli) repeats: u32,
    /// What the cells are chosen by [default: what the report shows].
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Option<MetricName>,
    /// Folder for the fresh results [default: the results folder with `-confirm` at its end].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) training: TrainingArguments,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = CompareFormat::Terminal)]
    pub(in crate::cli) format: CompareFormat,
    /// Write JSON: short for `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub(in crate::cli) json: bool,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TensorboardArguments {
    /// Results folder of one experiment, or a folder that holds several.
    pub(in crate::cli) folder: PathBuf,
    /// Folder to write into; give it to `tensorboard --logdir`.
    #[arg(long, short, value_name = "DIR")]
    pub(in crate::cli) output: PathBuf,
}

fn level(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && *number < 0.5);
    number.ok_or_else(|| "expected a level above 0 and below 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_says_of_every_verdict_what_the_pages_say() {
        for verdict in Verdict::ALL {
            assert!(verdicts().contains(verdict.meaning()));
        }
    }
}
