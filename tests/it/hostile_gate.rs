//! A baseline every text of which was made to do harm, one after the other: nothing of it reaches a
//! terminal or a file raw, and GitHub's runner gets the commands of `bench` alone.

use gridbench::check::{Baseline, BaselineError};
use serde_json::Value;

use crate::support::{Answer, FAKE, Place};

/// Escapes, marks of direction, a NUL, and commands in every way that the runner knows.
const EVIL: &str =
    "x\u{1b}[31m\u{202e}\u{0}\r\n::error::evil\n \t::add-mask::evil\n##[add-mask]evil|<script>";
/// Ways in which a verdict is told.
const FORMS: [&str; 5] = ["terminal", "json", "markdown", "junit", "github"];

/// Returns a place with results, and a baseline of better ones: every cell regressed, so that all is
/// told.
fn regressed() -> Place {
    let place = Place::new();
    let text = FAKE.to_owned() + "\n[check]\ntolerance = 0.1\n";
    place.file("better.toml", text.replace("accuracy = 0.9", "accuracy = 0.99"));
    place.done(&["run", "better.toml", "--out", "better", "--quiet"]);
    place.done(&["baseline", "better", "--output", "good.json"]);
    place.file("fake.toml", text);
    place.done(&["run", "fake.toml", "--quiet"]);
    place
}

/// Returns the pointer of every text in a document, and of every object whose keys are names.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Object(entries) => {
            let are_names = ["/assignment", "/datasets"].iter().any(|end| at.ends_with(end));
            if are_names && !entries.is_empty() {
                found.push(at.to_owned());
            }
            for (key, value) in entries {
                pointers(
                    value,
                    &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate().take(2) {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Replaces a text, or the first key of an object, by what is hostile.
fn spoilt(document: &Value, at: &str) -> Value {
    let mut document = document.clone();
    match document.pointer_mut(at).expect("it is there") {
        Value::Object(entries) => {
            let first = entries.keys().next().cloned().expect("a key");
            let value = entries.shift_remove(&first).expect("a value");
            entries.insert(EVIL.to_owned(), value);
        }
        text => *text = Value::String(EVIL.to_owned()),
    }
    document
}

/// Returns a baseline whose digest is made good: what a file says of itself is no protection.
fn sealed(document: &Value) -> String {
    let text = serde_json::to_string_pretty(document).expect("JSON");
    match Baseline::from_text(&text) {
        Err(BaselineError::Digest { stated, found }) => {
            text.replace(&stated.to_string(), &found.to_string())
        }
        _ => text,
    }
}

/// Fails where a text does something to a terminal, and returns the kinds of the commands in it.
fn commands(what: &str, text: &str) -> Vec<String> {
    let does_harm =
        |c: char| c.is_control() && !"\n\t".contains(c) || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(does_harm), "{what}: {text:?}");
    let mut kinds = Vec::new();
    for line in text.lines() {
        // `ActionCommand.cs` takes `##[` anywhere, and `::` after white space.
        assert!(!line.contains("##["), "{what}: {line:?}");
        let Some(command) = line.trim_start().strip_prefix("::") else { continue };
        assert!(line.starts_with("::"), "{what}: {line:?}");
        let (head, _) = command.split_once("::").unwrap_or_else(|| panic!("{what}: {line:?}"));
        let (kind, title) =
            head.split_once(" title=").unwrap_or_else(|| panic!("{what}: {line:?}"));
        assert!(["error", "warning", "notice"].contains(&kind), "{what}: {line:?}");
        assert!(!title.contains([':', ',', '\n']), "{what}: {line:?}");
        kinds.push(kind.to_owned());
    }
    kinds
}

fn check(place: &Place, baseline: &str, form: &str) -> Answer {
    let output = format!("verdict.{form}");
    let call = ["check", "results/fake", "--baseline", baseline, "--format", form];
    let to_file = place.bench(&[&call[..], &["--output", &output]].concat());
    let answer = place.bench(&call);
    assert_eq!(to_file.code, answer.code, "{}", to_file.stderr);
    if form == "github" && [4, 5].contains(&answer.code) {
        let file = place.read(&output);
        let own = |text: &str| text.lines().filter(|line| line.starts_with("::")).count();
        assert_eq!(own(&file), own(&answer.stdout), "file and stream tell the same");
        commands("the file for GitHub", &file);
    } else if place.path(&output).exists() {
        let kinds = commands(&output, &place.read(&output));
        assert!(kinds.is_empty() || form == "github", "{kinds:?}");
    }
    answer
}

#[test]
fn githubs_runner_gets_no_command_but_those_of_bench() {
    let place = regressed();
    let plain = check(&place, "good.json", "github");
    let expected = commands("a plain baseline", &plain.stdout);
    assert!(plain.code == 4 && expected.len() >= 6, "{}", plain.stdout);
    let document: Value = serde_json::from_str(&place.read("good.json")).expect("JSON");
    let mut found = Vec::new();
    pointers(&document, "", &mut found);
    assert!(found.len() > 18, "{found:?}");
    let mut told = 0;
    for at in &found {
        place.file("evil.json", sealed(&spoilt(&document, at)));
        for form in FORMS {
            let answer = check(&place, "evil.json", form);
            let what = format!("{at} as {form}");
            assert!([0, 2, 4, 5].contains(&answer.code), "{what}: {}", answer.stderr);
            assert_eq!(commands(&what, &answer.stderr), [""; 0]);
            let kinds = commands(&what, &answer.stdout);
            if form == "github" {
                let is_of_bench = answer.code == 2 || answer.code != 4 || kinds == expected;
                assert!(is_of_bench && kinds.len() <= 20, "{what}: {kinds:?}");
            } else {
                assert!(kinds.is_empty(), "{what}: {kinds:?}");
            }
            told += usize::from(answer.stdout.contains("evil"));
        }
    }
    assert!(told > 5, "names of the baseline are told: {told}");
}
