//! One stage at run time: its tables, buffers and range of the parameters.

use super::parameters::ParameterLayout;
use super::stages::{Linear, Norm, Pool, PoolKind, Stage};
use crate::experiment::layers::NormStatistics;
use gridbench_kernels::{
    Aligned, Extent, Inside, Runs, Sources, Storage, Taps, Tiled, WeightShape, Window,
};

/// Bytes of a stage's sums that should stay in the second cache between two passes over them.
const CHUNK_BYTES: usize = 256 * 1024;

/// A stage with everything it needs, allocated once.
pub(super) struct Layer<E: Storage> {
    pub(super) stage: Stage,
    /// What goes in.
    pub(super) inputs: Extent,
    /// What is multiplied of it.
    pub(super) sources: Sources,
    /// Where images stand in the first stage's input, if it multiplies.
    pub(super) inside: Option<Inside>,
    /// What products give.
    pub(super) pre_activation: Extent,
    /// What comes out.
    pub(super) outputs: Extent,
    pub(super) linear: Option<LinearLayer<E>>,
    pub(super) norm: Option<NormLayer>,
    pub(super) pool: Option<PoolLayer<E>>,
    /// Sums before normalisation or pooling, where they are needed apart from the output.
    pub(super) sums: Aligned<E>,
    /// Sum of the gradient per channel: what the bias, or the shift, learns from.
    pub(super) gradient_sums: Vec<f64>,
    /// Groups worked on at a time.
    pub(super) chunk: usize,
    /// Whether the gradient of the input is wanted.
    pub(super) needs_input_gradient: bool,
}

/// Lays a window over images that stand in one pixel each, padding included: every row of the
/// window is one source. A window that covers the image is a single one.
fn image_rows<E: Storage>(window: &Window, channels: usize) -> (Window, Sources, Inside) {
    let extent = |len: usize| Extent::new(1, len, E::GROUP).with_step(E::STEP);
    let ([height, width], [top, left]) = (window.input(), window.before());
    let inside = Inside { height, width, channels, top, left, padded_width: width };
    if *window == Window::whole(height, width) {
        let len = window.inputs() * channels;
        return (Window::whole(1, 1), Sources::pixels(extent(len)), inside);
    }
    let reach = |along: usize, length: usize| {
        let (outputs, kernel) = (window.output()[along], window.kernel()[along]);
        ((outputs - 1) * window.stride() + kernel).max(window.before()[along] + length)
    };
    let padded = [reach(0, height), reach(1, width)];
    let kernel = [window.kernel()[0], 1];
    let rows = Window::new(padded, kernel, window.stride(), [0, 0], window.output());
    // Tiles may read a whole row of theirs at the last source.
    let extent = extent(padded[0] * padded[1] * channels + E::STEP);
    let sources = Sources::within(extent, channels, window.kernel()[1] * channels);
    (rows, sources, Inside { padded_width: padded[1], ..inside })
}

/// The weights of a stage at run time.
pub(super) struct LinearLayer<E: Storage> {
    pub(super) shape: WeightShape,
    pub(super) forward: Taps,
    pub(super) backward: Taps,
    pub(super) runs: Runs,
    pub(super) tiled: Tiled,
    pub(super) packed_forward: Aligned<E>,
    pub(super) packed_backward: Aligned<E>,
    /// Index among the slots.
    pub(super) weights: usize,
    /// Index among the slots.
    pub(super) bias: Option<usize>,
    /// The bias, or zeros.
    pub(super) bias_values: Vec<f32>,
}

/// A batch normalisation at run time.
pub(super) struct NormLayer {
    pub(super) settings: Norm,
    /// Indices among the slots.
    pub(super) scale: usize,
    /// Indices among the slots.
    pub(super) shift: usize,
    pub(super) running_mean: Vec<f32>,
    pub(super) running_variance: Vec<f32>,
    /// Mean of the batch.
    pub(super) mean: Vec<f32>,
    /// One over the standard deviation of the batch.
    pub(super) inverse_deviation: Vec<f32>,
    /// Sums of `x − running mean` and its square.
    pub(super) moments: [Vec<f64>; 2],
    /// What is applied: factor and offset per channel.
    pub(super) affine: [Vec<f32>; 2],
    /// Sum of gradient times centred value per channel.
    pub(super) products: Vec<f64>,
    /// Factor, slope and offset of the gradient per channel.
    pub(super) backward: [Vec<f32>; 3],
    /// What a pass over the training images has measured so far.
    measured: Measured,
}

/// Mean and variance per channel of everything seen, batch by batch.
#[derive(Default)]
struct Measured {
    count: f64,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

/// What becomes of a batch's mean and variance.
#[derive(Clone, Copy)]
pub(super) enum Keep {
    /// The running statistics move: the step from 1.
    Step(u64),
    /// They are measured.
    Measure,
}

/// A pool at run time.
pub(super) struct PoolLayer<E: Storage> {
    pub(super) is_max: bool,
    pub(super) forward: Taps,
    pub(super) backward: Taps,
    pub(super) shares: Vec<f32>,
    pub(super) winners: Aligned<u8>,
    /// Gradient of what was pooled.
    pub(super) gradient: Aligned<E>,
}

impl<E: Storage> Layer<E> {
    /// Plans a stage for batches of up to `capacity` images and adds its parameters to `layout`.
    ///
    /// The first stage reads whole padded images, a row of its window at a time.
    pub(super) fn new(
        stage: Stage,
        layout: &mut ParameterLayout,
        capacity: usize,
        is_first: bool,
        needs_input_gradient: bool,
    ) -> Self {
        let extent = |pixels, channels| Extent::new(pixels, channels, E::GROUP).with_step(E::STEP);
        let pre_activation =
            extent(stage.pre_activation.positions(), stage.pre_activation.channels);
        let outputs = extent(stage.output.positions(), stage.output.channels);
        let window = stage.linear.as_ref().map(|linear| linear.window);
        let (window, sources, inside) = match window {
            Some(window) if is_first => {
                let (window, sources, inside) = image_rows::<E>(&window, stage.input.channels);
                (Some(window), sources, Some(inside))
            }
            window => {
                let inputs = extent(stage.input.positions(), stage.input.channels);
                (window, Sources::pixels(inputs), None)
            }
        };
        let groups = pre_activation.groups(capacity);
        let chunk = (CHUNK_BYTES / (pre_activation.group_len() * size_of::<E>())).clamp(1, groups);
        let linear = stage.linear.as_ref().zip(window).map(|(linear, window)| {
            LinearLayer::new(
                linear,
                &window,
                &sources,
                &pre_activation,
                layout,
                needs_input_gradient,
            )
        });
        let norm = stage.norm.as_ref().map(|norm| NormLayer::new(norm, &pre_activation, layout));
        let pool = stage.pool.as_ref().map(|pool| {
            let kept = match (stage.is_bare(), &norm) {
                (true, _) => 0,
                (false, Some(_)) => groups,
                (false, None) => chunk,
            };
            PoolLayer::new(pool, kept * pre_activation.group_len(), outputs.len(capacity))
        });
        let kept = match (&norm, &pool) {
            (Some(_), _) => groups,
            (None, Some(_)) if !stage.is_bare() => chunk,
            (None, _) => 0,
        };
        Self {
            inputs: *sources.extent(),
            sources,
            inside,
            pre_activation,
            outputs,
            linear,
            norm,
            pool,
            sums: Aligned::zeros(kept * pre_activation.group_len()),
            gradient_sums: vec![0.0; pre_activation.stride()],
            chunk,
            needs_input_gradient,
            stage,
        }
    }

    /// Returns the ranges of images worked on at a time.
    pub(super) fn chunks(&self, images: usize) -> impl Iterator<Item = Chunk> + use<E> {
        let size = self.chunk * E::GROUP;
        (0..images.div_ceil(size)).map(move |chunk| {
            let first = chunk * size;
            Chunk { first, images: (images - first).min(size) }
        })
    }

    /// Returns the bytes of all buffers.
    pub(super) fn bytes(&self) -> usize {
        let linear = self
            .linear
            .as_ref()
            .map_or(0, |linear| linear.packed_forward.bytes() + linear.packed_backward.bytes());
        let pool =
            self.pool.as_ref().map_or(0, |pool| pool.winners.bytes() + pool.gradient.bytes());
        linear + pool + self.sums.bytes()
    }
}

/// Some consecutive images of a batch; `first` begins a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) first: usize,
    pub(super) images: usize,
}

impl Chunk {
    /// Returns the values of these images.
    pub(super) fn of<'a, T>(&self, extent: &Extent, values: &'a [T]) -> &'a [T] {
        &values[extent.offset(self.first, 0)..][..extent.len(self.images)]
    }

    /// Returns the values of these images.
    pub(super) fn of_mut<'a, T>(&self, extent: &Extent, values: &'a mut [T]) -> &'a mut [T] {
        &mut values[extent.offset(self.first, 0)..][..extent.len(self.images)]
    }
}

impl<E: Storage> LinearLayer<E> {
    fn new(
        linear: &Linear,
        window: &Window,
        sources: &Sources,
        pre_activation: &Extent,
        layout: &mut ParameterLayout,
        needs_input_gradient: bool,
    ) -> Self {
        let shape = WeightShape::new(window.taps(), sources.length(), pre_activation);
        // Files order weights by the window, also where several of its taps are one source.
        let taps = linear.window.taps();
        let inputs = shape.taps() * shape.inputs() / taps;
        let order = WeightShape::new(taps, inputs, pre_activation);
        let weights =
            layout.weights(format!("{}.weight", linear.prefix), linear.shape.clone(), order);
        let bias =
            linear.bias.then(|| layout.vector(format!("{}.bias", linear.prefix), pre_activation));
        let tiled = E::tiled(window, sources, pre_activation);
        let backward = if needs_input_gradient {
            E::backward_len(&shape, &tiled, sources.extent().stride())
        } else {
            0
        };
        Self {
            shape,
            forward: Taps::forward(window),
            backward: Taps::backward(window),
            runs: Runs::new(window, E::stretch(sources, pre_activation)),
            packed_forward: Aligned::zeros(E::forward_len(&shape, &tiled)),
            packed_backward: Aligned::zeros(backward),
            tiled,
            weights,
            bias,
            bias_values: vec![0.0; pre_activation.stride()],
        }
    }
}

impl NormLayer {
    fn new(norm: &Norm, pre_activation: &Extent, layout: &mut ParameterLayout) -> Self {
        let stride = pre_activation.stride();
        let zeros = || vec![0.0; stride];
        Self {
            settings: norm.clone(),
            scale: layout.vector(format!("{}.scale", norm.prefix), pre_activation),
            shift: layout.vector(format!("{}.shift", norm.prefix), pre_activation),
            running_mean: zeros(),
            running_variance: vec![1.0; stride],
            mean: zeros(),
            inverse_deviation: zeros(),
            moments: [vec![0.0; stride], vec![0.0; stride]],
            affine: [zeros(), zeros()],
            products: vec![0.0; stride],
            backward: [zeros(), zeros(), zeros()],
            measured: Measured::default(),
        }
    }

    /// Returns whether an evaluation normalises by what a pass over the training images measured.
    pub(super) fn is_measured(&self) -> bool {
        self.settings.statistics == NormStatistics::Population
    }

    /// Begins to measure.
    pub(super) fn begin_measuring(&mut self) {
        let zeros = || vec![0.0; self.running_mean.len()];
        self.measured = Measured { count: 0.0, mean: zeros(), variance: zeros() };
    }

    /// Takes what was measured for the running statistics.
    pub(super) fn end_measuring(&mut self) {
        let Measured { count, mean, variance } = std::mem::take(&mut self.measured);
        if count > 0.0 {
            self.running_mean = mean.into_iter().map(|mean| mean as f32).collect();
            self.running_variance = variance.into_iter().map(|value| value as f32).collect();
        }
    }

    /// Turns the moments of a batch of `count` values per channel into the normalisation to apply,
    /// and keeps them.
    pub(super) fn normalise_batch(&mut self, count: f64, scale: &[f32], shift: &[f32], keep: Keep) {
        let share = match keep {
            Keep::Step(step) => {
                self.settings.statistics.share_of_step(self.settings.momentum, step)
            }
            Keep::Measure => {
                self.measured.count += count;
                count / self.measured.count
            }
        };
        for channel in 0..self.mean.len() {
            let centered = self.moments[0][channel] / count;
            let square = self.moments[1][channel] / count;
            let mean = f64::from(self.running_mean[channel]) + centered;
            // `max` would hide a NaN, and with it a divergence.
            let variance = square - centered * centered;
            let variance = if variance < 0.0 { 0.0 } else { variance };
            match keep {
                Keep::Step(_) => {
                    let moved =
                        |old: f32, new| ((1.0 - share) * f64::from(old) + share * new) as f32;
                    self.running_mean[channel] = moved(self.running_mean[channel], mean);
                    self.running_variance[channel] =
                        moved(self.running_variance[channel], variance);
                }
                Keep::Measure => self.measured.add(channel, share, mean, variance),
            }
            let inverse = 1.0 / (variance + self.settings.epsilon).sqrt();
            self.mean[channel] = mean as f32;
            self.inverse_deviation[channel] = inverse as f32;
            let factor = f64::from(scale[channel]) * inverse;
            self.affine[0][channel] = factor as f32;
            self.affine[1][channel] = (f64::from(shift[channel]) - mean * factor) as f32;
        }
    }

    /// Works out the normalisation to apply from the running statistics.
    pub(super) fn normalise_running(&mut self, scale: &[f32], shift: &[f32]) {
        for channel in 0..self.mean.len() {
            let variance = f64::from(self.running_variance[channel]) + self.settings.epsilon;
            let factor = f64::from(scale[channel]) / variance.sqrt();
            let mean = f64::from(self.running_mean[channel]);
            self.affine[0][channel] = factor as f32;
            self.affine[1][channel] = (f64::from(shift[channel]) - mean * factor) as f32;
        }
    }

    /// Works out the gradient's coefficients from its sums over `count` values per channel:
    /// `dx = γ/σ · (dy − mean(dy) − x̂ · mean(dy · x̂))` (Ioffe & Szegedy 2015). Returns nothing;
    /// writes the gradients of scale and shift.
    pub(super) fn differentiate(
        &mut self,
        count: f64,
        scale: &[f32],
        gradient_sums: &[f64],
        scale_gradient: &mut [f32],
        shift_gradient: &mut [f32],
    ) {
        for channel in 0..self.mean.len() {
            let inverse = f64::from(self.inverse_deviation[channel]);
            let sum = gradient_sums[channel];
            let product = self.products[channel] * inverse;
            scale_gradient[channel] = product as f32;
            shift_gradient[channel] = sum as f32;
            let factor = f64::from(scale[channel]) * inverse;
            let slope = -factor * inverse * product / count;
            let offset = -factor * sum / count - slope * f64::from(self.mean[channel]);
            self.backward[0][channel] = factor as f32;
            self.backward[1][channel] = slope as f32;
            self.backward[2][channel] = offset as f32;
        }
    }
}

impl Measured {
    /// Adds a batch that is `share` of everything seen with it (Chan, Golub & LeVeque 1983).
    fn add(&mut self, channel: usize, share: f64, mean: f64, variance: f64) {
        let away = mean - self.mean[channel];
        self.mean[channel] += share * away;
        let before = &mut self.variance[channel];
        *before = (1.0 - share) * (*before + share * away * away) + share * variance;
    }
}

impl<E: Storage> PoolLayer<E> {
    fn new(pool: &Pool, gradient: usize, outputs: usize) -> Self {
        let forward = Taps::forward(&pool.window);
        let is_max = pool.kind == PoolKind::Max;
        let shares = match pool.kind {
            PoolKind::Max => Vec::new(),
            PoolKind::Average(convention) => {
                forward.shares(|inside, all| convention.divisor(inside, all))
            }
        };
        Self {
            is_max,
            backward: Taps::backward(&pool.window),
            forward,
            shares,
            winners: Aligned::zeros(if is_max { outputs } else { 0 }),
            gradient: Aligned::zeros(gradient),
        }
    }
}
