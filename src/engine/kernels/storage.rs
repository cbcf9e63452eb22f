//! The matrix kernels of each way to store activations, behind one name.

use super::element::Activation;
use super::epilogue::{BackwardEpilogue, ForwardEpilogue};
use super::gather::{self, Gather};
use super::isa::Path;
use super::layout::{CHANNEL_STEP, Extent, Sources};
use super::pack::{self, WeightShape};
use super::weight_gradient::{self, WeightGradient};

/// A number type in which a whole network can be stored and multiplied.
pub trait Storage: Activation {
    /// Images in a group.
    const GROUP: usize;
    /// Channels are stored in multiples of this.
    const STEP: usize;

    /// Returns the number of packed values [`Storage::forward`] reads.
    fn forward_len(shape: &WeightShape) -> usize;

    /// Returns the number of packed values [`Storage::backward`] reads.
    fn backward_len(shape: &WeightShape, input_stride: usize) -> usize;

    /// Returns how many output pixels of a group should be summed into all weights at a time, so
    /// that they stay in a near cache.
    fn stretch(inputs: &Sources, outputs: &Extent) -> usize;

    /// Returns the number of values of scratch [`Storage::weight_gradient`] needs.
    fn scratch_len(inputs: &Sources, outputs: &Extent) -> usize;

    /// Packs weights for [`Storage::forward`].
    fn pack_forward(path: Path, shape: WeightShape, weights: &[f32], packed: &mut [Self]);

    /// Packs weights for [`Storage::backward`].
    fn pack_backward(
        path: Path,
        shape: WeightShape,
        input_stride: usize,
        weights: &[f32],
        packed: &mut [Self],
    );

    /// Computes a layer forward.
    fn forward<T: Activation>(
        path: Path,
        gather: &Gather<'_, Self>,
        epilogue: ForwardEpilogue<'_, T>,
    );

    /// Computes the gradient with respect to a layer's input.
    fn backward(path: Path, gather: &Gather<'_, Self>, epilogue: BackwardEpilogue<'_, Self>);

    /// Computes the gradient of a layer's weights. Rows of images that are not there must be
    /// zero in the output gradients and finite in the inputs.
    fn weight_gradient(path: Path, gradient: WeightGradient<'_, '_, Self>, scratch: &mut [Self]);
}

impl Storage for f32 {
    const GROUP: usize = 16;
    const STEP: usize = CHANNEL_STEP;

    fn forward_len(shape: &WeightShape) -> usize {
        shape.len()
    }

    fn backward_len(shape: &WeightShape, input_stride: usize) -> usize {
        shape.places * shape.outputs * input_stride
    }

    fn stretch(inputs: &Sources, outputs: &Extent) -> usize {
        (12 * 1024
            / (outputs.group * (inputs.length().next_multiple_of(16) + outputs.stride.min(32))))
        .max(1)
    }

    fn scratch_len(_inputs: &Sources, _outputs: &Extent) -> usize {
        0
    }

    fn pack_forward(path: Path, shape: WeightShape, weights: &[f32], packed: &mut [f32]) {
        pack::pack_forward(path, shape, weights, packed);
    }

    fn pack_backward(
        path: Path,
        shape: WeightShape,
        input_stride: usize,
        weights: &[f32],
        packed: &mut [f32],
    ) {
        pack::pack_backward(path, shape, input_stride, weights, packed);
    }

    fn forward<T: Activation>(
        path: Path,
        gather: &Gather<'_, f32>,
        epilogue: ForwardEpilogue<'_, T>,
    ) {
        gather::gather_forward(path, gather, epilogue);
    }

    fn backward(path: Path, gather: &Gather<'_, f32>, epilogue: BackwardEpilogue<'_, f32>) {
        gather::gather_backward(path, gather, epilogue);
    }

    fn weight_gradient(path: Path, gradient: WeightGradient<'_, '_, f32>, _scratch: &mut [f32]) {
        weight_gradient::weight_gradient(path, gradient);
    }
}
