//! Processes that cannot see each other: on two views of one folder, whose locks and caches are each
//! its own, and in namespaces where every process has the same number.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::rig::{
    End, FAKE, Fault, Random, Rig, Tally, answer, copy_of, must, same_tables, tables,
};

/// Exit code of the run: one of its members fails for good.
const FAILED: i32 = 3;

/// A view of a folder that remembers what it saw for half a minute, as caches of network file
/// systems do; its locks are its own.
struct View(PathBuf);

impl View {
    fn open(real: &Path, view: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&view).expect("a folder");
        let stale = "attr_timeout=30,entry_timeout=30,negative_timeout=30";
        let mounted = Command::new("bindfs").args(["-o", stale]).arg(real).arg(&view).output();
        match mounted {
            Err(error) => Err(format!("no bindfs: {error}")),
            Ok(output) if !output.status.success() => {
                Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
            }
            Ok(_) => Ok(Self(view)),
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        for program in ["fusermount3", "fusermount"] {
            let ended = Command::new(program).arg("-u").arg(&self.0).stderr(Stdio::null()).status();
            if ended.is_ok_and(|status| status.success()) {
                return;
            }
        }
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Two runs on two views, some of them killed on the way.
pub(crate) fn views(rig: &Rig) -> Result<Tally, String> {
    let text = FAKE.replace("spread = 0.004", "spread = 0.004\nepoch-delay-ms = 30");
    let alone = tempfile::tempdir().expect("a folder");
    fs::write(alone.path().join("fake.toml"), &text).expect("a file");
    must(alone.path(), &["run", "fake.toml", "--out", "out", "--quiet"], FAILED)?;
    let expected = tables(&alone.path().join("out"))?;
    // A machine without FUSE is found out before the rounds.
    let probe = tempfile::tempdir().expect("a folder");
    drop(View::open(alone.path(), probe.path().join("view"))?);
    let seeds: Vec<u64> = (1..=if rig.long { 30 } else { 3 }).collect();
    Ok(rig.rounds(&seeds, |&seed| {
        let about = |problem: String| format!("seed {seed}: {problem}");
        let place = tempfile::tempdir().expect("a folder");
        let real = place.path().join("real");
        fs::create_dir(&real).expect("a folder");
        fs::write(real.join("fake.toml"), &text).expect("a file");
        let mut random = Random(seed);
        {
            let views = ["a", "b"].map(|name| View::open(&real, place.path().join(name)));
            let [a, b] = views;
            let views = [a.map_err(about)?, b.map_err(about)?];
            let run = ["run", "fake.toml", "--out", "out", "--jobs", "2", "--quiet"];
            let mut children = Vec::new();
            for view in &views {
                let mut command = Rig::bench(&view.0, &run);
                let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
                children.push(child.expect("bench starts"));
                std::thread::sleep(Duration::from_millis(random.below(400) as u64));
            }
            let is_killed = seed % 3 == 0;
            if is_killed {
                children[random.below(2)].kill().expect("a running child");
            }
            for child in children {
                let output = child.wait_with_output().expect("an end");
                let code = output.status.code();
                if code != Some(FAILED) && !(is_killed && code.is_none()) {
                    let stderr = String::from_utf8_lossy(&output.stderr);
                    return Err(about(format!("exit {code:?}\n{stderr}")));
                }
            }
        }
        must(&real, &["status", "out"], 0).map_err(about)?;
        let again = must(&real, &["run", "fake.toml", "--out", "out"], FAILED).map_err(about)?;
        if !again.stderr.contains("0 members trained") {
            return Err(about(format!("something was lost\n{}", again.stderr)));
        }
        if real.join("out/damaged.list").exists() {
            return Err(about("journals are damaged".to_owned()));
        }
        same_tables(&real.join("out"), &expected).map_err(about)?;
        Ok(End::Unharmed)
    }))
}

/// Killed twice at the same operation in namespaces of its own, then run in a third.
pub(crate) fn namespaces(rig: &Rig) -> Result<Tally, String> {
    let start = tempfile::tempdir().expect("a folder");
    fs::write(start.path().join("fake.toml"), FAKE).expect("a file");
    let run = ["run", "fake.toml", "--jobs", "1", "--out", "out", "--quiet"];
    let alone = copy_of(start.path());
    let root = alone.path().join("out");
    let (operations, undisturbed) = rig.count(alone.path(), &root, &run);
    if undisturbed.code != FAILED {
        return Err(format!("exit {}\n{}", undisturbed.code, undisturbed.stderr));
    }
    let expected = tables(&root)?;
    let unshare = |command: &Command| {
        let mut inside = Command::new("unshare");
        // The shell stays process 1, so that every run has the same number.
        inside.args(["--pid", "--fork", "--mount-proc", "sh", "-c", "\"$0\" \"$@\"; exit $?"]);
        inside.arg(command.get_program()).args(command.get_args());
        inside.current_dir(command.get_current_dir().expect("a folder"));
        for (name, value) in command.get_envs() {
            match value {
                // The shell itself must not meet the fault.
                Some(value) => drop(inside.env(name, value)),
                None => drop(inside.env_remove(name)),
            }
        }
        inside
    };
    let probe = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return Err("no namespaces of processes here".to_owned());
    }
    let points = rig.points(operations, 12);
    Ok(rig.rounds(&points, |&at| {
        let about = |problem: String| format!("operation {at}: {problem}");
        let place = copy_of(start.path());
        let root = place.path().join("out");
        for _ in 0..2 {
            let fault = Fault { at, what: "kill-after", stays: false };
            answer(&mut unshare(&rig.faulty(place.path(), &root, &run, fault)));
        }
        let last = answer(&mut unshare(&Rig::bench(place.path(), &run)));
        if last.code != FAILED {
            return Err(about(format!("exit {}\n{}", last.code, last.stderr)));
        }
        same_tables(&root, &expected).map_err(about)?;
        Ok(End::Unharmed)
    }))
}
