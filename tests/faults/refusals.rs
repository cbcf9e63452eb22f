//! The operating system refuses: a full disk, an input/output error, half a write, no locks.

use std::fs;

use tempfile::TempDir;

use crate::rig::{
    Answer, End, FAKE, Fault, Rig, Tally, answer, copy_of, must, same_tables, tables,
};

/// Linux numbers of errors.
const EIO: &str = "5";
const EINTR: &str = "4";
const ENOSPC: &str = "28";
const ENOSYS: &str = "38";
const EOPNOTSUPP: &str = "95";
/// Exit code of a machine's fault, of a user's, and of an undisturbed run, one of whose members
/// fails for good.
const MACHINE: i32 = 1;
const FAILED: i32 = 3;

const RUN: [&str; 7] = ["run", "fake.toml", "--jobs", "1", "--out", "out", "--quiet"];

struct Undisturbed {
    start: TempDir,
    operations: usize,
    tables: Vec<String>,
}

impl Undisturbed {
    fn of(rig: &Rig) -> Result<Self, String> {
        let start = tempfile::tempdir().expect("a folder");
        fs::write(start.path().join("fake.toml"), FAKE).expect("a file");
        let place = copy_of(start.path());
        let root = place.path().join("out");
        let (operations, answer) = rig.count(place.path(), &root, &RUN);
        if answer.code != FAILED {
            return Err(format!("exit {}\n{}", answer.code, answer.stderr));
        }
        Ok(Self { start, operations, tables: tables(&root)? })
    }

    /// Runs with a fault, then without; `allowed` are the exit codes of the first.
    fn try_one(&self, rig: &Rig, fault: Fault, allowed: &[i32]) -> Result<End, String> {
        let place = copy_of(self.start.path());
        let root = place.path().join("out");
        let met = answer(&mut rig.faulty(place.path(), &root, &RUN, fault));
        let Answer { code, stderr, .. } = &met;
        if !allowed.contains(code) {
            return Err(format!("{fault:?}: exit {code}, expected one of {allowed:?}\n{stderr}"));
        }
        if *code == MACHINE && !stderr.contains("out") {
            return Err(format!("{fault:?}: no file is named\n{stderr}"));
        }
        must(place.path(), &RUN, FAILED)
            .and_then(|_| same_tables(&root, &self.tables))
            .map_err(|problem| format!("{fault:?}, then without it: {problem}"))?;
        Ok(if *code == FAILED { End::Unharmed } else { End::Refused })
    }

    fn try_all(&self, rig: &Rig, faults: &[(&'static str, bool)], allowed: &[i32]) -> Tally {
        let cases: Vec<Fault> = rig
            .points(self.operations, 10)
            .into_iter()
            .flat_map(|at| faults.iter().map(move |&(what, stays)| Fault { at, what, stays }))
            .collect();
        rig.rounds(&cases, |fault| self.try_one(rig, *fault, allowed))
    }
}

/// The disk is full from an operation on.
pub(crate) fn full_disk(rig: &Rig) -> Result<Tally, String> {
    Ok(Undisturbed::of(rig)?.try_all(rig, &[(ENOSPC, true)], &[MACHINE, FAILED]))
}

/// One operation fails, and all after it.
pub(crate) fn errors(rig: &Rig) -> Result<Tally, String> {
    let faults = [(EIO, false), (EIO, true), (ENOSPC, false)];
    Ok(Undisturbed::of(rig)?.try_all(rig, &faults, &[MACHINE, FAILED]))
}

/// Half of a write or one byte of a read is done, or a signal comes: nothing is to be seen of it.
pub(crate) fn short(rig: &Rig) -> Result<Tally, String> {
    let undisturbed = Undisturbed::of(rig)?;
    Ok(undisturbed.try_all(rig, &[("short", false), (EINTR, false)], &[FAILED]))
}

/// Locks are not known to the file system.
pub(crate) fn no_locks(rig: &Rig) -> Result<Tally, String> {
    let undisturbed = Undisturbed::of(rig)?;
    Ok(rig.rounds(&[ENOSYS, EOPNOTSUPP, "37"], |what| {
        let place = copy_of(undisturbed.start.path());
        let root = place.path().join("out");
        let fault = Fault { at: 1, what, stays: true };
        let mut command = rig.faulty(place.path(), &root, &RUN, fault);
        let met = answer(command.env("FAULT_ON", "flock"));
        if met.code != FAILED {
            return Err(format!("errno {what}: exit {}\n{}", met.code, met.stderr));
        }
        same_tables(&root, &undisturbed.tables)?;
        Ok(End::Unharmed)
    }))
}
