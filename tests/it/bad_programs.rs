//! Whatever a program does, it is one trial that failed: the grid goes on, and nothing of it is left.
#![cfg(unix)]

use std::fs;

use crate::programs::script;
use crate::support::{Place, column};

/// An experiment of two cells: a script that does what it is told, and one that does well.
const EXPERIMENT: &str = r#"
name = "bad"
repeats = 1
[trainer]
engine = "command"
command = ["./train.sh", "{hyperparameters.does}"]
time-limit = 20
grace = 0.2
[hyperparameters]
does = "well"
[metrics.test-accuracy]
unit = "fraction"
direction = "maximize"
[grid.axes]
"hyperparameters.does" = ["badly", "well"]
"#;

/// What came of the script that does badly.
struct Lost {
    outcome: String,
    reason: String,
    code: i32,
    stderr: String,
    place: Place,
}

/// Runs both cells; the first does `badly`, with `more` arguments.
fn run(badly: &str, more: &[&str]) -> Lost {
    let place = Place::new();
    place.file("bad.toml", EXPERIMENT);
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = badly ]; then\n{badly}\nelse\necho test-accuracy: 0.9\nfi\n"
    );
    script(&place, "train.sh", &text);
    let mut arguments = vec!["run", "bad.toml", "--quiet", "--retries", "0"];
    arguments.extend(more);
    let answer = place.bench(&arguments);
    let trials = place.read("results/bad/tables/trials.csv");
    let of = |name: &str| column(&trials, name);
    assert_eq!(of("outcome")[1], "completed", "the grid goes on: {}", answer.stderr);
    assert_eq!(survivors(&place), Vec::<String>::new(), "{badly}");
    Lost {
        outcome: of("outcome")[0].clone(),
        reason: of("reason")[0].clone(),
        code: answer.code,
        stderr: answer.stderr,
        place,
    }
}

/// Returns the processes that a program of this place has left.
fn survivors(place: &Place) -> Vec<String> {
    let folder = fs::canonicalize(place.path("")).expect("a folder");
    let marks = [place.path(""), folder].map(|path| format!("BENCH_TRIAL={}", path.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        if marks.iter().any(|mark| environment.contains(mark.trim_end_matches('/'))) {
            found.push(fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default());
        }
    }
    found
}

impl Lost {
    /// Returns the only file of this name in the folders of attempts.
    fn kept(&self, name: &str) -> Vec<u8> {
        let attempts = fs::read_dir(self.place.path("results/bad/attempts")).expect("a folder");
        let found: Vec<Vec<u8>> = attempts
            .filter_map(|entry| fs::read(entry.expect("an entry").path().join(name)).ok())
            .collect();
        assert_eq!(found.len(), 1, "{name}");
        found.into_iter().next().expect("one file")
    }

    fn expect(&self, outcome: &str, reason: &str) {
        assert_eq!((self.outcome.as_str(), self.code), (outcome, 3), "{}", self.stderr);
        assert!(self.reason.contains(reason), "{}", self.reason);
    }
}

#[test]
fn a_crash_is_a_failed_trial_with_its_last_words() {
    let lost = run("echo first >&2; echo 'ValueError: bad lr' >&2; exit 7", &[]);
    lost.expect("failed", "`train.sh` ended with exit status 7: ValueError: bad lr");
    assert!(lost.reason.contains("attempts/"), "{}", lost.reason);
    assert_eq!(lost.kept("stderr.txt"), b"first\nValueError: bad lr\n");
}

#[test]
fn a_program_that_is_killed_is_told_so() {
    run("kill -9 $$", &[]).expect("failed", "was killed by signal 9");
    run("kill -11 $$", &[]).expect("failed", "was killed by signal 11");
}

#[test]
fn a_program_that_hangs_is_ended_when_its_time_is_over() {
    let lost = run("echo waiting >&2; sleep 1000", &["--set", "trainer.time-limit=0.3"]);
    lost.expect("timed-out", "longer than `trainer.time-limit`, 0.3 s");
    assert_eq!(lost.kept("stderr.txt"), b"waiting\n");
}

#[test]
fn a_program_that_hears_no_signal_is_killed() {
    let badly = "trap '' TERM HUP INT; while true; do sleep 1000; done";
    let lost = run(badly, &["--set", "trainer.time-limit=\"300ms\""]);
    lost.expect("timed-out", "0.3 s and was killed");
    let stopped = run("kill -STOP $$", &["--set", "trainer.time-limit=0.3"]);
    assert_eq!(stopped.outcome, "timed-out");
}

#[test]
fn children_that_are_left_behind_are_ended() {
    // In the group, in the background with the pipes open; and in a session of their own.
    for badly in [
        "sleep 1000 & sleep 1000 & echo test-accuracy: 0.5; exit 0",
        "(setsid sleep 1000 &) ; (setsid sh -c 'sleep 1000 & sleep 1000' &) ; sleep 0.1; echo \
         test-accuracy: 0.5; exit 0",
        "(trap '' TERM; setsid nohup sh -c 'sleep 1000; sleep 1000' >/dev/null 2>&1 &)\nsleep 0.1\n\
         echo test-accuracy: 0.5",
    ] {
        let ended = run(badly, &[]);
        assert_eq!((ended.outcome.as_str(), ended.code), ("completed", 0), "{}", ended.stderr);
    }
    run("(setsid sleep 1000 &); sleep 0.1; exit 3", &[]).expect("failed", "exit status 3");
}

#[test]
fn garbage_half_a_line_and_wrong_metrics_are_failed_trials() {
    for (badly, reason) in [
        (":", "did not print `test-accuracy`"),
        ("echo hello; echo world", "did not print `test-accuracy`"),
        ("printf 'test-accuracy: '", "line 1 is `test-accuracy:`"),
        ("printf '{\"final\": {\"test-accuracy\": 0.'", "begins like a JSON object and is none"),
        ("echo accuracy: 0.9", "it printed `accuracy`, which `[metrics]` does not declare"),
        ("echo test-accuracy: 98.2", "declare `unit = \"percent\"`"),
        ("echo '{\"test-accuracy\": 0.5, \"test-accuracy\": 0.6}'", "has `test-accuracy` twice"),
        ("head -c 300000 /dev/urandom; head -c 3000000 /dev/zero", "did not print"),
        ("mkdir \"$BENCH_RESULTS\"", "the results file cannot be read: it is no regular file"),
    ] {
        run(badly, &[]).expect("failed", reason);
    }
}

#[test]
fn a_number_that_is_not_finite_is_a_diverged_trial() {
    for badly in ["echo test-accuracy: nan", "echo '{\"test-accuracy\": NaN}'"] {
        let lost = run(badly, &[]);
        assert_eq!(lost.outcome, "diverged", "{}", lost.stderr);
        assert!(lost.reason.contains("`test-accuracy` is NaN"), "{}", lost.reason);
    }
}

#[test]
fn endless_output_ends_the_program_and_what_is_kept_is_bounded() {
    let lost =
        run("yes \"$(printf '%4000s' words)\" | head -c 1000000000; echo test-accuracy: 0.5", &[]);
    lost.expect("failed", "wrote more than 256 MiB to standard output");
    assert!(lost.kept("stdout.txt").len() < 70_000);
    let noisy = run("head -c 50000000 /dev/zero | tr '\\0' x >&2; exit 1", &[]);
    noisy.expect("failed", "exit status 1");
    let kept = noisy.kept("stderr.txt");
    assert!(kept.len() < 70_000 && String::from_utf8_lossy(&kept).contains("bytes left out"));
}

#[test]
fn a_program_has_no_terminal_and_nothing_to_read() {
    let lost = run("read answer || echo no input >&2; read answer < /dev/tty; exit 4", &[]);
    lost.expect("failed", "exit status 4");
    assert!(lost.kept("stderr.txt").starts_with(b"no input\n"));
}

#[test]
fn a_program_that_cannot_be_started_says_why() {
    let place = Place::new();
    place.file("bad.toml", EXPERIMENT);
    place.file("train.sh", "#!/bin/sh\necho test-accuracy: 0.5\n");
    let reasons = |place: &Place| {
        let answer = place.bench(&["run", "bad.toml", "--quiet"]);
        assert_eq!(answer.code, 3, "{}", answer.stderr);
        column(&place.read("results/bad/tables/trials.csv"), "reason")
    };
    assert!(reasons(&place)[0].contains("it is not executable; try `chmod +x`"));
    script(&place, "train.sh", "#!/no/such/interpreter\n");
    assert!(reasons(&place)[0].contains("its interpreter is missing"));
    script(&place, "train.sh", "no script, no binary\n");
    assert!(reasons(&place)[0].contains("`train.sh`"), "{:?}", reasons(&place));
    place.file("bad.toml", EXPERIMENT.replace("./train.sh", "no-such-program"));
    let answer = place.bench(&["run", "bad.toml"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("there is no program `no-such-program`"), "{}", answer.stderr);
}

#[test]
fn a_failing_trial_is_tried_as_often_as_asked() {
    let place = Place::new();
    place.file("bad.toml", EXPERIMENT);
    script(
        &place,
        "train.sh",
        "#!/bin/sh\necho call >> calls-$1\n[ $1 = well ] || [ $(wc -l < calls-$1) -gt 3 ] || exit 1\n\
         echo test-accuracy: 0.5\n",
    );
    let calls = || place.read("calls-badly").lines().count();
    assert_eq!(place.bench(&["run", "bad.toml", "--retries", "0", "--out", "none"]).code, 3);
    assert_eq!(calls(), 1);
    fs::remove_file(place.path("calls-badly")).expect("a file");
    assert_eq!(place.bench(&["run", "bad.toml", "--retries", "3", "--out", "three"]).code, 0);
    assert_eq!(calls(), 4);
}

#[test]
fn fail_fast_stops_at_the_first_failed_trial() {
    let place = Place::new();
    place.file("bad.toml", EXPERIMENT.replace("repeats = 1", "repeats = 9"));
    script(&place, "train.sh", "#!/bin/sh\n[ $1 = well ] || exit 1\necho test-accuracy: 0.5\n");
    let arguments = ["run", "bad.toml", "--fail-fast", "--retries", "0", "--jobs", "1"];
    let answer = place.bench(&arguments);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("stops the run (`--fail-fast`); 17 trials"),
        "{}",
        answer.stderr
    );
    let trials = place.read("results/bad/tables/trials.csv");
    assert_eq!(column(&trials, "outcome"), ["failed"]);
}

#[test]
fn a_stopped_run_ends_its_programs_and_goes_on_later() {
    let place = Place::new();
    place.file("bad.toml", EXPERIMENT);
    let text = "#!/bin/sh\nif [ -e go ]; then echo test-accuracy: 0.5; exit; fi\n\
                echo call >> started; sleep 1000\n";
    script(&place, "train.sh", text);
    let child = place
        .command(&["run", "bad.toml"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("bench starts");
    while !place.path("started").exists() {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    let killed = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(killed.expect("kill runs").success());
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(survivors(&place), Vec::<String>::new());
    place.file("go", "");
    place.done(&["run", "bad.toml"]);
}
