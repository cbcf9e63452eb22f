//! From logits to losses, accuracies and probabilities.

use crate::record::LogProbabilities;

/// Loss and accuracy of one model on one set of images.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Evaluation {
    /// Mean cross-entropy in nats.
    pub loss: f64,
    /// Share of images classified correctly.
    pub accuracy: f64,
}

/// Returns the index of the largest value, the first of several; 0 for an empty row.
pub(crate) fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    best
}

/// Returns the cross-entropy of one row of logits against class `label`, in nats.
pub(crate) fn cross_entropy(logits: &[f32], label: u16) -> f64 {
    let (largest, rest) = normalizer(logits);
    rest + (largest - f64::from(logits[usize::from(label)]))
}

/// Returns the logarithm of the sum of exponentials in two parts, the largest logit and what the
/// others add to it, so that a loss near 0 keeps its digits.
fn normalizer(logits: &[f32]) -> (f64, f64) {
    let best = argmax(logits);
    let largest = f64::from(logits[best]);
    let share = |(_, &logit): (usize, &f32)| (f64::from(logit) - largest).exp();
    let others = logits.iter().enumerate().filter(|(index, _)| *index != best);
    (largest, others.map(share).sum::<f64>().ln_1p())
}

/// Returns loss and accuracy of `logits`, one row of `classes` values per image.
///
/// # Panics
/// If the number of rows is not the number of labels.
pub(crate) fn evaluate(logits: &[f32], classes: usize, labels: &[u16]) -> Evaluation {
    assert_eq!(logits.len(), labels.len() * classes, "one row of logits per image");
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

/// Turns logits into logarithms of class probabilities (log-softmax), row by row, in place.
///
/// Rounding never changes a prediction: where it would make two classes equal, the winner is moved
/// up by one step.
pub(crate) fn log_probabilities(mut logits: Vec<f32>, classes: usize) -> LogProbabilities {
    for row in logits.chunks_exact_mut(classes.max(1)) {
        let winner = argmax(row);
        let (largest, rest) = normalizer(row);
        for value in &mut *row {
            *value = ((f64::from(*value) - largest) - rest) as f32;
        }
        if argmax(row) != winner {
            row[winner] = row[winner].next_up();
        }
    }
    LogProbabilities { classes, values: logits }
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
    fn a_loss_near_zero_keeps_its_digits() {
        // mpmath.mp.dps = 40: log(1 + exp(-50)), log(1 + exp(-20))
        for (margin, loss) in
            [(50.0, 1.928_749_847_963_917_7e-22), (20.0, 2.061_153_620_314_381e-9)]
        {
            let found = cross_entropy(&[margin, 0.0], 0);
            assert!((found / loss - 1.0).abs() < 1e-12, "{found:e} is not {loss:e}");
            let stored = log_probabilities(vec![margin, 0.0], 2).values[0];
            assert!((-f64::from(stored) / loss - 1.0).abs() < 1e-6, "{stored:e} is not {loss:e}");
        }
    }

    #[test]
    fn log_probabilities_are_those_of_scipy() {
        let rows = log_probabilities(vec![1.0, 2.0, 3.0, 1000.0, 0.0, -1000.0], 3);
        // scipy.special.log_softmax([1, 2, 3]) = [-2.40760596, -1.40760596, -0.40760596]
        for (found, expected) in rows.values.iter().zip([-2.407_606, -1.407_606, -0.407_606]) {
            assert!((found - expected).abs() < 1e-6);
        }
        assert_eq!(rows.values[3..], [0.0, -1000.0, -2000.0]);
    }

    #[test]
    fn rounding_never_changes_which_class_wins() {
        // Logits whose difference is lost when ln 2 is taken from them.
        let logits = vec![1.0e-10, 1.1e-10, 1.2e-10, -3.0e-10, 0.0, 1.0e-12];
        let winners: Vec<usize> = logits.chunks_exact(2).map(argmax).collect();
        let stored = log_probabilities(logits, 2);
        assert_eq!(stored.rows().map(argmax).collect::<Vec<_>>(), winners);
    }

    #[test]
    fn a_nan_logit_gives_a_nan_loss() {
        assert!(cross_entropy(&[f32::NAN, 1.0], 1).is_nan());
    }
}
