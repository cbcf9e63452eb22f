//! Networks of stock dfdx operations on any of its devices: the CUDA path, and the reference that
//! other paths are held against.

mod capsules;
mod host;
mod naming;
mod network;
mod ops;
mod optimizer;
mod plan;
mod rows;
mod spare;
#[cfg(test)]
mod tests;

pub(crate) use network::PortableNetwork;
#[cfg(feature = "cuda")]
pub(crate) use ops::Backend;
