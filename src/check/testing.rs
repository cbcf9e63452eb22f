//! What the tests of `check` share.

use std::collections::BTreeMap;

use super::{CellSample, Origin};
use crate::base::{Metric, Seed, digest_of};

/// A plausible origin.
pub(super) fn origin() -> Origin {
    Origin {
        experiment: "smoke".to_owned(),
        seed: Seed(42),
        engine: "cpu, portable f32".to_owned(),
        hardware: "Imaginary CPU, 2 cores".to_owned(),
        version: "0.1.0".to_owned(),
        toolchain: "rustc 1.95.0".to_owned(),
        commit: Some("e67c846".to_owned()),
        date: "2026-01-02T03:04:05Z".to_owned(),
        datasets: BTreeMap::from([("digits".to_owned(), digest_of(b"digits"))]),
    }
}

/// A cell of one axis from its name, for example `shift=0.1`.
pub(super) fn cell(name: &str, values: &[f64]) -> CellSample {
    let (axis, value) = name.split_once('=').expect("a name has an axis and a value");
    CellSample {
        name: name.to_owned(),
        assignment: BTreeMap::from([(axis.to_owned(), value.to_owned())]),
        metric: Metric::TestAccuracy,
        values: values.to_vec(),
        not_completed: 0,
    }
}
