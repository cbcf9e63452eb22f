//! What befalls a run from outside: signals, folders that move, files that break.

use std::fs;

use crate::support::{FAKE, Place, column, slow};

/// Waits until a run that goes on has written so many lines.
fn wait_for_lines(place: &Place, folder: &str, count: usize) {
    while place.journal_lines(folder).len() < count {
        std::thread::yield_now();
    }
}

/// An experiment whose members of repeat 1 fail at so many attempts.
fn accident(attempts: u32) -> String {
    let accident = format!(
        "spread = 0.004\naccidents = [{{ kind = \"error\", repeat = 1, attempts = {attempts} }}]"
    );
    FAKE.replace("spread = 0.004", &accident)
}

#[cfg(target_os = "linux")]
#[test]
fn a_hang_up_stops_a_run_unless_it_was_started_to_survive_it() {
    use std::process::{Command, Stdio};
    let status = fs::read_to_string("/proc/self/status").expect("a process");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
    if ignored.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']) {
        // Started to survive hang-ups itself; no shell can take that back.
        return;
    }
    for (script, code) in [("exec \"$0\" \"$@\"", 130), ("trap '' HUP; exec \"$0\" \"$@\"", 0)] {
        let place = Place::new();
        place.file("slow.toml", slow(40));
        let bench = place.command(&[]);
        let mut command = Command::new("sh");
        let child = command
            .args(["-c", script])
            .arg(bench.get_program())
            .args(["run", "slow.toml", "--quiet"])
            .current_dir(place.path(""))
            .stdout(Stdio::null())
            .spawn();
        let mut child = child.expect("a shell starts");
        wait_for_lines(&place, "results/fake", 4);
        let told = Command::new("kill").args(["-HUP", &child.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
        assert_eq!(child.wait().expect("an end").code(), Some(code), "{script}");
    }
}

#[test]
fn a_failed_member_is_tried_once_more_and_what_was_killed_or_run_again_changes_nothing() {
    let place = Place::new();
    place.file("passing.toml", accident(1));
    let answer = place.bench(&["run", "passing.toml", "--out", "passing"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("failed and is tried again after the others"),
        "{}",
        answer.stderr
    );
    place.file("lasting.toml", accident(2));
    assert_eq!(place.bench(&["run", "lasting.toml", "--out", "undisturbed"]).code, 3);
    // A file where the tables go stops a run at the place where a killed one would be.
    place.file("stopped/tables", "");
    let answer = place.bench(&["run", "lasting.toml", "--out", "stopped"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("cannot write `stopped/tables/"), "{}", answer.stderr);
    fs::remove_file(place.path("stopped/tables")).expect("a file");
    for _ in 0..2 {
        assert_eq!(place.bench(&["run", "lasting.toml", "--out", "stopped"]).code, 3);
        for name in ["trials", "cells"] {
            let of = |folder: &str| place.read(&format!("{folder}/tables/{name}.csv"));
            assert_eq!(of("stopped"), of("undisturbed"), "{name}");
        }
    }
    place.done(&["run", "lasting.toml", "--out", "stopped", "--retry-failed"]);
}

#[cfg(unix)]
#[test]
fn results_that_move_away_during_a_run_are_missed() {
    let place = Place::new();
    place.file("slow.toml", slow(40));
    let mut command = place.command(&["run", "slow.toml", "--quiet"]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().expect("bench starts");
    wait_for_lines(&place, "results/fake", 4);
    fs::rename(place.path("results"), place.path("moved")).expect("a folder");
    let output = child.wait_with_output().expect("an end");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("was removed or moved while the run went on"), "{stderr}");
}

#[test]
fn members_are_taken_over_from_siblings_however_the_folder_is_named() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--set", "name=other", "--out", "a"]);
    for out in ["b", "./c", "./d/./"] {
        let answer = place.bench(&["run", "fake.toml", "--out", out]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        assert!(answer.stderr.contains("18 members taken over from"), "{out}: {}", answer.stderr);
        assert!(answer.stderr.contains("0 members trained"), "{out}: {}", answer.stderr);
    }
}

#[test]
fn damaged_weights_are_trained_again_where_weights_are_wanted() {
    let place = Place::new();
    place.file(
        "linear.toml",
        "name = \"linear\"\nrepeats = 2\nsave-weights = true\n[dataset]\nsource = \"digits\"\n\
         [model]\npreset = \"logistic\"\n[train]\nepochs = 1\n",
    );
    place.done(&["run", "linear.toml", "--quiet"]);
    let file = fs::read_dir(place.path("results/linear/weights")).expect("weights");
    let file = file.map(|entry| entry.expect("an entry").path()).next().expect("a file");
    let sound = fs::read(&file).expect("weights");
    fs::write(&file, &sound[..sound.len() - 1]).expect("a file");
    let answer = place.bench(&["run", "linear.toml"]);
    assert!(answer.stderr.contains("its weights are gone"), "{}", answer.stderr);
    assert!(answer.stderr.contains("1 member trained"), "{}", answer.stderr);
    assert_eq!(fs::read(&file).expect("weights"), sound);
}

#[test]
fn predictions_that_are_lost_after_scoring_are_trained_again_and_the_run_says_so() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    let before = place.read("results/fake/tables/trials.csv");
    let file = fs::read_dir(place.path("results/fake/predictions")).expect("predictions");
    let file = file.map(|entry| entry.expect("an entry").path()).next().expect("a file");
    let sound = fs::read(&file).expect("predictions");
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 16;
    for (content, count, said) in [
        (Some(flipped), 1, "its predictions are gone: "),
        (Some(sound[..sound.len() - 1].to_vec()), 1, "ends after"),
        (None, 16, "cannot read"),
    ] {
        match content {
            Some(content) => fs::write(&file, content).expect("a file"),
            None => fs::remove_file(&file).expect("a file"),
        }
        let answer = place.bench(&["run", "fake.toml"]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        let told = format!("{count} of them again because their stored files were lost");
        assert!(answer.stderr.contains(&told), "{}", answer.stderr);
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
        assert_eq!(place.read("results/fake/tables/trials.csv"), before);
        let again = place.bench(&["run", "fake.toml"]);
        assert!(again.stderr.contains("0 members trained, 18 reused"), "{}", again.stderr);
    }
}

#[test]
fn a_killed_escalation_leaves_nothing_that_a_check_judges_by() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    let tables = |name: &str| place.read(&format!("results/fake/tables/{name}.csv"));
    let (cells, report) = (tables("cells"), place.read("results/fake/report.md"));
    // As left by a run that was killed between its last trial and its tables.
    place.file("results/fake/tables/cells.csv", "stale");
    place.file("results/fake/report.md", "stale");
    place.bench(&["check", "results/fake", "--baseline", "baseline.json"]);
    assert_eq!(tables("cells"), cells);
    assert_eq!(place.read("results/fake/report.md"), report);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_has_one_exit_code_in_every_phase() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    let full = |arguments: &[&str]| {
        let output = place.command(arguments).stdout(crate::streams::full()).output();
        output.expect("bench starts").status.code()
    };
    place.done(&["run", "fake.toml", "--quiet"]);
    assert_eq!(full(&["report", "results/fake"]), Some(1));
    let answer = place.bench(&["baseline", "results/fake", "--output", "/dev/full"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(answer.stderr.contains("hint: the disk is full"), "{}", answer.stderr);
}

#[test]
fn a_file_in_the_place_of_the_charts_is_named() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.file("results/fake/charts", "");
    let answer = place.bench(&["run", "fake.toml"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("cannot write `results/fake/charts/"), "{}", answer.stderr);
}

#[test]
fn repeats_that_nobody_asks_for_any_more_are_not_forgotten_silently() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    let first = place.bench(&["run", "fake.toml"]);
    assert!(!first.stderr.contains("warning"), "{}", first.stderr);
    let fewer = place.bench(&["run", "fake.toml", "--set", "repeats=1"]);
    assert_eq!(fewer.code, 0, "{}", fewer.stderr);
    assert!(
        fewer.stderr.contains("12 trials in the journal are repeats beyond those planned"),
        "{}",
        fewer.stderr
    );
    let cells = place.read("results/fake/tables/cells.csv");
    assert_eq!(column(&cells, "n_trials"), ["1"; 6]);
}

#[test]
fn an_immense_width_is_no_reason_to_wait() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    let wide = |columns: &str| {
        let call = place.command(&["report", "results/fake"]).env("COLUMNS", columns).output();
        call.expect("bench starts").stdout
    };
    assert_eq!(wide("18446744073709551615"), wide("1000"));
}
