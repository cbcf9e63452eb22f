//! Naive double-precision references and random numbers for the kernels' tests.

use super::element::Activation;
use super::geometry::Window;
use super::layout::Extent;

/// A small generator (`SplitMix64`, Steele et al. 2014), so that tests need no seed of their own.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// Returns a number from `from` up to and including `to`.
    pub(super) fn between(&mut self, from: usize, to: usize) -> usize {
        from + (self.word() % (to - from + 1) as u64) as usize
    }

    /// Returns a number from −1 to 1 that bfloat16 holds exactly.
    pub(super) fn value(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    pub(super) fn values(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| half::bf16::from_f64(self.value()).to_f64()).collect()
    }

    /// Returns a window with at least one output pixel.
    pub(super) fn window(&mut self) -> Window {
        loop {
            let (height, width) = (self.between(1, 9), self.between(1, 9));
            let (kernel_height, kernel_width) = (self.between(1, 5), self.between(1, 5));
            let stride = self.between(1, 3);
            let (top, left) =
                (self.between(0, kernel_height - 1), self.between(0, kernel_width - 1));
            let (bottom, right) = (self.between(0, top), self.between(0, left));
            let (tall, wide) = (height + top + bottom, width + left + right);
            if tall >= kernel_height && wide >= kernel_width {
                return Window {
                    height,
                    width,
                    kernel_height,
                    kernel_width,
                    stride,
                    top,
                    left,
                    out_height: (tall - kernel_height) / stride + 1,
                    out_width: (wide - kernel_width) / stride + 1,
                };
            }
        }
    }
}

/// Calls `visit(output pixel, input pixel, tap)` for every product of a window: six plain loops.
pub(super) fn products(window: &Window, mut visit: impl FnMut(usize, usize, usize)) {
    for out_y in 0..window.out_height {
        for out_x in 0..window.out_width {
            for row in 0..window.kernel_height {
                for column in 0..window.kernel_width {
                    let y = (out_y * window.stride + row) as i64 - window.top as i64;
                    let x = (out_x * window.stride + column) as i64 - window.left as i64;
                    if (0..window.height as i64).contains(&y)
                        && (0..window.width as i64).contains(&x)
                    {
                        visit(
                            out_y * window.out_width + out_x,
                            y as usize * window.width + x as usize,
                            row * window.kernel_width + column,
                        );
                    }
                }
            }
        }
    }
}

/// Spreads `images × pixels × channels` over the grouped layout.
pub(super) fn grouped<E: Activation>(extent: &Extent, values: &[f64]) -> Vec<E> {
    let images = values.len() / (extent.pixels * extent.channels);
    let mut grouped = vec![E::default(); extent.len(images)];
    for (at, row) in values.chunks_exact(extent.channels).enumerate() {
        let start = extent.offset(at / extent.pixels, at % extent.pixels);
        for (to, &value) in grouped[start..].iter_mut().zip(row) {
            *to = E::from_f32(value as f32);
        }
    }
    grouped
}

/// Collects `images × pixels × channels` from the grouped layout.
pub(super) fn plain<E: Activation>(extent: &Extent, images: usize, values: &[E]) -> Vec<f64> {
    let mut plain = Vec::new();
    for image in 0..images {
        for pixel in 0..extent.pixels {
            let row = &values[extent.offset(image, pixel)..][..extent.channels];
            plain.extend(row.iter().map(|value| f64::from(value.to_f32())));
        }
    }
    plain
}

/// Returns the weights `[tap][input][output]` with rounded-up output channels.
pub(super) fn padded_rows(weights: &[f64], outputs: usize, stride: usize) -> Vec<f32> {
    let mut padded = Vec::new();
    for row in weights.chunks_exact(outputs) {
        padded.extend(row.iter().map(|&weight| weight as f32));
        padded.extend(std::iter::repeat_n(0.0, stride - outputs));
    }
    padded
}

/// Panics unless all values agree to `tolerance` of the largest expected value.
pub(super) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-3, |largest: f64, value| largest.max(value.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * largest,
            "{what}: value {at} is {found}, expected {expected} ± {}",
            tolerance * largest
        );
    }
}
