//! The gradient of one training step in double precision, by the chain rule.
//!
//! [`super::reference`] gives gradients by differences of the loss, one weight at a time, which is
//! enough for small networks and beyond doubt; this one is for the published networks on whole
//! batches of images, and is held against the other. Values lie `image, row, column, channel`.

mod layer;

use super::super::weights::NamedTensor;
use super::reference::role;
use crate::base::SeedPath;
use crate::experiment::architecture::Architecture;
use crate::experiment::layers::LayerSettings;
use layer::Node;

/// What a path decided, to be followed: in a batch of millions of values some are so near to 0, or
/// two of a window so near to each other, that single precision cannot tell. Values are counted in
/// the output of a layer, layers from 0.
pub(crate) trait Decisions {
    /// Returns whether a `ReLU` let a value through.
    fn is_open(&self, layer: usize, value: usize) -> bool;

    /// Returns the tap of the window that a max-pool took a value from, unless a `ReLU` before it
    /// let none of them through.
    fn winner(&self, layer: usize, value: usize) -> Option<usize>;
}

/// One batch in one training step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// `images × rows × columns × channels`.
    pub(crate) pixels: &'a [f32],
    pub(crate) labels: &'a [u16],
    /// Number of the step, which keys the dropout masks.
    pub(crate) number: u64,
    pub(crate) seed_path: &'a SeedPath,
}

/// A network after the forward pass of one training step.
pub(crate) struct Forward {
    nodes: Vec<Node>,
    /// Input of every layer.
    inputs: Vec<Vec<f64>>,
    delta: Vec<f64>,
    /// Mean cross-entropy.
    pub(crate) loss: f64,
}

/// The gradients of a step.
#[derive(Debug, Clone)]
pub(crate) struct Gradients {
    /// One gradient per tensor of the weights given, in their order; those of running statistics
    /// are empty.
    pub(crate) tensors: Vec<Vec<f64>>,
    /// Differences of the values on which the path decided otherwise, relative to the root mean
    /// square of their layer: from 0, or from the largest of a window.
    pub(crate) doubts: Vec<f64>,
}

impl Forward {
    /// Computes a batch's loss, and keeps what its gradient needs.
    pub(crate) fn new(
        layers: &[LayerSettings],
        architecture: &Architecture,
        weights: &[NamedTensor],
        step: Step<'_>,
    ) -> Self {
        let images = step.labels.len();
        let nodes: Vec<Node> = layers
            .iter()
            .zip(&architecture.layers)
            .enumerate()
            .map(|(layer, (settings, summary))| {
                Node::new(layer, settings, summary, weights, images, step)
            })
            .collect();
        let pixels: Vec<f64> = step.pixels.iter().map(|&pixel| f64::from(pixel)).collect();
        let mut inputs = vec![pixels];
        for node in &nodes {
            inputs.push(node.forward(&inputs[inputs.len() - 1]));
        }
        let logits = inputs.pop().expect("a network has logits");
        let (loss, delta) = cross_entropy(&logits, step.labels, architecture.classes);
        Self { nodes, inputs, delta, loss }
    }

    /// Computes the gradient of the mean cross-entropy by every weight.
    pub(crate) fn gradients(
        &self,
        weights: &[NamedTensor],
        decisions: Option<&dyn Decisions>,
    ) -> Gradients {
        let mut tensors: Vec<Vec<f64>> = weights.iter().map(|_| Vec::new()).collect();
        let mut doubts = Vec::new();
        let mut delta = self.delta.clone();
        for (node, input) in self.nodes.iter().zip(&self.inputs).rev() {
            let (before, learned) = node.backward(input, &delta, decisions, &mut doubts);
            for (role, values) in learned {
                let name = format!("{}.{role}", node.prefix);
                let index = weights.iter().position(|tensor| tensor.name == name);
                tensors[index.expect("a weight has its name")] = values;
            }
            delta = before;
        }
        Gradients { tensors, doubts }
    }
}

fn cross_entropy(logits: &[f64], labels: &[u16], classes: usize) -> (f64, Vec<f64>) {
    let (mut loss, mut delta) = (0.0, Vec::with_capacity(logits.len()));
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|logit| (logit - largest).exp()).sum();
        loss += sum.ln() + largest - row[usize::from(label)];
        delta.extend(row.iter().enumerate().map(|(class, logit)| {
            let target = if class == usize::from(label) { 1.0 } else { 0.0 };
            ((logit - largest).exp() / sum - target) / labels.len() as f64
        }));
    }
    (loss / labels.len() as f64, delta)
}

/// Returns whether the optimizer changes this tensor.
pub(crate) fn is_trainable(tensor: &NamedTensor) -> bool {
    !matches!(role(&tensor.name), "mean" | "variance")
}

#[cfg(test)]
mod tests {
    use super::super::against::{assert_near, cases, noise};
    use super::super::dense;
    use super::super::reference::Reference;
    use super::*;
    use crate::base::Seed;
    use crate::engine::init::initial_weights;

    #[test]
    fn the_chain_rule_agrees_with_differences_of_the_loss() {
        let seed_path = SeedPath::member(Seed(3), 0, 1);
        for case in cases() {
            let mut layers = case.layers.clone();
            layers.push(dense(None));
            let image = (case.shape.height, case.shape.width, case.shape.channels);
            let architecture = Architecture::of(&layers, image, 3).unwrap();
            let mut next = noise(17);
            let mut weights = initial_weights(&layers, &architecture, &seed_path);
            for value in weights.iter_mut().flat_map(|tensor| &mut tensor.values) {
                *value += 0.3 * next().abs();
            }
            let pixels: Vec<f32> =
                (0..case.images * case.shape.len()).map(|_| f32::midpoint(next(), 1.0)).collect();
            let labels: Vec<u16> = (0..case.images).map(|image| (image % 3) as u16).collect();
            let mut reference = Reference::new(&layers, image, 3, &weights, seed_path);
            let step = Step { pixels: &pixels, labels: &labels, number: 5, seed_path: &seed_path };
            let forward = Forward::new(&layers, &architecture, &weights, step);
            let what = format!("{:?}", case.layers);
            assert_near(&[forward.loss], &[reference.loss(&pixels, &labels, 5)], 1e-12, &what);
            let found = forward.gradients(&weights, None);
            for (index, tensor) in weights.iter().enumerate() {
                if !is_trainable(tensor) {
                    continue;
                }
                let expected: Vec<f64> = (0..tensor.values.len())
                    .map(|value| reference.derivative((index, value), &pixels, &labels, 5))
                    .collect();
                let what = format!("{} of {what}", tensor.name);
                assert_near(&found.tensors[index], &expected, 1e-6, &what);
            }
        }
    }
}
