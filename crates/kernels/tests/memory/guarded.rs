//! Slices between two pages that nobody may touch.
#![expect(unsafe_code, reason = "maps memory and protects its ends")]

use std::ops::{Deref, DerefMut};
use std::ptr::null_mut;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

/// A whole number of pages on any system.
const PAGE: usize = 64 * 1024;

/// Numbers whose first or last byte lies at a page that ends the process when touched.
pub(crate) struct Guarded<T> {
    map: *mut u8,
    bytes: usize,
    values: *mut T,
    len: usize,
}

/// Which end is watched to the byte; the other one by the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watched {
    Start,
    End,
}

impl<T: Copy> Guarded<T> {
    /// Returns `len` copies of `value`.
    pub(crate) fn new(len: usize, value: T, watched: Watched) -> Self {
        let inner = (len * size_of::<T>()).next_multiple_of(PAGE).max(PAGE);
        let bytes = inner + 2 * PAGE;
        // SAFETY: the map is fresh; its first and last page are no part of the slice.
        unsafe {
            let map: *mut u8 = mmap_anonymous(
                null_mut(),
                bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
            .expect("a map")
            .cast();
            mprotect(map.cast(), PAGE, MprotectFlags::empty()).expect("a guard before");
            mprotect(map.add(PAGE + inner).cast(), PAGE, MprotectFlags::empty())
                .expect("a guard behind");
            let offset = match watched {
                Watched::Start => 0,
                Watched::End => inner - len * size_of::<T>(),
            };
            let values: *mut T = map.add(PAGE + offset).cast();
            for index in 0..len {
                values.add(index).write(value);
            }
            Self { map, bytes, values, len }
        }
    }
}

impl<T> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` values were written, and the map lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.values, self.len) }
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.values, self.len) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: nothing borrows the map any more.
        unsafe { munmap(self.map.cast(), self.bytes).expect("the map goes") }
    }
}
