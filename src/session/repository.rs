//! The user's repository around an experiment file.

use std::path::Path;
use std::process::Command;

use crate::store::Repository;

/// Returns commit and cleanliness of the repository that holds `file`; nothing where there is no
/// repository, no commit or no `git`.
pub(super) fn around(file: &Path) -> Option<Repository> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = file.file_name()?.to_str()?;
    let commit = answer(folder, &["rev-parse", "HEAD"])?;
    let changed = answer(folder, &["status", "--porcelain", "--untracked-files=no"])?;
    let is_tracked = answer(folder, &["ls-files", "--error-unmatch", "--", name]).is_some();
    Some(Repository { commit, modified: !changed.is_empty() || !is_tracked })
}

/// Returns what `git` prints about the repository around `folder`, if it runs and succeeds.
///
/// The repository is the one around the file, also within a hook of another one, and its own
/// settings start no programs.
fn answer(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(["-c", "core.fsmonitor=false", "--no-optional-locks", "-C"])
        .arg(folder)
        .args(arguments)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
