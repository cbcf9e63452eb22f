//! Statistics of repeated measurements: which of several settings is really better, and how sure
//! that is. Slices in, structs out.
//!
//! A benchmark of trained models has few values per setting (three to thirty), settings that share
//! random seeds, and many settings at once. Each of the three breaks textbook methods; this crate
//! has what holds:
//!
//! | question | here | source |
//! |---|---|---|
//! | what did this setting give? | [`Summary`]: mean, SD, Student's t interval, median, IQM | Agarwal et al. 2021 |
//! | is A better than B? | [`welch`], [`Pairs`] by repeat, [`permutation_test`], [`probability_of_superiority`] | Welch 1947; Bouthillier et al. 2021 |
//! | … with three values per side? | [`moderate`]: variances that learn from all cells | Smyth 2004 (limma) |
//! | … where seeds are shared? | [`Pairs`], [`Blocks`]: cell + repeat | Fisher 1935 |
//! | which of many settings may be the best? | [`BestSet`] | Hsu 1981; Dunnett 1955 |
//! | what is the winner really worth? | [`shrink`], [`expected_best`] | Morris 1983; Blom 1958 |
//! | how many comparisons were made? | [`holm`], [`benjamini_hochberg`], [`SharedError`], [`maximum_modulus`] | Holm 1979 |
//! | how many repeats are needed? | [`repeats_for`], [`power_at`], [`detectable_from_best`] | noncentral t |
//! | may I look early? | [`obrien_fleming`] | O'Brien & Fleming 1979 |
//! | is the spread as it should be? | [`predicted_accuracy_sd`], [`independent_images_sd`], [`sd_interval`] | Jordan 2024 |
//! | folds instead of repeats? | [`corrected_resampled`] | Nadeau & Bengio 2003 |
//! | has a candidate become worse than a baseline? | [`Gate`] | Berger 1982; Holm 1979 |
//! | when did the results change? | [`change_points`] | permutation of the largest standardized difference |
//! | were too many trials lost? | [`most_lost`], [`fisher_more`] | binomial |
//!
//! # Example
//! Four settings, three trials each, and the question which of them may be the best:
//! ```
//! use gridbench_stats::{BestQuestion, BestSet, ErrorModel, Summary};
//!
//! let trials = [[97.9, 98.3, 98.1], [98.0, 98.4, 97.8], [91.2, 92.0, 90.9], [96.1, 95.8, 96.6]];
//! let rows = trials.map(|values| values.map(Some));
//! let cells: Vec<&[Option<f64>]> = rows.iter().map(|row| row.as_slice()).collect();
//! let question = BestQuestion {
//!     higher_is_better: true,
//!     alpha: 0.05,
//!     floor: 0.0,
//!     model: ErrorModel::Independent,
//! };
//! let best = BestSet::of(&cells, &question);
//! assert_eq!(best.members, [true, true, false, false]);
//! // A cell of the usual spread that is 1.38 worse than the best is left out four times out of five.
//! assert!((best.detectable(0.8).unwrap().usual - 1.379).abs() < 1e-3);
//! assert_eq!(Summary::of(&trials[0]).unwrap().median, 98.1);
//! ```
//!
//! # What holds throughout
//! - The same values give the same digits, whatever their order where order has no meaning, the
//!   number of threads or the day: resampling is seeded, each resample with a stream of its own.
//! - Input that allows no answer (empty, a single value, NaN) gives `None`, never a number that looks
//!   like one.
//! - Every expected value in the tests comes from SciPy, statsmodels, R (limma, mvtnorm) or a
//!   published table, and the call that gave it stands beside it. `examples/simulate.rs` measures
//!   the error rates that no table has.
//!
//! The crate knows nothing of cells, files or printing, and uses `statrs` for Γ and B functions and
//! `rayon` for resampling.
#![forbid(unsafe_code)]

mod anova;
mod best;
mod block;
mod bootstrap;
mod changes;
mod correlation;
mod distributions;
mod dominance;
mod draws;
mod duel;
mod dunnett;
mod examples;
mod folds;
mod gate;
mod groups;
mod histogram;
mod means;
mod mixture;
mod moderated;
mod moments;
mod multiple;
mod paired;
mod permutation;
mod polygamma;
mod power;
mod proportions;
mod ranks;
mod roots;
mod sequential;
mod shrink;
mod spending;
mod spline;
mod spread;
mod summary;
#[cfg(test)]
mod testing;

pub use anova::{Effect, MarginalMean, Observation, TwoWayAnova, marginal_means, two_way_anova};
pub use best::{
    BestQuestion, BestSet, Detectable, ErrorModel, detectable_from_best, repeats_to_leave_best,
};
pub use block::{Blocks, MIN_BLOCK_CELLS};
pub use bootstrap::{
    RESAMPLE_SEED, RESAMPLES, bca_interval_of_mean, percentile_interval, resample,
};
pub use changes::{ChangePoint, MIN_SEGMENT, change_points};
pub use correlation::{Correlation, pearson};
pub use dominance::{StochasticOrder, almost_stochastic_order};
pub use draws::{Draws, GOLDEN_GAMMA, mix};
pub use duel::{Duel, DuelClaim, DuelPair, DuelState};
pub use dunnett::{SharedError, maximum_modulus};
pub use examples::{
    EnsemblePoint, TwoWayDifference, VarianceSplit, ensemble_curve, resample_members,
    split_variance, two_way_bootstrap,
};
pub use folds::{corrected_resampled, for_tests, ratio_of_folds, resampled_se, stretched};
pub use gate::{
    CellDifference, CellRuling, CommonRuling, Gate, GateCell, GateReason, GateRuling, GateVerdict,
    PlantedLoss, cell_differences,
};
pub use groups::{against_mean_of, expected_best, expected_max_of_groups};
pub use histogram::{counts, shared_edges};
pub use means::{Estimate, MeanDifference, against_number, cohens_d, welch, welch_from_moments};
pub use moderated::{
    MIN_MODERATED_CELLS, Variance, VariancePrior, moderate, moderate_along, moderate_cautiously,
    moderate_in_groups,
};
pub use moments::{Moments, pooled_sd};
pub use multiple::{
    benjamini_hochberg, holm, holm_levels, inseparable_from_best, step_down_levels,
};
pub use paired::{MIN_PAIRED_FREEDOM, Pairs, pairs_are_enough};
pub use permutation::{Permutation, permutation_test};
pub use power::{
    Sides, noncentrality_for, power_at, power_of_t_test, predicted_accuracy_sd, repeats_for,
    repeats_for_pairs, repeats_for_superiority, repeats_needed, smallest_detectable,
    smallest_detectable_difference,
};
pub use proportions::{McNemar, fisher_more, mcnemar, most_lost, wilson};
pub use ranks::{MannWhitney, Superiority, cliffs_delta, mann_whitney, probability_of_superiority};
pub use sequential::obrien_fleming;
pub use shrink::{MIN_SHRUNKEN_CELLS, ShrunkenMean, groups_of_like_sd, shrink};
pub use spending::{open_levels, open_looks};
pub use spread::{GroupSpread, excess_spread, independent_images_sd, sd_by_group, sd_interval};
pub use summary::{BOOTSTRAP_FROM, IntervalMethod, Summary, expected_max, median};
