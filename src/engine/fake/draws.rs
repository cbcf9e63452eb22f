//! What the fake engine draws for one member: its accuracy, its curve and its predictions.

use rand::Rng;

use super::keys::value_at;
use crate::base::{SeedPath, Stream, StreamRng};
use crate::experiment::settings::{FakeSettings, Settings};
use crate::record::LogProbabilities;

/// Probability of a right answer, of a wrong one, and of the true class beside a wrong one: an
/// ensemble mends an error as soon as one member in three is right.
const RIGHT: f32 = 0.8;
const WRONG: f32 = 0.6;
const RUNNER_UP: f32 = 0.3;

/// Counters of the draws of one member; epochs count from [`EPOCHS`].
const FINAL: u64 = 0;
const TEST: u64 = 1;
const VALIDATION: u64 = 2;
const EPOCHS: u64 = 16;

/// The course of one member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    chance: f64,
    last: f64,
    epochs: u32,
    wobble: f64,
    seed_path: SeedPath,
}

impl Course {
    /// Draws the course of the member at `seed_path`.
    pub(super) fn new(
        fake: &FakeSettings,
        settings: &Settings,
        classes: usize,
        seed_path: SeedPath,
    ) -> Self {
        let effects: f64 = fake
            .effects
            .iter()
            .filter_map(|(key, effect)| Some(effect * value_at(settings, key)?.as_number()?))
            .sum();
        let spread =
            if fake.spread > 0.0 { fake.spread * normal(&mut rng(&seed_path, FINAL)) } else { 0.0 };
        Self {
            chance: 1.0 / classes.max(1) as f64,
            last: (fake.accuracy + effects + spread).clamp(0.0, 1.0),
            epochs: settings.train.epochs.max(1),
            wobble: fake.spread / 4.0,
            seed_path,
        }
    }

    /// Returns the accuracy after `epoch` (from 1): it rises from chance and levels off at the
    /// drawn accuracy in the last planned epoch.
    pub(super) fn accuracy(&self, epoch: u32) -> f64 {
        let rest = 1.0 - f64::from(epoch.min(self.epochs)) / f64::from(self.epochs);
        self.last - (self.last - self.chance) * rest * rest
    }

    /// Returns the validation accuracy after `epoch`, which wobbles about the true one.
    pub(super) fn validation_accuracy(&self, epoch: u32) -> f64 {
        if self.wobble <= 0.0 {
            return self.accuracy(epoch);
        }
        let wobble = self.wobble * normal(&mut rng(&self.seed_path, EPOCHS + u64::from(epoch)));
        (self.accuracy(epoch) + wobble).clamp(0.0, 1.0)
    }

    /// Returns predictions on the test images of which `accuracy` is right, to the nearest image.
    pub(super) fn test_predictions(
        &self,
        accuracy: f64,
        labels: &[u16],
        classes: usize,
    ) -> LogProbabilities {
        predictions(&mut rng(&self.seed_path, TEST), accuracy, labels, classes)
    }

    /// Returns predictions on the validation images of which `accuracy` is right.
    pub(super) fn validation_predictions(
        &self,
        accuracy: f64,
        labels: &[u16],
        classes: usize,
    ) -> LogProbabilities {
        predictions(&mut rng(&self.seed_path, VALIDATION), accuracy, labels, classes)
    }
}

/// Returns the accuracy over `images` images nearest to `accuracy`.
pub(super) fn rounded(accuracy: f64, images: usize) -> f64 {
    correct_images(accuracy, images) as f64 / images.max(1) as f64
}

fn correct_images(accuracy: f64, images: usize) -> usize {
    ((accuracy * images as f64).round() as usize).min(images)
}

fn rng(seed_path: &SeedPath, counter: u64) -> StreamRng {
    seed_path.rng(Stream::Fake, counter)
}

fn unit(rng: &mut StreamRng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (-53f64).exp2()
}

/// One standard normal value (Box & Muller 1958).
fn normal(rng: &mut StreamRng) -> f64 {
    let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(rng)).cos()
}

/// Chooses the images that are wrong by selection sampling (Knuth, algorithm S), so that exactly
/// so many are, and gives each a wrong class.
fn predictions(
    rng: &mut StreamRng,
    accuracy: f64,
    labels: &[u16],
    classes: usize,
) -> LogProbabilities {
    let images = labels.len();
    let mut wrong = images - correct_images(accuracy, images);
    if classes < 2 {
        return LogProbabilities { classes, values: vec![0.0; images * classes] };
    }
    let runner_up = if classes == 2 { 1.0 - WRONG } else { RUNNER_UP };
    let share = |taken: f32, others: usize| (1.0 - taken) / others.max(1) as f32;
    let (sure, unsure) = (share(RIGHT, classes - 1), share(WRONG + runner_up, classes - 2));
    let mut values = Vec::with_capacity(images * classes);
    for (image, &label) in labels.iter().enumerate() {
        let row = values.len();
        let is_wrong = wrong > 0 && unit(rng) * ((images - image) as f64) < wrong as f64;
        if is_wrong {
            wrong -= 1;
            let shift = 1 + (rng.next_u64() % (classes as u64 - 1)) as usize;
            values.resize(row + classes, unsure);
            values[row + usize::from(label)] = runner_up;
            values[row + (usize::from(label) + shift) % classes] = WRONG;
        } else {
            values.resize(row + classes, sure);
            values[row + usize::from(label)] = RIGHT;
        }
    }
    LogProbabilities::of_probabilities(classes, values)
}
