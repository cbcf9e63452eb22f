//! Mean and standard deviation, exact for constant samples.

/// Count, mean and standard deviation of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Number of values, at least 1.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (divisor n − 1); absent for a single value.
    pub sd: Option<f64>,
}

impl Moments {
    /// Returns the moments of `values`; nothing if there are none or one is not finite.
    ///
    /// Sums run over distances from the first value, so that a constant sample has exactly its
    /// value as mean and exactly 0 as standard deviation.
    ///
    /// ```
    /// // numpy.mean, numpy.std(ddof=1)
    /// let found = gridbench_stats::Moments::of(&[1.0, 2.0, 4.0]).unwrap();
    /// assert!((found.mean - 7.0 / 3.0).abs() < 1e-15);
    /// assert!((found.sd.unwrap() - 1.527_525_231_651_946_8).abs() < 1e-15);
    /// ```
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let (&origin, _) = values.split_first()?;
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let n = values.len();
        let offset = values.iter().map(|value| value - origin).sum::<f64>() / n as f64;
        let mean = origin + offset;
        let sd = (n > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - origin - offset).powi(2)).sum();
            (squares / (n - 1) as f64).sqrt()
        });
        let finite = mean.is_finite() && sd.is_none_or(f64::is_finite);
        finite.then_some(Self { n, mean, sd })
    }

    /// Returns the standard error of the mean; absent for a single value.
    #[must_use]
    pub fn se(&self) -> Option<f64> {
        self.sd.map(|sd| sd / (self.n as f64).sqrt())
    }
}

/// Returns the standard deviation pooled over samples, weighted by their degrees of freedom, and
/// those degrees of freedom. Single values add nothing; nothing if no sample has two values.
///
/// ```
/// // np.sqrt((np.var([1, 3], ddof=1) + 3 * np.var([2, 4, 6, 4], ddof=1)) / 4)
/// let (sd, freedom) = gridbench_stats::pooled_sd(&[&[1.0, 3.0], &[2.0, 4.0, 6.0, 4.0], &[9.0]]).unwrap();
/// assert_eq!(freedom, 4);
/// assert!((sd - 1.581_138_830_084_189_8).abs() < 1e-12);
/// ```
#[must_use]
pub fn pooled_sd(samples: &[&[f64]]) -> Option<(f64, usize)> {
    let (squares, freedom) = samples
        .iter()
        .filter_map(|sample| Moments::of(sample))
        .filter_map(|moments| Some((moments.sd?, moments.n - 1)))
        .fold((0.0, 0), |(squares, freedom), (sd, own)| {
            (squares + sd * sd * own as f64, freedom + own)
        });
    (freedom > 0).then(|| ((squares / freedom as f64).sqrt(), freedom))
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn a_constant_sample_has_exactly_its_value_as_mean() {
        // The plain sum gives 0.30000000000000004 / 3 = 0.10000000000000002, above the maximum.
        let moments = Moments::of(&[0.1; 3]).unwrap();
        assert_eq!((moments.mean.to_bits(), moments.sd), (0.1_f64.to_bits(), Some(0.0)));
    }

    #[test]
    fn pooling_weighs_by_degrees_of_freedom() {
        // numpy: sqrt((2*var([1,2,4], ddof=1) + 1*var([5,9], ddof=1)) / 3)
        let (sd, freedom) = pooled_sd(&[&[1.0, 2.0, 4.0], &[7.0], &[5.0, 9.0]]).unwrap();
        assert_close(sd, 2.054_804_667_656_325_5, 1e-15);
        assert_eq!(freedom, 3);
        assert_eq!(pooled_sd(&[&[1.0], &[]]), None);
    }
}
