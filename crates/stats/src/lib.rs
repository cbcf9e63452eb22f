//! Statistics: summaries, intervals, tests, histograms and power; slices in, structs out.
//!
//! Owns every number that is said of samples. Knows nothing of cells, files or printing, and uses
//! no other module. Invariants: the same values give the same digits, whatever their order where
//! order has no meaning, the number of threads or the day; input that allows no answer (empty, one
//! value, NaN) gives `None`, never a number that looks like one.

mod anova;
mod bootstrap;
mod correlation;
mod distributions;
mod dominance;
mod draws;
mod examples;
mod groups;
mod histogram;
mod means;
mod moments;
mod multiple;
mod permutation;
mod power;
mod proportions;
mod ranks;
mod sequential;
mod summary;
#[cfg(test)]
mod testing;

pub use anova::{Effect, MarginalMean, Observation, TwoWayAnova, marginal_means, two_way_anova};
pub use bootstrap::{
    RESAMPLE_SEED, RESAMPLES, bca_interval_of_mean, percentile_interval, resample,
};
pub use correlation::{Correlation, pearson};
pub use dominance::{StochasticOrder, almost_stochastic_order};
pub use draws::Draws;
pub use examples::{
    EnsemblePoint, TwoWayDifference, VarianceSplit, ensemble_curve, resample_members,
    split_variance, two_way_bootstrap,
};
pub use groups::{against_mean_of, expected_max_of_groups};
pub use histogram::{counts, shared_edges};
pub use means::{MeanDifference, against_number, cohens_d, welch, welch_from_moments};
pub use moments::{Moments, pooled_sd};
pub use multiple::{
    benjamini_hochberg, holm, holm_levels, inseparable_from_best, step_down_levels,
};
pub use permutation::{Permutation, permutation_test};
pub use power::{
    Sides, power_of_t_test, predicted_accuracy_sd, repeats_for, repeats_for_superiority,
    repeats_needed, smallest_detectable, smallest_detectable_difference,
};
pub use proportions::{McNemar, fisher_more, mcnemar, wilson};
pub use ranks::{MannWhitney, Superiority, cliffs_delta, mann_whitney, probability_of_superiority};
pub use sequential::obrien_fleming;
pub use summary::{BOOTSTRAP_FROM, IntervalMethod, Summary, expected_max};
