//! What a run would do, what it would cost, and what it could show.

use std::cell::RefCell;
use std::path::Path;

use super::goal::{ALPHA, DifferenceGoal};
use super::train::cores;
use super::{Error, Images, LoadedExperiment, operations};
use crate::data::Note;
use crate::engine::CpuKernels;
use crate::experiment::architecture::Architecture;
use crate::experiment::settings::{DatasetSettings, Settings};
use crate::plan::{Estimate, Facts, Plan, SplitSizes, Survey, estimate, outstanding};
use crate::runner::{StoreProgress, measured_rates};
use crate::store::{Store, StoreError, View};
use gridbench_stats as stats;

/// Test accuracy assumed where nothing was measured, for the predicted spread.
const ASSUMED_ERROR: f64 = 0.01;
/// The chance of showing a difference, as in a report.
pub(crate) const POWER: f64 = 0.95;

/// What is asked of a plan.
pub(crate) struct PlanQuestion {
    /// A difference that is to be shown: points for accuracies, else the unit of the metric.
    pub(crate) difference: Option<f64>,
    /// The chance that it is.
    pub(crate) power: f64,
    /// Kernels whose speed is assumed where nothing was measured.
    pub(crate) kernels: CpuKernels,
}

/// What is known of a plan before it is run.
pub(crate) struct PlanSummary {
    pub(crate) survey: Survey,
    /// What is left to do costs so much.
    pub(crate) left: Estimate,
    pub(crate) trials_left: u64,
    pub(crate) workers: usize,
    pub(crate) test_images: usize,
    /// Images of a dataset, and how many of them are in no part of its split: the most of any.
    pub(crate) unused: (usize, usize),
    /// What a reader of results must know of the images.
    pub(crate) notes: Vec<Note>,
    pub(crate) predicted_sd: Option<f64>,
    pub(crate) detectable: Option<f64>,
    pub(crate) goal: Option<DifferenceGoal>,
}

impl PlanSummary {
    /// Looks at every cell, and at what the folder of the results holds already.
    pub(crate) fn of(
        question: &PlanQuestion,
        loaded: &LoadedExperiment,
        folder: &Path,
        images: &mut Images,
    ) -> Result<Self, Error> {
        let experiment = loaded.document.experiment();
        let view = match Store::open_reader(folder) {
            Ok(store) => store.view().clone(),
            Err(StoreError::NotAStore { .. }) => View::default(),
            Err(error) => {
                let tried = format!("cannot read the results in `{}`", folder.display());
                return Err(Error::of_store(tried, &error));
            }
        };
        let workers = cores();
        let rate = |settings: &Settings| question.kernels.assumed_rate(settings);
        let survey = loaded.survey(images, &|_| None, &rate, workers)?;
        let (left, trials_left) = if view.members().is_empty() && view.trials().is_empty() {
            (survey.estimate, survey.trials)
        } else {
            left(loaded, images, &survey, &view, &rate)?
        };
        let limit = experiment.base.dataset.train_limit;
        let mut unused = (0, 0);
        for (settings, sizes) in &survey.datasets {
            let all = images.load(settings)?.len();
            let train = limit.map_or(sizes.train, |limit| limit.min(sizes.train));
            let rest = all - (train + sizes.validation + sizes.test);
            if rest > unused.1 {
                unused = (all, rest);
            }
        }
        let test_images = survey.datasets.first().map_or(0, |(_, sizes)| sizes.test);
        let predicted_sd = stats::predicted_accuracy_sd(ASSUMED_ERROR, test_images);
        let fewest = survey.repeats.0 as usize;
        let goal = |difference| {
            DifferenceGoal::of(
                question.power,
                experiment,
                folder,
                difference,
                predicted_sd,
                survey.cells,
            )
        };
        Ok(Self {
            goal: question.difference.map(goal).transpose()?,
            left,
            trials_left,
            workers,
            test_images,
            unused,
            notes: images.notes(),
            predicted_sd,
            detectable: predicted_sd
                .filter(|_| experiment.folds.is_none())
                .and_then(|sd| stats::detectable_from_best(sd, fewest, survey.cells, ALPHA, POWER)),
            survey,
        })
    }
}

/// Returns what is left to do where a results folder holds some of it, and its number of trials.
fn left(
    loaded: &LoadedExperiment,
    images: &mut Images,
    survey: &Survey,
    view: &View,
    rate: &dyn Fn(&Settings) -> f64,
) -> Result<(Estimate, u64), Error> {
    let plan = loaded.checked_plan(images)?;
    let left = outstanding(&plan, &StoreProgress::new(view, false));
    let rates = measured_rates(&plan, view);
    let images = RefCell::new(images);
    let facts = Facts {
        sizes: &|settings| {
            let bare = DatasetSettings { train_limit: None, ..settings.clone() };
            let known = survey.datasets.iter().find(|(known, _)| *known == bare);
            let sizes = known.map_or_else(SplitSizes::default, |(_, sizes)| *sizes);
            let train = settings.train_limit.map_or(sizes.train, |limit| limit.min(sizes.train));
            SplitSizes { train, ..sizes }
        },
        measured: &|settings| rates.rate(settings),
        multiply_accumulates: &|settings| operations(settings, &mut images.borrow_mut()),
        multiply_accumulates_per_second: rate,
        workers: cores(),
    };
    Ok((estimate(&plan, &left.members, &facts), left.trials.len() as u64))
}

/// A network of a plan.
pub(crate) struct PlannedNetwork {
    /// Name of the model.
    pub(crate) model: String,
    /// Name of the first cell that uses it.
    pub(crate) cell: String,
    pub(crate) architecture: Architecture,
}

/// Returns every distinct network of a plan.
pub(crate) fn networks(plan: &Plan, images: &mut Images) -> Result<Vec<PlannedNetwork>, Error> {
    let mut seen = Vec::new();
    let mut networks = Vec::new();
    for cell in &plan.cells {
        let dataset = images.load(&cell.settings.dataset)?;
        let shape = (dataset.shape.height, dataset.shape.width, dataset.shape.channels);
        let key = (cell.settings.model.layers.clone(), shape, dataset.classes.len());
        if seen.contains(&key) {
            continue;
        }
        let architecture = Architecture::of(&key.0, shape, key.2).map_err(|problem| {
            Error::input(format!("cannot build the network of `{}`", cell.name)).because(&problem)
        })?;
        seen.push(key);
        let (model, cell) = (cell.settings.model.name.clone(), cell.name.clone());
        networks.push(PlannedNetwork { model, cell, architecture });
    }
    Ok(networks)
}
