//! Every key of the experiment language: for suggestions, and held against the documentation.

/// Dotted keys of the settings: what an axis may vary. `model.layers` and `hyperparameters` have
/// further keys below them.
pub const SETTING_KEYS: &[&str] = &[
    "dataset.source",
    "dataset.image-size",
    "dataset.train-limit",
    "dataset.skip-bad",
    "dataset.path",
    "dataset.test-path",
    "dataset.label",
    "dataset.images",
    "dataset.classes",
    "dataset.split.train",
    "dataset.split.validation",
    "dataset.split.test",
    "dataset.split.stratify",
    "dataset.split.seed",
    "model.preset",
    "model.layers",
    "model.dropout",
    "model.conv-dropout",
    "model.dense-dropout",
    "model.width",
    "model.init",
    "model.scaling",
    "model.smoothing",
    "train.epochs",
    "train.batch-size",
    "train.drop-last",
    "train.optimizer",
    "train.optimizer.name",
    "train.optimizer.momentum",
    "train.optimizer.nesterov",
    "train.optimizer.beta1",
    "train.optimizer.beta2",
    "train.optimizer.alpha",
    "train.optimizer.epsilon",
    "train.optimizer.convention",
    "train.optimizer.weight-decay",
    "train.learning-rate",
    "train.learning-rate.initial",
    "train.learning-rate.schedule",
    "train.learning-rate.factor",
    "train.learning-rate.every",
    "train.learning-rate.last",
    "train.learning-rate.warmup-epochs",
    "train.precision",
    "train.stop.monitor",
    "train.stop.patience",
    "train.stop.min-delta",
    "train.stop.train-accuracy",
    "train.stop.restore-best",
    "train.retrain",
    "train.time-limit",
    "augment.rotation",
    "augment.rotation.turns",
    "augment.zoom",
    "augment.zoom.height",
    "augment.zoom.width",
    "augment.zoom.uniform",
    "augment.shift",
    "augment.shift.width",
    "augment.shift.height",
    "augment.shear",
    "augment.fill",
    "augment.fill.constant",
    "augment.convention",
    "ensemble.size",
    "ensemble.combine",
    "trainer.engine",
    "trainer.fake.accuracy",
    "trainer.fake.spread",
    "trainer.fake.effects",
    "trainer.fake.epoch-delay-ms",
    "trainer.fake.accidents",
];

/// Keys of the experiment itself, which no axis may vary.
pub const EXPERIMENT_KEYS: &[&str] = &[
    "name",
    "question",
    "repeats",
    "seed",
    "save-weights",
    "grid.axes",
    "grid.zip",
    "grid.exclude",
    "grid.include",
    "grid.when",
    "grid.sample",
    "report.metric",
    "report.also",
    "report.rows",
    "report.columns",
    "report.reference",
    "report.confusion",
    "report.gallery",
    "report.gallery-of",
    "check.metric",
    "check.tolerance",
    "check.alpha",
    "check.images-per-second",
    "check.cells",
];

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
pub(super) fn alias(typed: &str) -> Option<&'static str> {
    let typed = typed.to_lowercase().replace('_', "-");
    ALIASES.iter().find(|(name, _)| *name == typed).map(|(_, key)| *key)
}

/// Returns the full key that a person means who types `typed` somewhere: by its last part, by what
/// other tools call it, or nearly so.
#[must_use]
pub fn meant(typed: &str) -> Option<&'static str> {
    let typed = typed.to_lowercase().replace('_', "-");
    let last = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
    let keys = || SETTING_KEYS.iter().chain(EXPERIMENT_KEYS).copied();
    let near = || {
        let found = super::problem::nearest(&typed, keys().map(last))?;
        keys().find(|key| last(key) == found)
    };
    keys().find(|key| *key == typed || last(key) == typed).or_else(|| alias(&typed)).or_else(near)
}
