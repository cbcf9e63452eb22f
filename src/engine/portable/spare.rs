//! Buffers of finished work, kept for work of the same size.
//!
//! A training asks for the same sizes in every step; asking the system each time costs a fifth of
//! it in page faults. dfdx's cache keeps what dfdx itself drops. What [`super::host`] takes out of
//! dfdx's hands (the gradient of a finished operation) comes here and leaves as the values of the
//! next step's operation, which dfdx drops into its cache: both stay as they are from step to
//! step. Kept by thread, so it ends with the pool of one thread that a training runs in.

use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static SPARE: RefCell<BTreeMap<usize, Vec<Vec<f32>>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Returns a buffer of `length` values, whatever they are.
pub(super) fn take(length: usize) -> Vec<f32> {
    let spare = SPARE.with_borrow_mut(|spare| spare.get_mut(&length).and_then(Vec::pop));
    spare.unwrap_or_else(|| vec![0.0; length])
}

/// Keeps a buffer that is no longer needed.
pub(super) fn give(buffer: Vec<f32>) {
    if !buffer.is_empty() {
        SPARE.with_borrow_mut(|spare| spare.entry(buffer.len()).or_default().push(buffer));
    }
}

/// Frees every kept buffer.
pub(super) fn forget() {
    SPARE.with_borrow_mut(BTreeMap::clear);
}
