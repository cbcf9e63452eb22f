//! Reads predictions group by group and says what they show.

use std::collections::{BTreeMap, HashMap};

use super::confusion::Answers;
use super::members::{MAX_MEMBERS, Network, classify, draw_anew, ensembles};
use super::{CellVariance, EnsembleGroup, ImageComparison, Predicted, Stored, TrialMembers};
use crate::report::curves::sharing_groups;
use crate::report::numbers::counted;
use crate::results::ExperimentResults;
use gridbench_stats::{self as stats, Moments};

/// Cells, those nearest to the best, that are compared with it image by image.
const MAX_COMPARED: usize = 6;
/// Groups of networks whose ensembles are shown in full: those of the best cells.
pub(in crate::report) const SHOWN_GROUPS: usize = 6;
/// Runs times images up to which a pair of cells is resampled.
const RESAMPLED: usize = 250_000;

/// What the trials of one cell predict.
struct CellAnswers {
    labels: Vec<u16>,
    trials: Vec<Vec<u16>>,
}

impl CellAnswers {
    fn right(&self) -> Vec<Vec<bool>> {
        let right = |trial: &Vec<u16>| {
            trial.iter().zip(&self.labels).map(|(answer, label)| answer == label).collect()
        };
        self.trials.iter().map(right).collect()
    }

    /// Says which images the majority of the trials gets right; ties go to the lower class.
    fn majority_right(&self) -> Vec<bool> {
        let majority = |image: usize| {
            let mut votes: BTreeMap<u16, usize> = BTreeMap::new();
            self.trials.iter().for_each(|trial| *votes.entry(trial[image]).or_default() += 1);
            let most = votes.values().max().copied().unwrap_or(0);
            votes.iter().find(|(_, count)| **count == most).map(|(class, _)| *class)
        };
        let labels = self.labels.iter().enumerate();
        labels.map(|(image, label)| majority(image) == Some(*label)).collect()
    }
}

/// Says what the stored predictions of `results` show; nothing where none can be read.
pub(crate) fn examine(results: &ExperimentResults, mut stored: Stored<'_>) -> Option<Predicted> {
    let mut predicted = Predicted::default();
    let mut answers: Vec<Option<CellAnswers>> = results.cells.iter().map(|_| None).collect();
    let mut missing = 0;
    let groups = sharing_groups(results);
    let count = groups.len();
    let shown = best_groups(results, &groups);
    for (group, cells) in groups.into_iter().enumerate() {
        let pool = read_group(&mut stored, &cells, &mut answers, &mut missing);
        let members: Vec<&Network> = pool.iter().collect();
        let combine = stored.combine[cells[0]];
        let mut points = ensembles(&members, combine);
        if shown.contains(&group) {
            draw_anew(&mut points, &members, combine, count);
        }
        if points.len() > 1 {
            predicted.ensembles.push(EnsembleGroup { cells, members: members.len(), points });
        }
    }
    if answers.iter().all(Option::is_none) {
        return None;
    }
    if missing > 0 {
        let networks = counted(missing, "network");
        predicted.notes.push(format!(
            "the predictions of {networks} are missing or damaged, so trials that need them are \
             left out here"
        ));
    }
    predicted.variances = variances(&answers);
    if let Some(best) = best_cell(results) {
        predicted.versus_best = nearest_to_best(results, &answers, best);
        if let Some(found) = &answers[best] {
            let answers = Answers {
                cell: best,
                classes: class_names(stored.classes, found),
                labels: &found.labels,
                trials: &found.trials,
            };
            let asked = &results.facts.report;
            predicted.confusion = asked.confusion.then(|| answers.confusion());
            predicted.galleries = answers.galleries(asked, &mut predicted.notes);
        }
    }
    Some(predicted)
}

/// Adds the answers of the trials of cells that share networks, and returns the first networks for
/// ensembles of every size.
///
/// Trials of one repeat share their first network, whatever their size, so only the networks of one
/// repeat are in memory at once besides those.
fn read_group(
    stored: &mut Stored<'_>,
    cells: &[usize],
    answers: &mut [Option<CellAnswers>],
    missing: &mut usize,
) -> Vec<Network> {
    let mut repeats: BTreeMap<usize, (usize, Vec<&TrialMembers>)> = BTreeMap::new();
    for (order, trial) in stored.trials.iter().enumerate() {
        if let Some(first) = trial.members.first()
            && cells.contains(&trial.cell)
        {
            repeats.entry(*first).or_insert((order, Vec::new())).1.push(trial);
        }
    }
    let mut repeats: Vec<(usize, Vec<&TrialMembers>)> = repeats.into_values().collect();
    repeats.sort_by_key(|(order, _)| *order);
    let mut pool = Vec::new();
    for (_, trials) in repeats {
        let mut order: Vec<usize> = Vec::new();
        let mut read: HashMap<usize, Network> = HashMap::new();
        for &member in trials.iter().flat_map(|trial| &trial.members) {
            if order.contains(&member) {
                continue;
            }
            order.push(member);
            match (stored.read)(member) {
                Some(found) => drop(read.insert(member, Network::of(&found))),
                None => *missing += 1,
            }
        }
        for trial in trials {
            let members: Option<Vec<&Network>> =
                trial.members.iter().map(|member| read.get(member)).collect();
            let Some(members) = members else { continue };
            let Some(classes) = classify(&members, stored.combine[trial.cell]) else { continue };
            let labels = members[0].labels();
            let answers = answers[trial.cell]
                .get_or_insert_with(|| CellAnswers { labels: labels.to_vec(), trials: Vec::new() });
            if answers.labels == labels {
                answers.trials.push(classes);
            }
        }
        let kept = order.iter().filter_map(|member| read.remove(member));
        pool.extend(kept.take(MAX_MEMBERS - pool.len()));
    }
    pool
}

/// Returns a name for every class that occurs.
fn class_names(mut names: Vec<String>, found: &CellAnswers) -> Vec<String> {
    let used = found.labels.iter().chain(found.trials.iter().flatten()).max();
    let size = used.map_or(0, |last| usize::from(*last) + 1);
    (names.len()..size).for_each(|class| names.push(class.to_string()));
    names
}

fn variances(answers: &[Option<CellAnswers>]) -> Vec<CellVariance> {
    let of = |(cell, found): (usize, &Option<CellAnswers>)| {
        let right = found.as_ref()?.right();
        let runs: Vec<&[bool]> = right.iter().map(Vec::as_slice).collect();
        Some(CellVariance { cell, trials: runs.len(), split: stats::split_variance(&runs)? })
    };
    answers.iter().enumerate().filter_map(of).collect()
}

/// Returns the groups of the best cells: of the others nobody sees more than means.
fn best_groups(results: &ExperimentResults, groups: &[Vec<usize>]) -> Vec<usize> {
    let means = means(results);
    let best = |cells: &Vec<usize>| {
        cells.iter().filter_map(|cell| means[*cell]).fold(f64::NEG_INFINITY, f64::max)
    };
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|a, b| best(&groups[*b]).total_cmp(&best(&groups[*a])));
    order.truncate(SHOWN_GROUPS);
    order
}

/// Returns the mean of the report's metric in every cell, signed so that larger is better.
fn means(results: &ExperimentResults) -> Vec<Option<f64>> {
    let metric = results.metric();
    let sign = metric.sign();
    let mean = |sample: Vec<f64>| Some(sign * Moments::of(&sample)?.mean);
    results.cells.iter().map(|cell| mean(cell.sample(&metric.name))).collect()
}

fn best_cell(results: &ExperimentResults) -> Option<usize> {
    let means = means(results);
    let mut best: Option<(usize, f64)> = None;
    for (cell, mean) in means.iter().enumerate() {
        if let Some(mean) = mean
            && best.is_none_or(|(_, best)| *mean > best)
        {
            best = Some((cell, *mean));
        }
    }
    best.map(|(cell, _)| cell)
}

/// Compares the cells nearest to the best with it, image by image.
fn nearest_to_best(
    results: &ExperimentResults,
    answers: &[Option<CellAnswers>],
    best: usize,
) -> Vec<ImageComparison> {
    let Some(top) = &answers[best] else { return Vec::new() };
    let means = means(results);
    let mut others: Vec<(usize, f64)> = (0..answers.len())
        .filter(|cell| *cell != best)
        .filter(|cell| answers[*cell].as_ref().is_some_and(|found| found.labels == top.labels))
        .filter_map(|cell| Some((cell, means[cell]?)))
        .collect();
    others.sort_by(|a, b| b.1.total_cmp(&a.1));
    others.truncate(MAX_COMPARED);
    let top_right = top.right();
    let top_majority = top.majority_right();
    let compare = |(cell, _): (usize, f64)| {
        let own = answers[cell].as_ref()?;
        let majority = own.majority_right();
        let count = |a: bool, b: bool| {
            let pairs = majority.iter().zip(&top_majority);
            pairs.filter(|(own, top)| (**own, **top) == (a, b)).count() as u64
        };
        let right = own.right();
        let runs: Vec<&[bool]> = right.iter().map(Vec::as_slice).collect();
        let top_runs: Vec<&[bool]> = top_right.iter().map(Vec::as_slice).collect();
        let work = (runs.len() + top_runs.len()) * own.labels.len();
        Some(ImageComparison {
            cell,
            mcnemar: stats::mcnemar(count(true, false), count(false, true)),
            two_way: (work <= RESAMPLED)
                .then(|| stats::two_way_bootstrap(&runs, &top_runs, stats::RESAMPLE_SEED))
                .flatten(),
        })
    };
    others.into_iter().filter_map(compare).collect()
}
