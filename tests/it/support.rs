//! A place to run `bench` in, away from the user's folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// An experiment of the fake engine: six cells, three repeats, no images to load.
pub(crate) const FAKE: &str = r#"
name = "fake"
question = "Does the harness work?"
repeats = 3
seed = 7

[dataset]
source = "synthetic"

[train]
epochs = 4

[trainer]
engine = "fake"
[trainer.fake]
accuracy = 0.9
spread = 0.004
effects = { "augment.rotation" = -0.001 }

[[grid]]
[grid.axes]
"augment.rotation" = [0, 10, 20]
"augment.shift" = [0.0, 0.1]

[report]
rows = "augment.shift"
columns = "augment.rotation"
"#;

/// [`FAKE`] with epochs that take so many milliseconds.
pub(crate) fn slow(delay: u32) -> String {
    FAKE.replace("spread = 0.004", &format!("spread = 0.004\nepoch-delay-ms = {delay}"))
}

/// A folder of its own for one test.
pub(crate) struct Place {
    folder: TempDir,
}

/// What one call of `bench` gave.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and returns its name.
    pub(crate) fn file<'n>(&self, name: &'n str, content: impl AsRef<[u8]>) -> &'n str {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
        name
    }

    /// Copies a folder with everything below it.
    pub(crate) fn copy(&self, from: &Path, to: &str) {
        for entry in fs::read_dir(from).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = format!("{to}/{}", path.file_name().expect("a name").to_string_lossy());
            if path.is_dir() {
                self.copy(&path, &name);
            } else {
                self.file(&name, fs::read(&path).expect("a file"));
            }
        }
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns the journals of a results folder, in the order of their names.
    pub(crate) fn journals(&self, folder: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(folder).join("journal"));
        let mut paths: Vec<PathBuf> =
            entries.into_iter().flatten().map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    }

    /// Returns the lines of all journals of a results folder, torn ones left out.
    pub(crate) fn journal_lines(&self, folder: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for path in self.journals(folder) {
            let text = fs::read_to_string(path).unwrap_or_default();
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            lines.extend(whole.lines().map(str::to_owned));
        }
        lines
    }

    /// Returns the only journal of a results folder, below the place.
    pub(crate) fn journal(&self, folder: &str) -> String {
        let [path] = &self.journals(folder)[..] else { panic!("one journal in {folder}") };
        let name = path.file_name().expect("a name").to_string_lossy();
        format!("{folder}/journal/{name}")
    }

    /// Returns a call of `bench` in this folder that sees none of the user's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("BENCH_DATA_DIR")
            .env_remove("GRIDBENCH_PACK")
            .env_remove("NO_COLOR")
            .env_remove("RUST_BACKTRACE")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("COLUMNS", "100");
        command
    }

    pub(crate) fn bench(&self, arguments: &[&str]) -> Answer {
        self.command(arguments).output().expect("bench starts").into()
    }

    /// Calls `bench`, which must end well, and returns its standard output.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let answer = self.bench(arguments);
        assert_eq!(answer.code, 0, "bench {arguments:?}\n{}", answer.stderr);
        answer.stdout
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Returns the root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns a column of a CSV table.
pub(crate) fn column(table: &str, name: &str) -> Vec<String> {
    let mut lines = table.lines();
    let head = lines.next().expect("a head");
    let index = head
        .split(',')
        .position(|column| column == name)
        .unwrap_or_else(|| panic!("no column `{name}` in {head}"));
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    reader.records().map(|row| row.expect("a row")[index].to_owned()).collect()
}
