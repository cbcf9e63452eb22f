//! `[train]`: optimizer, learning rate and stopping.

use crate::base::MetricName;
use crate::experiment::edition::Edition;
use crate::experiment::keys;
use crate::experiment::problem::one_of;
use crate::experiment::reader::{
    BELOW_ONE, COUNT, Findings, Limits, NOT_NEGATIVE, POSITIVE, Section, choice, number, whole,
};
use crate::experiment::settings::{
    LearningRateSettings, OptimizerConvention, OptimizerSettings, PatienceSettings, Precision,
    Retrain, RmsPropConvention, Schedule, StopSettings, TrainSettings,
};
use crate::experiment::tree::{Data, Node, find};

const PRECISIONS: &[(&str, Precision)] =
    &[("auto", Precision::Auto), ("f32", Precision::F32), ("bf16", Precision::Bf16)];
const DECAY_RATE: Limits = BELOW_ONE;
/// An accuracy that a training can reach and that says something.
const REACHABLE: Limits =
    Limits { expected: "a fraction above 0 and up to 1", holds: |x| x > 0.0 && x <= 1.0 };
const FACTOR: Limits =
    Limits { expected: "a factor above 0 and up to 1", holds: |x| x > 0.0 && x <= 1.0 };

/// Reads `[train]`.
pub(in crate::experiment) fn train(node: Option<&Node>, findings: &mut Findings) -> TrainSettings {
    let section = Section::open(node, "train", keys::below("train"), findings);
    let optimizer = optimizer(section.get("optimizer"), findings);
    // Keras' default step sizes.
    let default_rate = if matches!(optimizer, OptimizerSettings::Sgd { .. }) { 0.01 } else { 1e-3 };
    TrainSettings {
        epochs: section.whole("epochs", COUNT, findings).unwrap_or(10),
        batch_size: section.whole("batch-size", COUNT, findings).unwrap_or(64),
        drop_last: section.flag("drop-last", false, findings),
        optimizer,
        learning_rate: learning_rate(section.get("learning-rate"), default_rate, findings),
        precision: section.choice("precision", PRECISIONS, findings).unwrap_or(Precision::Auto),
        stop: stop(section.get("stop"), findings),
        retrain: section.choice("retrain", &[("all", Retrain::All)], findings),
        time_limit: section.optional_number("time-limit", POSITIVE, findings),
    }
}

#[derive(Clone, Copy)]
enum OptimizerName {
    Sgd,
    Adam,
    AdamW,
    RmsProp,
}

const OPTIMIZERS: &[(&str, OptimizerName)] = &[
    ("sgd", OptimizerName::Sgd),
    ("adam", OptimizerName::Adam),
    ("adamw", OptimizerName::AdamW),
    ("rmsprop", OptimizerName::RmsProp),
];
const CONVENTIONS: &[(&str, OptimizerConvention)] =
    &[("keras", OptimizerConvention::Keras), ("torch", OptimizerConvention::Torch)];
const RMSPROP_CONVENTIONS: &[(&str, RmsPropConvention)] = &[
    ("keras", RmsPropConvention::Keras),
    ("torch", RmsPropConvention::Torch),
    ("dfdx", RmsPropConvention::Dfdx),
];

impl OptimizerName {
    fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::RmsProp => "rmsprop",
        }
    }

    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Sgd => &["name", "momentum", "nesterov", "convention", "weight-decay"],
            Self::Adam | Self::AdamW => {
                &["name", "beta1", "beta2", "epsilon", "convention", "weight-decay"]
            }
            Self::RmsProp => {
                &["name", "alpha", "epsilon", "momentum", "convention", "weight-decay"]
            }
        }
    }
}

fn optimizer(node: Option<&Node>, findings: &mut Findings) -> OptimizerSettings {
    let path = "train.optimizer";
    let entries = node.and_then(Node::entries);
    let named = match (node, entries) {
        (Some(node), None) => choice(path, node, OPTIMIZERS, findings),
        _ => entries
            .and_then(|entries| find(entries, "name"))
            .and_then(|entry| choice("train.optimizer.name", &entry.node, OPTIMIZERS, findings)),
    };
    let name = named.unwrap_or(OptimizerName::Adam);
    let section = Section::open_variant(
        node.filter(|_| entries.is_some()),
        path.into(),
        keys::below("train.optimizer"),
        name.keys(),
        ("optimizer", name.name()),
        findings,
    );
    let weight_decay = |default, findings: &mut Findings| {
        section.number("weight-decay", NOT_NEGATIVE, default, findings)
    };
    let convention = |findings: &mut Findings| {
        let default = findings.edition.convention();
        section.choice("convention", CONVENTIONS, findings).unwrap_or(default)
    };
    match name {
        OptimizerName::Sgd => {
            let momentum = section.number("momentum", BELOW_ONE, 0.0, findings);
            let nesterov = section.flag("nesterov", false, findings);
            if let (true, true, Some(entry)) =
                (nesterov, momentum <= 0.0, section.entry("nesterov"))
            {
                findings.advise(
                    entry.node.origin,
                    format!("`{path}.nesterov` is `true`, but there is no momentum"),
                    "add `momentum = 0.9`".to_owned(),
                );
            }
            OptimizerSettings::Sgd {
                momentum,
                nesterov,
                weight_decay: weight_decay(0.0, findings),
                convention: convention(findings),
            }
        }
        OptimizerName::Adam | OptimizerName::AdamW => {
            let convention = convention(findings);
            let beta1 = section.number("beta1", DECAY_RATE, 0.9, findings);
            let beta2 = section.number("beta2", DECAY_RATE, 0.999, findings);
            // Files could not say whose formulas are followed, and had Keras' defaults.
            let is_early = findings.edition == Edition::Revision4;
            let (epsilon, decay) = match convention {
                OptimizerConvention::Keras => (1e-7, 0.004),
                OptimizerConvention::Torch if is_early => (1e-7, 0.004),
                OptimizerConvention::Torch => (1e-8, 0.01),
            };
            let epsilon = section.number("epsilon", POSITIVE, epsilon, findings);
            if matches!(name, OptimizerName::Adam) {
                let weight_decay = weight_decay(0.0, findings);
                OptimizerSettings::Adam { beta1, beta2, epsilon, weight_decay, convention }
            } else {
                let weight_decay = weight_decay(decay, findings);
                OptimizerSettings::AdamW { beta1, beta2, epsilon, weight_decay, convention }
            }
        }
        OptimizerName::RmsProp => {
            let convention = section
                .choice("convention", RMSPROP_CONVENTIONS, findings)
                .unwrap_or(RmsPropConvention::Keras);
            let (alpha, epsilon) = match convention {
                RmsPropConvention::Keras => (0.9, 1e-7),
                RmsPropConvention::Torch => (0.99, 1e-8),
                RmsPropConvention::Dfdx => (0.9, 1e-8),
            };
            OptimizerSettings::RmsProp {
                alpha: section.number("alpha", DECAY_RATE, alpha, findings),
                epsilon: section.number("epsilon", POSITIVE, epsilon, findings),
                momentum: section.number("momentum", BELOW_ONE, 0.0, findings),
                convention,
                weight_decay: weight_decay(0.0, findings),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum ScheduleName {
    Constant,
    Exponential,
    Step,
    Cosine,
}

const SCHEDULES: &[(&str, ScheduleName)] = &[
    ("constant", ScheduleName::Constant),
    ("exponential", ScheduleName::Exponential),
    ("step", ScheduleName::Step),
    ("cosine", ScheduleName::Cosine),
];

fn learning_rate(
    node: Option<&Node>,
    default: f64,
    findings: &mut Findings,
) -> LearningRateSettings {
    let path = "train.learning-rate";
    let mut settings =
        LearningRateSettings { initial: default, schedule: Schedule::Constant, warmup_epochs: 0.0 };
    let Some(node) = node else { return settings };
    if !matches!(node.data, Data::Table(_)) {
        let limits = Limits { expected: "a number above 0 or a table", ..POSITIVE };
        settings.initial = number(path, node, limits, findings).unwrap_or(default);
        return settings;
    }
    let name = node
        .entries()
        .and_then(|entries| find(entries, "schedule"))
        .and_then(|entry| choice("train.learning-rate.schedule", &entry.node, SCHEDULES, findings))
        .unwrap_or(ScheduleName::Constant);
    let (spelling, own): (_, &[&str]) = match name {
        ScheduleName::Constant => ("constant", &["initial", "schedule", "warmup-epochs"]),
        ScheduleName::Exponential => {
            ("exponential", &["initial", "schedule", "factor", "warmup-epochs"])
        }
        ScheduleName::Step => {
            ("step", &["initial", "schedule", "factor", "every", "warmup-epochs"])
        }
        ScheduleName::Cosine => ("cosine", &["initial", "schedule", "last", "warmup-epochs"]),
    };
    let section = Section::open_variant(
        Some(node),
        path.into(),
        keys::below("train.learning-rate"),
        own,
        ("schedule", spelling),
        findings,
    );
    settings.initial = section.number("initial", POSITIVE, default, findings);
    settings.warmup_epochs = section.number("warmup-epochs", NOT_NEGATIVE, 0.0, findings);
    let factor = |findings: &mut Findings| {
        if section.get("factor").is_none() {
            section.missing("factor", FACTOR.expected, findings);
        }
        section.number("factor", FACTOR, 1.0, findings)
    };
    settings.schedule = match name {
        ScheduleName::Constant => Schedule::Constant,
        ScheduleName::Exponential => Schedule::Exponential { factor: factor(findings) },
        ScheduleName::Step => {
            let factor = factor(findings);
            if section.get("every").is_none() {
                section.missing("every", "a whole number of epochs from 1", findings);
            }
            Schedule::Step { factor, every: section.whole("every", COUNT, findings).unwrap_or(1) }
        }
        ScheduleName::Cosine => {
            Schedule::Cosine { last: section.number("last", NOT_NEGATIVE, 0.0, findings) }
        }
    };
    settings
}

const MONITORS: &[(&str, MetricName)] = &[
    ("validation-accuracy", MetricName::VALIDATION_ACCURACY),
    ("validation-loss", MetricName::VALIDATION_LOSS),
];

fn stop(node: Option<&Node>, findings: &mut Findings) -> StopSettings {
    let section = Section::open(node, "train.stop", keys::below("train.stop"), findings);
    let patience = section
        .get("patience")
        .and_then(|node| whole::<u32>("train.stop.patience", node, COUNT, findings));
    let monitor = section.choice("monitor", MONITORS, findings);
    let min_delta = section.number("min-delta", NOT_NEGATIVE, 0.0, findings);
    if section.get("patience").is_none() {
        for key in ["monitor", "min-delta"] {
            if let Some(entry) = section.entry(key) {
                findings.advise(
                    entry.origin,
                    format!("`{}` does nothing without `patience`", section.name(key)),
                    format!("add `patience = 10`, or remove {}", one_of([key])),
                );
            }
        }
    }
    StopSettings {
        patience: patience.map(|epochs| PatienceSettings {
            monitor: monitor.unwrap_or(MetricName::VALIDATION_ACCURACY),
            epochs,
            min_delta,
        }),
        train_accuracy: section.optional_number("train-accuracy", REACHABLE, findings),
        restore_best: section.flag("restore-best", false, findings),
    }
}
