//! What the tests of `check` share.

use std::collections::BTreeMap;

use super::{CellSample, Source};
use crate::base::{Metric, MetricName, Seed, digest_of};
use crate::experiment::settings::SplitSeed;
use crate::experiment::value::Value;
use crate::results::Origin;

/// A plausible source.
pub(super) fn origin() -> Source {
    let origin = Origin {
        engine: "cpu, portable f32".to_owned(),
        engine_revision: "4".to_owned(),
        hardware: "Imaginary CPU, 2 cores".to_owned(),
        version: "0.1.0".to_owned(),
        toolchain: "rustc 1.95.0".to_owned(),
        commit: Some("e67c846".to_owned()),

        experiment_commit: None,
        date: "2026-01-02T03:04:05Z".to_owned(),
    };
    Source {
        experiment: "smoke".to_owned(),
        seed: Seed(42),
        split_seed: Some(SplitSeed::Fixed(0)),
        folds: None,
        datasets: BTreeMap::from([("digits".to_owned(), digest_of(b"digits"))]),
        origin,
    }
}

/// A metric of the built-in engines.
pub(super) fn metric(name: &MetricName) -> Metric {
    let mut metrics = Metric::of_classifiers().into_iter();
    metrics.find(|metric| metric.name == *name).expect("a declared metric")
}

/// A cell of one axis from its name, for example `shift=0.1`.
pub(super) fn cell(name: &str, values: &[f64]) -> CellSample {
    let (axis, value) = name.split_once('=').expect("a name has an axis and a value");
    CellSample {
        name: name.to_owned(),
        assignment: BTreeMap::from([(axis.to_owned(), Value::from_notation(value))]),
        metric: metric(&MetricName::TEST_ACCURACY),
        values: values.to_vec(),
        repeats: Some((0..values.len() as u32).collect()),
        lost: 0,
    }
}
