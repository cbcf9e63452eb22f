//! Bilinear reading of an image along an affine map, fast.

use super::affine::Affine;
use super::dataset::ImageShape;

/// What is read outside the image, in the terms of `scipy.ndimage`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outside {
    /// `nearest`.
    Nearest,
    /// `reflect`: `d c b a | a b c d | d c b a`.
    Reflect,
    /// `wrap`: period one less than the size, the last pixel lying on the first.
    Wrap,
    /// `WRAP` of TensorFlow's `ImageProjectiveTransformV3`, which the layers call.
    LayersWrap,
    /// `constant`: this value wherever the position is outside the pixel centres.
    Constant(f32),
    /// `grid-constant`: this value beyond the edge, blended with the edge pixel in between.
    GridConstant(f32),
}

/// 2²³: adding it to a number below puts the number's integer part into the low bits.
const INTEGER: f32 = 8_388_608.0;

/// Reads one image after another; keeps the memory between them.
#[derive(Debug, Clone)]
pub(super) struct Resampler {
    shape: ImageShape,
    outside: Outside,
    /// Width of the frame around the image: 1 where the outside is blended with the edge.
    frame: usize,
    stride: usize,
    /// One plane a channel: the framed image, then its last row and column once more, so that the
    /// pixels below and to the right of any position inside can be read without a check.
    planes: Vec<f32>,
    /// Of every column of the row being made: position in the plane, and the parts of the way to the
    /// next row and the next column.
    position: Vec<u32>,
    down: Vec<f32>,
    across: Vec<f32>,
}

impl Resampler {
    pub(super) fn new(shape: ImageShape, outside: Outside) -> Self {
        let frame = usize::from(matches!(outside, Outside::GridConstant(_)));
        let stride = shape.width + 2 * frame + 1;
        let rows = shape.height + 2 * frame + 1;
        assert!(stride * rows < INTEGER as usize, "images have at most 2048×2048 pixels");
        let surround = match outside {
            Outside::GridConstant(value) => value,
            _ => 0.0,
        };
        Self {
            shape,
            outside,
            frame,
            stride,
            planes: vec![surround; rows * stride * shape.channels],
            position: vec![0; shape.width],
            down: vec![0.0; shape.width],
            across: vec![0.0; shape.width],
        }
    }

    /// Takes an image of bytes, 255 meaning 1.
    pub(super) fn take_bytes(&mut self, image: &[u8]) {
        self.take(image, |&byte| f32::from(byte) / 255.0);
    }

    /// Takes an image of values.
    pub(super) fn take_values(&mut self, image: &[f32]) {
        self.take(image, |&value| value);
    }

    fn take<T>(&mut self, image: &[T], value: impl Fn(&T) -> f32) {
        let ImageShape { height, width, channels } = self.shape;
        let Self { stride, frame, .. } = *self;
        let plane_size = self.planes.len() / channels.max(1);
        for (channel, plane) in self.planes.chunks_exact_mut(plane_size).enumerate() {
            let inner = plane.chunks_exact_mut(stride).skip(frame);
            for (row, line) in inner.zip(image.chunks_exact(width * channels)) {
                let row = &mut row[frame..];
                if channels == 1 {
                    row.iter_mut().zip(line).for_each(|(to, from)| *to = value(from));
                } else {
                    let from = line.iter().skip(channel).step_by(channels);
                    row.iter_mut().zip(from).for_each(|(to, from)| *to = value(from));
                }
                if frame == 0 {
                    row[width] = row[width - 1];
                }
            }
            if frame == 0 {
                plane.copy_within((height - 1) * stride..height * stride, height * stride);
            }
        }
    }

    /// Writes the image taken last, read along `map`.
    pub(super) fn read(&mut self, map: &Affine, out: &mut [f32]) {
        let ImageShape { height, width, channels } = self.shape;
        let [[row_by_row, row_by_column], [column_by_row, column_by_column]] = map.matrix;
        let frame = self.frame as f64;
        let limits = [(height - 1) as f32, (width - 1) as f32];
        let plane_size = self.planes.len() / channels.max(1);
        for (row, line) in out.chunks_exact_mut(width * channels).enumerate() {
            let line_map = LineMap {
                start: [
                    (row_by_row * row as f64 + map.offset[0] + frame) as f32,
                    (column_by_row * row as f64 + map.offset[1] + frame) as f32,
                ],
                step: [row_by_column as f32, column_by_column as f32],
            };
            let inside = line_map.stays_within(limits, self.frame as f32, width);
            self.locate(&line_map, limits, inside);
            for (channel, plane) in self.planes.chunks_exact(plane_size).enumerate() {
                let values = self.position.iter().zip(&self.down).zip(&self.across).map(
                    |((&position, &down), &across)| {
                        let corner = &plane[position as usize..][..self.stride + 2];
                        let (left, right) = (corner[0], corner[1]);
                        let (low_left, low_right) = (corner[self.stride], corner[self.stride + 1]);
                        let upper = left + across * (right - left);
                        let lower = low_left + across * (low_right - low_left);
                        upper + down * (lower - upper)
                    },
                );
                if channels == 1 {
                    line.iter_mut().zip(values).for_each(|(to, value)| *to = value);
                } else {
                    let to = line.iter_mut().skip(channel).step_by(channels);
                    to.zip(values).for_each(|(to, value)| *to = value);
                }
            }
            if let (Outside::Constant(value), false) = (self.outside, inside) {
                for (column, pixel) in line.chunks_exact_mut(channels).enumerate() {
                    let at = line_map.at(column);
                    if (0..2).any(|axis| at[axis] < 0.0 || at[axis] > limits[axis]) {
                        pixel.fill(value);
                    }
                }
            }
        }
    }

    /// Fills `position`, `down` and `across` for one line.
    fn locate(&mut self, line: &LineMap, limits: [f32; 2], inside: bool) {
        match self.outside {
            Outside::Reflect if !inside => self.locate_folded(line, limits, reflect),
            Outside::Wrap if !inside => self.locate_folded(line, limits, wrap),
            Outside::LayersWrap if !inside => self.locate_folded(line, limits, wrap_of_layers),
            _ => self.locate_folded(line, limits, |at, _| at),
        }
    }

    /// The same with positions outside folded back first; what `fold` leaves outside goes to the edge.
    #[inline]
    fn locate_folded(&mut self, line: &LineMap, limits: [f32; 2], fold: impl Fn(f32, f32) -> f32) {
        let last = limits.map(|limit| limit + 2.0 * self.frame as f32);
        let stride = self.stride as f32;
        let slots = self.position.iter_mut().zip(&mut self.down).zip(&mut self.across).enumerate();
        for (column, ((position, down), across)) in slots {
            let at = line.at(column);
            let row = fold(at[0], limits[0]).max(0.0).min(last[0]);
            let column = fold(at[1], limits[1]).max(0.0).min(last[1]);
            let (whole_row, whole_column) = (floor(row).max(0.0), floor(column).max(0.0));
            *down = row - whole_row;
            *across = column - whole_column;
            *position = (whole_row * stride + whole_column + INTEGER).to_bits() & 0x7F_FFFF;
        }
    }
}

/// Where the pixels of one output row are read: `start + column · step`, rows and columns.
struct LineMap {
    start: [f32; 2],
    step: [f32; 2],
}

impl LineMap {
    #[inline]
    fn at(&self, column: usize) -> [f32; 2] {
        let column = column as u32 as f32;
        [self.start[0] + column * self.step[0], self.start[1] + column * self.step[1]]
    }

    fn stays_within(&self, limits: [f32; 2], frame: f32, width: usize) -> bool {
        [self.at(0), self.at(width - 1)]
            .iter()
            .all(|at| (0..2).all(|axis| at[axis] >= frame && at[axis] <= limits[axis] + frame))
    }
}

/// Returns the largest whole number not above `value`, for |`value`| < 2²², or one less when `value`
/// is whole itself: the next pixel is then read with weight 1, which is the same. Plain additions,
/// unlike `f32::floor` on processors without SSE 4.1.
#[inline]
fn floor(value: f32) -> f32 {
    const ROUND: f32 = 1.5 * INTEGER;
    (value - 0.5 + ROUND) - ROUND
}

/// Folds a position back into 0 … `limit` as `d c b a | a b c d | d c b a` has it.
#[inline]
fn reflect(at: f32, limit: f32) -> f32 {
    let period = 2.0 * (limit + 1.0);
    let at = at + 0.5;
    let turned = at - period * floor(at / period);
    turned.min(period - turned) - 0.5
}

/// Folds a position beyond 0 … `limit` back as TensorFlow does: by whole images of `limit` + 1 pixels,
/// as many as `limit` goes into the distance; what is outside still goes to the edge.
#[inline]
fn wrap_of_layers(at: f32, limit: f32) -> f32 {
    let images = |distance: f32| (distance / limit) as i32 as f32;
    if at < 0.0 {
        at + (limit + 1.0) * (images(-at) + 1.0)
    } else if at > limit {
        at - (limit + 1.0) * images(at)
    } else {
        at
    }
}

/// Folds a position beyond 0 … `limit` back with period `limit`.
#[inline]
fn wrap(at: f32, limit: f32) -> f32 {
    let turned = at - limit * floor(at / limit);
    // Of an image one pixel wide `turned` is not a number, and the edge is read.
    if (0.0..=limit).contains(&at) { at } else { turned }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_wrap_positions_as_tensorflow_maps_them() {
        // By hand after `MapCoordinate<…, FILL_WRAP>` of `image_ops.h` for four pixels: below 0
        // `at + 4 · (⌊−at / 3⌋ + 1)`, above 3 `at − 4 · ⌊at / 3⌋`, then clamped to 0 … 3.
        for (at, expected) in [
            (0.0, 0.0),
            (2.75, 2.75),
            (3.0, 3.0),
            (3.5, 0.0),
            (4.5, 0.5),
            (5.75, 1.75),
            (6.0, 0.0),
            (-0.25, 3.0),
            (-1.5, 2.5),
            (-2.5, 1.5),
            (-3.0, 3.0),
            (-6.5, 3.0),
        ] {
            let found = wrap_of_layers(at, 3.0).clamp(0.0, 3.0);
            assert!((found - expected).abs() < 1e-6, "{at} goes to {found}, not {expected}");
        }
    }
}
