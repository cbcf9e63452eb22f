//! What was asked and where it was computed: `manifest.json`.
//!
//! With the experiment as typed, its overrides and the checksums of its images, the plan of a
//! results folder can be drawn again without the experiment file and without the images.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::atomic;
use super::clock;
use super::error::StoreError;
use super::origin::{Build, Machine};
use crate::base::{CellId, Digest};

/// Format version of manifests.
pub const MANIFEST_VERSION: u32 = 1;

/// Which repeats of which cells a folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeats {
    /// Those the experiment asks for.
    #[default]
    AsTyped,
    /// Those, and more of some cells: a gate that could not decide asked for so many in all.
    More(BTreeMap<CellId, u32>),
    /// Of these cells alone, `count` repeats from `first` on, so that no training shares its seeds
    /// with those the cells were chosen by.
    Fresh {
        /// The experiment whose cells they are.
        of: String,
        /// The cells, best first.
        cells: Vec<CellId>,
        /// Index of the first repeat.
        first: u32,
        /// Repeats a cell.
        count: u32,
    },
}

impl Repeats {
    /// Returns the repeats of a cell of an experiment that asks for `typed`; nothing where the cell
    /// is not among those the folder holds.
    #[must_use]
    pub fn of_cell(&self, cell: &CellId, typed: u32) -> Option<std::ops::Range<u32>> {
        match self {
            Self::AsTyped => Some(0..typed),
            Self::More(cells) => Some(0..cells.get(cell).copied().unwrap_or(0).max(typed)),
            Self::Fresh { cells, first, count, .. } => {
                cells.contains(cell).then(|| *first..first.saturating_add(*count))
            }
        }
    }

    fn is_as_typed(&self) -> bool {
        *self == Self::AsTyped
    }
}

/// What the caller knows when a run starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ManifestDraft {
    /// Name of the experiment; a folder holds one experiment only.
    pub name: String,
    /// The experiment file, as typed.
    pub typed: String,
    /// Overrides from the command line, `key=value`, in order.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// The experiment as meant, every default filled in.
    pub experiment: Json,
    /// Device and numerical path.
    pub engine: String,
    /// Revision of the engine; part of every member's identity.
    pub engine_revision: String,
    /// The images.
    #[serde(default)]
    pub datasets: Vec<DatasetFacts>,
    /// Which repeats of which cells.
    #[serde(default, skip_serializing_if = "Repeats::is_as_typed")]
    pub repeats: Repeats,
}

/// One collection of images, as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DatasetFacts {
    /// Short name.
    pub name: String,
    /// Dataset settings that led to it; all but those of the split decide.
    pub settings: Json,
    /// Checksum of shape, pixels, labels and class names.
    pub checksum: Digest,
    /// Images in the pool.
    pub images: usize,
    /// Rows, columns and channels of an image.
    pub shape: [usize; 3],
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Sizes of the training, validation and test split of the base settings.
    #[serde(default)]
    pub splits: Option<[usize; 3]>,
    /// Every way in which the images are divided, without `train-limit`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub divisions: Vec<DivisionFacts>,
    /// How the images were read, in sentences; the first says which classes are trained and tested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why numbers measured with the images may mislead, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Which columns of a table the pixels were; absent where the images came from no table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Json>,
}

/// One way in which images are divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DivisionFacts {
    /// The dataset settings, without `train-limit`.
    pub settings: Json,
    /// Training, validation and test images.
    pub splits: [usize; 3],
}

impl DatasetFacts {
    /// Returns the size of the images, such as `28×28`, with the channels where there are several.
    #[must_use]
    pub fn shape_text(&self) -> String {
        let [height, width, channels] = self.shape;
        let channels = if channels == 1 { String::new() } else { format!("×{channels}") };
        format!("{height}×{width}{channels}")
    }

    /// Returns the number of images in the test split, where it is known.
    #[must_use]
    pub fn test_images(&self) -> Option<u64> {
        self.splits.map(|[.., test]| test as u64)
    }

    /// Returns the number of images in the validation split; absent without one.
    #[must_use]
    pub fn validation_images(&self) -> Option<u64> {
        self.splits.map(|[_, validation, _]| validation as u64).filter(|images| *images > 0)
    }
}

/// `manifest.json`. Every later run of the experiment replaces it and keeps `created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// Format version.
    #[serde(rename = "gridbench-manifest")]
    pub version: u32,
    /// When the first run began, RFC 3339.
    pub created: String,
    /// When the last run began, RFC 3339.
    pub updated: String,
    /// The experiment, the engine and the images.
    pub run: ManifestDraft,
    /// The program of the last run.
    pub build: Build,
    /// The machine of the last run.
    pub machine: Machine,
}

impl Manifest {
    /// Returns the manifest of a first run that begins now on this machine.
    #[must_use]
    pub fn begin(run: ManifestDraft) -> Self {
        let now = clock::now();
        Self {
            version: MANIFEST_VERSION,
            created: now.clone(),
            updated: now,
            run,
            build: Build::current(),
            machine: Machine::current(),
        }
    }

    /// Returns the checksum of the images that `settings` (dataset settings) mean, if they were
    /// used; the split does not matter.
    #[must_use]
    pub fn checksum_of(&self, settings: &impl Serialize) -> Option<Digest> {
        self.facts_of(settings).map(|facts| facts.checksum)
    }

    /// Returns what is known of the images that `settings` (dataset settings) mean, if they were
    /// used; the split does not matter.
    #[must_use]
    pub fn facts_of(&self, settings: &impl Serialize) -> Option<&DatasetFacts> {
        let wanted = without_split(&serde_json::to_value(settings).ok()?);
        self.run.datasets.iter().find(|facts| without_split(&facts.settings) == wanted)
    }

    /// Returns the sizes of the splits that `settings` (dataset settings without `train-limit`) mean;
    /// nothing in manifests of earlier versions.
    #[must_use]
    pub fn splits_of(&self, settings: &impl Serialize) -> Option<[usize; 3]> {
        let wanted = serde_json::to_value(settings).ok()?;
        let divisions = self.run.datasets.iter().flat_map(|facts| &facts.divisions);
        divisions.into_iter().find(|one| one.settings == wanted).map(|one| one.splits)
    }

    /// Returns the path of the manifest of a results folder.
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join("manifest.json")
    }

    /// Reads the manifest of a results folder; `None` without one.
    ///
    /// # Errors
    /// If it cannot be read, is damaged or of a later version.
    pub fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = Self::path(folder);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        // The version is looked at first: a later manifest may differ in any other field.
        let damaged = |error: serde_json::Error| StoreError::DamagedManifest {
            path: path.clone(),
            problem: error.to_string(),
        };
        let json: Json = serde_json::from_slice(&text).map_err(damaged)?;
        match json.get("gridbench-manifest").and_then(Json::as_u64) {
            Some(found) if found > u64::from(MANIFEST_VERSION) => Err(StoreError::Newer {
                path,
                found: u32::try_from(found).unwrap_or(u32::MAX),
                known: MANIFEST_VERSION,
            }),
            Some(_) => serde_json::from_value(json).map(Some).map_err(damaged),
            None => Err(StoreError::DamagedManifest {
                path,
                problem: "no number under `gridbench-manifest`, expected the format version"
                    .to_owned(),
            }),
        }
    }

    /// Writes the manifest of a results folder.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest serialises to JSON");
        text.push('\n');
        Ok(atomic::write(&Self::path(folder), text.as_bytes())?)
    }
}

/// Returns dataset settings without those that only divide the images.
fn without_split(settings: &Json) -> Json {
    let mut settings = settings.clone();
    if let Some(keys) = settings.as_object_mut() {
        keys.retain(|key, _| !["split", "train-limit"].contains(&key.as_str()));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest_of;

    fn cell(name: &str) -> CellId {
        CellId::from(digest_of(name.as_bytes()))
    }

    #[test]
    fn more_repeats_are_never_fewer_than_typed() {
        let more = Repeats::More(BTreeMap::from([(cell("a"), 8), (cell("b"), 2)]));
        assert_eq!(more.of_cell(&cell("a"), 5), Some(0..8));
        assert_eq!(more.of_cell(&cell("b"), 5), Some(0..5));
        assert_eq!(more.of_cell(&cell("c"), 5), Some(0..5));
        assert_eq!(Repeats::AsTyped.of_cell(&cell("a"), 5), Some(0..5));
    }

    #[test]
    fn fresh_repeats_are_those_of_chosen_cells_and_begin_where_told() {
        let fresh =
            Repeats::Fresh { of: "x".to_owned(), cells: vec![cell("a")], first: 100, count: 3 };
        assert_eq!(fresh.of_cell(&cell("a"), 5), Some(100..103));
        assert_eq!(fresh.of_cell(&cell("b"), 5), None);
    }

    #[test]
    fn repeats_survive_json_and_are_silent_where_they_are_as_typed() {
        for repeats in [
            Repeats::More(BTreeMap::from([(cell("a"), 8)])),
            Repeats::Fresh { of: "x".to_owned(), cells: vec![cell("a")], first: 7, count: 3 },
        ] {
            let text = serde_json::to_string(&repeats).unwrap();
            assert_eq!(serde_json::from_str::<Repeats>(&text).unwrap(), repeats, "{text}");
        }
        assert!(Repeats::AsTyped.is_as_typed());
    }
}
