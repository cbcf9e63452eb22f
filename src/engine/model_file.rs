//! Weights that say what they are: a safetensors file with a card of its network.
//!
//! The card stands as JSON under one key of the file's metadata, so a single file is enough to
//! predict with, and other tools still read the tensors. Equal weights and cards give equal bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::weights::WeightsError;
use crate::base::{MemberId, MetricName};
use crate::data::PixelColumns;
use crate::spec::architecture::Architecture;
use crate::spec::settings::Settings;

/// Metadata key of the card.
const CARD_KEY: &str = "gridbench-model";
/// Version of the card; readers ignore fields they do not know and refuse later versions.
const VERSION: u32 = 1;

/// What a network is, where it came from and what it reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelCard {
    /// Version of this card.
    pub version: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the cell.
    pub cell: String,
    /// Index of the repeat, from 0.
    pub repeat: u32,
    /// Index in the ensemble, from 0.
    pub member: u32,
    /// What was trained, as the journal names it.
    pub member_id: MemberId,
    /// Preset, or `custom`.
    pub model: String,
    /// Names of the classes, in the order of the outputs.
    pub classes: Vec<String>,
    /// Rows, columns and channels of an image; values are divided by 255.
    pub image: [usize; 3],
    /// Which columns of the training file the pixels were, where it was a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<PixelColumns>,
    /// The layers, from image to logits.
    pub layers: Vec<CardLayer>,
    /// Weights that were trained.
    pub trainable_parameters: u64,
    /// Running statistics.
    pub other_parameters: u64,
    /// Numerical path of the training.
    pub path: String,
    /// What the network reached, by metric; fractions and nats.
    pub metrics: BTreeMap<MetricName, f64>,
    /// Commit of the program that wrote the file.
    pub commit: Option<String>,
    /// How it was trained, every default filled in.
    pub settings: Settings,
}

/// One layer of a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CardLayer {
    /// Its kind.
    pub kind: String,
    /// Shape of its output: height×width×channels or features.
    pub output: String,
    /// Weights that were trained.
    pub trainable_parameters: u64,
}

impl ModelCard {
    /// The version this build writes.
    pub const VERSION: u32 = VERSION;

    /// Returns the layers of `architecture` as a card shows them.
    #[must_use]
    pub fn layers_of(architecture: &Architecture) -> Vec<CardLayer> {
        architecture
            .layers
            .iter()
            .map(|layer| CardLayer {
                kind: layer.kind.to_owned(),
                output: layer.output.to_string(),
                trainable_parameters: layer.trainable_parameters as u64,
            })
            .collect()
    }
}

/// Returns the safetensors bytes `weights` with the card in their metadata.
///
/// # Errors
/// If the bytes are no safetensors file.
///
/// # Panics
/// Never: a card and a header always serialise.
pub fn with_card(weights: &[u8], card: &ModelCard) -> Result<Vec<u8>, WeightsError> {
    let (mut header, data) = header_of(weights)?;
    let metadata = header.entry("__metadata__").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(metadata) = metadata else {
        return Err(WeightsError::Unreadable("its metadata are no table".to_owned()));
    };
    let text = serde_json::to_string(card).expect("a card serialises to JSON");
    metadata.insert(CARD_KEY.to_owned(), Value::String(text));
    let mut text = serde_json::to_string(&header).expect("a header serialises to JSON");
    // The format wants the data to begin at a multiple of eight bytes.
    text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    Ok(bytes)
}

/// Reads the card of a safetensors file.
///
/// # Errors
/// If the bytes are no safetensors file, or have no card that this version reads.
pub fn card_of(bytes: &[u8]) -> Result<ModelCard, WeightsError> {
    let (header, _) = header_of(bytes)?;
    let text = header
        .get("__metadata__")
        .and_then(|metadata| metadata.get(CARD_KEY))
        .and_then(Value::as_str)
        .ok_or(WeightsError::NoCard)?;
    let damaged = |error: serde_json::Error| WeightsError::Unreadable(error.to_string());
    // The version is looked at first: a later card may differ in any other field.
    let card: Value = serde_json::from_str(text).map_err(damaged)?;
    match card.get("version").and_then(Value::as_u64) {
        Some(found) if found > u64::from(VERSION) => {
            Err(WeightsError::Format { found: format!("{CARD_KEY} {found}") })
        }
        _ => serde_json::from_value(card).map_err(damaged),
    }
}

fn header_of(bytes: &[u8]) -> Result<(Map<String, Value>, &[u8]), WeightsError> {
    let cut = || WeightsError::Unreadable("it ends within its header".to_owned());
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
    if length > rest.len() {
        return Err(cut());
    }
    let (header, data) = rest.split_at(length);
    let header = serde_json::from_slice(header)
        .map_err(|error| WeightsError::Unreadable(error.to_string()))?;
    Ok((header, data))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{dense, settings};
    use super::super::weights::{NamedTensor, from_safetensors, to_safetensors};
    use super::*;
    use crate::base::digest_of;
    use crate::spec::layers::LayerSettings;

    fn card() -> ModelCard {
        let settings = settings(vec![LayerSettings::Flatten, dense(None)]);
        let architecture = Architecture::of(&settings.model.layers, (2, 3, 1), 4).unwrap();
        ModelCard {
            version: VERSION,
            experiment: "a \"quoted\" name".to_owned(),
            cell: "augment.shift=0.1".to_owned(),
            repeat: 1,
            member: 2,
            member_id: digest_of(b"member").into(),
            model: "custom".to_owned(),
            classes: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            columns: None,
            image: [2, 3, 1],
            layers: ModelCard::layers_of(&architecture),
            trainable_parameters: 28,
            other_parameters: 0,
            path: "portable f32".to_owned(),
            metrics: BTreeMap::from([(MetricName::TEST_ACCURACY, 0.1 + 0.2)]),
            commit: None,
            settings,
        }
    }

    fn weights() -> Vec<NamedTensor> {
        vec![NamedTensor::new("layer02.dense.bias", vec![4], vec![0.1, -0.0, 3.5, f32::MAX])]
    }

    #[test]
    fn a_card_travels_with_its_weights_and_changes_none() {
        let bytes = with_card(&to_safetensors(&weights()), &card()).unwrap();
        assert_eq!(card_of(&bytes).unwrap(), card());
        assert_eq!(from_safetensors(&bytes).unwrap(), weights());
        assert_eq!(bytes, with_card(&to_safetensors(&weights()), &card()).unwrap());
    }

    #[test]
    fn weights_without_a_card_say_so() {
        let error = card_of(&to_safetensors(&weights())).unwrap_err();
        assert_eq!(error, WeightsError::NoCard);
    }

    #[test]
    fn every_cut_of_a_file_is_refused_without_a_panic() {
        let bytes = with_card(&to_safetensors(&weights()), &card()).unwrap();
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            assert!(card_of(cut).is_err() || from_safetensors(cut).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_later_card_is_refused_by_its_version() {
        let later = ModelCard { version: 9, ..card() };
        let bytes = with_card(&to_safetensors(&weights()), &later).unwrap();
        let error = card_of(&bytes).unwrap_err().to_string();
        assert!(error.contains("gridbench-model 9"), "{error}");
    }
}
