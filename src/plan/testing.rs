//! Settings and cells for tests.

use std::collections::BTreeMap;

use super::{
    CellDraft, Facts, ImageFacts, Plan, PlanError, PlannedDataset, Questions, SplitSizes, Survey,
    SurveyError, survey,
};
use crate::base::{CellId, ContentHasher, Digest, Seed, digest_of};
use crate::experiment::settings::CommandSettings;
use crate::experiment::settings::{
    AugmentSettings, Combine, Convention, DatasetSettings, EnsembleSettings, Fill,
    LearningRateSettings, ModelSettings, OptimizerConvention, OptimizerSettings, Precision,
    Schedule, Settings, Share, ShiftSettings, Source, SplitSettings, StopSettings, TrainSettings,
    TrainerSettings, ZoomSettings,
};
use crate::experiment::value::Value;
use crate::experiment::{Document, ExperimentError};
use crate::grid::Grid;

/// Settings of a training that no network is needed for.
pub(crate) fn settings() -> Settings {
    Settings {
        dataset: DatasetSettings {
            split: SplitSettings {
                validation: Some(Share::Count(10)),
                test: Some(Share::Count(20)),
                ..SplitSettings::default()
            },
            ..DatasetSettings::of(Source::Synthetic { images: 50, classes: 2 })
        },
        model: ModelSettings { name: "custom".to_owned(), layers: Vec::new() },
        train: TrainSettings {
            epochs: 3,
            batch_size: 10,
            drop_last: false,
            optimizer: OptimizerSettings::Sgd {
                momentum: 0.0,
                nesterov: false,
                weight_decay: 0.0,
                convention: OptimizerConvention::Keras,
            },
            learning_rate: LearningRateSettings {
                initial: 0.01,
                schedule: Schedule::Constant,
                warmup_epochs: 0.0,
            },
            precision: Precision::Auto,
            stop: StopSettings::default(),
            retrain: None,
            time_limit: None,
        },
        augment: AugmentSettings {
            rotation: 0.0,
            zoom: ZoomSettings { height: 0.0, width: 0.0, uniform: true },
            shift: ShiftSettings { width: 0.0, height: 0.0 },
            shear: 0.0,
            fill: Fill::Nearest,
            convention: Convention::KerasGenerator,
        },
        ensemble: EnsembleSettings { size: 1, combine: Combine::Mean },
        trainer: TrainerSettings::Auto,
        hyperparameters: BTreeMap::new(),
        folds: None,
    }
}

/// A cell named after its settings' hyperparameter `x`.
pub(crate) fn cell(x: i64, change: impl FnOnce(&mut Settings)) -> CellDraft {
    let mut settings = settings();
    settings.hyperparameters.insert("x".to_owned(), Value::Integer(x));
    change(&mut settings);
    let name = format!("x={x} ensemble.size={}", settings.ensemble.size);
    let id = CellId::from(ContentHasher::new().part("name", name.as_bytes()).finish());
    CellDraft { id, name, assignment: vec![("x".to_owned(), Value::Integer(x))], settings }
}

/// The plan of `cells` under seed 42, with images whose checksum is that of their source.
pub(crate) fn plan(repeats: u32, cells: impl IntoIterator<Item = CellDraft>) -> Plan {
    plan_of(repeats, cells, |settings| digest_of(format!("{:?}", settings.source).as_bytes()))
}

/// The plan of `cells` under seed 42.
pub(crate) fn plan_of(
    repeats: u32,
    cells: impl IntoIterator<Item = CellDraft>,
    checksum: impl Fn(&DatasetSettings) -> Digest,
) -> Plan {
    type Never = std::convert::Infallible;
    let cells = cells.into_iter().map(Ok::<_, Never>);
    Plan::from_cells(Seed(42), repeats, "1", cells, &mut |settings| {
        Ok::<_, Never>(checksum(settings))
    })
    .unwrap()
}

/// The survey of an experiment whose images are divided so.
pub(crate) fn surveyed(
    text: &str,
    sizes: SplitSizes,
) -> Result<Survey, SurveyError<std::convert::Infallible>> {
    let document = crate::experiment::Document::parse(text, "experiment.toml", &[]).unwrap();
    let grid = crate::grid::expand(document.experiment()).unwrap();
    let repeats = document.experiment().repeats;
    let facts = ImageFacts { checksum: digest_of(b"images"), sizes: Some(sizes) };
    let mut questions = Questions {
        images: &mut |_| Ok(facts),
        check: &mut |_, _| Ok(()),
        repeats: &|_| Some(0..repeats),
        facts: &Facts {
            sizes: &|_| sizes,
            measured: &|_| None,
            multiply_accumulates: &|settings| Some(settings.model.layers.len() as u64),
            multiply_accumulates_per_second: &|_| 1e6,
            workers: 2,
        },
    };
    survey(&document, &grid, &mut questions)
}

impl Plan {
    /// Draws the plan of every cell of `grid`, which was expanded from `document`.
    ///
    /// `engine_revision` and `checksum_of` are those of [`Plan::from_cells`].
    ///
    /// # Errors
    /// The first cell that does not resolve, or the first dataset that cannot be loaded.
    pub(crate) fn draw<D>(
        document: &Document,
        grid: &Grid,
        engine_revision: &str,
        checksum_of: &mut dyn FnMut(&DatasetSettings) -> Result<Digest, D>,
    ) -> Result<Self, PlanError<ExperimentError, D>> {
        let experiment = document.experiment();
        let cells = grid.cells().map(|cell| {
            let assignment = || grid.assignment(cell);
            Ok(CellDraft {
                id: grid.id(cell),
                name: grid.name(cell),
                assignment: assignment()
                    .map(|(key, value)| (key.to_owned(), value.clone()))
                    .collect(),
                settings: document.settings_for(assignment())?,
            })
        });
        Self::from_cells(experiment.seed, experiment.repeats, engine_revision, cells, checksum_of)
    }

    /// Draws the plan of `cells`, each tried `repeats` times.
    ///
    /// `engine_revision` is part of every member's identity: results of another revision do not
    /// count. `checksum_of` is asked once for every distinct collection of images.
    ///
    /// # Errors
    /// The first cell that does not resolve, or the first dataset that cannot be loaded.
    pub(crate) fn from_cells<C, D>(
        seed: Seed,
        repeats: u32,
        engine_revision: &str,
        cells: impl IntoIterator<Item = Result<CellDraft, C>>,
        checksum_of: &mut dyn FnMut(&DatasetSettings) -> Result<Digest, D>,
    ) -> Result<Self, PlanError<C, D>> {
        let cells = cells.into_iter().map(|cell| cell.map(|cell| (cell, 0..repeats)));
        let mut known: Vec<PlannedDataset> = Vec::new();
        let mut images_of = |settings: &DatasetSettings| {
            if let Some(known) = known.iter().find(|known| known.holds(settings)) {
                return Ok(ImageFacts { checksum: known.checksum, sizes: None });
            }
            let checksum = checksum_of(settings)?;
            known.push(PlannedDataset { settings: settings.clone(), checksum });
            Ok(ImageFacts { checksum, sizes: None })
        };
        // Programs are told apart by their settings alone.
        let mut program_of = |_: &CommandSettings| Ok(digest_of(b""));
        Self::from_repeats(seed, engine_revision, cells, &mut images_of, &mut program_of)
    }
}
