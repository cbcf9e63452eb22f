//! A network as stages: forward from pixels to logits, buffers allocated once.
//!
//! The output of every stage is the input of the next and lies in one buffer; on the way back the
//! gradient is written over it (see [`super::backward`]).

use super::super::EngineError;
use super::layer::{Chunk, Keep, Layer, LinearLayer, NormLayer};
use super::parameters::ParameterLayout;
use super::stages;
use crate::experiment::architecture::Architecture;
use crate::experiment::layers::LayerSettings;
use gridbench_kernels::{
    Activation, Affine, Aligned, Conv, Dispatch, Dropout, Extent, ForwardEpilogue, Moments,
    PoolForward, PoolKind, Sources, Storage, Transform, pad_images, pass_forward, pool_forward,
    spread_images, transform, transform_in_place,
};

/// How a forward pass treats normalisation and dropout.
#[derive(Clone, Copy)]
pub(super) enum Mode<'a> {
    /// Statistics of the batch, and dropout keyed by what this gives for a layer's index.
    Training {
        /// The step, from 1.
        step: u64,
        /// Key of a layer's dropout.
        key: &'a dyn Fn(usize) -> u64,
    },
    /// Running statistics, no dropout.
    Evaluation,
    /// The same, but layers that normalise by statistics of the training images use and measure
    /// those of the batch.
    Measuring,
}

impl Mode<'_> {
    /// Returns what becomes of the statistics of a batch, where this layer is to use them.
    fn keep(&self, norm: &NormLayer) -> Option<Keep> {
        match self {
            Self::Training { step, .. } => Some(Keep::Step(*step)),
            Self::Measuring => norm.is_measured().then_some(Keep::Measure),
            Self::Evaluation => None,
        }
    }
}

/// The stages of a network on one path.
pub(super) struct ForwardPass<E: Storage> {
    pub(super) dispatch: Dispatch,
    pub(super) layers: Vec<Layer<E>>,
    pub(super) layout: ParameterLayout,
    /// Input of every stage; gradients of these on the way back.
    pub(super) activations: Vec<Aligned<E>>,
    pub(super) logits: Aligned<f32>,
    /// Gradient of the logits.
    pub(super) delta: Aligned<E>,
    /// Room for what kernels keep for themselves.
    pub(super) scratch: Aligned<E>,
    /// Most images in a batch.
    pub(super) capacity: usize,
    /// Images of the last forward pass, whose surplus rows are known to be zero.
    pub(super) images: usize,
    is_packed: bool,
}

impl<E: Storage> ForwardPass<E> {
    /// Plans `layers` for batches of up to `capacity` images.
    ///
    /// # Errors
    /// If a layer is one the kernels cannot do.
    pub(super) fn new(
        dispatch: Dispatch,
        layers: &[LayerSettings],
        architecture: &Architecture,
        capacity: usize,
    ) -> Result<Self, EngineError> {
        let mut layout = ParameterLayout::default();
        let mut has_parameters = false;
        let mut planned = Vec::new();
        for stage in stages::cut(layers, architecture)? {
            let is_first = planned.is_empty();
            let learns = stage.has_parameters();
            planned.push(Layer::new(stage, &mut layout, capacity, is_first, has_parameters));
            has_parameters |= learns;
        }
        let activations: Vec<Aligned<E>> = planned
            .iter()
            .map(|layer: &Layer<E>| Aligned::zeros(layer.inputs.len(capacity)))
            .collect();
        let scratch = planned.iter().filter_map(|layer| {
            let linear = layer.linear.as_ref()?;
            Some(E::scratch_len(&linear.tiled, &layer.sources, &layer.pre_activation))
        });
        let last = planned.last().expect("a network has a last stage");
        let outputs = last.outputs.len(capacity);
        Ok(Self {
            dispatch,
            layout,
            activations,
            logits: Aligned::zeros(outputs),
            delta: Aligned::zeros(outputs),
            scratch: Aligned::zeros(scratch.max().unwrap_or(0)),
            capacity,
            images: 0,
            is_packed: false,
            layers: planned,
        })
    }

    /// Returns the extent of the logits.
    pub(super) fn outputs(&self) -> Extent {
        self.layers.last().expect("a network has a last stage").outputs
    }

    /// Returns the bytes of all buffers, parameters aside.
    pub(super) fn bytes(&self) -> usize {
        let activations: usize = self.activations.iter().map(Aligned::bytes).sum();
        let layers: usize = self.layers.iter().map(Layer::bytes).sum();
        let ends = self.logits.bytes() + self.delta.bytes() + self.scratch.bytes();
        activations + layers + ends
    }

    /// Forgets packed weights, because the parameters changed.
    pub(super) fn invalidate(&mut self) {
        self.is_packed = false;
    }

    fn pack(&mut self, parameters: &[f32]) {
        for layer in &mut self.layers {
            let Some(linear) = &mut layer.linear else { continue };
            let weights = &parameters[self.layout.slots[linear.weights].range()];
            let stride = layer.inputs.stride();
            let LinearLayer { shape, tiled, packed_forward, packed_backward, .. } = linear;
            E::pack_forward(self.dispatch, *shape, tiled, weights, packed_forward);
            if layer.needs_input_gradient {
                E::pack_backward(self.dispatch, *shape, tiled, stride, weights, packed_backward);
            }
            if let Some(bias) = linear.bias {
                let bias = &parameters[self.layout.slots[bias].range()];
                linear.bias_values.copy_from_slice(bias);
            }
        }
        self.is_packed = true;
    }

    /// Computes the logits of up to `capacity` images of `height × width × channels` pixels.
    pub(super) fn forward(
        &mut self,
        parameters: &[f32],
        pixels: &[f32],
        images: usize,
        mode: Mode<'_>,
    ) {
        assert!(images <= self.capacity, "{images} images, at most {}", self.capacity);
        if !self.is_packed {
            self.pack(parameters);
        }
        if images < self.images {
            self.clear_surplus(images);
        }
        self.images = images;
        let (first, input) = (&self.layers[0], &mut self.activations[0]);
        match &first.inside {
            Some(inside) => pad_images(self.dispatch, inside, &first.inputs, pixels, input),
            None => spread_images(&first.inputs, pixels, input),
        }
        let count = self.layers.len();
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let (before, after) = self.activations.split_at_mut(index + 1);
            let input = &before[index];
            let layout = &self.layout;
            let keep = layer.norm.as_ref().and_then(|norm| mode.keep(norm));
            if let (None, Some(norm)) = (keep, &mut layer.norm) {
                let [scale, shift] =
                    [norm.scale, norm.shift].map(|slot| &parameters[layout.slots[slot].range()]);
                norm.normalise_running(scale, shift);
            }
            if index + 1 == count {
                layer.finish(self.dispatch, input, &mut self.logits, images, &mut self.scratch);
                continue;
            }
            let output = &mut after[0];
            let dropout = layer.dropout(mode);
            match keep {
                Some(keep) => {
                    layer.accumulate(self.dispatch, input, images, &mut self.scratch);
                    let norm = layer.norm.as_mut().expect("it keeps statistics");
                    let [scale, shift] = [norm.scale, norm.shift]
                        .map(|slot| &parameters[layout.slots[slot].range()]);
                    let count = (images * layer.pre_activation.pixels()) as f64;
                    norm.normalise_batch(count, scale, shift, keep);
                    layer.normalise(self.dispatch, output, images, dropout);
                }
                None => {
                    layer.direct(self.dispatch, input, output, images, dropout, &mut self.scratch);
                }
            }
        }
    }

    /// Zeroes the rows of images past `images` in the last group, which weight gradients read.
    fn clear_surplus(&mut self, images: usize) {
        for (layer, values) in self.layers.iter().zip(&mut self.activations) {
            layer.inputs.clear_after(images, values);
        }
        self.outputs().clear_after(images, &mut self.delta);
        for layer in &mut self.layers {
            if let Some(pool) = &mut layer.pool {
                pool.gradient.fill(E::default());
            }
        }
    }
}

impl<E: Storage> Layer<E> {
    /// Returns the mask of the stage's dropout in this pass.
    pub(super) fn dropout(&self, mode: Mode<'_>) -> Option<Dropout> {
        match (self.stage.dropout, mode) {
            (Some(dropout), Mode::Training { key, .. }) => {
                Some(Dropout::new(key(dropout.layer), dropout.rate))
            }
            _ => None,
        }
    }

    /// The last stage: products, or nothing, straight into the logits.
    fn finish(
        &mut self,
        dispatch: Dispatch,
        input: &[E],
        logits: &mut [f32],
        images: usize,
        scratch: &mut [E],
    ) {
        let zeros = vec![0.0; self.pre_activation.stride()];
        let epilogue = ForwardEpilogue {
            extent: self.outputs,
            output: logits,
            bias: self.linear.as_ref().map_or(&zeros, |linear| &linear.bias_values),
            relu: false,
            moments: None,
            affine: None,
            relu_after: false,
        };
        products(dispatch, self.linear.as_ref(), self.sources, input, images, epilogue, scratch);
    }

    /// Training with batch normalisation, first half: sums and their moments.
    fn accumulate(&mut self, dispatch: Dispatch, input: &[E], images: usize, scratch: &mut [E]) {
        let norm = self.norm.as_mut().expect("the stage normalises");
        let zeros = vec![0.0; self.pre_activation.stride()];
        let [sums, squares] = &mut norm.moments;
        sums.fill(0.0);
        squares.fill(0.0);
        let epilogue = ForwardEpilogue {
            extent: self.pre_activation,
            output: &mut self.sums,
            bias: self.linear.as_ref().map_or(&zeros, |linear| &linear.bias_values),
            relu: self.stage.relu,
            moments: Some(Moments { center: &norm.running_mean, sums, squares }),
            affine: None,
            relu_after: false,
        };
        products(dispatch, self.linear.as_ref(), self.sources, input, images, epilogue, scratch);
    }

    /// Training with batch normalisation, second half: normalise, pool, drop.
    fn normalise(
        &mut self,
        dispatch: Dispatch,
        output: &mut [E],
        images: usize,
        dropout: Option<Dropout>,
    ) {
        let norm = self.norm.as_ref().expect("the stage normalises");
        let [scale, shift] = &norm.affine;
        let affine = Some(Affine { scale, shift });
        let relu = self.stage.relu_after;
        match &mut self.pool {
            Some(pool) => pool_forward(
                dispatch,
                PoolForward {
                    taps: &pool.forward,
                    images,
                    inputs: self.pre_activation,
                    input: &self.sums,
                    affine,
                    relu,
                    kind: PoolKind::Max { winners: Some(&mut pool.winners), rectified: relu },
                    dropout,
                    first_image: 0,
                    outputs: self.outputs,
                    output,
                },
            ),
            None => transform(
                dispatch,
                Transform {
                    extent: self.pre_activation,
                    images,
                    affine,
                    relu,
                    dropout,
                    first_image: 0,
                },
                &self.sums,
                output,
            ),
        }
    }

    /// Everything that needs no statistics of the batch, some groups at a time.
    fn direct(
        &mut self,
        dispatch: Dispatch,
        input: &[E],
        output: &mut [E],
        images: usize,
        dropout: Option<Dropout>,
        scratch: &mut [E],
    ) {
        let zeros = vec![0.0; self.pre_activation.stride()];
        for chunk in self.chunks(images) {
            let input = chunk.of(&self.inputs, input);
            let output = chunk.of_mut(&self.outputs, output);
            if self.stage.is_bare() {
                self.bare(dispatch, input, output, chunk, dropout);
                continue;
            }
            let affine = self.norm.as_ref().map(|norm| {
                let [scale, shift] = &norm.affine;
                Affine { scale, shift }
            });
            let to = match &self.pool {
                Some(_) => &mut self.sums[..self.pre_activation.len(chunk.images)],
                None => &mut *output,
            };
            let epilogue = ForwardEpilogue {
                extent: self.pre_activation,
                output: to,
                bias: self.linear.as_ref().map_or(&zeros, |linear| &linear.bias_values),
                relu: self.stage.relu,
                moments: None,
                affine,
                relu_after: self.stage.relu_after,
            };
            products(
                dispatch,
                self.linear.as_ref(),
                self.sources,
                input,
                chunk.images,
                epilogue,
                scratch,
            );
            match &mut self.pool {
                Some(pool) => {
                    let winners = chunk.of_mut(&self.outputs, &mut pool.winners);
                    let rectified = self.stage.is_rectified();
                    pool_forward(
                        dispatch,
                        PoolForward {
                            taps: &pool.forward,
                            images: chunk.images,
                            inputs: self.pre_activation,
                            input: &self.sums,
                            affine: None,
                            relu: false,
                            kind: PoolKind::Max { winners: Some(winners), rectified },
                            dropout,
                            first_image: chunk.first,
                            outputs: self.outputs,
                            output,
                        },
                    );
                }
                None if dropout.is_some() => transform_in_place(
                    dispatch,
                    Transform {
                        extent: self.outputs,
                        images: chunk.images,
                        affine: None,
                        relu: false,
                        dropout,
                        first_image: chunk.first,
                    },
                    output,
                ),
                None => {}
            }
        }
    }

    /// A pool or dropout straight from the stage's input.
    fn bare(
        &mut self,
        dispatch: Dispatch,
        input: &[E],
        output: &mut [E],
        chunk: Chunk,
        dropout: Option<Dropout>,
    ) {
        let Some(pool) = &mut self.pool else {
            let Chunk { first, images } = chunk;
            let extent = self.outputs;
            let transformed = Transform {
                extent,
                images,
                affine: None,
                relu: false,
                dropout,
                first_image: first,
            };
            transform(dispatch, transformed, input, output);
            return;
        };
        let kind = if pool.is_max {
            let winners = chunk.of_mut(&self.outputs, &mut pool.winners);
            PoolKind::Max { winners: Some(winners), rectified: false }
        } else {
            PoolKind::Average { shares: &pool.shares }
        };
        pool_forward(
            dispatch,
            PoolForward {
                taps: &pool.forward,
                images: chunk.images,
                inputs: self.pre_activation,
                input,
                affine: None,
                relu: false,
                kind,
                dropout,
                first_image: chunk.first,
                outputs: self.outputs,
                output,
            },
        );
    }
}

/// Computes the products of some images, or passes them on where a stage has no weights.
fn products<E: Storage, T: Activation>(
    dispatch: Dispatch,
    linear: Option<&LinearLayer<E>>,
    sources: Sources,
    input: &[E],
    images: usize,
    epilogue: ForwardEpilogue<'_, T>,
    scratch: &mut [E],
) {
    let Some(linear) = linear else { return pass_forward(dispatch, input, images, epilogue) };
    let conv =
        Conv { taps: &linear.forward, sources, input, weights: &linear.packed_forward, images };
    E::forward(dispatch, linear.tiled.forward_plan(), &conv, epilogue, scratch);
}
