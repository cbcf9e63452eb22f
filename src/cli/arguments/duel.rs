//! Arguments of `bench duel`, `bench doctor` and `bench adopt`.

use std::path::PathBuf;

use clap::Args;

use super::ExperimentArguments;
use crate::base::MetricName;
use crate::experiment::program::seconds_of;

#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArguments {
    #[command(flatten)]
    pub(in crate::cli) experiment: ExperimentArguments,
    /// Results folder of this experiment [default: results/<name>].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Write JSON to standard output.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AdoptArguments {
    #[command(flatten)]
    pub(in crate::cli) experiment: ExperimentArguments,
    /// Results folder of this experiment [default: results/<name>].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Why the change alters no number, recorded with it.
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
    /// Record it.
    #[arg(long)]
    pub(in crate::cli) apply: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "switches are independent of each other")]
#[derive(Debug, Args)]
#[command(
    after_long_help = "Verdicts: the first command is better than every other, or no worse than the baseline \
    (exit 0) · another is better (4) · no difference, or undecided (5)"
)]
pub(in crate::cli) struct DuelArguments {
    /// The commands, each a line for the shell; `{seed}` is the seed of a repeat, the same for all.
    #[arg(required = true, value_name = "COMMAND")]
    pub(in crate::cli) commands: Vec<String>,
    /// What they print, as `NAME: 0.98` or `NAME=0.98`; that of the baseline where there is one.
    #[arg(long, value_name = "NAME", required_unless_present_any = ["against", "wall_time"])]
    pub(in crate::cli) metric: Option<String>,
    /// Compare how long the commands take instead, as a ratio; `--indifference` is in percent then.
    #[arg(long, conflicts_with_all = ["metric", "minimize", "unit", "pattern", "jobs"])]
    pub(in crate::cli) wall_time: bool,
    /// Smaller values are better.
    #[arg(long)]
    pub(in crate::cli) minimize: bool,
    /// What the numbers are: `fraction` (0 to 1, printed in percent), `percent`, `s` or any other
    /// [default: fraction for names that end in `accuracy`].
    #[arg(long, value_name = "UNIT")]
    pub(in crate::cli) unit: Option<String>,
    /// Find the number by a regular expression with one group instead.
    #[arg(long, value_name = "REGEX")]
    pub(in crate::cli) pattern: Option<String>,
    /// Differences below it are of no interest, in points for fractions: ends with "no difference"
    /// where it is ruled out.
    #[arg(long, value_name = "D", default_value_t = 0.0, value_parser = not_negative)]
    pub(in crate::cli) indifference: f64,
    /// Most trials of every command; the last look is at or below it.
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(4..=100_000))]
    pub(in crate::cli) max_trials: u32,
    /// Stop after this time, such as `10m`; trials in progress are ended.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(in crate::cli) max_time: Option<f64>,
    /// End a trial that takes longer, such as `90s`.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(in crate::cli) time_limit: Option<f64>,
    /// Trials at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(in crate::cli) jobs: u16,
    /// A variable that the commands see, beside `PATH`, `HOME` and `LANG`: `NAME=VALUE`, or `NAME` for
    /// its present value; may be repeated.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(in crate::cli) env: Vec<String>,
    /// A file, or a pattern such as `src/**/*.py`, whose change makes new trials; those that the
    /// commands name are known. May be repeated.
    #[arg(long = "input", value_name = "PATTERN")]
    pub(in crate::cli) inputs: Vec<String>,
    /// Master seed, from which the seed of every repeat is derived; that of the baseline where there
    /// is one.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "against")]
    pub(in crate::cli) seed: u32,
    /// Judge one command against this baseline: better, or no worse by `--indifference`.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) against: Option<PathBuf>,
    /// Write a baseline of the winner, from trials on fresh seeds; with one command and no `--against`
    /// of that.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) save_baseline: Option<PathBuf>,
    /// Fresh trials of a new baseline.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub(in crate::cli) baseline_trials: u32,
    /// Results folder [default: results/duel-…, by commands and metric].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Write the outcome to a file, too: Markdown where its name ends in `.md`, else JSON.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) export: Option<PathBuf>,
    /// Write JSON to standard output.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// No progress on standard error.
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
}

impl DuelArguments {
    /// Returns the name of the metric as names are: hyphens where a program has underscores.
    pub(in crate::cli) fn metric_name(
        &self,
    ) -> Option<Result<MetricName, crate::base::MetricNameError>> {
        Some(self.metric.as_ref()?.replace('_', "-").parse())
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let plain = text.parse::<f64>().ok();
    let seconds = plain.or_else(|| seconds_of(text)).filter(|seconds| *seconds > 0.0);
    seconds
        .filter(|seconds| seconds.is_finite())
        .ok_or_else(|| "expected seconds, or a time such as `90s`, `20m` or `2h`".to_owned())
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0 && number.is_finite());
    number.ok_or_else(|| "expected a number from 0".to_owned())
}
