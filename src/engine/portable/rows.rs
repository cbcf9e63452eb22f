//! Which feature of a layer's input stands where in what the layer multiplies: the plan of a
//! convolution or a pool in the packed layout, where a feature is a row of one value per image.

#[cfg(feature = "cuda")]
use std::any::Any;
use std::cell::OnceCell;
use std::rc::Rc;

use dfdx::prelude::Tensor;

use super::super::geometry::{Volume, Window};
use super::ops::Backend;

/// One value per row.
type PerRow<D> = Tensor<(usize,), f32, D>;

/// Where the values of one gathered row come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A row of the input.
    Row(usize),
    /// Zeros: the padding of an image.
    Zeros,
}

/// Neighbouring gathered rows that come from neighbouring input rows, or all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) from: Source,
    pub(super) rows: usize,
}

/// A gather of rows: from `inputs` rows to the rows of `sources`.
#[derive(Debug)]
pub(crate) struct Rows<D: Backend> {
    /// Rows of the input.
    pub(super) inputs: usize,
    /// Rows of the output.
    pub(super) outputs: usize,
    /// The output in runs, in order.
    pub(super) runs: Rc<[Run]>,
    sources: Vec<Source>,
    index: OnceCell<Tensor<(usize, usize), usize, D>>,
    factors: OnceCell<PerRow<D>>,
    /// What a device keeps of this gather for operations of its own.
    #[cfg(feature = "cuda")]
    kept: OnceCell<Rc<dyn Any>>,
}

impl<D: Backend> Rows<D> {
    pub(super) fn new(inputs: usize, sources: Vec<Source>) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for &from in &sources {
            match runs.last_mut() {
                Some(run) if continues(*run, from) => run.rows += 1,
                _ => runs.push(Run { from, rows: 1 }),
            }
        }
        Self {
            inputs,
            outputs: sources.len(),
            runs: runs.into(),
            sources,
            index: OnceCell::new(),
            factors: OnceCell::new(),
            #[cfg(feature = "cuda")]
            kept: OnceCell::new(),
        }
    }

    /// Returns whether zeros are needed beside the input.
    pub(super) fn has_zeros(&self) -> bool {
        self.sources.contains(&Source::Zeros)
    }

    /// Returns what turns gathered rows into zeros where these are asked for: a factor of every row.
    pub(super) fn factors(&self, device: &D) -> Result<&PerRow<D>, D::Err> {
        if let Some(factors) = self.factors.get() {
            return Ok(factors);
        }
        let of = |source: &Source| f32::from(u8::from(*source != Source::Zeros));
        let values = self.sources.iter().map(of).collect();
        let factors = device.try_tensor_from_vec(values, (self.outputs,))?;
        Ok(self.factors.get_or_init(|| factors))
    }

    /// Returns what a device keeps of this gather, made when it is first asked for.
    ///
    /// # Panics
    /// If another kind of thing is kept.
    #[cfg(feature = "cuda")]
    pub(crate) fn kept<K: 'static, E>(&self, make: impl Fn() -> Result<K, E>) -> Result<Rc<K>, E> {
        if self.kept.get().is_none() {
            let made: Rc<dyn Any> = Rc::new(make()?);
            let _ = self.kept.set(made);
        }
        let kept = Rc::clone(self.kept.get().expect("it was just made"));
        Ok(kept.downcast().expect("one device has one kind of thing to keep"))
    }

    /// Returns for every input row which output rows are its copies: where each list begins and the
    /// last one ends, and the lists.
    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn copies(&self) -> (Vec<u32>, Vec<u32>) {
        let mut lists = vec![Vec::new(); self.inputs];
        for (output, source) in self.sources.iter().enumerate() {
            if let Source::Row(row) = source {
                lists[*row].push(output as u32);
            }
        }
        let mut first = vec![0];
        first.extend(lists.iter().scan(0, |end, list| {
            *end += list.len() as u32;
            Some(*end)
        }));
        (first, lists.concat())
    }

    /// Returns the index tensor of a stock gather, where the first row stands in for zeros.
    pub(super) fn index(
        &self,
        device: &D,
        models: usize,
    ) -> Result<Tensor<(usize, usize), usize, D>, D::Err> {
        if let Some(index) = self.index.get() {
            return Ok(index.clone());
        }
        let one_model = self.sources.iter().map(|source| match source {
            Source::Row(row) => *row,
            Source::Zeros => 0,
        });
        let all = (0..models).flat_map(|_| one_model.clone()).collect();
        let index = device.try_tensor_from_vec(all, (models, self.outputs))?;
        Ok(self.index.get_or_init(|| index).clone())
    }
}

fn continues(run: Run, next: Source) -> bool {
    match (run.from, next) {
        (Source::Row(first), Source::Row(row)) => row == first + run.rows,
        (Source::Zeros, Source::Zeros) => true,
        _ => false,
    }
}

/// Plans a convolution: rows `channel, y, x` by output position.
pub(super) fn convolution<D: Backend>(input: Volume, window: &Window) -> Rows<D> {
    let mut sources = Vec::new();
    for channel in 0..input.channels {
        for tap in window.taps() {
            sources.extend(window.outputs().map(|output| {
                window.source(output, tap).map_or(Source::Zeros, |position| {
                    Source::Row(channel * input.positions() + position)
                })
            }));
        }
    }
    Rows::new(input.features(), sources)
}

/// The windows of a pool: for every output row, the input rows under the window.
#[derive(Debug)]
pub(crate) struct Windows<D: Backend> {
    /// Rows of the input.
    pub(super) inputs: usize,
    /// Rows of the output.
    pub(super) outputs: usize,
    /// One gather per tap of the window.
    pub(super) taps: Vec<Rows<D>>,
    /// For every tap, the input row of every output row; nothing in the padding.
    pub(super) rows: Rc<[Vec<Option<u32>>]>,
    /// For every output row, what the sum of a mean is divided by: the taps that are not padding,
    /// unless told otherwise.
    pub(super) counts: Vec<u32>,
    shares: OnceCell<Tensor<(usize,), f32, D>>,
}

impl<D: Backend> Windows<D> {
    /// Plans a pool. In the gathers, padding shows `outside` or, without it, the first tap of
    /// the window that is not padding (which changes no maximum).
    pub(super) fn new(input: Volume, window: &Window, outside: Option<Source>) -> Self {
        let row_at = |channel, output, tap| {
            let position = window.source(output, tap)?;
            Some((channel * input.positions() + position) as u32)
        };
        let per_tap = |tap| -> Vec<Option<u32>> {
            (0..input.channels)
                .flat_map(|channel| window.outputs().map(move |output| (channel, output)))
                .map(|(channel, output)| row_at(channel, output, tap))
                .collect()
        };
        let rows: Vec<Vec<Option<u32>>> = window.taps().map(per_tap).collect();
        let outputs = input.channels * window.positions();
        let (mut first, mut counts) = (vec![None; outputs], vec![0; outputs]);
        for tap in &rows {
            for ((row, first), count) in tap.iter().zip(&mut first).zip(&mut counts) {
                *first = first.or(*row);
                *count += u32::from(row.is_some());
            }
        }
        let source = |row: Option<u32>, first: Option<u32>| {
            let inside = row.map(|row| Source::Row(row as usize));
            let instead = first.map(|row| Source::Row(row as usize));
            inside.or(outside).or(instead).unwrap_or(Source::Zeros)
        };
        let taps = rows
            .iter()
            .map(|tap| {
                let sources = tap.iter().zip(&first).map(|(&row, &first)| source(row, first));
                Rows::new(input.features(), sources.collect())
            })
            .collect();
        Self {
            inputs: input.features(),
            outputs,
            taps,
            rows: rows.into(),
            counts,
            shares: OnceCell::new(),
        }
    }

    /// Divides means by `divisor` of the taps inside the image and of all taps of the window.
    pub(super) fn divided(mut self, divisor: impl Fn(usize, usize) -> usize) -> Self {
        let all = self.taps.len();
        for count in &mut self.counts {
            *count = divisor(*count as usize, all) as u32;
        }
        self
    }

    /// Returns the inverse of every count.
    pub(super) fn shares(&self, device: &D) -> Result<Tensor<(usize,), f32, D>, D::Err> {
        if let Some(shares) = self.shares.get() {
            return Ok(shares.clone());
        }
        let values = self.counts.iter().map(|&count| 1.0 / count.max(1) as f32).collect();
        let shares = device.try_tensor_from_vec(values, (self.outputs,))?;
        Ok(self.shares.get_or_init(|| shares).clone())
    }
}
