//! Weights that say what they are: a safetensors file with a card of its network.
//!
//! The card stands as JSON under one key of the file's metadata, so a single file is enough to
//! predict with, and other tools still read the tensors. Equal weights and cards give equal bytes.
//! A checksum under another key covers header, card and weights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::card_layers::check_layers;
use super::weights::WeightsError;
use crate::base::seal::Check;
use crate::base::{MemberId, MetricName};
use crate::data::PixelColumns;
use crate::experiment::architecture::Architecture;
use crate::experiment::settings::Settings;

/// Metadata key of the card.
const CARD_KEY: &str = "gridbench-model";
/// Metadata key of the checksum.
const CHECK_KEY: &str = "gridbench-check";
/// Version of the card; readers ignore fields they do not know and refuse later versions. Files of
/// version 1 have no checksum.
const VERSION: u32 = 2;

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
    pub(crate) const VERSION: u32 = VERSION;

    /// Returns the layers of `architecture` as a card shows them.
    pub(crate) fn layers_of(architecture: &Architecture) -> Vec<CardLayer> {
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
pub(crate) fn with_card(weights: &[u8], card: &ModelCard) -> Result<Vec<u8>, WeightsError> {
    let (mut header, data) = header_of(weights)?;
    let metadata = header.entry("__metadata__").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(metadata) = metadata else {
        return Err(WeightsError::Unreadable("its metadata are no table".to_owned()));
    };
    let text = serde_json::to_string(card).expect("a card serialises to JSON");
    metadata.insert(CARD_KEY.to_owned(), Value::String(text));
    let check = check_of(&header, data);
    if let Some(Value::Object(metadata)) = header.get_mut("__metadata__") {
        metadata.insert(CHECK_KEY.to_owned(), Value::String(check.to_string()));
    }
    let mut text = serde_json::to_string(&header).expect("a header serialises to JSON");
    // The format wants the data to begin at a multiple of eight bytes.
    text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    Ok(bytes)
}

/// Returns the checksum of header and tensors, laid out in whatever way.
fn check_of(header: &Map<String, Value>, data: &[u8]) -> Check {
    Check::of(&serde_json::to_vec(header).expect("a header serialises to JSON")).then(data)
}

/// Reads the card of a safetensors file, and holds the file against its checksum.
///
/// # Errors
/// If the bytes are no safetensors file or not as they were written, or have no card that this
/// version reads.
pub fn card_of(bytes: &[u8]) -> Result<ModelCard, WeightsError> {
    let (mut header, data) = header_of(bytes)?;
    let stated = match header.get_mut("__metadata__") {
        Some(Value::Object(metadata)) => metadata.shift_remove(CHECK_KEY),
        _ => None,
    };
    if let Some(stated) = &stated {
        let found = check_of(&header, data).to_string();
        if stated.as_str() != Some(&found) {
            let problem = format!("its checksum is {found}, it says {stated}");
            return Err(WeightsError::Changed(problem));
        }
    }
    let text = header
        .get("__metadata__")
        .and_then(|metadata| metadata.get(CARD_KEY))
        .and_then(Value::as_str)
        .ok_or(WeightsError::NoCard)?;
    let damaged = |error: serde_json::Error| WeightsError::Unreadable(error.to_string());
    // The version is looked at first: a later card may differ in any other field.
    let card: Value = serde_json::from_str(text).map_err(damaged)?;
    let card: ModelCard = match card.get("version").and_then(Value::as_u64) {
        Some(found) if found > u64::from(VERSION) => {
            return Err(WeightsError::Format { found: format!("{CARD_KEY} {found}") });
        }
        Some(2..) if stated.is_none() => {
            return Err(WeightsError::Changed(format!("it has no `{CHECK_KEY}`")));
        }
        _ => serde_json::from_value(card).map_err(damaged)?,
    };
    if card.classes.is_empty() || card.image.contains(&0) {
        let problem = "its card has no classes or images without pixels".to_owned();
        return Err(WeightsError::Unreadable(problem));
    }
    let weights = data.len() / size_of::<f32>();
    check_layers(&card.settings.model.layers, weights).map_err(WeightsError::Unreadable)?;
    Ok(card)
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
    use crate::experiment::layers::LayerSettings;

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
    fn a_card_with_an_impossible_layer_is_refused() {
        for units in [0, 1 << 40] {
            let settings = settings(vec![LayerSettings::Flatten, dense(Some(units))]);
            let card = ModelCard { settings, ..card() };
            let bytes = with_card(&to_safetensors(&weights()), &card).unwrap();
            let error = card_of(&bytes).unwrap_err().to_string();
            assert!(error.contains("layer 2 of its card has `units`"), "{error}");
        }
    }

    #[test]
    fn a_card_without_classes_or_pixels_is_refused() {
        let empty = ModelCard { classes: vec![], ..card() };
        let flat = ModelCard { image: [2, 0, 1], ..card() };
        for card in [empty, flat] {
            let bytes = with_card(&to_safetensors(&weights()), &card).unwrap();
            assert!(matches!(card_of(&bytes), Err(WeightsError::Unreadable(_))));
        }
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
    fn no_flipped_bit_of_a_file_is_silent() {
        let bytes = with_card(&to_safetensors(&weights()), &card()).unwrap();
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // What is left is white space after the header.
            let same = || from_safetensors(&flipped).is_ok_and(|read| read == weights());
            assert!(card_of(&flipped).is_err() || same(), "bit {bit}");
            assert!(
                card_of(&flipped).is_err() || card_of(&flipped).unwrap() == card(),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_file_of_version_1_is_read_without_a_checksum() {
        let old = ModelCard { version: 1, ..card() };
        let bytes = with_card(&to_safetensors(&weights()), &old).unwrap();
        let (mut header, data) = header_of(&bytes).unwrap();
        header["__metadata__"].as_object_mut().unwrap().shift_remove(CHECK_KEY).unwrap();
        let text = serde_json::to_string(&header).unwrap();
        let bytes = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), data].concat();
        assert_eq!(card_of(&bytes).unwrap(), old);
    }

    #[test]
    fn a_later_card_is_refused_by_its_version() {
        let later = ModelCard { version: 9, ..card() };
        let bytes = with_card(&to_safetensors(&weights()), &later).unwrap();
        let error = card_of(&bytes).unwrap_err().to_string();
        assert!(error.contains("gridbench-model 9"), "{error}");
    }
}
