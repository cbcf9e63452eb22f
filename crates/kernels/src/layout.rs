//! How activations lie in memory.
//!
//! `[group][pixel][image of the group][channel]`: a group of images is kept together pixel by
//! pixel, so that a convolution is a sum of small matrix products over (images × channels), every
//! row starts aligned, and strides, padding and odd sizes cost nothing special.

/// Channels are stored in multiples of this many values; the surplus is always zero.
pub const CHANNEL_STEP: usize = 16;

/// What [`CHANNEL_STEP`] is where values are bfloat16: one row of an AMX tile.
pub const TILE_STEP: usize = 32;

/// Returns the product of some sizes.
///
/// # Panics
/// If it exceeds what memory can hold: a product that wrapped would be a length nobody checks.
pub(super) fn product(sizes: &[usize]) -> usize {
    let mut all = 1_usize;
    for &size in sizes {
        all = all.checked_mul(size).filter(|&all| all <= LARGEST).unwrap_or_else(|| {
            panic!("{sizes:?} values exceed the address space");
        });
    }
    all
}

/// Most values of a buffer: more of any type would exceed the address space.
const LARGEST: usize = isize::MAX as usize / 64;

/// Where the values lie that a sum takes from one source, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    pub(super) extent: Extent,
    /// From one source to the next.
    pub(super) step: usize,
    /// Values of one source, one after another.
    pub(super) length: usize,
    /// Whether sources are parts of one pixel.
    within: bool,
}

impl Sources {
    /// Returns sources that are pixels: a sum takes all channels of one.
    #[must_use]
    pub fn pixels(extent: Extent) -> Self {
        let step = extent.group * extent.stride;
        Self { extent, step, length: extent.channels, within: false }
    }

    /// Returns sources inside a single pixel, `step` channels apart: a sum takes `length` from
    /// there on. So a whole image stands in one pixel and a row of a window is one source.
    ///
    /// # Panics
    /// If the extent has several pixels, or a source is longer than its pixel.
    #[must_use]
    pub fn within(extent: Extent, step: usize, length: usize) -> Self {
        assert_eq!(extent.pixels, 1, "sources lie within one pixel");
        assert!(
            step <= extent.stride && length <= extent.stride,
            "sources of {length} channels, {step} apart, lie in {} channels",
            extent.stride
        );
        Self { extent, step, length, within: true }
    }

    /// Returns the extent of the values.
    #[must_use]
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// Returns the number of values of one source.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Returns whether sources are parts of one pixel.
    pub(super) fn are_within(&self) -> bool {
        self.within
    }

    /// Panics unless the last source lies in its pixel also when read in steps of `step` values.
    pub(super) fn assert_hold_steps(&self, last: usize, step: usize) {
        let first = if self.within { product(&[last, self.step]) } else { 0 };
        assert!(
            first + self.length.next_multiple_of(step) <= self.extent.stride,
            "source {last} read in steps of {step} leaves {self:?}"
        );
    }

    /// Panics unless sources `0..=last` out of `count` lie in the extent.
    pub(super) fn assert_hold(&self, last: usize, count: usize) {
        if self.within {
            assert!(
                product(&[last, self.step]) + self.length <= self.extent.stride,
                "source {last} lies outside {self:?}"
            );
        } else {
            assert_eq!(count, self.extent.pixels, "sources are the pixels of {self:?}");
        }
    }
}

/// The extent of the activations of one layer, batch aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Rows times columns.
    pub(super) pixels: usize,
    /// Channels that mean something.
    pub(super) channels: usize,
    /// Values from one image's channels to the next image's: `channels` rounded up.
    pub(super) stride: usize,
    /// Images in a group.
    pub(super) group: usize,
}

impl Extent {
    /// Returns the extent of `pixels × channels` in groups of `group` images, channels stored in
    /// multiples of [`CHANNEL_STEP`].
    ///
    /// # Panics
    /// If a group has no image or exceeds the address space.
    #[must_use]
    pub fn new(pixels: usize, channels: usize, group: usize) -> Self {
        assert!(group > 0, "a group has an image");
        Self { pixels, channels, stride: 0, group }.with_step(CHANNEL_STEP)
    }

    /// Returns the same extent with channels stored in multiples of `step`.
    ///
    /// # Panics
    /// If `step` is not a multiple of [`CHANNEL_STEP`], which vectors of every path divide, or a group
    /// exceeds the address space.
    #[must_use]
    pub fn with_step(self, step: usize) -> Self {
        assert!(
            step > 0 && step.is_multiple_of(CHANNEL_STEP),
            "channels are stored in multiples of {CHANNEL_STEP}, found {step}"
        );
        let stride = product(&[self.channels.div_ceil(step), step]);
        product(&[self.pixels.max(1), self.group, stride.max(1)]);
        Self { stride, ..self }
    }

    /// Returns the rows times columns.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.pixels
    }

    /// Returns the number of channels that mean something.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns the values from one image's channels to the next image's.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Returns the number of images in a group.
    #[must_use]
    pub fn group(&self) -> usize {
        self.group
    }

    /// Returns the number of values of one group.
    #[must_use]
    pub fn group_len(&self) -> usize {
        self.pixels * self.group * self.stride
    }

    /// Returns the number of groups that hold `images` images.
    #[must_use]
    pub fn groups(&self, images: usize) -> usize {
        images.div_ceil(self.group)
    }

    /// Returns the number of values that hold `images` images.
    ///
    /// # Panics
    /// If they exceed the address space.
    #[must_use]
    pub fn len(&self, images: usize) -> usize {
        product(&[self.groups(images), self.group_len()])
    }

    /// Returns the offset of channel 0 of one image at one pixel.
    #[must_use]
    pub fn offset(&self, image: usize, pixel: usize) -> usize {
        let (group, row) = (image / self.group, image % self.group);
        ((group * self.pixels + pixel) * self.group + row) * self.stride
    }

    /// Returns how many of `images` images lie in group `group`.
    pub(super) fn rows(&self, images: usize, group: usize) -> usize {
        (images - group * self.group).min(self.group)
    }

    /// Zeroes the rows after image `images` in the group of the last image.
    pub fn clear_after<T: Copy + Default>(&self, images: usize, values: &mut [T]) {
        let groups = self.groups(images);
        if groups * self.group == images {
            return;
        }
        for pixel in 0..self.pixels {
            let from = self.offset(images, pixel);
            let to = self.offset(groups * self.group - 1, pixel) + self.stride;
            values[from..to].fill(T::default());
        }
    }

    /// Panics unless `len` values hold `images` images.
    pub(super) fn assert_holds(&self, len: usize, images: usize) {
        assert!(len >= self.len(images), "{len} values cannot hold {images} images of {self:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "channels are stored in multiples of 16, found 1")]
    fn rows_shorter_than_a_vector_are_refused() {
        // AVX2 wrote eight values into a row of three.
        let _ = Extent::new(1, 3, 1).with_step(1);
    }

    #[test]
    #[should_panic(expected = "exceed the address space")]
    fn sizes_whose_product_would_wrap_are_refused() {
        let _ = Extent::new(1 << 32, 1 << 32, 16);
    }

    #[test]
    #[should_panic(expected = "lie in 16 channels")]
    fn a_source_longer_than_its_pixel_is_refused() {
        // A step of a whole pixel once passed for sources that are pixels, of any length.
        let _ = Sources::within(Extent::new(1, 16, 1), 16, 160);
    }
}
