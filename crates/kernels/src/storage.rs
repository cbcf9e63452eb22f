//! The matrix kernels of each way to store activations, behind one name.

use super::conv::{self, Conv};
use super::element::Activation;
use super::epilogue::{BackwardEpilogue, ForwardEpilogue};
use super::geometry::Window;
use super::isa::Dispatch;
use super::layout::{CHANNEL_STEP, Extent, Sources, product};
use super::pack::{self, WeightShape};
use super::weight_gradient::{self, WeightGradient};
use super::winograd::{self, Winograd};

/// A number type in which a whole network can be stored and multiplied.
pub trait Storage: Activation {
    /// Images in a group.
    const GROUP: usize;
    /// Channels are stored in multiples of this.
    const STEP: usize;

    /// Returns how a layer's outputs, and the gradients of its inputs, are computed in tiles,
    /// where that is faster than product by product.
    fn tiled(window: &Window, inputs: &Sources, outputs: &Extent) -> Tiled;

    /// Returns the number of packed values [`Storage::forward`] reads.
    fn forward_len(shape: &WeightShape, tiled: &Tiled) -> usize;

    /// Returns the number of packed values [`Storage::backward`] reads.
    fn backward_len(shape: &WeightShape, tiled: &Tiled, input_stride: usize) -> usize;

    /// Returns how many output pixels of a group should be summed into all weights at a time, so
    /// that they stay in a near cache.
    fn stretch(inputs: &Sources, outputs: &Extent) -> usize;

    /// Returns the number of values of scratch that a layer's kernels need.
    fn scratch_len(tiled: &Tiled, inputs: &Sources, outputs: &Extent) -> usize;

    /// Packs weights for [`Storage::forward`].
    fn pack_forward(
        dispatch: Dispatch,
        shape: WeightShape,
        tiled: &Tiled,
        weights: &[f32],
        packed: &mut [Self],
    );

    /// Packs weights for [`Storage::backward`].
    fn pack_backward(
        dispatch: Dispatch,
        shape: WeightShape,
        tiled: &Tiled,
        input_stride: usize,
        weights: &[f32],
        packed: &mut [Self],
    );

    /// Computes a layer forward.
    fn forward<T: Activation>(
        dispatch: Dispatch,
        plan: ConvPlan<'_>,
        conv: &Conv<'_, Self>,
        epilogue: ForwardEpilogue<'_, T>,
        scratch: &mut [Self],
    );

    /// Computes the gradient with respect to a layer's input.
    fn backward(
        dispatch: Dispatch,
        plan: ConvPlan<'_>,
        conv: &Conv<'_, Self>,
        epilogue: BackwardEpilogue<'_, Self>,
        scratch: &mut [Self],
    );

    /// Computes the gradient of a layer's weights. Rows of images that are not there must be
    /// zero in the output gradients and finite in the inputs.
    fn weight_gradient(
        dispatch: Dispatch,
        plan: ConvPlan<'_>,
        gradient: WeightGradient<'_, '_, Self>,
        scratch: &mut [Self],
    );
}

/// A layer's outputs, and the gradients of its inputs, in tiles of fewer products.
#[derive(Debug, Clone, Default)]
pub struct Tiled {
    /// Outputs, and with them the gradients of the weights.
    pub forward: Option<Winograd>,
    /// Gradients of the inputs, of some at a time; none if they are not computed in tiles.
    pub backward: Vec<Winograd>,
}

/// How a layer's sums are computed; weights are packed for one of the two.
#[derive(Debug, Clone, Copy)]
pub enum ConvPlan<'a> {
    /// Product by product.
    Direct,
    /// In tiles of fewer products, the targets of each tiling in turn.
    Winograd(&'a [Winograd]),
}

impl<'a> ConvPlan<'a> {
    fn of(tilings: &'a [Winograd]) -> Self {
        if tilings.is_empty() { Self::Direct } else { Self::Winograd(tilings) }
    }
}

impl Tiled {
    /// Returns how outputs, and the gradients of the weights, are computed.
    #[must_use]
    pub fn forward_plan(&self) -> ConvPlan<'_> {
        ConvPlan::of(self.forward.as_slice())
    }

    /// Returns how the gradients of the inputs are computed.
    #[must_use]
    pub fn backward_plan(&self) -> ConvPlan<'_> {
        ConvPlan::of(&self.backward)
    }
}

/// Fewest channels on either side for which transforms are made up for.
const TILED_CHANNELS: usize = 16;

impl Storage for f32 {
    const GROUP: usize = 16;
    const STEP: usize = CHANNEL_STEP;

    fn tiled(window: &Window, inputs: &Sources, outputs: &Extent) -> Tiled {
        if inputs.length().min(outputs.channels) < TILED_CHANNELS {
            return Tiled::default();
        }
        let forward = Some(Winograd::forward(window));
        let backward = Winograd::backward(window);
        Tiled {
            forward: forward
                .filter(|one| Winograd::are_worthwhile(std::slice::from_ref(one), window)),
            backward: if Winograd::are_worthwhile(&backward, window) {
                backward
            } else {
                Vec::new()
            },
        }
    }

    fn forward_len(shape: &WeightShape, tiled: &Tiled) -> usize {
        match &tiled.forward {
            Some(tiles) => winograd::packed_len(tiles, shape.inputs, shape.stride),
            None => shape.len(),
        }
    }

    fn backward_len(shape: &WeightShape, tiled: &Tiled, input_stride: usize) -> usize {
        match &tiled.backward[..] {
            [] => product(&[shape.taps, shape.outputs, input_stride]),
            tilings => tilings
                .iter()
                .map(|tiles| winograd::packed_len(tiles, shape.outputs, input_stride))
                .sum(),
        }
    }

    fn stretch(inputs: &Sources, outputs: &Extent) -> usize {
        let channels = inputs.length().next_multiple_of(16) + outputs.stride.min(32);
        (12 * 1024 / (outputs.group * channels.max(1))).max(1)
    }

    fn scratch_len(tiled: &Tiled, inputs: &Sources, outputs: &Extent) -> usize {
        let (inputs, forward) = (&inputs.extent, tiled.forward.as_ref());
        let forward = forward.map(|tiles| {
            tiles.scratch_len(inputs, outputs).max(tiles.gradient_scratch_len(inputs, outputs))
        });
        let backward = tiled.backward.iter().map(|tiles| tiles.scratch_len(outputs, inputs));
        forward.max(backward.max()).unwrap_or(0)
    }

    fn pack_forward(
        dispatch: Dispatch,
        shape: WeightShape,
        tiled: &Tiled,
        weights: &[f32],
        packed: &mut [f32],
    ) {
        match &tiled.forward {
            Some(tiles) => winograd::pack_forward(dispatch, tiles, shape, weights, packed),
            None => pack::pack_forward(dispatch, shape, weights, packed),
        }
    }

    fn pack_backward(
        dispatch: Dispatch,
        shape: WeightShape,
        tiled: &Tiled,
        input_stride: usize,
        weights: &[f32],
        packed: &mut [f32],
    ) {
        match &tiled.backward[..] {
            [] => pack::pack_backward(dispatch, shape, input_stride, weights, packed),
            tilings => {
                winograd::pack_backward(dispatch, tilings, shape, input_stride, weights, packed);
            }
        }
    }

    fn forward<T: Activation>(
        dispatch: Dispatch,
        plan: ConvPlan<'_>,
        conv: &Conv<'_, f32>,
        epilogue: ForwardEpilogue<'_, T>,
        scratch: &mut [f32],
    ) {
        match plan {
            ConvPlan::Direct => conv::conv_forward(dispatch, conv, epilogue),
            ConvPlan::Winograd(tilings) => {
                winograd::forward(dispatch, tilings, conv, epilogue, scratch);
            }
        }
    }

    fn backward(
        dispatch: Dispatch,
        plan: ConvPlan<'_>,
        conv: &Conv<'_, f32>,
        epilogue: BackwardEpilogue<'_, f32>,
        scratch: &mut [f32],
    ) {
        match plan {
            ConvPlan::Direct => conv::conv_input_gradient(dispatch, conv, epilogue),
            ConvPlan::Winograd(tilings) => {
                winograd::backward(dispatch, tilings, conv, epilogue, scratch);
            }
        }
    }

    fn weight_gradient(
        dispatch: Dispatch,
        plan: ConvPlan<'_>,
        gradient: WeightGradient<'_, '_, f32>,
        scratch: &mut [f32],
    ) {
        match plan {
            ConvPlan::Winograd([tiles]) => {
                winograd::weight_gradient(dispatch, tiles, gradient, scratch);
            }
            _ => weight_gradient::weight_gradient(dispatch, gradient),
        }
    }
}
