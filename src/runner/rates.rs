//! Speeds of earlier members, for estimates.

use std::collections::BTreeMap;

use crate::base::{Digest, MetricName, digest_of};
use crate::experiment::settings::Settings;
use crate::plan::Plan;
use crate::record::Outcome;
use crate::store::View;

/// Training images per second of the models in a plan, as far as they were trained before.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct MeasuredRates(BTreeMap<Digest, (u64, f64)>);

impl MeasuredRates {
    /// Returns the seconds of all trainings that were measured.
    pub(crate) fn seconds(&self) -> f64 {
        self.0.values().map(|(_, seconds)| seconds).sum()
    }

    /// Returns the speed measured with the same layers on images of the same source, if any.
    pub(crate) fn rate(&self, settings: &Settings) -> Option<f64> {
        let (images, seconds) = self.0.get(&model(settings))?;
        (*seconds > 0.0).then(|| *images as f64 / seconds)
    }
}

/// Collects the speeds of all members of `plan` that `view` holds completed.
pub(crate) fn measured_rates(plan: &Plan, view: &View) -> MeasuredRates {
    let mut rates = MeasuredRates::default();
    for member in &plan.members {
        let completed =
            view.members().get(&member.id).filter(|record| record.outcome == Outcome::Completed);
        if let Some(summary) = completed.and_then(|record| record.summary.as_ref()) {
            let (images, seconds) = rates.0.entry(model(&member.settings)).or_default();
            *images += summary.images_trained;
            *seconds += summary.metrics.get(&MetricName::TRAIN_SECONDS).copied().unwrap_or(0.0);
        }
    }
    rates
}

fn model(settings: &Settings) -> Digest {
    let what = (&settings.model.layers, &settings.dataset.source, settings.dataset.image_size);
    digest_of(&serde_json::to_vec(&what).expect("settings serialise to JSON"))
}
