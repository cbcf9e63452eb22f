//! Sizes inside a network: volumes between layers and windows that slide over them.

use crate::spec::layers::Padding;

/// The output of a layer for one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Volume {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Volume {
    pub(super) fn features(self) -> usize {
        self.channels * self.positions()
    }

    pub(super) fn positions(self) -> usize {
        self.height * self.width
    }
}

/// A square window sliding over an image in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    size: usize,
    stride: usize,
    input: (usize, usize),
    before: (usize, usize),
    /// Rows and columns of the output.
    pub(super) output: (usize, usize),
}

impl Window {
    /// Fits a window to an image of `height × width`.
    ///
    /// # Errors
    /// If it finds no place, or could lie wholly in the padding.
    pub(super) fn fit(
        (height, width): (usize, usize),
        size: usize,
        stride: usize,
        padding: Padding,
    ) -> Result<Self, String> {
        if size == 0 || stride == 0 {
            return Err(format!("size {size} and stride {stride} must be at least 1"));
        }
        let along = |length: usize| match padding {
            Padding::Same => {
                let output = length.div_ceil(stride);
                let total = ((output.max(1) - 1) * stride + size).saturating_sub(length);
                Some((total / 2, output))
            }
            Padding::Valid | Padding::Explicit(_) => {
                let each = if let Padding::Explicit(each) = padding { each } else { 0 };
                let room = (length + 2 * each).checked_sub(size)?;
                (each < size).then_some((each, room / stride + 1))
            }
        };
        match (along(height), along(width)) {
            (Some(rows), Some(columns)) if rows.1 > 0 && columns.1 > 0 => Ok(Self {
                size,
                stride,
                input: (height, width),
                before: (rows.0, columns.0),
                output: (rows.1, columns.1),
            }),
            _ => Err(format!(
                "a {size}×{size} window with {padding:?} padding does not fit {height}×{width}"
            )),
        }
    }

    /// Returns the input position `row · width + column` under place `(y, x)` of the window at
    /// output position `(row, column)`, or nothing in the padding.
    pub(super) fn source(
        &self,
        (row, column): (usize, usize),
        (y, x): (usize, usize),
    ) -> Option<usize> {
        let row = (row * self.stride + y).checked_sub(self.before.0)?;
        let column = (column * self.stride + x).checked_sub(self.before.1)?;
        (row < self.input.0 && column < self.input.1).then(|| row * self.input.1 + column)
    }

    /// Iterates over the places of the window, row by row.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let size = self.size;
        (0..size * size).map(move |place| (place / size, place % size))
    }

    /// Iterates over the output positions, row by row.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (rows, columns) = self.output;
        (0..rows * columns).map(move |place| (place / columns, place % columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(length: usize, size: usize, stride: usize, padding: Padding) -> usize {
        Window::fit((length, length), size, stride, padding).unwrap().output.0
    }

    #[test]
    fn output_sizes_follow_tensorflow_and_torch() {
        assert_eq!(output(28, 3, 1, Padding::Valid), 26);
        assert_eq!(output(28, 5, 2, Padding::Same), 14);
        assert_eq!(output(7, 2, 2, Padding::Same), 4);
        assert_eq!(output(7, 2, 2, Padding::Valid), 3);
        assert_eq!(output(28, 5, 2, Padding::Explicit(2)), 14);
    }

    #[test]
    fn same_padding_puts_the_odd_zero_after() {
        // TensorFlow pads a 5×5 kernel at stride 2 on 24 pixels by 1 before and 2 after.
        let window = Window::fit((24, 24), 5, 2, Padding::Same).unwrap();
        assert_eq!(window.source((0, 0), (0, 0)), None);
        assert_eq!(window.source((0, 0), (1, 1)), Some(0));
        assert_eq!(window.source((11, 11), (2, 2)), Some(23 * 24 + 23));
        assert_eq!(window.source((11, 11), (3, 3)), None);
    }

    #[test]
    fn explicit_padding_is_the_same_on_both_sides() {
        let window = Window::fit((24, 24), 5, 2, Padding::Explicit(2)).unwrap();
        assert_eq!(window.source((0, 0), (1, 1)), None);
        assert_eq!(window.source((0, 0), (2, 2)), Some(0));
    }

    #[test]
    fn a_window_larger_than_the_image_does_not_fit() {
        let problem = Window::fit((2, 2), 4, 1, Padding::Valid).unwrap_err();
        assert!(problem.contains("4×4") && problem.contains("2×2"), "{problem}");
        assert!(Window::fit((4, 4), 2, 2, Padding::Explicit(2)).is_err());
    }
}
