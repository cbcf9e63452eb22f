//! What the outstanding members will cost, before any is trained.

use super::Plan;
use crate::experiment::layers::LayerSettings;
use crate::experiment::settings::{DatasetSettings, Settings};

/// Sizes of the splits of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SplitSizes {
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
pub(crate) struct Facts<'a> {
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
pub(crate) enum Basis {
    /// Speeds measured in earlier members of the same models.
    Measured,
    /// Sizes of the networks times a stated rate, at least in part.
    Modelled,
}

/// The predicted cost of some members.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
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
pub(crate) fn estimate(plan: &Plan, members: &[usize], facts: &Facts<'_>) -> Estimate {
    let mut total = Estimate::nothing();
    let mut last: Option<(&Settings, Cost)> = None;
    for &index in members {
        let settings = &*plan.members[index].settings;
        let cost = match last {
            Some((before, cost)) if std::ptr::eq(before, settings) => cost,
            _ => Cost::of(settings, facts),
        };
        last = Some((settings, cost));
        total.add(&cost, 1);
    }
    total.seconds = total.seconds.map(|seconds| seconds / facts.workers.max(1) as f64);
    total
}

impl Estimate {
    /// Returns the cost of no member.
    pub(super) fn nothing() -> Self {
        Self {
            members: 0,
            training_images: 0,
            seconds: Some(0.0),
            basis: Basis::Measured,
            prediction_bytes: 0,
        }
    }

    /// Adds so many members of one cost; the seconds are those of a single worker.
    pub(super) fn add(&mut self, cost: &Cost, members: u64) {
        let times = |each: u64| each.saturating_mul(members);
        self.members += members as usize;
        self.training_images = self.training_images.saturating_add(times(cost.images));
        self.prediction_bytes = self.prediction_bytes.saturating_add(times(cost.bytes));
        let seconds = cost.seconds.map(|seconds| seconds * members as f64);
        self.seconds = self.seconds.zip(seconds).map(|(sum, seconds)| sum + seconds);
        if cost.basis == Basis::Modelled && members > 0 {
            self.basis = Basis::Modelled;
        }
    }
}

/// What one member costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    images: u64,
    bytes: u64,
    seconds: Option<f64>,
    basis: Basis,
}

impl Cost {
    fn of(settings: &Settings, facts: &Facts<'_>) -> Self {
        let (seconds, basis) = Self::per_image(settings, facts);
        Self::of_sizes(settings, (facts.sizes)(&settings.dataset), seconds, basis)
    }

    /// Returns the seconds that a training spends on one image, if they are known. They depend on
    /// images, layers and precision alone.
    pub(super) fn per_image(settings: &Settings, facts: &Facts<'_>) -> (Option<f64>, Basis) {
        if let Some(rate) = (facts.measured)(settings).filter(|rate| *rate > 0.0) {
            return (Some(1.0 / rate), Basis::Measured);
        }
        let modelled = (facts.multiply_accumulates)(settings).map(|operations| {
            operations as f64 * PASSES / (facts.multiply_accumulates_per_second)(settings)
        });
        (modelled, Basis::Modelled)
    }

    /// Returns the cost of a member with splits of these sizes.
    pub(super) fn of_sizes(
        settings: &Settings,
        sizes: SplitSizes,
        seconds_per_image: Option<f64>,
        basis: Basis,
    ) -> Self {
        let is_fitted = LayerSettings::are_fitted(&settings.model.layers);
        let epochs = if is_fitted { 1 } else { u64::from(settings.train.epochs) };
        let again = settings.train.retrain.map_or(0, |_| sizes.train + sizes.validation);
        let images = (sizes.train + again) as u64 * epochs;
        let rows = (sizes.validation + sizes.test) as u64;
        Self {
            images,
            bytes: rows * (sizes.classes as u64 * PROBABILITY_BYTES + LABEL_BYTES),
            seconds: seconds_per_image.map(|seconds| images as f64 * seconds),
            basis,
        }
    }
}
