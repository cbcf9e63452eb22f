//! Tells the crate which commit and compiler it is built from, for the manifest of every run.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

fn main() {
    let commit = answer("git", &["rev-parse", "--short=12", "HEAD"]);
    let modified = answer("git", &["status", "--porcelain", "--untracked-files=no"]);
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let target = std::env::var_os("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=GRIDBENCH_COMMIT={}", commit.unwrap_or_default());
    println!(
        "cargo::rustc-env=GRIDBENCH_MODIFIED={}",
        modified.is_some_and(|text| !text.is_empty())
    );
    println!("cargo::rustc-env=GRIDBENCH_RUSTC={}", answer(&compiler, &["-V"]).unwrap_or_default());
    println!("cargo::rustc-env=GRIDBENCH_TARGET={}", target.display());
    // Every change of the sources is a rebuild of the crate anyway; a commit is the other moment at
    // which the answers change.
    for path in ["build.rs", "src", "crates", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    if let Some(log) = answer("git", &["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// Returns what a program prints, if it runs and succeeds.
fn answer(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
