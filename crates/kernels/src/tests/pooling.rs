//! Pools, dropout and determinism of the kernels against plain loops.

use super::*;

#[test]
fn max_pool_picks_the_first_largest_value_and_returns_its_gradient() {
    on_each_path!(check_max_pool, 60, 6);
}

fn check_max_pool<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let window = numbers.window();
    let (images, channels) = (numbers.between(1, 9), numbers.between(1, 20));
    let inputs = Extent::new(window.inputs(), channels, 4).with_step(E::STEP);
    let outputs = Extent::new(window.outputs(), channels, 4).with_step(E::STEP);
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
    let mut output = vec![E::default(); outputs.len(images)];
    let clipped: Vec<f64> = if rectified {
        values.iter().map(|value| value.max(0.0)).collect()
    } else {
        values.clone()
    };
    pool_forward(
        dispatch,
        PoolForward {
            taps: &Taps::forward(&window),
            images,
            inputs,
            input: &grouped::<E>(&inputs, &clipped),
            affine: None,
            relu: false,
            kind: PoolKind::Max { winners: Some(&mut winners), rectified },
            dropout: None,
            first_image: 0,
            outputs,
            output: &mut output,
        },
    );
    let what = format!("{} {window:?}", dispatch.isa());
    assert_close(&plain(&outputs, images, &output), &expected, 0.0, &what);
    let mut found = vec![E::default(); inputs.len(images)];
    pool_backward(
        dispatch,
        &PoolBackward {
            taps: &Taps::backward(&window),
            images,
            outputs,
            gradient: &grouped::<E>(&outputs, &delta),
            winners: Some(&winners),
            shares: &[],
        },
        plain_epilogue(inputs, &mut found),
    );
    assert_close(&plain(&inputs, images, &found), &gradient, rounding::<E>(), &what);
}

pub(super) fn plain_epilogue<E: Storage>(
    extent: Extent,
    values: &mut [E],
) -> BackwardEpilogue<'_, E> {
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
fn average_pool_counts_padding_or_not_forward_and_backward() {
    on_each_path!(check_average_pool, 80, 7);
}

fn check_average_pool<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let window = numbers.window();
    let counts_padding = numbers.between(0, 1) == 1;
    let (images, channels) = (numbers.between(1, 9), numbers.between(1, 20));
    let inputs = Extent::new(window.inputs(), channels, 4).with_step(E::STEP);
    let outputs = Extent::new(window.outputs(), channels, 4).with_step(E::STEP);
    let values = numbers.values(images * inputs.pixels * channels);
    let delta = numbers.values(images * outputs.pixels * channels);
    let mut counts = vec![0.0_f64; window.outputs()];
    if counts_padding {
        counts.fill(window.taps() as f64);
    } else {
        products(&window, |output, _, _| counts[output] += 1.0);
    }
    let taps = Taps::forward(&window);
    let shares = taps.shares(|inside, all| if counts_padding { all } else { inside });
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
    let mut output = vec![E::default(); outputs.len(images)];
    pool_forward(
        dispatch,
        PoolForward {
            taps: &taps,
            images,
            inputs,
            input: &grouped::<E>(&inputs, &values),
            affine: None,
            relu: false,
            kind: PoolKind::Average { shares: &shares },
            dropout: None,
            first_image: 0,
            outputs,
            output: &mut output,
        },
    );
    let what = format!("{} {window:?}", dispatch.isa());
    assert_close(&plain(&outputs, images, &output), &expected, rounding::<E>(), &what);
    let mut found = vec![E::default(); inputs.len(images)];
    pool_backward(
        dispatch,
        &PoolBackward {
            taps: &Taps::backward(&window),
            images,
            outputs,
            gradient: &grouped::<E>(&outputs, &delta),
            winners: None,
            shares: &shares,
        },
        plain_epilogue(inputs, &mut found),
    );
    assert_close(&plain(&inputs, images, &found), &gradient, rounding::<E>(), &what);
}

#[test]
fn means_over_padding_are_those_of_onnx() {
    // onnx 1.23.2, reference evaluator: AveragePool(kernel_shape=[3, 3], strides=[2, 2],
    // pads=[1, 1, 1, 1], count_include_pad=0 and 1) of 1 to 9 as 3×3. Keras has the former, torch
    // the latter.
    let window = Window {
        kernel_height: 3,
        kernel_width: 3,
        stride: 2,
        top: 1,
        left: 1,
        out_height: 2,
        out_width: 2,
        ..Window::whole(3, 3)
    };
    let without = [3.0, 4.0, 6.0, 7.0];
    let with = [1.333_333_4, 1.777_777_8, 2.666_666_7, 3.111_111_2];
    let taps = Taps::forward(&window);
    let values: Vec<f64> = (1..=9).map(f64::from).collect();
    let (inputs, outputs) = (Extent::new(9, 1, 4), Extent::new(4, 1, 4));
    for dispatch in Dispatch::all() {
        for (expected, shares) in
            [(without, taps.shares(|inside, _| inside)), (with, taps.shares(|_, all| all))]
        {
            let mut output = vec![0.0_f32; outputs.len(1)];
            pool_forward(
                dispatch,
                PoolForward {
                    taps: &taps,
                    images: 1,
                    inputs,
                    input: &grouped::<f32>(&inputs, &values),
                    affine: None,
                    relu: false,
                    kind: PoolKind::Average { shares: &shares },
                    dropout: None,
                    first_image: 0,
                    outputs,
                    output: &mut output,
                },
            );
            let expected: Vec<f64> = expected.to_vec();
            assert_close(&plain(&outputs, 1, &output), &expected, 1e-6, dispatch.isa().name());
        }
    }
}

#[test]
fn vectors_drop_the_values_the_scalar_hash_drops() {
    on_each_path!(check_dropout, 10, 8);
}

fn check_dropout<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let extent = Extent::new(numbers.between(1, 5), numbers.between(1, 40), 4);
    let images = numbers.between(1, 9);
    let dropout = Dropout::new(numbers.word(), 0.4);
    let mut values = vec![E::from_f32(1.0); extent.len(images)];
    transform_in_place(
        dispatch,
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
    assert_close(&found, &expected, rounding::<E>(), dispatch.isa().name());
}

#[test]
fn the_same_inputs_give_the_same_bits() {
    on_each_path!(check_bits, 3, 9);
}

fn check_bits<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let case = Case::random::<E>(numbers);
    let delta = numbers.values(case.images * case.outputs.pixels * case.outputs.channels);
    let mut twice = [0, 1].map(|_| {
        let mut weights = vec![0.0; case.shape.len()];
        let mut scratch = case.scratch::<E>();
        E::weight_gradient(
            dispatch,
            case.tiled.forward_plan(),
            WeightGradient {
                runs: &Runs::new(&case.window, 8),
                images: case.images,
                inputs: Sources::pixels(case.inputs),
                input: &grouped::<E>(&case.inputs, &case.values),
                outputs: case.outputs,
                gradient: &grouped::<E>(&case.outputs, &delta),
                accumulate: false,
                weights: &mut weights,
            },
            &mut scratch,
        );
        weights.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    });
    let [first, second] = &mut twice;
    assert_eq!(first, second);
}

#[test]
fn every_path_rounds_to_bfloat16_as_the_definition_says() {
    let mut numbers = Numbers(12);
    let extent = Extent::new(1, 64, 1);
    let special = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, -0.0, 1.0];
    for dispatch in Dispatch::all() {
        for _ in 0..200 {
            let mut values: Vec<f32> = (0..64)
                .map(|_| f32::from_bits(numbers.word() as u32))
                .map(|value| if value.is_normal() { value } else { 1.5 })
                .collect();
            // Ties, to either side.
            for (index, value) in values.iter_mut().take(16).enumerate() {
                *value = f32::from_bits((0x3F80 + index as u32) << 16 | 0x8000);
            }
            values[16..16 + special.len()].copy_from_slice(&special);
            let mut stored = vec![half::bf16::ZERO; 64];
            let epilogue = ForwardEpilogue {
                extent,
                output: &mut stored,
                bias: &[-0.0; 64],
                relu: false,
                moments: None,
                affine: None,
                relu_after: false,
            };
            pass_forward(dispatch, &values, 1, epilogue);
            for (found, value) in stored.iter().zip(&values) {
                let expected = half::bf16::from_f32(*value);
                let is_right =
                    found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
                assert!(is_right, "{}: {value} as {found}, expected {expected}", dispatch.isa());
            }
        }
    }
}
