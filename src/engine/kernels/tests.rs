//! Every 32-bit kernel on every path against the naive double-precision references.

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
    values: Vec<f64>,
    weights: Vec<f64>,
    bias: Vec<f64>,
}

impl Case {
    fn random(numbers: &mut Numbers) -> Self {
        let window = numbers.window();
        let group = [4, 8, 16][numbers.between(0, 2)];
        let images = numbers.between(1, 2 * group + 1);
        let inputs = Extent::new(window.inputs(), numbers.between(1, 37), group);
        let outputs = Extent::new(window.outputs(), numbers.between(1, 70), group);
        let shape = WeightShape {
            places: window.places(),
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
            values: numbers.values(images * inputs.pixels * inputs.channels),
            weights: numbers.values(shape.places * shape.inputs * shape.outputs),
            bias: numbers.values(outputs.channels),
        }
    }

    fn what(&self, path: Path) -> String {
        format!(
            "{} {:?} {} images {:?} → {:?}",
            path.isa(),
            self.window,
            self.images,
            self.inputs,
            self.outputs
        )
    }

    fn input(&self, image: usize, pixel: usize, channel: usize) -> f64 {
        self.values[(image * self.inputs.pixels + pixel) * self.inputs.channels + channel]
    }

    fn weight(&self, place: usize, input: usize, output: usize) -> f64 {
        self.weights[(place * self.shape.inputs + input) * self.shape.outputs + output]
    }

    /// Output before any activation, `images × pixels × channels`.
    fn forward(&self) -> Vec<f64> {
        let channels = self.outputs.channels;
        let mut result = vec![0.0; self.images * self.outputs.pixels * channels];
        for image in 0..self.images {
            let at = image * self.outputs.pixels * channels;
            products(&self.window, |output, source, place| {
                for channel in 0..channels {
                    for input in 0..self.inputs.channels {
                        result[at + output * channels + channel] +=
                            self.input(image, source, input) * self.weight(place, input, channel);
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
            products(&self.window, |output, source, place| {
                for channel in 0..channels {
                    let delta = delta[(image * self.outputs.pixels + output) * channels + channel];
                    for from in 0..self.inputs.channels {
                        let at = (image * self.inputs.pixels + source) * self.inputs.channels;
                        input[at + from] += delta * self.weight(place, from, channel);
                        weights[(place * self.shape.inputs + from) * channels + channel] +=
                            delta * self.input(image, source, from);
                    }
                }
            });
        }
        (input, weights)
    }

    fn padded(&self, values: &[f64]) -> Vec<f32> {
        padded_rows(values, self.outputs.channels, self.outputs.stride)
    }
}

fn each_f32_path(rounds: usize, seed: u64, mut check: impl FnMut(Path, &mut Numbers)) {
    for path in Path::all().into_iter().filter(|path| !path.isa().is_bf16()) {
        let mut numbers = Numbers(seed);
        for _ in 0..rounds {
            check(path, &mut numbers);
        }
    }
}

fn relu(values: &mut [f64]) {
    for value in values {
        *value = value.max(0.0);
    }
}

#[test]
fn forward_sums_equal_the_naive_convolution_with_relu_moments_and_affine() {
    each_f32_path(40, 1, |path, numbers| {
        let case = Case::random(numbers);
        let (stride, channels) = (case.outputs.stride, case.outputs.channels);
        let mut packed = vec![0.0; case.shape.len()];
        pack_forward(path, case.shape, &case.padded(&case.weights), &mut packed);
        let center = numbers.values(channels);
        let (scale, shift) = (numbers.values(channels), numbers.values(channels));
        let mut sums = vec![0.0; stride];
        let mut squares = vec![0.0; stride];
        let mut output = vec![0.0; case.outputs.len(case.images)];
        let (is_first, is_second) = (numbers.between(0, 1) == 1, numbers.between(0, 1) == 1);
        gather_forward(
            path,
            &Gather {
                taps: &Taps::forward(&case.window),
                extent: case.inputs,
                input: &grouped::<f32>(&case.inputs, &case.values),
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
            assert!(
                (f64::from(sums[channel]) - sum).abs() <= 1e-4 * (square * count).sqrt() + 1e-4
            );
            assert!((f64::from(squares[channel]) - square).abs() <= 1e-4 * square + 1e-4);
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
        assert_close(&found, &expected, ROUNDING, &case.what(path));
    });
}

#[test]
fn surplus_channels_of_a_layer_stay_zero() {
    each_f32_path(10, 2, |path, numbers| {
        let case = Case::random(numbers);
        let mut packed = vec![0.0; case.shape.len()];
        pack_forward(path, case.shape, &case.padded(&case.weights), &mut packed);
        let mut output = vec![0.0_f32; case.outputs.len(case.images)];
        gather_forward(
            path,
            &Gather {
                taps: &Taps::forward(&case.window),
                extent: case.inputs,
                input: &grouped::<f32>(&case.inputs, &case.values),
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
        );
        for row in output.chunks_exact(case.outputs.stride) {
            assert!(
                row[case.outputs.channels..].iter().all(|value| value.abs() < f32::MIN_POSITIVE)
            );
        }
    });
}

#[test]
fn input_gradients_equal_the_naive_transposed_convolution() {
    each_f32_path(40, 3, |path, numbers| {
        let case = Case::random(numbers);
        let delta = numbers.values(case.images * case.outputs.pixels * case.outputs.channels);
        let length = case.shape.places * case.shape.outputs * case.inputs.stride;
        let mut packed = vec![0.0; length];
        let weights = case.padded(&case.weights);
        pack_backward(path, case.shape, case.inputs.stride, &weights, &mut packed);
        let normalised = numbers.values(case.values.len());
        let center = numbers.values(case.inputs.channels);
        let center_padded = padded_rows(&center, case.inputs.channels, case.inputs.stride);
        let dropout = Dropout::new(numbers.word(), 0.3);
        let mut values = grouped::<f32>(&case.inputs, &case.values);
        let mut sums = vec![0.0; case.inputs.stride];
        let mut products = vec![0.0; case.inputs.stride];
        gather_backward(
            path,
            &Gather {
                taps: &Taps::backward(&case.window),
                extent: case.outputs,
                input: &grouped::<f32>(&case.outputs, &delta),
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
                    values: &grouped::<f32>(&case.inputs, &normalised),
                    center: &center_padded,
                    sums: &mut products,
                }),
            },
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
        let what = case.what(path);
        assert_close(&plain(&case.inputs, case.images, &values), &expected, ROUNDING, &what);
        let wide = |sums: &[f32]| -> Vec<f64> {
            sums[..channels].iter().map(|&sum| f64::from(sum)).collect()
        };
        assert_close(&wide(&sums), &expected_sums, 1e-4, &what);
        assert_close(&wide(&products), &expected_products, 1e-4, &what);
    });
}

#[test]
fn weight_gradients_equal_the_naive_sums() {
    each_f32_path(40, 4, |path, numbers| {
        let case = Case::random(numbers);
        let delta = numbers.values(case.images * case.outputs.pixels * case.outputs.channels);
        let mut weights = vec![7.0; case.shape.len()];
        let stretch = numbers.between(1, 30);
        for accumulate in [false, true] {
            weight_gradient(
                path,
                WeightGradient {
                    runs: &Runs::new(&case.window, stretch),
                    images: case.images,
                    inputs: case.inputs,
                    input: &grouped::<f32>(&case.inputs, &case.values),
                    outputs: case.outputs,
                    gradient: &grouped::<f32>(&case.outputs, &delta),
                    accumulate,
                    weights: &mut weights,
                },
            );
        }
        let (_, expected) = case.backward(&delta);
        let expected: Vec<f64> =
            case.padded(&expected).into_iter().map(|value| 2.0 * f64::from(value)).collect();
        let found: Vec<f64> = weights.into_iter().map(f64::from).collect();
        assert_close(&found, &expected, ROUNDING, &case.what(path));
    });
}

#[test]
fn patches_turn_a_convolution_into_a_pointwise_one() {
    each_f32_path(40, 5, |path, numbers| {
        let case = Case::random(numbers);
        let extent = Extent::new(
            case.window.outputs(),
            case.window.places() * case.inputs.channels,
            case.inputs.group,
        );
        let images: Vec<f32> = case.values.iter().map(|&value| value as f32).collect();
        let mut columns = vec![0.0_f32; extent.len(case.images)];
        patches(&case.window, case.inputs.channels, &extent, &images, &mut columns);
        let mut expected = vec![0.0; case.images * extent.pixels * extent.channels];
        for image in 0..case.images {
            products(&case.window, |output, source, place| {
                for channel in 0..case.inputs.channels {
                    let column = place * case.inputs.channels + channel;
                    expected[(image * extent.pixels + output) * extent.channels + column] =
                        case.input(image, source, channel);
                }
            });
        }
        assert_close(&plain(&extent, case.images, &columns), &expected, 0.0, &case.what(path));
    });
}

#[test]
fn max_pool_picks_the_first_largest_value_and_returns_its_gradient() {
    each_f32_path(60, 6, |path, numbers| {
        let window = numbers.window();
        let (images, channels) = (numbers.between(1, 9), numbers.between(1, 20));
        let inputs = Extent::new(window.inputs(), channels, 4);
        let outputs = Extent::new(window.outputs(), channels, 4);
        // Few distinct values, so that ties are common.
        let values: Vec<f64> = (0..images * inputs.pixels * channels)
            .map(|_| numbers.between(0, 4) as f64 - 2.0)
            .collect();
        let delta = numbers.values(images * outputs.pixels * channels);
        let rectified = numbers.between(0, 1) == 1;
        let value = |image: usize, pixel: usize, channel: usize| {
            let value = values[(image * inputs.pixels + pixel) * channels + channel];
            if rectified { value.max(0.0) } else { value }
        };
        let mut expected = vec![0.0; delta.len()];
        let mut gradient = vec![0.0; values.len()];
        for image in 0..images {
            let mut windows = vec![Vec::new(); window.outputs()];
            products(&window, |output, source, _| windows[output].push(source));
            for (output, sources) in windows.iter().enumerate() {
                for channel in 0..channels {
                    let at = (image * outputs.pixels + output) * channels + channel;
                    let mut best: Option<usize> = None;
                    for &source in sources {
                        if best.is_none_or(|best| {
                            value(image, source, channel) > value(image, best, channel)
                        }) {
                            best = Some(source);
                        }
                    }
                    let Some(best) = best else { continue };
                    expected[at] = value(image, best, channel);
                    if !rectified || expected[at] > 0.0 {
                        gradient[(image * inputs.pixels + best) * channels + channel] += delta[at];
                    }
                }
            }
        }
        let mut winners = vec![0; outputs.len(images)];
        let mut output = vec![0.0_f32; outputs.len(images)];
        let clipped: Vec<f64> = if rectified {
            values.iter().map(|value| value.max(0.0)).collect()
        } else {
            values.clone()
        };
        pool_forward(
            path,
            PoolForward {
                taps: &Taps::forward(&window),
                images,
                inputs,
                input: &grouped::<f32>(&inputs, &clipped),
                affine: None,
                relu: false,
                kind: PoolKind::Max { winners: Some(&mut winners), rectified },
                dropout: None,
                first_image: 0,
                outputs,
                output: &mut output,
            },
        );
        let what = format!("{} {window:?}", path.isa());
        assert_close(&plain(&outputs, images, &output), &expected, 0.0, &what);
        let mut found = vec![0.0_f32; inputs.len(images)];
        pool_backward(
            path,
            &PoolBackward {
                taps: &Taps::backward(&window),
                images,
                outputs,
                gradient: &grouped::<f32>(&outputs, &delta),
                winners: Some(&winners),
                shares: &[],
            },
            plain_epilogue(inputs, &mut found),
        );
        assert_close(&plain(&inputs, images, &found), &gradient, 1e-6, &what);
    });
}

fn plain_epilogue(extent: Extent, values: &mut [f32]) -> BackwardEpilogue<'_, f32> {
    BackwardEpilogue {
        extent,
        values,
        rectified: false,
        dropout: None,
        first_image: 0,
        sums: None,
        products: None,
    }
}

#[test]
fn average_pool_ignores_padding_forward_and_backward() {
    each_f32_path(40, 7, |path, numbers| {
        let window = numbers.window();
        let (images, channels) = (numbers.between(1, 9), numbers.between(1, 20));
        let inputs = Extent::new(window.inputs(), channels, 4);
        let outputs = Extent::new(window.outputs(), channels, 4);
        let values = numbers.values(images * inputs.pixels * channels);
        let delta = numbers.values(images * outputs.pixels * channels);
        let mut counts = vec![0.0_f64; window.outputs()];
        products(&window, |output, _, _| counts[output] += 1.0);
        let mut expected = vec![0.0; delta.len()];
        let mut gradient = vec![0.0; values.len()];
        for image in 0..images {
            products(&window, |output, source, _| {
                for channel in 0..channels {
                    let to = (image * outputs.pixels + output) * channels + channel;
                    let from = (image * inputs.pixels + source) * channels + channel;
                    expected[to] += values[from] / counts[output];
                    gradient[from] += delta[to] / counts[output];
                }
            });
        }
        let mut output = vec![0.0_f32; outputs.len(images)];
        pool_forward(
            path,
            PoolForward {
                taps: &Taps::forward(&window),
                images,
                inputs,
                input: &grouped::<f32>(&inputs, &values),
                affine: None,
                relu: false,
                kind: PoolKind::Average,
                dropout: None,
                first_image: 0,
                outputs,
                output: &mut output,
            },
        );
        let what = format!("{} {window:?}", path.isa());
        assert_close(&plain(&outputs, images, &output), &expected, ROUNDING, &what);
        let shares: Vec<f32> = counts.iter().map(|count| (1.0 / count.max(1.0)) as f32).collect();
        let mut found = vec![0.0_f32; inputs.len(images)];
        pool_backward(
            path,
            &PoolBackward {
                taps: &Taps::backward(&window),
                images,
                outputs,
                gradient: &grouped::<f32>(&outputs, &delta),
                winners: None,
                shares: &shares,
            },
            plain_epilogue(inputs, &mut found),
        );
        assert_close(&plain(&inputs, images, &found), &gradient, ROUNDING, &what);
    });
}

#[test]
fn vectors_drop_the_values_the_scalar_hash_drops() {
    each_f32_path(10, 8, |path, numbers| {
        let extent = Extent::new(numbers.between(1, 5), numbers.between(1, 40), 4);
        let images = numbers.between(1, 9);
        let dropout = Dropout::new(numbers.word(), 0.4);
        let mut values = vec![1.0_f32; extent.len(images)];
        transform_in_place(
            path,
            Transform {
                extent,
                images,
                affine: None,
                relu: false,
                dropout: Some(dropout),
                first_image: 3,
            },
            &mut values,
        );
        let found = plain(&extent, images, &values);
        let first = 3 * extent.pixels * extent.channels;
        let expected: Vec<f64> =
            (0..found.len()).map(|at| f64::from(dropout.factor((first + at) as u32))).collect();
        assert_close(&found, &expected, 0.0, path.isa().name());
    });
}

#[test]
fn the_same_inputs_give_the_same_bits() {
    each_f32_path(3, 9, |path, numbers| {
        let case = Case::random(numbers);
        let delta = numbers.values(case.images * case.outputs.pixels * case.outputs.channels);
        let mut twice = [0, 1].map(|_| {
            let mut weights = vec![0.0; case.shape.len()];
            weight_gradient(
                path,
                WeightGradient {
                    runs: &Runs::new(&case.window, 8),
                    images: case.images,
                    inputs: case.inputs,
                    input: &grouped::<f32>(&case.inputs, &case.values),
                    outputs: case.outputs,
                    gradient: &grouped::<f32>(&case.outputs, &delta),
                    accumulate: false,
                    weights: &mut weights,
                },
            );
            weights.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        });
        let [first, second] = &mut twice;
        assert_eq!(first, second);
    });
}
