//! Where dataset files are looked for.

use std::path::{Path, PathBuf};

use super::error::LoadError;

/// Folders that may hold datasets, searched in order.
///
/// The caller gathers them, usually `--data-dir`, then `BENCH_DATA_DIR`, then the user's cache.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataFolders {
    /// The folders; each may hold `mnist/train-images-idx3-ubyte.gz` or the files directly.
    pub roots: Vec<PathBuf>,
    /// The folder of the experiment file, to which its paths are relative first of all.
    pub beside: Option<PathBuf>,
}

impl DataFolders {
    /// Returns the folder of a dataset that comes as several files, by one of these.
    ///
    /// Every root's `subfolders` are looked at before any root itself, so that files lying loose in
    /// one root never hide a folder that carries the dataset's name in another.
    pub(super) fn folder_with(
        &self,
        subfolders: &[&str],
        file: &str,
    ) -> Result<PathBuf, LoadError> {
        let named =
            self.roots.iter().flat_map(|root| subfolders.iter().map(|name| root.join(name)));
        named
            .chain(self.roots.iter().cloned())
            .find(|folder| stored_as(folder, file).is_some())
            .ok_or_else(|| self.missing(format!("{}/{file}", subfolders.first().unwrap_or(&"."))))
    }

    /// Returns `path` where it exists: beside the experiment file, as it stands (below the current
    /// folder), or below one of the roots.
    pub(super) fn resolve(&self, path: &Path) -> Result<PathBuf, LoadError> {
        let mut folders: Vec<PathBuf> = self.beside.iter().cloned().collect();
        folders.push(PathBuf::new());
        folders.extend(self.roots.iter().cloned());
        let found = folders.iter().map(|folder| folder.join(path)).find(|path| path.exists());
        found.ok_or_else(|| {
            if path.is_absolute() {
                folders = vec![path.parent().unwrap_or(path).to_owned()];
            }
            for folder in &mut folders {
                if folder.as_os_str().is_empty() {
                    *folder = PathBuf::from(".");
                }
            }
            folders.dedup();
            LoadError::Missing { file: path.display().to_string(), searched: folders }
        })
    }

    fn missing(&self, file: String) -> LoadError {
        LoadError::Missing { file, searched: self.roots.clone() }
    }
}

/// Returns the path under which `folder` holds `file`: plain, else packed as `.gz`.
pub(super) fn stored_as(folder: &Path, file: &str) -> Option<PathBuf> {
    [folder.join(file), folder.join(format!("{file}.gz"))].into_iter().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().expect("a parent")).unwrap();
        std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    }

    #[test]
    fn a_named_folder_in_a_later_root_comes_before_loose_files_in_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let roots = vec![folder.path().join("loose"), folder.path().join("cache")];
        touch(&roots[0].join("f"));
        touch(&roots[1].join("mnist/f.gz"));
        let folders = DataFolders { roots: roots.clone(), beside: None };
        assert_eq!(folders.folder_with(&["mnist"], "f").unwrap(), roots[1].join("mnist"));
        assert_eq!(folders.folder_with(&["other"], "f").unwrap(), roots[0]);
        assert!(folders.folder_with(&["mnist"], "absent").is_err());
    }

    #[test]
    fn a_relative_path_is_found_below_a_root() {
        let folder = tempfile::tempdir().unwrap();
        touch(&folder.path().join("some/train.csv"));
        let folders = DataFolders { roots: vec![folder.path().to_owned()], beside: None };
        let found = folders.resolve(Path::new("some/train.csv")).unwrap();
        assert_eq!(found, folder.path().join("some/train.csv"));
        let error = folders.resolve(Path::new("some/test.csv")).unwrap_err().to_string();
        assert_eq!(error, format!("`some/test.csv` is not in `.`, `{}`", folder.path().display()));
    }
    #[test]
    fn a_relative_path_is_looked_for_beside_the_experiment_file_first() {
        let folder = tempfile::tempdir().unwrap();
        for place in ["experiments/images", "data/images", "data/only"] {
            touch(&folder.path().join(place).join("1.png"));
        }
        let folders = DataFolders {
            roots: vec![folder.path().join("data")],
            beside: Some(folder.path().join("experiments")),
        };
        let found = |path: &str| folders.resolve(Path::new(path)).unwrap();
        assert_eq!(found("images"), folder.path().join("experiments/images"));
        assert_eq!(found("only"), folder.path().join("data/only"));
        let [experiments, data] = ["experiments", "data"].map(|name| folder.path().join(name));
        assert_eq!(
            folders.resolve(Path::new("nowhere")).unwrap_err().to_string(),
            format!("`nowhere` is not in `{}`, `.`, `{}`", experiments.display(), data.display())
        );
    }
}
