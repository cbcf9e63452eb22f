//! From an experiment file to a validated plan: the steps every command that knows a file shares.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::images::{Images, split_sizes};
use super::programs::Programs;
use super::repository;
use super::{Error, Notice};
use crate::base::{Digest, Seed};
use crate::data::{DataError, Dataset, no_images};
use crate::engine::ENGINE_REVISION;
use crate::experiment::architecture::Architecture;
use crate::experiment::layers::LayerSettings;
use crate::experiment::reference::ReferenceTable;
use crate::experiment::settings::{
    CommandSettings, DatasetSettings, Settings, Source, TrainerSettings,
};
use crate::experiment::{Document, Edition, Override, nearest};
use crate::grid::{self, Cell, Grid};
use crate::plan::{
    CellDraft, Facts, ImageFacts, MAX_NETWORKS, Plan, PlanError, Questions, SplitSizes, Survey,
    SurveyError, survey,
};
use crate::report::reference;
use crate::store::{DatasetFacts, DivisionFacts, Manifest, ManifestDraft, Repeats};

/// An experiment file with its grid.
pub struct LoadedExperiment {
    /// The file, as typed and as meant.
    pub document: Document,
    /// Its cells.
    pub grid: Grid,
    /// Which repeats of which cells are meant.
    pub repeats: Repeats,
    /// The experiment file, where it was read from one.
    pub file: Option<PathBuf>,
}

impl LoadedExperiment {
    /// Reads and expands the experiment in a file; `overrides` are changes to it, `key=value`.
    ///
    /// # Errors
    /// If the file cannot be read, says something impossible, or names a table that is not there.
    pub fn read(file: &Path, overrides: &[String]) -> Result<Self, Error> {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound => Some(near(file)),
                _ => None,
            };
            Error::input(format!("cannot read experiment `{shown}`")).because(&error).hint(hint)
        })?;
        let mut loaded = Self::of_edition(Edition::Current, &text, &shown, overrides)?;
        loaded.read_reference(file.parent().unwrap_or(Path::new("")))?;
        Ok(Self { file: Some(file.to_owned()), ..loaded })
    }

    /// Reads and expands the experiment that `text` says, called `shown` in messages; it is run in
    /// the present folder.
    ///
    /// # Errors
    /// As [`LoadedExperiment::read`].
    pub fn parse(text: &str, shown: &str, overrides: &[String]) -> Result<Self, Error> {
        let mut loaded = Self::of_edition(Edition::Current, text, shown, overrides)?;
        loaded.read_reference(Path::new(""))?;
        Ok(loaded)
    }

    /// Returns whether its trials were imported, so that none can be run.
    pub(crate) fn is_imported(&self) -> bool {
        self.document.experiment().is_imported()
    }

    /// Reads the published table that the report names as a file, beside the experiment's.
    fn read_reference(&mut self, folder: &Path) -> Result<(), Error> {
        let report = &self.document.experiment().report;
        let Some(named) = report.reference_file() else { return Ok(()) };
        let path = folder.join(named);
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Error::input(format!("cannot read reference table `{shown}`"))
                .because(&error)
                .hint(Some("`report.reference` names a file beside the experiment's"))
        })?;
        self.document.set_reference_table(ReferenceTable::parse(&text, &shown)?);
        Ok(())
    }

    /// Reads and expands the experiment a results folder was made with.
    pub(crate) fn from_manifest(manifest: &Manifest) -> Result<Self, Error> {
        let shown = format!("manifest of {}", manifest.run.name);
        let (typed, mut overrides) = (&manifest.run.typed, manifest.run.overrides.clone());
        let edition = Edition::of(&manifest.run.engine_revision);
        let mut loaded = Self::of_edition(edition, typed, &shown, &overrides)?;
        let is_explicit = loaded.document.experiment().base.trainer == TrainerSettings::DfdxOnly;
        // Its name for what is `"auto"` today.
        if is_explicit && edition == Edition::Revision4 {
            overrides.push("trainer.engine=auto".to_owned());
            loaded = Self::of_edition(edition, typed, &shown, &overrides)?;
        }
        if let Some(table) = crate::results::Facts::of(manifest).report.reference_table {
            loaded.document.set_reference_table(table);
        }
        Ok(Self { repeats: manifest.run.repeats.clone(), ..loaded })
    }

    /// Keeps the repeats that a gate asked for in `folder`, if there are results of it there.
    pub(super) fn with_repeats_in(self, folder: &Path) -> Result<Self, Error> {
        if !matches!(self.repeats, Repeats::AsTyped) {
            return Ok(self);
        }
        let known = Manifest::read(folder).map_err(|error| {
            Error::input(format!("cannot read the results in `{}`", folder.display()))
                .because(&error)
                .hint(error.hint())
        })?;
        Ok(match known.map(|manifest| manifest.run.repeats) {
            Some(repeats @ Repeats::More(_)) => Self { repeats, ..self },
            _ => self,
        })
    }

    /// Returns the same experiment with further overrides.
    pub(crate) fn with_overrides(&self, more: &[String]) -> Result<Self, Error> {
        let document = &self.document;
        let known = document.overrides().iter().map(|one| one.text().to_owned());
        let overrides: Vec<String> = known.chain(more.iter().cloned()).collect();
        let (text, shown) = (document.typed_text(), document.file_name());
        let mut loaded = Self::of_edition(document.edition(), text, shown, &overrides)?;
        if let Some(table) = &document.experiment().report.reference_table {
            loaded.document.set_reference_table(table.clone());
        }
        Ok(Self { repeats: self.repeats.clone(), file: self.file.clone(), ..loaded })
    }

    fn of_edition(
        edition: Edition,
        text: &str,
        shown: &str,
        overrides: &[String],
    ) -> Result<Self, Error> {
        let overrides: Vec<Override> =
            overrides.iter().map(|text| Override::parse(text)).collect::<Result<_, _>>()?;
        let document = Document::parse_as_of(edition, text, shown, &overrides)?;
        let grid = grid::expand(document.experiment()).map_err(|error| {
            Error::input(format!("cannot expand the grid of `{shown}`")).because(&error)
        })?;
        Ok(Self { document, grid, repeats: Repeats::AsTyped, file: None })
    }

    /// Looks at every cell: each has settings that fit, can be trained, and is no other under
    /// another name.
    pub(crate) fn survey(
        &self,
        images: &mut Images,
        measured: &dyn Fn(&Settings) -> Option<f64>,
        rate: &dyn Fn(&Settings) -> f64,
        workers: usize,
    ) -> Result<Survey, Error> {
        let experiment = self.document.experiment();
        let file = self.document.file_name();
        let images = RefCell::new(images);
        let mut questions = Questions {
            images: &mut |settings| images.borrow_mut().facts(settings, experiment.seed),
            check: &mut |settings, name| {
                validate(settings, name, experiment.seed, &mut images.borrow_mut())
            },
            repeats: &|id| match &self.repeats {
                Repeats::AsTyped => Some(0..experiment.repeats),
                repeats => repeats.of_cell(&id(), experiment.repeats),
            },
            facts: &Facts {
                sizes: &|_| SplitSizes::default(),
                measured,
                multiply_accumulates: &|settings| operations(settings, &mut images.borrow_mut()),
                multiply_accumulates_per_second: rate,
                workers,
            },
        };
        let mut surveyed =
            survey(&self.document, &self.grid, &mut questions).map_err(|error| match error {
                SurveyError::Cell(problem) => problem.into(),
                SurveyError::Images(failure) => failure,
                SurveyError::Twins(twins) => {
                    Error::input(format!("cannot tell all cells of `{file}` apart")).because(&twins)
                }
                SurveyError::TooMany => self.too_many_networks(),
            })?;
        let named = experiment.report.reference.as_deref();
        if let Some((old, new)) = named.and_then(|old| Some((old, reference::renamed(old)?))) {
            let doubt = format!("`report.reference` is `{old}`, an old name: write `{new}`");
            surveyed.doubts.push(doubt);
        }
        Ok(surveyed)
    }

    /// Iterates over the cells of which some repeat is meant.
    pub(crate) fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        let repeats = self.document.experiment().repeats;
        self.grid.cells().filter(move |cell| match &self.repeats {
            Repeats::AsTyped => true,
            some => some.of_cell(&self.grid.id(*cell), repeats).is_some(),
        })
    }

    fn too_many_networks(&self) -> Error {
        let most = crate::base::grouped(u128::from(MAX_NETWORKS));
        Error::input(format!("cannot plan `{}`", self.document.file_name()))
            .because_of(format!("its trials have more than {most} networks in all"))
            .hint(Some(
                "lower `repeats` or `ensemble.size`, or draw some of the cells with `sample`",
            ))
    }

    /// Checks every cell and draws the plan, in which no cell means the same as another.
    pub(crate) fn plan(&self, images: &mut Images) -> Result<Plan, Error> {
        let survey = self.survey(images, &|_| None, &|_| 1.0, 1)?;
        for doubt in survey.doubts {
            images.listener.tell(&Notice::Doubt(doubt));
        }
        self.checked_plan(images)
    }

    /// Draws the plan of cells that were surveyed.
    pub(crate) fn checked_plan(&self, images: &mut Images) -> Result<Plan, Error> {
        let seed = self.document.experiment().seed;
        let mut programs = Programs::of(
            self.folder()?,
            &self.document.experiment().readings,
            self.document.experiment().measure.is_some(),
            images,
        )?;
        let plan = self.plan_with(
            ENGINE_REVISION,
            &mut |settings| images.facts(settings, seed),
            &mut |command| programs.digest(command),
        );
        programs.leave_with(images);
        plan
    }

    /// Draws the plan of results that are there, also of an older engine's, without looking at
    /// images.
    pub(crate) fn plan_of_results(&self, manifest: &Manifest) -> Result<Plan, Error> {
        let mut program_of = |command: &CommandSettings| {
            manifest.program_of(command).ok_or_else(|| {
                Error::input("the manifest does not know the program of every cell")
                    .hint(Some("run the experiment again: finished trials are kept"))
            })
        };
        let mut images_of =
            |settings: &DatasetSettings| {
                if settings.source == Source::None {
                    return Ok(ImageFacts {
                        checksum: no_images(),
                        sizes: Some(SplitSizes::default()),
                    });
                }
                let facts = manifest.facts_of(settings).ok_or_else(|| {
                    Error::input("the manifest does not know the dataset of every cell")
                        .hint(Some("run the experiment again: finished trials are kept"))
                })?;
                let sizes = manifest.splits_of(settings).map(|[train, validation, test]| {
                    SplitSizes { train, validation, test, classes: facts.classes.len() }
                });
                Ok(ImageFacts { checksum: facts.checksum, sizes })
            };
        self.plan_with(&manifest.run.engine_revision, &mut images_of, &mut program_of)
    }

    fn plan_with(
        &self,
        engine_revision: &str,
        images_of: &mut dyn FnMut(&DatasetSettings) -> Result<ImageFacts, Error>,
        program_of: &mut dyn FnMut(&CommandSettings) -> Result<Digest, Error>,
    ) -> Result<Plan, Error> {
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
            if networks > MAX_NETWORKS {
                return Err(self.too_many_networks());
            }
            let (id, name) = (self.grid.id(cell), self.grid.name(cell));
            Ok((CellDraft { id, name, assignment, settings }, repeats))
        });
        Plan::from_repeats(experiment.seed, engine_revision, cells, images_of, program_of).map_err(
            |error| match error {
                PlanError::Cell(failure) | PlanError::Dataset(failure) => failure,
            },
        )
    }

    /// Returns the folder of the experiment file, from which programs are called.
    pub(super) fn folder(&self) -> Result<PathBuf, Error> {
        let beside = self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        std::path::absolute(if beside.as_os_str().is_empty() { Path::new(".") } else { beside })
            .map_err(|error| {
                Error::fault("cannot find the folder of the experiment").because(&error)
            })
    }

    /// Returns what the manifest of a run says of this experiment.
    pub(crate) fn manifest_draft(
        &self,
        plan: &Plan,
        images: &mut Images,
        engine: String,
    ) -> Result<ManifestDraft, Error> {
        let experiment = self.document.experiment();
        let datasets = plan
            .datasets
            .iter()
            .filter(|planned| planned.settings.source != Source::None)
            .map(|planned| {
                let dataset = images.load(&planned.settings)?;
                let sizes = split_sizes(&planned.settings, &dataset, experiment.seed)?;
                let notes = images.examine(&planned.settings, experiment.seed)?;
                let sentences = |of_warnings: bool| {
                    let notes = notes.iter().filter(|note| note.is_warning == of_warnings);
                    notes.map(|note| note.text.clone()).collect()
                };
                Ok(DatasetFacts {
                    name: dataset.name.clone(),
                    settings: json(&planned.settings),
                    checksum: dataset.checksum,
                    images: dataset.len(),
                    shape: [dataset.shape.height, dataset.shape.width, dataset.shape.channels],
                    classes: dataset.classes.clone(),
                    splits: Some(sizes),
                    divisions: divisions(plan, planned, &dataset, experiment.seed)?,
                    notes: sentences(false),
                    warnings: sentences(true),
                    columns: dataset.columns.as_ref().map(json),
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok(ManifestDraft {
            name: experiment.name.clone(),
            typed: self.document.typed_text().to_owned(),
            overrides: self.document.overrides().iter().map(|one| one.text().to_owned()).collect(),
            experiment: json(experiment),
            engine,
            engine_revision: ENGINE_REVISION.to_owned(),
            datasets,
            programs: Programs::facts(plan, &images.programs),
            repeats: self.repeats.clone(),
            repository: self.file.as_deref().and_then(repository::around),
        })
    }
}

/// Returns every way in which the cells of a plan divide the images of one dataset.
fn divisions(
    plan: &Plan,
    planned: &crate::plan::PlannedDataset,
    dataset: &Dataset,
    seed: Seed,
) -> Result<Vec<DivisionFacts>, DataError> {
    let mut known: Vec<DatasetSettings> = Vec::new();
    let mut divisions = Vec::new();
    for cell in plan.cells.iter().filter(|cell| planned.holds(&cell.settings.dataset)) {
        let settings = DatasetSettings { train_limit: None, ..cell.settings.dataset.clone() };
        if !known.iter().rev().any(|one| *one == settings) {
            let splits = split_sizes(&settings, dataset, seed)?;
            divisions.push(DivisionFacts { settings: json(&settings), splits });
            known.push(settings);
        }
    }
    Ok(divisions)
}

fn json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).expect("settings serialise")
}

/// Returns the multiply-accumulates of one forward pass over one image, if the network is known.
pub(crate) fn operations(settings: &Settings, images: &mut Images) -> Option<u64> {
    let dataset = images.load(&settings.dataset).ok()?;
    let shape = (dataset.shape.height, dataset.shape.width, dataset.shape.channels);
    let architecture =
        Architecture::of(&settings.model.layers, shape, dataset.classes.len()).ok()?;
    let is_known = settings.trainer.has_networks();
    is_known.then(|| architecture.multiply_accumulates() as u64)
}

/// Checks that the network and the splits of a cell fit its images, before any is trained.
fn validate(
    settings: &Settings,
    name: &dyn Fn() -> String,
    seed: Seed,
    images: &mut Images,
) -> Result<(), Error> {
    let (batch_size, drop_last) = (settings.train.batch_size, settings.train.drop_last);
    let dataset = images.load(&settings.dataset)?;
    images.examine(&settings.dataset, seed)?;
    let [train, validation, _] = split_sizes(&settings.dataset, &dataset, seed)?;
    let cannot = || Error::input(format!("cannot train cell `{}`", name()));
    if settings.trainer.has_networks() {
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
    Ok(())
}

fn needs_validation(settings: &Settings) -> bool {
    settings.train.stop.patience.is_some() || settings.train.stop.restore_best
}

/// Says whether `path` looks like an experiment file rather than a dataset's name.
pub(crate) fn is_experiment_file(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// Returns what helps where an experiment file is not there: the file beside it whose name is nearly
/// that, else where to look.
fn near(file: &Path) -> String {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| is_experiment_file(name));
    names.sort();
    let typed = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match nearest(typed, names.iter().map(String::as_str)) {
        Some(name) => {
            format!("did you mean `{}`?", folder.map_or(name.into(), |at| at.join(name)).display())
        }
        None => "the examples stand in `experiments/`".to_owned(),
    }
}
