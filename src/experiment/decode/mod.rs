//! From the tree of what was typed to settings with every default filled in.

mod augment;
mod dataset;
pub(super) mod experiment;
pub(super) mod grid;
pub(super) mod model;
pub(super) mod program;
mod range;
pub(super) mod submit;
pub(super) mod train;
mod trainer;

use super::reader::{Finding, Findings};
use super::settings::{Precision, Settings, Source, SplitSeed, TrainerSettings};
use super::tree::{Entry, Origin, find};

/// Decodes every section of the settings.
pub(super) fn settings(tree: &[Entry], findings: &mut Findings) -> Settings {
    let node = |key| find(tree, key).map(|entry| &entry.node);
    let mut settings = Settings {
        dataset: dataset::dataset(node("dataset"), findings),
        model: model::model(node("model"), findings),
        train: train::train(node("train"), findings),
        augment: augment::augment(node("augment"), findings),
        ensemble: augment::ensemble(node("ensemble"), findings),
        trainer: trainer::trainer(node("trainer"), findings),
        hyperparameters: trainer::hyperparameters(node("hyperparameters"), findings),
        folds: None,
    };
    // The head of the file has said what is wrong with it.
    let folds = experiment::folds(node("folds"), &mut Findings::of(findings.edition));
    settings.set_folds(folds);
    settings
}

/// Decodes one section again, in place; returns whether there is such a section.
pub(super) fn section(entry: &Entry, settings: &mut Settings, findings: &mut Findings) -> bool {
    let node = Some(&entry.node);
    match &*entry.key {
        "dataset" => settings.dataset = dataset::dataset(node, findings),
        "model" => settings.model = model::model(node, findings),
        "train" => settings.train = train::train(node, findings),
        "augment" => settings.augment = augment::augment(node, findings),
        "ensemble" => settings.ensemble = augment::ensemble(node, findings),
        "trainer" => settings.trainer = trainer::trainer(node, findings),
        "hyperparameters" => settings.hyperparameters = trainer::hyperparameters(node, findings),
        _ => return false,
    }
    settings.set_folds(settings.folds);
    true
}

/// Checks what one section says against another; `origin` finds where a key was typed.
pub(super) fn cross_check(
    settings: &Settings,
    origin: &dyn Fn(&[&str]) -> Option<Origin>,
    findings: &mut Findings,
) {
    let engine = settings.trainer.name();
    folds(settings, origin, findings);
    program::cross_check(settings, origin, findings);
    if settings.dataset.source == Source::None && !settings.trainer.is_command() {
        dataset::missing(findings);
    }
    if settings.trainer.has_networks() {
        if settings.model.name == model::NO_MODEL && origin(&["model"]).is_none() {
            let advice = "add `[model]` with `preset = \"small-cnn\"`, or set `trainer.engine`";
            findings.add(Finding {
                origin: None,
                message: format!("`[model]` is missing, which engine `{engine}` needs"),
                hint: Some(advice.to_owned()),
                missing: Some("model.preset".to_owned()),
            });
        }
        if !settings.hyperparameters.is_empty() {
            findings.advise(
                origin(&["hyperparameters"]),
                format!("`hyperparameters` are not read by engine `{engine}`"),
                "vary a key of the settings, or set `trainer.engine` to \"command\" or \"fake\""
                    .to_owned(),
            );
        }
    }
    if (&settings.trainer, settings.train.precision)
        == (&TrainerSettings::DfdxOnly, Precision::Bf16)
    {
        findings.advise(
            origin(&["train", "precision"]).or_else(|| origin(&["trainer", "engine"])),
            "`train.precision` is `bf16`, in which engine `dfdx` does not compute".to_owned(),
            "set `precision` to \"f32\", or `trainer.engine` to \"auto\"".to_owned(),
        );
    }
    if settings.train.retrain.is_some() {
        let typed = origin(&["train", "retrain"]);
        if !settings.trainer.has_networks() {
            let message = format!("`train.retrain` is not known to engine `{engine}`");
            findings.advise(typed, message, "remove `retrain`".to_owned());
        } else if settings.dataset.split.validation.is_none() {
            findings.advise(
                typed,
                "`train.retrain` adds the validation images, but there are none".to_owned(),
                "add `split = { validation = 0.1 }` to `[dataset]`".to_owned(),
            );
        }
    }
    let stop = &settings.train.stop;
    let has_validation = settings.dataset.split.validation.is_some() || settings.folds.is_some();
    if !has_validation && (stop.patience.is_some() || stop.restore_best) {
        findings.advise(
            origin(&["train", "stop"]),
            "`train.stop` watches the validation split, but there is none".to_owned(),
            "add `split = { validation = 0.1 }` to `[dataset]`".to_owned(),
        );
    }
    let warmup = settings.train.learning_rate.warmup_epochs;
    if warmup > f64::from(settings.train.epochs) {
        findings.say(
            origin(&["train", "learning-rate"]),
            format!(
                "`train.learning-rate.warmup-epochs` is {warmup}, expected at most `train.epochs`, {}",
                settings.train.epochs
            ),
        );
    }
}

/// Checks that nothing else says how images are divided where there are folds.
fn folds(settings: &Settings, origin: &dyn Fn(&[&str]) -> Option<Origin>, findings: &mut Findings) {
    let split = &settings.dataset.split;
    if settings.folds.is_none() || settings.dataset.source == Source::None {
        return;
    }
    let typed = [
        ("validation", split.validation.is_some(), "the validation images of a repeat are a fold"),
        ("train", split.train.is_some(), "the training images of a repeat are all other folds"),
        ("seed", split.seed == SplitSeed::Member, "the members of an ensemble share their fold"),
    ];
    for (key, is_typed, reason) in typed {
        if is_typed {
            findings.advise(
                origin(&["dataset", "split", key]),
                format!("`dataset.split.{key}` says otherwise than `folds`: {reason}"),
                format!("remove `{key}`, or `folds`"),
            );
        }
    }
    if settings.train.retrain.is_some() {
        findings.advise(
            origin(&["train", "retrain"]),
            "`train.retrain` trains on the fold that is to be predicted".to_owned(),
            "remove `retrain`, or `folds`".to_owned(),
        );
    }
}
