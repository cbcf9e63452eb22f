//! Gradient of the weights and biases, in 32-bit floats.
//!
//! For every tap of the window: input channels × output channels, summed over images and output
//! pixels. Outputs are walked in stretches that stay in the first cache while every tap and
//! every register tile passes over them.
#![expect(unsafe_code, reason = "register tiles over raw pointers")]

use super::geometry::Runs;
use super::isa::Dispatch;
use super::layout::{Extent, Sources};
use super::pack::WeightShape;
use super::simd::{Kernel, Simd, run};
use super::tile::{self, Tile, add_product, width};

/// The weight gradient of one layer over some images.
#[derive(Debug)]
pub struct WeightGradient<'a, 'b, E> {
    /// Which pixels meet at which tap.
    pub runs: &'a Runs,
    /// Number of images.
    pub images: usize,
    /// Where the inputs lie.
    pub inputs: Sources,
    /// The inputs.
    pub input: &'a [E],
    /// Extent of the output gradients.
    pub outputs: Extent,
    /// The output gradients.
    pub gradient: &'a [E],
    /// Whether the sums are added to what `weights` holds, instead of replacing it.
    pub accumulate: bool,
    /// Receives the sums, laid out as the weights.
    pub weights: &'b mut [f32],
}

/// Computes the gradient of a layer's weights.
///
/// # Panics
/// If a buffer is too small.
pub fn weight_gradient(dispatch: Dispatch, gradient: WeightGradient<'_, '_, f32>) {
    let shape = gradient.checked();
    let WeightGradient { runs, images, inputs, input, outputs, gradient, accumulate, weights } =
        gradient;
    let sums = Sums {
        runs,
        images,
        inputs,
        input: input.as_ptr(),
        outputs,
        gradient: gradient.as_ptr(),
        shape,
        accumulate,
        weights: weights.as_mut_ptr(),
    };
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, sums) }
}

impl<E> WeightGradient<'_, '_, E> {
    /// Panics unless every buffer is large enough, and returns the shape of the sums.
    pub(super) fn checked(&self) -> WeightShape {
        let shape = WeightShape::new(self.runs.taps(), self.inputs.length, &self.outputs);
        self.inputs.extent.assert_holds(self.input.len(), self.images);
        self.outputs.assert_holds(self.gradient.len(), self.images);
        assert_eq!(self.inputs.extent.group, self.outputs.group, "one grouping of images");
        self.inputs.assert_hold(self.runs.last_source(), self.runs.sources());
        assert_eq!(self.runs.outputs(), self.outputs.pixels, "runs belong to these outputs");
        assert!(self.weights.len() >= shape.len(), "one gradient a weight");
        shape
    }
}

struct Sums<'a> {
    runs: &'a Runs,
    images: usize,
    inputs: Sources,
    input: *const f32,
    outputs: Extent,
    gradient: *const f32,
    shape: WeightShape,
    accumulate: bool,
    weights: *mut f32,
}

impl Kernel for Sums<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let groups = self.outputs.groups(self.images);
        // Small layers sum over all groups in one go, large ones group by group.
        let together = self.outputs.pixels == 1;
        let passes = if together { 1 } else { groups };
        for pass in 0..passes {
            let groups = if together { 0..groups } else { pass..pass + 1 };
            for stretch in 0..self.runs.stretches() {
                let is_fresh = !self.accumulate && pass == 0 && stretch == 0;
                let mut channel = 0;
                while channel < self.shape.stride {
                    let wide = width::<S>(self.shape.stride - channel);
                    for tap in 0..self.shape.taps {
                        // SAFETY: the caller's promise.
                        unsafe {
                            match wide {
                                4 => self.tap::<S, 4>(&groups, is_fresh, stretch, tap, channel),
                                2 => self.tap::<S, 2>(&groups, is_fresh, stretch, tap, channel),
                                _ => self.tap::<S, 1>(&groups, is_fresh, stretch, tap, channel),
                            }
                        }
                    }
                    channel += wide * S::LANES;
                }
            }
        }
    }
}

impl Sums<'_> {
    #[inline(always)]
    unsafe fn tap<S: Simd, const WIDE: usize>(
        &self,
        groups: &std::ops::Range<usize>,
        is_fresh: bool,
        stretch: usize,
        tap: usize,
        channel: usize,
    ) {
        let mut input = 0;
        while input < self.shape.inputs {
            let left = self.shape.inputs - input;
            let at = Corner { groups: groups.clone(), is_fresh, stretch, tap, channel, input };
            // SAFETY: the caller's promise; a tile never covers more inputs than are left.
            unsafe {
                input += match tile::rows::<S>(WIDE, left) {
                    8 => self.tile::<S, WIDE, 8>(&at),
                    6 => self.tile::<S, WIDE, 6>(&at),
                    4 => self.tile::<S, WIDE, 4>(&at),
                    2 => self.tile::<S, WIDE, 2>(&at),
                    _ => self.tile::<S, WIDE, 1>(&at),
                };
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const WIDE: usize, const INPUTS: usize>(&self, at: &Corner) -> usize {
        let (inputs, outputs) = (&self.inputs, &self.outputs);
        let row = at.tap * self.shape.inputs + at.input;
        // SAFETY: the weights, channels, runs and rows lie inside the checked buffers.
        unsafe {
            let weights = self.weights.add(row * self.shape.stride + at.channel);
            let mut sums: Tile<S, WIDE, INPUTS> = [[S::splat(0.0); INPUTS]; WIDE];
            if !at.is_fresh {
                for (vector, sums) in sums.iter_mut().enumerate() {
                    for (row, sum) in sums.iter_mut().enumerate() {
                        *sum = S::load(weights.add(row * self.shape.stride + vector * S::LANES));
                    }
                }
            }
            for group in at.groups.clone() {
                let rows = outputs.rows(self.images, group);
                let input = self.input.add(group * inputs.extent.group_len() + at.input);
                let delta = self.gradient.add(group * outputs.group_len() + at.channel);
                for run in self.runs.of(at.stretch, at.tap) {
                    let mut input = input.add(run.source as usize * inputs.step);
                    let mut delta = delta.add(run.output as usize * outputs.group * outputs.stride);
                    // Full groups lie gap-free, so a whole run is one loop.
                    let full = rows == outputs.group && !inputs.are_within();
                    let (loops, count) = match (full, run.len as usize) {
                        (true, len) => (1, len * rows),
                        (false, len) => (len, rows),
                    };
                    for _ in 0..loops {
                        let (mut value, mut column) = (input, delta);
                        for _ in 0..count {
                            add_product::<S, WIDE, INPUTS>(&mut sums, value, 1, column);
                            value = value.add(inputs.extent.stride);
                            column = column.add(outputs.stride);
                        }
                        input = input.add(inputs.step);
                        delta = delta.add(outputs.group * outputs.stride);
                    }
                }
            }
            for (vector, sums) in sums.iter().enumerate() {
                for (row, sum) in sums.iter().enumerate() {
                    S::store(weights.add(row * self.shape.stride + vector * S::LANES), *sum);
                }
            }
        }
        INPUTS
    }
}

/// One register tile's corner in the sums.
struct Corner {
    groups: std::ops::Range<usize>,
    /// Whether the sums start at zero, whatever their memory holds.
    is_fresh: bool,
    stretch: usize,
    tap: usize,
    channel: usize,
    input: usize,
}
