//! `bench export`: trained networks as files that say what they are.

use std::path::Path;

use super::failure::{Exit, Failure};
use super::folders::refuse_leftovers;
use super::model_arguments::{ChoiceArguments, ExportArguments};
use crate::base::text::harmless;
use crate::engine::model_file::{ModelCard, with_card};
use crate::plan::{Plan, Trial};
use crate::record::Outcome;
use crate::results::{ExperimentResults, assemble_trials};
use crate::session::{Error, store_and_plan};
use crate::spec::architecture::Architecture;
use crate::spec::selector::Selector;
use crate::store::{Build, Store, atomic};

pub(super) fn export(arguments: &ExportArguments) -> Result<Exit, Failure> {
    let models = models_in(&arguments.folder, &arguments.choice)?;
    let output = &arguments.output;
    let write = |path: &Path, bytes: &[u8]| {
        atomic::write_named(path, bytes)
            .map_err(|error| Failure::unwritable("the networks", &error))
    };
    let is_file = output.extension().is_some_and(|ending| ending == "safetensors");
    match (is_file, &models[..]) {
        (true, [model]) => {
            write(output, &model.bytes)?;
            write(&output.with_extension("json"), &pretty(&model.card))?;
        }
        (true, several) => {
            return Err(Failure::input(format!("cannot export to `{}`", output.display()))
                .because_of(format!("the ensemble has {} networks", several.len()))
                .hint(Some("choose one with `--member N`, or name a folder for all")));
        }
        (false, models) => {
            let file =
                |model: &Model| output.join(format!("member-{:02}.safetensors", model.card.member));
            refuse_leftovers(output, 0, "safetensors", &models.iter().map(file).collect())?;
            for model in models {
                write(&file(model), &model.bytes)?;
                write(&file(model).with_extension("json"), &pretty(&model.card))?;
            }
        }
    }
    let card = &models[0].card;
    say!(
        "{} of cell `{}`, repeat {}: {} with {} trainable parameters, written to `{}`",
        if models.len() == 1 {
            "one network".to_owned()
        } else {
            format!("{} networks", models.len())
        },
        card.cell,
        card.repeat,
        card.model,
        card.trainable_parameters,
        output.display()
    );
    Ok(Exit::Done)
}

fn pretty(card: &ModelCard) -> Vec<u8> {
    let mut text = serde_json::to_string_pretty(card).expect("a card serialises to JSON");
    text.push('\n');
    harmless(&text, true).into_bytes()
}

/// A network with its card, as the bytes of a file.
pub(super) struct Model {
    pub(super) card: ModelCard,
    pub(super) bytes: Vec<u8>,
}

/// Reads the networks of one trial of a results folder, in ensemble order.
pub(super) fn models_in(folder: &Path, choice: &ChoiceArguments) -> Result<Vec<Model>, Failure> {
    let (store, plan) = store_and_plan(folder)?;
    let trial = chosen(&store, &plan, choice)?;
    let wanted = choice.member.map(|member| member as usize);
    if let Some(member) = wanted.filter(|&member| member >= trial.members.len()) {
        return Err(Failure::input(format!("cannot find member {member}")).because_of(format!(
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
fn chosen<'p>(
    store: &Store,
    plan: &'p Plan,
    choice: &ChoiceArguments,
) -> Result<&'p Trial, Failure> {
    let cell = chosen_cell(&assemble_trials(plan, store), choice.cell.as_ref())?;
    let name = &plan.cells[cell].name;
    let trials: Vec<&Trial> = plan.trials.iter().filter(|trial| trial.cell == cell).collect();
    let trial = trials.iter().find(|trial| trial.repeat == choice.repeat).ok_or_else(|| {
        Failure::input(format!("cannot find repeat {} of cell `{name}`", choice.repeat))
            .because_of(format!("it has {} repeats, counted from 0", trials.len()))
    })?;
    let outcome = store.trials().get(&trial.id).map(|record| record.outcome);
    if outcome == Some(Outcome::Completed) {
        return Ok(trial);
    }
    let state = outcome.map_or("is not finished", Outcome::name);
    Err(Failure::input(format!("cannot use repeat {} of cell `{name}`", choice.repeat))
        .because_of(format!("the trial {state}: an ensemble answers with all of its networks"))
        .hint(Some("run the experiment again to finish it, or choose another `--repeat`")))
}

fn chosen_cell(results: &ExperimentResults, selector: Option<&Selector>) -> Result<usize, Failure> {
    const MAX_LISTED: usize = 12;
    let all = Selector::default();
    let selector = selector.unwrap_or(&all);
    let (_, cells) = results
        .choose(selector)
        .map_err(|error| Failure::input("cannot choose a cell").because(&error))?;
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
    Err(Failure::input("cannot choose a cell")
        .because_of(format!("{who} {} cells:\n{}", cells.len(), listed.join("\n")))
        .hint(Some(hint)))
}

fn model(store: &Store, plan: &Plan, trial: &Trial, index: usize) -> Result<Model, Failure> {
    let member = &plan.members[trial.members[index]];
    let cell = &plan.cells[trial.cell];
    let cannot = || format!("cannot use network {index} of cell `{}`", cell.name);
    let weights = store.weights(&member.id).map_err(|error| Error::of_store(cannot(), &error))?;
    let facts = store.manifest().facts_of(&cell.settings.dataset).ok_or_else(|| {
        Failure::input(cannot()).because_of("the manifest does not know its dataset")
    })?;
    let [height, width, channels] = facts.shape;
    let architecture = Architecture::of(
        &cell.settings.model.layers,
        (height, width, channels),
        facts.classes.len(),
    )
    .map_err(|problem| Failure::input(cannot()).because(&problem))?;
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
        with_card(&weights, &card).map_err(|error| Failure::internal(cannot()).because(&error))?;
    Ok(Model { card, bytes })
}
