//! A convolution, or the gradient of its input, as windows of 3×3 over tiles.
//!
//! Along one dimension, the weights of a window are dealt out to [`Span`]s of up to three whose
//! sources lie evenly. Seen from the outputs, a stride of two gives two spans: even weights over
//! even sources, odd over odd. Seen from the inputs, it gives two kinds of targets with a span
//! each, over neighbouring outputs. Both dimensions together make the parts.

use super::super::geometry::Window;
use super::super::layout::{Extent, Sources, product};
use super::{INPUT_TILE, KERNEL, OUTPUT_TILE, OUTSIDE, POINTS};

/// How many times fewer products make up for the transforms.
const WORTHWHILE: f64 = 1.5;

/// Some targets in tiles of 4×4, and what each sums over.
#[derive(Debug, Clone)]
pub struct Winograd {
    parts: Vec<Part>,
    /// Pixels of every tile: 4×4 targets each.
    targets: Vec<u32>,
    source_pixels: usize,
    target_pixels: usize,
}

/// A window of 3×3: where it reads, and which weights it has.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Pixels under every tile: 6×6 sources each.
    pub(super) sources: Vec<u32>,
    /// Its taps of the whole window, row by row.
    pub(super) taps: [u32; KERNEL * KERNEL],
}

/// Up to three weights along one dimension: target `t` sums `weights[step]` times source
/// `scale · (t + step) + offset`.
#[derive(Clone, Copy)]
struct Span {
    scale: usize,
    offset: isize,
    weights: [Option<usize>; KERNEL],
}

/// The pixels `scale · index + offset` along one dimension.
#[derive(Clone, Copy)]
struct Every {
    scale: usize,
    offset: usize,
    count: usize,
}

impl Span {
    /// Returns what outputs sum over.
    fn forward(kernel: usize, stride: usize, margin: usize) -> Vec<Self> {
        let spans = (0..stride).flat_map(|phase| (phase..kernel).step_by(KERNEL * stride));
        spans
            .map(|first| Self {
                scale: stride,
                offset: first as isize - margin as isize,
                weights: [0, 1, 2]
                    .map(|step| Some(first + stride * step).filter(|&at| at < kernel)),
            })
            .collect()
    }

    /// Returns what the gradients of inputs `stride · index + phase` sum over.
    fn backward(kernel: usize, stride: usize, margin: usize, phase: usize) -> Vec<Self> {
        let least = (phase + margin) % stride;
        let last = ((phase + margin) / stride) as isize;
        let firsts = (least..kernel).step_by(KERNEL * stride).enumerate();
        firsts
            .map(|(block, first)| Self {
                scale: 1,
                offset: last - (KERNEL * block + 2) as isize,
                weights: [2, 1, 0]
                    .map(|step| Some(first + stride * step).filter(|&at| at < kernel)),
            })
            .collect()
    }

    fn source(&self, target: usize, len: usize) -> Option<usize> {
        let at = usize::try_from((self.scale * target) as isize + self.offset).ok()?;
        (at < len).then_some(at)
    }
}

impl Winograd {
    /// Returns the outputs of `window`.
    #[must_use]
    pub fn forward(window: &Window) -> Self {
        let Window { kernel_height, kernel_width, stride, .. } = *window;
        let rows = Span::forward(kernel_height, stride, window.top);
        let columns = Span::forward(kernel_width, stride, window.left);
        let all = |count| Every { scale: 1, offset: 0, count };
        let targets = (all(window.out_height), all(window.out_width));
        let inputs = (window.height, window.width);
        let outputs = (window.out_height, window.out_width);
        Self::new(window, (&rows, &columns), inputs, targets, outputs)
    }

    /// Returns the inputs of `window`, whose gradients sum over outputs: as many kinds as the
    /// stride makes, none if one of them meets no weight.
    #[must_use]
    pub fn backward(window: &Window) -> Vec<Self> {
        let Window { kernel_height, kernel_width, stride, .. } = *window;
        if stride > kernel_height.min(kernel_width) {
            return Vec::new();
        }
        let every = |offset: usize, len: usize| Every {
            scale: stride,
            offset,
            count: len.saturating_sub(offset).div_ceil(stride),
        };
        let inputs = (window.height, window.width);
        let outputs = (window.out_height, window.out_width);
        let phases = (0..stride * stride).map(|phase| (phase / stride, phase % stride));
        phases
            .map(|(row, column)| {
                let rows = Span::backward(kernel_height, stride, window.top, row);
                let columns = Span::backward(kernel_width, stride, window.left, column);
                let targets = (every(row, window.height), every(column, window.width));
                Self::new(window, (&rows, &columns), outputs, targets, inputs)
            })
            // An image smaller than the stride lacks some kinds.
            .filter(|tiling| tiling.len() > 0)
            .collect()
    }

    /// Returns whether `tilings` save enough of the products of `window` to make up for the
    /// transforms.
    pub(in super::super) fn are_worthwhile(tilings: &[Self], window: &Window) -> bool {
        let products: usize =
            tilings.iter().map(|tiling| tiling.len() * tiling.parts.len() * POINTS).sum();
        window.products() as f64 >= WORTHWHILE * products as f64
    }

    fn new(
        window: &Window,
        (rows, columns): (&[Span], &[Span]),
        sources: (usize, usize),
        targets: (Every, Every),
        target_size: (usize, usize),
    ) -> Self {
        let tiles = || {
            let tops = (0..targets.0.count).step_by(OUTPUT_TILE);
            tops.flat_map(|top| {
                (0..targets.1.count).step_by(OUTPUT_TILE).map(move |left| (top, left))
            })
        };
        let index = |row: Option<usize>, column: Option<usize>, width: usize| {
            row.zip(column).map_or(OUTSIDE, |(row, column)| (row * width + column) as u32)
        };
        let mut parts = Vec::new();
        for row in rows {
            for column in columns {
                let under = tiles().flat_map(|(top, left)| {
                    square(INPUT_TILE).map(move |(y, x)| {
                        let (y, x) =
                            (row.source(top + y, sources.0), column.source(left + x, sources.1));
                        index(y, x, sources.1)
                    })
                });
                let mut taps = [OUTSIDE; KERNEL * KERNEL];
                for (at, (y, x)) in taps.iter_mut().zip(square(KERNEL)) {
                    *at = index(row.weights[y], column.weights[x], window.kernel_width);
                }
                parts.push(Part { sources: under.collect(), taps });
            }
        }
        let of_inputs = tiles().flat_map(|(top, left)| {
            square(OUTPUT_TILE).map(move |(y, x)| {
                let at = |every: Every, index: usize| {
                    (index < every.count).then_some(every.scale * index + every.offset)
                };
                index(at(targets.0, top + y), at(targets.1, left + x), target_size.1)
            })
        });
        Self {
            parts,
            targets: of_inputs.collect(),
            source_pixels: product(&[sources.0, sources.1]),
            target_pixels: product(&[target_size.0, target_size.1]),
        }
    }

    /// Returns the windows of 3×3 a target sums over.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the pixels of every tile.
    pub(super) fn targets(&self) -> &[u32] {
        &self.targets
    }

    /// Returns the number of tiles.
    pub(super) fn len(&self) -> usize {
        self.targets.len() / (OUTPUT_TILE * OUTPUT_TILE)
    }

    /// Panics unless the tables are those of such sources and targets.
    pub(super) fn assert_fits(&self, sources: &Sources, targets: &Extent) {
        assert_eq!(*sources, Sources::pixels(sources.extent), "sources are pixels");
        assert_eq!(self.source_pixels, sources.extent.pixels, "tiles belong to these sources");
        assert_eq!(self.target_pixels, targets.pixels, "tiles belong to these targets");
    }
}

/// Returns the rows and columns of a square, row by row.
fn square(side: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..side * side).map(move |index| (index / side, index % side))
}

#[cfg(test)]
mod tests {
    use super::super::super::reference::{Numbers, products};
    use super::*;

    /// Lists (target, source, tap) of every product of some tilings.
    fn taps(tilings: &[Winograd]) -> Vec<(u32, u32, u32)> {
        let mut taps = Vec::new();
        for tiling in tilings {
            for part in &tiling.parts {
                let targets = tiling.targets.chunks_exact(OUTPUT_TILE * OUTPUT_TILE);
                for (targets, sources) in targets.zip(part.sources.chunks_exact(POINTS)) {
                    for (target, (y, x)) in targets.iter().zip(square(OUTPUT_TILE)) {
                        for (tap, (row, column)) in part.taps.iter().zip(square(KERNEL)) {
                            let source = sources[(y + row) * INPUT_TILE + x + column];
                            if ![*target, source, *tap].contains(&OUTSIDE) {
                                taps.push((*target, source, *tap));
                            }
                        }
                    }
                }
            }
        }
        taps.sort_unstable();
        taps
    }

    #[test]
    fn tilings_of_any_window_have_its_very_products() {
        let mut numbers = Numbers(7);
        for _ in 0..200 {
            let window = numbers.window();
            let (mut forward, mut backward) = (Vec::new(), Vec::new());
            products(&window, |output, source, tap| {
                forward.push((output as u32, source as u32, tap as u32));
                backward.push((source as u32, output as u32, tap as u32));
            });
            forward.sort_unstable();
            backward.sort_unstable();
            assert_eq!(taps(&[Winograd::forward(&window)]), forward, "{window:?}");
            let tilings = Winograd::backward(&window);
            if !tilings.is_empty() {
                assert_eq!(taps(&tilings), backward, "{window:?}");
            }
        }
    }

    #[test]
    fn an_image_of_one_row_has_no_tiles_of_odd_rows() {
        let window = Window {
            kernel_height: 2,
            kernel_width: 2,
            stride: 2,
            top: 1,
            left: 0,
            out_height: 1,
            out_width: 4,
            ..Window::whole(1, 8)
        };
        let lens: Vec<_> = Winograd::backward(&window).iter().map(Winograd::len).collect();
        assert_eq!(lens, [1, 1]);
    }

    #[test]
    fn a_stride_of_two_makes_four_parts_forward_and_four_kinds_of_inputs_backward() {
        let window = Window {
            kernel_height: 5,
            kernel_width: 5,
            stride: 2,
            top: 1,
            left: 1,
            out_height: 12,
            out_width: 12,
            ..Window::whole(24, 24)
        };
        let forward = Winograd::forward(&window);
        assert_eq!((forward.parts.len(), forward.len()), (4, 9));
        let backward = Winograd::backward(&window);
        let shapes: Vec<_> =
            backward.iter().map(|tiling| (tiling.parts.len(), tiling.len())).collect();
        assert_eq!(shapes, [(1, 9); 4]);
        assert!(Winograd::are_worthwhile(&[forward], &window));
        assert!(Winograd::are_worthwhile(&backward, &window));
    }
}
