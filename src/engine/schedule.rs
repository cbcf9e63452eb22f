//! The step size over time.

use crate::experiment::settings::{LearningRateSettings, OptimizerConvention, Schedule};

/// Returns the step size of optimisation step `step` (from 0) of `epochs · steps_per_epoch`.
///
/// Warm-up rises linearly, `(step + 1) / warm-up steps` of the initial rate; the schedule counts
/// its epochs from the end of warm-up, so that the first epoch after it has the initial rate.
/// Cosine follows Loshchilov & Hutter (2017) without restarts.
pub(super) fn learning_rate(
    settings: &LearningRateSettings,
    step: u64,
    steps_per_epoch: u64,
    epochs: u32,
) -> f64 {
    let per_epoch = steps_per_epoch.max(1) as f64;
    let warmup_steps = settings.warmup_epochs * per_epoch;
    let after_warmup = (step as f64 - warmup_steps).max(0.0);
    let epoch = (after_warmup / per_epoch).floor();
    let initial = settings.initial;
    let scheduled = match settings.schedule {
        Schedule::Constant => initial,
        Schedule::Exponential { factor } => initial * factor.powf(epoch),
        Schedule::Step { factor, every } => {
            initial * factor.powf((epoch / f64::from(every.max(1))).floor())
        }
        Schedule::Cosine { last } => {
            let total = (f64::from(epochs) * per_epoch - warmup_steps).max(1.0);
            let share = (after_warmup / total).min(1.0);
            last + 0.5 * (initial - last) * (1.0 + (std::f64::consts::PI * share).cos())
        }
    };
    let warmup = if warmup_steps > 0.0 { ((step + 1) as f64 / warmup_steps).min(1.0) } else { 1.0 };
    scheduled * warmup
}

/// Adam's corrections in one step, for `w ← w − rate · m / (√v + epsilon)` (Kingma & Ba 2015, end of
/// section 2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AdamStep {
    /// Factor on the step size, `√(1 − β₂ᵗ) / (1 − β₁ᵗ)`.
    pub(super) rate: f64,
    /// Added to the root of the second moment as it is.
    pub(super) epsilon: f64,
}

impl AdamStep {
    /// Works out the corrections of step `step`, from 1.
    ///
    /// torch adds epsilon to the root of the corrected moment, `√(v / (1 − β₂ᵗ))`.
    pub(super) fn new(
        betas: [f64; 2],
        epsilon: f64,
        convention: OptimizerConvention,
        step: u64,
    ) -> Self {
        let [first, second] = betas.map(|beta| 1.0 - beta.powf(step as f64));
        let epsilon = match convention {
            OptimizerConvention::Keras => epsilon,
            OptimizerConvention::Torch => epsilon * second.sqrt(),
        };
        Self { rate: second.sqrt() / first, epsilon }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, warmup_epochs: f64, steps: &[u64]) -> Vec<f64> {
        let settings = LearningRateSettings { initial: 0.1, schedule, warmup_epochs };
        steps.iter().map(|&step| learning_rate(&settings, step, 10, 4)).collect()
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
        }
    }

    #[test]
    fn a_constant_rate_stays() {
        assert_close(&rates(Schedule::Constant, 0.0, &[0, 9, 39]), &[0.1, 0.1, 0.1]);
    }

    #[test]
    fn an_exponential_rate_changes_between_epochs_only() {
        let found = rates(Schedule::Exponential { factor: 0.5 }, 0.0, &[0, 9, 10, 20, 39]);
        assert_close(&found, &[0.1, 0.1, 0.05, 0.025, 0.0125]);
    }

    #[test]
    fn a_stepped_rate_changes_every_so_many_epochs() {
        let found = rates(Schedule::Step { factor: 0.1, every: 2 }, 0.0, &[0, 19, 20, 39]);
        assert_close(&found, &[0.1, 0.1, 0.01, 0.01]);
    }

    #[test]
    fn a_cosine_rate_is_halfway_down_in_the_middle() {
        let found = rates(Schedule::Cosine { last: 0.02 }, 0.0, &[0, 20, 40]);
        assert_close(&found, &[0.1, 0.06, 0.02]);
    }

    #[test]
    fn warm_up_rises_linearly_and_shifts_the_schedule() {
        let found = rates(Schedule::Exponential { factor: 0.5 }, 1.0, &[0, 4, 9, 10, 19, 20]);
        assert_close(&found, &[0.01, 0.05, 0.1, 0.1, 0.1, 0.05]);
        let found = rates(Schedule::Constant, 0.5, &[0, 4, 5]);
        assert_close(&found, &[0.02, 0.1, 0.1]);
    }
}
