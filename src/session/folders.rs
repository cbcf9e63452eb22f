//! Where results go and data are looked for.

use std::path::{Path, PathBuf};

use crate::data::DataFolders;

/// Returns the folder of an experiment's results: the one that is named, else `results/<name>`.
pub fn results_folder(named: Option<&PathBuf>, name: &str) -> PathBuf {
    named.cloned().unwrap_or_else(|| Path::new("results").join(name))
}

/// Returns where datasets are looked for: the folder that is named, then `BENCH_DATA_DIR`, then the
/// user's cache folder.
pub fn data_folders(named: Option<PathBuf>) -> DataFolders {
    let roots = [named, variable("BENCH_DATA_DIR"), cache_folder()];
    DataFolders { roots: roots.into_iter().flatten().collect(), beside: None }
}

/// Returns where downloads go: the first of those folders.
pub(crate) fn download_folder(named: Option<PathBuf>) -> Option<PathBuf> {
    named.or_else(|| variable("BENCH_DATA_DIR")).or_else(cache_folder)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns `$XDG_CACHE_HOME/gridbench`, else `~/.cache/gridbench`, else `%LOCALAPPDATA%\gridbench`.
fn cache_folder() -> Option<PathBuf> {
    variable("XDG_CACHE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".cache")))
        .or_else(|| variable("LOCALAPPDATA"))
        .map(|folder| folder.join("gridbench"))
}
