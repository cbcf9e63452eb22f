//! Sums over nothing but zeros, which must be exactly 0 however they are computed.

use super::*;

/// Whether a pixel of an image is 0 in all channels: a corner of the image, of a size of its own.
struct Dark {
    width: usize,
    edges: Vec<(usize, usize, bool)>,
}

impl Dark {
    fn random(numbers: &mut Numbers, images: usize, height: usize, width: usize) -> Self {
        let edges = (0..images).map(|_| {
            (numbers.between(0, height), numbers.between(0, width), numbers.between(0, 1) == 1)
        });
        Self { width, edges: edges.collect() }
    }

    fn is_at(&self, image: usize, pixel: usize) -> bool {
        let (row, column, below) = self.edges[image];
        let is_inside = pixel / self.width < row && pixel % self.width < column;
        is_inside != below
    }

    fn apply(&self, values: &mut [f64], pixels: usize, channels: usize, zero: f64) {
        for (at, row) in values.chunks_exact_mut(channels).enumerate() {
            if self.is_at(at / pixels, at % pixels) {
                row.fill(zero);
            }
        }
    }
}

/// Returns a case in tiles whose window is as large as those of the networks here.
fn tiled<E: Storage>(numbers: &mut Numbers) -> Case {
    let mut case = Case::random::<E>(numbers);
    if E::GROUP == <f32 as Storage>::GROUP {
        case.tiled = Tiled {
            forward: Some(Winograd::forward(&case.window)),
            backward: Winograd::backward(&case.window),
        };
    }
    case
}

#[test]
fn outputs_over_zeros_are_exactly_the_bias() {
    on_each_path!(check_outputs, 60, 10);
}

fn check_outputs<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let mut case = tiled::<E>(numbers);
    let dark = Dark::random(numbers, case.images, case.window.height, case.window.width);
    let zero = if numbers.between(0, 1) == 1 { 0.0 } else { -0.0 };
    dark.apply(&mut case.values, case.inputs.pixels, case.inputs.channels, zero);
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
    let found = plain(&case.outputs, case.images, &output);
    let bias: Vec<f64> = case.bias.iter().map(|&bias| f64::from(bias as f32)).collect();
    for image in 0..case.images {
        let mut is_dark = vec![true; case.outputs.pixels];
        products(&case.window, |output, source, _| is_dark[output] &= dark.is_at(image, source));
        for pixel in (0..case.outputs.pixels).filter(|&pixel| is_dark[pixel]) {
            let at = (image * case.outputs.pixels + pixel) * bias.len();
            assert_eq!(found[at..][..bias.len()], bias, "{}", case.what(dispatch));
        }
    }
    assert_close(&found, &case.forward(), rounding::<E>(), &case.what(dispatch));
}

#[test]
fn gradients_over_zeros_are_exactly_zero() {
    on_each_path!(check_gradients, 60, 11);
}

fn check_gradients<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let case = tiled::<E>(numbers);
    let channels = case.outputs.channels;
    let mut delta = numbers.values(case.images * case.outputs.pixels * channels);
    let dark = Dark::random(numbers, case.images, case.window.out_height, case.window.out_width);
    dark.apply(&mut delta, case.outputs.pixels, channels, 0.0);
    let mut packed =
        vec![E::default(); E::backward_len(&case.shape, &case.tiled, case.inputs.stride)];
    let weights = case.padded(&case.weights);
    E::pack_backward(dispatch, case.shape, &case.tiled, case.inputs.stride, &weights, &mut packed);
    let mut values = grouped::<E>(&case.inputs, &case.values);
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
        pooling::plain_epilogue(case.inputs, &mut values),
        &mut case.scratch::<E>(),
    );
    let found = plain(&case.inputs, case.images, &values);
    for image in 0..case.images {
        let mut is_dark = vec![true; case.inputs.pixels];
        products(&case.window, |output, source, _| is_dark[source] &= dark.is_at(image, output));
        for pixel in (0..case.inputs.pixels).filter(|&pixel| is_dark[pixel]) {
            let at = (image * case.inputs.pixels + pixel) * case.inputs.channels;
            let row = &found[at..][..case.inputs.channels];
            assert!(row.iter().all(|value| value.abs() <= 0.0), "{}", case.what(dispatch));
        }
    }
    assert_close(&found, &case.backward(&delta).0, rounding::<E>(), &case.what(dispatch));
}
