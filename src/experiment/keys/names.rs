//! What people call keys: by their last part, by the names of other tools, or nearly so.

use super::{EXPERIMENT_KEYS, SETTING_KEYS};
use crate::experiment::problem::nearest;

/// What keys are called elsewhere.
const ALIASES: &[(&str, &str)] = &[
    ("lr", "train.learning-rate"),
    ("learning-rate", "train.learning-rate"),
    ("rate", "train.learning-rate"),
    ("eta", "train.learning-rate"),
    ("bs", "train.batch-size"),
    ("batch", "train.batch-size"),
    ("batchsize", "train.batch-size"),
    ("epoch", "train.epochs"),
    ("max-epochs", "train.epochs"),
    ("num-epochs", "train.epochs"),
    ("n-epochs", "train.epochs"),
    ("wd", "train.optimizer.weight-decay"),
    ("l2", "train.optimizer.weight-decay"),
    ("betas", "train.optimizer.beta1"),
    ("eps", "train.optimizer.epsilon"),
    ("scheduler", "train.learning-rate.schedule"),
    ("lr-scheduler", "train.learning-rate.schedule"),
    ("warmup", "train.learning-rate.warmup-epochs"),
    ("early-stopping", "train.stop.patience"),
    ("dtype", "train.precision"),
    ("amp", "train.precision"),
    ("data", "dataset.source"),
    ("val", "dataset.split.validation"),
    ("val-split", "dataset.split.validation"),
    ("validation-split", "dataset.split.validation"),
    ("size", "dataset.image-size"),
    ("img-size", "dataset.image-size"),
    ("arch", "model.preset"),
    ("architecture", "model.preset"),
    ("network", "model.preset"),
    ("hidden", "model.width"),
    ("rotate", "augment.rotation"),
    ("translation", "augment.shift"),
    ("translate", "augment.shift"),
    ("trials", "repeats"),
    ("runs", "repeats"),
    ("n", "repeats"),
    ("random-seed", "seed"),
    ("random-state", "seed"),
];

/// Returns the full key that other tools call `typed`.
pub(in crate::experiment) fn alias(typed: &str) -> Option<&'static str> {
    let typed = typed.to_lowercase().replace('_', "-");
    ALIASES.iter().find(|(name, _)| *name == typed).map(|(_, key)| *key)
}

/// Returns the full key that a person means who types `typed` somewhere: by its last part, by what
/// other tools call it, or nearly so.
pub(crate) fn meant(typed: &str) -> Option<&'static str> {
    let typed = typed.to_lowercase().replace('_', "-");
    let last = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
    let keys = || SETTING_KEYS.iter().chain(EXPERIMENT_KEYS.iter()).copied();
    let near = || {
        let found = nearest(&typed, keys().map(last))?;
        keys().find(|key| last(key) == found)
    };
    let exact = || keys().find(|key| *key == typed);
    let by_last = || keys().find(|key| last(key) == typed);
    exact().or_else(by_last).or_else(|| alias(&typed)).or_else(near)
}
