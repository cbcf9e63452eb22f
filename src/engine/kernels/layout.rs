//! How activations lie in memory.
//!
//! `[group][pixel][image of the group][channel]`: a group of images is kept together pixel by
//! pixel, so that a convolution is a sum of small matrix products over (images × channels), every
//! row starts aligned, and strides, padding and odd sizes cost nothing special.

/// Channels are stored in multiples of this many values; the surplus is always zero.
pub const CHANNEL_STEP: usize = 16;

/// What [`CHANNEL_STEP`] is where values are bfloat16: one row of an AMX tile.
pub const TILE_STEP: usize = 32;

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
    pub(in super::super) fn clear_after<T: Copy + Default>(&self, images: usize, values: &mut [T]) {
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
