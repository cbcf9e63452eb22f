//! Standard output and error that nobody reads or that take nothing: the work and its exit code
//! stay what they are. Files that a person named are what they were.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::support::{Answer, FAKE, Place, slow};

/// Starts a call whose standard output or error has no reader.
fn without_reader(mut command: Command, of_stderr: bool) -> Answer {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bench starts");
    if of_stderr {
        drop(child.stderr.take());
    } else {
        drop(child.stdout.take());
    }
    child.wait_with_output().expect("an end").into()
}

pub(crate) fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("a full device").into()
}

/// A place with a baseline and a candidate that regressed.
fn regressed() -> Place {
    let place = Place::new();
    let with = |accuracy: &str| {
        FAKE.replace("repeats = 3", "repeats = 10").replace("accuracy = 0.9", accuracy)
            + "\n[check]\ntolerance = 1.0\n"
    };
    place.file("fake.toml", with("accuracy = 0.9"));
    place.done(&["run", "fake.toml", "--quiet"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    place.file("worse.toml", with("accuracy = 0.88"));
    place.done(&["run", "worse.toml", "--out", "worse", "--quiet"]);
    place
}

#[test]
fn a_closed_standard_error_is_no_failure_of_a_trial() {
    let place = Place::new();
    place.file("slow.toml", slow(5));
    let answer = without_reader(place.command(&["run", "slow.toml"]), true);
    assert_eq!(answer.code, 0);
    assert!(answer.stdout.contains("n = 3"), "{}", answer.stdout);
    assert!(!place.journal_lines("results/fake").concat().contains("panicked"));
    let full = place.command(&["run", "absent.toml"]).stderr(full()).status();
    assert_eq!(full.expect("bench starts").code(), Some(2));
}

#[test]
fn a_reader_that_is_gone_changes_no_exit_code() {
    let place = regressed();
    let check = ["check", "worse", "--baseline", "baseline.json"];
    for (call, code) in [
        (&check[..], 4),
        (&["report", "worse"], 0),
        (&["plan", "fake.toml"], 0),
        (&["status", "worse"], 0),
        (&["data", "list"], 0),
        (&["devices"], 0),
        (&["run", "fake.toml", "--json"], 0),
    ] {
        let answer = without_reader(place.command(call), false);
        assert_eq!(answer.code, code, "{call:?}: {}", answer.stderr);
        assert!(!answer.stderr.contains("error"), "{call:?}: {}", answer.stderr);
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error_but_never_hides_a_verdict() {
    let place = regressed();
    let check = ["check", "worse", "--baseline", "baseline.json"];
    for (call, code) in
        [(&check[..], 4), (&["report", "worse"], 1), (&["run", "fake.toml", "--json"], 1)]
    {
        let output = place.command(call).stdout(full()).output().expect("bench starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{call:?}: {stderr}");
        assert!(stderr.contains("error: cannot write to standard output"), "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn outputs_respect_links_and_pipes() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    let report = ["report", "results/fake", "--format", "json", "--output"];
    let shown = place.done(&[&report[..], &["/dev/stdout"]].concat());
    assert!(shown.starts_with('{'), "{shown}");
    place.file("there/target.json", "old");
    std::os::unix::fs::symlink("there/target.json", place.path("link.json")).expect("a link");
    place.done(&[&report[..], &["link.json"]].concat());
    assert!(place.path("link.json").is_symlink());
    assert_eq!(place.read("there/target.json"), shown);
    // A page with charts goes through a pipe as its text alone.
    let page = ["report", "results/fake", "--format", "markdown"];
    let piped = place.done(&[&page[..], &["--output", "/dev/stdout"]].concat());
    assert_eq!(piped, place.done(&page));
}

#[test]
fn outputs_that_cannot_be_written_are_bad_input_that_names_them() {
    let place = regressed();
    place.file("file", "");
    let output = ["--output", "file/below"];
    let check = ["check", "worse", "--baseline", "baseline.json"];
    for call in [
        &["report", "worse"][..],
        &["report", "worse", "--format", "markdown"],
        &["baseline", "worse"],
        &["compare", "worse", "results/fake"],
        &["tensorboard", "worse"],
        &["data", "preview", "digits"],
        &["data", "convert", "digits", "--form", "folder"],
        &check,
    ] {
        let answer = place.bench(&[call, &output].concat());
        assert_eq!(answer.code, 2, "{call:?}: {}", answer.stderr);
        assert!(answer.stderr.contains("`file/"), "{call:?}: {}", answer.stderr);
    }
    // Found before anything is trained.
    let trials = place.read("worse/tables/trials.csv");
    for more in [&["--escalate", "--output", "worse"][..], &["--escalate", "--also", "junit=worse"]]
    {
        let answer = place.bench(&[&check[..], more].concat());
        assert_eq!(answer.code, 2, "{}", answer.stderr);
    }
    assert_eq!(place.read("worse/tables/trials.csv"), trials);
}
