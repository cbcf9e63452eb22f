//! Made-up images: cheap, without meaning, yet learnable.

use super::counter::Counter;
use super::dataset::ImageShape;
use super::pool::Pool;

/// Side of the images unless `image-size` says otherwise.
pub(super) const SIDE: usize = 8;
/// Key of the random numbers: the images never depend on the experiment's seed.
const KEY: u64 = 0x5EED_0F1A_6E5C_0DE5;

/// Returns `images` images of `classes` classes in turn, each its class's pattern with noise on top.
///
/// A class's pattern is a sum of three random waves, scaled to 0–255; the noise is uniform, ± 64.
pub(super) fn make(images: usize, classes: usize, image_size: Option<usize>) -> Pool {
    let side = image_size.unwrap_or(SIDE);
    let patterns: Vec<Vec<f64>> = (0..classes).map(|class| pattern(class, side)).collect();
    let mut pixels = Vec::with_capacity(images * side * side);
    for image in 0..images {
        let mut noise = Counter::of_item(KEY, image as u64);
        pixels.extend(
            patterns[image % classes].iter().map(|value| (value + 64.0 * noise.signed()) as u8),
        );
    }
    Pool::new(
        ImageShape { height: side, width: side, channels: 1 },
        (0..classes).map(|class| class.to_string()).collect(),
        pixels,
        (0..images).map(|image| (image % classes) as u16).collect(),
    )
}

fn pattern(class: usize, side: usize) -> Vec<f64> {
    let mut draws = Counter::of_item(!KEY, class as u64);
    let waves: [[f64; 3]; 3] =
        std::array::from_fn(|_| [4.0 * draws.signed(), 4.0 * draws.signed(), draws.unit()]);
    let at = |index: usize| {
        let (down, across) = ((index / side) as f64, (index % side) as f64);
        let height = |[frequency_down, frequency_across, phase]: [f64; 3]| {
            let turns = (frequency_down * down + frequency_across * across) / side as f64 + phase;
            triangle(turns)
        };
        127.5 + 42.5 * waves.map(height).iter().sum::<f64>()
    };
    (0..side * side).map(at).collect()
}

/// A wave of period 1 between −1 and 1, of straight lines: the same bits on every machine.
fn triangle(turns: f64) -> f64 {
    4.0 * (turns - turns.floor() - 0.5).abs() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_class_mean_recognises_most_images() {
        let pool = make(600, 6, None);
        let images: Vec<&[u8]> = pool.pixels.chunks_exact(64).collect();
        let mut means = vec![vec![0.0; 64]; 6];
        for (image, &label) in images.iter().zip(&pool.labels) {
            for (mean, &pixel) in means[usize::from(label)].iter_mut().zip(*image) {
                *mean += f64::from(pixel) / 100.0;
            }
        }
        let distance = |mean: &[f64], image: &[u8]| -> f64 {
            mean.iter().zip(image).map(|(m, &p)| (m - f64::from(p)).powi(2)).sum()
        };
        let right = images.iter().zip(&pool.labels).filter(|(image, label)| {
            let own = distance(&means[usize::from(**label)], image);
            means.iter().all(|mean| distance(mean, image) >= own)
        });
        assert!(right.count() > 570);
    }

    #[test]
    fn more_images_leave_the_first_ones_as_they_are() {
        let few = make(10, 3, Some(5));
        let many = make(20, 3, Some(5));
        assert_eq!(few.pixels, many.pixels[..250]);
        assert_eq!(few.labels, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
    }
}
