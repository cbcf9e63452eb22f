//! What was asked and where it was computed: `manifest.json`.
//!
//! With the experiment as typed, its overrides and the checksums of its images, the plan of a
//! results folder can be drawn again without the experiment file and without the images.
//!
//! The file is created once, by the first run, and never changed. What later runs ask stands in
//! their journals and completes it, see [`Manifest::read`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::clock;
use super::derived::Derived;
use super::error::StoreError;
use super::journal;
use super::origin::{Build, Machine, Repository, Session};
use super::{atomic, inside};
use crate::base::seal::{open_document, sealed_document};
use crate::base::{CellId, Digest, is_file_name};

/// Format version of manifests.
const VERSION: u32 = 2;
/// Name of the format.
const FORMAT: &str = "gridbench-manifest";

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
        /// Repeats per cell.
        count: u32,
    },
}

impl Repeats {
    /// Returns the repeats of a cell of an experiment that asks for `typed`; nothing where the cell
    /// is not among those the folder holds.
    pub(crate) fn of_cell(&self, cell: &CellId, typed: u32) -> Option<std::ops::Range<u32>> {
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
    /// The programs that train, where any do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<ProgramFacts>,
    /// Which repeats of which cells.
    #[serde(default, skip_serializing_if = "Repeats::is_as_typed")]
    pub repeats: Repeats,
    /// The user's repository that holds the experiment file; absent outside of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
}

impl ManifestDraft {
    /// Returns whether `other` asks for the same, wherever it is trained.
    pub(super) fn asks_like(&self, other: &Self) -> bool {
        let elsewhere = Self {
            engine: self.engine.clone(),
            repository: self.repository.clone(),
            ..other.clone()
        };
        *self == elsewhere
    }
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

/// A program that trains, as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProgramFacts {
    /// How it is called.
    pub settings: Json,
    /// Digest of all that decides what it does, as far as that is known.
    pub digest: Digest,
    /// The files that were looked at, the program's own first.
    pub files: Vec<FileFacts>,
    /// Digest as it was found, where it stands for another: `digest` is that other then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Digest>,
    /// What the call of `trainer.version` printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A file, as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileFacts {
    /// Its name as it was asked for, never a resolved path.
    pub name: String,
    /// Number of its bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
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
    pub(crate) fn shape_text(&self) -> String {
        let [height, width, channels] = self.shape;
        let channels = if channels == 1 { String::new() } else { format!("×{channels}") };
        format!("{height}×{width}{channels}")
    }

    /// Returns the number of images in the test split, where it is known.
    pub(crate) fn test_images(&self) -> Option<u64> {
        self.splits.map(|[.., test]| test as u64)
    }

    /// Returns the number of images in the validation split; absent without one.
    pub(crate) fn validation_images(&self) -> Option<u64> {
        self.splits.map(|[_, validation, _]| validation as u64).filter(|images| *images > 0)
    }
}

/// What is known of a results folder: `manifest.json`, completed by what later runs asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// When the first run began, RFC 3339.
    pub created: String,
    /// When the last run that stored anything began, RFC 3339.
    pub updated: String,
    /// The experiment, the engine and the images.
    pub run: ManifestDraft,
    /// The program of that run.
    pub build: Build,
    /// The machine of that run.
    pub machine: Machine,
}

/// `manifest.json` as it is written.
#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    version: u32,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

impl Manifest {
    /// Returns the manifest of a first run that begins now on this machine.
    pub(crate) fn begin(run: ManifestDraft) -> Self {
        let now = clock::now();
        Self {
            created: now.clone(),
            updated: now,
            run,
            build: Build::current(),
            machine: Machine::current(),
        }
    }

    /// Returns it with what later runs asked, where they ran, and the numerical paths their members
    /// took: what an engine says of itself cannot know every network and precision.
    pub(super) fn completed<'a>(
        mut self,
        asked: Option<&ManifestDraft>,
        last: Option<&Session>,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        if let Some(asked) = asked {
            self.run = ManifestDraft {
                engine: self.run.engine,
                repository: self.run.repository,
                ..asked.clone()
            };
        }
        if let Some(last) = last.filter(|last| last.started >= self.updated) {
            self.updated.clone_from(&last.started);
            self.build = last.build.clone();
            self.machine = last.machine.clone();
            self.run.engine.clone_from(&last.engine);
            self.run.repository.clone_from(&last.repository);
        }
        self.along(paths)
    }

    /// Returns it with the numerical paths that were taken, as far as any are known.
    pub(crate) fn along<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        let paths: BTreeSet<&str> = paths.into_iter().collect();
        if let Some((device, _)) = self.run.engine.split_once(", ").filter(|_| !paths.is_empty()) {
            let paths: Vec<&str> = paths.into_iter().collect();
            self.run.engine = format!("{device}, {}", paths.join(" and "));
        }
        self
    }

    /// Returns what is known of the images that `settings` (dataset settings) mean, if they were
    /// used; the split does not matter.
    pub(crate) fn facts_of(&self, settings: &impl Serialize) -> Option<&DatasetFacts> {
        let wanted = without_split(&serde_json::to_value(settings).ok()?);
        self.run.datasets.iter().find(|facts| without_split(&facts.settings) == wanted)
    }

    /// Returns the digest of the program that is called so, if it was used.
    pub(crate) fn program_of(&self, settings: &impl Serialize) -> Option<Digest> {
        let wanted = serde_json::to_value(settings).ok()?;
        self.run.programs.iter().find(|one| one.settings == wanted).map(|one| one.digest)
    }

    /// Returns the sizes of the splits that `settings` (dataset settings without `train-limit`) mean;
    /// nothing in manifests of earlier versions.
    pub(crate) fn splits_of(&self, settings: &impl Serialize) -> Option<[usize; 3]> {
        let wanted = serde_json::to_value(settings).ok()?;
        let divisions = self.run.datasets.iter().flat_map(|facts| &facts.divisions);
        divisions.into_iter().find(|one| one.settings == wanted).map(|one| one.splits)
    }

    /// Returns the path of the manifest of a results folder.
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join("manifest.json")
    }

    /// Reads what is known of a results folder; `None` where it holds no results.
    ///
    /// Journals are read as far as they complete the manifest: their first lines. The numerical
    /// paths of the members are known where the derived files are fresh.
    ///
    /// # Errors
    /// If a file cannot be read, is damaged or of a later version.
    pub fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        inside::check_folders(folder)?;
        if let Some(derived) = Derived::of_journals(folder) {
            return Ok(Some(derived.into_manifest()));
        }
        let Some(manifest) = Self::read_file(folder)? else { return Ok(None) };
        let heads = journal::heads(folder)?;
        let runs = heads.iter().filter_map(|first| Some((first.run.as_ref()?, &first.head.name)));
        let asked = runs.max_by_key(|(run, name)| (run.revision, *name));
        let sessions: Vec<Session> =
            heads.iter().filter_map(|first| Some(first.head.header.clone()?.session())).collect();
        let last = sessions.iter().max_by(|a, b| a.started.cmp(&b.started));
        Ok(Some(manifest.completed(asked.map(|(run, _)| &run.asked), last, [])))
    }

    /// Reads `manifest.json` alone; `None` without one.
    pub(super) fn read_file(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = Self::path(folder);
        let text = match inside::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let damaged = |problem: String| StoreError::DamagedManifest { path: path.clone(), problem };
        let mut json: Json =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        // A flipped digit of the version is damage, so the checksum is looked at first.
        let is_sealed = open_document(&mut json).map_err(|problem| damaged(problem.to_string()))?;
        // Then the version: a later manifest may differ in any other field.
        let of_version_1 = json.get("gridbench-manifest").and_then(Json::as_u64);
        let version = json.get("version").and_then(Json::as_u64);
        match (of_version_1, json.get("format").and_then(Json::as_str), version) {
            (Some(1), None, _) => {}
            (Some(found), None, _) | (None, Some(FORMAT), Some(found))
                if found > u64::from(VERSION) =>
            {
                let found = u32::try_from(found).unwrap_or(u32::MAX);
                return Err(StoreError::newer(&path, found, VERSION));
            }
            (None, Some(FORMAT), Some(2)) if is_sealed => {}
            (None, Some(FORMAT), Some(2)) => {
                return Err(damaged("it has no checksum under `check`".to_owned()));
            }
            _ => {
                return Err(damaged(format!(
                    "it does not name its format, expected `{FORMAT}`, version {VERSION}"
                )));
            }
        }
        let manifest: Self =
            serde_json::from_value(json).map_err(|error| damaged(error.to_string()))?;
        if !is_file_name(&manifest.run.name) {
            let name = manifest.run.name.escape_debug();
            return Err(damaged(format!("the name `{name}` cannot name a folder")));
        }
        Ok(Some(manifest))
    }

    /// Returns whether `manifest.json` is of the present version.
    pub(super) fn is_sealed(folder: &Path) -> Result<bool, StoreError> {
        let path = Self::path(folder);
        let text = inside::read(&path).map_err(StoreError::io("read", &path))?;
        let json: Json = serde_json::from_slice(&text).unwrap_or_default();
        Ok(json.get("format").is_some())
    }

    /// Creates `manifest.json` unless it is there; says whether it did.
    pub(super) fn publish(&self, folder: &Path) -> Result<bool, StoreError> {
        Ok(atomic::publish(&Self::path(folder), self.to_text().as_bytes())?)
    }

    /// Replaces a `manifest.json` that cannot be read.
    pub(super) fn mend(&self, folder: &Path) -> Result<(), StoreError> {
        Ok(atomic::write(&Self::path(folder), self.to_text().as_bytes())?)
    }

    fn to_text(&self) -> String {
        sealed_document(&Document { format: FORMAT, version: VERSION, manifest: self })
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
