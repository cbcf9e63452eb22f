//! Optimizer steps: one pass over weights, gradients and moments.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::isa::Dispatch;
use super::simd::{Kernel, Simd, run};

/// An update rule with everything that does not change from weight to weight worked out.
///
/// Every rule first adds `l2 · w` to the gradient and shrinks the weight by the factor `1 − shrink`
/// (decoupled weight decay, Loshchilov & Hutter 2019).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// `v ← momentum · v + g; w ← w − rate · (nesterov ? g + momentum · v : v)` (Sutskever et al.
    /// 2013 in torch's form).
    Sgd {
        /// Step size.
        rate: f32,
        /// Momentum, 0 for none.
        momentum: f32,
        /// Nesterov's form.
        nesterov: bool,
        /// Whether the velocity gathers finished steps, `rate · g` (Keras), instead of gradients.
        finished: bool,
        /// L2 penalty.
        l2: f32,
        /// Decoupled weight decay, step size included.
        shrink: f32,
    },
    /// Adam (Kingma & Ba 2015, in the order of the end of section 2):
    /// `m ← beta1 · m + gain1 · g; v ← beta2 · v + gain2 · g²; w ← w − rate · m / (√v + epsilon)`.
    Adam {
        /// Step size, with both corrections.
        rate: f32,
        /// Decay of the first moment.
        beta1: f32,
        /// `1 − beta1`, which 32-bit floats cannot tell from a beta near 1.
        gain1: f32,
        /// Decay of the second moment.
        beta2: f32,
        /// `1 − beta2`.
        gain2: f32,
        /// Added to the root.
        epsilon: f32,
        /// L2 penalty.
        l2: f32,
        /// Decoupled weight decay, step size included.
        shrink: f32,
    },
    /// `RMSprop` (Tieleman & Hinton 2012).
    RmsProp {
        /// Step size.
        rate: f32,
        /// Decay of the squared gradient.
        alpha: f32,
        /// `1 − alpha`.
        gain: f32,
        /// Guards the division.
        epsilon: f32,
        /// Whether epsilon stands inside the root.
        inside: bool,
        /// Momentum, 0 for none.
        momentum: f32,
        /// Whether the velocity gathers finished steps, `rate · gradient / root` (Keras 3),
        /// instead of directions (torch, dfdx).
        finished: bool,
        /// L2 penalty.
        l2: f32,
        /// Decoupled weight decay, step size included.
        shrink: f32,
    },
}

/// Updates `weights` and its moments by one step.
///
/// `first` holds the velocity of SGD and `RMSprop` or Adam's first moment, `second` the mean
/// squared gradient; a rule that needs no velocity accepts an empty `first`.
///
/// # Panics
/// If lengths differ.
pub fn step(
    dispatch: Dispatch,
    rule: Rule,
    weights: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let len = weights.len();
    assert_eq!(gradient.len(), len, "one gradient a weight");
    let (needs_first, needs_second) = rule.needs();
    assert!(!needs_first || first.len() == len, "one velocity a weight");
    assert!(!needs_second || second.len() == len, "one mean square a weight");
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, Step { rule, weights, gradient, first, second }) }
}

impl Rule {
    /// Returns whether the rule keeps a velocity or first moment, and a second moment.
    #[must_use]
    pub fn needs(&self) -> (bool, bool) {
        match *self {
            Self::Sgd { momentum, .. } => (momentum > 0.0, false),
            Self::Adam { .. } => (true, true),
            Self::RmsProp { momentum, .. } => (momentum > 0.0, true),
        }
    }
}

struct Step<'a> {
    rule: Rule,
    weights: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.weights.len();
        let whole = len - len % S::LANES;
        let (needs_first, needs_second) = self.rule.needs();
        let mut at = 0;
        // SAFETY: `at + LANES` never exceeds the checked lengths; moments a rule does not need are
        // neither read nor written.
        unsafe {
            while at < whole {
                let mut state = State::<S> {
                    weight: S::load(self.weights.as_ptr().add(at)),
                    first: S::splat(0.0),
                    second: S::splat(0.0),
                };
                if needs_first {
                    state.first = S::load(self.first.as_ptr().add(at));
                }
                if needs_second {
                    state.second = S::load(self.second.as_ptr().add(at));
                }
                state.update(&self.rule, S::load(self.gradient.as_ptr().add(at)));
                S::store(self.weights.as_mut_ptr().add(at), state.weight);
                if needs_first {
                    S::store(self.first.as_mut_ptr().add(at), state.first);
                }
                if needs_second {
                    S::store(self.second.as_mut_ptr().add(at), state.second);
                }
                at += S::LANES;
            }
        }
        while at < len {
            let mut spare = [[0.0; 16]; 4];
            spare[0][0] = self.weights[at];
            spare[1][0] = self.gradient[at];
            if needs_first {
                spare[2][0] = self.first[at];
            }
            if needs_second {
                spare[3][0] = self.second[at];
            }
            // SAFETY: every row of `spare` holds a whole vector.
            unsafe {
                let mut state = State::<S> {
                    weight: S::load(spare[0].as_ptr()),
                    first: S::load(spare[2].as_ptr()),
                    second: S::load(spare[3].as_ptr()),
                };
                state.update(&self.rule, S::load(spare[1].as_ptr()));
                S::store(spare[0].as_mut_ptr(), state.weight);
                S::store(spare[2].as_mut_ptr(), state.first);
                S::store(spare[3].as_mut_ptr(), state.second);
            }
            self.weights[at] = spare[0][0];
            if needs_first {
                self.first[at] = spare[2][0];
            }
            if needs_second {
                self.second[at] = spare[3][0];
            }
            at += 1;
        }
    }
}

/// Gradients nearer to zero are zero: their squares would be denormal, and so would the moments of
/// weights that have stopped learning. Either costs over a hundred cycles a vector and changes no
/// weight, because every rule adds a far larger epsilon.
const SMALLEST_GRADIENT: f32 = 1e-17;

/// Moments nearer to zero are zero, for the same reason.
const SMALLEST_MOMENT: f32 = 1e-30;

/// Returns `value`, or zero where its magnitude is below `smallest`. NaN stays.
#[inline(always)]
unsafe fn flushed<S: Simd>(value: S::Vector, smallest: f32) -> S::Vector {
    // SAFETY: the caller's promise.
    unsafe {
        let negative = S::greater(value, S::splat(-smallest));
        let inner = S::select(negative, S::splat(0.0), value);
        S::select(S::greater(S::splat(smallest), value), inner, value)
    }
}

struct State<S: Simd> {
    weight: S::Vector,
    first: S::Vector,
    second: S::Vector,
}

impl<S: Simd> State<S> {
    #[inline(always)]
    unsafe fn update(&mut self, rule: &Rule, gradient: S::Vector) {
        // SAFETY: the caller's promise.
        unsafe {
            self.first = flushed::<S>(self.first, SMALLEST_MOMENT);
            self.second = flushed::<S>(self.second, SMALLEST_MOMENT);
        }
        // SAFETY: the caller's promise.
        unsafe {
            match *rule {
                Rule::Sgd { rate, momentum, nesterov, finished, l2, shrink } => {
                    let gradient = self.penalised(gradient, l2);
                    self.shrink(shrink);
                    let (mut direction, mut rate) = (gradient, rate);
                    if momentum > 0.0 {
                        if finished {
                            direction = S::mul(S::splat(rate), direction);
                            rate = 1.0;
                        }
                        let (momentum, gradient) = (S::splat(momentum), direction);
                        self.first = S::fma(momentum, self.first, gradient);
                        direction = self.first;
                        if nesterov {
                            direction = S::fma(momentum, self.first, gradient);
                        }
                    }
                    self.weight = S::fma(S::splat(-rate), direction, self.weight);
                }
                Rule::Adam { rate, beta1, gain1, beta2, gain2, epsilon, l2, shrink } => {
                    let gradient = self.penalised(gradient, l2);
                    self.shrink(shrink);
                    self.first =
                        S::fma(S::splat(beta1), self.first, S::mul(S::splat(gain1), gradient));
                    let square = S::mul(gradient, gradient);
                    self.second =
                        S::fma(S::splat(beta2), self.second, S::mul(S::splat(gain2), square));
                    let root = S::add(S::sqrt(self.second), S::splat(epsilon));
                    let direction = S::mul(self.first, S::reciprocal(root));
                    self.weight = S::fma(S::splat(-rate), direction, self.weight);
                }
                Rule::RmsProp {
                    rate,
                    alpha,
                    gain,
                    epsilon,
                    inside,
                    momentum,
                    finished,
                    l2,
                    shrink,
                } => {
                    let gradient = self.penalised(gradient, l2);
                    self.shrink(shrink);
                    let square = S::mul(gradient, gradient);
                    self.second =
                        S::fma(S::splat(alpha), self.second, S::mul(S::splat(gain), square));
                    let epsilon = S::splat(epsilon);
                    let inverse = if inside {
                        S::reciprocal_sqrt(S::add(self.second, epsilon))
                    } else {
                        S::reciprocal(S::add(S::sqrt(self.second), epsilon))
                    };
                    let mut direction = S::mul(gradient, inverse);
                    let mut rate = rate;
                    if momentum > 0.0 {
                        if finished {
                            direction = S::mul(S::splat(rate), direction);
                            rate = 1.0;
                        }
                        self.first = S::fma(S::splat(momentum), self.first, direction);
                        direction = self.first;
                    }
                    self.weight = S::fma(S::splat(-rate), direction, self.weight);
                }
            }
        }
    }

    /// Returns the gradient with its penalty, or zero where it is next to nothing.
    #[inline(always)]
    unsafe fn penalised(&self, gradient: S::Vector, l2: f32) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe { flushed::<S>(S::fma(S::splat(l2), self.weight, gradient), SMALLEST_GRADIENT) }
    }

    /// Takes a share off the weight.
    #[inline(always)]
    unsafe fn shrink(&mut self, share: f32) {
        // SAFETY: the caller's promise.
        unsafe { self.weight = S::fma(S::splat(-share), self.weight, self.weight) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{Numbers, assert_close};
    use super::*;

    /// The formulas in double precision, weight by weight.
    fn reference(rule: Rule, state: &mut [f64; 3], gradient: f64) {
        let [weight, first, second] = state;
        match rule {
            Rule::Sgd { rate, momentum, nesterov, finished, l2, shrink } => {
                let (rate, momentum) = (f64::from(rate), f64::from(momentum));
                let gradient = gradient + f64::from(l2) * *weight;
                *weight -= f64::from(shrink) * *weight;
                let (share, rate) = if finished { (rate, 1.0) } else { (1.0, rate) };
                *first = momentum * *first + share * gradient;
                let ahead = share * gradient + momentum * *first;
                *weight -= rate * if nesterov { ahead } else { *first };
            }
            Rule::Adam { rate, beta1, gain1, beta2, gain2, epsilon, l2, shrink } => {
                let [beta1, gain1, beta2, gain2] = [beta1, gain1, beta2, gain2].map(f64::from);
                let gradient = gradient + f64::from(l2) * *weight;
                *weight -= f64::from(shrink) * *weight;
                *first = beta1 * *first + gain1 * gradient;
                *second = beta2 * *second + gain2 * gradient * gradient;
                *weight -= f64::from(rate) * *first / (second.sqrt() + f64::from(epsilon));
            }
            Rule::RmsProp {
                rate,
                alpha,
                gain,
                epsilon,
                inside,
                momentum,
                finished,
                l2,
                shrink,
            } => {
                let [rate, alpha, gain, epsilon, momentum] =
                    [rate, alpha, gain, epsilon, momentum].map(f64::from);
                let gradient = gradient + f64::from(l2) * *weight;
                *weight -= f64::from(shrink) * *weight;
                *second = alpha * *second + gain * gradient * gradient;
                let root =
                    if inside { (*second + epsilon).sqrt() } else { second.sqrt() + epsilon };
                let (share, rate) = if finished { (rate, 1.0) } else { (1.0, rate) };
                *first = momentum * *first + share * gradient / root;
                *weight -= rate * *first;
            }
        }
    }

    fn adam(l2: f32, shrink: f32) -> Rule {
        Rule::Adam {
            rate: 0.01,
            beta1: 0.9,
            gain1: 0.1,
            beta2: 0.999,
            gain2: 0.001,
            epsilon: 1e-7,
            l2,
            shrink,
        }
    }

    #[test]
    fn every_rule_follows_its_formula_for_five_steps() {
        let sgd = |momentum, nesterov, finished, l2, shrink| Rule::Sgd {
            rate: 0.1,
            momentum,
            nesterov,
            finished,
            l2,
            shrink,
        };
        let rms = |inside, momentum, finished, l2, shrink| Rule::RmsProp {
            rate: 0.01,
            alpha: 0.9,
            gain: 0.1,
            epsilon: 1e-7,
            inside,
            momentum,
            finished,
            l2,
            shrink,
        };
        let rules = [
            sgd(0.0, false, false, 0.0, 0.0),
            sgd(0.9, false, false, 0.01, 0.0),
            sgd(0.9, true, false, 0.01, 0.0),
            sgd(0.9, false, true, 0.0, 0.01),
            sgd(0.9, true, true, 0.0, 0.01),
            adam(0.0, 0.0),
            adam(0.01, 0.0),
            adam(0.0, 0.1),
            rms(false, 0.0, false, 0.0, 0.0),
            rms(true, 0.9, false, 0.01, 0.0),
            rms(true, 0.9, true, 0.0, 0.01),
        ];
        for dispatch in Dispatch::all() {
            for rule in rules {
                let mut numbers = Numbers(1);
                let len = 37;
                let start = numbers.values(len);
                let narrow = |values: &[f64]| -> Vec<f32> {
                    values.iter().map(|&value| value as f32).collect()
                };
                let mut states: Vec<[f64; 3]> =
                    start.iter().map(|&weight| [weight, 0.0, 1.0]).collect();
                let mut weights = narrow(&start);
                let (mut first, mut second) = (vec![0.0; len], vec![1.0; len]);
                for _ in 0..5 {
                    let gradient = numbers.values(len);
                    step(dispatch, rule, &mut weights, &narrow(&gradient), &mut first, &mut second);
                    for (state, &gradient) in states.iter_mut().zip(&gradient) {
                        reference(rule, state, gradient);
                    }
                }
                let found: Vec<f64> = weights.into_iter().map(f64::from).collect();
                let expected: Vec<f64> = states.iter().map(|state| state[0]).collect();
                assert_close(&found, &expected, 1e-5, &format!("{} {rule:?}", dispatch.isa()));
            }
        }
    }

    #[test]
    fn moments_of_weights_that_stopped_learning_end_at_zero_and_nan_stays() {
        let Rule::Adam { rate, beta1, gain1, epsilon, l2, shrink, .. } = adam(0.0, 0.0) else {
            unreachable!("it is Adam")
        };
        let (beta2, gain2) = (0.99, 0.01);
        let rule = Rule::Adam { rate, beta1, gain1, beta2, gain2, epsilon, l2, shrink };
        for dispatch in Dispatch::all() {
            let gradient = [0.0, 1e-20, -1e-20, f32::NAN];
            let (mut weights, mut first, mut second) = ([1.0; 4], [1.0, -1.0, 1.0, 1.0], [1.0; 4]);
            for _ in 0..20_000 {
                step(dispatch, rule, &mut weights, &gradient, &mut first, &mut second);
            }
            assert_eq!((&first[..3], &second[..3]), (&[0.0; 3][..], &[0.0; 3][..]));
            assert!(weights[3].is_nan());
        }
    }
}
