//! In-flight training state as bytes.
//!
//! A checkpoint is a safetensors file: the weights under `weights/…`, the optimizer's memory under
//! `optimizer/…`, the best weights so far under `best/…`, and two tables of numbers, `epochs` and
//! `stopping`, whose 64-bit floats are kept as pairs of 32-bit words. Invariant: what is read is
//! what was written, to the bit, so a resumed training equals one never interrupted.

use super::EngineError;
use super::network::NetworkState;
use super::stopping::StoppingState;
use super::weights::{NamedTensor, decode, encode};
use crate::record::EpochRecord;

const FORMAT: &str = "gridbench-checkpoint-1";
const EPOCH_COLUMNS: usize = 7;
const STOPPING_COLUMNS: usize = 5;

/// Everything needed to continue a training after an epoch.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Checkpoint {
    /// Finished epochs.
    pub records: Vec<EpochRecord>,
    /// What the stop rules remember.
    pub stopping: StoppingState,
    /// Weights and optimizer memory.
    pub state: NetworkState,
    /// Weights of the best epoch, where the settings ask for them.
    pub best: Option<Vec<NamedTensor>>,
}

impl Checkpoint {
    /// Returns the bytes of this checkpoint.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let epochs: Vec<f64> = self.records.iter().flat_map(epoch_row).collect();
        let stopping = stopping_row(&self.stopping);
        let tables = [
            number_table("epochs", self.records.len(), EPOCH_COLUMNS, &epochs),
            number_table("stopping", 1, STOPPING_COLUMNS, &stopping),
        ];
        let groups = [
            ("weights", self.state.weights.as_slice()),
            ("optimizer", self.state.optimizer.as_slice()),
            ("best", self.best.as_deref().unwrap_or(&[])),
        ];
        let mut named: Vec<(String, &NamedTensor)> =
            tables.iter().map(|table| (table.name.clone(), table)).collect();
        for (group, tensors) in groups {
            named.extend(tensors.iter().map(|t| (format!("{group}/{}", t.name), t)));
        }
        encode(named.iter().map(|(name, tensor)| (name.as_str(), *tensor)), FORMAT)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// If the bytes are damaged or of another format.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, EngineError> {
        let tensors =
            decode(bytes, FORMAT).map_err(|error| EngineError::Checkpoint(error.to_string()))?;
        let mut checkpoint = Self::default();
        let mut best = Vec::new();
        let (mut epochs, mut stopping) = (None, None);
        for tensor in tensors {
            match tensor.name.split_once('/') {
                Some(("weights", name)) => checkpoint.state.weights.push(renamed(name, &tensor)),
                Some(("optimizer", name)) => {
                    checkpoint.state.optimizer.push(renamed(name, &tensor));
                }
                Some(("best", name)) => best.push(renamed(name, &tensor)),
                None if tensor.name == "epochs" => epochs = Some(numbers(&tensor)),
                None if tensor.name == "stopping" => stopping = Some(numbers(&tensor)),
                _ => {}
            }
        }
        checkpoint.best = (!best.is_empty()).then_some(best);
        let missing = |table: &str| {
            EngineError::Checkpoint(format!(
                "table `{table}` is missing or cut short; delete the checkpoint to train from the \
                 beginning"
            ))
        };
        let epochs = epochs.ok_or_else(|| missing("epochs"))?;
        checkpoint.records = epochs.chunks_exact(EPOCH_COLUMNS).map(epoch_record).collect();
        let stopping = stopping
            .filter(|row| row.len() == STOPPING_COLUMNS)
            .ok_or_else(|| missing("stopping"))?;
        checkpoint.stopping = StoppingState {
            finished: stopping[0] as u32,
            best_epoch: stopping[1] as u32,
            best_value: stopping[2],
            waited: stopping[3] as u32,
            train_accuracy: stopping[4],
        };
        Ok(checkpoint)
    }
}

fn renamed(name: &str, tensor: &NamedTensor) -> NamedTensor {
    NamedTensor { name: name.to_owned(), ..tensor.clone() }
}

fn stopping_row(state: &StoppingState) -> [f64; STOPPING_COLUMNS] {
    [
        f64::from(state.finished),
        f64::from(state.best_epoch),
        state.best_value,
        f64::from(state.waited),
        state.train_accuracy,
    ]
}

/// Absent values are NaN: a finite epoch has none, and one that is not finite ends the training.
fn epoch_row(record: &EpochRecord) -> [f64; EPOCH_COLUMNS] {
    [
        f64::from(record.epoch),
        record.learning_rate,
        record.train_loss,
        record.train_accuracy,
        record.validation_loss.unwrap_or(f64::NAN),
        record.validation_accuracy.unwrap_or(f64::NAN),
        record.train_seconds,
    ]
}

fn epoch_record(row: &[f64]) -> EpochRecord {
    let present = |value: f64| (!value.is_nan()).then_some(value);
    EpochRecord {
        epoch: row[0] as u32,
        learning_rate: row[1],
        train_loss: row[2],
        train_accuracy: row[3],
        validation_loss: present(row[4]),
        validation_accuracy: present(row[5]),
        train_seconds: row[6],
    }
}

fn number_table(name: &str, rows: usize, columns: usize, values: &[f64]) -> NamedTensor {
    let words = values
        .iter()
        .flat_map(|value| {
            let bits = value.to_bits();
            [f32::from_bits(bits as u32), f32::from_bits((bits >> 32) as u32)]
        })
        .collect();
    NamedTensor::new(name, vec![rows, columns, 2], words)
}

fn numbers(table: &NamedTensor) -> Vec<f64> {
    table
        .values
        .chunks_exact(2)
        .map(|pair| {
            f64::from_bits(u64::from(pair[0].to_bits()) | (u64::from(pair[1].to_bits()) << 32))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Checkpoint {
        let record = |epoch: u32, validation: Option<f64>| EpochRecord {
            epoch,
            learning_rate: 0.1,
            train_loss: 1.0 / 3.0,
            train_accuracy: 0.9,
            validation_loss: validation,
            validation_accuracy: validation,
            train_seconds: f64::MIN_POSITIVE,
        };
        let tensor = |name: &str| NamedTensor::new(name, vec![2], vec![1.5, -0.0]);
        Checkpoint {
            records: vec![record(1, None), record(2, Some(0.1))],
            stopping: StoppingState {
                finished: 2,
                best_epoch: 1,
                best_value: -0.25,
                waited: 1,
                train_accuracy: 0.9,
            },
            state: NetworkState {
                weights: vec![tensor("layer01.conv.weight")],
                optimizer: vec![tensor("first/layer01.conv.weight")],
            },
            best: Some(vec![tensor("layer01.conv.weight")]),
        }
    }

    #[test]
    fn a_checkpoint_survives_its_bytes() {
        let checkpoint = example();
        assert_eq!(Checkpoint::from_bytes(&checkpoint.to_bytes()).unwrap(), checkpoint);
        let without_best = Checkpoint { best: None, ..checkpoint };
        assert_eq!(Checkpoint::from_bytes(&without_best.to_bytes()).unwrap(), without_best);
    }

    #[test]
    fn a_damaged_checkpoint_is_an_error() {
        let mut bytes = example().to_bytes();
        bytes.truncate(bytes.len() / 2);
        assert!(matches!(Checkpoint::from_bytes(&bytes), Err(EngineError::Checkpoint(_))));
        let weights = super::super::weights::to_safetensors(&example().state.weights);
        assert!(matches!(Checkpoint::from_bytes(&weights), Err(EngineError::Checkpoint(_))));
    }
}
