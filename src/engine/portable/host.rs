//! The packed operations on the CPU where stock dfdx goes value by value: whole rows at a time.
//!
//! Each is one operation on dfdx's tape. A backward step takes the gradient of its output out of
//! dfdx's store (nobody reads it afterwards) and adds to the gradient of its input.

use std::rc::Rc;

use dfdx::prelude::*;

use super::ops::{Backend, Normalized, Packed, PerChannel};
use super::rows::{Rows, Run, Source, Windows};

/// Partial sums kept side by side so that the compiler uses vector registers.
const LANES: usize = 16;

impl Backend for Cpu {
    fn gather_rows<T: Tape<f32, Self>>(
        x: Packed<Self, T>,
        rows: &Rows<Self>,
    ) -> Result<Packed<Self, T>, CpuError> {
        let (models, _, images) = *x.shape();
        let (x, mut tape) = x.split_tape();
        let mut gathered = Vec::with_capacity(models * rows.outputs * images);
        let input = values(&x);
        for model in input.chunks_exact(rows.inputs * images) {
            for run in &*rows.runs {
                let length = run.rows * images;
                match run.from {
                    Source::Row(row) => {
                        gathered.extend_from_slice(&model[row * images..][..length]);
                    }
                    Source::Zeros => gathered.resize(gathered.len() + length, 0.0),
                    Source::Ones => gathered.resize(gathered.len() + length, 1.0),
                }
            }
        }
        let y = x.device().try_tensor_from_vec(gathered, (models, rows.outputs, images))?;
        let (from, to) = (x.ghost(), y.ghost());
        let (inputs, outputs) = (rows.inputs * images, rows.outputs * images);
        let runs: Rc<[Run]> = Rc::clone(&rows.runs);
        tape.add_backward_op(move |gradients| {
            let above = std::mem::take(&mut **gradients.get_or_alloc_mut(&to)?);
            let below = gradients.get_or_alloc_mut(&from)?;
            for (below, mut above) in
                below.chunks_exact_mut(inputs).zip(above.chunks_exact(outputs))
            {
                for run in &*runs {
                    let (part, rest) = above.split_at(run.rows * images);
                    above = rest;
                    if let Source::Row(row) = run.from {
                        add(&mut below[row * images..][..part.len()], part);
                    }
                }
            }
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
        let mut largest = vec![f32::NEG_INFINITY; size];
        let mut winners = vec![0u16; size];
        let per_model = windows.inputs * images;
        for (model, input) in input.chunks_exact(per_model).enumerate() {
            for output in 0..windows.outputs {
                let begin = (model * windows.outputs + output) * images;
                let largest = &mut largest[begin..][..images];
                let winners = &mut winners[begin..][..images];
                for (place, rows) in windows.rows.iter().enumerate() {
                    let Some(row) = rows[output] else { continue };
                    let row = &input[row as usize * images..][..images];
                    for ((largest, winner), &value) in
                        largest.iter_mut().zip(winners.iter_mut()).zip(row)
                    {
                        // A NaN must come out again, or a diverged network would look sound.
                        let wins = value > *largest || value.is_nan();
                        *largest = if wins { value } else { *largest };
                        *winner = if wins { place as u16 } else { *winner };
                    }
                }
            }
        }
        let y = x.device().try_tensor_from_vec(largest, (models, windows.outputs, images))?;
        if !T::OWNS_TAPE {
            return Ok(y.put_tape(tape));
        }
        let (from, to) = (x.ghost(), y.ghost());
        let (rows, outputs) = (Rc::clone(&windows.rows), windows.outputs);
        tape.add_backward_op(move |gradients| {
            let above = std::mem::take(&mut **gradients.get_or_alloc_mut(&to)?);
            let below = gradients.get_or_alloc_mut(&from)?;
            for (model, below) in below.chunks_exact_mut(per_model).enumerate() {
                for output in 0..outputs {
                    let begin = (model * outputs + output) * images;
                    let (above, winners) = (&above[begin..][..images], &winners[begin..][..images]);
                    for (place, rows) in rows.iter().enumerate() {
                        let Some(row) = rows[output] else { continue };
                        let below = &mut below[row as usize * images..][..images];
                        for ((below, &above), &winner) in below.iter_mut().zip(above).zip(winners) {
                            *below += if winner == place as u16 { above } else { 0.0 };
                        }
                    }
                }
            }
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
        let device = x.device().clone();
        let mut normalized = values(&x);
        let (scales, shifts) = (scale.as_vec(), shift.as_vec());
        let rows = models * channels;
        let (mut means, mut variances) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut inverse_deviations = Vec::with_capacity(rows);
        let mut y = Vec::with_capacity(normalized.len());
        for (row, (&scale, &shift)) in
            normalized.chunks_exact_mut(count).zip(scales.iter().zip(&shifts))
        {
            let mean = (sum(row, |value| value) / count as f64) as f32;
            let variance = sum(row, |value| (value - mean) * (value - mean)) / count as f64;
            let inverse = (1.0 / (variance + epsilon).sqrt()) as f32;
            for value in &mut *row {
                *value = (*value - mean) * inverse;
            }
            y.extend(row.iter().map(|value| value * scale + shift));
            means.push(mean);
            variances.push(variance as f32);
            inverse_deviations.push(inverse);
        }
        let means = device.try_tensor_from_vec(means, (models, channels))?;
        let variances = device.try_tensor_from_vec(variances, (models, channels))?;
        let y = device.try_tensor_from_vec(y, shape)?;
        let (from, to) = (x.ghost(), y.ghost());
        let (scale, shift) = (scale.ghost(), shift.ghost());
        tape.add_backward_op(move |gradients| {
            let above = std::mem::take(&mut **gradients.get_or_alloc_mut(&to)?);
            let mut sums = Vec::with_capacity(rows);
            for (above, normalized) in above.chunks_exact(count).zip(normalized.chunks_exact(count))
            {
                sums.push((sum(above, |value| value), dot(above, normalized)));
            }
            let shift = gradients.get_or_alloc_mut(&shift)?;
            shift.iter_mut().zip(&sums).for_each(|(shift, sums)| *shift += sums.0 as f32);
            let scale = gradients.get_or_alloc_mut(&scale)?;
            scale.iter_mut().zip(&sums).for_each(|(scale, sums)| *scale += sums.1 as f32);
            let below = gradients.get_or_alloc_mut(&from)?;
            for (row, below) in below.chunks_exact_mut(count).enumerate() {
                let range = row * count..(row + 1) * count;
                let (above, normalized) = (&above[range.clone()], &normalized[range]);
                let mean = (sums[row].0 / count as f64) as f32;
                let slope = (sums[row].1 / count as f64) as f32;
                let factor = scales[row] * inverse_deviations[row];
                for ((below, above), normalized) in below.iter_mut().zip(above).zip(normalized) {
                    *below += factor * (above - mean - normalized * slope);
                }
            }
            Ok(())
        });
        Ok((y.put_tape(tape), means, variances))
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
        x.device().try_tensor_from_vec(y, shape)
    }
}

/// Copies the values of a contiguous tensor; dfdx lends no slice of them.
fn values(x: &Packed<Cpu>) -> Vec<f32> {
    let mut copy = vec![0.0; x.shape().num_elements()];
    x.copy_into(&mut copy);
    copy
}

fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
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
