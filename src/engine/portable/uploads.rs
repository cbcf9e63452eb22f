//! Tensors that the host writes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::ops::{Backend, Packed};

/// Tensors that the host writes in every step: pixels, targets, masks. Writing into one that is
/// there leaves no buffer behind.
#[derive(Debug)]
pub(super) struct Uploads<D: Backend> {
    pub(super) device: D,
    pub(super) tensors: BTreeMap<(usize, [usize; 3]), Packed<D>>,
}

impl<D: Backend> Uploads<D> {
    /// Returns a tensor of `shape` with `values`, the one kept for `purpose`.
    pub(super) fn send(
        &mut self,
        purpose: usize,
        shape: (usize, usize, usize),
        values: &[f32],
    ) -> Result<Packed<D>, D::Err> {
        let key = (purpose, [shape.0, shape.1, shape.2]);
        let tensor = match self.tensors.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.device.try_zeros_like(&shape)?),
        };
        tensor.copy_from(values);
        Ok(tensor.clone())
    }
}

/// Purposes of uploads; dropout masks count on from the last.
pub(super) const PIXELS: usize = 0;
pub(super) const TARGETS: usize = 1;
pub(super) const MASKS: usize = 2;
