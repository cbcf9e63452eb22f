//! Optimizer steps: dfdx's kernels, and tensor operations where dfdx lacks the convention.

use dfdx::prelude::*;
use dfdx::tensor_ops::{
    AdamConfig, Momentum, RMSpropConfig, SgdConfig, TryAdd, TryDiv, WeightDecay,
};

use super::ops::{Backend, Packed};
use crate::spec::settings::{OptimizerSettings, RmsPropConvention};

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
            Memory::Tensors(vec![all()?, all()?])
        };
        let mut optimizer = Self { settings: settings.clone(), memory };
        if let OptimizerSettings::RmsProp { convention: RmsPropConvention::Dfdx, .. } = settings {
            for (place, weight) in weights.iter().enumerate() {
                let ones = weight.device().try_ones_like(weight.shape())?;
                optimizer.remember(SQUARES, place, weight, &ones)?;
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

    /// Returns memory `kind` of `weight`, the `place`-th.
    pub(super) fn memory(&self, kind: usize, place: usize, weight: &Packed<D>) -> Packed<D> {
        match &self.memory {
            Memory::Buffers(buffers) => buffers[kind].get(weight),
            Memory::Tensors(tensors) => tensors[kind][place].clone(),
        }
    }

    /// Replaces memory `kind` of `weight`, the `place`-th.
    ///
    /// dfdx hands out its buffers but no way to write a tensor into one; a gradient step of size
    /// zero without momentum copies its gradient into the velocity, which is such a buffer.
    pub(super) fn remember(
        &mut self,
        kind: usize,
        place: usize,
        weight: &Packed<D>,
        values: &Packed<D>,
    ) -> Result<(), D::Err> {
        let buffers = match &mut self.memory {
            Memory::Buffers(buffers) => buffers,
            Memory::Tensors(tensors) => {
                tensors[kind][place] = values.clone();
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
                step_by_dfdx(&self.settings, buffers, weights, gradients, step_size)
            }
            Memory::Tensors(tensors) => {
                rmsprop(&self.settings, tensors, weights, gradients, learning_rate)
            }
        }
    }
}

/// Place of the averaged squared gradient in `RMSprop`'s memory.
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

/// Returns whether dfdx has a kernel for these settings. Keras 3's `RMSprop` without momentum is
/// dfdx's formula from another start.
fn by_dfdx(settings: &OptimizerSettings) -> bool {
    match settings {
        OptimizerSettings::RmsProp { momentum, convention, .. } => match convention {
            RmsPropConvention::Dfdx => true,
            RmsPropConvention::Keras => *momentum <= 0.0,
            RmsPropConvention::Torch => false,
        },
        _ => true,
    }
}

fn step_by_dfdx<D: Backend>(
    settings: &OptimizerSettings,
    memory: &mut [Gradients<f32, D>],
    weights: &mut [Packed<D>],
    gradients: &mut Gradients<f32, D>,
    StepSize { learning_rate: lr, step }: StepSize,
) -> Result<(), D::Err> {
    let l2 = |decay: f64| (decay > 0.0).then_some(WeightDecay::L2(decay));
    let decoupled = |decay: f64| (decay > 0.0).then_some(WeightDecay::Decoupled(decay));
    match (*settings).clone() {
        OptimizerSettings::Sgd { momentum, nesterov, weight_decay } => {
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
        OptimizerSettings::Adam { beta1, beta2, epsilon: eps, weight_decay } => {
            let weight_decay = l2(weight_decay);
            let config = AdamConfig { lr, betas: [beta1, beta2], eps, weight_decay };
            adam(&config, memory, weights, gradients, step)?;
        }
        OptimizerSettings::AdamW { beta1, beta2, epsilon: eps, weight_decay } => {
            let weight_decay = decoupled(weight_decay);
            let config = AdamConfig { lr, betas: [beta1, beta2], eps, weight_decay };
            adam(&config, memory, weights, gradients, step)?;
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
    }
    Ok(())
}

fn adam<D: Backend>(
    config: &AdamConfig,
    memory: &mut [Gradients<f32, D>],
    weights: &mut [Packed<D>],
    gradients: &mut Gradients<f32, D>,
    step: u64,
) -> Result<(), D::Err> {
    let [first, second] = memory else { unreachable!("Adam has two memories") };
    for weight in weights {
        let gradient = gradients.get_or_alloc_mut(weight)?;
        let first = first.get_or_alloc_mut(weight)?;
        let second = second.get_or_alloc_mut(weight)?;
        config.try_update(step as i32, weight, first, second, gradient)?;
    }
    Ok(())
}

/// `RMSprop` as torch has it (epsilon outside the root) or as Keras 3 has it with momentum (which
/// gathers finished steps, so that a change of the step size does not reach back).
fn rmsprop<D: Backend>(
    settings: &OptimizerSettings,
    memory: &mut [Vec<Packed<D>>],
    weights: &mut [Packed<D>],
    gradients: &Gradients<f32, D>,
    learning_rate: f64,
) -> Result<(), D::Err> {
    let &OptimizerSettings::RmsProp { alpha, epsilon, momentum, convention, weight_decay } =
        settings
    else {
        unreachable!("the other optimizers have kernels")
    };
    let [momenta, squares] = memory else { unreachable!("this RMSprop has two memories") };
    let keras = convention == RmsPropConvention::Keras;
    for ((weight, gathered), square) in weights.iter_mut().zip(momenta).zip(squares) {
        let mut gradient = gradients.get(weight);
        if weight_decay > 0.0 {
            gradient.try_axpy(1.0, weight, weight_decay)?;
        }
        square.try_axpy(alpha, &gradient.clone().try_square()?, 1.0 - alpha)?;
        let root = if keras {
            square.clone().try_add(epsilon as f32)?.try_sqrt()?
        } else {
            square.clone().try_sqrt()?.try_add(epsilon as f32)?
        };
        let change = gradient.try_div(root)?;
        if momentum > 0.0 {
            let (share, scale) = if keras { (learning_rate, 1.0) } else { (1.0, learning_rate) };
            gathered.try_axpy(momentum, &change, share)?;
            weight.try_axpy(1.0, gathered, -scale)?;
        } else {
            weight.try_axpy(1.0, &change, -learning_rate)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::against::{assert_near, noise};

    const STEPS: usize = 6;
    const WEIGHTS: usize = 7;

    /// Step sizes that change, so that it shows whether momentum gathers steps or gradients.
    fn rate(step: usize) -> f64 {
        0.1 / (1.0 + step as f64)
    }

    fn start() -> (Vec<f32>, Vec<Vec<f32>>) {
        let mut next = noise(5);
        let mut draw = || (0..WEIGHTS).map(|_| next()).collect::<Vec<f32>>();
        (draw(), (0..STEPS).map(|_| draw()).collect())
    }

    /// Compares the optimizer with `by_the_book(weight, gradient, step size, step, memory)`, which
    /// updates one weight in double precision.
    fn compare(
        settings: &OptimizerSettings,
        first_memory: [f64; 2],
        by_the_book: impl Fn(&mut f64, f64, f64, i32, &mut [f64; 2]),
    ) {
        let device = Cpu::default();
        let (first, gradients) = start();
        let mut weights: Vec<Packed<Cpu>> =
            vec![device.tensor_from_vec(first.clone(), (1, 1, WEIGHTS))];
        let mut optimizer = Optimizer::new(settings, &weights).unwrap();
        let mut expected: Vec<f64> = first.iter().map(|&weight| f64::from(weight)).collect();
        let mut memory = [first_memory; WEIGHTS];
        for (step, gradient) in gradients.iter().enumerate() {
            let by: Packed<Cpu> = device.tensor_from_vec(gradient.clone(), (1, 1, WEIGHTS));
            let product = weights[0].leaky_trace() * by;
            let mut made_up = product.sum::<Rank0, _>().backward();
            optimizer.update(&mut weights, &mut made_up, rate(step), step as u64 + 1).unwrap();
            for ((weight, &gradient), memory) in expected.iter_mut().zip(gradient).zip(&mut memory)
            {
                by_the_book(weight, f64::from(gradient), rate(step), step as i32 + 1, memory);
            }
            let found: Vec<f64> = weights[0].as_vec().iter().map(|&w| f64::from(w)).collect();
            assert_near(&found, &expected, 1e-5, &format!("{settings:?} after step {step}"));
        }
    }

    #[test]
    fn gradient_descent_follows_torch() {
        // torch.optim.SGD: v = momentum · v + g; w −= lr · (nesterov ? g + momentum · v : v).
        for (momentum, nesterov, weight_decay) in
            [(0.0, false, 0.0), (0.9, false, 0.0), (0.9, true, 0.0), (0.5, true, 0.1)]
        {
            let settings = OptimizerSettings::Sgd { momentum, nesterov, weight_decay };
            compare(&settings, [0.0; 2], |weight, gradient, rate, _, memory| {
                let gradient = gradient + weight_decay * *weight;
                memory[0] = momentum * memory[0] + gradient;
                let step = if nesterov { gradient + momentum * memory[0] } else { memory[0] };
                *weight -= rate * step;
            });
        }
    }

    #[test]
    fn adam_follows_its_paper() {
        // Kingma & Ba (2015), algorithm 1; Loshchilov & Hutter (2019), algorithm 2.
        let (beta1, beta2, epsilon) = (0.9, 0.99, 1e-3);
        for decay in [0.0, 0.1] {
            for decoupled in [false, true] {
                let settings = if decoupled {
                    OptimizerSettings::AdamW { beta1, beta2, epsilon, weight_decay: decay }
                } else {
                    OptimizerSettings::Adam { beta1, beta2, epsilon, weight_decay: decay }
                };
                compare(&settings, [0.0; 2], |weight, gradient, rate, step, memory| {
                    let old = *weight;
                    let gradient = gradient + if decoupled { 0.0 } else { decay * old };
                    memory[0] = beta1 * memory[0] + (1.0 - beta1) * gradient;
                    memory[1] = beta2 * memory[1] + (1.0 - beta2) * gradient * gradient;
                    let first = memory[0] / (1.0 - f64::powi(beta1, step));
                    let second = memory[1] / (1.0 - f64::powi(beta2, step));
                    *weight -= rate * first / (second.sqrt() + epsilon);
                    if decoupled {
                        *weight -= rate * decay * old;
                    }
                });
            }
        }
    }

    #[test]
    fn rmsprop_follows_the_convention_asked_for() {
        let (alpha, epsilon) = (0.9, 1e-2);
        for convention in
            [RmsPropConvention::Keras, RmsPropConvention::Torch, RmsPropConvention::Dfdx]
        {
            for (momentum, weight_decay) in [(0.0, 0.0), (0.9, 0.0), (0.5, 0.1)] {
                let settings = OptimizerSettings::RmsProp {
                    alpha,
                    epsilon,
                    momentum,
                    convention,
                    weight_decay,
                };
                let square = if convention == RmsPropConvention::Dfdx { 1.0 } else { 0.0 };
                compare(&settings, [0.0, square], |weight, gradient, rate, _, memory| {
                    let gradient = gradient + weight_decay * *weight;
                    memory[1] = alpha * memory[1] + (1.0 - alpha) * gradient * gradient;
                    let root = match convention {
                        RmsPropConvention::Torch => memory[1].sqrt() + epsilon,
                        _ => (memory[1] + epsilon).sqrt(),
                    };
                    // Keras 3 gathers finished steps, the others gradients.
                    if convention == RmsPropConvention::Keras {
                        memory[0] = momentum * memory[0] + rate * gradient / root;
                        *weight -= memory[0];
                    } else {
                        memory[0] = momentum * memory[0] + gradient / root;
                        *weight -= rate * memory[0];
                    }
                });
            }
        }
    }

    #[test]
    fn what_is_remembered_can_be_replaced_to_the_bit() {
        let device = Cpu::default();
        let (first, gradients) = start();
        let weights: Vec<Packed<Cpu>> = vec![device.tensor_from_vec(first, (1, 1, WEIGHTS))];
        let values: Packed<Cpu> = device.tensor_from_vec(gradients[0].clone(), (1, 1, WEIGHTS));
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
            assert_eq!(optimizer.memory(1, 0, &weights[0]).as_vec(), gradients[0]);
        }
    }
}
