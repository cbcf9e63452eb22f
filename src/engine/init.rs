//! Initial weights, drawn on the host so that every path and device starts from the same bits.

use rand::Rng;

use crate::base::{SeedPath, Stream, StreamRng};
use crate::spec::layers::Init;

/// Standard deviation of a standard normal cut at ±2; dividing by it gives variance 1 again, as
/// Keras' `VarianceScaling` does for its truncated normals.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// Draws the weights of layer `layer` (from 1), `fan_in × fan_out / positions` values in order.
///
/// Fans count weights that meet in one sum: `channels · kernel²` in, `filters · kernel²` out for a
/// convolution (Glorot & Bengio 2010, He et al. 2015, as Keras counts them).
pub(super) fn initial_weights(
    init: Init,
    count: usize,
    fan_in: usize,
    fan_out: usize,
    seed_path: &SeedPath,
    layer: usize,
) -> Vec<f32> {
    let mut rng = seed_path.rng(Stream::Init, layer as u64);
    let (inputs, outputs) = (fan_in as f64, fan_out as f64);
    match init {
        Init::GlorotUniform => uniform(&mut rng, count, (6.0 / (inputs + outputs)).sqrt()),
        Init::HeUniform => uniform(&mut rng, count, (6.0 / inputs).sqrt()),
        Init::LecunUniform => uniform(&mut rng, count, (1.0 / inputs).sqrt()),
        Init::GlorotNormal => truncated_normal(&mut rng, count, (2.0 / (inputs + outputs)).sqrt()),
        Init::HeNormal => truncated_normal(&mut rng, count, (2.0 / inputs).sqrt()),
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
    use super::*;
    use crate::base::Seed;

    fn moments(init: Init, fan_in: usize, fan_out: usize) -> (f64, f64, f64) {
        let path = SeedPath::member(Seed(1), 0, 0);
        let values = initial_weights(init, 100_000, fan_in, fan_out, &path, 1);
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let largest = values.iter().fold(0.0f64, |a, &v| a.max(f64::from(v).abs()));
        (mean, variance, largest)
    }

    #[test]
    fn every_distribution_has_the_variance_its_paper_states() {
        for (init, variance) in [
            (Init::GlorotUniform, 2.0 / 400.0),
            (Init::GlorotNormal, 2.0 / 400.0),
            (Init::HeUniform, 2.0 / 100.0),
            (Init::HeNormal, 2.0 / 100.0),
            (Init::LecunUniform, 1.0 / 300.0),
        ] {
            let (mean, found, _) = moments(init, 100, 300);
            assert!(mean.abs() < 0.002, "{init:?}: mean {mean}");
            assert!((found / variance - 1.0).abs() < 0.02, "{init:?}: {found} for {variance}");
        }
    }

    #[test]
    fn no_value_lies_beyond_the_limit() {
        let (_, _, largest) = moments(Init::HeUniform, 100, 300);
        assert!(largest <= 0.06f64.sqrt() + 1e-6);
        let (_, _, largest) = moments(Init::HeNormal, 100, 300);
        assert!(largest <= 2.0 * 0.02f64.sqrt() / TRUNCATED_DEVIATION + 1e-6);
    }

    #[test]
    fn layers_and_members_draw_different_weights() {
        let draw = |member, layer| {
            let path = SeedPath::member(Seed(1), 0, member);
            initial_weights(Init::HeNormal, 8, 4, 4, &path, layer)
        };
        assert_eq!(draw(0, 1), draw(0, 1));
        assert_ne!(draw(0, 1), draw(0, 2));
        assert_ne!(draw(0, 1), draw(1, 1));
    }
}
