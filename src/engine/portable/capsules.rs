//! A layer of class capsules with routing by agreement (Sabour, Frosst & Hinton 2017), its
//! coefficients normalised by softmax or by maximum and minimum (Zhao et al. 2019).
//!
//! Channels of one position, `dimensions` at a time, are an input capsule; its vector is squashed,
//! and a matrix of its own for every class predicts that class's vector. Coefficients say how much
//! of each prediction a class takes; they grow where a prediction agrees with the class's vector.
//! The length of a class's vector before squashing is its logit, so that softmax and cross-entropy
//! take the place of the margin loss. Gradients pass the coefficients of the last round as
//! constants, as is usual. Values lie as everywhere on this path: `(features, images)`.

use crate::experiment::layers::Routing;

/// Guards lengths against division by zero.
const SMALL: f32 = 1e-9;

/// Sizes of one layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Capsules {
    /// Input capsules: groups of channels times positions.
    pub(super) inputs: usize,
    /// Positions of the image.
    pub(super) positions: usize,
    /// Values of an input capsule.
    pub(super) dimensions: usize,
    /// Class capsules.
    pub(super) classes: usize,
    /// Values of a class capsule.
    pub(super) size: usize,
    /// Rounds of routing.
    pub(super) rounds: usize,
    /// How coefficients are normalised.
    pub(super) routing: Routing,
}

/// What the backward step needs of the forward step of one model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Memory {
    /// Squashed input capsules, `(capsules, dimensions, images)`.
    inputs: Vec<f32>,
    /// Coefficients of the last round, `(capsules, classes, images)`.
    coefficients: Vec<f32>,
    /// Class vectors over their lengths, `(classes, size, images)`.
    directions: Vec<f32>,
}

impl Capsules {
    /// Returns the number of weights: `(classes, capsules, size, dimensions)`.
    pub(super) fn weights(&self) -> usize {
        self.classes * self.inputs * self.size * self.dimensions
    }

    /// Returns the logits `(classes, images)` of one model.
    pub(super) fn forward(&self, x: &[f32], weights: &[f32], images: usize) -> (Vec<f32>, Memory) {
        let inputs = self.squashed_inputs(x, images);
        let predictions = self.predictions(&inputs, weights, images);
        let mut agreement = vec![0.0; self.inputs * self.classes * images];
        let mut coefficients = agreement.clone();
        let mut vectors = Vec::new();
        for round in 1..=self.rounds {
            self.normalise(&agreement, &mut coefficients, images);
            vectors = self.gathered(&predictions, &coefficients, images);
            if round < self.rounds {
                self.agree(&predictions, &vectors, &mut agreement, images);
            }
        }
        let mut logits = vec![0.0; self.classes * images];
        for (logits, vector) in
            logits.chunks_exact_mut(images).zip(vectors.chunks_exact_mut(self.size * images))
        {
            for row in vector.chunks_exact(images) {
                logits.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
            }
            for sum in &mut *logits {
                *sum = (*sum + SMALL).sqrt();
            }
            for row in vector.chunks_exact_mut(images) {
                row.iter_mut().zip(&*logits).for_each(|(value, length)| *value /= length);
            }
        }
        (logits, Memory { inputs, coefficients, directions: vectors })
    }

    /// Adds the gradients of one model's input and weights, given that of its logits.
    pub(super) fn backward(
        &self,
        (x, weights): (&[f32], &[f32]),
        memory: &Memory,
        above: &[f32],
        (x_gradient, weight_gradient): (&mut [f32], &mut [f32]),
    ) {
        let images = above.len() / self.classes;
        let mut inputs_gradient = vec![0.0; memory.inputs.len()];
        let mut prediction = vec![0.0; images];
        for class in 0..self.classes {
            let above = &above[class * images..][..images];
            for capsule in 0..self.inputs {
                let coefficients =
                    &memory.coefficients[(capsule * self.classes + class) * images..][..images];
                let of_capsule = capsule * self.dimensions * images;
                for row in 0..self.size {
                    let direction =
                        &memory.directions[(class * self.size + row) * images..][..images];
                    for (image, value) in prediction.iter_mut().enumerate() {
                        *value = coefficients[image] * above[image] * direction[image];
                    }
                    let first = self.weight(class, capsule, row);
                    for index in 0..self.dimensions {
                        let at = of_capsule + index * images;
                        let input = &memory.inputs[at..][..images];
                        let sum: f32 = prediction.iter().zip(input).map(|(a, b)| a * b).sum();
                        weight_gradient[first + index] += sum;
                        let weight = weights[first + index];
                        inputs_gradient[at..][..images]
                            .iter_mut()
                            .zip(&prediction)
                            .for_each(|(sum, value)| *sum += weight * value);
                    }
                }
            }
        }
        self.unsquash(x, &inputs_gradient, x_gradient, images);
    }

    /// Returns where the values of one row of a prediction's matrix begin.
    fn weight(&self, class: usize, capsule: usize, row: usize) -> usize {
        ((class * self.inputs + capsule) * self.size + row) * self.dimensions
    }

    /// Returns the feature that is value `index` of an input capsule.
    fn feature(&self, capsule: usize, index: usize) -> usize {
        let (group, position) = (capsule / self.positions, capsule % self.positions);
        (group * self.dimensions + index) * self.positions + position
    }

    fn squashed_inputs(&self, x: &[f32], images: usize) -> Vec<f32> {
        let mut inputs = vec![0.0; self.inputs * self.dimensions * images];
        for (capsule, vector) in inputs.chunks_exact_mut(self.dimensions * images).enumerate() {
            for (index, row) in vector.chunks_exact_mut(images).enumerate() {
                row.copy_from_slice(&x[self.feature(capsule, index) * images..][..images]);
            }
            squash(vector, images);
        }
        inputs
    }

    /// Returns every input capsule's prediction of every class, `(classes, capsules, size, images)`.
    fn predictions(&self, inputs: &[f32], weights: &[f32], images: usize) -> Vec<f32> {
        let mut predictions = vec![0.0; self.classes * self.inputs * self.size * images];
        for (row, to) in predictions.chunks_exact_mut(images).enumerate() {
            let capsule = row / self.size % self.inputs;
            let from = &inputs[capsule * self.dimensions * images..];
            let weights = &weights[row * self.dimensions..][..self.dimensions];
            for (weight, from) in weights.iter().zip(from.chunks_exact(images)) {
                to.iter_mut().zip(from).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        predictions
    }

    /// Normalises what every input capsule says of the classes.
    fn normalise(&self, agreement: &[f32], coefficients: &mut [f32], images: usize) {
        let size = self.classes * images;
        for (from, to) in agreement.chunks_exact(size).zip(coefficients.chunks_exact_mut(size)) {
            for image in 0..images {
                let values = || (0..self.classes).map(|class| from[class * images + image]);
                let largest = values().fold(f32::NEG_INFINITY, f32::max);
                match self.routing {
                    Routing::Softmax => {
                        let sum: f32 = values().map(|value| (value - largest).exp()).sum();
                        for class in 0..self.classes {
                            let at = class * images + image;
                            to[at] = (from[at] - largest).exp() / sum;
                        }
                    }
                    Routing::MaxMin => {
                        let smallest = values().fold(f32::INFINITY, f32::min);
                        let range = largest - smallest;
                        for class in 0..self.classes {
                            let at = class * images + image;
                            // Who says the same of all classes is taken by all.
                            to[at] = if range > 0.0 { (from[at] - smallest) / range } else { 1.0 };
                        }
                    }
                }
            }
        }
    }

    /// Returns the class vectors: predictions weighted by their coefficients.
    fn gathered(&self, predictions: &[f32], coefficients: &[f32], images: usize) -> Vec<f32> {
        let mut vectors = vec![0.0; self.classes * self.size * images];
        for (row, from) in predictions.chunks_exact(images).enumerate() {
            let capsule = row / self.size % self.inputs;
            let class = row / (self.size * self.inputs);
            let weights = &coefficients[(capsule * self.classes + class) * images..][..images];
            let to = &mut vectors[(class * self.size + row % self.size) * images..][..images];
            for (to, (from, weight)) in to.iter_mut().zip(from.iter().zip(weights)) {
                *to += weight * from;
            }
        }
        vectors
    }

    /// Adds how well every prediction agrees with its class's squashed vector.
    fn agree(&self, predictions: &[f32], vectors: &[f32], agreement: &mut [f32], images: usize) {
        let mut squashed = vectors.to_vec();
        for vector in squashed.chunks_exact_mut(self.size * images) {
            squash(vector, images);
        }
        for (row, from) in predictions.chunks_exact(images).enumerate() {
            let capsule = row / self.size % self.inputs;
            let class = row / (self.size * self.inputs);
            let vector = &squashed[(class * self.size + row % self.size) * images..][..images];
            let to = &mut agreement[(capsule * self.classes + class) * images..][..images];
            for (to, (from, value)) in to.iter_mut().zip(from.iter().zip(vector)) {
                *to += from * value;
            }
        }
    }

    /// Adds the gradient before squashing, given that after it.
    fn unsquash(&self, x: &[f32], above: &[f32], below: &mut [f32], images: usize) {
        for (capsule, above) in above.chunks_exact(self.dimensions * images).enumerate() {
            for image in 0..images {
                let at = |index: usize| self.feature(capsule, index) * images + image;
                let (mut square, mut along) = (SMALL, 0.0);
                for index in 0..self.dimensions {
                    square += x[at(index)] * x[at(index)];
                    along += x[at(index)] * above[index * images + image];
                }
                let length = square.sqrt();
                let factor = length / (1.0 + square);
                // Twice the derivative of the factor by the squared length.
                let slope = (1.0 - square) / (length * (1.0 + square) * (1.0 + square));
                for index in 0..self.dimensions {
                    below[at(index)] +=
                        factor * above[index * images + image] + slope * along * x[at(index)];
                }
            }
        }
    }
}

/// Shortens vectors of `(values, images)` to a length below 1: `|v| / (1 + |v|²) · v`.
fn squash(vector: &mut [f32], images: usize) {
    let mut squares = vec![SMALL; images];
    for row in vector.chunks_exact(images) {
        squares.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
    }
    for square in &mut squares {
        *square = square.sqrt() / (1.0 + *square);
    }
    for row in vector.chunks_exact_mut(images) {
        row.iter_mut().zip(&squares).for_each(|(value, factor)| *value *= factor);
    }
}

#[cfg(test)]
#[path = "capsules_tests.rs"]
mod tests;
