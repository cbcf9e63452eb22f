//! The command line, as clap reads it.

mod cluster;
mod duel;
mod examples;
mod forms;
mod import;
mod looking;
mod suggestions;
mod verdicts;
mod view;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::model_arguments::{ExportArguments, PredictArguments};
use super::version;
use crate::data::Form as DataForm;
use crate::report::Format;
use crate::runner::RETRIES;
pub(super) use cluster::{
    CancelArguments, Scheduler, SubmitArguments, WatchArguments, WorkerArguments, duration,
};
pub(super) use duel::{AdoptArguments, DoctorArguments, DuelArguments};
pub(super) use examples::command;
pub(super) use import::ImportArguments;
pub(super) use looking::{
    CompletionsArguments, DiffArguments, ListArguments, LogsArguments, ManualArguments,
    ShowArguments,
};
pub(super) use suggestions::with_suggestion;
pub(super) use verdicts::{
    CheckArguments, CompareArguments, ConfirmArguments, HistoryArguments, HistoryFormat,
    TensorboardArguments,
};

pub(super) use view::ViewArguments;

/// Which hyperparameters are really better? Grids, repeats, honest statistics, a verdict for CI.
#[derive(Debug, Parser)]
#[command(name = "bench", max_term_width = 100)]
#[command(version = version::VERSION.as_str(), long_version = version::LONG_VERSION.as_str())]
#[command(after_help = "Exit codes: 0 done · 1 internal error · 2 bad arguments or input · \
    3 some trials failed, or a cell has no value · 4 regression · 5 inconclusive · 130 interrupted\n\
    Environment: BENCH_DATA_DIR datasets · GRIDBENCH_ISA instruction set (portable, avx2, avx512, \
    amx-bf16, dfdx) · GRIDBENCH_PACK most members of a pack · NO_COLOR · COLUMNS")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,

    /// When to colour what goes to the terminal.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub(super) color: Color,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a commented experiment to begin with, or one around a program of yours.
    Init(InitArguments),
    /// Show cells, trials, cost and the smallest difference they can show; trains nothing.
    Plan(PlanArguments),
    /// Train what is missing, then write tables and report. Run again to resume.
    Run(RunArguments),
    /// Train an experiment together with other workers, on any machines that see one folder.
    Worker(WorkerArguments),
    /// Have an engine (Slurm, HyperQueue, Kubernetes) start workers.
    Submit(Box<SubmitArguments>),
    /// Ask the workers that were submitted to leave: what they have begun is kept.
    Cancel(CancelArguments),
    /// Show workers and progress of a results folder until all is done, from anywhere it is seen.
    Watch(WatchArguments),
    /// Show the last lines of what workers and failed programs printed.
    Logs(LogsArguments),
    /// Show how far a results folder is.
    Status(StatusArguments),
    /// List the experiments in a folder: best cell, trials, date, state.
    List(ListArguments),
    /// Show everything of one cell: settings, metrics, trials, networks.
    Show(ShowArguments),
    /// Say how two experiments or results folders differ: settings, axes, cells, origin.
    Diff(DiffArguments),
    /// Print the report of one results folder, or of all below one.
    Report(ReportArguments),
    /// Write the baseline that `check` compares with.
    Baseline(BaselineArguments),
    /// Compare results with a baseline: ok (exit 0), regressed (4) or inconclusive (5).
    Check(CheckArguments),
    /// Show how the results of a gate moved over time, with the changes of level.
    History(HistoryArguments),
    /// Make a results folder of numbers that other tools measured.
    Import(ImportArguments),
    /// Write trained networks to safetensors files that say what they are.
    Export(ExportArguments),
    /// Predict images with trained networks: a submission file, probabilities, a gallery.
    Predict(Box<PredictArguments>),
    /// Run a trial of a program twice: does its seed decide it, and do trials before it?
    Doctor(DoctorArguments),
    /// Carry trials over a change of their program that alters nothing; says first what it would do.
    Adopt(AdoptArguments),
    /// Run commands in turn on shared seeds until it can be told which is better.
    Duel(Box<DuelArguments>),
    /// Set two results, or cells of them, side by side: differences, intervals, tests.
    Compare(CompareArguments),
    /// Train the best cells again on fresh seeds: their first means are too hopeful.
    Confirm(ConfirmArguments),
    /// Write TensorBoard event files: curves, histograms and hyperparameters of every trial.
    Tensorboard(TensorboardArguments),
    /// Turn a results folder of an older format into the present one; says first what it would do.
    Migrate(MigrateArguments),
    /// Remove what nobody needs in a results folder; says first what it would do.
    Clean(CleanArguments),
    /// List, fetch, describe, preview and convert datasets.
    #[command(subcommand)]
    Data(DataCommand),
    /// List the devices this build can train on.
    Devices,
    /// Print the JSON schema of experiment files, for editors: name it in a first line
    /// `#:schema experiment.json` of a file, or in `.taplo.toml`.
    Schema,
    /// Print the completions of a shell.
    Completions(CompletionsArguments),
    /// Print the manual page of `bench`, or write those of all commands.
    Manual(ManualArguments),
}

impl Command {
    /// Returns whether nothing is to be said while it works: it was asked to be quiet, or shows itself
    /// what goes on.
    pub(super) fn is_quiet(&self) -> bool {
        match self {
            Self::Run(arguments) => arguments.quiet,
            Self::Worker(arguments) => arguments.quiet,
            Self::Check(arguments) => arguments.training.quiet,
            Self::Confirm(arguments) => arguments.training.quiet,
            Self::Duel(arguments) => arguments.quiet,
            Self::Watch(_) => true,
            _ => false,
        }
    }
}

/// The experiment and what is changed about it.
#[derive(Debug, Args)]
pub(super) struct ExperimentArguments {
    /// The experiment file (TOML); `-` reads it from standard input.
    pub(super) file: PathBuf,

    /// Override a key of the experiment, for example `--set train.epochs=3`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) overrides: Vec<String>,

    /// Train with `auto` (own kernels, or dfdx's operations where there are none), `dfdx` (its
    /// operations everywhere) or `fake` (made-up curves): `--set trainer.engine=NAME`.
    #[arg(long, value_name = "NAME")]
    pub(super) engine: Option<String>,

    /// Leave bad images of tables and folders out and list them: `--set dataset.skip-bad=true`.
    #[arg(long)]
    pub(super) skip_bad: bool,
}

/// Where datasets are looked for.
#[derive(Debug, Args)]
pub(super) struct DataFolderArguments {
    /// Folder with datasets; before `BENCH_DATA_DIR` and the user's cache folder.
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// The file to write [default: first.toml, own.toml with `--command`].
    pub(super) file: Option<PathBuf>,
    /// Wrap this command line; its numbers are proposed as axes.
    #[arg(long, value_name = "LINE")]
    pub(super) command: Option<String>,
    /// Write the helper for scripts in Python instead, one file without dependencies.
    #[arg(long, conflicts_with = "command")]
    pub(super) python: bool,
}

#[derive(Debug, Args)]
pub(super) struct MigrateArguments {
    /// Results folder.
    pub(super) folder: PathBuf,
    /// Do it; without it nothing is changed.
    #[arg(long)]
    pub(super) apply: bool,
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
}

#[derive(Debug, Args)]
pub(super) struct CleanArguments {
    /// Results folder.
    pub(super) folder: PathBuf,
    /// Do it; without it nothing is changed.
    #[arg(long)]
    pub(super) apply: bool,
    /// Besides what killed runs left, also predictions, weights and checkpoints of networks that the
    /// experiment, as it was last run, does not ask for; should it ask for them again, they are
    /// trained again.
    #[arg(long)]
    pub(super) unused: bool,
    /// Take processes of other machines that have not said that they ended for ended: only when
    /// none of them runs.
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    pub(super) experiment: ExperimentArguments,
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
    /// Results folder to look for finished trials in [default: results/<name>].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Show the layers of the network with output shapes and parameter counts.
    #[arg(long)]
    pub(super) model: bool,
    /// Say how many repeats show a difference this large between two cells, in percentage points
    /// for accuracies.
    #[arg(long, value_name = "POINTS", value_parser = positive)]
    pub(super) difference: Option<f64>,
    /// The chance that they do.
    #[arg(long, value_name = "SHARE", default_value_t = 0.8, value_parser = share)]
    pub(super) power: f64,
    /// Write JSON to standard output.
    #[arg(long)]
    pub(super) json: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "switches are independent of each other")]
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub(super) experiment: ExperimentArguments,
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
    /// Results folder of this experiment [default: results/<name>].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Trainings at once [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// Where to train: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(super) device: String,
    /// Keep the weights of every network, for `bench export` and `bench predict`.
    #[arg(long)]
    pub(super) save_weights: bool,
    /// Train failed trials again, also those that failed before for the same reason.
    #[arg(long)]
    pub(super) retry_failed: bool,
    /// How often a trial that fails is tried once more after the others.
    #[arg(long, value_name = "N", default_value_t = RETRIES)]
    pub(super) retries: u32,
    /// Trace what one trial of a program reads, and name what is no input of it (Linux, `strace`).
    #[arg(long)]
    pub(super) trace_inputs: bool,
    /// Read all inputs of programs, also large ones that seem unchanged.
    #[arg(long)]
    pub(super) rehash: bool,
    /// Stop the run at the first trial that fails or runs out of time.
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Write events as JSON lines to standard output.
    #[arg(long)]
    pub(super) json: bool,
    /// No progress on standard error.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// Results folder of one experiment.
    pub(super) folder: PathBuf,
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
    /// Write JSON to standard output.
    #[arg(long)]
    pub(super) json: bool,
}

impl StatusArguments {
    /// Returns those of a plain look at a folder.
    pub(super) fn of(folder: PathBuf) -> Self {
        Self { folder, data: DataFolderArguments { data_dir: None }, json: false }
    }
}

#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// Results folder of one experiment, or a folder that holds several.
    pub(super) folder: PathBuf,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    pub(super) format: Format,
    /// Write JSON: short for `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
    /// Write to this file instead of standard output; beside Markdown, a folder `charts` with its
    /// charts and images.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Show the confusion matrix of the best cell, also where the experiment does not ask for it.
    #[arg(long)]
    pub(super) confusion: bool,
    /// Show so many images that the best cell gets wrong [default: the experiment's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(super) gallery: Option<u16>,
    /// Show the images of one confusion, for example `7→2` or `7->2`; may be repeated.
    #[arg(long, value_name = "PAIR")]
    pub(super) gallery_of: Vec<String>,
    #[command(flatten)]
    pub(super) view: ViewArguments,
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
}

#[derive(Debug, Args)]
pub(super) struct BaselineArguments {
    /// Results folder of one experiment.
    pub(super) folder: PathBuf,
    /// The baseline file to write (JSON); commit it.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: PathBuf,
}

/// How to train, for commands that train what they find missing.
#[derive(Debug, Args)]
pub(super) struct TrainingArguments {
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
    /// Trainings at once [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) jobs: Option<u16>,
    /// Where to train: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(super) device: String,
    /// No progress on standard error.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "expected a number above 0".to_owned())
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0 && number.is_finite());
    number.ok_or_else(|| "expected 0 or a number above".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.05 && *number < 1.0);
    number.ok_or_else(|| "expected a number above 0.05 and below 1".to_owned())
}

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// List the known datasets and where they are.
    List(DataListArguments),
    /// Download a dataset, resuming what an earlier try left.
    Fetch(DataFetchArguments),
    /// Describe a dataset: classes, centres, and the augmentation ranges they suggest.
    Info(DataSourceArguments),
    /// Write a contact sheet of images as PNG.
    Preview(DataPreviewArguments),
    /// Write a dataset as Kaggle's tables or as one folder of PNG images per class.
    Convert(DataConvertArguments),
}

#[derive(Debug, Args)]
pub(super) struct DataConvertArguments {
    /// A dataset's name, or an experiment file whose dataset and split are meant.
    pub(super) source: String,
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
    /// Side of the images in pixels [default: as stored].
    #[arg(long, value_name = "PIXELS")]
    pub(super) image_size: Option<usize>,
    /// How to write it.
    #[arg(long, value_enum)]
    pub(super) form: DataForm,
    /// At most this many training images and as many test images, evenly spaced.
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// The folder to write to.
    #[arg(long, short, value_name = "DIR")]
    pub(super) output: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct DataListArguments {
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
    /// Write JSON to standard output.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DataFetchArguments {
    /// `mnist`, `fashion-mnist` or `kmnist`.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
    /// Download again even if the files are there and sound.
    #[arg(long)]
    pub(super) force: bool,
    /// Another base address to try before the built-in ones; may be repeated.
    #[arg(long = "mirror", value_name = "URL")]
    pub(super) mirrors: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct DataSourceArguments {
    /// A dataset's name, a folder of images, a CSV file, or an experiment file whose dataset is meant.
    pub(super) source: String,
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
    /// Side of the images in pixels [default: as stored].
    #[arg(long, value_name = "PIXELS")]
    pub(super) image_size: Option<usize>,
    /// Write JSON to standard output.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DataPreviewArguments {
    /// A dataset's name, or an experiment file whose dataset and augmentation are meant: the last
    /// cell's, where axes vary it.
    pub(super) source: String,
    #[command(flatten)]
    pub(super) data: DataFolderArguments,
    /// Side of the images in pixels [default: as stored].
    #[arg(long, value_name = "PIXELS")]
    pub(super) image_size: Option<usize>,
    /// Number of images.
    #[arg(long, default_value_t = 50)]
    pub(super) count: usize,
    /// The PNG to write.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: PathBuf,
}
