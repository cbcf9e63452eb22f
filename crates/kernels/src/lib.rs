//! Hand-written CPU kernels that train small convolutional networks.
//!
//! Owns the arithmetic: convolutions, dense layers, normalisation, pooling, dropout, loss and
//! optimizer steps over plain slices, each compiled for several instruction sets and chosen at run
//! time by a [`Dispatch`]. Knows nothing of networks, settings or training loops.
//!
//! Invariants: public functions are safe and check every length before the first vector
//! instruction; the same inputs on the same path give the same bits.
//!
//! # How values lie in memory
//! Activations are `[group][pixel][image of the group][channel]` ([`Extent`]). A group is 16 images
//! in 32-bit floats; channels are padded with zeros to a multiple of 16 ([`CHANNEL_STEP`]):
//!
//! ```text
//! group 0                                                              group 1
//! ├─ pixel 0 ──────────────────────────────┬─ pixel 1 ───────────┬ … ─┼─ pixel 0 …
//! │ image 0     │ image 1     │ … image 15 │ image 0     │ …     │    │ image 16
//! │ c₀ c₁ … c₁₅ │ c₀ c₁ … c₁₅ │ …          │ c₀ c₁ … c₁₅ │ …     │    │ c₀ …
//! ```
//!
//! So a convolution is a sum of small matrix products (images × input channels) · (input channels ×
//! output channels), one for every tap of the window; every row starts aligned, and padding, strides
//! and odd sizes only change which taps there are ([`Taps`]). Weights are packed once per step, so
//! that a register tile reads them front to back ([`WeightShape`]).
//!
//! # A stage
//! Forward, everything after the products happens in registers, before the sums are stored:
//!
//! ```text
//! input ─▶ products over taps ─▶ + bias ─▶ ReLU ─▶ scale, shift ─▶ ReLU ─▶ output ─▶ pool ─▶ next stage
//!          direct or Winograd             └─▶ moments for batch normalisation
//!          (`ConvPlan`)                       (`Moments`)
//! ```
//!
//! Backward, one stage hands the gradient of its input through the end of the stage before
//! ([`BackwardEpilogue`]: mask of the ReLU, dropout, sums for the bias and for normalisation), and
//! [`weight_gradient`] sums its own weights' gradients meanwhile. [`step`] then moves the weights.
//!
//! # Example
//! A window of 2×2 over an image of 3×3 pixels:
//! ```
//! use gridbench_kernels::{
//!     Extent, ForwardEpilogue, Conv, Dispatch, Sources, Storage, Taps, Tiled, WeightShape, Window,
//!     spread_images,
//! };
//!
//! let window = Window::new([3, 3], [2, 2], 1, [0, 0], [2, 2]);
//! let inputs = Extent::new(window.inputs(), 1, f32::GROUP);
//! let outputs = Extent::new(window.outputs(), 1, f32::GROUP);
//! let mut input = vec![0.0; inputs.len(1)];
//! spread_images(&inputs, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &mut input);
//!
//! // Channels are padded in weights and biases too.
//! let shape = WeightShape::new(window.taps(), 1, &outputs);
//! let mut weights = vec![0.0; shape.len()];
//! for (tap, weight) in [1.0, 2.0, 3.0, 4.0].into_iter().enumerate() {
//!     weights[tap * outputs.stride()] = weight;
//! }
//! let mut bias = vec![0.0; outputs.stride()];
//! bias[0] = 0.5;
//!
//! let path = Dispatch::fastest_f32();
//! let direct = Tiled::default();
//! let mut packed = vec![0.0; f32::forward_len(&shape, &direct)];
//! f32::pack_forward(path, shape, &direct, &weights, &mut packed);
//! let mut output = vec![0.0; outputs.len(1)];
//! f32::forward(
//!     path,
//!     direct.forward_plan(),
//!     &Conv {
//!         taps: &Taps::forward(&window),
//!         sources: Sources::pixels(inputs),
//!         input: &input,
//!         weights: &packed,
//!         images: 1,
//!     },
//!     ForwardEpilogue {
//!         extent: outputs,
//!         output: &mut output,
//!         bias: &bias,
//!         relu: false,
//!         moments: None,
//!         affine: None,
//!         relu_after: false,
//!     },
//!     &mut [],
//! );
//! // 1·1 + 2·2 + 3·4 + 4·5 + 0.5
//! assert_eq!(output[outputs.offset(0, 0)], 37.5);
//! ```
#![allow(
    clippy::inline_always,
    reason = "what is not inlined into its kernel is compiled without the instruction set"
)]

mod aligned;
#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod conv;
mod dropout;
mod element;
mod epilogue;
mod geometry;
mod isa;
mod layout;
mod loss;
mod optimize;
mod pack;
mod peak;
mod pointwise;
mod pool;
#[cfg(test)]
mod reference;
mod simd;
mod storage;
#[cfg(test)]
mod tests;
mod tile;
mod weight_gradient;
mod winograd;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use aligned::Aligned;
pub use conv::{Conv, conv_forward, conv_input_gradient};
pub use dropout::Dropout;
pub use element::{Activation, Element};
pub use epilogue::{Affine, BackwardEpilogue, ForwardEpilogue, Moments, Products};
pub use geometry::{Runs, Taps, Window};
pub use isa::{Dispatch, Isa, IsaError};
pub use layout::{CHANNEL_STEP, Extent, Sources, TILE_STEP};
pub use loss::{BatchLoss, cross_entropy, probabilities};
pub use optimize::{Rule, step};
pub use pack::{Inside, WeightShape, pack_backward, pack_forward, pad_images, spread_images};
pub use peak::peak_flops;
pub use pointwise::{
    NormalisationGradient, Transform, normalisation_gradient, pass_backward, pass_forward,
    transform, transform_in_place,
};
pub use pool::{MAX_TAPS, PoolBackward, PoolForward, PoolKind, pool_backward, pool_forward};
pub use storage::{ConvPlan, Storage, Tiled};
pub use weight_gradient::{WeightGradient, weight_gradient};
pub use winograd::Winograd;
