//! What all campaigns share: the injector, calls of `bench` with and without it, rounds side by
//! side, and the comparison of results.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest time that one call may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A copy of the program, so that a build in the meantime does not change what is tried.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// How rounds ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// As if nothing had been done.
    pub(crate) unharmed: usize,
    /// Damage was found and made good.
    pub(crate) healed: usize,
    /// Damage was found and named.
    pub(crate) refused: usize,
    /// Everything else.
    pub(crate) wrong: Vec<String>,
}

/// How one round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Unharmed,
    Healed,
    Refused,
}

impl Tally {
    fn add(&mut self, end: Result<End, String>) {
        match end {
            Ok(End::Unharmed) => self.unharmed += 1,
            Ok(End::Healed) => self.healed += 1,
            Ok(End::Refused) => self.refused += 1,
            Err(problem) => self.wrong.push(problem),
        }
    }

    pub(crate) fn join(mut self, other: Self) -> Self {
        self.unharmed += other.unharmed;
        self.healed += other.healed;
        self.refused += other.refused;
        self.wrong.extend(other.wrong);
        self
    }
}

pub(crate) struct Rig {
    pub(crate) long: bool,
    shim: PathBuf,
    _folder: TempDir,
}

/// What one call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Exit code, or the negative number of the signal that ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let signal = output.status.signal().map(|signal| -signal);
        Self {
            code: output.status.code().or(signal).unwrap_or(i32::MIN),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// A fault for the injector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
    pub(crate) stays: bool,
}

impl Rig {
    /// Compiles the injector.
    pub(crate) fn build(long: bool) -> Result<Self, String> {
        if !cfg!(target_os = "linux") {
            return Err("the injector is for Linux".to_owned());
        }
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let shim = folder.path().join("shim.so");
        let program = folder.path().join("bench");
        fs::copy(env!("CARGO_BIN_EXE_bench"), &program).map_err(|error| error.to_string())?;
        PROGRAM.set(program).map_err(|_| "there is one rig".to_owned())?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&shim)
            .arg(source)
            .arg("-lpthread")
            .output()
            .map_err(|error| format!("no C compiler: {error}"))?;
        if !compiled.status.success() {
            return Err(String::from_utf8_lossy(&compiled.stderr).into_owned());
        }
        Ok(Self { long, shim, _folder: folder })
    }

    /// Returns every number from 1 to `count`, or in the short form about `few` of them, the last
    /// ones included.
    pub(crate) fn points(&self, count: usize, few: usize) -> Vec<usize> {
        let step = if self.long { 1 } else { count.div_ceil(few).max(1) };
        (1..=count).filter(|at| at % step == 0 || count - at < 8).collect()
    }

    /// Returns a call of `bench` in `place` that sees none of the user's settings.
    pub(crate) fn bench(place: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM.get().expect("the rig is built"));
        command
            .args(arguments)
            .current_dir(place)
            .env_remove("BENCH_DATA_DIR")
            .env_remove("GRIDBENCH_PACK")
            .env_remove("RUST_BACKTRACE")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env("XDG_CACHE_HOME", place.join("cache"))
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        command
    }

    /// Returns a call whose operations below `root` meet a fault.
    pub(crate) fn faulty(
        &self,
        place: &Path,
        root: &Path,
        arguments: &[&str],
        fault: Fault,
    ) -> Command {
        let mut command = Self::bench(place, arguments);
        command
            .env("LD_PRELOAD", &self.shim)
            .env("FAULT_ROOT", root)
            .env("FAULT_AT", fault.at.to_string())
            .env("FAULT_DO", fault.what)
            .env("FAULT_STAYS", u8::from(fault.stays).to_string());
        command
    }

    /// Returns the number of operations of a call below `root`, and what it gave.
    pub(crate) fn count(&self, place: &Path, root: &Path, arguments: &[&str]) -> (usize, Answer) {
        let file = place.join("count");
        let fault = Fault { at: 0, what: "kill", stays: false };
        let mut command = self.faulty(place, root, arguments, fault);
        let answer = answer(command.env("FAULT_COUNT", &file));
        let text = fs::read_to_string(&file).unwrap_or_default();
        (text.trim().parse().unwrap_or(0), answer)
    }

    /// Runs a round for each of `cases`, several at once.
    pub(crate) fn rounds<T: Sync>(
        &self,
        cases: &[T],
        round: impl Fn(&T) -> Result<End, String> + Sync,
    ) -> Tally {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let end = round(case);
                        tally.lock().expect("no round panics").add(end);
                    }
                });
            }
        });
        tally.into_inner().expect("no round panics")
    }
}

/// Runs a command to its end; one that hangs is killed and has the code of that.
pub(crate) fn answer(command: &mut Command) -> Answer {
    let (out, error) = (tempfile::tempfile(), tempfile::tempfile());
    let (out, error) = (out.expect("a file"), error.expect("a file"));
    let mut child = command
        .stdout(out.try_clone().expect("a file"))
        .stderr(error.try_clone().expect("a file"))
        .spawn()
        .expect("bench starts");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().expect("a running child");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    Output { status, stdout: content(out), stderr: content(error) }.into()
}

fn content(mut file: fs::File) -> Vec<u8> {
    use std::io::{Read as _, Seek as _};
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a file");
    bytes
}

/// Runs `bench`, which must end with `code`.
pub(crate) fn must(place: &Path, arguments: &[&str], code: i32) -> Result<Answer, String> {
    let answer = answer(&mut Rig::bench(place, arguments));
    if answer.code == code {
        return Ok(answer);
    }
    let Answer { code: found, stderr, .. } = answer;
    Err(format!("bench {}: exit {found} instead of {code}\n{stderr}", arguments.join(" ")))
}

/// A folder of its own with a copy of everything in `from`.
pub(crate) fn copy_of(from: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(from, folder.path());
    folder
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Returns every file below `folder`, by its path inside.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("it is inside").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Returns the CSV tables of a results folder without what a clock measured.
pub(crate) fn tables(folder: &Path) -> Result<Vec<String>, String> {
    ["trials", "cells", "epochs", "histograms"]
        .iter()
        .map(|name| {
            let path = folder.join("tables").join(name).with_extension("csv");
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(timeless(&text))
        })
        .collect()
}

fn timeless(text: &str) -> String {
    let is_measured = |text: &str| text.contains("seconds") || text.contains("per_second");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().flatten().collect();
    let Some(head) = rows.first().cloned() else { return String::new() };
    let mut plain = String::new();
    for row in rows.iter().filter(|row| !row.iter().any(is_measured) || **row == head) {
        let kept = row.iter().zip(head.iter()).filter(|(_, column)| !is_measured(column));
        plain.push_str(&kept.map(|(value, _)| value).collect::<Vec<_>>().join(","));
        plain.push('\n');
    }
    plain
}

/// Holds the tables of a folder against those of an undisturbed one.
pub(crate) fn same_tables(folder: &Path, expected: &[String]) -> Result<(), String> {
    let found = tables(folder)?;
    match found.iter().zip(expected).position(|(found, expected)| found != expected) {
        None => Ok(()),
        Some(index) => Err(format!(
            "table {index} differs:\n{}\ninstead of\n{}",
            found[index], expected[index]
        )),
    }
}

/// Returns an error unless every finished member has one record, so that nothing was trained twice.
pub(crate) fn trained_once(folder: &Path) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    for path in files(&folder.join("journal")) {
        let text = fs::read(folder.join("journal").join(&path)).map_err(|e| e.to_string())?;
        for line in String::from_utf8_lossy(&text).lines() {
            let Ok(value) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            let member = &value["member"];
            if member["outcome"] == "completed" && !seen.insert(member["id"].to_string()) {
                return Err(format!("member {} was trained twice", member["id"]));
            }
        }
    }
    Ok(())
}

/// A small generator for choices (Steele, Lea and Flood 2014), so that a seed repeats a campaign.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) % bound.max(1) as u64) as usize
    }
}

/// An experiment of the fake engine: ensembles that share members, a member that fails at first and
/// one that fails for good.
pub(crate) const FAKE: &str = r#"
name = "fake"
repeats = 2
seed = 7
[dataset]
source = "synthetic"
[train]
epochs = 2
[trainer]
engine = "fake"
[trainer.fake]
accuracy = 0.9
spread = 0.004
accidents = [
  { kind = "error", repeat = 0, attempts = 1, when = { "augment.rotation" = 10 } },
  { kind = "error", repeat = 1, attempts = 9, when = { "augment.rotation" = 20 } },
]
[[grid]]
[grid.axes]
"augment.rotation" = [0, 10, 20]
"ensemble.size" = [1, 2]
"#;
