//! Pools, passes over values, losses, optimizers and the copies of images.

use super::*;
use gridbench_kernels::{
    Activation, Affine, BackwardEpilogue, Dropout, ForwardEpilogue, Inside, NormalisationGradient,
    PoolBackward, PoolForward, PoolKind, Rule, Taps, Transform, cross_entropy,
    normalisation_gradient, pad_images, pass_backward, pass_forward, pool_backward, pool_forward,
    probabilities, spread_images, step, transform, transform_in_place,
};

/// Calls for both kinds of activations, whatever the path stores itself.
macro_rules! both {
    ($call:ident) => {
        |dispatch: Dispatch, numbers: &mut Numbers| {
            if numbers.is(50) {
                return $call::<half::bf16>(dispatch, numbers);
            }
            $call::<f32>(dispatch, numbers)
        }
    };
}

fn dropout(numbers: &mut Numbers) -> Option<Dropout> {
    numbers.is(50).then(|| Dropout::new(numbers.word(), 0.3))
}

fn pool<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let window = numbers.window();
    let (images, channels, group) =
        (numbers.between(1, 9), numbers.between(1, 40), numbers.between(1, 8));
    let inputs = numbers.extent::<f32>(window.inputs(), channels, group);
    let outputs = numbers.extent::<f32>(window.outputs(), channels, group);
    let images = numbers.size(images);
    let taps = Taps::forward(&numbers.either(window, Numbers::window));
    let mut winners = numbers.buffer(outputs.len(images), 0_u8);
    let shares = numbers.buffer(outputs.pixels(), 0.5_f32);
    let is_max = numbers.is(50);
    let kind = if is_max {
        let rectified = numbers.is(50);
        PoolKind::Max { winners: numbers.is(80).then_some(&mut winners[..]), rectified }
    } else {
        PoolKind::Average { shares: &shares }
    };
    let input = numbers.buffer(inputs.len(images), E::from_f32(1.0));
    let mut output = numbers.buffer(outputs.len(images), E::default());
    let [scale, shift] = [(); 2].map(|()| numbers.buffer(inputs.stride(), 0.1_f32));
    pool_forward(
        dispatch,
        PoolForward {
            taps: &taps,
            images,
            inputs,
            input: &input,
            affine: numbers.is(50).then_some(Affine { scale: &scale, shift: &shift }),
            relu: numbers.is(50),
            kind,
            dropout: dropout(numbers),
            first_image: numbers.size(3),
            outputs,
            output: &mut output,
        },
    );
    let back = Taps::backward(&numbers.either(window, Numbers::window));
    let mut values = numbers.buffer(inputs.len(images), E::from_f32(1.0));
    pool_backward(
        dispatch,
        &PoolBackward {
            taps: &back,
            images,
            outputs,
            gradient: &output,
            winners: is_max.then_some(&winners[..]),
            shares: &shares,
        },
        BackwardEpilogue {
            extent: inputs,
            values: &mut values,
            rectified: numbers.is(50),
            dropout: dropout(numbers),
            first_image: 0,
            sums: None,
            products: None,
        },
    );
}

fn passes<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let (pixels, channels) = (numbers.between(1, 9), numbers.between(1, 70));
    let (images, group) = (numbers.between(1, 9), numbers.between(1, 20));
    let extent = numbers.extent::<f32>(pixels, channels, group);
    let images = numbers.size(images);
    let len = extent.len(images);
    let input = numbers.buffer(len, E::from_f32(1.0));
    let mut output = numbers.buffer(len, E::default());
    let [scale, shift, bias] = [(); 3].map(|()| numbers.buffer(extent.stride(), 0.1_f32));
    let affine = numbers.is(50).then_some(Affine { scale: &scale, shift: &shift });
    let mut sums = numbers.buffer(extent.stride(), 0.0_f64);
    let work = Transform {
        extent,
        images,
        affine,
        relu: numbers.is(50),
        dropout: dropout(numbers),
        first_image: numbers.size(4),
    };
    match numbers.between(0, 4) {
        0 => transform(dispatch, work, &input, &mut output),
        1 => transform_in_place(dispatch, work, &mut output),
        2 => pass_forward(
            dispatch,
            &input,
            images,
            ForwardEpilogue {
                extent,
                output: &mut output,
                bias: &bias,
                relu: true,
                moments: None,
                affine,
                relu_after: false,
            },
        ),
        3 => pass_backward(
            dispatch,
            &input,
            images,
            BackwardEpilogue {
                extent,
                values: &mut output,
                rectified: true,
                dropout: dropout(numbers),
                first_image: 1,
                sums: Some(&mut sums),
                products: None,
            },
        ),
        _ => normalisation_gradient(
            dispatch,
            NormalisationGradient {
                extent,
                images,
                values: &input,
                gradient: &mut output,
                factor: &scale,
                slope: &shift,
                offset: &bias,
                rectified: true,
                sums: &mut sums,
            },
        ),
    }
}

fn losses<E: Activation>(_: Dispatch, numbers: &mut Numbers) {
    let (classes, images, group) =
        (numbers.between(1, 20), numbers.between(1, 40), numbers.between(1, 20));
    let extent = numbers.extent::<f32>(1, classes, group);
    let mut logits = numbers.buffer(extent.len(images), 0.5_f32);
    let mut gradient = numbers.buffer(extent.len(images), E::default());
    let label = numbers.size(classes - 1);
    let labels = numbers.buffer(images, label as u16);
    cross_entropy(&extent, &mut logits, &labels, &mut gradient);
    let mut shares = numbers.buffer(images * classes, 0.0_f32);
    probabilities(&extent, &mut logits, images, &mut shares);
}

/// Rules that keep no memory, one and two.
const RULES: [Rule; 4] = [
    Rule::Sgd { rate: 0.1, momentum: 0.0, nesterov: false, finished: false, l2: 0.0, shrink: 0.0 },
    Rule::Sgd { rate: 0.1, momentum: 0.9, nesterov: true, finished: true, l2: 0.1, shrink: 0.01 },
    Rule::Adam {
        rate: 0.1,
        beta1: 0.9,
        gain1: 0.1,
        beta2: 0.999,
        gain2: 0.001,
        epsilon: 1e-7,
        l2: 0.1,
        shrink: 0.01,
    },
    Rule::RmsProp {
        rate: 0.1,
        alpha: 0.9,
        gain: 0.1,
        epsilon: 1e-7,
        inside: true,
        momentum: 0.9,
        finished: true,
        l2: 0.1,
        shrink: 0.01,
    },
];

fn rules(dispatch: Dispatch, numbers: &mut Numbers) {
    let len = numbers.between(0, 70);
    let mut weights = numbers.buffer(len, 0.5_f32);
    let gradient = numbers.buffer(len, 0.5_f32);
    let [mut first, mut second] = [(); 2].map(|()| numbers.buffer(len, 0.5_f32));
    let rule = RULES[numbers.between(0, RULES.len() - 1)];
    step(dispatch, rule, &mut weights, &gradient, &mut first, &mut second);
}

fn images<E: Storage>(dispatch: Dispatch, numbers: &mut Numbers) {
    let (height, width, channels) =
        (numbers.between(1, 9), numbers.between(1, 9), numbers.between(1, 3));
    let (top, left) = (numbers.between(0, 2), numbers.between(0, 2));
    let inside = Inside {
        height: numbers.size(height),
        width: numbers.size(width),
        channels: numbers.size(channels),
        top: numbers.size(top),
        left: numbers.size(left),
        padded_width: numbers.size(width + left + 1),
    };
    let (count, group) = (numbers.between(1, 9), numbers.between(1, 8));
    let from = numbers.buffer(count * height * width * channels, 0.5_f32);
    if numbers.is(50) {
        let room = (height + top) * (width + left + 1) * channels;
        let extent = numbers.extent::<f32>(1, room, group);
        let mut padded = numbers.buffer(extent.len(count), E::default());
        pad_images(dispatch, &inside, &extent, &from, &mut padded);
    } else {
        let extent = numbers.extent::<f32>(height * width, channels, group);
        let mut values = numbers.buffer(extent.len(count), E::default());
        spread_images(&extent, &from, &mut values);
    }
}

#[test]
fn pools_stay_in_their_buffers() {
    on_every_path(1500, both!(pool));
}

#[test]
fn passes_stay_in_their_buffers() {
    on_every_path(3000, both!(passes));
}

#[test]
fn losses_stay_in_their_buffers() {
    on_every_path(500, both!(losses));
}

#[test]
fn optimizer_steps_stay_in_their_buffers() {
    on_every_path(1000, rules);
}

#[test]
fn copies_of_images_stay_in_their_buffers() {
    on_every_path(1500, both!(images));
}
