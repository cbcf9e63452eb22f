//! Optimizer settings as the update rule of one step.

use crate::spec::settings::{OptimizerSettings, RmsPropConvention};
use gridbench_kernels::Rule;

/// Returns the rule of step `step`, from 1, with this step size.
pub(super) fn rule(settings: &OptimizerSettings, learning_rate: f64, step: u64) -> Rule {
    let rate = learning_rate as f32;
    let adam = |[beta1, beta2]: [f64; 2], epsilon: f64, l2: f64, decoupled: f64| {
        let correction = |beta: f64| (1.0 / (1.0 - beta.powf(step as f64))) as f32;
        Rule::Adam {
            rate,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            epsilon: guard(epsilon),
            correction1: correction(beta1),
            correction2: correction(beta2),
            l2: l2 as f32,
            decoupled: decoupled as f32,
        }
    };
    match *settings {
        OptimizerSettings::Sgd { momentum, nesterov, weight_decay } => Rule::Sgd {
            rate,
            momentum: momentum as f32,
            nesterov,
            weight_decay: weight_decay as f32,
        },
        OptimizerSettings::Adam { beta1, beta2, epsilon, weight_decay } => {
            adam([beta1, beta2], epsilon, weight_decay, 0.0)
        }
        OptimizerSettings::AdamW { beta1, beta2, epsilon, weight_decay } => {
            adam([beta1, beta2], epsilon, 0.0, weight_decay)
        }
        OptimizerSettings::RmsProp { alpha, epsilon, momentum, convention, weight_decay } => {
            Rule::RmsProp {
                rate,
                alpha: alpha as f32,
                epsilon: guard(epsilon),
                inside: convention != RmsPropConvention::Torch,
                momentum: momentum as f32,
                finished: convention == RmsPropConvention::Keras,
                weight_decay: weight_decay as f32,
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
