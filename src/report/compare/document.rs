//! What a comparison says, as data: every rendering is made from this.
//!
//! The JSON rendering is this structure. Differences are A − B in the unit of the metric
//! (accuracies as fractions); absent numbers are `null`.

use serde::Serialize;

use crate::base::Metric;
use gridbench_stats::{
    Correlation, MannWhitney, McNemar, Permutation, Superiority, TwoWayDifference,
};

/// Two sets of results side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Comparison {
    /// What is compared.
    pub metric: Metric,
    /// Whether larger values are better.
    pub higher_is_better: bool,
    /// The first side.
    pub a: SideFacts,
    /// The second side.
    pub b: SideFacts,
    /// Two-sided level of the tests, over all pairs by Holm.
    pub alpha: f64,
    /// P(A > B) from which a difference is worth having.
    pub gamma: f64,
    /// Whether both sides are compared repeat by repeat: they hold the same repeats of one master seed,
    /// and enough of them.
    pub is_paired: bool,
    /// Folds of cross-validation, of which a repeat is one on both sides or on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// The pairs, in the grid order of A.
    pub pairs: Vec<PairComparison>,
    /// Mean of the differences over all pairs; absent for a single pair, and where fewer than two
    /// repeats completed in every cell of a side.
    pub overall: Option<Overall>,
    /// Selected cells of A without a partner.
    pub only_a: Vec<String>,
    /// Selected cells of B without a partner.
    pub only_b: Vec<String>,
    /// What a reader must know before believing the numbers.
    pub warnings: Vec<String>,
    /// What may be concluded, in one or two sentences.
    pub verdict: String,
}

/// Where one side comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SideFacts {
    /// What the user called it.
    pub name: String,
    /// The experiment.
    pub experiment: String,
    /// What all of its cells share beside the pairing, such as `train.optimizer=adam`; empty
    /// unless chosen.
    pub chosen: String,
    /// Master seed.
    pub seed: u64,
    /// Device and numerical path.
    pub engine: String,
    /// Commit of the program, where known.
    pub commit: Option<String>,
    /// Commit of the user's repository that holds the experiment file, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experiment_commit: Option<String>,
}

/// The mean difference over all pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Overall {
    /// Mean of the differences.
    pub difference: f64,
    /// 95 % interval over the repeats, paired where the comparison says so: cells of one repeat share seeds and are not independent.
    pub interval95: (f64, f64),
    /// Two-sided p of no difference on average.
    pub p: f64,
    /// Repeats of A and B that completed in every cell.
    pub repeats: (usize, usize),
}

/// One pair of cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PairComparison {
    /// What the two share, for example `augment.shift=0.1`; empty for a single pair.
    pub name: String,
    /// The same with short keys.
    pub label: String,
    /// The first sample.
    pub a: Sample,
    /// The second sample.
    pub b: Sample,
    /// What may be concluded.
    pub finding: Finding,
    /// Mean of A minus mean of B, over the repeats that both completed where they pair; absent without
    /// a completed trial on a side.
    pub difference: Option<f64>,
    /// 95 % interval, paired by repeat where the comparison says so, else Welch's, with variances
    /// moderated over three pairs or more; absent with a single trial on a side.
    pub interval95: Option<(f64, f64)>,
    /// Its degrees of freedom.
    pub degrees_of_freedom: Option<f64>,
    /// Errors of A minus errors of B per 10,000 images, for accuracies.
    pub errors_per_ten_thousand: Option<f64>,
    /// The same at the level of the comparison, 1 − α.
    #[serde(skip)]
    pub interval: Option<(f64, f64)>,
    /// Two-sided p of the same test; of the permutation test where nothing has any spread.
    pub p: Option<f64>,
    /// Standard deviation of one value or, where paired, of one difference, as it was used.
    #[serde(skip)]
    pub sd: Option<f64>,
    /// Whether both sides are equal in every repeat, to the bit.
    pub is_identical: bool,
    /// The same adjusted by Holm over all pairs.
    pub p_holm: Option<f64>,
    /// The same adjusted by Benjamini and Hochberg: for exploring many pairs, it holds down the share
    /// of false findings rather than the chance of any.
    pub q: Option<f64>,
    /// Permutation test, up to ten trials on a side.
    pub permutation: Option<Permutation>,
    /// Mann and Whitney's test.
    pub mann_whitney: Option<MannWhitney>,
    /// How often a run of A is better than a run of B.
    pub superiority: Option<Superiority>,
    /// Whether that is meaningful at `gamma`, for the side whose mean is better: its difference is
    /// found over all pairs, and so is that order.
    pub meaningful: bool,
    /// Almost stochastic order, from five trials per side.
    pub order: Option<OrderComparison>,
    /// Cohen's d.
    pub cohens_d: Option<f64>,
    /// Cliff's δ, 2 P(A > B) − 1: positive where A is the better one.
    pub cliffs_delta: Option<f64>,
    /// Correlation over equal repeats of equal master seeds.
    pub seed_correlation: Option<Correlation>,
    /// Smallest difference so many trials find with 80 % power, by the smaller side.
    pub detectable: Option<f64>,
    /// Trials per side that would find a difference of the size seen with 80 % power, at the level
    /// Holm's rule leaves this pair; absent unless undecided.
    pub repeats_to_settle: Option<usize>,
    /// The same test images, image by image.
    pub examples: Option<ExampleComparison>,
}

/// One sample of a pair.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Sample {
    /// The cell.
    pub cell: String,
    /// Completed trials.
    pub n: usize,
    /// Trials that diverged, failed or ran out of time.
    pub lost: usize,
    /// Mean; absent without a completed trial.
    pub mean: Option<f64>,
    /// Standard deviation (n − 1); absent for one trial.
    pub sd: Option<f64>,
}

/// What may be concluded of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Finding {
    /// A is better.
    A,
    /// B is better.
    B,
    /// The trials cannot tell.
    Undecided,
    /// A side has fewer than two completed trials.
    TooFew,
}

/// The bound `ε_min` of almost stochastic order, both ways round: below one half, the first is almost
/// stochastically better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OrderComparison {
    /// That of A over B.
    pub a_over_b: f64,
    /// That of B over A.
    pub b_over_a: f64,
}

/// Both sides on the same test images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ExampleComparison {
    /// Test images.
    pub images: usize,
    /// `McNemar`'s test on the majority votes of each side's trials.
    pub mcnemar: McNemar,
    /// Difference of mean accuracy, over resampled trials and images.
    pub two_way: TwoWayDifference,
}
