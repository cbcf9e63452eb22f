//! Confusion matrix and galleries of one cell.

use super::{Confusion, Gallery, GalleryItem};
use crate::experiment::ConfusionPair;
use crate::experiment::ReportSettings;

/// Images of a single confusion that are shown where the experiment names no number.
const USUAL_GALLERY: usize = 24;

/// What the trials of one cell predict.
pub(super) struct Answers<'a> {
    pub(super) cell: usize,
    pub(super) classes: Vec<String>,
    pub(super) labels: &'a [u16],
    /// Predicted class of every image, trial by trial.
    pub(super) trials: &'a [Vec<u16>],
}

impl Answers<'_> {
    /// Counts how often each class is taken for each.
    pub(super) fn confusion(&self) -> Confusion {
        let size = self.classes.len();
        let mut counts = vec![vec![0; size]; size];
        for (image, label) in self.labels.iter().enumerate() {
            for trial in self.trials {
                counts[usize::from(*label)][usize::from(trial[image])] += 1;
            }
        }
        Confusion {
            cell: self.cell,
            trials: self.trials.len(),
            classes: self.classes.clone(),
            counts,
        }
    }

    /// Collects the galleries that are asked for; notes say which cannot be.
    pub(super) fn galleries(
        &self,
        asked: &ReportSettings,
        notes: &mut Vec<String>,
    ) -> Vec<Gallery> {
        let mut galleries = Vec::new();
        if asked.gallery > 0 {
            galleries.push(self.gallery(None, asked.gallery));
        }
        let limit = if asked.gallery > 0 { asked.gallery } else { USUAL_GALLERY };
        for pair in &asked.gallery_of {
            match self.indices_of(pair) {
                Ok(of) => galleries.push(self.gallery(Some(of), limit)),
                Err(unknown) => notes.push(format!(
                    "`report.gallery-of` names the class `{unknown}`, which does not exist; \
                     classes: {}",
                    self.classes.join(", ")
                )),
            }
        }
        galleries
    }

    fn indices_of<'p>(&self, pair: &'p ConfusionPair) -> Result<(usize, usize), &'p str> {
        let find = |name: &'p str| self.classes.iter().position(|class| class == name).ok_or(name);
        Ok((find(&pair.truth)?, find(&pair.predicted)?))
    }

    fn gallery(&self, of: Option<(usize, usize)>, limit: usize) -> Gallery {
        let mut items: Vec<GalleryItem> =
            (0..self.labels.len()).filter_map(|image| self.item(image, of)).collect();
        let key = |item: &GalleryItem| {
            let share = if of.is_some() { item.times } else { item.wrong };
            (std::cmp::Reverse(share), item.row)
        };
        items.sort_by_key(key);
        let total = items.len();
        items.truncate(limit);
        Gallery {
            cell: self.cell,
            of,
            classes: self.classes.clone(),
            trials: self.trials.len(),
            total,
            items,
        }
    }

    /// Returns the image if a trial gets it wrong, in the way asked for.
    fn item(&self, image: usize, of: Option<(usize, usize)>) -> Option<GalleryItem> {
        let truth = usize::from(self.labels[image]);
        let mut times = vec![0; self.classes.len()];
        self.trials.iter().for_each(|trial| times[usize::from(trial[image])] += 1);
        let wrong = self.trials.len() - times[truth];
        let predicted = match of {
            Some((class, _)) if class != truth => return None,
            Some((_, predicted)) => predicted,
            None => {
                times[truth] = 0;
                super::members::first_largest(&times)
            }
        };
        let times = times[predicted];
        (times > 0).then_some(GalleryItem {
            row: image,
            truth,
            predicted,
            times,
            wrong,
            picture: None,
        })
    }
}
