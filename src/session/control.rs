//! One trial of a baseline, trained again under its own seed.

use std::path::Path;

use super::candidate::Candidate;
use super::{Error, Finished, Listener, LoadedExperiment, Session, manifest_in};
use crate::base::MetricName;
use crate::check::{Baseline, CellSample, Control, ControlTrial, Source, control_trial};
use crate::data::DataFolders;
use crate::experiment::value::Assignment;
use crate::results::{CellResults, ExperimentResults};
use crate::store::Repeats;

/// A trial of a baseline that is ready to be trained again.
pub(crate) struct ControlRun {
    /// The experiment of that one trial.
    pub(crate) session: Session,
    trial: ControlTrial,
    there: Source,
}

/// What is to be done for a control.
pub(crate) enum Prepared {
    /// Nothing more: there can be none, or the candidate holds the trial.
    Done(Control),
    /// A trial is to be trained.
    Train(Box<ControlRun>),
}

impl ControlRun {
    /// Looks for a trial of `baseline` that the experiment of the candidate in `folder` has to give again to the bit.
    /// Where the candidate holds it, it is compared at once; else it will be trained in `scratch`.
    ///
    /// # Errors
    /// If the manifest cannot be read or the experiment cannot be loaded.
    pub(crate) fn prepare(
        folder: &Path,
        candidate: &Candidate,
        baseline: &Baseline,
        metric: &MetricName,
        scratch: &Path,
        (data, listener): (DataFolders, Listener),
    ) -> Result<Prepared, Error> {
        let Candidate { results, source: here, .. } = candidate;
        let there = baseline.source().clone();
        let Some(metric) = results.facts.metric(metric) else {
            let reason = format!("the experiment has no metric `{metric}`");
            return Ok(Prepared::Done(Control::Impossible { reason }));
        };
        let seconds = |cell: &CellSample| Some(seconds_of(cell_of(results, &cell.assignment)?));
        let trial = match control_trial(baseline, here, metric, seconds) {
            Ok(trial) => trial,
            Err(reason) => return Ok(Prepared::Done(Control::Impossible { reason })),
        };
        let cell = cell_of(results, &trial.cell.assignment).expect("the trial is of a known cell");
        let mut known = cell.completed();
        if there.seed == here.seed
            && let Some(known) = known.find(|known| known.repeat == trial.repeat)
        {
            let now = known.metrics.get(&metric.name).copied();
            return Ok(Prepared::Done(Control::of(&trial, now, &there, here)));
        }
        let loaded = LoadedExperiment::from_manifest(&manifest_in(folder)?)?
            .with_overrides(&[format!("seed={}", there.seed.0)])?;
        let repeats = Repeats::Fresh {
            of: results.facts.name.clone(),
            cells: vec![cell.id],
            first: trial.repeat,
            count: 1,
        };
        let experiment = LoadedExperiment { repeats, ..loaded };
        let session = Session::of(experiment, scratch, data, listener)?;
        Ok(Prepared::Train(Box::new(Self { session, trial, there })))
    }

    /// Compares what was trained with the baseline.
    pub(crate) fn conclude(&self, finished: &Finished) -> Control {
        let results = &finished.results;
        let now = results.cells.iter().flat_map(CellResults::completed).next();
        let now = now.and_then(|trial| trial.metrics.get(&self.trial.cell.metric.name).copied());
        Control::of(&self.trial, now, &self.there, &Source::of(results))
    }
}

fn cell_of<'r>(results: &'r ExperimentResults, wanted: &Assignment) -> Option<&'r CellResults> {
    results.cells.iter().find(|cell| results.assignment(cell) == *wanted)
}

/// Returns what a trial of a cell takes, in seconds; 0 where it is not known.
fn seconds_of(cell: &CellResults) -> f64 {
    let mut seconds =
        cell.completed().filter_map(|trial| trial.metrics.get(&MetricName::TRAIN_SECONDS));
    seconds.next().copied().unwrap_or(0.0)
}
