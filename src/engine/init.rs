//! Initial weights, drawn on the host so that every path and device starts from the same bits.

use rand::Rng;

use crate::base::{SeedPath, Stream, StreamRng};
use crate::experiment::architecture::Architecture;
use crate::experiment::layers::{Init, LayerSettings};

use super::weights::NamedTensor;

/// Standard deviation of a standard normal cut at ±2; dividing by it gives variance 1 again, as
/// Keras' `VarianceScaling` does for its truncated normals.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// Returns the first weights and running statistics of a network that fits, with the names and
/// layouts of [`super::weights`].
///
/// The stream of a convolution or dense layer is its index among these, so that networks that
/// differ in dropout or normalisation alone start from the same weights.
pub(crate) fn initial_weights(
    layers: &[LayerSettings],
    architecture: &Architecture,
    seed_path: &SeedPath,
) -> Vec<NamedTensor> {
    let mut tensors = Vec::new();
    let mut drawn = 0;
    for (index, (layer, summary)) in layers.iter().zip(&architecture.layers).enumerate() {
        let name = |role: &str| format!("layer{:02}.{}.{role}", index + 1, summary.kind);
        let (inputs, outputs) = (summary.input.channels(), summary.output.channels());
        let (shape, area, bias, init) = match *layer {
            LayerSettings::Conv { kernel, bias, init, .. } => {
                (vec![outputs, inputs, kernel, kernel], kernel * kernel, bias, init)
            }
            LayerSettings::Dense { bias, init, .. } => (vec![outputs, inputs], 1, bias, init),
            LayerSettings::Capsules { dimensions, size, init, .. } => {
                drawn += 1;
                let capsules = summary.input.len() / dimensions;
                let shape = vec![outputs, capsules, size, dimensions];
                let count = shape.iter().product();
                let mut rng = seed_path.rng(Stream::Init, drawn);
                let values = draw(init, count, dimensions, size, &mut rng);
                tensors.push(NamedTensor::new(name("weight"), shape, values));
                continue;
            }
            LayerSettings::BatchNorm { .. } => {
                for (role, value) in
                    [("scale", 1.0), ("shift", 0.0), ("mean", 0.0), ("variance", 1.0)]
                {
                    let values = vec![value; inputs];
                    tensors.push(NamedTensor::new(name(role), vec![inputs], values));
                }
                continue;
            }
            _ => continue,
        };
        drawn += 1;
        let mut rng = seed_path.rng(Stream::Init, drawn);
        let count = outputs * inputs * area;
        let values = draw(init, count, inputs * area, outputs * area, &mut rng);
        tensors.push(NamedTensor::new(name("weight"), shape, values));
        if bias {
            tensors.push(NamedTensor::new(name("bias"), vec![outputs], vec![0.0; outputs]));
        }
    }
    tensors
}

/// Draws `count` weights between `fan_in` inputs and `fan_out` outputs.
///
/// Fans count the weights that meet in one sum: `channels · kernel²` in, `filters · kernel²` out
/// for a convolution (Glorot & Bengio 2010, He et al. 2015, LeCun et al. 1998, as Keras counts them).
fn draw(init: Init, count: usize, fan_in: usize, fan_out: usize, rng: &mut StreamRng) -> Vec<f32> {
    let (inputs, outputs) = (fan_in as f64, fan_out as f64);
    match init {
        Init::GlorotUniform => uniform(rng, count, (6.0 / (inputs + outputs)).sqrt()),
        Init::HeUniform => uniform(rng, count, (6.0 / inputs).sqrt()),
        Init::LecunUniform => uniform(rng, count, (3.0 / inputs).sqrt()),
        Init::GlorotNormal => truncated_normal(rng, count, (2.0 / (inputs + outputs)).sqrt()),
        Init::HeNormal => truncated_normal(rng, count, (2.0 / inputs).sqrt()),
    }
}

fn unit(rng: &mut StreamRng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (-53f64).exp2()
}

fn uniform(rng: &mut StreamRng, count: usize, limit: f64) -> Vec<f32> {
    (0..count).map(|_| ((2.0 * unit(rng) - 1.0) * limit) as f32).collect()
}

/// Box & Muller (1958), both values used, those beyond two deviations drawn again.
fn truncated_normal(rng: &mut StreamRng, count: usize, deviation: f64) -> Vec<f32> {
    let scale = deviation / TRUNCATED_DEVIATION;
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let radius = (-2.0 * (1.0 - unit(rng)).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * unit(rng)).sin_cos();
        for normal in [radius * cosine, radius * sine] {
            if normal.abs() <= 2.0 {
                values.push((normal * scale) as f32);
            }
        }
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use super::super::testing::{dense, every_layer};
    use super::*;
    use crate::base::Seed;
    use crate::experiment::layers::{NormStatistics, Padding, Routing};

    fn moments(init: Init, fan_in: usize, fan_out: usize) -> (f64, f64, f64) {
        let mut rng = SeedPath::member(Seed(1), 0, 0).rng(Stream::Init, 1);
        let values = draw(init, 100_000, fan_in, fan_out, &mut rng);
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let largest = values.iter().fold(0.0f64, |a, &v| a.max(f64::from(v).abs()));
        (mean, variance, largest)
    }

    /// The variance that an initializer promises, by fan-in and fan-out.
    type Variance = fn(f64, f64) -> f64;

    #[test]
    fn every_distribution_has_the_variance_its_paper_states() {
        for (init, variance) in [
            (Init::GlorotUniform, 2.0 / 400.0),
            (Init::GlorotNormal, 2.0 / 400.0),
            (Init::HeUniform, 2.0 / 100.0),
            (Init::HeNormal, 2.0 / 100.0),
            (Init::LecunUniform, 1.0 / 100.0),
        ] {
            let (mean, found, _) = moments(init, 100, 300);
            assert!(mean.abs() < 0.002, "{init:?}: mean {mean}");
            assert!((found / variance - 1.0).abs() < 0.02, "{init:?}: {found} for {variance}");
        }
    }

    #[test]
    fn every_layer_counts_the_weights_that_meet_in_one_sum() {
        let init_of = |init| {
            let conv = |filters, kernel, padding| LayerSettings::Conv {
                filters,
                kernel,
                stride: 2,
                padding,
                bias: true,
                init,
            };
            let layers = [
                conv(64, 3, Padding::Same),
                conv(64, 5, Padding::Same),
                LayerSettings::Capsules {
                    dimensions: 8,
                    size: 16,
                    rounds: 3,
                    routing: Routing::MaxMin,
                    init,
                },
            ];
            let architecture = Architecture::of(&layers, (28, 28, 1), 10).unwrap();
            initial_weights(&layers, &architecture, &SeedPath::member(Seed(1), 0, 0))
        };
        // keras.initializers.compute_fans of (3, 3, 1, 64), (5, 5, 64, 64) and (8, 16).
        let fans =
            [("01.conv", 9.0, 576.0), ("02.conv", 1_600.0, 1_600.0), ("03.capsules", 8.0, 16.0)];
        let inits: [(Init, Variance); 5] = [
            (Init::GlorotUniform, |inputs, outputs| 2.0 / (inputs + outputs)),
            (Init::GlorotNormal, |inputs, outputs| 2.0 / (inputs + outputs)),
            (Init::HeUniform, |inputs, _| 2.0 / inputs),
            (Init::HeNormal, |inputs, _| 2.0 / inputs),
            (Init::LecunUniform, |inputs, _| 1.0 / inputs),
        ];
        for (init, variance) in inits {
            let weights = init_of(init);
            for (layer, fan_in, fan_out) in fans {
                let values = &find(&weights, &format!("{layer}.weight")).values;
                let squares = values.iter().map(|&value| f64::from(value).powi(2));
                let found = (squares.sum::<f64>() / values.len() as f64).sqrt();
                let expected = variance(fan_in, fan_out).sqrt();
                // Five standard errors of the smallest tensor, of 576 values.
                let what = format!("{init:?} {layer}: {found} for {expected}");
                assert!((found / expected - 1.0).abs() < 0.1, "{what}");
            }
        }
    }

    #[test]
    fn no_value_lies_beyond_the_limit() {
        let (_, _, largest) = moments(Init::HeUniform, 100, 300);
        assert!(largest <= 0.06f64.sqrt() + 1e-6);
        let (_, _, largest) = moments(Init::HeNormal, 100, 300);
        assert!(largest <= 2.0 * 0.02f64.sqrt() / TRUNCATED_DEVIATION + 1e-6);
    }

    fn weights(layers: &[LayerSettings], member: u32) -> Vec<NamedTensor> {
        let architecture = Architecture::of(layers, (6, 6, 1), 4).unwrap();
        initial_weights(layers, &architecture, &SeedPath::member(Seed(1), 0, member))
    }

    fn find<'a>(tensors: &'a [NamedTensor], end: &str) -> &'a NamedTensor {
        tensors.iter().find(|tensor| tensor.name.ends_with(end)).unwrap()
    }

    #[test]
    fn tensors_have_torch_shapes_and_every_parameter() {
        let layers = every_layer();
        let tensors = weights(&layers, 0);
        assert_eq!(find(&tensors, "layer01.conv.weight").shape, [5, 1, 3, 3]);
        assert_eq!(find(&tensors, "layer02.batch-norm.variance").values, [1.0; 5]);
        assert_eq!(find(&tensors, "layer10.dense.weight").shape, [8, 36]);
        assert_eq!(find(&tensors, "layer12.dense.bias").values, [0.0; 4]);
        let architecture = Architecture::of(&layers, (6, 6, 1), 4).unwrap();
        let values: usize = tensors.iter().map(|tensor| tensor.values.len()).sum();
        let expected = architecture.trainable_parameters() + architecture.other_parameters();
        assert_eq!(values, expected);
    }

    #[test]
    fn layers_and_members_draw_different_weights() {
        let layers = vec![LayerSettings::Flatten, dense(Some(36)), dense(Some(36)), dense(None)];
        let (first, second) = (weights(&layers, 0), weights(&layers, 1));
        assert_eq!(first, weights(&layers, 0));
        assert_ne!(find(&first, "02.dense.weight").values, find(&first, "03.dense.weight").values);
        assert_ne!(find(&first, "02.dense.weight").values, find(&second, "02.dense.weight").values);
    }

    #[test]
    fn dropout_and_normalisation_do_not_change_the_draws() {
        let plain = vec![LayerSettings::Flatten, dense(Some(8)), dense(None)];
        let mut dropped = plain.clone();
        dropped.insert(2, LayerSettings::Dropout { rate: 0.5 });
        dropped.insert(
            2,
            LayerSettings::BatchNorm {
                momentum: 0.9,
                epsilon: 1e-3,
                statistics: NormStatistics::Running,
            },
        );
        let (plain, dropped) = (weights(&plain, 0), weights(&dropped, 0));
        let found = &find(&dropped, "layer05.dense.weight").values;
        assert_eq!(found, &find(&plain, "layer03.dense.weight").values);
    }
}
