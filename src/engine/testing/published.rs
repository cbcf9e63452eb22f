//! Weights after every step of the optimizers of Keras and torch (`tests/optimizers/values.py`).

use serde::Deserialize;

use crate::engine::schedule::learning_rate;
use crate::experiment::Document;
use crate::experiment::settings::OptimizerSettings;

/// Takes a gradient, a step size and the index of the step from 0, and returns the weights after it.
pub(crate) type Stepper<'a> = Box<dyn FnMut(&[f32], f64, u64) -> Vec<f32> + 'a>;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Values {
    start: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    epochs: u32,
    steps_per_epoch: u64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Case {
    convention: String,
    optimizer: String,
    learning_rate: String,
    weights: Vec<Vec<f64>>,
}

/// Holds an optimizer, made from settings and first weights, against the values of both libraries.
pub(crate) fn compare<'a>(
    path: &str,
    mut make: impl FnMut(&OptimizerSettings, &[f32]) -> Stepper<'a>,
) {
    let text = include_str!("../../../tests/optimizers/values.json");
    let values: Values = serde_json::from_str(text).unwrap();
    assert_eq!(values.cases.len(), 90);
    for case in &values.cases {
        let optimizer =
            case.optimizer.replace(" }", &format!(", convention = \"{}\" }}", case.convention));
        let text = format!(
            "name = \"t\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"mlp\"\n[train]\n\
             epochs = {}\noptimizer = {optimizer}\nlearning-rate = {}\n",
            values.epochs, case.learning_rate,
        );
        let document = Document::parse(&text, "t.toml", &[]).unwrap();
        let train = &document.experiment().base.train;
        let mut step = make(&train.optimizer, &values.start);
        for (index, (gradient, expected)) in values.gradients.iter().zip(&case.weights).enumerate()
        {
            let index = index as u64;
            let rate =
                learning_rate(&train.learning_rate, index, values.steps_per_epoch, values.epochs);
            let found = step(gradient, rate, index);
            for (found, expected) in found.iter().zip(expected) {
                let distance = (f64::from(*found) - expected).abs();
                assert!(
                    distance < 2e-6,
                    "{path}, {optimizer}, {}: {found} is not {expected} after step {}",
                    case.learning_rate,
                    index + 1,
                );
            }
        }
    }
}
