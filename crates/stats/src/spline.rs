//! Natural cubic splines: the smooth curve through a cloud of points.

/// Returns the least-squares fit of `y` on a natural cubic spline of `x` with `dimension`
/// coefficients (the intercept is one of them), at every point, and the rank of the fit.
///
/// Knots are the ends of `x` and its evenly spaced quantiles, as `splines::ns(x, df = dimension,
/// intercept = TRUE)` in R places them; a coefficient that the points cannot tell is dropped.
pub(super) fn natural_spline_fit(x: &[f64], y: &[f64], dimension: usize) -> (Vec<f64>, usize) {
    let mut sorted = x.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let scale = high - low;
    let at = |value: f64| if scale > 0.0 { (value - low) / scale } else { 0.0 };
    let knots: Vec<f64> = (0..dimension)
        .map(|knot| {
            let position = knot as f64 / (dimension - 1).max(1) as f64 * (sorted.len() - 1) as f64;
            let (below, share) = (position.floor() as usize, position.fract());
            let next = sorted[(below + 1).min(sorted.len() - 1)];
            at(sorted[below] + share * (next - sorted[below]))
        })
        .collect();
    let columns: Vec<Vec<f64>> = (0..dimension)
        .map(|column| x.iter().map(|&value| basis(&knots, column, at(value))).collect())
        .collect();
    project(&columns, y)
}

/// Returns basis function number `column` of the natural splines over `knots` in 0 to 1: 1, x, and
/// differences of truncated cubes that are straight beyond the last knot (Hastie, Tibshirani &
/// Friedman 2009, eq. 5.4–5.5).
fn basis(knots: &[f64], column: usize, x: f64) -> f64 {
    if column < 2 {
        return if column == 0 { 1.0 } else { x };
    }
    let last = knots[knots.len() - 1];
    let cube = |knot: f64| (x - knot).max(0.0).powi(3);
    let bent = |knot: f64| {
        if last > knot { (cube(knot) - cube(last)) / (last - knot) } else { 0.0 }
    };
    bent(knots[column - 2]) - bent(knots[knots.len() - 2])
}

/// Projects `y` onto the space of `columns` by modified Gram–Schmidt, twice for accuracy.
fn project(columns: &[Vec<f64>], y: &[f64]) -> (Vec<f64>, usize) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut directions: Vec<Vec<f64>> = Vec::new();
    for column in columns {
        let length = dot(column, column).sqrt();
        let mut rest = column.clone();
        for _ in 0..2 {
            for direction in &directions {
                let shared = dot(direction, &rest);
                rest.iter_mut().zip(direction).for_each(|(rest, own)| *rest -= shared * own);
            }
        }
        let left = dot(&rest, &rest).sqrt();
        if left > 1e-9 * length {
            for value in &mut rest {
                *value /= left;
            }
            directions.push(rest);
        }
    }
    let mut fitted = vec![0.0; y.len()];
    for direction in &directions {
        let shared = dot(direction, y);
        fitted.iter_mut().zip(direction).for_each(|(fitted, own)| *fitted += shared * own);
    }
    (fitted, directions.len())
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn the_fit_agrees_with_r() {
        // x <- c(1, 2, 3, 5, 8, 13, 21, 34); y <- c(2, 1, 4, 3, 6, 5, 9, 7)
        // lm(y ~ splines::ns(x, df = 4, intercept = TRUE) - 1)$fitted
        let x = [1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0];
        let y = [2.0, 1.0, 4.0, 3.0, 6.0, 5.0, 9.0, 7.0];
        let expected = [
            1.692_170_931_861_113,
            2.191_324_066_084_808,
            2.686_841_109_594_613,
            3.652_537_068_005_966,
            4.986_552_581_082_869,
            6.685_147_660_494_763,
            7.829_374_752_747_603,
            7.276_051_830_128_267,
        ];
        let (found, rank) = natural_spline_fit(&x, &y, 4);
        assert_eq!(rank, 4);
        for (found, expected) in found.into_iter().zip(expected) {
            assert_close(found, expected, 1e-10);
        }
    }

    #[test]
    fn two_coefficients_are_a_straight_line_and_equal_points_a_mean() {
        let (found, rank) = natural_spline_fit(&[0.0, 1.0, 2.0], &[1.0, 3.0, 5.0], 2);
        assert_eq!(rank, 2);
        assert_close(found[1], 3.0, 1e-12);
        let (found, rank) = natural_spline_fit(&[2.0; 3], &[1.0, 3.0, 5.0], 2);
        assert_eq!(rank, 1);
        assert_close(found[0], 3.0, 1e-12);
    }
}
