//! The packed operations on the CPU where stock dfdx goes value by value: whole rows at a time.
//!
//! Each is one operation on dfdx's tape. A backward step takes the gradient of its output out of
//! dfdx's store (nobody reads it afterwards) and adds to the gradient of its input.

use std::rc::Rc;

use dfdx::prelude::*;

use super::capsules::Capsules;
use super::ops::{Backend, Normalized, Packed, PerChannel};
use super::rows::{Rows, Run, Source, Windows};
use super::spare;

/// Partial sums kept side by side so that the compiler uses vector registers.
const LANES: usize = 16;

impl Backend for Cpu {
    const PATH: &'static str = "dfdx f32";
    const HAS_CAPSULES: bool = true;

    fn keep_memory(&self) {
        self.enable_cache();
    }

    fn release_memory(&self) {
        self.disable_cache();
        spare::forget();
    }

    fn gather_rows<T: Tape<f32, Self>>(
        x: Packed<Self, T>,
        rows: &Rows<Self>,
    ) -> Result<Packed<Self, T>, CpuError> {
        let (models, _, images) = *x.shape();
        let (x, mut tape) = x.split_tape();
        let (inputs, outputs) = (rows.inputs * images, rows.outputs * images);
        let mut gathered = spare::take(models * outputs);
        let input = values(&x);
        for (model, mut gathered) in
            input.chunks_exact(inputs).zip(gathered.chunks_exact_mut(outputs))
        {
            for run in &*rows.runs {
                let (part, rest) = gathered.split_at_mut(run.rows * images);
                gathered = rest;
                match run.from {
                    Source::Row(row) => {
                        part.copy_from_slice(&model[row * images..][..part.len()]);
                    }
                    Source::Zeros => part.fill(0.0),
                }
            }
        }
        spare::give(input);
        let y = tensor::<T, _>(x.device(), gathered, (models, rows.outputs, images))?;
        let (from, to) = (x.ghost(), y.ghost());
        let runs: Rc<[Run]> = Rc::clone(&rows.runs);
        tape.add_backward_op(move |gradients| {
            let all = std::mem::take(&mut **gradients.get_or_alloc_mut(&to)?);
            let below = gradients.get_or_alloc_mut(&from)?;
            for (below, mut above) in below.chunks_exact_mut(inputs).zip(all.chunks_exact(outputs))
            {
                for run in &*runs {
                    let (part, rest) = above.split_at(run.rows * images);
                    above = rest;
                    if let Source::Row(row) = run.from {
                        add(&mut below[row * images..][..part.len()], part);
                    }
                }
            }
            spare::give(all);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }

    fn add_bias<T: Tape<f32, Self> + Merge<T>>(
        x: Packed<Self, T>,
        bias: &PerChannel<Self>,
    ) -> Result<Packed<Self, T>, CpuError> {
        let count = x.shape().2;
        let (x, mut tape) = x.split_tape();
        let mut y = values(&x);
        for (row, bias) in y.chunks_exact_mut(count).zip(bias.as_vec()) {
            for value in row {
                *value += bias;
            }
        }
        let y = tensor::<T, _>(x.device(), y, *x.shape())?;
        let (from, bias, to) = (x.ghost(), bias.ghost(), y.ghost());
        tape.add_backward_op(move |gradients| {
            let all = std::mem::take(&mut **gradients.get_or_alloc_mut(&to)?);
            let bias = gradients.get_or_alloc_mut(&bias)?;
            for (bias, row) in bias.iter_mut().zip(all.chunks_exact(count)) {
                *bias += sum(row, |value| value) as f32;
            }
            add(gradients.get_or_alloc_mut(&from)?, &all);
            spare::give(all);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }

    fn relu<T: Tape<f32, Self> + Merge<T>>(
        x: Packed<Self, T>,
    ) -> Result<Packed<Self, T>, CpuError> {
        let (x, mut tape) = x.split_tape();
        let mut kept = values(&x);
        for value in &mut kept {
            // Not `max`: a NaN must stay, or a diverged network would look sound.
            *value = if *value <= 0.0 { 0.0 } else { *value };
        }
        if !T::OWNS_TAPE {
            return Ok(tensor::<T, _>(x.device(), kept, *x.shape())?.put_tape(tape));
        }
        let mut y = spare::take(kept.len());
        y.copy_from_slice(&kept);
        let y = tensor::<T, _>(x.device(), y, *x.shape())?;
        let (from, to) = (x.ghost(), y.ghost());
        tape.add_backward_op(move |gradients| {
            let all = std::mem::take(&mut **gradients.get_or_alloc_mut(&to)?);
            let below = gradients.get_or_alloc_mut(&from)?;
            for ((below, above), kept) in below.iter_mut().zip(&all).zip(&kept) {
                *below += if *kept > 0.0 { *above } else { 0.0 };
            }
            spare::give(all);
            spare::give(kept);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }

    fn max_pool<T: Tape<f32, Self> + Merge<T>>(
        x: Packed<Self, T>,
        windows: &Windows<Self>,
    ) -> Result<Packed<Self, T>, CpuError> {
        let (models, _, images) = *x.shape();
        let (x, mut tape) = x.split_tape();
        let input = values(&x);
        let size = models * windows.outputs * images;
        let mut largest = spare::take(size);
        // The winning tap of each window, as a number of the width of the values.
        let mut winners = spare::take(size);
        let per_model = windows.inputs * images;
        let per_output = windows.outputs * images;
        for ((input, largest), winners) in input
            .chunks_exact(per_model)
            .zip(largest.chunks_exact_mut(per_output))
            .zip(winners.chunks_exact_mut(per_output))
        {
            let outputs = largest.chunks_exact_mut(images).zip(winners.chunks_exact_mut(images));
            for (output, (largest, winners)) in outputs.enumerate() {
                largest.fill(f32::NEG_INFINITY);
                winners.fill(0.0);
                for (index, rows) in windows.rows.iter().enumerate() {
                    let Some(row) = rows[output] else { continue };
                    let row = &input[row as usize * images..][..images];
                    compete(largest, winners, row, index as f32);
                }
            }
        }
        spare::give(input);
        let y = tensor::<T, _>(x.device(), largest, (models, windows.outputs, images))?;
        if !T::OWNS_TAPE {
            spare::give(winners);
            return Ok(y.put_tape(tape));
        }
        let (from, to) = (x.ghost(), y.ghost());
        let rows = Rc::clone(&windows.rows);
        tape.add_backward_op(move |gradients| {
            let all = std::mem::take(&mut **gradients.get_or_alloc_mut(&to)?);
            let below = gradients.get_or_alloc_mut(&from)?;
            for ((below, above), winners) in below
                .chunks_exact_mut(per_model)
                .zip(all.chunks_exact(per_output))
                .zip(winners.chunks_exact(per_output))
            {
                let outputs = above.chunks_exact(images).zip(winners.chunks_exact(images));
                for (output, (above, winners)) in outputs.enumerate() {
                    for (index, rows) in rows.iter().enumerate() {
                        let Some(row) = rows[output] else { continue };
                        let below = &mut below[row as usize * images..][..images];
                        reward(below, above, winners, index as f32);
                    }
                }
            }
            spare::give(all);
            spare::give(winners);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }

    fn batch_norm<T: Tape<f32, Self> + Merge<T>>(
        x: Packed<Self, T>,
        scale: &PerChannel<Self>,
        shift: &PerChannel<Self>,
        epsilon: f64,
    ) -> Result<Normalized<Self, T>, CpuError> {
        let shape @ (models, channels, count) = *x.shape();
        let (x, mut tape) = x.split_tape();
        let mut normalized = values(&x);
        let (scales, shifts) = (scale.as_vec(), shift.as_vec());
        let rows = models * channels;
        let (mut means, mut variances) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut inverse_deviations = Vec::with_capacity(rows);
        let mut y = spare::take(normalized.len());
        for ((row, y), (&scale, &shift)) in normalized
            .chunks_exact_mut(count)
            .zip(y.chunks_exact_mut(count))
            .zip(scales.iter().zip(&shifts))
        {
            let mean = (sum(row, |value| value) / count as f64) as f32;
            let variance = sum(row, |value| (value - mean) * (value - mean)) / count as f64;
            let inverse = (1.0 / (variance + epsilon).sqrt()) as f32;
            for (value, y) in row.iter_mut().zip(y) {
                *value = (*value - mean) * inverse;
                *y = *value * scale + shift;
            }
            means.push(mean);
            variances.push(variance as f32);
            inverse_deviations.push(inverse);
        }
        let y = tensor::<T, _>(x.device(), y, shape)?;
        let statistic = |values: &[f32]| {
            let mut tensor = x.device().try_zeros_like(&(models, channels))?;
            tensor.copy_from(values);
            Ok(tensor)
        };
        let (means, variances) = (statistic(&means)?, statistic(&variances)?);
        let (from, to) = (x.ghost(), y.ghost());
        let (scale, shift) = (scale.ghost(), shift.ghost());
        tape.add_backward_op(move |gradients| {
            let all = std::mem::take(&mut **gradients.get_or_alloc_mut(&to)?);
            let mut sums = Vec::with_capacity(rows);
            for (above, normalized) in all.chunks_exact(count).zip(normalized.chunks_exact(count)) {
                sums.push((sum(above, |value| value), dot(above, normalized)));
            }
            let shift = gradients.get_or_alloc_mut(&shift)?;
            shift.iter_mut().zip(&sums).for_each(|(shift, sums)| *shift += sums.0 as f32);
            let scale = gradients.get_or_alloc_mut(&scale)?;
            scale.iter_mut().zip(&sums).for_each(|(scale, sums)| *scale += sums.1 as f32);
            let below = gradients.get_or_alloc_mut(&from)?;
            for (row, below) in below.chunks_exact_mut(count).enumerate() {
                let range = row * count..(row + 1) * count;
                let (above, normalized) = (&all[range.clone()], &normalized[range]);
                let mean = (sums[row].0 / count as f64) as f32;
                let slope = (sums[row].1 / count as f64) as f32;
                let factor = scales[row] * inverse_deviations[row];
                for ((below, above), normalized) in below.iter_mut().zip(above).zip(normalized) {
                    *below += factor * (above - mean - normalized * slope);
                }
            }
            spare::give(all);
            spare::give(normalized);
            Ok(())
        });
        Ok((y.put_tape(tape), means, variances))
    }

    fn capsules<T: Tape<f32, Self>>(
        x: Packed<Self, T>,
        weights: &Packed<Self>,
        layer: &Capsules,
    ) -> Result<Packed<Self, T>, CpuError> {
        let (models, features, images) = *x.shape();
        let (x, mut tape) = x.split_tape();
        let (input, matrices) = (values(&x), values(weights));
        let (per_model, weights_of) = (features * images, layer.weights());
        let mut logits = Vec::with_capacity(models * layer.classes * images);
        let mut memories = Vec::with_capacity(models);
        for (x, matrices) in input.chunks_exact(per_model).zip(matrices.chunks_exact(weights_of)) {
            let (of_model, memory) = layer.forward(x, matrices, images);
            logits.extend(of_model);
            memories.push(memory);
        }
        let y = tensor::<T, _>(x.device(), logits, (models, layer.classes, images))?;
        if !T::OWNS_TAPE {
            spare::give(input);
            spare::give(matrices);
            return Ok(y.put_tape(tape));
        }
        let (from, weights, to) = (x.ghost(), weights.ghost(), y.ghost());
        let layer = layer.clone();
        tape.add_backward_op(move |gradients| {
            let all = std::mem::take(&mut **gradients.get_or_alloc_mut(&to)?);
            let (mut below, mut of_weights) = (vec![0.0; input.len()], vec![0.0; matrices.len()]);
            for (model, memory) in memories.iter().enumerate() {
                let x = model * per_model..(model + 1) * per_model;
                let w = model * weights_of..(model + 1) * weights_of;
                let above = &all[model * layer.classes * images..][..layer.classes * images];
                layer.backward(
                    (&input[x.clone()], &matrices[w.clone()]),
                    memory,
                    above,
                    (&mut below[x], &mut of_weights[w]),
                );
            }
            add(gradients.get_or_alloc_mut(&from)?, &below);
            add(gradients.get_or_alloc_mut(&weights)?, &of_weights);
            spare::give(all);
            spare::give(input);
            spare::give(matrices);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }

    fn scale_rows(
        x: Packed<Self>,
        factor: &PerChannel<Self>,
        offset: &PerChannel<Self>,
    ) -> Result<Packed<Self>, CpuError> {
        let shape = *x.shape();
        let mut y = values(&x);
        let (factors, offsets) = (factor.as_vec(), offset.as_vec());
        for (row, (&factor, &offset)) in
            y.chunks_exact_mut(shape.2).zip(factors.iter().zip(&offsets))
        {
            for value in row {
                *value = *value * factor + offset;
            }
        }
        tensor::<NoneTape, _>(x.device(), y, shape)
    }
}

/// Makes a tensor of `values`.
///
/// With a tape, the buffer becomes the tensor's and its gradient's comes back for it. Without, the
/// values are copied, because nothing would come back.
fn tensor<T: Tape<f32, Cpu>, S: Shape>(
    device: &Cpu,
    values: Vec<f32>,
    shape: S,
) -> Result<Tensor<S, f32, Cpu>, CpuError> {
    if T::OWNS_TAPE {
        return device.try_tensor_from_vec(values, shape);
    }
    let mut tensor = device.try_zeros_like(&shape)?;
    tensor.copy_from(&values);
    spare::give(values);
    Ok(tensor)
}

/// Copies the values of a contiguous tensor; dfdx lends no slice of them.
fn values(x: &Packed<Cpu>) -> Vec<f32> {
    let mut copy = spare::take(x.shape().num_elements());
    x.copy_into(&mut copy);
    copy
}

fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// Lets the values of `row` compete for the largest; an equal value does not win.
fn compete(largest: &mut [f32], winners: &mut [f32], row: &[f32], index: f32) {
    // Bits, not `if`: the compiler makes a conditional store of that, value by value.
    let either = |mask: u32, yes: f32, no: f32| {
        f32::from_bits((yes.to_bits() & mask) | (no.to_bits() & !mask))
    };
    for ((largest, winner), &value) in largest.iter_mut().zip(winners).zip(row) {
        // Not `value > largest` alone: a NaN must win and stay, or a diverged network would look
        // sound.
        let loses = u32::from(value <= *largest || largest.is_nan()).wrapping_neg();
        *largest = either(loses, *largest, value);
        *winner = either(loses, *winner, index);
    }
}

/// Hands the gradient of the windows that the tap `index` won to its row.
#[expect(clippy::float_cmp, reason = "taps are small whole numbers")]
fn reward(below: &mut [f32], above: &[f32], winners: &[f32], index: f32) {
    for ((below, &above), &winner) in below.iter_mut().zip(above).zip(winners) {
        *below += if winner == index { above } else { 0.0 };
    }
}

/// Sums `term` of every value, in lanes, the lanes in double precision.
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f64 {
    let mut lanes = [0.0f32; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().map(|&value| f64::from(term(value))).sum();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += term(value);
        }
    }
    lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>() + rest
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0f32; LANES];
    let (chunks, others) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = chunks
        .remainder()
        .iter()
        .zip(others.remainder())
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum();
    for (a, b) in chunks.zip(others) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>() + rest
}
