//! The memory of one program, held by a control group of Linux where this process may make one.
//!
//! The group stands below the one of this process. Version 2 lets a group have children with limits
//! only while it holds no process itself, so this process moves into a child of its own if it is alone
//! there, as `systemd-run --user --scope -p Delegate=yes` has it; else there are no groups. Version 1
//! knows no such rule. Of what a program starts in its first moment a part may stay outside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Looks at whether the group is empty, before it is left to the system.
const LOOKS: usize = 100;

/// Where groups can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Home {
    folder: PathBuf,
    is_unified: bool,
}

/// Files of one version of groups.
struct Files {
    limit: &'static str,
    swap: &'static str,
    /// What swap may take where the limit is this.
    swap_limit: fn(u64) -> u64,
    events: &'static str,
}

impl Home {
    fn files(&self) -> Files {
        if self.is_unified {
            let swap_limit = |_| 0;
            Files {
                limit: "memory.max",
                swap: "memory.swap.max",
                swap_limit,
                events: "memory.events",
            }
        } else {
            Files {
                limit: "memory.limit_in_bytes",
                swap: "memory.memsw.limit_in_bytes",
                // Memory and swap together.
                swap_limit: |bytes| bytes,
                events: "memory.oom_control",
            }
        }
    }
}

/// Returns where this process stands among groups that limit memory, going by what the system says of
/// it, `/proc/self/cgroup`, and where it shows groups.
fn home(cgroups: &str, root: &Path) -> Option<Home> {
    let path_of = |is_wanted: &dyn Fn(&str) -> bool| {
        cgroups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            is_wanted(controllers).then(|| path.trim_start_matches('/'))
        })
    };
    // In a container the path may be one of the world outside.
    let below = |root: &Path, path: &str, file: &str| {
        [root.join(path), root.to_owned()].into_iter().find(|folder| folder.join(file).is_file())
    };
    let has_memory = |controllers: &str| controllers.split(',').any(|name| name == "memory");
    if let Some(path) = path_of(&has_memory) {
        let folder = below(&root.join("memory"), path, "memory.limit_in_bytes")?;
        return Some(Home { folder, is_unified: false });
    }
    let path = path_of(&|controllers| controllers.is_empty())?;
    let folder = below(root, path, "cgroup.controllers")?;
    let controllers = fs::read_to_string(folder.join("cgroup.controllers")).ok()?;
    let is_there = controllers.split_whitespace().any(|name| name == "memory");
    is_there.then_some(Home { folder, is_unified: true })
}

fn own() -> Option<Home> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
    home(&cgroups, Path::new("/sys/fs/cgroup"))
}

/// Returns the memory that this process and its children may take together, where a group says so.
pub(crate) fn memory_limit() -> Option<u64> {
    let home = own()?;
    let text = fs::read_to_string(home.folder.join(home.files().limit)).ok()?;
    text.trim().parse().ok()
}

/// Returns where groups are made, prepared once.
fn prepared() -> Option<&'static Home> {
    static HOME: OnceLock<Option<Home>> = OnceLock::new();
    let prepare = || {
        let home = own()?;
        if home.is_unified {
            let file = home.folder.join("cgroup.subtree_control");
            if tell(&file, "+memory").is_err() {
                let number = std::process::id().to_string();
                let processes = fs::read_to_string(home.folder.join("cgroup.procs")).ok()?;
                if processes.trim() != number {
                    return None;
                }
                let inner = home.folder.join("bench");
                fs::create_dir_all(&inner).ok()?;
                tell(&inner.join("cgroup.procs"), &number).ok()?;
                tell(&file, "+memory").ok()?;
            }
        }
        Some(home)
    };
    HOME.get_or_init(prepare).as_ref()
}

/// Writes a word into a file of the system.
fn tell(file: &Path, word: &str) -> io::Result<()> {
    use std::io::Write as _;
    fs::OpenOptions::new().write(true).open(file)?.write_all(word.as_bytes())
}

/// The group of one program; what is left in it is killed when it is dropped.
pub(super) struct Group {
    folder: PathBuf,
    events: &'static str,
}

impl Group {
    /// Makes a group that may take so many bytes and holds `process`; nothing where the system refuses.
    pub(super) fn of(process: Pid, bytes: u64) -> Option<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let home = prepared()?;
        let files = home.files();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = home.folder.join(format!("bench-{}-{number}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        let group = Self { folder, events: files.events };
        tell(&group.folder.join(files.limit), &bytes.to_string()).ok()?;
        // Not every system counts swap.
        let _ = tell(&group.folder.join(files.swap), &(files.swap_limit)(bytes).to_string());
        let number = process.as_raw_nonzero().to_string();
        tell(&group.folder.join("cgroup.procs"), &number).ok()?;
        Some(group)
    }

    /// Returns whether the system killed a process of it for want of memory.
    pub(super) fn has_overrun(&self) -> bool {
        let text = fs::read_to_string(self.folder.join(self.events)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.is_some_and(|count| count.trim() != "0")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..LOOKS {
            let left = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
            for number in left.lines().filter_map(|line| line.parse().ok()) {
                if let Some(process) = Pid::from_raw(number) {
                    let _ = kill_process(process, Signal::KILL);
                }
            }
            if fs::remove_dir(&self.folder).is_ok() || !self.folder.exists() {
                return;
            }
            // The system takes a moment to end what was killed.
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set files up by themselves")]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_a_process_is_found_in_both_versions_and_inside_containers() {
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        put("memory/a/b/memory.limit_in_bytes", "9\n");
        put("memory/memory.limit_in_bytes", "9\n");
        put("user/x/cgroup.controllers", "cpu memory pids\n");
        put("user/y/cgroup.controllers", "cpu pids\n");
        let found = |text: &str| {
            let home = home(text, root.path())?;
            let inside = home.folder.strip_prefix(root.path()).unwrap().to_owned();
            Some((inside.to_string_lossy().into_owned(), home.is_unified))
        };
        // cgroups(7): hierarchy-ID:controller-list:cgroup-path.
        let first = |path: &str| Some((path.to_owned(), false));
        assert_eq!(found("4:cpu,memory:/a/b\n0::/\n"), first("memory/a/b"));
        assert_eq!(found("4:memory:/outside/of/it\n0::/\n"), first("memory"));
        assert_eq!(found("0::/user/x\n"), Some(("user/x".to_owned(), true)));
        assert_eq!(found("0::/user/y\n"), None);
        assert_eq!(found(""), None);
    }
}
