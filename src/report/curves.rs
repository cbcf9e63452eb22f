//! Training curves of the networks behind the cells, epoch by epoch, with their spread.

use std::collections::HashMap;

use serde::Serialize;

use crate::experiment::value::Value;
use crate::record::EpochRecord;
use crate::results::ExperimentResults;
use gridbench_stats::Moments;

/// Most groups whose curves are kept: a page of more would be looked at by nobody.
const MAX_GROUPS: usize = 400;

/// The curves of the networks that some cells share: cells that differ only in how an ensemble is
/// formed use the same networks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CurveGroup {
    /// Indices of the section's cells that use these networks.
    pub cells: Vec<usize>,
    /// Networks trained.
    pub members: usize,
    /// Every epoch that at least one of them reached.
    pub epochs: Vec<EpochPoint>,
}

/// What the networks gave in one epoch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct EpochPoint {
    /// Index of the epoch, from 1.
    pub epoch: u32,
    /// Networks that reached it.
    pub members: usize,
    /// Loss over the training batches, as seen during the epoch.
    pub train_loss: Option<Band>,
    /// Accuracy over the training batches, as seen during the epoch.
    pub train_accuracy: Option<Band>,
    /// Loss on the validation images.
    pub validation_loss: Option<Band>,
    /// Accuracy on the validation images.
    pub validation_accuracy: Option<Band>,
}

/// Mean and spread over networks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Band {
    /// Networks with a finite value.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation with n − 1; absent for one network.
    pub sd: Option<f64>,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl Band {
    fn of(values: &[f64]) -> Option<Self> {
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let Moments { n, mean, sd } = Moments::of(&finite)?;
        let min = finite.iter().copied().min_by(f64::total_cmp)?;
        let max = finite.iter().copied().max_by(f64::total_cmp)?;
        Some(Self { n, mean, sd, min, max })
    }
}

/// Returns the cells that share networks, in the order of their first cells.
pub(super) fn sharing_groups(results: &ExperimentResults) -> Vec<Vec<usize>> {
    let kept: Vec<usize> = (0..results.axes.len())
        .filter(|axis| !results.axes[*axis].key.starts_with("ensemble."))
        .collect();
    let mut indices: HashMap<Vec<Option<&Value>>, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (cell, facts) in results.cells.iter().enumerate() {
        let key = kept.iter().map(|axis| facts.values[*axis].as_ref()).collect();
        let index = *indices.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[index].push(cell);
    }
    groups
}

/// Returns the curves of every group of cells that has any; none where there are too many groups.
pub(super) fn curves(results: &ExperimentResults) -> Vec<CurveGroup> {
    let groups = sharing_groups(results);
    if groups.len() > MAX_GROUPS {
        return Vec::new();
    }
    let mut group_of = vec![0; results.cells.len()];
    for (index, cells) in groups.iter().enumerate() {
        for cell in cells {
            group_of[*cell] = index;
        }
    }
    let mut members: Vec<Vec<&[EpochRecord]>> = vec![Vec::new(); groups.len()];
    for curve in results.curves.iter().filter(|curve| !curve.epochs.is_empty()) {
        members[group_of[curve.cell]].push(&curve.epochs);
    }
    groups
        .into_iter()
        .zip(members)
        .filter(|(_, members)| !members.is_empty())
        .map(|(cells, members)| CurveGroup {
            cells,
            members: members.len(),
            epochs: points(&members),
        })
        .collect()
}

fn points(members: &[&[EpochRecord]]) -> Vec<EpochPoint> {
    let last = members.iter().filter_map(|epochs| epochs.last()).map(|epoch| epoch.epoch).max();
    let point = |epoch: u32| {
        let at: Vec<&EpochRecord> = members
            .iter()
            .filter_map(|epochs| {
                // Epochs are numbered from 1 without a gap, so the index is a first guess.
                let guess = epochs.get(epoch as usize - 1).filter(|found| found.epoch == epoch);
                guess.or_else(|| epochs.iter().find(|found| found.epoch == epoch))
            })
            .collect();
        let band = |pick: &dyn Fn(&EpochRecord) -> Option<f64>| {
            Band::of(&at.iter().filter_map(|epoch| pick(epoch)).collect::<Vec<f64>>())
        };
        EpochPoint {
            epoch,
            members: at.len(),
            train_loss: band(&|epoch| Some(epoch.train_loss)),
            train_accuracy: band(&|epoch| Some(epoch.train_accuracy)),
            validation_loss: band(&|epoch| epoch.validation_loss),
            validation_accuracy: band(&|epoch| epoch.validation_accuracy),
        }
    };
    (1..=last.unwrap_or(0)).map(point).filter(|point| point.members > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture::{self, HandMade};

    #[test]
    fn networks_serve_every_ensemble_size_and_spread_shows_in_the_band() {
        let axes: [(&str, &[&str]); 2] = [("ensemble.size", &["1", "3"]), ("a.x", &["0", "1"])];
        let cells: [HandMade<'_>; 4] = [
            (&[Some("1"), Some("0")], &[5, 6]),
            (&[Some("1"), Some("1")], &[5, 6]),
            (&[Some("3"), Some("0")], &[5, 6]),
            (&[Some("3"), Some("1")], &[5, 6]),
        ];
        let mut results = fixture::experiment("shared", &axes, &cells);
        results.curves[0].epochs[1].train_loss = f64::NAN;
        results.curves[1].epochs[1].train_loss = 0.3;
        results.curves[0].epochs[0].train_accuracy = 0.5;
        let curves = curves(&results);
        let groups: Vec<&[usize]> = curves.iter().map(|group| group.cells.as_slice()).collect();
        assert_eq!(groups, [[0, 2], [1, 3]]);
        assert_eq!(curves[0].members, 4);
        let accuracy = curves[0].epochs[0].train_accuracy.unwrap();
        assert_eq!((accuracy.n, accuracy.min, accuracy.max), (4, 0.5, 0.9));
        assert!((accuracy.mean - 0.8).abs() < 1e-12 && (accuracy.sd.unwrap() - 0.2).abs() < 1e-12);
        // A loss that is not a number is left out: 0.3, 0.5 and 0.5 remain.
        let loss = curves[0].epochs[1].train_loss.unwrap();
        assert_eq!(loss.n, 3);
        assert!((loss.mean - 1.3 / 3.0).abs() < 1e-12);
        assert_eq!(curves[0].epochs[0].validation_loss, None);
    }
}
