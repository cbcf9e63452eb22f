//! Which image goes where.
//!
//! - Explicit ranges are taken first, as typed, over the whole pool.
//! - **Test**: by default the dataset's own test file, else a fifth of the pool. A share of it is a
//!   share of the whole pool, drawn from what the ranges leave.
//! - **Validation** and **train**: a fraction is one of the images that test leaves, or of the whole
//!   pool where train and test are both fractions. Train is by default all that is left; fractions
//!   that add up to 1 leave no image out.
//! - `train-limit` keeps so many of the training images, drawn at random, not the first of the file:
//!   files are often sorted by class.
//!
//! With `seed = trial` or `member` validation and train are drawn anew for each, but test and
//! `train-limit` are drawn from a key that depends on nothing: trials measured on different test
//! images could not be compared, neither within an experiment nor with one of another master seed. With
//! `seed = <number>` everything is drawn from that number.
//!
//! With folds, validation is one of equal parts of what test leaves, stratified; the division is the same
//! for all repeats of a master seed, and repeat r leaves out part r.
//!
//! Each draw shuffles the candidates and takes as many as are wanted, so a larger share contains the
//! smaller ones. Stratified draws give each class its exact proportion, rounded by the method of
//! largest remainders (ties to the earlier class).

use super::counter::Counter;
use super::dataset::{Dataset, Splits};
use super::error::{DataError, SplitError};
use crate::base::{Seed, SeedPath, Split, Stream};
use crate::experiment::settings::{Share, SplitSeed, SplitSettings};

/// Master seed of the test part unless the split's seed is a number.
const TEST_SEED: Seed = Seed(0);
/// Share of the pool that tests when the dataset has no test file and the settings are silent.
const DEFAULT_TEST: f64 = 0.2;

/// Divides the pool of `dataset` for the trial or member at `seed_path`.
///
/// # Errors
/// If a range leaves the pool, parts overlap, a part wants more than is left, a fraction yields no
/// image, or nothing is left to train on.
pub fn split(
    dataset: &Dataset,
    settings: &SplitSettings,
    train_limit: Option<usize>,
    seed_path: SeedPath,
) -> Result<Splits, DataError> {
    // No source of images is empty, so there are none to divide.
    if dataset.is_empty() {
        return Ok(Splits::default());
    }
    divide(dataset, settings, train_limit, seed_path).map_err(|error| error.of(&dataset.name))
}

/// Counters of the split stream, one a draw.
#[derive(Clone, Copy)]
enum Draw {
    Test,
    Validation,
    Train,
    TrainLimit,
    Folds,
}

fn divide(
    dataset: &Dataset,
    settings: &SplitSettings,
    train_limit: Option<usize>,
    seed_path: SeedPath,
) -> Result<Splits, SplitError> {
    let images = dataset.len();
    let (fixed, varied) = match settings.seed {
        SplitSeed::Fixed(seed) => {
            let path = SeedPath::experiment(Seed(seed));
            (path, path)
        }
        SplitSeed::Trial => {
            (SeedPath::experiment(TEST_SEED), SeedPath { member: None, ..seed_path })
        }
        SplitSeed::Member => (SeedPath::experiment(TEST_SEED), seed_path),
    };
    let mut owners = Owners { owners: vec![None; images], labels: &dataset.labels };

    let test = match (settings.test, dataset.test_from) {
        (None, Some(from)) => Share::Range { from, to: images },
        (share, _) => share.unwrap_or(Share::Fraction(DEFAULT_TEST)),
    };
    let own_test = settings.test.is_none() && dataset.test_from.is_some();
    let parts = [
        (Split::Test, Some(test)),
        (Split::Validation, settings.validation),
        (Split::Train, settings.train),
    ];
    for (part, share) in parts {
        if let Some(Share::Range { from, to }) = share {
            let empty_file = own_test && part == Split::Test && from == to;
            if !empty_file {
                owners.claim_range(part, from, to)?;
            }
        }
    }
    let draw = |draw: Draw, path: SeedPath| Counter::new(path.word(Stream::Split, draw as u64));
    let stratify = settings.stratify;
    owners.draw_share(Split::Test, Some(test), images, stratify, draw(Draw::Test, fixed))?;
    if let Some(folds) = settings.folds {
        // One division for all repeats: only which part is left out depends on the repeat.
        let path = match settings.seed {
            SplitSeed::Fixed(_) => fixed,
            SplitSeed::Trial | SplitSeed::Member => SeedPath::experiment(seed_path.master),
        };
        let fold = seed_path.repeat.unwrap_or(0) % folds;
        owners.draw_fold(fold, folds, draw(Draw::Folds, path))?;
    }
    let of_pool = settings.shares_the_pool();
    let base = if of_pool { images } else { images - owners.count(Some(Split::Test)) };
    let validation = draw(Draw::Validation, varied);
    owners.draw_share(Split::Validation, settings.validation, base, stratify, validation)?;
    if settings.train.is_none() {
        owners.rest_to_train();
    } else {
        let train = whole_images(settings, base, &owners).or(settings.train);
        owners.draw_share(Split::Train, train, base, stratify, draw(Draw::Train, varied))?;
    }
    let mut splits = owners.into_splits();
    if let Some(limit) = train_limit.filter(|&limit| limit < splits.train.len()) {
        let mut counter = draw(Draw::TrainLimit, fixed);
        splits.train = choose(&splits.train, limit, &dataset.labels, stratify, &mut counter);
    }
    if splits.train.is_empty() {
        return Err(SplitError::NoTraining { images });
    }
    Ok(splits)
}

/// Returns the training images where fractions share the pool: what the sum of all comes to, less
/// those of the others, so that rounding each neither loses an image nor wants one too many.
fn whole_images(settings: &SplitSettings, base: usize, owners: &Owners<'_>) -> Option<Share> {
    let fraction = |share| match share {
        Some(Share::Fraction(fraction)) => Some(fraction),
        _ => None,
    };
    let (train, validation) = (fraction(settings.train)?, fraction(settings.validation));
    if settings.shares_the_pool() {
        let sum = train + validation.unwrap_or(0.0) + fraction(settings.test)?;
        let others = owners.count(Some(Split::Test))
            + validation.map_or(0, |_| owners.count(Some(Split::Validation)));
        let wanted = ((sum * base as f64).round() as usize).saturating_sub(others);
        return Some(Share::Count(wanted)).filter(|_| wanted > 0);
    }
    // Two halves of an odd number are both rounded up.
    let (wanted, left) = ((train * base as f64).round() as usize, owners.count(None));
    validation.filter(|_| wanted == left + 1 && left > 0).map(|_| Share::Count(left))
}

/// Who has each image of the pool: one part at most, which is what keeps the parts disjoint.
struct Owners<'a> {
    owners: Vec<Option<Split>>,
    labels: &'a [u16],
}

impl Owners<'_> {
    fn claim(&mut self, part: Split, image: usize) -> Result<(), SplitError> {
        match self.owners[image].replace(part) {
            Some(first) => Err(SplitError::Overlap { first, second: part, image }),
            None => Ok(()),
        }
    }

    fn claim_range(&mut self, part: Split, from: usize, to: usize) -> Result<(), SplitError> {
        let images = self.owners.len();
        if from >= to || to > images {
            return Err(SplitError::Range { part, from, to, images });
        }
        (from..to).try_for_each(|image| self.claim(part, image))
    }

    fn draw_share(
        &mut self,
        part: Split,
        share: Option<Share>,
        base: usize,
        stratify: bool,
        mut counter: Counter,
    ) -> Result<(), SplitError> {
        let wanted = match share {
            None | Some(Share::Range { .. }) => return Ok(()),
            Some(Share::Count(count)) => count,
            Some(Share::Fraction(fraction)) => {
                let count = (fraction * base as f64).round();
                if !(fraction > 0.0 && fraction < 1.0 && count >= 1.0) {
                    return Err(SplitError::Fraction { part, fraction, images: base });
                }
                count as usize
            }
        };
        let free = self.free();
        if wanted > free.len() {
            return Err(SplitError::TooMany { part, wanted, left: free.len() });
        }
        choose(&free, wanted, self.labels, stratify, &mut counter)
            .into_iter()
            .try_for_each(|image| self.claim(part, image as usize))
    }

    /// Divides what is free into so many parts, class by class, and gives one of them to validation:
    /// parts differ by one image at most, and so does each class in them.
    fn draw_fold(&mut self, fold: u32, folds: u32, mut counter: Counter) -> Result<(), SplitError> {
        let mut shuffled = self.free();
        if shuffled.len() < folds as usize {
            return Err(SplitError::Folds { folds, images: shuffled.len() });
        }
        counter.shuffle(&mut shuffled);
        shuffled.sort_by_key(|&image| self.labels[image as usize]);
        let part = shuffled.into_iter().skip(fold as usize).step_by(folds as usize);
        part.collect::<Vec<u32>>()
            .into_iter()
            .try_for_each(|image| self.claim(Split::Validation, image as usize))
    }

    fn rest_to_train(&mut self) {
        for owner in &mut self.owners {
            owner.get_or_insert(Split::Train);
        }
    }

    fn free(&self) -> Vec<u32> {
        self.of(None)
    }

    fn of(&self, owner: Option<Split>) -> Vec<u32> {
        (0..self.owners.len() as u32)
            .filter(|&image| self.owners[image as usize] == owner)
            .collect()
    }

    fn count(&self, owner: Option<Split>) -> usize {
        self.owners.iter().filter(|&&held| held == owner).count()
    }

    fn into_splits(self) -> Splits {
        Splits {
            train: self.of(Some(Split::Train)),
            validation: self.of(Some(Split::Validation)),
            test: self.of(Some(Split::Test)),
        }
    }
}

/// Draws `wanted` of `candidates` and returns them in ascending order.
fn choose(
    candidates: &[u32],
    wanted: usize,
    labels: &[u16],
    stratify: bool,
    counter: &mut Counter,
) -> Vec<u32> {
    let mut shuffled = candidates.to_vec();
    counter.shuffle(&mut shuffled);
    let mut chosen: Vec<u32> = if stratify {
        let class = |image: u32| usize::from(labels[image as usize]);
        let classes = candidates.iter().map(|&image| class(image) + 1).max().unwrap_or(0);
        let mut sizes = vec![0; classes];
        for &image in candidates {
            sizes[class(image)] += 1;
        }
        let mut quotas = proportional(&sizes, wanted);
        shuffled
            .into_iter()
            .filter(|&image| {
                let quota = &mut quotas[class(image)];
                let take = *quota > 0;
                *quota -= usize::from(take);
                take
            })
            .collect()
    } else {
        shuffled.truncate(wanted);
        shuffled
    };
    chosen.sort_unstable();
    chosen
}

/// Divides `total` in proportion to `sizes` by largest remainders; `total` is at most their sum.
fn proportional(sizes: &[usize], total: usize) -> Vec<usize> {
    let all: usize = sizes.iter().sum();
    if all == 0 {
        return vec![0; sizes.len()];
    }
    let share = |size: usize| (total as u128 * size as u128, all as u128);
    let mut quotas: Vec<usize> = sizes
        .iter()
        .map(|&size| {
            let (n, d) = share(size);
            (n / d) as usize
        })
        .collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&class| {
        let (n, d) = share(sizes[class]);
        std::cmp::Reverse(n % d)
    });
    let missing = total - quotas.iter().sum::<usize>();
    order.into_iter().take(missing).for_each(|class| quotas[class] += 1);
    quotas
}

#[cfg(test)]
mod tests;
