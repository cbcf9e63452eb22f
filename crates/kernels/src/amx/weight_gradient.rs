//! Gradient of the weights, in tiles.
//!
//! A tile multiplies over the 32 images of a group, so padding, strides and odd sizes are only a
//! choice of pixels; images that are not there count as zeros.
#![expect(unsafe_code, reason = "tiles over raw pointers")]

use std::ops::Range;

use half::bf16;

use super::super::geometry::Runs;
use super::super::layout::{Extent, Sources};
use super::super::pack::WeightShape;
use super::super::weight_gradient::WeightGradient;
use super::TILE_VALUES;
use super::shuffle::{interleave_images, transpose_images};
use super::tiles::{Sums, Unit};

/// Computes the gradient of a layer's weights; `scratch` holds one group of inputs and outputs.
pub(super) fn weight_gradient(gradient: WeightGradient<'_, '_, bf16>, scratch: &mut [bf16]) {
    let shape = gradient.checked();
    let WeightGradient { runs, images, inputs, input, outputs, gradient, accumulate, weights } =
        gradient;
    assert!(
        inputs.extent.stride.is_multiple_of(32)
            && outputs.stride.is_multiple_of(32)
            && inputs.extent.group == super::GROUP,
        "tiles need whole rows, found {inputs:?} and {outputs:?}"
    );
    inputs.assert_hold_steps(runs.last_source(), 32);
    let (mut source_span, output_span) = runs.spans();
    if inputs.are_within() {
        source_span = 1;
    }
    let input_size = inputs.extent.group * inputs.extent.stride;
    let output_size = outputs.group * outputs.stride;
    // Twice the span: what later stretches need moves to the front once a span, not once a stretch.
    let room = (2 * source_span).min(inputs.extent.pixels);
    let (transposed, paired) = scratch.split_at_mut(room * input_size);
    assert!(paired.len() >= output_span * output_size, "scratch holds a stretch");
    let paired = &mut paired[..output_span * output_size];
    for group in 0..outputs.groups(images) {
        let input = &input[group * inputs.extent.group_len()..][..inputs.extent.group_len()];
        let delta = &gradient[group * outputs.group_len()..][..outputs.group_len()];
        // What a stretch adds is rearranged just before, so that it is still in the cache.
        let (mut kept, mut ready) = (0, 0);
        for stretch in 0..runs.stretches() {
            let (mut first_input, first_output) = runs.begins(stretch);
            let (mut last_input, last_output) = runs.ends(stretch);
            if inputs.are_within() {
                (first_input, last_input) = (0, 1);
            }
            if last_input - kept > room {
                let still = first_input.min(ready) - kept..ready - kept;
                transposed.copy_within(still.start * input_size..still.end * input_size, 0);
                (kept, ready) = (first_input, ready.max(first_input));
            }
            // SAFETY: only AMX paths come here; all lengths were just checked.
            unsafe {
                let fresh = &mut transposed[(ready - kept) * input_size..];
                each_pixel(input, &inputs.extent, fresh, ready..last_input, transpose_images);
                let pixels = first_output..last_output;
                each_pixel(delta, &outputs, paired, pixels, interleave_images);
                let sums = GroupSums {
                    shape,
                    inputs,
                    outputs,
                    first: [kept, first_output],
                    transposed: transposed.as_ptr(),
                    paired: paired.as_ptr(),
                    weights: weights.as_mut_ptr(),
                };
                sums.add(runs, stretch, !accumulate && group == 0 && stretch == 0);
            }
            ready = ready.max(last_input);
        }
    }
}

/// Rearranges the images and channels of some pixels, one after another from the start of `to`.
unsafe fn each_pixel(
    from: &[bf16],
    extent: &Extent,
    to: &mut [bf16],
    pixels: Range<usize>,
    rearrange: unsafe fn(*const bf16, usize, *mut bf16),
) {
    let size = extent.group * extent.stride;
    for (pixel, to) in pixels.zip(to.chunks_exact_mut(size)) {
        let from = &from[pixel * size..][..size];
        // SAFETY: both sides hold 32 images of `stride` channels a pixel.
        unsafe { rearrange(from.as_ptr(), extent.stride, to.as_mut_ptr()) }
    }
}

struct GroupSums {
    shape: WeightShape,
    inputs: Sources,
    outputs: Extent,
    /// The first source in `transposed` and the first output in `paired`.
    first: [usize; 2],
    transposed: *const bf16,
    paired: *const bf16,
    weights: *mut f32,
}

impl GroupSums {
    /// Adds the products of a stretch to the weights' gradient, or starts it with them.
    unsafe fn add(&self, runs: &Runs, stretch: usize, is_fresh: bool) {
        let WeightShape { taps, inputs, stride, .. } = self.shape;
        // SAFETY: the caller's promise.
        unsafe {
            let unit = Unit::configure();
            // Channels innermost: the inputs of a block stay in the first cache for all of them.
            for tap in 0..taps {
                for input in (0..inputs).step_by(32) {
                    for channel in (0..stride).step_by(32) {
                        self.block(&unit, runs, [stretch, tap], [input, channel], is_fresh);
                    }
                }
            }
        }
    }

    /// Adds 32 input channels × 32 output channels of one tap.
    #[inline(always)]
    unsafe fn block(
        &self,
        unit: &Unit,
        runs: &Runs,
        [stretch, index]: [usize; 2],
        [input, channel]: [usize; 2],
        is_fresh: bool,
    ) {
        let WeightShape { inputs, stride, .. } = self.shape;
        let rows = (inputs - input).min(32);
        // A pixel's values become as many rows of 32 images; parts of a pixel, fewer.
        let rows_per_source =
            if self.inputs.are_within() { self.inputs.step } else { self.inputs.extent.stride };
        let left_step = rows_per_source * 32;
        let right_step = self.outputs.stride * 32;
        // SAFETY: runs name pixels inside the scratch; blocks that would reach past the last
        // input channel go through `sums`.
        unsafe {
            let weights = self.weights.add((index * inputs + input) * stride + channel);
            if rows == 32 && !is_fresh {
                unit.load_matrix(weights, stride * size_of::<f32>());
            } else {
                unit.clear();
            }
            for run in runs.of(stretch, index) {
                let [source, output] =
                    [run.source as usize - self.first[0], run.output as usize - self.first[1]];
                let mut left = self.transposed.add(source * left_step + input * 32);
                let mut right = self.paired.add(output * right_step + channel * 32);
                for _ in 0..run.len {
                    unit.multiply([left, left.add(TILE_VALUES)], 64, right);
                    left = left.add(left_step);
                    right = right.add(right_step);
                }
            }
            if rows == 32 {
                unit.store_matrix(weights, stride * size_of::<f32>());
                return;
            }
            let mut sums = Sums([0.0; 1024]);
            unit.store(&mut sums);
            for row in 0..rows {
                for column in 0..32 {
                    let tile = 2 * (row / 16) + column / 16;
                    let weight = weights.add(row * stride + column);
                    let before = if is_fresh { 0.0 } else { *weight };
                    *weight = before + sums.0[tile * 256 + row % 16 * 16 + column % 16];
                }
            }
        }
    }
}
