//! Trained networks: those of a results folder, or exported ones, and what they say of images.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Error, store_and_plan};
use crate::data::Input;
use crate::engine::Engine;
use crate::engine::model_file::{ModelCard, card_of, with_card};
use crate::experiment::architecture::Architecture;
use crate::experiment::selector::Selector;
use crate::experiment::settings::Combine;
use crate::plan::{Plan, Trial};
use crate::record::{LogProbabilities, Outcome};
use crate::results::{ExperimentResults, assemble_trials};
use crate::runner::Ballot;
use crate::store::{Build, Store};

/// Which trained networks of a results folder are meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModelChoice {
    /// The cell; absent: the only one.
    pub(crate) cell: Option<Selector>,
    /// Index of the repeat.
    pub(crate) repeat: u32,
    /// Index within the ensemble; absent: all.
    pub(crate) member: Option<u32>,
}

/// A network with its card, as the bytes of a file.
pub(crate) struct Model {
    pub(crate) card: ModelCard,
    pub(crate) bytes: Vec<u8>,
}

/// Reads the networks of one trial of a results folder, in ensemble order.
pub(crate) fn models_in(folder: &Path, choice: &ModelChoice) -> Result<Vec<Model>, Error> {
    let (store, plan) = store_and_plan(folder)?;
    let trial = chosen(&store, &plan, choice)?;
    let wanted = choice.member.map(|member| member as usize);
    if let Some(member) = wanted.filter(|&member| member >= trial.members.len()) {
        return Err(Error::input(format!("cannot find member {member}")).because_of(format!(
            "the ensemble has {} networks, counted from 0",
            trial.members.len()
        )));
    }
    (0..trial.members.len())
        .filter(|&index| wanted.is_none_or(|wanted| wanted == index))
        .map(|index| model(&store, &plan, trial, index))
        .collect()
}

/// Returns the trial that is meant, if it completed.
fn chosen<'p>(store: &Store, plan: &'p Plan, choice: &ModelChoice) -> Result<&'p Trial, Error> {
    let cell = chosen_cell(&assemble_trials(plan, store), choice.cell.as_ref())?;
    let name = &plan.cells[cell].name;
    let trials: Vec<&Trial> = plan.trials.iter().filter(|trial| trial.cell == cell).collect();
    let trial = trials.iter().find(|trial| trial.repeat == choice.repeat).ok_or_else(|| {
        Error::input(format!("cannot find repeat {} of cell `{name}`", choice.repeat))
            .because_of(format!("it has {} repeats, counted from 0", trials.len()))
    })?;
    let outcome = store.trials().get(&trial.id).map(|record| record.outcome);
    if outcome == Some(Outcome::Completed) {
        return Ok(trial);
    }
    let state = outcome.map_or("is not finished", Outcome::name);
    Err(Error::input(format!("cannot use repeat {} of cell `{name}`", choice.repeat))
        .because_of(format!("the trial {state}: an ensemble answers with all of its networks"))
        .hint(Some("run the experiment again to finish it, or choose another `--repeat`")))
}

fn chosen_cell(results: &ExperimentResults, selector: Option<&Selector>) -> Result<usize, Error> {
    const MAX_LISTED: usize = 12;
    let all = Selector::default();
    let selector = selector.unwrap_or(&all);
    let (_, cells) = results
        .choose(selector)
        .map_err(|error| Error::input("cannot choose a cell").because(&error))?;
    if let [cell] = cells[..] {
        return Ok(cell);
    }
    let names = cells.iter().map(|&cell| format!("`{}`", results.cells[cell].name));
    let more = (cells.len() > MAX_LISTED).then(|| "…".to_owned());
    let listed: Vec<String> = names.take(MAX_LISTED).chain(more).collect();
    let (who, hint) = if selector.is_empty() {
        ("the experiment has".to_owned(), "name one with `--cell`")
    } else {
        (format!("`{selector}` means"), "name more of the axes")
    };
    Err(Error::input("cannot choose a cell")
        .because_of(format!("{who} {} cells:\n{}", cells.len(), listed.join("\n")))
        .hint(Some(hint)))
}

fn model(store: &Store, plan: &Plan, trial: &Trial, index: usize) -> Result<Model, Error> {
    let member = &plan.members[trial.members[index]];
    let cell = &plan.cells[trial.cell];
    let cannot = || format!("cannot use network {index} of cell `{}`", cell.name);
    let weights = store.weights(&member.id).map_err(|error| Error::of_store(cannot(), &error))?;
    let facts = store.manifest().facts_of(&cell.settings.dataset).ok_or_else(|| {
        Error::input(cannot()).because_of("the manifest does not know its dataset")
    })?;
    let [height, width, channels] = facts.shape;
    let architecture = Architecture::of(
        &cell.settings.model.layers,
        (height, width, channels),
        facts.classes.len(),
    )
    .map_err(|problem| Error::input(cannot()).because(&problem))?;
    let summary = store.members().get(&member.id).and_then(|record| record.summary.as_ref());
    let card = ModelCard {
        version: ModelCard::VERSION,
        experiment: store.manifest().run.name.clone(),
        cell: cell.name.clone(),
        repeat: trial.repeat,
        member: index as u32,
        member_id: member.id,
        model: cell.settings.model.name.clone(),
        classes: facts.classes.clone(),
        image: facts.shape,
        columns: facts.columns.clone().and_then(|columns| serde_json::from_value(columns).ok()),
        layers: ModelCard::layers_of(&architecture),
        trainable_parameters: architecture.trainable_parameters() as u64,
        other_parameters: architecture.other_parameters() as u64,
        path: summary.map_or_else(String::new, |summary| summary.path.clone()),
        metrics: summary
            .iter()
            .flat_map(|summary| &summary.metrics)
            .map(|(name, value)| (name.clone(), *value))
            .collect(),
        commit: Build::current().commit,
        settings: (*cell.settings).clone(),
    };
    let bytes =
        with_card(&weights, &card).map_err(|error| Error::fault(cannot()).because(&error))?;
    Ok(Model { card, bytes })
}

/// Reads the networks that are to answer, and checks that they answer the same question.
///
/// `path` is a results folder with weights, or a file or folder of exported networks.
pub(crate) fn models_at(path: &Path, choice: &ModelChoice) -> Result<Vec<Model>, Error> {
    let models = if path.join("manifest.json").is_file() {
        models_in(path, choice)?
    } else {
        let models = files(path)?.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
        check_one_ensemble(path, &models)?;
        models
    };
    let first = &models[0].card;
    if let Some(other) = models
        .iter()
        .find(|model| model.card.classes != first.classes || model.card.image != first.image)
    {
        return Err(Error::input(format!("cannot combine the networks in `{}`", path.display()))
            .because_of(format!(
                "network {} takes {}×{} pixels for {} classes, network {} takes {}×{} for {}",
                other.card.member,
                other.card.image[0],
                other.card.image[1],
                other.card.classes.len(),
                first.member,
                first.image[0],
                first.image[1],
                first.classes.len(),
            )));
    }
    Ok(models)
}

/// Refuses files of several ensembles in one folder: only the networks of one repeat of one cell
/// answer together.
fn check_one_ensemble(path: &Path, models: &[Model]) -> Result<(), Error> {
    let whose = |model: &Model| {
        let card = &model.card;
        format!("repeat {} of cell `{}` of `{}`", card.repeat, card.cell, card.experiment)
    };
    let first = whose(&models[0]);
    let Some(other) = models.iter().map(whose).find(|other| *other != first) else {
        return Ok(());
    };
    Err(Error::input(format!("cannot combine the networks in `{}`", path.display()))
        .because_of(format!("it holds networks of {first} and of {other}"))
        .hint(Some("export each into a folder of its own, or name one `.safetensors` file")))
}

/// Returns the model files that `path` means, in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let cannot = || {
        Error::input(format!("cannot read networks from `{}`", path.display()))
            .hint(Some("give a file or folder written by `bench export`, or a results folder"))
    };
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| cannot().because(&error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|ending| ending == "safetensors"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(
            cannot().because_of("it holds neither a `manifest.json` nor a `.safetensors` file")
        );
    }
    Ok(files)
}

fn read(file: &Path) -> Result<Model, Error> {
    let cannot = || Error::input(format!("cannot read the network `{}`", file.display()));
    let bytes = std::fs::read(file).map_err(|error| cannot().because(&error))?;
    let card = card_of(&bytes).map_err(|error| cannot().because(&error))?;
    Ok(Model { card, bytes })
}

/// What the networks say of every image.
pub(crate) struct Answers {
    /// The class of each.
    pub(crate) classes: Vec<usize>,
    /// Mean probabilities, one row per image.
    pub(crate) means: Vec<Vec<f64>>,
}

impl Answers {
    /// Asks every network of every image.
    pub(crate) fn of(
        models: &[Model],
        engine: &(dyn Engine + Send + Sync),
        input: &Input,
        combine: Combine,
    ) -> Result<Self, Error> {
        let images = &input.images;
        let indices: Vec<u32> = (0..images.len() as u32).collect();
        let of_model = |model: &Model| -> Result<LogProbabilities, Error> {
            engine.predict(&model.card.settings, images, &indices, &model.bytes).map_err(|error| {
                Error::input(format!("cannot predict with network {}", model.card.member))
                    .because(&error)
            })
        };
        let predicted: Vec<LogProbabilities> =
            models.par_iter().map(of_model).collect::<Result<_, _>>()?;
        let mut ballot = Ballot::new(models.len(), images.classes.len());
        let mut answers = Self { classes: Vec::new(), means: Vec::new() };
        for image in 0..images.len() {
            ballot.clear();
            for logs in &predicted {
                let classes = logs.classes;
                ballot.add(&logs.values[image * classes..][..classes]);
            }
            answers.classes.push(ballot.winner(combine));
            answers.means.push(ballot.mean());
        }
        Ok(answers)
    }
}
