//! From an experiment file to a validated plan: the steps every command that knows a file shares.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::arguments::ExperimentArguments;
use super::failure::Failure;
use crate::base::{Digest, Seed, SeedPath};
use crate::data::{self, DataError, DataFolders, Dataset};
use crate::engine::ENGINE_REVISION;
use crate::grid::{self, Grid};
use crate::plan::{CellDraft, Plan, PlanError};
use crate::spec::architecture::Architecture;
use crate::spec::layers::LayerSettings;
use crate::spec::settings::{DatasetSettings, Settings, TrainerSettings};
use crate::spec::{Document, Override, SpecError};
use crate::store::{DatasetFacts, Manifest, ManifestDraft, Repeats};

/// The most networks that the trials of a plan may have, shared ones counted again.
const MOST_NETWORKS: u64 = 10_000_000;

/// An experiment file with its grid.
pub(super) struct Loaded {
    /// The file, as typed and as meant.
    pub(super) document: Document,
    /// Its cells.
    pub(super) grid: Grid,
    /// Which repeats of which cells are meant.
    pub(super) repeats: Repeats,
}

impl Loaded {
    /// Reads and expands the experiment of the command line.
    pub(super) fn from_file(arguments: &ExperimentArguments) -> Result<Self, Failure> {
        let mut overrides = arguments.overrides.clone();
        overrides.extend(arguments.skip_bad.then(|| "dataset.skip-bad=true".to_owned()));
        Self::from_path(&arguments.file, &overrides)
    }

    /// Reads and expands the experiment in a file.
    pub(super) fn from_path(file: &Path, overrides: &[String]) -> Result<Self, Failure> {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound => Some("the examples stand in `experiments/`"),
                _ => None,
            };
            Failure::input(format!("cannot read experiment `{shown}`")).because(&error).hint(hint)
        })?;
        Self::from_text(&text, &shown, overrides)
    }

    /// Reads and expands the experiment a results folder was made with.
    pub(super) fn from_manifest(manifest: &Manifest) -> Result<Self, Failure> {
        let shown = format!("manifest of {}", manifest.run.name);
        let loaded = Self::from_text(&manifest.run.typed, &shown, &manifest.run.overrides)?;
        Ok(Self { repeats: manifest.run.repeats.clone(), ..loaded })
    }

    /// Keeps the repeats that a gate asked for in `folder`, if there are results of it there.
    pub(super) fn with_repeats_in(self, folder: &Path) -> Result<Self, Failure> {
        let known = Manifest::read(folder).map_err(|error| {
            Failure::input(format!("cannot read the results in `{}`", folder.display()))
                .because(&error)
                .hint(error.hint())
        })?;
        Ok(match known.map(|manifest| manifest.run.repeats) {
            Some(repeats @ Repeats::More(_)) => Self { repeats, ..self },
            _ => self,
        })
    }

    /// Returns the same experiment with further overrides.
    pub(super) fn with_overrides(&self, more: &[String]) -> Result<Self, Failure> {
        let document = &self.document;
        let known = document.overrides().iter().map(|one| one.text().to_owned());
        let overrides: Vec<String> = known.chain(more.iter().cloned()).collect();
        let loaded = Self::from_text(document.typed_text(), document.file_name(), &overrides)?;
        Ok(Self { repeats: self.repeats.clone(), ..loaded })
    }

    fn from_text(text: &str, shown: &str, overrides: &[String]) -> Result<Self, Failure> {
        let overrides: Vec<Override> =
            overrides.iter().map(|text| Override::parse(text)).collect::<Result<_, _>>()?;
        let document = Document::parse(text, shown, &overrides)?;
        let grid = grid::expand(document.experiment()).map_err(|error| {
            Failure::input(format!("cannot expand the grid of `{shown}`")).because(&error)
        })?;
        Ok(Self { document, grid, repeats: Repeats::AsTyped })
    }

    /// Resolves every cell and draws the plan, in which no cell means the same as another.
    pub(super) fn plan(&self, images: &mut Images) -> Result<Plan, Failure> {
        let mut checksum = |settings: &DatasetSettings| Ok(images.load(settings)?.checksum);
        let plan = self.plan_with(ENGINE_REVISION, &mut checksum)?;
        plan.refuse_twins().map_err(|twins| {
            let file = self.document.file_name();
            Failure::input(format!("cannot tell all cells of `{file}` apart")).because(&twins)
        })?;
        Ok(plan)
    }

    /// Draws the plan of results that are there, also of an older engine's, without looking at
    /// images.
    pub(super) fn plan_of_results(&self, manifest: &Manifest) -> Result<Plan, Failure> {
        self.plan_with(&manifest.run.engine_revision, &mut |settings| {
            manifest.checksum_of(settings).ok_or_else(|| {
                Failure::input("the manifest does not know the dataset of every cell")
                    .hint(Some("run the experiment again: finished trials are kept"))
            })
        })
    }

    fn plan_with(
        &self,
        engine_revision: &str,
        checksum_of: &mut dyn FnMut(&DatasetSettings) -> Result<Digest, Failure>,
    ) -> Result<Plan, Failure> {
        let experiment = self.document.experiment();
        let cells = self.grid.cells().filter_map(|cell| {
            let repeats = self.repeats.of_cell(&self.grid.id(cell), experiment.repeats)?;
            Some((cell, repeats))
        });
        let mut networks = 0u64;
        let cells = cells.map(|(cell, repeats)| {
            let assignment: Vec<_> = self
                .grid
                .assignment(cell)
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .collect();
            let settings = self
                .document
                .settings_for(assignment.iter().map(|(key, value)| (key.as_str(), value)))?;
            networks += repeats.len() as u64 * u64::from(settings.ensemble.size);
            if networks > MOST_NETWORKS {
                let file = self.document.file_name();
                return Err(Failure::input(format!("cannot plan `{file}`"))
                    .because_of("its trials have more than 10,000,000 networks in all")
                    .hint(Some("lower `repeats` or `ensemble.size`, or draw some of the cells with `sample`")));
            }
            let (id, name) = (self.grid.id(cell), self.grid.name(cell));
            Ok((CellDraft { id, name, assignment, settings }, repeats))
        });
        Plan::from_repeats(experiment.seed, engine_revision, cells, checksum_of).map_err(|error| {
            match error {
                PlanError::Cell(failure) | PlanError::Dataset(failure) => failure,
            }
        })
    }

    /// Returns what the manifest of a run says of this experiment.
    pub(super) fn manifest_draft(
        &self,
        plan: &Plan,
        images: &mut Images,
        engine: String,
    ) -> Result<ManifestDraft, Failure> {
        let experiment = self.document.experiment();
        let datasets = plan
            .datasets
            .iter()
            .map(|planned| {
                let dataset = images.load(&planned.settings)?;
                let sizes = split_sizes(&planned.settings, &dataset, experiment.seed)?;
                Ok(DatasetFacts {
                    name: dataset.name.clone(),
                    settings: json(&planned.settings),
                    checksum: dataset.checksum,
                    images: dataset.len(),
                    shape: [dataset.shape.height, dataset.shape.width, dataset.shape.channels],
                    classes: dataset.classes.clone(),
                    splits: Some(sizes),
                })
            })
            .collect::<Result<_, Failure>>()?;
        Ok(ManifestDraft {
            name: experiment.name.clone(),
            typed: self.document.typed_text().to_owned(),
            overrides: self.document.overrides().iter().map(|one| one.text().to_owned()).collect(),
            experiment: json(experiment),
            engine,
            engine_revision: ENGINE_REVISION.to_owned(),
            datasets,
            repeats: self.repeats.clone(),
        })
    }
}

fn json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).expect("settings serialise")
}

/// Datasets by what decides them, each loaded once.
pub(super) struct Images {
    folders: DataFolders,
    loaded: HashMap<String, Arc<Dataset>>,
}

impl Images {
    /// Starts with nothing loaded.
    pub(super) fn new(folders: DataFolders) -> Self {
        Self { folders, loaded: HashMap::new() }
    }

    /// Returns a dataset, loading it the first time.
    pub(super) fn load(&mut self, settings: &DatasetSettings) -> Result<Arc<Dataset>, DataError> {
        let key = format!("{:?} {:?} {}", settings.source, settings.image_size, settings.skip_bad);
        if let Some(dataset) = self.loaded.get(&key) {
            return Ok(Arc::clone(dataset));
        }
        let dataset = Arc::new(data::load(settings, &self.folders)?);
        tell_skipped(&dataset);
        self.loaded.insert(key, Arc::clone(&dataset));
        Ok(dataset)
    }
}

/// Lists the images that were left out, as far as a person reads.
fn tell_skipped(dataset: &Dataset) {
    const MOST: usize = 10;
    let skipped = &dataset.skipped;
    if skipped.is_empty() {
        return;
    }
    let all = skipped.len() + dataset.len();
    say!("{} of {all} images of `{}` left out:", skipped.len(), dataset.name);
    for line in skipped.iter().take(MOST) {
        say!("  {line}");
    }
    if skipped.len() > MOST {
        say!("  … and {} more", skipped.len() - MOST);
    }
}

/// Returns the sizes of the training, validation and test split.
pub(super) fn split_sizes(
    settings: &DatasetSettings,
    dataset: &Dataset,
    seed: Seed,
) -> Result<[usize; 3], DataError> {
    let path = SeedPath::member(seed, 0, 0);
    let splits = data::split(dataset, &settings.split, settings.train_limit, path)?;
    Ok([splits.train.len(), splits.validation.len(), splits.test.len()])
}

/// Checks that the network and the splits of every distinct setting fit their images, before any
/// is trained.
pub(super) fn validate(plan: &Plan, images: &mut Images) -> Result<(), Failure> {
    let mut seen = std::collections::HashSet::new();
    for cell in &plan.cells {
        let settings = &cell.settings;
        let (batch_size, drop_last) = (settings.train.batch_size, settings.train.drop_last);
        let key = format!(
            "{:?} {:?} {:?}",
            settings.dataset,
            settings.model.layers,
            drop_last.then_some(batch_size)
        );
        if !seen.insert(key) {
            continue;
        }
        let dataset = images.load(&settings.dataset)?;
        let seed = plan.members.first().map_or(Seed(0), |m| m.seed_path.master);
        let [train, validation, _] = split_sizes(&settings.dataset, &dataset, seed)?;
        let cannot = || Failure::input(format!("cannot train cell `{}`", cell.name));
        if matches!(settings.trainer, TrainerSettings::Dfdx) {
            let shape = dataset.shape;
            Architecture::of(
                &settings.model.layers,
                (shape.height, shape.width, shape.channels),
                dataset.classes.len(),
            )
            .map_err(|problem| {
                cannot().because(&problem).hint(Some(format!(
                    "the images of `{}` are {}×{}; try `dataset.image-size` or another model",
                    dataset.name, shape.height, shape.width
                )))
            })?;
            let is_fitted = LayerSettings::are_fitted(&settings.model.layers);
            if drop_last && train < batch_size && !is_fitted {
                return Err(cannot()
                    .because_of(format!(
                        "`train.drop-last` leaves nothing: the {train} training images do not \
                         fill a batch of {batch_size}"
                    ))
                    .hint(Some("lower `train.batch-size`, or set `train.drop-last` to false")));
            }
        }
        if needs_validation(settings) && validation == 0 {
            return Err(cannot()
                .because_of("`train.stop` watches the validation split, which is empty")
                .hint(Some("set `dataset.split.validation`, for example to 0.1")));
        }
    }
    Ok(())
}

fn needs_validation(settings: &Settings) -> bool {
    settings.train.stop.patience.is_some() || settings.train.stop.restore_best
}

/// Says whether `path` looks like an experiment file rather than a dataset's name.
pub(super) fn is_experiment_file(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

impl From<SpecError> for Failure {
    fn from(error: SpecError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let hint = error.hint();
        let failure = Self::input(error.to_string());
        match std::error::Error::source(&error) {
            Some(source) => failure.because(source),
            None => failure,
        }
        .hint(hint)
    }
}
