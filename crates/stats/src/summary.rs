//! What is said of one sample.

use serde::Serialize;

use super::bootstrap::{RESAMPLE_SEED, RESAMPLES, bca_interval_of_mean};
use super::distributions::{normal_quantile, t_quantile};
use super::moments::Moments;

/// Samples of at least this size have bootstrap intervals.
pub const BOOTSTRAP_FROM: usize = 20;

/// How an interval of a mean was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalMethod {
    /// Student's t: mean ± t · SE.
    StudentT,
    /// Bias-corrected and accelerated bootstrap, [`RESAMPLES`] seeded resamples.
    BcaBootstrap,
}

impl IntervalMethod {
    /// Returns the kebab-case name used in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StudentT => "student-t",
            Self::BcaBootstrap => "bca-bootstrap",
        }
    }
}

/// What is said of one sample, in the unit of its values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// Number of values, at least 1.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (divisor n − 1); absent for a single value.
    pub sd: Option<f64>,
    /// Standard error of the mean, SD / √n; absent for a single value.
    pub se: Option<f64>,
    /// 95 % interval of the mean, low then high; absent for a single value and for values without
    /// any spread.
    pub interval95: Option<(f64, f64)>,
    /// How that interval was found; absent with it.
    pub interval_method: Option<IntervalMethod>,
    /// Middle value, or the mean of the two middle values.
    pub median: f64,
    /// Mean without the lowest and highest ⌊n/4⌋ values (Agarwal et al. 2021,
    /// <https://arxiv.org/abs/2108.13264>).
    pub interquartile_mean: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// The maximum expected of n draws from a normal distribution with this mean and SD; a single
    /// value has none.
    pub expected_max: Option<f64>,
}

impl Summary {
    /// Summarises `values`; nothing if there are none or one is not finite.
    ///
    /// The interval is Student's t below [`BOOTSTRAP_FROM`] values and the `BCa` bootstrap from
    /// there. The order of the values plays no part, to the last bit.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let method = if values.len() < BOOTSTRAP_FROM {
            IntervalMethod::StudentT
        } else {
            IntervalMethod::BcaBootstrap
        };
        Self::with_interval(values, method)
    }

    /// Summarises `values` with an interval of the given kind: Student's t is some thousand times
    /// cheaper, for tables whose intervals few will read.
    #[must_use]
    pub fn with_interval(values: &[f64], method: IntervalMethod) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let Moments { n, mean, sd } = Moments::of(&sorted)?;
        let se = sd.map(|sd| sd / (n as f64).sqrt());
        let (min, max) = (sorted[0], sorted[n - 1]);
        let mean = mean.clamp(min, max);
        // Without any spread there is nothing to say how far the mean may be off.
        let interval = se.filter(|se| *se > 0.0).map(|se| {
            let bootstrap = match method {
                IntervalMethod::BcaBootstrap => {
                    bca_interval_of_mean(&sorted, 0.95, RESAMPLES, RESAMPLE_SEED)
                }
                IntervalMethod::StudentT => None,
            };
            match bootstrap {
                Some(interval) => (interval, IntervalMethod::BcaBootstrap),
                None => (t_interval(mean, se, n), IntervalMethod::StudentT),
            }
        });
        let cut = n / 4;
        let middle = Moments::of(&sorted[cut..n - cut])?;
        Some(Self {
            n,
            mean,
            sd,
            se,
            interval95: interval.map(|(interval, _)| interval),
            interval_method: interval.map(|(_, method)| method),
            median: median_of_sorted(&sorted),
            interquartile_mean: middle.mean,
            min,
            max,
            expected_max: sd.map(|sd| expected_max(mean, sd, n)),
        })
    }
}

impl Summary {
    /// Cuts the interval where there can be no values; it holds the mean as often as before.
    #[must_use]
    pub fn within(mut self, (least, most): (f64, f64)) -> Self {
        self.interval95 = self.interval95.map(|(low, high)| (low.max(least), high.min(most)));
        self
    }
}

/// Returns the largest value expected of `n` draws from a normal distribution (Blom 1958:
/// mean + SD · Φ⁻¹((n − 3/8) / (n + 1/4))).
#[must_use]
pub fn expected_max(mean: f64, sd: f64, n: usize) -> f64 {
    let n = n as f64;
    mean + sd * normal_quantile((n - 0.375) / (n + 0.25))
}

fn t_interval(mean: f64, se: f64, n: usize) -> (f64, f64) {
    let reach = t_quantile(0.975, (n - 1) as f64) * se;
    (mean - reach, mean + reach)
}

fn median_of_sorted(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        sorted[half - 1] + 0.5 * (sorted[half] - sorted[half - 1])
    }
}

#[cfg(test)]
mod tests;
