//! Where a continuous function crosses zero.

/// Returns where `f` crosses zero between `low` and `high`, to `tolerance` in the argument or in
/// the value, whichever comes first: false position in the variant of Illinois, in which the end
/// that stays has its value halved (Dowell & Jarratt 1971, <https://doi.org/10.1007/BF01934364>).
///
/// The values at the ends must have different signs; otherwise the nearer end is returned.
pub(super) fn crossing(low: f64, high: f64, tolerance: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (low, high);
    let (mut at_low, mut at_high) = (f(low), f(high));
    if (at_low > 0.0) == (at_high > 0.0) {
        return if at_low.abs() <= at_high.abs() { low } else { high };
    }
    let mut stayed = 0;
    for _ in 0..200 {
        let middle = (low * at_high - high * at_low) / (at_high - at_low);
        let value = f(middle);
        if value.abs() <= 1e-2 * tolerance || (high - low).abs() <= tolerance {
            return middle;
        }
        if (value > 0.0) == (at_low > 0.0) {
            (low, at_low) = (middle, value);
            if stayed > 0 {
                at_high *= 0.5;
            }
            stayed = 1;
        } else {
            (high, at_high) = (middle, value);
            if stayed < 0 {
                at_low *= 0.5;
            }
            stayed = -1;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn a_crossing_is_found_from_either_side() {
        assert_close(crossing(0.0, 2.0, 1e-13, |x| x * x - 2.0), 2.0_f64.sqrt(), 1e-12);
        assert_close(crossing(0.0, 2.0, 1e-13, |x| 2.0 - x * x), 2.0_f64.sqrt(), 1e-12);
        assert_close(crossing(0.0, 1.0, 1e-13, |x| x * x - 2.0), 1.0, 0.0);
    }
}
