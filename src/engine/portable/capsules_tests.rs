use super::*;

/// Six input capsules of two values (three groups at two positions), three classes of four values.
fn layer(rounds: usize, routing: Routing) -> Capsules {
    Capsules { inputs: 6, positions: 2, dimensions: 2, classes: 3, size: 4, rounds, routing }
}

fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32 * 2.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The layer by the book, image by image, in double precision.
fn by_the_book(layer: &Capsules, x: &[f32], weights: &[f32], images: usize) -> Vec<f64> {
    let squashed = |v: &[f64]| -> Vec<f64> {
        let square: f64 = v.iter().map(|value| value * value).sum::<f64>() + 1e-9;
        v.iter().map(|value| square.sqrt() / (1.0 + square) * value).collect()
    };
    let mut logits = vec![0.0; layer.classes * images];
    for image in 0..images {
        let inputs: Vec<Vec<f64>> = (0..layer.inputs)
            .map(|capsule| {
                let (group, position) = (capsule / layer.positions, capsule % layer.positions);
                let value = |index: usize| {
                    let channel = group * layer.dimensions + index;
                    f64::from(x[(channel * layer.positions + position) * images + image])
                };
                squashed(&(0..layer.dimensions).map(value).collect::<Vec<_>>())
            })
            .collect();
        let prediction = |class: usize, capsule: usize| -> Vec<f64> {
            (0..layer.size)
                .map(|row| {
                    let first =
                        ((class * layer.inputs + capsule) * layer.size + row) * layer.dimensions;
                    inputs[capsule]
                        .iter()
                        .enumerate()
                        .map(|(index, value)| f64::from(weights[first + index]) * value)
                        .sum()
                })
                .collect()
        };
        let mut agreement = vec![vec![0.0; layer.classes]; layer.inputs];
        let mut vectors = Vec::new();
        for _ in 0..layer.rounds {
            vectors = (0..layer.classes)
                .map(|class| {
                    let mut sum = vec![0.0; layer.size];
                    for (capsule, said) in agreement.iter().enumerate() {
                        let largest = said.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        let smallest = said.iter().copied().fold(f64::INFINITY, f64::min);
                        let coefficient = match layer.routing {
                            Routing::Softmax => {
                                said[class].exp() / said.iter().map(|b| b.exp()).sum::<f64>()
                            }
                            Routing::MaxMin if largest > smallest => {
                                (said[class] - smallest) / (largest - smallest)
                            }
                            Routing::MaxMin => 1.0,
                        };
                        for (sum, value) in sum.iter_mut().zip(prediction(class, capsule)) {
                            *sum += coefficient * value;
                        }
                    }
                    sum
                })
                .collect::<Vec<Vec<f64>>>();
            for class in 0..layer.classes {
                let vector = squashed(&vectors[class]);
                for (capsule, said) in agreement.iter_mut().enumerate() {
                    let agrees = prediction(class, capsule);
                    said[class] += vector.iter().zip(agrees).map(|(a, b)| a * b).sum::<f64>();
                }
            }
        }
        for (class, vector) in vectors.iter().enumerate() {
            let square: f64 = vector.iter().map(|value| value * value).sum();
            logits[class * images + image] = square.sqrt();
        }
    }
    logits
}

#[test]
fn logits_are_those_of_the_definition() {
    for routing in [Routing::Softmax, Routing::MaxMin] {
        for rounds in 1..=3 {
            let layer = layer(rounds, routing);
            let (x, weights) = (noise(12 * 5, 1), noise(layer.weights(), 2));
            let (found, _) = layer.forward(&x, &weights, 5);
            for (found, expected) in found.iter().zip(by_the_book(&layer, &x, &weights, 5)) {
                assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} {expected}");
            }
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences_where_coefficients_are_constant() {
    // In a single round the coefficients depend on nothing, so nothing is left out.
    for routing in [Routing::Softmax, Routing::MaxMin] {
        let layer = layer(1, routing);
        let images = 3;
        let (x, weights) = (noise(12 * images, 3), noise(layer.weights(), 4));
        let above = noise(layer.classes * images, 5);
        let value = |x: &[f32], weights: &[f32]| -> f64 {
            let logits = by_the_book(&layer, x, weights, images);
            logits.iter().zip(&above).map(|(logit, above)| logit * f64::from(*above)).sum()
        };
        let (_, memory) = layer.forward(&x, &weights, images);
        let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; weights.len()]);
        layer.backward((&x, &weights), &memory, &above, (&mut dx, &mut dw));
        let step = 1e-3;
        let check = |found: &[f32], which: usize| {
            for (index, found) in found.iter().enumerate() {
                let moved = |by: f32| {
                    let (mut x, mut weights) = (x.clone(), weights.clone());
                    if which == 0 {
                        x[index] += by;
                    } else {
                        weights[index] += by;
                    }
                    value(&x, &weights)
                };
                let expected = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                assert!((f64::from(*found) - expected).abs() < 2e-3, "{found} {expected}");
            }
        };
        check(&dx, 0);
        check(&dw, 1);
    }
}
