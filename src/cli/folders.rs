//! Where results go and data are looked for, what else the environment says, and whether a folder is
//! free of older files.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::arguments::DataFolderArguments;
use super::failure::Failure;
use crate::data::DataFolders;
use crate::engine::CpuKernels;
use crate::spec::nearest;
use gridbench_kernels::IsaError;

/// Returns the folder of an experiment's results: `--out`, else `results/<name>`.
pub(super) fn results_folder(out: Option<&PathBuf>, name: &str) -> PathBuf {
    out.cloned().unwrap_or_else(|| Path::new("results").join(name))
}

/// Returns where datasets are looked for, in order.
pub(super) fn data_folders(arguments: &DataFolderArguments) -> DataFolders {
    let roots = [arguments.data_dir.clone(), named("BENCH_DATA_DIR"), cache_folder()];
    DataFolders { roots: roots.into_iter().flatten().collect(), beside: None }
}

/// Returns where downloads go: `--data-dir`, else `BENCH_DATA_DIR`, else the user's cache folder.
pub(super) fn download_folder(arguments: &DataFolderArguments) -> Option<PathBuf> {
    arguments.data_dir.clone().or_else(|| named("BENCH_DATA_DIR")).or_else(cache_folder)
}

/// Returns the file that GitHub Actions shows as the summary of a job.
pub(super) fn job_summary() -> Option<PathBuf> {
    named("GITHUB_STEP_SUMMARY")
}

/// Returns what helps where an experiment file is not there: the file beside it whose name is nearly
/// that, else where to look.
pub(super) fn near(file: &Path) -> String {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| is_toml(name));
    names.sort();
    let typed = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match nearest(typed, names.iter().map(String::as_str)) {
        Some(name) => {
            format!("did you mean `{}`?", folder.map_or(name.into(), |at| at.join(name)).display())
        }
        None => "the examples stand in `experiments/`".to_owned(),
    }
}

fn is_toml(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// Refuses a folder with files of this ending that are not about to be written: whoever reads the
/// folder would take them for a part of it. `depth` says how many folders deep they may lie.
pub(super) fn refuse_leftovers(
    folder: &Path,
    depth: usize,
    ending: &str,
    written: &BTreeSet<PathBuf>,
) -> Result<(), Failure> {
    let mut found = Vec::new();
    gather(folder, depth, ending, &mut found);
    found.retain(|file| !written.contains(file));
    found.sort();
    let Some(first) = found.first() else { return Ok(()) };
    let first = first.strip_prefix(folder).unwrap_or(first).display();
    let stay = match found.len() {
        1 => format!("it holds an older file that would join the new ones: `{first}`"),
        more => format!("it holds {more} older files that would join the new ones: `{first}`, …"),
    };
    Err(Failure::input(format!("cannot write to `{}`", folder.display()))
        .because_of(stay)
        .hint(Some("name another folder, or remove this one first")))
}

fn gather(folder: &Path, depth: usize, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() && depth > 0 {
            gather(&path, depth - 1, ending, found);
        } else if path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending)) {
            found.push(path);
        }
    }
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

/// Returns the most members of a pack, as `GRIDBENCH_PACK` says; without it as many as fit.
pub(super) fn most_of_a_pack() -> Result<Option<NonZeroUsize>, Failure> {
    let Some(text) = std::env::var_os("GRIDBENCH_PACK") else { return Ok(None) };
    let text = text.to_string_lossy();
    text.parse().map(Some).map_err(|_| {
        Failure::input("cannot use `GRIDBENCH_PACK`")
            .because_of(format!("found `{text}`, expected a number of members from 1"))
    })
}

/// Returns the kernels that `GRIDBENCH_ISA` names; without it the fastest.
pub(super) fn cpu_kernels() -> Result<CpuKernels, Failure> {
    let Some(name) = std::env::var_os("GRIDBENCH_ISA") else { return Ok(CpuKernels::Auto) };
    name.to_string_lossy()
        .parse()
        .map_err(|error: IsaError| Failure::input("cannot use `GRIDBENCH_ISA`").because(&error))
}
