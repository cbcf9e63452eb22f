//! What the stored predictions say beyond the metrics: ensembles of every size, the test set's part
//! of the spread, confusions, and the images that are read wrongly.
//!
//! Reads no file: predictions are handed over by the caller, network by network.

mod confusion;
mod examine;
mod members;
#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer};

use crate::experiment::settings::Combine;
use crate::record::Predictions;
use gridbench_stats::{EnsemblePoint, McNemar, TwoWayDifference, VarianceSplit};

pub(super) use examine::SHOWN_GROUPS;
pub(crate) use examine::examine;

/// The networks of one completed trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrialMembers {
    /// Index of its cell.
    pub cell: usize,
    /// Its networks, in ensemble order, under numbers of the caller's choice.
    pub members: Vec<usize>,
}

/// The stored predictions of an experiment.
pub(crate) struct Stored<'a> {
    /// The completed trials, by cell and repeat.
    pub trials: Vec<TrialMembers>,
    /// How each cell combines its networks.
    pub combine: Vec<Combine>,
    /// Names of the classes; numbers stand in where there are none.
    pub classes: Vec<String>,
    /// Reads the predictions of a network; nothing where they are missing or damaged.
    pub read: &'a mut dyn FnMut(usize) -> Option<Predictions>,
}

/// What the stored predictions say.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Predicted {
    /// Where the spread of a cell comes from, for cells of two or more trials.
    pub variances: Vec<CellVariance>,
    /// Ensembles of every size among the networks of cells that share them.
    pub ensembles: Vec<EnsembleGroup>,
    /// The cells nearest to the best one, image by image.
    #[serde(rename = "rivals")]
    pub versus_best: Vec<ImageComparison>,
    /// The confusions of the best cell, where the experiment asks for them.
    pub confusion: Option<Confusion>,
    /// Images that the best cell gets wrong, where the experiment asks for them.
    pub galleries: Vec<Gallery>,
    /// What could not be shown, and why.
    pub notes: Vec<String>,
}

/// Where the spread of one cell comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CellVariance {
    /// Index of the section's cell.
    pub cell: usize,
    /// Trials.
    pub trials: usize,
    /// Parts of the variance.
    pub split: VarianceSplit,
}

/// Ensembles of every size among the networks of cells that share them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EnsembleGroup {
    /// Indices of the section's cells that use these networks.
    pub cells: Vec<usize>,
    /// Networks, over the repeats; at most 32 are measured.
    pub members: usize,
    /// Test accuracy by size, of disjoint ensembles.
    pub points: Vec<EnsemblePoint>,
}

/// A cell against the best, on the same test images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageComparison {
    /// Index of the section's cell.
    pub cell: usize,
    /// The majority of the cell's trials against the majority of the best's.
    pub mcnemar: McNemar,
    /// Difference of accuracy, the cell's minus the best's, over trials and images; absent where
    /// there are too many of both to resample.
    pub two_way: Option<TwoWayDifference>,
}

/// How often each class is taken for each.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Confusion {
    /// Index of the section's cell.
    pub cell: usize,
    /// Trials that were counted.
    pub trials: usize,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Test images of true class (row) predicted as class (column), summed over the trials.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Returns the test images of a class.
    pub(crate) fn images_of(&self, class: usize) -> u64 {
        self.counts[class].iter().sum::<u64>() / (self.trials.max(1) as u64)
    }

    /// Returns the share of a class's images predicted as `predicted`; nothing for a class without
    /// images.
    pub(crate) fn share(&self, truth: usize, predicted: usize) -> Option<f64> {
        let all: u64 = self.counts[truth].iter().sum();
        (all > 0).then(|| self.counts[truth][predicted] as f64 / all as f64)
    }

    /// Returns the mean over the trials of a count.
    pub(crate) fn mean(&self, truth: usize, predicted: usize) -> f64 {
        self.counts[truth][predicted] as f64 / self.trials.max(1) as f64
    }
}

/// Test images of the best cell that are read wrongly.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gallery {
    /// Index of the section's cell.
    pub cell: usize,
    /// The true and the predicted class, by index, where it shows one confusion.
    pub of: Option<(usize, usize)>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Trials that were counted.
    pub trials: usize,
    /// Test images that are read wrongly (so) in at least one trial.
    pub total: usize,
    /// The images that are shown, those most often wrong first.
    pub items: Vec<GalleryItem>,
}

/// One image of a gallery.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GalleryItem {
    /// Index among the test images, from 0.
    pub row: usize,
    /// Its class.
    pub truth: usize,
    /// The class it is most often taken for.
    pub predicted: usize,
    /// Trials in which it is taken for that class.
    pub times: usize,
    /// Trials in which it is read wrongly at all.
    pub wrong: usize,
    /// The image as a PNG, where the dataset was at hand.
    #[serde(serialize_with = "data_uri", skip_serializing_if = "Option::is_none")]
    pub picture: Option<Vec<u8>>,
}

#[expect(clippy::ref_option, reason = "serde's `serialize_with` passes a reference to the field")]
fn data_uri<S: Serializer>(png: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&png.as_deref().map(super::markup::data_uri).unwrap_or_default())
}
