//! What the environment says, and whether a folder is free of older files.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::engine::CpuKernels;
use gridbench_kernels::IsaError;

/// Returns the file that GitHub Actions shows as the summary of a job.
pub(super) fn job_summary() -> Option<PathBuf> {
    std::env::var_os("GITHUB_STEP_SUMMARY").filter(|value| !value.is_empty()).map(PathBuf::from)
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
