//! Batch normalizations whose running averages a training is too short for.

use std::fmt;

use crate::experiment::layers::{LayerSettings, NormStatistics};
use crate::experiment::settings::Settings;

/// Steps after which the start of an average has a weight below e⁻⁵, times `1 − momentum`.
const TIME_CONSTANTS: f64 = 5.0;

/// A training after which the running averages of a layer still remember their start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShortAverages {
    /// Steps of a training that nothing ends early.
    pub steps: u64,
    /// Steps that the slowest layer needs.
    pub needed: u64,
    /// Its momentum.
    pub momentum: f64,
}

impl ShortAverages {
    /// Returns the layer that needs the most steps, if it needs more than a training on
    /// `train_images` images has.
    pub(crate) fn of(settings: &Settings, train_images: usize) -> Option<Self> {
        if !settings.trainer.has_networks() {
            return None;
        }
        let train = &settings.train;
        let batch = train.batch_size.max(1);
        let per_epoch =
            if train.drop_last { train_images / batch } else { train_images.div_ceil(batch) };
        let steps = per_epoch as u64 * u64::from(train.epochs);
        let momentum = |layer: &LayerSettings| match layer {
            LayerSettings::BatchNorm { momentum, statistics: NormStatistics::Running, .. } => {
                Some(*momentum)
            }
            _ => None,
        };
        let slowest = settings.model.layers.iter().filter_map(momentum).reduce(f64::max)?;
        // 5 / (1 − 0.99) is 500, whatever rounding says.
        let needed = (TIME_CONSTANTS / (1.0 - slowest) - 1e-6).ceil() as u64;
        (steps < needed).then_some(Self { steps, needed, momentum: slowest })
    }
}

impl fmt::Display for ShortAverages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, needed, momentum } = self;
        let share = 100.0 * momentum.powf(*steps as f64);
        write!(
            f,
            "batch normalization evaluates by running averages of {steps} steps where momentum \
             {momentum} needs {needed}; {share:.0} % of them are still their initial values. Set \
             `statistics` to \"debiased\" or \"population\""
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::presets::{Knobs, Preset};
    use crate::plan::testing::settings;

    fn n1(epochs: u32, statistics: NormStatistics) -> Settings {
        let mut settings = settings();
        let knobs = Knobs { statistics, ..Knobs::default() };
        settings.model.layers = Preset::DeotteCnn.layers(&knobs);
        settings.train.batch_size = 64;
        settings.train.epochs = epochs;
        settings
    }

    #[test]
    fn a_training_of_fewer_than_five_time_constants_is_too_short() {
        let short = |images| ShortAverages::of(&n1(1, NormStatistics::Running), images);
        assert_eq!(short(12_000).map(|short| (short.steps, short.needed)), Some((188, 500)));
        assert_eq!(short(499 * 64).map(|short| short.steps), Some(499));
        assert_eq!(short(500 * 64), None);
        assert_eq!(ShortAverages::of(&n1(3, NormStatistics::Running), 12_000), None);
        // 0.99^188 = 0.151
        assert!(short(12_000).unwrap().to_string().contains("; 15 % of them"));
    }

    #[test]
    fn other_statistics_are_never_too_short() {
        for statistics in [NormStatistics::Debiased, NormStatistics::Population] {
            assert_eq!(ShortAverages::of(&n1(1, statistics), 100), None);
        }
        assert_eq!(ShortAverages::of(&settings(), 100), None, "no batch normalization");
    }
}
