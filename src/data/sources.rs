//! What `bench data list` shows.

use std::path::PathBuf;

use serde::Serialize;

use super::folders::DataFolders;
use super::known::{IDX_FILES, KnownSet, SIDE};
use super::{digits, idx};

/// A dataset that can be named in an experiment file without a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SourceInfo {
    /// Name for `dataset.source` and `bench data fetch`.
    pub name: &'static str,
    /// Images in the pool.
    pub images: usize,
    /// Images of its own test file among them.
    pub test_images: usize,
    /// Side of the images as stored, in pixels.
    pub image_size: usize,
    /// Number of classes.
    pub classes: usize,
    /// Who made it, and the terms.
    pub licence: &'static str,
    /// The publication's page.
    pub origin: &'static str,
    /// Where its files are.
    pub place: SourcePlace,
}

/// Where the files of a source are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SourcePlace {
    /// Inside the program.
    Embedded,
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere yet: `bench data fetch` brings them.
    Absent,
}

/// Returns every dataset that has a name, and where it is found.
///
/// Looks for the training images without reading them, so a damaged file is found as well.
pub(crate) fn list(folders: &DataFolders) -> Vec<SourceInfo> {
    let embedded = SourceInfo {
        name: "digits",
        images: digits::IMAGES,
        test_images: 0,
        image_size: 8,
        classes: 10,
        licence: "E. Alpaydin, C. Kaynak; CC BY 4.0",
        origin: "https://doi.org/10.24432/C50P49",
        place: SourcePlace::Embedded,
    };
    let known = KnownSet::all().iter().map(|set| {
        // Files that lie loose in a root may be those of any set.
        let found = folders
            .folder_with(&set.folders, IDX_FILES[0])
            .ok()
            .filter(|folder| !folders.roots.contains(folder) || idx::is_in(set, folder));
        SourceInfo {
            name: set.name,
            images: set.files[0].images + set.files[2].images,
            test_images: set.files[2].images,
            image_size: SIDE,
            classes: set.classes.len(),
            licence: set.licence,
            origin: set.origin,
            place: found.map_or(SourcePlace::Absent, SourcePlace::Folder),
        }
    });
    std::iter::once(embedded).chain(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_files_are_not_taken_for_a_set_they_do_not_belong_to() {
        let folder = tempfile::tempdir().unwrap();
        for file in IDX_FILES {
            let path = folder.path().join(format!("{file}.gz"));
            std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        }
        let sources = list(&DataFolders { roots: vec![folder.path().to_owned()], beside: None });
        assert!(sources[1..].iter().all(|source| source.place == SourcePlace::Absent));
    }

    #[test]
    fn the_list_says_what_is_there_and_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let kmnist = folder.path().join("KMNIST/raw");
        std::fs::create_dir_all(&kmnist).unwrap();
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(kmnist.join("train-images-idx3-ubyte"))
            .unwrap();
        let sources = list(&DataFolders { roots: vec![folder.path().to_owned()], beside: None });
        let places: Vec<(&str, SourcePlace)> =
            sources.into_iter().map(|source| (source.name, source.place)).collect();
        assert_eq!(
            places,
            [
                ("digits", SourcePlace::Embedded),
                ("mnist", SourcePlace::Absent),
                ("fashion-mnist", SourcePlace::Absent),
                ("kmnist", SourcePlace::Folder(kmnist)),
            ]
        );
    }
}
