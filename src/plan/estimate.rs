//! What the outstanding members will cost, before any is trained.

use super::Plan;
use crate::spec::layers::LayerSettings;
use crate::spec::settings::{DatasetSettings, Settings};

/// Sizes of the splits of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitSizes {
    /// Training images.
    pub train: usize,
    /// Validation images.
    pub validation: usize,
    /// Test images.
    pub test: usize,
    /// Classes.
    pub classes: usize,
}

/// What the estimate must be told.
pub struct Facts<'a> {
    /// Sizes of the splits under some dataset settings.
    pub sizes: &'a dyn Fn(&DatasetSettings) -> SplitSizes,
    /// Training images per second measured earlier with the same model, if any.
    pub measured: &'a dyn Fn(&Settings) -> Option<f64>,
    /// Multiply-accumulates of one forward pass over one image, if the network is known.
    pub multiply_accumulates: &'a dyn Fn(&Settings) -> Option<u64>,
    /// Multiply-accumulates per second of one worker, for models never measured.
    pub multiply_accumulates_per_second: &'a dyn Fn(&Settings) -> f64,
    /// Members trained side by side.
    pub workers: usize,
}

/// Where an estimate of time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Speeds measured in earlier members of the same models.
    Measured,
    /// Sizes of the networks times a stated rate, at least in part.
    Modelled,
}

/// The predicted cost of some members.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Members to train.
    pub members: usize,
    /// Images trained on, at most: early stopping only makes it fewer.
    pub training_images: u64,
    /// Seconds of wall-clock time, at most; absent when some model's size is unknown.
    pub seconds: Option<f64>,
    /// Where the seconds come from.
    pub basis: Basis,
    /// Bytes of stored predictions.
    pub prediction_bytes: u64,
}

/// Backward passes through weights and inputs cost about a forward pass each.
const PASSES: f64 = 3.0;
/// Bytes of one stored probability and of one stored label.
const PROBABILITY_BYTES: u64 = 2;
const LABEL_BYTES: u64 = 2;

/// Predicts the cost of training `members` (indices into the plan).
#[must_use]
pub fn estimate(plan: &Plan, members: &[usize], facts: &Facts<'_>) -> Estimate {
    let mut total = Estimate {
        members: members.len(),
        training_images: 0,
        seconds: Some(0.0),
        basis: Basis::Measured,
        prediction_bytes: 0,
    };
    let mut last: Option<(&Settings, Cost)> = None;
    for &place in members {
        let settings = &*plan.members[place].settings;
        let cost = match last {
            Some((before, cost)) if std::ptr::eq(before, settings) => cost,
            _ => Cost::of(settings, facts),
        };
        last = Some((settings, cost));
        total.training_images += cost.images;
        total.prediction_bytes += cost.bytes;
        total.seconds = total.seconds.zip(cost.seconds).map(|(sum, seconds)| sum + seconds);
        if cost.basis == Basis::Modelled {
            total.basis = Basis::Modelled;
        }
    }
    total.seconds = total.seconds.map(|seconds| seconds / facts.workers.max(1) as f64);
    total
}

#[derive(Clone, Copy)]
struct Cost {
    images: u64,
    bytes: u64,
    seconds: Option<f64>,
    basis: Basis,
}

impl Cost {
    fn of(settings: &Settings, facts: &Facts<'_>) -> Self {
        let sizes = (facts.sizes)(&settings.dataset);
        let is_fitted = LayerSettings::are_fitted(&settings.model.layers);
        let epochs = if is_fitted { 1 } else { u64::from(settings.train.epochs) };
        let again = settings.train.retrain.map_or(0, |_| sizes.train + sizes.validation);
        let images = (sizes.train + again) as u64 * epochs;
        let rows = (sizes.validation + sizes.test) as u64;
        let measured = (facts.measured)(settings).filter(|rate| *rate > 0.0);
        let modelled = || {
            let operations = (facts.multiply_accumulates)(settings)? as f64 * PASSES;
            Some(images as f64 * operations / (facts.multiply_accumulates_per_second)(settings))
        };
        Self {
            images,
            bytes: rows * (sizes.classes as u64 * PROBABILITY_BYTES + LABEL_BYTES),
            seconds: measured.map(|rate| images as f64 / rate).or_else(modelled),
            basis: if measured.is_some() { Basis::Measured } else { Basis::Modelled },
        }
    }
}
