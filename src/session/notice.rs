//! What a session tells while it works, beside what it returns.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;
use crate::base::MetricName;
use crate::data::Note;
use crate::experiment::absence::Absence;
use crate::report::counted;

/// Lines of what was left out that a person is shown.
const MAX_SHOWN: usize = 10;
/// Cells that are named.
const MAX_CELLS: usize = 3;

/// One thing worth knowing; its text is a sentence, or a few lines.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice {
    /// A plan does something that is rarely meant.
    Doubt(String),
    /// Files or rows of a dataset are left out.
    Skipped {
        /// Name of the dataset.
        dataset: String,
        /// A line for each.
        lines: Vec<String>,
    },
    /// A command names a file whose content is no part of what its trials are.
    UndeclaredInput(String),
    /// Times of a cell lie far from its others.
    Outliers {
        /// Name of the cell.
        cell: String,
        /// How many.
        count: usize,
        /// Of so many trials.
        trials: usize,
    },
    /// What a trial read that was traced.
    Traced {
        /// Files in all.
        read: usize,
        /// Those below the folder of the experiment that are no inputs.
        inside: Vec<String>,
        /// Others that are no inputs: libraries, caches, data elsewhere.
        outside: Vec<String>,
    },
    /// Fewer programs run at once than there are workers.
    FewerAtOnce {
        /// How many.
        programs: usize,
        /// The key under `trainer.resources` that allows no more.
        key: &'static str,
    },
    /// A persistent program is run of which `bench doctor` has found nothing.
    NotExamined,
    /// A completed program printed numbers of these names, which are no declared metrics.
    UndeclaredMetrics(Vec<String>),
    /// Some cells never have a metric that the experiment asks about.
    PartlyAbsent {
        /// The metric.
        metric: MetricName,
        /// How many never have it.
        count: usize,
        /// Of so many cells.
        cells: usize,
        /// Why the first of them has not.
        absence: Absence,
    },
    /// Lines of journals are damaged; what they held is trained again.
    Damaged {
        /// How many.
        lines: usize,
        /// Where they are listed.
        list: PathBuf,
    },
    /// What a reader of results must know of the images.
    Images(Note),
    /// Trials in the journals are repeats that nobody asks for any more.
    LeftOut {
        /// How many.
        trials: usize,
    },
    /// Finished members of another folder are not taken over.
    OtherPath {
        /// How many.
        members: usize,
        /// The folder.
        folder: PathBuf,
        /// Its numerical path, and the one here.
        paths: String,
    },
    /// Finished members of another folder are taken over.
    TakenOver {
        /// How many.
        members: usize,
        /// The folder.
        folder: PathBuf,
    },
    /// A process begins with a round of work that several share.
    Round {
        /// Its number.
        number: u32,
        /// Members that were outstanding when it was opened.
        members: usize,
        /// Lanes they are dealt to.
        lanes: usize,
        /// The folder.
        folder: PathBuf,
    },
    /// A process has done its part of a round.
    Handed {
        /// Members it trained.
        trained: usize,
        /// Members it took.
        handed: usize,
        /// Batches they came in.
        batches: usize,
        /// Whether it is the one that writes the tables.
        is_last: bool,
        /// Whether it was asked to leave.
        is_stopped: bool,
    },
    /// Tables and report of a shared folder are written.
    Closed {
        /// Completed trials.
        completed: usize,
        /// Of so many.
        trials: usize,
        /// The folder.
        folder: PathBuf,
    },
    /// Another process looks for what is left to train in a shared folder, and has not said yet.
    RoundAwaited {
        /// The folder.
        folder: PathBuf,
    },
    /// Nothing is left to train in a shared folder.
    NothingLeft {
        /// The folder.
        folder: PathBuf,
    },
    /// Trials of one cell were trained along several numerical paths.
    MixedPaths {
        /// The cells.
        cells: Vec<String>,
        /// The paths.
        paths: Vec<String>,
    },
    /// Stored predictions cannot be used; told of the first only.
    PredictionsLeftOut(Error),
    /// A check goes on to its next look.
    NextLook {
        /// Number of the look, from 1.
        look: usize,
        /// Of so many.
        looks: usize,
        /// Cells that are given more repeats.
        chosen: usize,
        /// Of so many cells.
        cells: usize,
        /// Repeats that they are given.
        repeats: u32,
    },
}

impl Notice {
    /// Writes what a worker among others tells.
    fn of_rounds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round { number, members, lanes, folder } => write!(
                f,
                "round {number} of `{}`: {} in {}",
                folder.display(),
                counted(*members, "member"),
                counted(*lanes, "lane")
            ),
            Self::Handed { trained, handed, batches, is_last, is_stopped } => write!(
                f,
                "{trained} of {} trained that were taken in {batches} {}; {}",
                counted(*handed, "member"),
                if *batches == 1 { "batch" } else { "batches" },
                match (is_last, is_stopped) {
                    (true, _) => "all of the round is done, so this worker writes the tables",
                    (false, true) => "asked to leave",
                    (false, false) => "nothing is left for this worker",
                }
            ),
            Self::Closed { completed, trials, folder } => write!(
                f,
                "{completed} of {trials} trials completed; tables and report in `{}`",
                folder.display()
            ),
            Self::RoundAwaited { folder } => write!(
                f,
                "waiting for another worker, which looks for what is left to train in `{}`",
                folder.display()
            ),
            Self::NothingLeft { folder } => {
                write!(f, "nothing is left to train; tables and report in `{}`", folder.display())
            }
            Self::MixedPaths { cells, paths } => {
                let named: Vec<String> =
                    cells.iter().take(MAX_CELLS).map(|cell| format!("`{cell}`")).collect();
                write!(
                    f,
                    "warning: trials of {} were trained along several numerical paths ({}): {}{}\n  \
                     hint: ask the engine for machines of one kind, or force one path with \
                     `GRIDBENCH_ISA`",
                    counted(cells.len(), "cell"),
                    paths.join("; "),
                    named.join(", "),
                    if cells.len() > MAX_CELLS { ", …" } else { "" }
                )
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Doubt(doubt) => write!(f, "warning: {doubt}"),
            Self::Skipped { dataset, lines } => {
                write!(
                    f,
                    "left out of `{dataset}` ({} in all, every one in `skipped.list`):",
                    lines.len()
                )?;
                for line in lines.iter().take(MAX_SHOWN) {
                    write!(f, "\n  {line}")?;
                }
                match lines.len().saturating_sub(MAX_SHOWN) {
                    0 => Ok(()),
                    more => write!(f, "\n  … and {more} more"),
                }
            }
            Self::UndeclaredInput(name) => write!(
                f,
                "warning: `{name}` is named by `trainer.command` and not among `trainer.inputs`: a \
                 change of it would not run its trials again"
            ),
            Self::Outliers { cell, count, trials } => write!(
                f,
                "warning: {count} of {trials} times of `{cell}` {} far from the others: something else may \
                 have run; measure on a quiet machine, or raise `measure.warm-up`",
                if *count == 1 { "lies" } else { "lie" }
            ),
            Self::Traced { read, inside, outside } => traced(f, *read, inside, outside),
            Self::FewerAtOnce { programs, key } => write!(
                f,
                "note: {} at once, as `trainer.resources.{key}` and this machine allow",
                counted(*programs, "program")
            ),
            Self::NotExamined => f.write_str(
                "note: whether trials depend on those before them in the same process is not known; \
                 `bench doctor FILE` finds out",
            ),
            Self::UndeclaredMetrics(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                write!(
                    f,
                    "note: the program also printed {}, which `[metrics]` does not declare",
                    names.join(", ")
                )
            }
            Self::PartlyAbsent { metric, count, cells, absence } => write!(
                f,
                "warning: {count} of {} never have `{metric}`: {absence}",
                counted(*cells, "cell")
            ),
            Self::Damaged { lines, list } => write!(
                f,
                "warning: {} damaged in the journals, listed in `{}`: what they held is trained \
                 again",
                match lines {
                    1 => "1 line is".to_owned(),
                    count => format!("{count} lines are"),
                },
                list.display()
            ),
            Self::Images(note) => {
                let head = if note.is_warning { "warning" } else { "data" };
                write!(f, "{head}: {}", note.text)
            }
            Self::LeftOut { trials } => write!(
                f,
                "warning: {} in the journal {} left out\n  hint: ask for them with `repeats`, or with `bench check --escalate` \
                 where they came from it",
                counted(*trials, "trial"),
                if *trials == 1 {
                    "is a repeat beyond those planned and is"
                } else {
                    "are repeats beyond those planned and are"
                },
            ),
            Self::OtherPath { members, folder, paths } => write!(
                f,
                "{} of `{}` {} trained again: another numerical path ({paths}) would give other \
                 bits",
                counted(*members, "member"),
                folder.display(),
                if *members == 1 { "is" } else { "are" },
            ),
            Self::TakenOver { members, folder } => {
                write!(f, "{} taken over from `{}`", counted(*members, "member"), folder.display())
            }
            Self::Round { .. }
            | Self::Handed { .. }
            | Self::Closed { .. }
            | Self::RoundAwaited { .. }
            | Self::NothingLeft { .. }
            | Self::MixedPaths { .. } => self.of_rounds(f),
            Self::PredictionsLeftOut(error) => write!(f, "warning: {error}"),
            Self::NextLook { look, looks, chosen, cells, repeats } => write!(
                f,
                "look {look} of {looks}: {chosen} of {cells} cells go on to {repeats} repeats"
            ),
        }
    }
}

/// Writes what a traced trial read that is not declared.
fn traced(
    f: &mut fmt::Formatter<'_>,
    read: usize,
    inside: &[String],
    outside: &[String],
) -> fmt::Result {
    write!(f, "traced: a trial read {}", counted(read, "file"))?;
    if inside.is_empty() {
        write!(f, "; all in the folder of the experiment are among `trainer.inputs`")?;
    } else {
        write!(
            f,
            "\nwarning: {} not among `trainer.inputs`:",
            match inside.len() {
                1 => "1 of them in the folder of the experiment is".to_owned(),
                count => format!("{count} of them in the folder of the experiment are"),
            }
        )?;
        inside.iter().try_for_each(|name| write!(f, "\n  {name}"))?;
    }
    if !outside.is_empty() {
        let are = if outside.len() == 1 { "is" } else { "are" };
        write!(
            f,
            "\n{} elsewhere {are} not, such as libraries, which `trainer.version` may speak for:",
            counted(outside.len(), "file")
        )?;
        outside.iter().take(MAX_SHOWN).try_for_each(|name| write!(f, "\n  {name}"))?;
        if outside.len() > MAX_SHOWN {
            write!(f, "\n  … and {} more", outside.len() - MAX_SHOWN)?;
        }
    }
    Ok(())
}

/// Who is told.
#[derive(Clone)]
pub struct Listener {
    hear: Arc<dyn Fn(&Notice) + Send + Sync>,
    has_heard_of_predictions: Arc<AtomicBool>,
}

impl Default for Listener {
    /// Returns one that hears nothing.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl Listener {
    /// Tells `hear`.
    pub fn new(hear: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        Self { hear: Arc::new(hear), has_heard_of_predictions: Arc::default() }
    }

    pub(super) fn tell(&self, notice: &Notice) {
        (self.hear)(notice);
    }

    /// Says why stored predictions are left out: of the first that are.
    pub(super) fn tell_of_predictions(&self, error: Error) {
        if !self.has_heard_of_predictions.swap(true, Ordering::Relaxed) {
            self.tell(&Notice::PredictionsLeftOut(error));
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
