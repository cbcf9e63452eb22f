//! What the tests of `stats` share.

/// Checks that two numbers agree to `tolerance`, relative above 1 and absolute below.
///
/// # Panics
/// If they do not.
#[track_caller]
pub(super) fn assert_close(found: f64, expected: f64, tolerance: f64) {
    let distance = (found - expected).abs();
    assert!(
        distance <= tolerance * expected.abs().max(1.0),
        "found {found:e}, expected {expected:e}: off by {distance:e}"
    );
}

/// A skewed sample of 25 accuracies:
/// `numpy.round(0.99 - numpy.random.default_rng(7).gamma(2, 0.002, 25), 4)`.
pub(super) const SKEWED: [f64; 25] = [
    0.9867, 0.9873, 0.9877, 0.9865, 0.9878, 0.9852, 0.9864, 0.9867, 0.9891, 0.9895, 0.989, 0.9862,
    0.9868, 0.9893, 0.9863, 0.9883, 0.9883, 0.9838, 0.9869, 0.9865, 0.9865, 0.9893, 0.9863, 0.9784,
    0.9889,
];

/// Eight accuracies, and eight that tend to be lower.
pub(super) const C: [f64; 8] = [0.981, 0.984, 0.979, 0.985, 0.982, 0.980, 0.983, 0.986];
pub(super) const D: [f64; 8] = [0.980, 0.982, 0.978, 0.981, 0.983, 0.979, 0.977, 0.9805];
