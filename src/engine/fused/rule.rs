//! Optimizer settings as the update rule of one step.

use super::super::schedule::AdamStep;
use crate::experiment::settings::{OptimizerConvention, OptimizerSettings, RmsPropConvention};
use gridbench_kernels::Rule;

/// Returns the rule of step `step`, from 1, with this step size.
pub(super) fn rule(settings: &OptimizerSettings, learning_rate: f64, step: u64) -> Rule {
    let rate = learning_rate as f32;
    // Weight decay as an L2 penalty, or what it takes off a weight in this step.
    let decay = |decay: f64, is_decoupled: bool| {
        if is_decoupled { (0.0, (learning_rate * decay) as f32) } else { (decay as f32, 0.0) }
    };
    match *settings {
        OptimizerSettings::Sgd { momentum, nesterov, weight_decay, convention } => {
            let finished = convention == OptimizerConvention::Keras;
            let (l2, shrink) = decay(weight_decay, finished);
            Rule::Sgd { rate, momentum: momentum as f32, nesterov, finished, l2, shrink }
        }
        OptimizerSettings::Adam { beta1, beta2, epsilon, weight_decay, convention }
        | OptimizerSettings::AdamW { beta1, beta2, epsilon, weight_decay, convention } => {
            let is_adamw = matches!(settings, OptimizerSettings::AdamW { .. });
            let is_decoupled = is_adamw || convention == OptimizerConvention::Keras;
            let (l2, shrink) = decay(weight_decay, is_decoupled);
            let adam = AdamStep::new([beta1, beta2], epsilon, convention, step);
            Rule::Adam {
                rate: (learning_rate * adam.rate) as f32,
                beta1: beta1 as f32,
                gain1: (1.0 - beta1) as f32,
                beta2: beta2 as f32,
                gain2: (1.0 - beta2) as f32,
                epsilon: guard(adam.epsilon),
                l2,
                shrink,
            }
        }
        OptimizerSettings::RmsProp { alpha, epsilon, momentum, convention, weight_decay } => {
            let finished = convention == RmsPropConvention::Keras;
            let (l2, shrink) = decay(weight_decay, finished);
            // dfdx takes alpha from 1 in 32-bit floats.
            let gain = match convention {
                RmsPropConvention::Dfdx => 1.0 - alpha as f32,
                _ => (1.0 - alpha) as f32,
            };
            Rule::RmsProp {
                rate,
                alpha: alpha as f32,
                gain,
                epsilon: guard(epsilon),
                inside: convention != RmsPropConvention::Torch,
                momentum: momentum as f32,
                finished,
                l2,
                shrink,
            }
        }
    }
}

/// Returns epsilon, but never 0: surplus values have no gradient and would become 0 / 0.
fn guard(epsilon: f64) -> f32 {
    (epsilon as f32).max(1e-30)
}

/// Returns where the mean squared gradient starts.
pub(super) fn initial_square(settings: &OptimizerSettings) -> f32 {
    match settings {
        OptimizerSettings::RmsProp { convention: RmsPropConvention::Dfdx, .. } => 1.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::published;
    use gridbench_kernels::{Dispatch, step};

    #[test]
    fn every_rule_steps_as_keras_and_torch_do_under_every_schedule() {
        for dispatch in Dispatch::all() {
            published::compare(dispatch.isa().name(), |settings, start| {
                let mut weights = start.to_vec();
                let mut memories = [vec![0.0; start.len()], vec![0.0; start.len()]];
                let settings = settings.clone();
                Box::new(move |gradient, learning_rate, index| {
                    let [first, second] = &mut memories;
                    let rule = rule(&settings, learning_rate, index + 1);
                    step(dispatch, rule, &mut weights, gradient, first, second);
                    weights.clone()
                })
            });
        }
    }
}
