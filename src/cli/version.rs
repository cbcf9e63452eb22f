//! The text of `--version`.

use std::sync::LazyLock;

use crate::store::Build;

/// What `--version` prints after the name: version, commit, compiler, target, and what it trains on.
pub(super) static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let build = Build::current();
    let devices = if cfg!(feature = "cuda") { "cpu, cuda" } else { "cpu" };
    let lines = [
        Some(format!("devices:  {devices}")),
        build.target.map(|target| format!("target:   {target}")),
        build.rustc.map(|rustc| format!("compiler: {rustc}")),
    ];
    let lines: Vec<String> = lines.into_iter().flatten().collect();
    format!("{}\n{}", VERSION.as_str(), lines.join("\n"))
});

/// What `-V` prints after the name: version and commit.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let build = Build::current();
    match build.commit {
        None => build.version,
        Some(commit) if build.modified => format!("{} ({commit}, modified)", build.version),
        Some(commit) => format!("{} ({commit})", build.version),
    }
});
