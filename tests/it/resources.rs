//! `trainer.resources`: no more programs run at once than the machine has room for.
#![cfg(unix)]

use std::fs;

use crate::programs::script;
use crate::support::{Place, column};

const EXPERIMENT: &str = r#"
name = "room"
repeats = 6
[trainer]
engine = "command"
command = ["./train.sh"]
[metrics.test-accuracy]
unit = "fraction"
direction = "maximize"
"#;

/// Takes a place that only one program may hold; fails if another holds it.
const ALONE: &str = "#!/bin/sh\nmkdir \"held$CUDA_VISIBLE_DEVICES\" || exit 9\nsleep 0.05\n\
    rmdir \"held$CUDA_VISIBLE_DEVICES\"\necho test-accuracy: 0.5\n";

fn room(text: &str) -> Place {
    let place = Place::new();
    place.file("room.toml", EXPERIMENT);
    script(&place, "train.sh", text);
    place
}

/// Runs with `resources`, six at once if it may; nothing is tried again.
fn run(place: &Place, resources: &str, more: &[&str]) -> crate::support::Answer {
    let set = format!("trainer.resources={resources}");
    let mut arguments = vec!["run", "room.toml", "--jobs", "6", "--retries", "0", "--set", &set];
    arguments.extend(more);
    place.bench(&arguments)
}

#[test]
fn no_more_programs_run_at_once_than_there_are_cores() {
    let place = room(ALONE);
    let cores = std::thread::available_parallelism().expect("cores");
    let answer = run(&place, &format!("{{ cores = {cores} }}"), &[]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let note = "note: 1 program at once, as `trainer.resources.cores` and this machine allow";
    assert!(answer.stderr.contains(note), "{}", answer.stderr);
}

#[test]
fn no_more_programs_run_at_once_than_memory_allows() {
    let place = room(ALONE);
    let facts = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = facts.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let total = total.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let Some(kib) = total else { return };
    let answer = run(&place, &format!("{{ memory = \"{} KiB\" }}", kib / 2 + 1024), &[]);
    // Where a group leaves less than this, it is asked for too much.
    if answer.code == 0 {
        let note = "`trainer.resources.memory` and this machine allow";
        assert!(answer.stderr.contains(note), "{}", answer.stderr);
    } else {
        assert!(answer.stderr.contains("`trainer.resources.memory` is"), "{}", answer.stderr);
    }
}

#[test]
fn a_program_is_told_of_gpus_that_no_other_program_has() {
    let place = room(ALONE);
    let mut command = place.command(&[
        "run",
        "room.toml",
        "--jobs",
        "6",
        "--retries",
        "0",
        "--set",
        "trainer.resources={ gpus = 1 }",
    ]);
    let output = command.env("CUDA_VISIBLE_DEVICES", "3,GPU-x").output().expect("bench starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trials = place.read("results/room/tables/trials.csv");
    assert_eq!(column(&trials, "outcome"), ["completed"; 6]);
}

#[test]
fn a_program_that_needs_more_than_there_is_is_not_started() {
    let place = room(ALONE);
    for (resources, said) in [
        ("{ cores = 100000 }", "`trainer.resources.cores` is 100000, and this machine has"),
        ("{ gpus = 99 }", "`trainer.resources.gpus` is 99, and this machine has"),
        ("{ memory = \"100 TiB\" }", "`trainer.resources.memory` is 100 TiB, and this machine has"),
    ] {
        let answer = run(&place, resources, &[]);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
    }
}

#[test]
fn what_is_asked_of_the_machine_is_no_part_of_a_trial_but_for_gpus() {
    let place = room("#!/bin/sh\necho test-accuracy: 0.5\n");
    place.done(&["run", "room.toml"]);
    let again = run(&place, "{ cores = 1, memory = \"64 MiB\" }", &[]);
    assert!(again.stderr.contains("0 members trained, 6 reused"), "{}", again.stderr);
    let other = run(&place, "{ gpus = 0 }", &[]);
    assert!(other.stderr.contains("6 members trained"), "{}", other.stderr);
}

#[test]
fn resources_that_mean_nothing_are_refused_with_what_is_expected() {
    let place = room(ALONE);
    for (resources, said) in [
        ("{ memory = \"2 gigs\" }", "expected text such as \"2 GiB\" or \"500 MB\""),
        ("{ cores = 0 }", "expected a whole number from 1"),
        ("{ coers = 1 }", "cores"),
    ] {
        let answer = run(&place, resources, &[]);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
    }
    let twice = run(
        &place,
        "{ gpus = 0 }",
        &["--set", "trainer.environment={ CUDA_VISIBLE_DEVICES = \"0\" }"],
    );
    assert_eq!(twice.code, 2, "{}", twice.stderr);
    assert!(twice.stderr.contains("which `trainer.environment` sets"), "{}", twice.stderr);
}

#[test]
fn a_program_that_takes_more_memory_than_it_said_is_ended_where_groups_can_be_made() {
    // `tail` keeps a line without an end.
    let place = room(
        "#!/bin/sh\nhead -c 300000000 /dev/zero | tail -n 1 | wc -c\necho test-accuracy: 0.5\n",
    );
    let answer = run(&place, "{ memory = \"64 MiB\" }", &["--set", "repeats=1"]);
    let trials = place.read("results/room/tables/trials.csv");
    if column(&trials, "outcome") == ["completed"] {
        eprintln!("skipped: this system lets nobody make memory groups");
        return;
    }
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    let reason = &column(&trials, "reason")[0];
    let said = "took more memory than `trainer.resources.memory`, 64 MiB, and was killed";
    assert!(reason.contains(said), "{reason}");
}
