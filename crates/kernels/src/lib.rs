//! Hand-written kernels of the fused CPU path.
//!
//! Owns the arithmetic: convolutions, dense layers, normalisation, pooling, dropout, loss and
//! optimizer steps over plain slices, each compiled for several instruction sets and chosen at run
//! time by a [`Path`]. Knows nothing of networks, settings or training loops.
//!
//! Invariants: public functions are safe and check every length before the first vector
//! instruction; the same inputs on the same path give the same bits.
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
mod dropout;
mod element;
mod epilogue;
mod gather;
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
pub use dropout::Dropout;
pub use element::{Activation, Element};
pub use epilogue::{Affine, BackwardEpilogue, ForwardEpilogue, Moments, Products};
pub use gather::{Gather, gather_backward, gather_forward};
pub use geometry::{Runs, Taps, Window};
pub use isa::{Isa, IsaError, Path};
pub use layout::{CHANNEL_STEP, Extent, Sources, TILE_STEP};
pub use loss::{BatchLoss, cross_entropy, probabilities};
pub use optimize::{Rule, step};
pub use pack::{Inside, WeightShape, pack_backward, pack_forward, pad_images, spread_images};
pub use peak::peak_flops;
pub use pointwise::{
    NormalisationGradient, Transform, normalisation_gradient, pass_backward, pass_forward,
    transform, transform_in_place,
};
pub use pool::{MOST_PLACES, PoolBackward, PoolForward, PoolKind, pool_backward, pool_forward};
pub use storage::{ConvPlan, Storage, Tiled};
pub use weight_gradient::{WeightGradient, weight_gradient};
pub use winograd::Winograd;
