//! Which input pixel meets which weight at which output pixel.
//!
//! Convolutions, their gradients, pooling and dense layers all reduce to lists of [`Tap`]s. Taps
//! that would read padding are left out, so nothing is padded in memory and borders cost less.

use super::layout::product;

/// Most pixels of an image and taps of a window, which are counted in 32 bits.
const MAX_AREA: usize = u32::MAX as usize / 2;

/// A window sliding over an image: a convolution's or a pool's, or a dense layer's (one window
/// that covers the image). Sizes are rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) kernel_height: usize,
    pub(super) kernel_width: usize,
    pub(super) stride: usize,
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) out_height: usize,
    pub(super) out_width: usize,
}

impl Window {
    /// Returns a window of `kernel` taps over `input` pixels and `before` pixels of padding above
    /// and on the left, that moves by `stride` to `output` positions.
    ///
    /// # Panics
    /// If the stride is 0, or sizes exceed 2³¹.
    #[must_use]
    pub fn new(
        input: [usize; 2],
        kernel: [usize; 2],
        stride: usize,
        before: [usize; 2],
        output: [usize; 2],
    ) -> Self {
        assert!(stride > 0, "a window moves");
        for area in [input, kernel, output, [stride, before[0].max(before[1])]] {
            assert!(
                product(&area) <= MAX_AREA && area.iter().all(|&side| side <= MAX_AREA),
                "an area of {area:?} is counted in 32 bits"
            );
        }
        Self {
            height: input[0],
            width: input[1],
            kernel_height: kernel[0],
            kernel_width: kernel[1],
            stride,
            top: before[0],
            left: before[1],
            out_height: output[0],
            out_width: output[1],
        }
    }

    /// Returns the window that covers a whole image at once.
    ///
    /// # Panics
    /// If sizes exceed 2³¹.
    #[must_use]
    pub fn whole(height: usize, width: usize) -> Self {
        Self::new([height, width], [height, width], 1, [0, 0], [1, 1])
    }

    /// Returns the rows and columns of the input.
    #[must_use]
    pub fn input(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Returns the rows and columns of the window.
    #[must_use]
    pub fn kernel(&self) -> [usize; 2] {
        [self.kernel_height, self.kernel_width]
    }

    /// Returns the step in both directions.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Returns the pixels of padding above and on the left.
    #[must_use]
    pub fn before(&self) -> [usize; 2] {
        [self.top, self.left]
    }

    /// Returns the rows and columns of the output.
    #[must_use]
    pub fn output(&self) -> [usize; 2] {
        [self.out_height, self.out_width]
    }

    /// Returns the number of input pixels.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.height * self.width
    }

    /// Returns the number of output pixels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.out_height * self.out_width
    }

    /// Returns the number of taps in the window.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel_height * self.kernel_width
    }

    /// Returns the number of taps of all outputs that are not padding.
    pub(super) fn products(&self) -> usize {
        let mut count = 0;
        self.visit(|_, _, _| count += 1);
        count
    }

    /// Returns the input pixel under tap (`row`, `column`) of the window at output
    /// (`out_row`, `out_column`), unless that is padding.
    fn source(
        &self,
        (out_row, out_column): (usize, usize),
        (row, column): (usize, usize),
    ) -> Option<usize> {
        let y = (out_row * self.stride + row).checked_sub(self.top)?;
        let x = (out_column * self.stride + column).checked_sub(self.left)?;
        (y < self.height && x < self.width).then_some(y * self.width + x)
    }

    /// Calls `visit(output, source, tap)` for every tap of every output that is not padding,
    /// outputs outermost, taps in row-major order.
    fn visit(&self, mut visit: impl FnMut(usize, usize, usize)) {
        for out_row in 0..self.out_height {
            for out_column in 0..self.out_width {
                for tap in 0..self.taps() {
                    let at = (tap / self.kernel_width, tap % self.kernel_width);
                    if let Some(source) = self.source((out_row, out_column), at) {
                        visit(out_row * self.out_width + out_column, source, tap);
                    }
                }
            }
        }
    }
}

/// One product of a sum: the values of pixel `source` times the weights of the tap
/// `index` of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) source: u32,
    pub(super) index: u32,
}

/// For every target pixel, the taps that sum up to it.
#[derive(Debug, Clone)]
pub struct Taps {
    starts: Vec<u32>,
    list: Vec<Tap>,
    sources: usize,
    per_window: usize,
    last_source: usize,
}

impl Taps {
    /// Returns the taps of the outputs of `window`.
    #[must_use]
    pub fn forward(window: &Window) -> Self {
        let mut lists = vec![Vec::new(); window.outputs()];
        window.visit(|output, source, tap| {
            lists[output].push(Tap { source: source as u32, index: tap as u32 });
        });
        Self::collect(&lists, window.inputs(), window.taps())
    }

    /// Returns the taps of the gradient with respect to the inputs of `window`: sources are
    /// output pixels.
    #[must_use]
    pub fn backward(window: &Window) -> Self {
        let mut lists = vec![Vec::new(); window.inputs()];
        window.visit(|output, source, tap| {
            lists[source].push(Tap { source: output as u32, index: tap as u32 });
        });
        Self::collect(&lists, window.outputs(), window.taps())
    }

    fn collect(lists: &[Vec<Tap>], sources: usize, per_window: usize) -> Self {
        let mut starts = vec![0];
        let mut taps = Vec::new();
        for list in lists {
            taps.extend_from_slice(list);
            starts.push(u32::try_from(taps.len()).expect("a layer has fewer than 2³² taps"));
        }
        let last_source = taps.iter().map(|tap| tap.source).max().unwrap_or(0) as usize;
        Self { starts, list: taps, sources, per_window, last_source }
    }

    /// Returns the number of target pixels.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns the number of source pixels.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.sources
    }

    /// Returns the last source any target sums over.
    #[must_use]
    pub fn last_source(&self) -> usize {
        self.last_source
    }

    /// Returns the number of taps in the window.
    #[must_use]
    pub fn window_taps(&self) -> usize {
        self.per_window
    }

    /// Returns the number of taps of all targets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns whether every window lies in padding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns what a tap of each target counts in a mean: one over `divisor` of the number of its
    /// taps and of those of its window, which are more where it reaches into padding.
    #[must_use]
    pub fn shares(&self, divisor: impl Fn(usize, usize) -> usize) -> Vec<f32> {
        let targets = 0..self.targets();
        targets
            .map(|target| 1.0 / divisor(self.of(target).len(), self.per_window).max(1) as f32)
            .collect()
    }

    /// Returns the taps of one target.
    #[inline(always)]
    pub(super) fn of(&self, target: usize) -> &[Tap] {
        &self.list[self.starts[target] as usize..self.starts[target + 1] as usize]
    }
}

/// Consecutive output pixels whose sources are consecutive too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) source: u32,
    pub(super) output: u32,
    pub(super) len: u32,
}

/// For every stretch of outputs and every tap of the window, the pixels that meet there: the
/// order in which weight gradients are summed.
#[derive(Debug, Clone)]
pub struct Runs {
    starts: Vec<u32>,
    list: Vec<Run>,
    taps: usize,
    stretches: usize,
    /// The first source and the first output of each stretch and those after it.
    begins: Vec<(usize, usize)>,
    /// One past the last source and the last output of each stretch and those before it.
    ends: Vec<(usize, usize)>,
    sources: usize,
    outputs: usize,
    last_source: usize,
}

impl Runs {
    /// Returns the runs of `window`, cut into stretches of about `stretch` outputs.
    ///
    /// A stretch is what should stay in the first cache while all taps are summed.
    ///
    /// # Panics
    /// If there are 2³² runs or more.
    #[must_use]
    pub fn new(window: &Window, stretch: usize) -> Self {
        let (taps, outputs) = (window.taps(), window.outputs());
        let stretches = outputs.div_ceil(stretch.max(1)).max(1);
        let mut lists: Vec<Vec<Run>> = vec![Vec::new(); taps * stretches];
        window.visit(|output, source, tap| {
            let list = &mut lists[(output * stretches / outputs) * taps + tap];
            match list.last_mut() {
                Some(run)
                    if (run.output + run.len) as usize == output
                        && (run.source + run.len) as usize == source =>
                {
                    run.len += 1;
                }
                _ => list.push(Run { source: source as u32, output: output as u32, len: 1 }),
            }
        });
        let mut starts = vec![0];
        let mut runs = Vec::new();
        for list in &lists {
            runs.extend_from_slice(list);
            starts.push(u32::try_from(runs.len()).expect("a layer has fewer than 2³² runs"));
        }
        let mut ends = Vec::with_capacity(stretches);
        let mut end = (0, 0);
        for lists in lists.chunks(taps) {
            for run in lists.iter().flatten() {
                end.0 = end.0.max((run.source + run.len) as usize);
                end.1 = end.1.max((run.output + run.len) as usize);
            }
            ends.push(end);
        }
        let mut begins = Vec::with_capacity(stretches);
        let mut begin = end;
        for lists in lists.chunks(taps).rev() {
            for run in lists.iter().flatten() {
                begin.0 = begin.0.min(run.source as usize);
                begin.1 = begin.1.min(run.output as usize);
            }
            begins.push(begin);
        }
        begins.reverse();
        let last_source = end.0.saturating_sub(1);
        let sources = window.inputs();
        Self { starts, list: runs, taps, stretches, begins, ends, sources, outputs, last_source }
    }

    /// Returns the number of taps in the window.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// Returns the number of stretches.
    #[must_use]
    pub fn stretches(&self) -> usize {
        self.stretches
    }

    /// Returns the number of input pixels.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.sources
    }

    /// Returns the last source any output sums over.
    #[must_use]
    pub fn last_source(&self) -> usize {
        self.last_source
    }

    /// Returns the number of output pixels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Returns the most sources and the most outputs to be kept at a time when those of a stretch
    /// are kept until no later one needs them.
    pub(super) fn spans(&self) -> (usize, usize) {
        let mut spans = (0, 0);
        for (begin, end) in self.begins.iter().zip(&self.ends) {
            spans.0 = spans.0.max(end.0.saturating_sub(begin.0));
            spans.1 = spans.1.max(end.1.saturating_sub(begin.1));
        }
        spans
    }

    /// Returns the first source and the first output met from the start of a stretch on.
    #[inline(always)]
    pub(super) fn begins(&self, stretch: usize) -> (usize, usize) {
        self.begins[stretch]
    }

    /// Returns one past the last source and the last output met up to the end of a stretch.
    #[inline(always)]
    pub(super) fn ends(&self, stretch: usize) -> (usize, usize) {
        self.ends[stretch]
    }

    /// Returns the runs of one tap within one stretch.
    #[inline(always)]
    pub(super) fn of(&self, stretch: usize, tap: usize) -> &[Run] {
        let at = stretch * self.taps + tap;
        &self.list[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same_3x3(side: usize) -> Window {
        Window {
            height: side,
            width: side,
            kernel_height: 3,
            kernel_width: 3,
            stride: 1,
            top: 1,
            left: 1,
            out_height: side,
            out_width: side,
        }
    }

    #[test]
    fn taps_in_padding_are_left_out() {
        let taps = Taps::forward(&same_3x3(4));
        assert_eq!(taps.of(0).len(), 4);
        assert_eq!(taps.of(1).len(), 6);
        assert_eq!(taps.of(5).len(), 9);
        assert_eq!(taps.of(0)[0], Tap { source: 0, index: 4 });
        assert_eq!(taps.len(), 4 * 4 + 8 * 6 + 4 * 9);
    }

    #[test]
    fn forward_and_backward_taps_are_the_same_pairs() {
        let window = Window { stride: 2, out_height: 2, out_width: 2, ..same_3x3(4) };
        let pairs = |taps: &Taps, swap: bool| {
            let mut pairs = Vec::new();
            for target in 0..taps.targets() {
                for tap in taps.of(target) {
                    let (a, b) = (target as u32, tap.source);
                    pairs.push(if swap { (b, a, tap.index) } else { (a, b, tap.index) });
                }
            }
            pairs.sort_unstable();
            pairs
        };
        let forward = pairs(&Taps::forward(&window), false);
        assert_eq!(forward, pairs(&Taps::backward(&window), true));
        let mut runs = Vec::new();
        let table = Runs::new(&window, 3);
        for stretch in 0..table.stretches() {
            for tap in 0..table.taps() {
                for run in table.of(stretch, tap) {
                    for step in 0..run.len {
                        runs.push((run.output + step, run.source + step, tap as u32));
                    }
                }
            }
        }
        runs.sort_unstable();
        assert_eq!(forward, runs);
    }

    #[test]
    fn runs_of_a_stride_one_window_join_neighbours() {
        let runs = Runs::new(&same_3x3(4), 16);
        assert_eq!(runs.stretches(), 1);
        assert_eq!(runs.of(0, 4), [Run { source: 0, output: 0, len: 16 }]);
        assert_eq!(runs.of(0, 3).len(), 4);
    }

    #[test]
    fn a_stretch_of_one_row_keeps_three_rows_of_sources() {
        let runs = Runs::new(&same_3x3(4), 4);
        assert_eq!(runs.stretches(), 4);
        let of = |stretch| (runs.begins(stretch), runs.ends(stretch));
        assert_eq!(of(0), ((0, 0), (8, 4)));
        assert_eq!(of(2), ((4, 8), (16, 12)));
        assert_eq!(runs.spans(), (12, 4));
    }
}
