//! From the gradient of the logits to the gradient of every parameter.
//!
//! Every stage receives the gradient of its output in the buffer of that output, already freed of
//! dropout and ReLU and with its sums taken by the stage after it. It turns it into the gradient
//! of its products, some groups at a time, sums the weight gradients while those lie in the cache,
//! and writes the gradient of its input over its input in turn.

use super::forward_pass::{ForwardPass, Mode};
use super::layer::{Chunk, Layer};
use super::parameters::ParameterLayout;
use gridbench_kernels::{
    BackwardEpilogue, Conv, Dispatch, Extent, NormalisationGradient, PoolBackward, Products,
    Sources, Storage, WeightGradient, normalisation_gradient, pass_backward, pool_backward,
};

impl<E: Storage> ForwardPass<E> {
    /// Computes the gradient of every parameter from `delta`, the gradient of the logits of the
    /// last forward pass, which was one of training with the same `mode`.
    pub(super) fn backward(&mut self, parameters: &[f32], gradient: &mut [f32], mode: Mode<'_>) {
        let images = self.images;
        self.sum_delta();
        let count = self.layers.len();
        for index in (0..count).rev() {
            let (before, after) = self.layers.split_at_mut(index);
            let layer = &mut after[0];
            let (inputs, outputs) = self.activations.split_at_mut(index + 1);
            let delta: &mut [E] =
                if index + 1 == count { &mut self.delta } else { &mut outputs[0] };
            let mut pass = Backward {
                dispatch: self.dispatch,
                layout: &self.layout,
                previous: before.last_mut(),
                mode,
                images,
                scratch: &mut self.scratch,
            };
            pass.stage(layer, &mut inputs[index], delta, parameters, gradient);
        }
    }

    /// Sums the gradient of the logits, which no epilogue saw.
    fn sum_delta(&mut self) {
        let outputs = self.outputs();
        let layer = self.layers.last_mut().expect("a network has a last stage");
        layer.gradient_sums.fill(0.0);
        for image in 0..self.images {
            let row = &self.delta[outputs.offset(image, 0)..][..outputs.stride()];
            for (sum, delta) in layer.gradient_sums.iter_mut().zip(row) {
                *sum += f64::from(delta.to_f32());
            }
        }
    }
}

struct Backward<'a, E: Storage> {
    dispatch: Dispatch,
    layout: &'a ParameterLayout,
    previous: Option<&'a mut Layer<E>>,
    mode: Mode<'a>,
    images: usize,
    scratch: &'a mut [E],
}

impl<E: Storage> Backward<'_, E> {
    fn stage(
        &mut self,
        layer: &mut Layer<E>,
        input: &mut [E],
        delta: &mut [E],
        parameters: &[f32],
        gradient: &mut [f32],
    ) {
        self.begin_previous();
        if layer.norm.is_some() {
            if layer.pool.is_some() {
                let whole = Chunk { first: 0, images: self.images };
                self.unpool(layer, delta, whole);
            }
            self.differentiate(layer, parameters, gradient);
        }
        for chunk in layer.chunks(self.images) {
            if layer.pool.is_some() && layer.norm.is_none() && !layer.stage.is_bare() {
                self.unpool(layer, delta, chunk);
            }
            self.learn(layer, input, delta, chunk, gradient);
            if layer.needs_input_gradient {
                self.hand_on(layer, input, delta, chunk);
            }
        }
        if let Some(bias) = layer.linear.as_ref().and_then(|linear| linear.bias) {
            let gradient = &mut gradient[self.layout.slots[bias].range()];
            for (gradient, sum) in gradient.iter_mut().zip(&layer.gradient_sums) {
                *gradient = *sum as f32;
            }
        }
    }

    /// Clears the sums this stage's epilogues will add to.
    fn begin_previous(&mut self) {
        if let Some(previous) = &mut self.previous {
            previous.gradient_sums.fill(0.0);
            if let Some(norm) = &mut previous.norm {
                norm.products.fill(0.0);
            }
        }
    }

    /// Hands the gradient of a pool's output to what was pooled.
    fn unpool(&self, layer: &mut Layer<E>, delta: &[E], chunk: Chunk) {
        let pool = layer.pool.as_mut().expect("the stage pools");
        let (values, products) = match &mut layer.norm {
            Some(norm) => (
                &mut pool.gradient[..],
                Some(Products {
                    values: &layer.sums[..],
                    center: &norm.mean,
                    sums: &mut norm.products,
                }),
            ),
            None => (&mut pool.gradient[..layer.pre_activation.len(chunk.images)], None),
        };
        pool_backward(
            self.dispatch,
            &PoolBackward {
                taps: &pool.backward,
                images: chunk.images,
                outputs: layer.outputs,
                gradient: chunk.of(&layer.outputs, delta),
                winners: pool.is_max.then(|| chunk.of(&layer.outputs, &pool.winners[..])),
                shares: &pool.shares,
            },
            BackwardEpilogue {
                extent: layer.pre_activation,
                values,
                rectified: false,
                dropout: None,
                first_image: chunk.first,
                sums: Some(&mut layer.gradient_sums),
                products,
            },
        );
    }

    /// Normalisation: gradients of scale and shift, and the coefficients of the rest.
    fn differentiate(&self, layer: &mut Layer<E>, parameters: &[f32], gradient: &mut [f32]) {
        let norm = layer.norm.as_mut().expect("the stage normalises");
        let count = (self.images * layer.pre_activation.pixels()) as f64;
        let [scale, shift] = [norm.scale, norm.shift].map(|slot| self.layout.slots[slot].range());
        let stride = layer.pre_activation.stride();
        let mut learned = [vec![0.0; stride], vec![0.0; stride]];
        let [scale_gradient, shift_gradient] = &mut learned;
        norm.differentiate(
            count,
            &parameters[scale.clone()],
            &layer.gradient_sums,
            scale_gradient,
            shift_gradient,
        );
        gradient[scale].copy_from_slice(scale_gradient);
        gradient[shift].copy_from_slice(shift_gradient);
        layer.gradient_sums.fill(0.0);
    }

    /// Gradients of weights over some groups, and of the products before them.
    fn learn(
        &mut self,
        layer: &mut Layer<E>,
        input: &[E],
        delta: &mut [E],
        chunk: Chunk,
        gradient: &mut [f32],
    ) {
        let images = chunk.images;
        let delta: &mut [E] = match &mut layer.pool {
            Some(pool) if !layer.stage.is_bare() => {
                let chunk = pooled_chunk(layer.norm.is_some(), chunk);
                chunk.of_mut(&layer.pre_activation, &mut pool.gradient)
            }
            _ => chunk.of_mut(&layer.outputs, delta),
        };
        if let Some(norm) = &layer.norm {
            let [factor, slope, offset] = &norm.backward;
            normalisation_gradient(
                self.dispatch,
                NormalisationGradient {
                    extent: layer.pre_activation,
                    images,
                    values: chunk.of(&layer.pre_activation, &layer.sums),
                    gradient: delta,
                    factor,
                    slope,
                    offset,
                    rectified: layer.stage.relu,
                    sums: &mut layer.gradient_sums,
                },
            );
        }
        let Some(linear) = &layer.linear else { return };
        E::weight_gradient(
            self.dispatch,
            linear.tiled.forward_plan(),
            WeightGradient {
                runs: &linear.runs,
                images,
                inputs: layer.sources,
                input: chunk.of(&layer.inputs, input),
                outputs: layer.pre_activation,
                gradient: delta,
                accumulate: chunk.first > 0,
                weights: &mut gradient[self.layout.slots[linear.weights].range()],
            },
            self.scratch,
        );
    }

    /// Gradient of the input over some groups, through the end of the stage before.
    fn hand_on(&mut self, layer: &Layer<E>, input: &mut [E], delta: &[E], chunk: Chunk) {
        let (dispatch, images) = (self.dispatch, chunk.images);
        let previous = self.previous.as_mut().expect("a stage with parameters comes before");
        let epilogue = end_of(previous, self.mode, layer.inputs, input, chunk);
        let delta = match &layer.pool {
            Some(pool) if !layer.stage.is_bare() => {
                pooled_chunk(layer.norm.is_some(), chunk).of(&layer.pre_activation, &pool.gradient)
            }
            _ => chunk.of(&layer.outputs, delta),
        };
        match (&layer.linear, &layer.pool) {
            (Some(linear), _) => {
                let conv = Conv {
                    taps: &linear.backward,
                    sources: Sources::pixels(layer.pre_activation),
                    input: delta,
                    weights: &linear.packed_backward,
                    images,
                };
                let plan = linear.tiled.backward_plan();
                E::backward(dispatch, plan, &conv, epilogue, self.scratch);
            }
            (None, Some(pool)) if layer.stage.is_bare() => {
                let winners = pool.is_max.then(|| chunk.of(&layer.outputs, &pool.winners[..]));
                let pool = PoolBackward {
                    taps: &pool.backward,
                    images,
                    outputs: layer.outputs,
                    gradient: delta,
                    winners,
                    shares: &pool.shares,
                };
                pool_backward(dispatch, &pool, epilogue);
            }
            (None, _) => pass_backward(dispatch, delta, images, epilogue),
        }
    }
}

/// Returns where the gradient of what was pooled lies: with normalisation it is kept for the whole
/// batch, else only for the groups at hand.
fn pooled_chunk(is_whole: bool, chunk: Chunk) -> Chunk {
    if is_whole { chunk } else { Chunk { first: 0, ..chunk } }
}

/// What becomes of the gradient of a stage's input: the end of the stage before.
fn end_of<'a, E: Storage>(
    previous: &'a mut Layer<E>,
    mode: Mode<'_>,
    extent: Extent,
    input: &'a mut [E],
    chunk: Chunk,
) -> BackwardEpilogue<'a, E> {
    let dropout = previous.dropout(mode);
    let is_pooled = previous.pool.is_some();
    let products = match &mut previous.norm {
        Some(norm) if !is_pooled => Some(Products {
            values: chunk.of(&previous.pre_activation, &previous.sums),
            center: &norm.mean,
            sums: &mut norm.products,
        }),
        _ => None,
    };
    BackwardEpilogue {
        extent,
        values: chunk.of_mut(&extent, input),
        rectified: !is_pooled && previous.stage.is_rectified(),
        dropout,
        first_image: chunk.first,
        sums: (!is_pooled).then_some(&mut previous.gradient_sums[..]),
        products,
    }
}
