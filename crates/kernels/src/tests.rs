//! Every kernel on every path against the naive double-precision references.

#[cfg(target_arch = "x86_64")]
use half::bf16;

use super::reference::{Numbers, assert_close, grouped, padded_rows, plain, products};
use super::*;

/// Rounding of sums of a few thousand products of numbers up to 1.
const ROUNDING: f64 = 2e-5;

/// One random layer: window, channels, images, group, values and weights.
struct Case {
    window: Window,
    images: usize,
    inputs: Extent,
    outputs: Extent,
    shape: WeightShape,
    /// In tiles or not, also where that makes nothing faster.
    tiled: Tiled,
    values: Vec<f64>,
    weights: Vec<f64>,
    bias: Vec<f64>,
}

impl Case {
    fn random<E: Storage>(numbers: &mut Numbers) -> Self {
        let is_tiled = numbers.between(0, 1) == 1;
        let window = numbers.window();
        let tiled = if is_tiled {
            Tiled {
                forward: Some(Winograd::forward(&window)),
                backward: Winograd::backward(&window),
            }
        } else {
            Tiled::default()
        };
        let images = numbers.between(1, 2 * E::GROUP + 1);
        let extent = |pixels, channels| Extent::new(pixels, channels, E::GROUP).with_step(E::STEP);
        let inputs = extent(window.inputs(), numbers.between(1, 70));
        let outputs = extent(window.outputs(), numbers.between(1, 70));
        let shape = WeightShape {
            taps: window.taps(),
            inputs: inputs.channels,
            outputs: outputs.channels,
            stride: outputs.stride,
        };
        Self {
            window,
            images,
            inputs,
            outputs,
            shape,
            tiled,
            values: numbers.values(images * inputs.pixels * inputs.channels),
            weights: numbers.values(shape.taps * shape.inputs * shape.outputs),
            bias: numbers.values(outputs.channels),
        }
    }

    fn what(&self, dispatch: Dispatch) -> String {
        format!(
            "{} {:?} {} images {:?} → {:?}",
            dispatch.isa(),
            self.window,
            self.images,
            self.inputs,
            self.outputs
        )
    }

    fn input(&self, image: usize, pixel: usize, channel: usize) -> f64 {
        self.values[(image * self.inputs.pixels + pixel) * self.inputs.channels + channel]
    }

    fn weight(&self, tap: usize, input: usize, output: usize) -> f64 {
        self.weights[(tap * self.shape.inputs + input) * self.shape.outputs + output]
    }

    /// Output before any activation, `images × pixels × channels`.
    fn forward(&self) -> Vec<f64> {
        let channels = self.outputs.channels;
        let mut result = vec![0.0; self.images * self.outputs.pixels * channels];
        for image in 0..self.images {
            let at = image * self.outputs.pixels * channels;
            products(&self.window, |output, source, tap| {
                for channel in 0..channels {
                    for input in 0..self.inputs.channels {
                        result[at + output * channels + channel] +=
                            self.input(image, source, input) * self.weight(tap, input, channel);
                    }
                }
            });
        }
        for row in result.chunks_exact_mut(channels) {
            for (value, bias) in row.iter_mut().zip(&self.bias) {
                *value += bias;
            }
        }
        result
    }

    /// Gradients of `Σ delta · output` with respect to input and weights.
    fn backward(&self, delta: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let channels = self.outputs.channels;
        let mut input = vec![0.0; self.values.len()];
        let mut weights = vec![0.0; self.weights.len()];
        for image in 0..self.images {
            products(&self.window, |output, source, tap| {
                for channel in 0..channels {
                    let delta = delta[(image * self.outputs.pixels + output) * channels + channel];
                    for from in 0..self.inputs.channels {
                        let at = (image * self.inputs.pixels + source) * self.inputs.channels;
                        input[at + from] += delta * self.weight(tap, from, channel);
                        weights[(tap * self.shape.inputs + from) * channels + channel] +=
                            delta * self.input(image, source, from);
                    }
                }
            });
        }
        (input, weights)
    }

    fn scratch<E: Storage>(&self) -> Vec<E> {
        let len = E::scratch_len(&self.tiled, &Sources::pixels(self.inputs), &self.outputs);
        vec![E::default(); len]
    }

    fn padded(&self, values: &[f64]) -> Vec<f32> {
        padded_rows(values, self.outputs.channels, self.outputs.stride)
    }
}

/// Rounding of results stored in `E`.
fn rounding<E: Storage>() -> f64 {
    if size_of::<E>() == 2 { 1.0 / 256.0 } else { ROUNDING }
}

/// Runs `$check::<E>(path, numbers)` some rounds on every path, `E` being what the path stores.
macro_rules! on_each_path {
    ($check:ident, $rounds:expr, $seed:expr) => {
        for dispatch in Dispatch::all() {
            let mut numbers = Numbers($seed);
            for _ in 0..$rounds {
                #[cfg(target_arch = "x86_64")]
                if dispatch.isa().is_bf16() {
                    $check::<bf16>(dispatch, &mut numbers);
                    continue;
                }
                $check::<f32>(dispatch, &mut numbers);
            }
        }
    };
}

fn relu(values: &mut [f64]) {
    for value in values {
        *value = value.max(0.0);
    }
}

#[test]
fn forward_sums_equal_the_naive_convolution_with_relu_moments_and_affine() {
    on_each_path!(check_forward, 40, 1);
}

fn check_forward<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let case = Case::random::<E>(numbers);
    let (stride, channels) = (case.outputs.stride, case.outputs.channels);
    let mut packed = vec![E::default(); E::forward_len(&case.shape, &case.tiled)];
    E::pack_forward(dispatch, case.shape, &case.tiled, &case.padded(&case.weights), &mut packed);
    let center = numbers.values(channels);
    let (scale, shift) = (numbers.values(channels), numbers.values(channels));
    let mut sums = vec![0.0; stride];
    let mut squares = vec![0.0; stride];
    let mut output = vec![E::default(); case.outputs.len(case.images)];
    let (is_first, is_second) = (numbers.between(0, 1) == 1, numbers.between(0, 1) == 1);
    E::forward(
        dispatch,
        case.tiled.forward_plan(),
        &Conv {
            taps: &Taps::forward(&case.window),
            sources: Sources::pixels(case.inputs),
            input: &grouped::<E>(&case.inputs, &case.values),
            weights: &packed,
            images: case.images,
        },
        ForwardEpilogue {
            extent: case.outputs,
            output: &mut output,
            bias: &case.padded(&case.bias),
            relu: is_first,
            moments: Some(Moments {
                center: &case.padded(&center),
                sums: &mut sums,
                squares: &mut squares,
            }),
            affine: Some(Affine { scale: &case.padded(&scale), shift: &case.padded(&shift) }),
            relu_after: is_second,
        },
        &mut case.scratch::<E>(),
    );
    let mut expected = case.forward();
    if is_first {
        relu(&mut expected);
    }
    for channel in 0..channels {
        let column = || expected.iter().skip(channel).step_by(channels);
        let sum: f64 = column().map(|value| value - center[channel]).sum();
        let square: f64 = column().map(|value| (value - center[channel]).powi(2)).sum();
        let count = column().count() as f64;
        assert!((sums[channel] - sum).abs() <= 1e-4 * (square * count).sqrt() + 1e-4);
        assert!((squares[channel] - square).abs() <= 1e-4 * square + 1e-4);
    }
    for row in expected.chunks_exact_mut(channels) {
        for (channel, value) in row.iter_mut().enumerate() {
            *value = *value * scale[channel] + shift[channel];
        }
    }
    if is_second {
        relu(&mut expected);
    }
    let found = plain(&case.outputs, case.images, &output);
    assert_close(&found, &expected, rounding::<E>(), &case.what(dispatch));
}

#[test]
fn surplus_channels_of_a_layer_stay_zero() {
    on_each_path!(check_surplus, 10, 2);
}

fn check_surplus<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let case = Case::random::<E>(numbers);
    let mut packed = vec![E::default(); E::forward_len(&case.shape, &case.tiled)];
    E::pack_forward(dispatch, case.shape, &case.tiled, &case.padded(&case.weights), &mut packed);
    let mut output = vec![E::default(); case.outputs.len(case.images)];
    E::forward(
        dispatch,
        case.tiled.forward_plan(),
        &Conv {
            taps: &Taps::forward(&case.window),
            sources: Sources::pixels(case.inputs),
            input: &grouped::<E>(&case.inputs, &case.values),
            weights: &packed,
            images: case.images,
        },
        ForwardEpilogue {
            extent: case.outputs,
            output: &mut output,
            bias: &case.padded(&case.bias),
            relu: false,
            moments: None,
            affine: None,
            relu_after: false,
        },
        &mut case.scratch::<E>(),
    );
    for row in output.chunks_exact(case.outputs.stride) {
        assert!(
            row[case.outputs.channels..]
                .iter()
                .all(|value| value.to_f32().abs() < f32::MIN_POSITIVE)
        );
    }
}

#[test]
fn input_gradients_equal_the_naive_transposed_convolution() {
    on_each_path!(check_backward, 40, 3);
}

fn check_backward<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let case = Case::random::<E>(numbers);
    let delta = numbers.values(case.images * case.outputs.pixels * case.outputs.channels);
    let mut packed =
        vec![E::default(); E::backward_len(&case.shape, &case.tiled, case.inputs.stride)];
    let weights = case.padded(&case.weights);
    E::pack_backward(dispatch, case.shape, &case.tiled, case.inputs.stride, &weights, &mut packed);
    let normalised = numbers.values(case.values.len());
    let center = numbers.values(case.inputs.channels);
    let center_padded = padded_rows(&center, case.inputs.channels, case.inputs.stride);
    let dropout = Dropout::new(numbers.word(), 0.3);
    let mut values = grouped::<E>(&case.inputs, &case.values);
    let mut sums = vec![0.0; case.inputs.stride];
    let mut products = vec![0.0; case.inputs.stride];
    E::backward(
        dispatch,
        case.tiled.backward_plan(),
        &Conv {
            taps: &Taps::backward(&case.window),
            sources: Sources::pixels(case.outputs),
            input: &grouped::<E>(&case.outputs, &delta),
            weights: &packed,
            images: case.images,
        },
        BackwardEpilogue {
            extent: case.inputs,
            values: &mut values,
            rectified: true,
            dropout: Some(dropout),
            first_image: 5,
            sums: Some(&mut sums),
            products: Some(Products {
                values: &grouped::<E>(&case.inputs, &normalised),
                center: &center_padded,
                sums: &mut products,
            }),
        },
        &mut case.scratch::<E>(),
    );
    let (mut expected, _) = case.backward(&delta);
    let channels = case.inputs.channels;
    let mut expected_sums = vec![0.0; channels];
    let mut expected_products = vec![0.0; channels];
    for (at, value) in expected.iter_mut().enumerate() {
        let index = 5 * case.inputs.pixels * channels + at;
        let kept = f64::from(dropout.factor(index as u32));
        *value *= if case.values[at] > 0.0 { kept } else { 0.0 };
        expected_sums[at % channels] += *value;
        expected_products[at % channels] += *value * (normalised[at] - center[at % channels]);
    }
    let what = case.what(dispatch);
    assert_close(&plain(&case.inputs, case.images, &values), &expected, rounding::<E>(), &what);
    assert_close(&sums[..channels], &expected_sums, 1e-4, &what);
    assert_close(&products[..channels], &expected_products, 1e-4, &what);
}

#[test]
fn weight_gradients_equal_the_naive_sums() {
    on_each_path!(check_weights, 40, 4);
}

fn check_weights<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let case = Case::random::<E>(numbers);
    let delta = numbers.values(case.images * case.outputs.pixels * case.outputs.channels);
    let mut weights = vec![7.0; case.shape.len()];
    let stretch = numbers.between(1, 30);
    let mut scratch = case.scratch::<E>();
    for accumulate in [false, true] {
        E::weight_gradient(
            dispatch,
            case.tiled.forward_plan(),
            WeightGradient {
                runs: &Runs::new(&case.window, stretch),
                images: case.images,
                inputs: Sources::pixels(case.inputs),
                input: &grouped::<E>(&case.inputs, &case.values),
                outputs: case.outputs,
                gradient: &grouped::<E>(&case.outputs, &delta),
                accumulate,
                weights: &mut weights,
            },
            &mut scratch,
        );
    }
    let (_, expected) = case.backward(&delta);
    let expected: Vec<f64> =
        case.padded(&expected).into_iter().map(|value| 2.0 * f64::from(value)).collect();
    let found: Vec<f64> = weights.into_iter().map(f64::from).collect();
    assert_close(&found, &expected, ROUNDING, &case.what(dispatch));
}

#[test]
fn sums_over_rows_of_padded_images_equal_the_naive_convolution_and_its_gradient() {
    on_each_path!(check_images, 40, 5);
}

fn check_images<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let case = Case::random::<E>(numbers);
    let (window, channels) = (case.window, case.inputs.channels);
    let reach = |outputs: usize, kernel: usize| (outputs - 1) * window.stride + kernel;
    let height = reach(window.out_height, window.kernel_height).max(window.top + window.height);
    let width = reach(window.out_width, window.kernel_width).max(window.left + window.width);
    let rows = Window { height, width, kernel_width: 1, top: 0, left: 0, ..window };
    let length = window.kernel_width * channels;
    let room = height * width * channels + E::STEP;
    let extent = Extent::new(1, room, E::GROUP).with_step(E::STEP);
    let sources = Sources::within(extent, channels, length);
    let images: Vec<f32> = case.values.iter().map(|&value| value as f32).collect();
    let mut padded = vec![E::default(); extent.len(case.images)];
    let inside = Inside {
        height: window.height,
        width: window.width,
        channels,
        top: window.top,
        left: window.left,
        padded_width: width,
    };
    pad_images(dispatch, &inside, &extent, &images, &mut padded);
    let shape = WeightShape { taps: window.kernel_height, inputs: length, ..case.shape };
    let tiled = Tiled::default();
    let mut packed = vec![E::default(); E::forward_len(&shape, &tiled)];
    E::pack_forward(dispatch, shape, &tiled, &case.padded(&case.weights), &mut packed);
    let mut output = vec![0.0_f32; case.outputs.len(case.images)];
    E::forward(
        dispatch,
        ConvPlan::Direct,
        &Conv {
            taps: &Taps::forward(&rows),
            sources,
            input: &padded,
            weights: &packed,
            images: case.images,
        },
        ForwardEpilogue {
            extent: case.outputs,
            output: &mut output,
            bias: &case.padded(&case.bias),
            relu: false,
            moments: None,
            affine: None,
            relu_after: false,
        },
        &mut [],
    );
    let what = case.what(dispatch);
    assert_close(&plain(&case.outputs, case.images, &output), &case.forward(), ROUNDING, &what);
    let delta = numbers.values(case.images * case.outputs.pixels * case.outputs.channels);
    let mut weights = vec![7.0; shape.len()];
    let mut scratch = vec![E::default(); E::scratch_len(&tiled, &sources, &case.outputs)];
    E::weight_gradient(
        dispatch,
        ConvPlan::Direct,
        WeightGradient {
            runs: &Runs::new(&rows, numbers.between(1, 30)),
            images: case.images,
            inputs: sources,
            input: &padded,
            outputs: case.outputs,
            gradient: &grouped::<E>(&case.outputs, &delta),
            accumulate: false,
            weights: &mut weights,
        },
        &mut scratch,
    );
    let (_, expected) = case.backward(&delta);
    let expected: Vec<f64> = case.padded(&expected).into_iter().map(f64::from).collect();
    let found: Vec<f64> = weights.into_iter().map(f64::from).collect();
    assert_close(&found, &expected, ROUNDING, &what);
}

mod pooling;
mod zeros;
