//! Losses and right answers summed on the device over many steps, read when somebody asks.

use dfdx::prelude::*;
use dfdx::tensor_ops::{ChooseFrom, TryAdd, TryGe};

use super::super::network::StepResult;
use super::ops::{Backend, Packed, PerChannel};

type PerModel<D> = Tensor<(usize,), f32, D>;

/// Sums of every model since they were last read.
#[derive(Debug)]
pub(super) struct Tally<D: Backend> {
    /// Log probabilities of the true classes, and right answers.
    sums: Option<[PerModel<D>; 2]>,
    /// Ones and zeros of `(models, images)`.
    constants: Option<[PerChannel<D>; 2]>,
}

impl<D: Backend> Tally<D> {
    pub(super) fn new() -> Self {
        Self { sums: None, constants: None }
    }

    /// Adds one step, from its log probabilities and its targets, `(models, classes, images)`.
    ///
    /// An answer is right if no class is more probable than the true one.
    pub(super) fn add(
        &mut self,
        log_probabilities: Packed<D>,
        targets: Packed<D>,
    ) -> Result<(), D::Err> {
        let device = log_probabilities.device().clone();
        let (models, _, images) = *log_probabilities.shape();
        let shape = (models, images);
        let best: PerChannel<D> = log_probabilities.clone().try_max::<(usize, usize), Axis<1>>()?;
        let of_truth: PerChannel<D> =
            log_probabilities.try_mul(targets)?.try_sum::<(usize, usize), Axis<1>>()?;
        let [ones, zeros] = match &self.constants {
            Some(constants) if *constants[0].shape() == shape => constants.clone(),
            _ => {
                let made = [device.try_ones_like(&shape)?, device.try_zeros_like(&shape)?];
                self.constants.insert(made).clone()
            }
        };
        let right: PerChannel<D> = of_truth.try_ge(&best)?.try_choose(ones, zeros)?;
        let right: PerModel<D> = right.try_sum::<(usize,), Axis<1>>()?;
        let losses: PerModel<D> = of_truth.try_sum::<(usize,), Axis<1>>()?;
        self.sums = Some(match self.sums.take() {
            None => [losses, right],
            Some([all_losses, all_right]) => {
                [all_losses.try_add(losses)?, all_right.try_add(right)?]
            }
        });
        Ok(())
    }

    /// Returns the sums and begins again.
    pub(super) fn take(&mut self, results: &mut [StepResult]) {
        let Some([losses, right]) = self.sums.take() else {
            results.fill(StepResult::default());
            return;
        };
        for (result, (loss, right)) in
            results.iter_mut().zip(losses.as_vec().into_iter().zip(right.as_vec()))
        {
            *result = StepResult { loss_sum: -f64::from(loss), correct: right as u32 };
        }
    }
}
