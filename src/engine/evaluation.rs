//! From logits to losses, accuracies and probabilities.

use crate::record::Probabilities;

/// Loss and accuracy of one model on one set of images.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evaluation {
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Share of images classified correctly.
    pub accuracy: f64,
}

/// Returns the index of the largest value, the first of several; 0 for an empty row.
#[must_use]
pub fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (place, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = place;
        }
    }
    best
}

/// Returns the cross-entropy of one row of logits against class `label`, in nats.
#[must_use]
pub fn cross_entropy(logits: &[f32], label: u16) -> f64 {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum();
    sum.ln() + largest - f64::from(logits[usize::from(label)])
}

/// Returns loss and accuracy of `logits`, one row of `classes` values an image.
///
/// # Panics
/// If the number of rows is not the number of labels.
#[must_use]
pub fn evaluate(logits: &[f32], classes: usize, labels: &[u16]) -> Evaluation {
    assert_eq!(logits.len(), labels.len() * classes, "one row of logits an image");
    if labels.is_empty() {
        return Evaluation::default();
    }
    let (mut loss, mut correct) = (0.0, 0usize);
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        loss += cross_entropy(row, label);
        correct += usize::from(argmax(row) == usize::from(label));
    }
    let images = labels.len() as f64;
    Evaluation { loss: loss / images, accuracy: correct as f64 / images }
}

/// Turns logits into class probabilities (softmax), row by row, in place.
#[must_use]
pub fn probabilities(mut logits: Vec<f32>, classes: usize) -> Probabilities {
    for row in logits.chunks_exact_mut(classes.max(1)) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for value in &mut *row {
            *value = (*value - largest).exp();
            sum += *value;
        }
        for value in &mut *row {
            *value /= sum;
        }
    }
    Probabilities { classes, values: logits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_of_equal_logits_is_the_logarithm_of_the_classes() {
        let found = evaluate(&[3.0; 20], 10, &[4, 0]);
        assert!((found.loss - 10f64.ln()).abs() < 1e-12);
        assert!((found.accuracy - 0.5).abs() < 1e-12);
    }

    #[test]
    fn losses_match_a_calculation_by_hand() {
        // scipy.special.log_softmax([1, 2, 3]) = [-2.40760596, -1.40760596, -0.40760596]
        assert!((cross_entropy(&[1.0, 2.0, 3.0], 0) - 2.407_605_964_444_38).abs() < 1e-12);
        // Large logits do not overflow.
        assert!((cross_entropy(&[1000.0, 0.0], 1) - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn probabilities_of_a_row_sum_to_one_and_keep_its_order() {
        let rows = probabilities(vec![1.0, 2.0, 3.0, 1000.0, 0.0, -1000.0], 3);
        for row in rows.rows() {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        // scipy.special.softmax([1, 2, 3]) = [0.09003057, 0.24472847, 0.66524096]
        assert!((rows.values[0] - 0.090_030_57).abs() < 1e-7);
        assert_eq!(argmax(&rows.values[3..]), 0);
    }

    #[test]
    fn a_nan_logit_gives_a_nan_loss() {
        assert!(cross_entropy(&[f32::NAN, 1.0], 1).is_nan());
    }
}
