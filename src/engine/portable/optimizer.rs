//! Optimizer steps: dfdx's kernels, and tensor operations where dfdx lacks the convention or takes
//! a beta from 1 in 32-bit floats.

use dfdx::prelude::*;
use dfdx::tensor_ops::{Momentum, RMSpropConfig, SgdConfig, TryAdd, TryDiv, WeightDecay};

use super::super::schedule::AdamStep;
use super::ops::{Backend, Packed};
use crate::experiment::settings::{OptimizerConvention, OptimizerSettings, RmsPropConvention};

/// Names of the tensors an optimizer remembers for every weight, in order.
const MEMORIES: [&str; 3] = ["first", "second", "third"];

/// An optimizer with its memory of every weight.
#[derive(Debug)]
pub(super) struct Optimizer<D: Backend> {
    settings: OptimizerSettings,
    memory: Memory<D>,
}

/// What is remembered, by kind and then by weight.
#[derive(Debug)]
enum Memory<D: Backend> {
    /// For dfdx's kernels, which want buffers; `Gradients` hands them out by the id of a weight.
    Buffers(Vec<Gradients<f32, D>>),
    /// For our own steps.
    Tensors(Vec<Vec<Packed<D>>>),
}

impl<D: Backend> Optimizer<D> {
    /// Starts with an empty memory of `weights`.
    pub(super) fn new(settings: &OptimizerSettings, weights: &[Packed<D>]) -> Result<Self, D::Err> {
        let zeros = |weight: &Packed<D>| weight.device().try_zeros_like(weight.shape());
        let memory = if by_dfdx(settings) {
            let mut buffers = vec![Gradients::leaky(); memories(settings)];
            for weight in weights {
                for buffer in &mut buffers {
                    buffer.try_alloc_for(weight)?;
                }
            }
            Memory::Buffers(buffers)
        } else {
            let all = || weights.iter().map(zeros).collect::<Result<Vec<_>, _>>();
            Memory::Tensors((0..memories(settings)).map(|_| all()).collect::<Result<_, _>>()?)
        };
        let mut optimizer = Self { settings: settings.clone(), memory };
        if let OptimizerSettings::RmsProp { convention: RmsPropConvention::Dfdx, .. } = settings {
            for (index, weight) in weights.iter().enumerate() {
                let ones = weight.device().try_ones_like(weight.shape())?;
                optimizer.remember(SQUARES, index, weight, &ones)?;
            }
        }
        Ok(optimizer)
    }

    /// Returns the names of the memories of every weight.
    pub(super) fn memory_names(&self) -> &'static [&'static str] {
        match &self.memory {
            Memory::Buffers(buffers) => &MEMORIES[..buffers.len()],
            Memory::Tensors(tensors) => &MEMORIES[..tensors.len()],
        }
    }

    /// Returns memory `kind` of `weight`, the `index`-th.
    pub(super) fn memory(&self, kind: usize, index: usize, weight: &Packed<D>) -> Packed<D> {
        match &self.memory {
            Memory::Buffers(buffers) => buffers[kind].get(weight),
            Memory::Tensors(tensors) => tensors[kind][index].clone(),
        }
    }

    /// Replaces memory `kind` of `weight`, the `index`-th.
    ///
    /// dfdx hands out its buffers but no way to write a tensor into one; a gradient step of size
    /// zero without momentum copies its gradient into the velocity, which is such a buffer.
    pub(super) fn remember(
        &mut self,
        kind: usize,
        index: usize,
        weight: &Packed<D>,
        values: &Packed<D>,
    ) -> Result<(), D::Err> {
        let buffers = match &mut self.memory {
            Memory::Buffers(buffers) => buffers,
            Memory::Tensors(tensors) => {
                tensors[kind][index] = values.clone();
                return Ok(());
            }
        };
        let product = weight.leaky_trace().try_mul(values.clone())?;
        let mut gradients = product.try_sum::<Rank0, _>()?.try_backward()?;
        let copy =
            SgdConfig { lr: 0.0, momentum: Some(Momentum::Classic(0.0)), weight_decay: None };
        let buffer = buffers[kind].get_or_alloc_mut(weight)?;
        copy.try_update(&mut weight.clone(), buffer, gradients.get_or_alloc_mut(weight)?)
    }

    /// Takes one step, the `step`-th from 1.
    pub(super) fn update(
        &mut self,
        weights: &mut [Packed<D>],
        gradients: &mut Gradients<f32, D>,
        learning_rate: f64,
        step: u64,
    ) -> Result<(), D::Err> {
        let step_size = StepSize { learning_rate, step };
        match &mut self.memory {
            Memory::Buffers(buffers) => {
                step_by_dfdx(&self.settings, buffers, weights, gradients, learning_rate)
            }
            Memory::Tensors(tensors) => {
                for (index, weight) in weights.iter_mut().enumerate() {
                    let gradient = gradients.get(weight);
                    let mut memory = tensors.iter_mut().map(|kind| &mut kind[index]);
                    let memory = [memory.next(), memory.next()];
                    step_by_tensors(&self.settings, memory, weight, gradient, step_size)?;
                }
                Ok(())
            }
        }
    }
}

/// Index of the averaged squared gradient in `RMSprop`'s memory.
const SQUARES: usize = 1;

#[derive(Clone, Copy)]
struct StepSize {
    learning_rate: f64,
    step: u64,
}

/// Returns the number of tensors remembered of every weight.
pub(super) fn memories(settings: &OptimizerSettings) -> usize {
    match settings {
        OptimizerSettings::Sgd { .. } => 1,
        OptimizerSettings::RmsProp { .. } if by_dfdx(settings) => 3,
        _ => 2,
    }
}

/// Returns whether dfdx has a kernel for these settings.
fn by_dfdx(settings: &OptimizerSettings) -> bool {
    match settings {
        OptimizerSettings::Sgd { convention, .. } => *convention == OptimizerConvention::Torch,
        OptimizerSettings::RmsProp { convention, .. } => *convention == RmsPropConvention::Dfdx,
        OptimizerSettings::Adam { .. } | OptimizerSettings::AdamW { .. } => false,
    }
}

fn step_by_dfdx<D: Backend>(
    settings: &OptimizerSettings,
    memory: &mut [Gradients<f32, D>],
    weights: &mut [Packed<D>],
    gradients: &mut Gradients<f32, D>,
    lr: f64,
) -> Result<(), D::Err> {
    let l2 = |decay: f64| (decay > 0.0).then_some(WeightDecay::L2(decay));
    match *settings {
        OptimizerSettings::Sgd { momentum, nesterov, weight_decay, .. } => {
            let momentum = match (momentum > 0.0, nesterov) {
                (false, _) => None,
                (true, false) => Some(Momentum::Classic(momentum)),
                (true, true) => Some(Momentum::Nesterov(momentum)),
            };
            let config = SgdConfig { lr, momentum, weight_decay: l2(weight_decay) };
            for weight in weights {
                let velocity = memory[0].get_or_alloc_mut(weight)?;
                config.try_update(weight, velocity, gradients.get_or_alloc_mut(weight)?)?;
            }
        }
        OptimizerSettings::RmsProp { alpha, epsilon: eps, momentum, weight_decay, .. } => {
            let momentum = (momentum > 0.0).then_some(momentum);
            let weight_decay = l2(weight_decay);
            let config = RMSpropConfig { lr, alpha, eps, momentum, centered: false, weight_decay };
            let [momenta, squares, means] = memory else {
                unreachable!("RMSprop has three memories")
            };
            for weight in weights {
                config.try_update(
                    weight,
                    momenta.get_or_alloc_mut(weight)?,
                    squares.get_or_alloc_mut(weight)?,
                    means.get_or_alloc_mut(weight)?,
                    gradients.get_or_alloc_mut(weight)?,
                )?;
            }
        }
        OptimizerSettings::Adam { .. } | OptimizerSettings::AdamW { .. } => {
            unreachable!("dfdx's Adam is not asked for")
        }
    }
    Ok(())
}

/// Takes one step of one weight by tensor operations.
fn step_by_tensors<D: Backend>(
    settings: &OptimizerSettings,
    memory: [Option<&mut Packed<D>>; 2],
    weight: &mut Packed<D>,
    mut gradient: Packed<D>,
    StepSize { learning_rate, step }: StepSize,
) -> Result<(), D::Err> {
    let [Some(first), second] = memory else { unreachable!("every optimizer has a memory") };
    // Adds an L2 penalty, or returns which share of the weight decoupled decay leaves.
    let mut decay = |decay: f64, is_decoupled: bool| {
        if !is_decoupled && decay > 0.0 {
            gradient.try_axpy(1.0, weight, decay)?;
        }
        Ok(if is_decoupled { 1.0 - learning_rate * decay } else { 1.0 })
    };
    match *settings {
        OptimizerSettings::Sgd { momentum, nesterov, weight_decay, .. } => {
            let rest = decay(weight_decay, true)?;
            first.try_axpy(momentum, &gradient, learning_rate)?;
            if nesterov {
                weight.try_axpy(rest, first, -momentum)?;
                weight.try_axpy(1.0, &gradient, -learning_rate)
            } else {
                weight.try_axpy(rest, first, -1.0)
            }
        }
        OptimizerSettings::Adam { beta1, beta2, epsilon, weight_decay, convention }
        | OptimizerSettings::AdamW { beta1, beta2, epsilon, weight_decay, convention } => {
            let is_adamw = matches!(settings, OptimizerSettings::AdamW { .. });
            let rest = decay(weight_decay, is_adamw || convention == OptimizerConvention::Keras)?;
            let second = second.expect("Adam has two memories");
            let adam = AdamStep::new([beta1, beta2], epsilon, convention, step);
            first.try_axpy(beta1, &gradient, 1.0 - beta1)?;
            second.try_axpy(beta2, &gradient.try_square()?, 1.0 - beta2)?;
            let root = second.clone().try_sqrt()?.try_add(adam.epsilon as f32)?;
            let change = first.clone().try_div(root)?;
            weight.try_axpy(rest, &change, -learning_rate * adam.rate)
        }
        OptimizerSettings::RmsProp { alpha, epsilon, momentum, convention, weight_decay } => {
            let keras = convention == RmsPropConvention::Keras;
            let rest = decay(weight_decay, keras)?;
            let second = second.expect("RMSprop has two memories");
            second.try_axpy(alpha, &gradient.clone().try_square()?, 1.0 - alpha)?;
            let root = if keras {
                second.clone().try_add(epsilon as f32)?.try_sqrt()?
            } else {
                second.clone().try_sqrt()?.try_add(epsilon as f32)?
            };
            let change = gradient.try_div(root)?;
            if momentum <= 0.0 {
                return weight.try_axpy(rest, &change, -learning_rate);
            }
            // Keras gathers finished steps, torch directions.
            let (share, scale) = if keras { (learning_rate, 1.0) } else { (1.0, learning_rate) };
            first.try_axpy(momentum, &change, share)?;
            weight.try_axpy(rest, first, -scale)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::against::{assert_near, noise};
    use crate::engine::testing::published;

    const WEIGHTS: usize = 7;

    /// Trains a row of weights on given gradients.
    fn steps(settings: &OptimizerSettings, start: &[f32]) -> published::Stepper<'static> {
        let (device, shape) = (Cpu::default(), (1, 1, start.len()));
        let mut weights: Vec<Packed<Cpu>> = vec![device.tensor_from_vec(start.to_vec(), shape)];
        let mut optimizer = Optimizer::new(settings, &weights).unwrap();
        Box::new(move |gradient, rate, index| {
            let by: Packed<Cpu> = device.tensor_from_vec(gradient.to_vec(), shape);
            let product = weights[0].leaky_trace() * by;
            let mut made_up = product.sum::<Rank0, _>().backward();
            optimizer.update(&mut weights, &mut made_up, rate, index + 1).unwrap();
            weights[0].as_vec()
        })
    }

    #[test]
    fn every_optimizer_steps_as_keras_and_torch_do_under_every_schedule() {
        published::compare("portable", steps);
    }

    #[test]
    fn rmsprop_of_dfdx_starts_at_one_with_epsilon_inside_the_root() {
        // dfdx 0.13, `optim/rmsprop.rs`: v = α v + (1 − α) g²; m = μ m + g / √(v + ε); w −= rate · m.
        let (alpha, epsilon) = (0.9, 1e-2);
        for (momentum, weight_decay) in [(0.0, 0.0), (0.9, 0.0), (0.5, 0.1)] {
            let convention = RmsPropConvention::Dfdx;
            let settings =
                OptimizerSettings::RmsProp { alpha, epsilon, momentum, convention, weight_decay };
            let mut step = steps(&settings, &[0.5]);
            let (mut weight, mut gathered, mut square) = (0.5, 0.0, 1.0);
            for index in 0..6u64 {
                let rate = 0.1 / (1.0 + index as f64);
                let drawn = (index as f64 + 0.3).sin();
                let gradient = drawn + weight_decay * weight;
                square = alpha * square + (1.0 - alpha) * gradient * gradient;
                gathered = momentum * gathered + gradient / (square + epsilon).sqrt();
                weight -= rate * gathered;
                let found = step(&[drawn as f32], rate, index);
                assert_near(&[f64::from(found[0])], &[weight], 1e-5, &format!("step {index}"));
            }
        }
    }

    #[test]
    fn what_is_remembered_can_be_replaced_to_the_bit() {
        let device = Cpu::default();
        let mut next = noise(5);
        let mut draw = || (0..WEIGHTS).map(|_| next()).collect::<Vec<f32>>();
        let (first, remembered) = (draw(), draw());
        let weights: Vec<Packed<Cpu>> = vec![device.tensor_from_vec(first, (1, 1, WEIGHTS))];
        let values: Packed<Cpu> = device.tensor_from_vec(remembered.clone(), (1, 1, WEIGHTS));
        for convention in [RmsPropConvention::Torch, RmsPropConvention::Dfdx] {
            let settings = OptimizerSettings::RmsProp {
                alpha: 0.9,
                epsilon: 1e-7,
                momentum: 0.0,
                convention,
                weight_decay: 0.0,
            };
            let mut optimizer = Optimizer::new(&settings, &weights).unwrap();
            optimizer.remember(1, 0, &weights[0], &values).unwrap();
            assert_eq!(optimizer.memory(1, 0, &weights[0]).as_vec(), remembered);
        }
    }
}
