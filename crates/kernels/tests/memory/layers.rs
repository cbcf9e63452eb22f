//! Convolutions, dense layers and their gradients.

use super::*;
use gridbench_kernels::{
    Affine, BackwardEpilogue, Conv, ConvPlan, Dropout, ForwardEpilogue, Moments, Products, Runs,
    Sources, Taps, Tiled, WeightGradient, WeightShape, Winograd,
};

/// A layer: its window, where its values lie, and how it is computed.
struct Layer {
    window: Window,
    images: usize,
    inputs: Extent,
    outputs: Extent,
    sources: Sources,
    shape: WeightShape,
    tiled: Tiled,
}

impl Layer {
    fn new<E: Storage>(numbers: &mut Numbers) -> Self {
        let window = numbers.window();
        let images = numbers.between(1, 2 * E::GROUP + 1);
        let images = numbers.size(images);
        let [in_channels, out_channels] = [0, 0].map(|_| numbers.between(1, 70));
        let inputs = numbers.extent::<E>(window.inputs(), in_channels, E::GROUP);
        let outputs = numbers.extent::<E>(window.outputs(), out_channels, E::GROUP);
        let sources = numbers.either(Sources::pixels(inputs), |numbers| {
            let [step, length] = [0, 0].map(|_| numbers.size(in_channels));
            Sources::within(inputs, step, length)
        });
        let taps = numbers.size(window.taps());
        let channels = numbers.size(in_channels);
        let shape = WeightShape::new(taps, channels, &outputs);
        let tiled_window = numbers.either(window, Numbers::window);
        let tiled = if numbers.is(60) && size_of::<E>() == 4 {
            Tiled {
                forward: Some(Winograd::forward(&tiled_window)),
                backward: Winograd::backward(&tiled_window),
            }
        } else {
            Tiled::default()
        };
        Self { window, images, inputs, outputs, sources, shape, tiled }
    }

    fn scratch<E: Storage>(&self, numbers: &mut Numbers) -> Guarded<E> {
        numbers.buffer(E::scratch_len(&self.tiled, &self.sources, &self.outputs), E::default())
    }
}

fn forward<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let layer = Layer::new::<E>(numbers);
    let (shape, outputs) = (layer.shape, layer.outputs);
    let weights = numbers.buffer(shape.len(), 0.5_f32);
    let mut packed = numbers.buffer(E::forward_len(&shape, &layer.tiled), E::default());
    E::pack_forward(dispatch, shape, &layer.tiled, &weights, &mut packed);
    let window = numbers.either(layer.window, Numbers::window);
    let input = numbers.buffer(layer.inputs.len(layer.images), E::from_f32(1.0));
    let extent = numbers.either(outputs, |numbers| numbers.extent::<E>(3, 20, E::GROUP));
    let mut output = numbers.buffer(outputs.len(layer.images), 0.0_f32);
    let [bias, center, scale, shift] = [(); 4].map(|()| numbers.buffer(outputs.stride(), 0.1_f32));
    let [mut sums, mut squares] = [(); 2].map(|()| numbers.buffer(outputs.stride(), 0.0_f64));
    let mut scratch = layer.scratch::<E>(numbers);
    E::forward(
        dispatch,
        layer.tiled.forward_plan(),
        &Conv {
            taps: &Taps::forward(&window),
            sources: layer.sources,
            input: &input,
            weights: &packed,
            images: layer.images,
        },
        ForwardEpilogue {
            extent,
            output: &mut output,
            bias: &bias,
            relu: numbers.is(50),
            moments: numbers.is(50).then_some(Moments {
                center: &center,
                sums: &mut sums,
                squares: &mut squares,
            }),
            affine: numbers.is(50).then_some(Affine { scale: &scale, shift: &shift }),
            relu_after: numbers.is(50),
        },
        &mut scratch,
    );
}

fn backward<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let layer = Layer::new::<E>(numbers);
    let (shape, inputs) = (layer.shape, layer.inputs);
    let stride = numbers.size(inputs.stride());
    let weights = numbers.buffer(shape.len(), 0.5_f32);
    let mut packed = numbers.buffer(E::backward_len(&shape, &layer.tiled, stride), E::default());
    E::pack_backward(dispatch, shape, &layer.tiled, stride, &weights, &mut packed);
    let window = numbers.either(layer.window, Numbers::window);
    let delta = numbers.buffer(layer.outputs.len(layer.images), E::from_f32(1.0));
    let extent = numbers.either(inputs, |numbers| numbers.extent::<E>(3, 20, E::GROUP));
    let mut values = numbers.buffer(inputs.len(layer.images), E::from_f32(1.0));
    let normalised = numbers.buffer(inputs.len(layer.images), E::from_f32(1.0));
    let center = numbers.buffer(inputs.stride(), 0.1_f32);
    let [mut sums, mut products] = [(); 2].map(|()| numbers.buffer(inputs.stride(), 0.0_f64));
    let mut scratch = layer.scratch::<E>(numbers);
    E::backward(
        dispatch,
        layer.tiled.backward_plan(),
        &Conv {
            taps: &Taps::backward(&window),
            sources: Sources::pixels(layer.outputs),
            input: &delta,
            weights: &packed,
            images: layer.images,
        },
        BackwardEpilogue {
            extent,
            values: &mut values,
            rectified: numbers.is(50),
            dropout: numbers.is(50).then(|| Dropout::new(numbers.word(), 0.3)),
            first_image: numbers.size(5),
            sums: if numbers.is(50) { Some(&mut sums) } else { None },
            products: numbers.is(50).then_some(Products {
                values: &normalised,
                center: &center,
                sums: &mut products,
            }),
        },
        &mut scratch,
    );
}

fn weight_gradient<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let layer = Layer::new::<E>(numbers);
    let window = numbers.either(layer.window, Numbers::window);
    let runs = Runs::new(&window, numbers.between(1, 30));
    let input = numbers.buffer(layer.inputs.len(layer.images), E::from_f32(1.0));
    let delta = numbers.buffer(layer.outputs.len(layer.images), E::from_f32(1.0));
    let mut weights = numbers.buffer(layer.shape.len(), 7.0_f32);
    let mut scratch = layer.scratch::<E>(numbers);
    let accumulate = numbers.is(50);
    E::weight_gradient(
        dispatch,
        layer.tiled.forward_plan(),
        WeightGradient {
            runs: &runs,
            images: layer.images,
            inputs: layer.sources,
            input: &input,
            outputs: layer.outputs,
            gradient: &delta,
            accumulate,
            weights: &mut weights,
        },
        &mut scratch,
    );
}

/// A first layer, whose sources are rows of padded images.
fn rows_of_images<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let (channels, filters) = (numbers.between(1, 3), numbers.between(1, 40));
    let (height, width) =
        if numbers.is(20) { (1, 1) } else { (numbers.between(1, 9), numbers.between(1, 9)) };
    let kernel = numbers.between(1, height.min(3));
    let rows = {
        let output = [height - kernel + 1, (width + 1).saturating_sub(kernel).max(1)];
        Window::new([height, width], [kernel, 1], 1, [0, 0], output)
    };
    let images = numbers.between(1, 2 * E::GROUP + 1);
    let room = (height * width + kernel) * channels + E::STEP;
    let inputs = numbers.extent::<E>(1, room, E::GROUP);
    let outputs = numbers.extent::<E>(rows.outputs(), filters, E::GROUP);
    let (step, length) = numbers.either((channels, kernel * channels), |numbers| {
        // A step of a whole pixel must not pass for sources that are pixels.
        if numbers.is(50) {
            (inputs.group() * inputs.stride(), 8 * inputs.stride())
        } else {
            (numbers.size(channels), numbers.size(kernel * channels))
        }
    });
    let sources = Sources::within(inputs, step, length);
    let shape = WeightShape::new(kernel, length, &outputs);
    let tiled = Tiled::default();
    let weights = numbers.buffer(shape.len(), 0.5_f32);
    let mut packed = numbers.buffer(E::forward_len(&shape, &tiled), E::default());
    E::pack_forward(dispatch, shape, &tiled, &weights, &mut packed);
    let input = numbers.buffer(inputs.len(images), E::from_f32(1.0));
    let mut output = numbers.buffer(outputs.len(images), E::default());
    let bias = numbers.buffer(outputs.stride(), 0.1_f32);
    E::forward(
        dispatch,
        ConvPlan::Direct,
        &Conv { taps: &Taps::forward(&rows), sources, input: &input, weights: &packed, images },
        ForwardEpilogue {
            extent: outputs,
            output: &mut output,
            bias: &bias,
            relu: false,
            moments: None,
            affine: None,
            relu_after: false,
        },
        &mut [],
    );
    let mut gradient = numbers.buffer(shape.len(), 0.0_f32);
    let mut scratch = numbers.buffer(E::scratch_len(&tiled, &sources, &outputs), E::default());
    E::weight_gradient(
        dispatch,
        ConvPlan::Direct,
        WeightGradient {
            runs: &Runs::new(&rows, numbers.between(1, 30)),
            images,
            inputs: sources,
            input: &input,
            outputs,
            gradient: &output,
            accumulate: false,
            weights: &mut gradient,
        },
        &mut scratch,
    );
}

/// Calls for what each path stores.
macro_rules! stored {
    ($call:ident) => {
        |dispatch: Dispatch, numbers: &mut Numbers| {
            #[cfg(target_arch = "x86_64")]
            if dispatch.isa().is_bf16() {
                return $call::<half::bf16>(dispatch, numbers);
            }
            $call::<f32>(dispatch, numbers)
        }
    };
}

#[test]
fn forward_stays_in_its_buffers() {
    on_every_path(600, stored!(forward));
}

#[test]
fn input_gradients_stay_in_their_buffers() {
    on_every_path(600, stored!(backward));
}

#[test]
fn weight_gradients_stay_in_their_buffers() {
    on_every_path(600, stored!(weight_gradient));
}

#[test]
fn rows_of_images_stay_in_their_buffers() {
    on_every_path(2000, stored!(rows_of_images));
}
