//! What a trial reads: `bench run --trace-inputs`.
//!
//! One trial is run under `strace`, which tells of every file that it or what it starts opens. Reading needs
//! no cooperation of the program; what it maps through other processes, such as a database's, is not seen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Looks at one trial of a run.
pub(super) struct Tracing {
    /// The program that traces.
    strace: PathBuf,
    is_begun: AtomicBool,
    found: Mutex<Option<BTreeSet<PathBuf>>>,
}

impl Tracing {
    pub(super) fn new(strace: PathBuf) -> Self {
        Self { strace, is_begun: AtomicBool::new(false), found: Mutex::default() }
    }

    /// Returns the call that traces this one, if it is the first, to be told into `file`.
    pub(super) fn wrap(&self, words: &[String], file: &Path) -> Option<Vec<String>> {
        if self.is_begun.swap(true, Ordering::Relaxed) {
            return None;
        }
        let strace = self.strace.to_string_lossy().into_owned();
        let options = ["-f", "-qq", "-y", "-s", "4096", "-e", "trace=open,openat,openat2", "-o"];
        let mut call = vec![strace];
        call.extend(options.map(str::to_owned));
        call.extend([file.to_string_lossy().into_owned(), "--".to_owned()]);
        call.extend(words.iter().cloned());
        Some(call)
    }

    /// Hears what was told of a trial, which is removed.
    pub(super) fn hear(&self, file: &Path) {
        let text = std::fs::read(file).unwrap_or_default();
        let _ = std::fs::remove_file(file);
        let found = opened(&String::from_utf8_lossy(&text));
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// Returns the files that the trial read; nothing where none was traced.
    pub(super) fn found(&self) -> Option<BTreeSet<PathBuf>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns the regular files that a trace says were opened to be read.
fn opened(trace: &str) -> BTreeSet<PathBuf> {
    let path = |line: &str| {
        let is_read = line.contains("O_RDONLY") || line.contains("O_RDWR");
        let (_, result) = line.rsplit_once(" = ")?;
        // A number of a descriptor and, thanks to `-y`, what it leads to.
        let (number, path) = result.trim_end().strip_suffix('>')?.split_once('<')?;
        number.parse::<u32>().ok().filter(|_| is_read)?;
        let path = PathBuf::from(path);
        let is_of_system = ["/proc", "/sys", "/dev"].iter().any(|below| path.starts_with(below));
        (path.is_absolute() && !is_of_system && path.is_file()).then_some(path)
    };
    trace.lines().filter_map(path).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set files up by themselves")]
mod tests {
    use super::*;

    #[test]
    fn files_that_were_opened_to_be_read_are_found_in_a_trace() {
        let place = tempfile::tempdir().unwrap();
        let here = place.path().to_string_lossy().into_owned();
        for name in ["read.txt", "written.txt", "both = 3.txt", "missing.txt"] {
            std::fs::write(place.path().join(name), "").unwrap();
        }
        let trace = format!(
            "71 openat(AT_FDCWD</x>, \"read.txt\", O_RDONLY|O_CLOEXEC) = 3<{here}/read.txt>\n\
             71 openat(AT_FDCWD</x>, \"w\", O_WRONLY|O_CREAT, 0666) = 4<{here}/written.txt>\n\
             72 open(\"b\", O_RDWR) = 5<{here}/both = 3.txt>\n\
             72 openat(AT_FDCWD</x>, \"m\", O_RDONLY) = -1 ENOENT (No such file or directory)\n\
             72 openat(AT_FDCWD</x>, \".\", O_RDONLY|O_DIRECTORY) = 3<{here}>\n\
             72 openat(AT_FDCWD</x>, \"/dev/null\", O_RDONLY) = 3</dev/null>\n\
             72 +++ exited with 0 +++\n"
        );
        let found: Vec<String> = opened(&trace)
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        // ` = ` in a name is taken for the last one: such a file is missed, not mistaken.
        assert_eq!(found, ["read.txt"]);
    }

    #[test]
    fn one_trial_of_a_run_is_traced() {
        let tracing = Tracing::new("/usr/bin/strace".into());
        let words = ["python3".to_owned(), "-f".to_owned()];
        let call = tracing.wrap(&words, Path::new("/t")).unwrap();
        assert_eq!(call[0], "/usr/bin/strace");
        assert_eq!(call[call.len() - 4..], ["/t", "--", "python3", "-f"]);
        assert_eq!(tracing.wrap(&words, Path::new("/t")), None);
    }
}
