//! Values of hyperparameters by their dotted keys, as the scripts of the fake engine name them.

use crate::experiment::settings::{OptimizerSettings, Schedule, Settings};
use crate::experiment::value::Value;

/// Returns the value of `key` in `settings`: any of the common settings by its dotted key, or a
/// free hyperparameter as `hyperparameters.name` or just `name`.
pub(super) fn value_at(settings: &Settings, key: &str) -> Option<Value> {
    let (train, augment) = (&settings.train, &settings.augment);
    let number = |value: f64| Some(Value::Float(value));
    let count = |value: usize| Some(Value::Integer(value as i64));
    let text = |value: &str| Some(Value::Text(value.to_owned()));
    match key {
        "model.preset" => text(&settings.model.name),
        "dataset.train-limit" => settings.dataset.train_limit.and_then(count),
        "dataset.image-size" => settings.dataset.image_size.and_then(count),
        "train.epochs" => count(train.epochs as usize),
        "train.batch-size" => count(train.batch_size),
        "train.optimizer" | "train.optimizer.name" => text(optimizer_name(&train.optimizer)),
        "train.learning-rate" | "train.learning-rate.initial" => {
            number(train.learning_rate.initial)
        }
        "train.learning-rate.schedule" => text(schedule_name(&train.learning_rate.schedule)),
        "train.learning-rate.warmup-epochs" => number(train.learning_rate.warmup_epochs),
        "augment.rotation" => number(augment.rotation),
        "augment.shear" => number(augment.shear),
        "augment.zoom" | "augment.zoom.width" => number(augment.zoom.width),
        "augment.zoom.height" => number(augment.zoom.height),
        "augment.shift" | "augment.shift.width" => number(augment.shift.width),
        "augment.shift.height" => number(augment.shift.height),
        "ensemble.size" => count(settings.ensemble.size as usize),
        _ => {
            if let Some(part) = key.strip_prefix("train.optimizer.") {
                return optimizer_number(&train.optimizer, part).and_then(number);
            }
            let name = key.strip_prefix("hyperparameters.").unwrap_or(key);
            settings.hyperparameters.get(name).cloned()
        }
    }
}

/// Returns whether two values mean the same: `1` and `1.0` do.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a.as_number(), b.as_number()) {
        (Some(a), Some(b)) => a.to_bits() == b.to_bits() || (a - b).abs() <= f64::EPSILON * a.abs(),
        _ => a == b,
    }
}

fn optimizer_name(optimizer: &OptimizerSettings) -> &'static str {
    match optimizer {
        OptimizerSettings::Sgd { .. } => "sgd",
        OptimizerSettings::Adam { .. } => "adam",
        OptimizerSettings::AdamW { .. } => "adamw",
        OptimizerSettings::RmsProp { .. } => "rmsprop",
    }
}

fn schedule_name(schedule: &Schedule) -> &'static str {
    match schedule {
        Schedule::Constant => "constant",
        Schedule::Exponential { .. } => "exponential",
        Schedule::Step { .. } => "step",
        Schedule::Cosine { .. } => "cosine",
    }
}

fn optimizer_number(optimizer: &OptimizerSettings, part: &str) -> Option<f64> {
    match (optimizer, part) {
        (
            OptimizerSettings::Sgd { momentum, .. } | OptimizerSettings::RmsProp { momentum, .. },
            "momentum",
        ) => Some(*momentum),
        (
            OptimizerSettings::Adam { beta1, .. } | OptimizerSettings::AdamW { beta1, .. },
            "beta1",
        ) => Some(*beta1),
        (
            OptimizerSettings::Adam { beta2, .. } | OptimizerSettings::AdamW { beta2, .. },
            "beta2",
        ) => Some(*beta2),
        (
            OptimizerSettings::Adam { epsilon, .. }
            | OptimizerSettings::AdamW { epsilon, .. }
            | OptimizerSettings::RmsProp { epsilon, .. },
            "epsilon",
        ) => Some(*epsilon),
        (OptimizerSettings::RmsProp { alpha, .. }, "alpha") => Some(*alpha),
        (
            OptimizerSettings::Sgd { weight_decay, .. }
            | OptimizerSettings::Adam { weight_decay, .. }
            | OptimizerSettings::AdamW { weight_decay, .. }
            | OptimizerSettings::RmsProp { weight_decay, .. },
            "weight-decay",
        ) => Some(*weight_decay),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::settings;
    use super::*;

    #[test]
    fn settings_and_free_hyperparameters_are_found_by_their_keys() {
        let mut settings = settings(Vec::new());
        settings.augment.rotation = 15.0;
        settings.hyperparameters.insert("depth".to_owned(), Value::Integer(3));
        assert_eq!(value_at(&settings, "augment.rotation"), Some(Value::Float(15.0)));
        assert_eq!(value_at(&settings, "train.optimizer"), Some(Value::Text("sgd".to_owned())));
        assert_eq!(value_at(&settings, "train.optimizer.momentum"), Some(Value::Float(0.9)));
        assert_eq!(value_at(&settings, "train.optimizer.beta1"), None);
        assert_eq!(value_at(&settings, "depth"), Some(Value::Integer(3)));
        assert_eq!(value_at(&settings, "hyperparameters.depth"), Some(Value::Integer(3)));
        assert_eq!(value_at(&settings, "hyperparameters.width"), None);
    }

    #[test]
    fn whole_and_broken_numbers_that_are_equal_are_the_same() {
        assert!(same(&Value::Integer(1), &Value::Float(1.0)));
        assert!(!same(&Value::Integer(1), &Value::Float(1.5)));
        assert!(same(&Value::Text("a".to_owned()), &Value::Text("a".to_owned())));
        assert!(!same(&Value::Text("1".to_owned()), &Value::Integer(1)));
    }
}
