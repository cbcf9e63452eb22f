//! Arguments of the commands for grids that outgrow one machine: `worker`, `submit`, `cancel`, `watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{DataFolderArguments, ExperimentArguments};
use crate::runner::RETRIES;

#[derive(Debug, Args)]
pub(in crate::cli) struct WorkerArguments {
    /// The experiment file (TOML); without it the experiment of the results folder is meant.
    pub(in crate::cli) file: Option<PathBuf>,
    /// Results folder that all workers share [default: results/<name>].
    #[arg(long, value_name = "DIR", required_unless_present = "file")]
    pub(in crate::cli) store: Option<PathBuf>,
    /// Override a key of the experiment, for example `--set train.epochs=3`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "file")]
    pub(in crate::cli) overrides: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) data: DataFolderArguments,
    /// Trainings at once [default: the processors that the engine gave, else one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(in crate::cli) jobs: Option<u16>,
    /// Where to train: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(in crate::cli) device: String,
    /// Leave after so long, for example `55m` or `1:30:00`; nothing is begun that cannot end by then.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) stop_after: Option<Duration>,
    /// Take over from a worker whose journal has not grown for so long.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub(in crate::cli) lease: Duration,
    /// Lanes of a round that this worker opens: about as many as there will be workers [default: what
    /// the engine says, else 16].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(in crate::cli) lanes: Option<u32>,
    /// Train failed trials again, where this worker opens a round.
    #[arg(long)]
    pub(in crate::cli) retry_failed: bool,
    /// How often a trial that fails is tried once more after the others.
    #[arg(long, value_name = "N", default_value_t = RETRIES)]
    pub(in crate::cli) retries: u32,
    /// Train nothing: score what is there and write the tables, when no worker runs any more. Submits
    /// the workers of `bench submit` again where something is left.
    #[arg(long)]
    pub(in crate::cli) close: bool,
    /// No progress on standard error.
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
}

/// What starts workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Scheduler {
    /// An array of workers, and a job behind it that writes the tables.
    Slurm,
    /// One task per worker.
    #[value(alias = "hq")]
    Hyperqueue,
    /// An Indexed Job.
    #[value(alias = "k8s")]
    Kubernetes,
    /// Processes of this machine.
    Local,
    /// Prints the command of one worker, for whatever starts processes.
    Other,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SubmitArguments {
    #[command(flatten)]
    pub(in crate::cli) experiment: ExperimentArguments,
    #[command(flatten)]
    pub(in crate::cli) data: DataFolderArguments,
    /// Results folder that all workers share [default: results/<name>].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) store: Option<PathBuf>,
    /// What starts the workers.
    #[arg(long, value_enum)]
    pub(in crate::cli) scheduler: Scheduler,
    /// Show what would be submitted, and ask the engine whether it would take it; submits nothing.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Workers [default: `submit.workers`, else 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(in crate::cli) workers: Option<u32>,
    /// Workers that run at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) at_once: Option<u32>,
    /// Time limit of a worker, for example `4:00:00` or `90m`.
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) time: Option<String>,
    /// Partition or queue.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) partition: Option<String>,
    /// Account that pays.
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) account: Option<String>,
    /// Processors of a worker.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) cpus: Option<u32>,
    /// GPUs of a worker.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) gpus: Option<u32>,
    /// Memory of a worker, for example `8G`.
    #[arg(long, value_name = "SIZE")]
    pub(in crate::cli) memory: Option<String>,
    /// Environment module to load first (Slurm); may be repeated.
    #[arg(long = "module", value_name = "NAME")]
    pub(in crate::cli) modules: Vec<String>,
    /// Image that `bench` runs in: a file for Apptainer, a name for Kubernetes.
    #[arg(long, value_name = "IMAGE")]
    pub(in crate::cli) container: Option<String>,
    /// Persistent volume claim that holds the results (Kubernetes).
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) claim: Option<String>,
    /// Further option of Slurm, for example `--option=--qos=long`; may be repeated.
    #[arg(long = "option", value_name = "OPTION", allow_hyphen_values = true)]
    pub(in crate::cli) options: Vec<String>,
    /// Take over from a worker whose journal has not grown for so long [default: 5m].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) lease: Option<Duration>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CancelArguments {
    /// Results folder whose workers are to leave.
    pub(in crate::cli) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct WatchArguments {
    /// Results folder of one experiment.
    pub(in crate::cli) folder: PathBuf,
    /// Time between two looks.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(in crate::cli) every: Duration,
    /// Look so often, then end [default: until all is done].
    #[arg(long, value_name = "N")]
    pub(in crate::cli) count: Option<u32>,
}

/// Reads a time such as `90`, `90s`, `10m`, `1h30m`, `10:00` (minutes), `1:30:00` or `1-12:00:00`.
pub(in crate::cli) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || "expected a time such as `90s`, `10m`, `1h30m`, `1:30:00` or `2-00:00:00`".to_owned();
    let seconds = if text.contains(':') { clock(text) } else { units(text) };
    let seconds = seconds.filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

/// Reads `[days-]hours:minutes:seconds` or `minutes:seconds`.
fn clock(text: &str) -> Option<u64> {
    let (days, rest) = text.split_once('-').unwrap_or(("0", text));
    let mut seconds = 0u64;
    for part in rest.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    days.parse::<u64>().ok()?.checked_mul(86_400)?.checked_add(seconds)
}

/// Reads numbers with units; seconds without one.
fn units(text: &str) -> Option<u64> {
    let (mut seconds, mut number) = (0u64, String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    if number.is_empty() { Some(seconds) } else { seconds.checked_add(number.parse().ok()?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_and_slurm_write_them() {
        let seconds = |text| duration(text).map(|time| time.as_secs());
        for (text, expected) in [
            ("90", 90),
            ("90s", 90),
            ("10m", 600),
            ("1h30m", 5400),
            ("2d", 172_800),
            ("10:00", 600),
            ("1:30:00", 5400),
            ("1-12:00:00", 129_600),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for wrong in ["", "0", "m", "1x", "1:x", "-1", "18446744073709551615d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
