//! How activations lie in memory.
//!
//! `[group][pixel][image of the group][channel]`: a group of images is kept together pixel by
//! pixel, so that a convolution is a sum of small matrix products over (images × channels), every
//! row starts aligned, and strides, padding and odd sizes cost nothing special.

/// Channels are stored in multiples of this many values; the surplus is always zero.
pub const CHANNEL_STEP: usize = 16;

/// What [`CHANNEL_STEP`] is where values are bfloat16: one row of an AMX tile.
pub const TILE_STEP: usize = 32;

/// Where the values lie that a sum takes from one source, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    /// Extent of the values.
    pub extent: Extent,
    /// From one source to the next.
    pub(super) step: usize,
    /// Values of one source, one after another.
    pub(super) length: usize,
}

impl Sources {
    /// Returns sources that are pixels: a sum takes all channels of one.
    #[must_use]
    pub fn pixels(extent: Extent) -> Self {
        Self { extent, step: extent.group * extent.stride, length: extent.channels }
    }

    /// Returns sources inside a single pixel, `step` channels apart: a sum takes `length` from
    /// there on. So a whole image stands in one pixel and a row of a window is one source.
    ///
    /// # Panics
    /// If the extent has several pixels.
    #[must_use]
    pub fn within(extent: Extent, step: usize, length: usize) -> Self {
        assert_eq!(extent.pixels, 1, "sources lie within one pixel");
        Self { extent, step, length }
    }

    /// Returns the number of values of one source.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Returns whether sources are parts of one pixel.
    pub(super) fn are_within(&self) -> bool {
        self.extent.pixels == 1 && self.step != self.extent.group * self.extent.stride
    }

    /// Panics unless the last source lies in its pixel also when read in steps of `step` values.
    pub(super) fn assert_hold_steps(&self, last: usize, step: usize) {
        let first = if self.are_within() { last * self.step } else { 0 };
        assert!(
            first + self.length.next_multiple_of(step) <= self.extent.stride,
            "source {last} read in steps of {step} leaves {self:?}"
        );
    }

    /// Panics unless sources `0..=last` out of `count` lie in the extent.
    pub(super) fn assert_hold(&self, last: usize, count: usize) {
        if self.are_within() {
            assert!(
                last * self.step + self.length <= self.extent.stride,
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
    pub pixels: usize,
    /// Channels that mean something.
    pub channels: usize,
    /// Values from one image's channels to the next image's: `channels` rounded up.
    pub stride: usize,
    /// Images in a group.
    pub group: usize,
}

impl Extent {
    /// Returns the extent of `pixels × channels` in groups of `group` images.
    #[must_use]
    pub fn new(pixels: usize, channels: usize, group: usize) -> Self {
        Self { pixels, channels, stride: channels.next_multiple_of(CHANNEL_STEP), group }
    }

    /// Returns the same extent with channels stored in multiples of `step`.
    #[must_use]
    pub fn with_step(self, step: usize) -> Self {
        Self { stride: self.channels.next_multiple_of(step), ..self }
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
    #[must_use]
    pub fn len(&self, images: usize) -> usize {
        self.groups(images) * self.group_len()
    }

    /// Returns the place of channel 0 of one image at one pixel.
    #[must_use]
    pub fn place(&self, image: usize, pixel: usize) -> usize {
        let (group, row) = (image / self.group, image % self.group);
        ((group * self.pixels + pixel) * self.group + row) * self.stride
    }

    /// Returns how many of `images` images lie in group `group`.
    #[must_use]
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
            let from = self.place(images, pixel);
            let to = self.place(groups * self.group - 1, pixel) + self.stride;
            values[from..to].fill(T::default());
        }
    }

    /// Panics unless `len` values hold `images` images.
    pub(super) fn assert_holds(&self, len: usize, images: usize) {
        assert!(
            len >= self.len(images) && self.stride >= self.channels,
            "{len} values cannot hold {images} images of {self:?}"
        );
    }
}
