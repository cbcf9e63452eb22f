//! The fused CPU path: whole networks in hand-written kernels, one training per thread.
//!
//! Owns the plan of a network's stages, its buffers and the order of kernels in a step; the
//! arithmetic is in [`gridbench_kernels`]. Invariants: buffers are allocated once per training and
//! nothing in the step; names, initial weights and dropout masks are those of the portable path,
//! so that either can continue what the other began; the same seed on the same path gives the
//! same bits, whatever else runs.

mod backward;
#[cfg(test)]
mod first_step_tests;
mod forward_pass;
mod layer;
mod network;
mod parameters;
mod rule;
mod stages;
#[cfg(test)]
mod tests;

pub use network::build;
pub(crate) use network::{has_kernels, path_name};
