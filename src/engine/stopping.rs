//! When a training ends before its last epoch, and which epoch's weights count.

use super::EngineError;
use crate::base::MetricName;
use crate::experiment::settings::TrainSettings;
use crate::record::{EpochRecord, Selection};

/// The stop rules of one training with what they remember between epochs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stopping {
    epochs: u32,
    patience: Option<u32>,
    min_delta: f64,
    monitor: MetricName,
    train_accuracy: Option<f64>,
    restore_best: bool,
    state: StoppingState,
}

/// What the stop rules remember between epochs; part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct StoppingState {
    /// Epochs finished.
    pub finished: u32,
    /// Best epoch so far, from 1; 0 before the first.
    pub best_epoch: u32,
    /// The monitored value of that epoch.
    pub best_value: f64,
    /// Epochs since.
    pub waited: u32,
    /// Training accuracy of the last epoch.
    pub train_accuracy: f64,
}

impl Stopping {
    /// Builds the rules of `settings`.
    ///
    /// # Errors
    /// If a rule watches the validation split and there is none, or watches a metric that is not
    /// one of that split.
    pub(super) fn new(settings: &TrainSettings, has_validation: bool) -> Result<Self, EngineError> {
        let stop = &settings.stop;
        let monitor =
            stop.patience.as_ref().map_or(MetricName::VALIDATION_ACCURACY, |p| p.monitor.clone());
        if ![MetricName::VALIDATION_ACCURACY, MetricName::VALIDATION_LOSS].contains(&monitor) {
            return Err(EngineError::Unsupported(format!(
                "`train.stop.monitor` is `{monitor}`, expected `validation-accuracy` or \
                 `validation-loss`"
            )));
        }
        if (stop.patience.is_some() || stop.restore_best) && !has_validation {
            return Err(EngineError::Unsupported(format!(
                "`train.stop` watches `{monitor}`, but there are no validation images; set \
                 `dataset.split.validation`"
            )));
        }
        Ok(Self {
            epochs: settings.epochs,
            patience: stop.patience.as_ref().map(|p| p.epochs),
            min_delta: stop.patience.as_ref().map_or(0.0, |p| p.min_delta),
            monitor,
            train_accuracy: stop.train_accuracy,
            restore_best: stop.restore_best,
            state: StoppingState::default(),
        })
    }

    /// Ends after so many epochs at the latest, whatever the settings say.
    pub(super) fn ending_after(self, epochs: u32) -> Self {
        Self { epochs: epochs.min(self.epochs), ..self }
    }

    /// Takes note of a finished epoch; returns whether its weights are to be kept as the best.
    pub(super) fn observe(&mut self, record: &EpochRecord) -> bool {
        let state = &mut self.state;
        state.finished = record.epoch;
        state.train_accuracy = record.train_accuracy;
        let value = if self.monitor == MetricName::VALIDATION_LOSS {
            record.validation_loss.map(|loss| -loss)
        } else {
            record.validation_accuracy
        };
        let Some(value) = value else { return false };
        let improved = state.best_epoch == 0 || value > state.best_value + self.min_delta;
        if improved {
            *state =
                StoppingState { best_epoch: record.epoch, best_value: value, waited: 0, ..*state };
        } else {
            state.waited += 1;
        }
        improved && self.restore_best
    }

    /// Returns whether no further epoch is to be trained.
    pub(super) fn is_finished(&self) -> bool {
        self.state.finished >= self.epochs
            || self.patience.is_some_and(|patience| {
                self.state.finished > 0 && self.state.waited >= patience.max(1)
            })
            || self.train_accuracy.is_some_and(|target| {
                self.state.finished > 0 && self.state.train_accuracy >= target
            })
    }

    /// Returns the epoch whose weights are evaluated, and what chose it.
    pub(super) fn selected(&self) -> (u32, Selection) {
        if self.restore_best && self.state.best_epoch > 0 {
            (self.state.best_epoch, Selection::BestOnValidation)
        } else {
            (self.state.finished, Selection::Last)
        }
    }

    /// Returns the best of these epochs by a rule that watches the validation images; nothing where
    /// there is no such rule.
    ///
    /// # Errors
    /// As [`Stopping::new`].
    pub(super) fn best_of(
        settings: &TrainSettings,
        records: &[EpochRecord],
    ) -> Result<Option<u32>, EngineError> {
        if settings.stop.patience.is_none() && !settings.stop.restore_best {
            return Ok(None);
        }
        let mut rules = Self::new(settings, true)?;
        for record in records {
            rules.observe(record);
        }
        Ok(Some(rules.state.best_epoch).filter(|&epoch| epoch > 0))
    }

    /// Returns what must be remembered between epochs.
    pub(super) fn state(&self) -> StoppingState {
        self.state
    }

    /// Continues from what was remembered.
    pub(super) fn restore(&mut self, state: StoppingState) {
        self.state = state;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::train_settings;
    use super::*;
    use crate::experiment::settings::{PatienceSettings, StopSettings};

    fn record(epoch: u32, train: f64, validation: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            learning_rate: 0.1,
            train_loss: 1.0 - train,
            train_accuracy: train,
            validation_loss: Some(1.0 - validation),
            validation_accuracy: Some(validation),
            train_seconds: 1.0,
        }
    }

    fn stopping(stop: StopSettings) -> Stopping {
        let settings = TrainSettings { epochs: 10, stop, ..train_settings() };
        Stopping::new(&settings, true).unwrap()
    }

    fn patience(monitor: MetricName, epochs: u32, min_delta: f64) -> StopSettings {
        let patience = Some(PatienceSettings { monitor, epochs, min_delta });
        StopSettings { patience, train_accuracy: None, restore_best: true }
    }

    fn epochs_until_stop(stopping: &mut Stopping, validation: &[f64]) -> u32 {
        for (index, &value) in validation.iter().enumerate() {
            stopping.observe(&record(index as u32 + 1, 0.5, value));
            if stopping.is_finished() {
                return index as u32 + 1;
            }
        }
        0
    }

    #[test]
    fn training_stops_after_patience_epochs_without_improvement() {
        for monitor in [MetricName::VALIDATION_ACCURACY, MetricName::VALIDATION_LOSS] {
            let mut rules = stopping(patience(monitor, 2, 0.0));
            assert_eq!(epochs_until_stop(&mut rules, &[0.5, 0.7, 0.7, 0.6, 0.9]), 4);
            assert_eq!(rules.selected(), (2, Selection::BestOnValidation));
        }
    }

    #[test]
    fn an_improvement_within_min_delta_does_not_count() {
        let mut rules = stopping(patience(MetricName::VALIDATION_ACCURACY, 2, 0.05));
        assert_eq!(epochs_until_stop(&mut rules, &[0.5, 0.54, 0.55, 0.9]), 3);
        assert_eq!(rules.selected().0, 1);
    }

    #[test]
    fn training_stops_once_training_accuracy_is_reached() {
        let stop = StopSettings { train_accuracy: Some(0.995), ..StopSettings::default() };
        let mut rules = stopping(stop);
        rules.observe(&record(1, 0.99, 0.9));
        assert!(!rules.is_finished());
        rules.observe(&record(2, 0.995, 0.8));
        assert!(rules.is_finished());
        assert_eq!(rules.selected(), (2, Selection::Last));
    }

    #[test]
    fn rules_restored_from_their_state_decide_alike() {
        let mut first = stopping(patience(MetricName::VALIDATION_ACCURACY, 2, 0.0));
        epochs_until_stop(&mut first, &[0.5, 0.7, 0.6]);
        let mut second = stopping(patience(MetricName::VALIDATION_ACCURACY, 2, 0.0));
        second.restore(first.state());
        second.observe(&record(4, 0.5, 0.65));
        assert!(second.is_finished());
        assert_eq!(second.selected().0, 2);
    }

    #[test]
    fn watching_validation_without_validation_images_is_an_error_with_a_way_out() {
        let stop = patience(MetricName::VALIDATION_ACCURACY, 2, 0.0);
        let settings = TrainSettings { stop, ..train_settings() };
        let error = Stopping::new(&settings, false).unwrap_err().to_string();
        assert!(error.contains("set `dataset.split.validation`"), "{error}");
    }
}
