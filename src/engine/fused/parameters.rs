//! All numbers a network learns, in one row.
//!
//! Weights are kept as the kernels read them, `[tap][input][output]` with outputs rounded up;
//! files and other paths see torch's order. One row means one optimizer step over everything;
//! surplus values have zero gradients and stay zero.

use std::ops::Range;

use super::super::EngineError;
use super::super::network::find;
use super::super::weights::NamedTensor;
use gridbench_kernels::{Extent, WeightShape};

/// One tensor in the row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    /// Name in files.
    pub(super) name: String,
    /// Sizes in files.
    pub(super) shape: Vec<usize>,
    /// Taps, inputs and outputs; a vector has one tap and one input.
    pub(super) order: WeightShape,
    /// First value.
    pub(super) start: usize,
}

impl Slot {
    /// Returns the range of all values, surplus included.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.start + self.order.len()
    }

    /// Calls `visit(index in files, index in the row)` for every value that is no surplus.
    ///
    /// Files hold `(output, input, tap)`: torch's order for convolutions, and for dense layers
    /// after a flattened image, whose features are in channel, row, column order.
    fn visit(&self, mut visit: impl FnMut(usize, usize)) {
        let order = &self.order;
        let [taps, inputs, outputs, stride] =
            [order.taps(), order.inputs(), order.outputs(), order.stride()];
        for output in 0..outputs {
            for input in 0..inputs {
                for tap in 0..taps {
                    visit(
                        (output * inputs + input) * taps + tap,
                        self.start + (tap * inputs + input) * stride + output,
                    );
                }
            }
        }
    }

    /// Copies the tensor out of the row.
    pub(super) fn read(&self, row: &[f32]) -> NamedTensor {
        let mut values = vec![0.0; self.shape.iter().product()];
        self.visit(|file, index| values[file] = row[index]);
        NamedTensor::new(self.name.clone(), self.shape.clone(), values)
    }

    /// Copies a tensor into the row.
    ///
    /// # Errors
    /// If it is missing or has another shape.
    pub(super) fn write(
        &self,
        tensors: &[NamedTensor],
        row: &mut [f32],
    ) -> Result<(), EngineError> {
        let tensor = find(tensors, &self.name, &self.shape)?;
        self.visit(|file, index| row[index] = tensor.values[file]);
        Ok(())
    }
}

/// Where all tensors lie in the row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ParameterLayout {
    /// In the order of the layers.
    pub(super) slots: Vec<Slot>,
    /// Length of the row.
    pub(super) len: usize,
}

impl ParameterLayout {
    /// Adds a weight tensor and returns its index.
    pub(super) fn weights(&mut self, name: String, shape: Vec<usize>, order: WeightShape) -> usize {
        self.slots.push(Slot { name, shape, order, start: self.len });
        self.len += order.len();
        self.slots.len() - 1
    }

    /// Adds one value per channel and returns its index.
    pub(super) fn vector(&mut self, name: String, channels: &Extent) -> usize {
        self.weights(name, vec![channels.channels()], WeightShape::new(1, 1, channels))
    }

    /// Returns the number of values that are no surplus.
    pub(super) fn count(&self) -> usize {
        self.slots.iter().map(|slot| slot.shape.iter().product::<usize>()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_survives_the_row() {
        let mut layout = ParameterLayout::default();
        layout.vector("first".to_owned(), &Extent::new(1, 3, 1));
        let order = WeightShape::new(4, 3, &Extent::new(1, 5, 1));
        let at = layout.weights("w".to_owned(), vec![5, 3, 2, 2], order);
        let values: Vec<f32> = (0..60).map(|value| value as f32).collect();
        let tensor = NamedTensor::new("w", vec![5, 3, 2, 2], values);
        let mut row = vec![0.0; layout.len];
        layout.slots[at].write(std::slice::from_ref(&tensor), &mut row).unwrap();
        assert_eq!(layout.slots[at].read(&row), tensor);
        // Output 4, input 2, tap 1 of torch's order.
        let found = row[16 + (3 + 2) * 16 + 4];
        assert!((found - tensor.values[(4 * 3 + 2) * 4 + 1]).abs() < f32::EPSILON);
        assert_eq!(layout.count(), 63);
    }
}
