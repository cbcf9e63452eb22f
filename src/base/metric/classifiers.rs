//! The metrics that the built-in engines measure.

use super::{Direction, Metric, MetricName, Range, Split, Unit};

impl Metric {
    /// Returns the metrics of image classifiers trained by the built-in engines, in the order of the
    /// tables.
    pub(crate) fn of_classifiers() -> Vec<Self> {
        let (train, validation, test) =
            (Some(Split::Train), Some(Split::Validation), Some(Split::Test));
        let accuracy = |name, split, counts_images| Self {
            counts_images,
            range: Range(Some(0.0), Some(1.0)),
            ..measured(name, split, Unit::FRACTION, Direction::Maximize)
        };
        let loss = |name, split| measured(name, split, Unit::NATS, Direction::Minimize);
        let cost = |name, unit| measured(name, None, unit, Direction::Minimize);
        vec![
            accuracy(MetricName::TEST_ACCURACY, test, true),
            loss(MetricName::TEST_LOSS, test),
            accuracy(MetricName::VALIDATION_ACCURACY, validation, true),
            loss(MetricName::VALIDATION_LOSS, validation),
            accuracy(MetricName::TRAIN_ACCURACY, train, false),
            loss(MetricName::TRAIN_LOSS, train),
            accuracy(MetricName::MEMBER_TEST_ACCURACY, test, false),
            cost(MetricName::EPOCHS, Unit::COUNT),
            cost(MetricName::TRAIN_SECONDS, Unit::SECONDS),
            measured(
                MetricName::IMAGES_PER_SECOND,
                None,
                Unit::IMAGES_PER_SECOND,
                Direction::Maximize,
            ),
            cost(MetricName::PEAK_MEMORY, Unit::MEBIBYTES),
        ]
    }

    /// Returns what is measured of a program as a process.
    pub(crate) fn of_processes() -> Vec<Self> {
        let cost = |name, unit| measured(name, None, unit, Direction::Minimize);
        vec![
            cost(MetricName::WALL_SECONDS, Unit::SECONDS),
            cost(MetricName::USER_SECONDS, Unit::SECONDS),
            cost(MetricName::SYSTEM_SECONDS, Unit::SECONDS),
            cost(MetricName::PEAK_MEMORY, Unit::MEBIBYTES),
        ]
    }
}

/// Declares a metric that is never negative.
fn measured(name: MetricName, split: Option<Split>, unit: Unit, direction: Direction) -> Metric {
    Metric { name, split, unit, direction, range: Range(Some(0.0), None), counts_images: false }
}
