//! `bench export`: trained networks as files that say what they are.

use std::path::Path;

use super::failure::{Exit, Failure};
use super::folders::refuse_leftovers;
use super::model_arguments::ExportArguments;
use crate::base::text::harmless;
use crate::engine::model_file::ModelCard;
use crate::session::{Model, models_in};
use crate::store::atomic;

pub(super) fn export(arguments: &ExportArguments) -> Result<Exit, Failure> {
    let models = models_in(&arguments.folder, &arguments.choice.meant())?;
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
