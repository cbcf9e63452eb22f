//! Affine maps of the image plane.

/// A map from a position in the output image to the position in the input image it is read from.
///
/// Positions are (row, column) counted from 0 at the centre of the first pixel, as in
/// `scipy.ndimage`: `input = matrix · output + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub(super) matrix: [[f64; 2]; 2],
    pub(super) offset: [f64; 2],
}

impl Affine {
    /// The map that changes nothing.
    pub(super) const IDENTITY: Self = Self { matrix: [[1.0, 0.0], [0.0, 1.0]], offset: [0.0, 0.0] };

    /// `[[cos, −sin], [sin, cos]]` of an angle in degrees.
    pub(super) fn rotation(degrees: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Self { matrix: [[cos, -sin], [sin, cos]], offset: [0.0, 0.0] }
    }

    /// `[[1, −sin], [0, cos]]` of an angle in degrees: Keras' shear, which also narrows the image.
    pub(super) fn shear(degrees: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Self { matrix: [[1.0, -sin], [0.0, cos]], offset: [0.0, 0.0] }
    }

    /// Reads `rows` times as far apart downwards and `columns` times across: below 1 magnifies.
    pub(super) fn zoom(rows: f64, columns: f64) -> Self {
        Self { matrix: [[rows, 0.0], [0.0, columns]], offset: [0.0, 0.0] }
    }

    /// Reads from `rows` further down and `columns` further right.
    pub(super) fn shift(rows: f64, columns: f64) -> Self {
        Self { offset: [rows, columns], ..Self::IDENTITY }
    }

    /// Returns `self ∘ inner`: `inner` is applied to the output position first.
    pub(super) fn after(&self, inner: &Self) -> Self {
        let [[a, b], [c, d]] = self.matrix;
        let [[e, f], [g, h]] = inner.matrix;
        let [x, y] = inner.offset;
        Self {
            matrix: [[a * e + b * g, a * f + b * h], [c * e + d * g, c * f + d * h]],
            offset: [a * x + b * y + self.offset[0], c * x + d * y + self.offset[1]],
        }
    }

    /// Returns the map with the centre of an image, `((height − 1) / 2, (width − 1) / 2)`, as origin.
    pub(super) fn about_centre(&self, height: usize, width: usize) -> Self {
        let (row, column) = ((height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0);
        Self::shift(row, column).after(self).after(&Self::shift(-row, -column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_about_the_centre_leaves_the_centre_in_place() {
        let map = Affine::rotation(33.0).after(&Affine::zoom(0.7, 1.2)).about_centre(28, 20);
        let [[a, b], [c, d]] = map.matrix;
        let at = [a * 13.5 + b * 9.5 + map.offset[0], c * 13.5 + d * 9.5 + map.offset[1]];
        assert!((at[0] - 13.5).abs() < 1e-12 && (at[1] - 9.5).abs() < 1e-12, "{at:?}");
    }
}
