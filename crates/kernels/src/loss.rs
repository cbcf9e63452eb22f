//! Softmax and cross-entropy over the logits of a batch.

use super::element::Activation;
use super::layout::Extent;

/// What one batch gave.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BatchLoss {
    /// Sum over the images of `−ln p(label)`, in nats.
    pub loss: f64,
    /// Number of images whose largest logit is the label's.
    pub correct: usize,
}

/// Gradients nearer to zero are zero: on their way back they would become denormal, which costs over
/// a hundred cycles a product, and no sum notices them.
const SMALLEST_GRADIENT: f32 = 1e-20;

/// Writes the class probabilities of one image over its logits and returns `ln Σ exp(logit)`.
///
/// The largest logit is subtracted first, so nothing overflows.
fn softmax(logits: &mut [f32]) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - largest).exp();
        sum += *logit;
    }
    let scale = 1.0 / sum;
    for logit in logits.iter_mut() {
        *logit *= scale;
    }
    f64::from(largest) + f64::from(sum).ln()
}

/// Computes loss and hits of a batch, and the gradient of its mean loss: `(p − y) / images`.
///
/// `logits` are one pixel per image and are overwritten by probabilities; surplus channels of
/// `gradient` and rows past the last image stay as they are.
///
/// # Panics
/// If a buffer is too small or a label is not below the number of channels.
pub fn cross_entropy<E: Activation>(
    extent: &Extent,
    logits: &mut [f32],
    labels: &[u16],
    gradient: &mut [E],
) -> BatchLoss {
    let classes = extent.channels;
    let scale = 1.0 / labels.len() as f32;
    let mut total = BatchLoss::default();
    for (image, &label) in labels.iter().enumerate() {
        let at = extent.offset(image, 0);
        let logits = &mut logits[at..][..classes];
        let label = usize::from(label);
        let (target, mut best) = (logits[label], 0);
        for class in 1..classes {
            if logits[class] > logits[best] {
                best = class;
            }
        }
        total.correct += usize::from(best == label);
        total.loss += softmax(logits) - f64::from(target);
        let gradient = &mut gradient[at..][..classes];
        for (class, (to, &probability)) in gradient.iter_mut().zip(logits.iter()).enumerate() {
            let target = if class == label { 1.0 } else { 0.0 };
            let difference = (probability - target) * scale;
            // A NaN is not small.
            let is_small = difference.abs() < SMALLEST_GRADIENT;
            *to = E::from_f32(if is_small { 0.0 } else { difference });
        }
    }
    total
}

/// Writes the class probabilities of a batch, `images × classes` without surplus.
///
/// # Panics
/// If a buffer is too small.
pub fn probabilities(extent: &Extent, logits: &mut [f32], images: usize, to: &mut [f32]) {
    let classes = extent.channels;
    for (image, to) in to.chunks_exact_mut(classes).take(images).enumerate() {
        let logits = &mut logits[extent.offset(image, 0)..][..classes];
        softmax(logits);
        to.copy_from_slice(logits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_gradient_follow_the_definition() {
        let extent = Extent::new(1, 3, 2);
        let mut logits = vec![0.0; extent.len(3)];
        let rows = [[1.0_f32, 2.0, 3.0], [0.5, -0.5, 0.0], [1000.0, 0.0, -1000.0]];
        let labels = [2_u16, 1, 0];
        for (image, row) in rows.iter().enumerate() {
            logits[extent.offset(image, 0)..][..3].copy_from_slice(row);
        }
        let mut gradient = vec![0.0_f32; extent.len(3)];
        let batch = cross_entropy(&extent, &mut logits, &labels, &mut gradient);
        let mut loss = 0.0;
        for (image, row) in rows.iter().enumerate() {
            let largest = f64::from(row.iter().copied().fold(f32::MIN, f32::max));
            let sum: f64 = row.iter().map(|&x| (f64::from(x) - largest).exp()).sum();
            let label = usize::from(labels[image]);
            loss += largest + sum.ln() - f64::from(row[label]);
            for (class, &logit) in row.iter().enumerate() {
                let probability = (f64::from(logit) - largest).exp() / sum;
                let expected = (probability - f64::from(u8::from(class == label))) / 3.0;
                let found = f64::from(gradient[extent.offset(image, 0) + class]);
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
        assert!((batch.loss - loss).abs() < 1e-5, "{} {loss}", batch.loss);
        assert_eq!(batch.correct, 2);
    }

    #[test]
    fn a_nan_logit_gives_a_nan_loss() {
        let extent = Extent::new(1, 2, 1);
        let mut logits = vec![0.0; extent.len(1)];
        logits[0] = f32::NAN;
        let mut gradient = vec![0.0_f32; extent.len(1)];
        assert!(cross_entropy(&extent, &mut logits, &[0], &mut gradient).loss.is_nan());
    }
}
