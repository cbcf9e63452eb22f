//! Sizes inside a network: volumes between layers and windows that slide over them.

use crate::experiment::architecture::{self, Shape};

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

impl From<Shape> for Volume {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Image { height, width, channels } => Self { channels, height, width },
            Shape::Features(channels) => Self { channels, height: 1, width: 1 },
        }
    }
}

/// A square window sliding over an image in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    size: usize,
    stride: usize,
    input: Volume,
    vertical: architecture::Window,
    horizontal: architecture::Window,
}

impl Window {
    pub(super) fn new(
        input: Volume,
        size: usize,
        stride: usize,
        (vertical, horizontal): (architecture::Window, architecture::Window),
    ) -> Self {
        Self { size, stride, input, vertical, horizontal }
    }

    /// Returns the input position `row · width + column` under tap `(y, x)` of the window at
    /// output position `(row, column)`, or nothing in the padding.
    pub(super) fn source(
        &self,
        (row, column): (usize, usize),
        (y, x): (usize, usize),
    ) -> Option<usize> {
        let row = (row * self.stride + y).checked_sub(self.vertical.before)?;
        let column = (column * self.stride + x).checked_sub(self.horizontal.before)?;
        (row < self.input.height && column < self.input.width)
            .then(|| row * self.input.width + column)
    }

    /// Returns the number of output positions.
    pub(super) fn positions(&self) -> usize {
        self.vertical.output * self.horizontal.output
    }

    /// Iterates over the taps of the window, row by row.
    pub(super) fn taps(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let size = self.size;
        (0..size * size).map(move |index| (index / size, index % size))
    }

    /// Iterates over the output positions, row by row.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let columns = self.horizontal.output;
        (0..self.positions()).map(move |index| (index / columns, index % columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::layers::Padding;

    fn window(padding: Padding) -> Window {
        let along = architecture::Window::resolve(24, 5, 2, padding).unwrap();
        let input = Volume { channels: 1, height: 24, width: 24 };
        Window::new(input, 5, 2, (along, along))
    }

    #[test]
    fn same_padding_puts_the_odd_zero_after() {
        // TensorFlow pads a 5×5 kernel at stride 2 on 24 pixels by 1 before and 2 after.
        let window = window(Padding::Same);
        assert_eq!(window.source((0, 0), (0, 0)), None);
        assert_eq!(window.source((0, 0), (1, 1)), Some(0));
        assert_eq!(window.source((11, 11), (2, 2)), Some(23 * 24 + 23));
        assert_eq!(window.source((11, 11), (3, 3)), None);
    }

    #[test]
    fn explicit_padding_is_the_same_on_both_sides() {
        let window = window(Padding::Explicit(2));
        assert_eq!(window.source((0, 0), (1, 1)), None);
        assert_eq!(window.source((0, 0), (2, 2)), Some(0));
    }
}
