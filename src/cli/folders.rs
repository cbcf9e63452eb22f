//! What the environment says: where results go, where data are looked for, which kernels compute.

use std::path::{Path, PathBuf};

use super::arguments::DataFolderArguments;
use super::failure::Failure;
use crate::data::DataFolders;
use crate::engine::CpuKernels;
use crate::engine::kernels::IsaError;

/// Returns the folder of an experiment's results: `--out`, else `results/<name>`.
pub(super) fn results_folder(out: Option<&PathBuf>, name: &str) -> PathBuf {
    out.cloned().unwrap_or_else(|| Path::new("results").join(name))
}

/// Returns where datasets are looked for, in order.
pub(super) fn data_folders(arguments: &DataFolderArguments) -> DataFolders {
    let roots = [arguments.data_dir.clone(), named("BENCH_DATA_DIR"), cache_folder()];
    DataFolders { roots: roots.into_iter().flatten().collect() }
}

/// Returns where downloads go: `--data-dir`, else `BENCH_DATA_DIR`, else the user's cache folder.
pub(super) fn download_folder(arguments: &DataFolderArguments) -> Option<PathBuf> {
    arguments.data_dir.clone().or_else(|| named("BENCH_DATA_DIR")).or_else(cache_folder)
}

/// Returns the file that GitHub Actions shows as the summary of a job.
pub(super) fn job_summary() -> Option<PathBuf> {
    named("GITHUB_STEP_SUMMARY")
}

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns `$XDG_CACHE_HOME/gridbench`, else `~/.cache/gridbench`, else `%LOCALAPPDATA%\gridbench`.
fn cache_folder() -> Option<PathBuf> {
    named("XDG_CACHE_HOME")
        .or_else(|| named("HOME").map(|home| home.join(".cache")))
        .or_else(|| named("LOCALAPPDATA"))
        .map(|folder| folder.join("gridbench"))
}

/// Returns the kernels that `GRIDBENCH_ISA` names; without it the fastest.
pub(super) fn cpu_kernels() -> Result<CpuKernels, Failure> {
    let Some(name) = std::env::var_os("GRIDBENCH_ISA") else { return Ok(CpuKernels::Auto) };
    name.to_string_lossy()
        .parse()
        .map_err(|error: IsaError| Failure::input("cannot use `GRIDBENCH_ISA`").because(&error))
}
