//! Tells the crate which commit and compiler it is built from, for the manifest of every run.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

fn main() {
    let packaged = packaged_commit();
    let git = |arguments: &[&str]| match packaged {
        Some(_) => None,
        None => answer("git", arguments),
    };
    let commit = packaged.clone().or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    let modified = git(&["status", "--porcelain", "--untracked-files=no"]);
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let target = std::env::var_os("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=GRIDBENCH_COMMIT={}", commit.unwrap_or_default());
    println!(
        "cargo::rustc-env=GRIDBENCH_MODIFIED={}",
        modified.is_some_and(|text| !text.is_empty())
    );
    println!("cargo::rustc-env=GRIDBENCH_RUSTC={}", answer(&compiler, &["-V"]).unwrap_or_default());
    println!("cargo::rustc-env=GRIDBENCH_TARGET={}", target.display());
    compile_kernels();
    // Every change of the sources is a rebuild of the crate anyway; a commit is the other moment at
    // which the answers change.
    for path in ["build.rs", "src", "crates", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// Returns the commit that `cargo package` was run at; nothing in a repository, or for a package of
/// changed files.
fn packaged_commit() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let sha = text.split("\"sha1\": \"").nth(1)?.split('"').next()?;
    let is_clean = !text.contains("\"dirty\": true");
    (is_clean && sha.len() >= 12).then(|| sha[..12].to_owned())
}

/// Compiles the kernels of the CUDA path, for the oldest GPU that dfdx compiles for; the driver
/// translates on for newer ones. A type-check gets an empty file.
fn compile_kernels() {
    let target =
        Path::new(&std::env::var_os("OUT_DIR").expect("cargo names it")).join("kernels.ptx");
    if std::env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    if std::env::var_os("CARGO_FEATURE_CUDA_CHECK").is_some() {
        #[expect(clippy::disallowed_methods, reason = "half an empty file is an empty file")]
        std::fs::write(target, "").expect("cargo's folder can be written");
        return;
    }
    let status = Command::new("nvcc")
        .args(["--ptx", "--gpu-architecture=compute_80", "-o"])
        .args([target.as_os_str(), OsStr::new("src/engine/cuda/kernels.cu")])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "`nvcc` cannot compile src/engine/cuda/kernels.cu; set up a toolkit with \
         `scripts/cuda-toolkit.sh target/cuda`, then `. target/cuda/environment.sh`"
    );
}

/// Returns what a program prints, if it runs and succeeds.
fn answer(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
