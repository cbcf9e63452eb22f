//! Buffers that start on a cache line.
#![expect(unsafe_code, reason = "allocates with an alignment and exposes the memory as a slice")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::element::Element;

/// Size of a cache line and of one AMX tile row, in bytes.
const LINE: usize = 64;

/// A zeroed buffer of fixed length that starts on a cache line and ends with a spare one.
///
/// The spare line lets tile loads read past the last value.
pub struct Aligned<T: Element> {
    start: NonNull<T>,
    len: usize,
}

impl<T: Element> Aligned<T> {
    /// Returns `len` zeros.
    ///
    /// # Panics
    /// If `len` values exceed the address space.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        let layout = Self::layout(len);
        // SAFETY: the layout is never empty, it has the spare line.
        let start = unsafe { alloc_zeroed(layout) }.cast::<T>();
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, len }
    }

    /// Returns the size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len * size_of::<T>()
    }

    fn layout(len: usize) -> Layout {
        let bytes = len.checked_mul(size_of::<T>()).and_then(|bytes| bytes.checked_add(LINE));
        bytes
            .and_then(|bytes| Layout::from_size_align(bytes, LINE).ok())
            .expect("buffers are smaller than the address space")
    }
}

impl<T: Element> Drop for Aligned<T> {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc_zeroed` with this very layout.
        unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) }
    }
}

impl<T: Element> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` values were allocated and zeroed, and zero bits are a value of an element.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Element> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

// SAFETY: the buffer owns its memory and elements are plain numbers.
unsafe impl<T: Element> Send for Aligned<T> {}
// SAFETY: shared access only reads plain numbers.
unsafe impl<T: Element> Sync for Aligned<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_and_start_on_a_cache_line() {
        for len in [0, 1, 7, 1000] {
            let buffer = Aligned::<f32>::zeros(len);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr() as usize % LINE, 0);
            assert!(buffer.iter().all(|&value| value.to_bits() == 0));
        }
    }
}
