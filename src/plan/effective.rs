//! Settings as far as they have an effect.
//!
//! Values that change nothing are brought to one form: limits above what there is, rules that never
//! apply, modes of an augmentation that is off. A member carries these settings and is trained by
//! them, so cells that are equal in what they use share their members by construction. Where no
//! value is without effect the settings are returned as they are.

use super::SplitSizes;
use crate::base::{MetricName, grouped};
use crate::experiment::default_train;
use crate::experiment::layers::LayerSettings;
use crate::experiment::settings::{
    AugmentSettings, Combine, Convention, DatasetSettings, EnsembleSettings, Fill,
    OptimizerConvention, OptimizerSettings, Schedule, Settings, TrainSettings, TrainerSettings,
};

/// A value that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Idle {
    /// Dotted key, for example `dataset.train-limit`.
    pub key: &'static str,
    /// The value, and why it changes nothing.
    pub reason: String,
}

/// Values that change nothing, as they are found.
pub(super) type Idles<'a> = &'a mut dyn FnMut(&'static str, String);

/// Returns the settings that decide a training; `sizes` are those of the splits without
/// `train-limit`, where they are known.
pub(crate) fn effective(settings: &Settings, sizes: Option<SplitSizes>) -> Settings {
    with_idle(settings, sizes, &mut |_, _| {})
}

/// Returns every value of `settings` that changes nothing, with the reason.
pub(crate) fn idle(settings: &Settings, sizes: Option<SplitSizes>) -> Vec<Idle> {
    let mut found = Vec::new();
    with_idle(settings, sizes, &mut |key, reason| found.push(Idle { key, reason }));
    found
}

fn with_idle(settings: &Settings, sizes: Option<SplitSizes>, idles: Idles<'_>) -> Settings {
    let mut effective = settings.clone();
    effective.ensemble = ensemble(settings.ensemble, idles);
    // What other trainers make of their settings is theirs to know.
    if !is_ours(&settings.trainer) {
        return effective;
    }
    dataset(&mut effective.dataset, sizes, idles);
    let limited = sizes.map(|sizes| limited(sizes, effective.dataset.train_limit));
    train(&mut effective.train, &settings.model.layers, limited, idles);
    augment(&mut effective.augment, idles);
    effective
}

/// Returns whether a trainer reads all of its settings here.
pub(super) fn is_ours(trainer: &TrainerSettings) -> bool {
    !matches!(trainer, TrainerSettings::Fake(_) | TrainerSettings::Command(_))
}

/// Returns the sizes of the splits under a `train-limit`.
pub(super) fn limited(sizes: SplitSizes, limit: Option<usize>) -> SplitSizes {
    SplitSizes { train: limit.map_or(sizes.train, |limit| limit.min(sizes.train)), ..sizes }
}

pub(super) fn ensemble(settings: EnsembleSettings, idles: Idles<'_>) -> EnsembleSettings {
    if settings.size == 1 && settings.combine != Combine::Mean {
        idles("ensemble.combine", "one network votes alone".to_owned());
        return EnsembleSettings { combine: Combine::Mean, ..settings };
    }
    settings
}

pub(super) fn dataset(settings: &mut DatasetSettings, sizes: Option<SplitSizes>, idles: Idles<'_>) {
    if let (Some(limit), Some(sizes)) = (settings.train_limit, sizes)
        && limit >= sizes.train
    {
        let images = grouped(sizes.train as u128);
        idles(
            "dataset.train-limit",
            format!("{} keeps all {images} training images", grouped(limit as u128)),
        );
        settings.train_limit = None;
    }
}

pub(super) fn augment(settings: &mut AugmentSettings, idles: Idles<'_>) {
    let AugmentSettings { rotation, zoom, shift, shear, .. } = settings;
    let ranges = [*rotation, zoom.height, zoom.width, shift.width, shift.height, *shear];
    if ranges.iter().any(|range| *range > 0.0) {
        if zoom.uniform && zoom.height <= 0.0 && zoom.width <= 0.0 {
            idles("augment.zoom.uniform", "there is no zoom".to_owned());
            zoom.uniform = false;
        }
        return;
    }
    let nothing = "no image is varied: every range of `[augment]` is 0";
    if settings.fill != Fill::Nearest {
        idles("augment.fill", nothing.to_owned());
        settings.fill = Fill::Nearest;
    }
    if settings.convention != Convention::KerasGenerator {
        idles("augment.convention", nothing.to_owned());
        settings.convention = Convention::KerasGenerator;
    }
    if settings.zoom.uniform {
        idles("augment.zoom.uniform", nothing.to_owned());
        settings.zoom.uniform = false;
    }
}

/// Leaves of the training settings what the network and the images, `sizes` after `train-limit`,
/// make of them.
pub(super) fn train(
    settings: &mut TrainSettings,
    layers: &[LayerSettings],
    sizes: Option<SplitSizes>,
    idles: Idles<'_>,
) {
    if LayerSettings::are_fitted(layers) {
        *settings = fitted(settings);
        return;
    }
    batches(settings, sizes, idles);
    optimizer(&mut settings.optimizer, idles);
    schedule(settings, idles);
    stop(settings, idles);
}

/// Models that are fitted in one pass read `retrain` alone: all else is as if nothing were typed.
fn fitted(settings: &TrainSettings) -> TrainSettings {
    let (retrain, time_limit) = (settings.retrain, settings.time_limit);
    TrainSettings { retrain, time_limit, ..default_train() }
}

fn batches(settings: &mut TrainSettings, sizes: Option<SplitSizes>, idles: Idles<'_>) {
    let Some(sizes) = sizes else { return };
    // A second training has the validation images, too.
    let most = sizes.train + settings.retrain.map_or(0, |_| sizes.validation);
    let is_refused = settings.drop_last && settings.batch_size > sizes.train;
    if settings.batch_size > most && !is_refused {
        idles(
            "train.batch-size",
            format!(
                "{} is one batch of all {} training images",
                grouped(settings.batch_size as u128),
                grouped(most as u128)
            ),
        );
        settings.batch_size = most;
    }
    let is_full = |images: usize| images.is_multiple_of(settings.batch_size.max(1));
    if settings.drop_last && is_full(sizes.train) && is_full(most) {
        idles("train.drop-last", "the last batch is full".to_owned());
        settings.drop_last = false;
    }
    let learning_rate = &mut settings.learning_rate;
    let warmup = learning_rate.warmup_epochs;
    let steps = sizes.train.div_ceil(settings.batch_size.max(1));
    let is_constant = learning_rate.schedule == Schedule::Constant;
    if warmup > 0.0 && warmup * steps as f64 <= 1.0 && is_constant && settings.retrain.is_none() {
        idles("train.learning-rate.warmup-epochs", format!("{warmup} is over with the first step"));
        learning_rate.warmup_epochs = 0.0;
    }
}

fn optimizer(settings: &mut OptimizerSettings, idles: Idles<'_>) {
    if let OptimizerSettings::Sgd { momentum, weight_decay, convention, .. } = settings
        && *momentum <= 0.0
        && *weight_decay <= 0.0
        && *convention != OptimizerConvention::Keras
    {
        let reason = "it is about momentum and weight decay, and there is neither";
        idles("train.optimizer.convention", reason.to_owned());
        *convention = OptimizerConvention::Keras;
    }
    if let OptimizerSettings::AdamW { beta1, beta2, epsilon, weight_decay, convention } = *settings
        && weight_decay <= 0.0
    {
        idles("train.optimizer.name", "`adamw` without weight decay is `adam`".to_owned());
        let weight_decay = 0.0;
        *settings = OptimizerSettings::Adam { beta1, beta2, epsilon, weight_decay, convention };
    }
}

fn schedule(settings: &mut TrainSettings, idles: Idles<'_>) {
    let rate = &mut settings.learning_rate;
    // Epochs are counted from the end of warm-up; the last one that begins has this index.
    let epochs = (f64::from(settings.epochs) - rate.warmup_epochs).ceil().max(0.0);
    let equal = |a: f64, b: f64| (a - b).abs() <= 0.0;
    let reason = match rate.schedule {
        Schedule::Exponential { factor } | Schedule::Step { factor, .. } if equal(factor, 1.0) => {
            "a factor of 1 changes nothing"
        }
        Schedule::Exponential { .. } if epochs <= 1.0 => {
            "the step size first changes after epoch 1"
        }
        Schedule::Step { every, .. } if epochs <= f64::from(every) => {
            "the step size first changes after the last epoch"
        }
        Schedule::Cosine { last } if equal(last, rate.initial) => {
            "it ends at the step size it begins with"
        }
        Schedule::Cosine { .. } if epochs <= 0.0 => "warm-up lasts to the end",
        _ => return,
    };
    idles("train.learning-rate.schedule", reason.to_owned());
    rate.schedule = Schedule::Constant;
}

fn stop(settings: &mut TrainSettings, idles: Idles<'_>) {
    let (epochs, is_retrained) = (settings.epochs, settings.retrain.is_some());
    let stop = &mut settings.stop;
    if epochs == 1 {
        if stop.train_accuracy.take().is_some() {
            idles("train.stop.train-accuracy", "there is one epoch".to_owned());
        }
        if stop.restore_best && !is_retrained {
            idles("train.stop.restore-best", "there is one epoch".to_owned());
            stop.restore_best = false;
        }
    }
    // The first epoch is always an improvement: so much patience never ends a training early.
    let Some(patience) = &mut stop.patience else { return };
    if patience.epochs.saturating_add(1) < epochs {
        return;
    }
    let is_default =
        patience.monitor == MetricName::VALIDATION_ACCURACY && patience.min_delta <= 0.0;
    let chooses = stop.restore_best || is_retrained;
    let reason = format!("{} never ends a training of {epochs} epochs early", patience.epochs);
    if !chooses || (stop.restore_best && is_default) {
        idles("train.stop.patience", reason);
        stop.patience = None;
    } else if patience.epochs != epochs {
        // It still says by which metric the best epoch is chosen.
        idles("train.stop.patience", reason);
        patience.epochs = epochs;
    }
}

/// Returns what speaks against `settings` although they can be trained; `sizes` are those after
/// `train-limit`.
pub(super) fn doubt(settings: &Settings, sizes: SplitSizes) -> Option<String> {
    let is_normalised =
        settings.model.layers.iter().any(|layer| matches!(layer, LayerSettings::BatchNorm { .. }));
    if !is_normalised || !is_ours(&settings.trainer) {
        return None;
    }
    let TrainSettings { batch_size, drop_last, .. } = settings.train;
    let alone = "batch normalisation then takes mean and variance of a single image";
    if batch_size == 1 || sizes.train == 1 {
        return Some(format!("every batch holds one image (`train.batch-size`): {alone}"));
    }
    let has_rest = !drop_last && batch_size < sizes.train && sizes.train % batch_size == 1;
    has_rest.then(|| {
        format!(
            "the last batch of every epoch holds one image ({} in batches of {}): {alone}; \
             `train.drop-last = true` leaves it out",
            grouped(sizes.train as u128),
            grouped(batch_size as u128)
        )
    })
}
