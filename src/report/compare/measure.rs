//! The statistics of every pair.

use super::by_repeat::{self, Test};
use super::document::{
    Comparison, ExampleComparison, Finding, OrderComparison, PairComparison, Sample, SideFacts,
};
use super::pairs::Pairing;
use super::{Examples, Lookup, Question, Side, conclusion};
use crate::base::MetricName;
use crate::report::labels::short_name;
use crate::results::{CellResults, ExperimentResults};
use gridbench_stats::{self as stats, MeanDifference, Moments, Sides};

const POWER: f64 = 0.8;
/// With more pairs than this, images and stochastic order are not looked at: reading all predictions
/// would take minutes.
const MAX_IN_FULL: usize = 24;
/// Beyond so many trials per side the permutation test says what Welch's does.
const PERMUTED_UP_TO: usize = 10;

/// Compares every pair of `pairing`.
pub(super) fn comparison(
    a: Side<'_>,
    b: Side<'_>,
    question: &Question,
    pairing: &Pairing,
    examples: &mut Lookup<'_>,
) -> Comparison {
    let few = pairing.pairs.len() <= MAX_IN_FULL;
    let is_paired = by_repeat::share_repeats(a.results, b.results, &pairing.pairs);
    let sides = by_repeat::sides(a.results, b.results, &question.metric, &pairing.pairs, is_paired);
    let folds = a.results.facts.folds.or(b.results.facts.folds);
    let quantum = a.results.quantum(&question.metric).unwrap_or(0.0);
    let found = stats::cell_differences(&sides, is_paired, quantum);
    let mut pairs: Vec<PairComparison> = pairing
        .pairs
        .iter()
        .zip(sides.iter().zip(&found))
        .map(|(&cells, (sides, found))| {
            let test = Test::of(sides, found, is_paired);
            let examples = few.then_some(&mut *examples);
            pair(a, b, question, cells, &pairing.shared, (&test, examples, folds.is_some()))
        })
        .collect();
    let raw: Vec<f64> = pairs.iter().map(|pair| pair.p.unwrap_or(f64::NAN)).collect();
    let levels = stats::holm_levels(&raw, question.alpha);
    let adjusted = stats::holm(&raw).into_iter().zip(stats::benjamini_hochberg(&raw));
    let overall = by_repeat::overall(a, b, &question.metric.name, &pairing.pairs, is_paired);
    let higher_is_better = question.metric.is_maximized();
    for (pair, ((p_holm, q), level)) in pairs.iter_mut().zip(adjusted.zip(levels)) {
        (pair.p_holm, pair.q) = (pair.p.map(|_| p_holm), pair.p.map(|_| q));
        pair.finding = finding(pair, question.alpha, higher_is_better);
        pair.meaningful &= matches!(pair.finding, Finding::A | Finding::B);
        if pair.finding == Finding::Undecided
            && folds.is_none()
            && let (Some(sd), Some(difference)) = (pair.sd, pair.difference)
        {
            let more = pair.a.n.min(pair.b.n) + 1;
            let needed = if is_paired { stats::repeats_for_pairs } else { stats::repeats_for };
            pair.repeats_to_settle =
                needed(sd, difference.abs(), level, POWER, Sides::Two).map(|n| n.max(more));
        }
    }
    let names = |results: &ExperimentResults, cells: &[usize]| {
        cells.iter().map(|&cell| results.cells[cell].name.clone()).collect()
    };
    let mut comparison = Comparison {
        metric: question.metric.clone(),
        higher_is_better,
        a: facts(a, pairing, |pair| pair.0),
        b: facts(b, pairing, |pair| pair.1),
        alpha: question.alpha,
        gamma: question.gamma,
        is_paired,
        folds,
        pairs,
        overall,
        only_a: names(a.results, &pairing.only_a),
        only_b: names(b.results, &pairing.only_b),
        warnings: conclusion::warnings(a.results, b.results, &question.metric),
        verdict: String::new(),
    };
    comparison.verdict = conclusion::verdict(&comparison);
    comparison
}

fn facts(side: Side<'_>, pairing: &Pairing, pick: impl Fn(&(usize, usize)) -> usize) -> SideFacts {
    let known = &side.results.facts;
    let cells: Vec<usize> = pairing.pairs.iter().map(pick).collect();
    let constant = |key: &String| {
        let first = side.results.value(*cells.first()?, key)?;
        let same = cells.iter().all(|&cell| side.results.value(cell, key) == Some(first));
        same.then(|| format!("{key}={}", first.notation()))
    };
    let keys = side.results.axes.iter().map(|axis| &axis.key);
    let chosen: Vec<String> =
        keys.filter(|key| !pairing.shared.contains(key)).filter_map(constant).collect();
    SideFacts {
        name: side.name.to_owned(),
        experiment: known.name.clone(),
        chosen: chosen.join(" "),
        seed: known.seed,
        engine: known.origin.engine.clone(),
        commit: known.origin.commit.clone(),
        experiment_commit: known.origin.experiment_commit.clone(),
    }
}

fn pair(
    a: Side<'_>,
    b: Side<'_>,
    question: &Question,
    (one, other): (usize, usize),
    shared: &[String],
    (test, in_full, are_folds): (&Test, Option<&mut Lookup<'_>>, bool),
) -> PairComparison {
    let &Question { ref metric, alpha, gamma, seed } = question;
    let (cell_a, cell_b) = (&a.results.cells[one], &b.results.cells[other]);
    let (x, y) = (cell_a.sample(&metric.name), cell_b.sample(&metric.name));
    let (sample_a, sample_b) = (sample(cell_a, &x), sample(cell_b, &y));
    let difference = test.difference.or(sample_a.mean.zip(sample_b.mean).map(|(a, b)| a - b));
    // Orders and superiority are of the better: for losses and seconds that is the smaller.
    let turn =
        |values: &[f64]| -> Vec<f64> { values.iter().map(|value| metric.sign() * value).collect() };
    let (better_x, better_y) = (turn(&x), turn(&y));
    let fewest = x.len().min(y.len());
    // One trial has no place in an order of trials, and folds share training images, while tests of order
    // take trials for independent.
    let is_order = fewest >= 2 && !are_folds;
    let superiority =
        is_order.then(|| stats::probability_of_superiority(&better_x, &better_y, seed)).flatten();
    let spread = test.found.filter(MeanDifference::has_spread);
    let is_in_full = in_full.is_some() && !are_folds;
    let order = |a: &[f64], b: &[f64]| {
        let order = is_in_full.then(|| stats::almost_stochastic_order(a, b, seed)).flatten();
        order.map(|order| order.epsilon_min)
    };
    let name: Vec<String> = shared
        .iter()
        .filter_map(|key| Some(format!("{key}={}", a.results.value(one, key)?.notation())))
        .collect();
    let accuracy = metric.counts_images;
    PairComparison {
        name: name.join(" "),
        label: short_name(&a.results.axes, &cell_a.values, Some(shared)),
        finding: Finding::TooFew,
        difference,
        interval95: spread.map(|found| found.interval(0.95)),
        interval: spread.map(|found| found.interval(1.0 - alpha)),
        degrees_of_freedom: spread.map(|found| found.degrees_of_freedom),
        errors_per_ten_thousand: difference.filter(|_| accuracy).map(|found| -1e4 * found),
        p: test.p,
        sd: test.sd.filter(|sd| *sd > 0.0),
        p_holm: None,
        q: None,
        permutation: (is_order && fewest <= PERMUTED_UP_TO)
            .then(|| stats::permutation_test(&x, &y, seed))
            .flatten(),
        mann_whitney: is_order.then(|| stats::mann_whitney(&x, &y)).flatten(),
        meaningful: superiority.is_some_and(|found| {
            found.is_meaningful(gamma) || found.reversed().is_meaningful(gamma)
        }),
        superiority,
        order: order(&better_x, &better_y)
            .zip(order(&better_y, &better_x))
            .map(|(a_over_b, b_over_a)| OrderComparison { a_over_b, b_over_a }),
        cohens_d: stats::cohens_d(&x, &y),
        cliffs_delta: is_order.then(|| stats::cliffs_delta(&better_x, &better_y)).flatten(),
        is_identical: test.is_identical,
        seed_correlation: seed_correlation(a.results, cell_a, b.results, cell_b, &metric.name),
        detectable: spread.and_then(|found| {
            let critical = (found.difference - found.lower_bound(0.5 * alpha)) / found.se;
            Some(stats::noncentrality_for(critical, found.degrees_of_freedom, POWER)? * found.se)
        }),
        repeats_to_settle: None,
        examples: in_full
            .filter(|_| metric.counts_test_images())
            .and_then(|examples| examples(one, other))
            .and_then(|(a, b)| by_image(&a, &b, seed)),
        a: sample_a,
        b: sample_b,
    }
}

fn sample(cell: &CellResults, values: &[f64]) -> Sample {
    let moments = Moments::of(values);
    Sample {
        cell: cell.name.clone(),
        n: values.len(),
        lost: cell.lost(),
        mean: moments.map(|moments| moments.mean),
        sd: moments.and_then(|moments| moments.sd),
    }
}

fn finding(pair: &PairComparison, alpha: f64, higher_is_better: bool) -> Finding {
    let (Some(p), Some(difference)) = (pair.p_holm, pair.difference) else {
        return Finding::TooFew;
    };
    if p > alpha || difference == 0.0 {
        return Finding::Undecided;
    }
    if (difference > 0.0) == higher_is_better { Finding::A } else { Finding::B }
}

/// Correlates the trials of equal repeats, where the master seeds are equal too.
fn seed_correlation(
    a: &ExperimentResults,
    cell_a: &CellResults,
    b: &ExperimentResults,
    cell_b: &CellResults,
    metric: &MetricName,
) -> Option<stats::Correlation> {
    if a.facts.seed != b.facts.seed {
        return None;
    }
    let (x, y): (Vec<f64>, Vec<f64>) = cell_a
        .completed()
        .filter_map(|trial| {
            let partner = cell_b.completed().find(|other| other.repeat == trial.repeat)?;
            Some((*trial.metrics.get(metric)?, *partner.metrics.get(metric)?))
        })
        .unzip();
    stats::pearson(&x, &y)
}

/// Compares both sides image by image; nothing where the images differ.
fn by_image(a: &Examples, b: &Examples, seed: u64) -> Option<ExampleComparison> {
    if a.images != b.images || a.labels != b.labels || a.labels.is_empty() {
        return None;
    }
    let (votes_a, votes_b) = (majority(a)?, majority(b)?);
    let (mut only_a, mut only_b) = (0, 0);
    for (image, label) in a.labels.iter().enumerate() {
        match (votes_a[image] == *label, votes_b[image] == *label) {
            (true, false) => only_a += 1,
            (false, true) => only_b += 1,
            _ => {}
        }
    }
    let right = |side: &Examples| -> Vec<Vec<bool>> {
        let trial = |classes: &Vec<u16>| {
            classes.iter().zip(&side.labels).map(|(class, label)| class == label).collect()
        };
        side.trials.iter().map(trial).collect()
    };
    let (right_a, right_b) = (right(a), right(b));
    let two_way = stats::two_way_bootstrap(
        &right_a.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        &right_b.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        seed,
    )?;
    let mcnemar = stats::mcnemar(only_a, only_b);
    Some(ExampleComparison { images: a.labels.len(), mcnemar, two_way })
}

/// Returns the class most trials predict for every image, ties going to the smaller class.
fn majority(side: &Examples) -> Option<Vec<u16>> {
    let images = side.labels.len();
    if side.trials.is_empty() || side.trials.iter().any(|trial| trial.len() != images) {
        return None;
    }
    let classes = side.trials.iter().flatten().max().map_or(0, |class| usize::from(*class) + 1);
    let mut votes = vec![0_u32; classes];
    let vote = |image: usize, votes: &mut Vec<u32>| {
        votes.fill(0);
        for trial in &side.trials {
            votes[usize::from(trial[image])] += 1;
        }
        let most = votes.iter().copied().max().unwrap_or(0);
        votes.iter().position(|count| *count == most).unwrap_or(0) as u16
    };
    Some((0..images).map(|image| vote(image, &mut votes)).collect())
}
