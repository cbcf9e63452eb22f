//! Texts of files that were made to do harm, on their way to a terminal and to GitHub's runner.

use std::path::Path;

use crate::support::{FAKE, Place};

/// Clears the screen, turns the line around, rings the bell, and gives commands on lines of its own.
const EVIL: &str = "x\\u001b[2J\\u202e\\u0007\\n::error title=t::evil\\n  ::add-mask::evil";

/// Fails where a text does something to a terminal or to the runner.
fn assert_harmless(what: &str, text: &str) {
    let is_harmful =
        |c: char| c.is_control() && !"\n\t".contains(c) || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(is_harmful), "{what}: {text:?}");
    let command = text.lines().find(|line| line.trim_start().starts_with("::"));
    assert_eq!(command, None, "{what}");
}

#[test]
fn nothing_a_file_says_reaches_a_terminal_or_the_runner_raw() {
    let place = Place::new();
    let text = FAKE.replace("Does the harness work?", EVIL);
    place.file("fake.toml", text + "\n[check]\ntolerance = 1.0\n");
    place.file("evil.json", format!("{{\"format\": \"{EVIL}\"}}"));
    place.file("name.toml", FAKE.replace("\"fake\"", &format!("\"{EVIL}\"")));
    let calls: [&[&str]; 10] = [
        &["run", "fake.toml"],
        &["plan", "fake.toml"],
        &["plan", "name.toml"],
        &["plan", "fake.toml", "--json"],
        &["status", "results/fake"],
        &["report", "results/fake"],
        &["report", "results/fake", "--format", "markdown"],
        &["report", "results/fake", "--format", "json"],
        &["compare", "results/fake", "results/fake"],
        &["check", "results/fake", "--baseline", "evil.json"],
    ];
    for call in calls {
        let answer = place.bench(call);
        assert_harmless(&call.join(" "), &(answer.stdout + &answer.stderr));
    }
}

#[test]
fn values_that_no_training_can_have_given_are_refused() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/run-1");
    let right = "\"metrics\":{\"test-accuracy\":0.18333333333333332";
    for value in ["5.0", "-0.5", "\"NaN\"", "\"inf\"", "1e308"] {
        let place = Place::new();
        place.copy(&golden, "out");
        let journal = place.read("out/journal/main.jsonl");
        let wrong = right.replace("0.18333333333333332", value);
        let trial = journal.rfind(right).expect("the trial");
        place.file(
            "out/journal/main.jsonl",
            journal[..trial].to_owned() + &wrong + &journal[trial + right.len()..],
        );
        for call in [&["report", "out"][..], &["baseline", "out", "--output", "b.json"]] {
            let answer = place.bench(call);
            assert_eq!(answer.code, 2, "{value} {call:?} {} {}", answer.stdout, answer.stderr);
            assert!(answer.stderr.contains("`test-accuracy` is"), "{}", answer.stderr);
            assert!(answer.stderr.contains("expected 0 to 1"), "{}", answer.stderr);
        }
    }
}

#[test]
fn epochs_with_values_that_no_training_can_have_given_are_refused() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/run-1");
    for (key, column, value) in [
        ("train-accuracy", "train_accuracy", "5.5"),
        ("train-accuracy", "train_accuracy", "-0.25"),
        ("train-loss", "train_loss", "-1.0"),
        ("train-seconds", "train_seconds", "-1.0"),
        ("learning-rate", "learning_rate", "-1.0"),
    ] {
        let place = Place::new();
        place.copy(&golden, "out");
        let journal = place.read("out/journal/main.jsonl");
        let begin = journal.find(&format!("\"{key}\":")).expect("an epoch") + key.len() + 3;
        let end = begin + journal[begin..].find([',', '}']).expect("the end of the number");
        let wrong = format!("{}{value}{}", &journal[..begin], &journal[end..]);
        place.file("out/journal/main.jsonl", wrong);
        let answer = place.bench(&["report", "out"]);
        assert_eq!(answer.code, 2, "{key} {value} {} {}", answer.stdout, answer.stderr);
        assert!(answer.stderr.contains(&format!("`{key}` is")), "{}", answer.stderr);
        assert!(answer.stderr.contains("in epoch"), "{}", answer.stderr);

        let place = Place::new();
        place.copy(&golden, "all");
        place.copy(&golden.join("tables"), "out/tables");
        place.file("out/manifest.json", place.read("all/manifest.json"));
        let epochs = place.read("out/tables/epochs.csv");
        let mut lines: Vec<String> = epochs.lines().map(str::to_owned).collect();
        let index = lines[0].split(',').position(|name| name == column).expect("the column");
        let mut cells: Vec<&str> = lines[2].split(',').collect();
        cells[index] = value;
        lines[2] = cells.join(",");
        place.file("out/tables/epochs.csv", lines.join("\n") + "\n");
        let answer = place.bench(&["report", "out"]);
        assert_eq!(answer.code, 2, "{column} {value} {} {}", answer.stdout, answer.stderr);
        assert!(answer.stderr.contains(&format!("row 2: `{key}` is")), "{}", answer.stderr);
    }
}

#[test]
fn tables_with_values_that_no_training_can_have_given_are_refused() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/run-1");
    for value in ["5.0", "-0.5", "NaN", "inf"] {
        let place = Place::new();
        place.copy(&golden, "all");
        place.copy(&golden.join("tables"), "out/tables");
        place.file("out/manifest.json", place.read("all/manifest.json"));
        let trials = place.read("out/tables/trials.csv");
        let changed =
            trials.replacen("completed,,0.03333333333333333", &format!("completed,,{value}"), 1);
        assert_ne!(trials, changed);
        place.file("out/tables/trials.csv", changed);
        let answer = place.bench(&["report", "out"]);
        assert_eq!(answer.code, 2, "{value} {} {}", answer.stdout, answer.stderr);
        assert!(answer.stderr.contains("test_accuracy"), "{}", answer.stderr);
    }
}

#[test]
fn an_override_with_thirty_thousand_dots_is_refused() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    let dots = format!("{}=1", vec!["a"; 30_001].join("."));
    let answer = place.bench(&["plan", "fake.toml", "--set", &dots]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
}

#[cfg(unix)]
#[test]
fn no_program_is_sent_over_a_link_in_the_folder_of_attempts() {
    use std::os::unix::fs::symlink;

    let place = Place::new();
    place.file(
        "own.toml",
        "name = \"own\"\nrepeats = 1\n[trainer]\nengine = \"command\"\n\
         command = [\"sh\", \"own.sh\"]\n\
         [metrics.test-accuracy]\nunit = \"fraction\"\ndirection = \"maximize\"\n",
    );
    place.file("own.sh", "touch $BENCH_CHECKPOINT_DIR/written; exit 3\n");
    place.file("outside/canary", "");
    let run = ["run", "own.toml", "--retry-failed", "--retries", "0", "--quiet"];
    assert_eq!(place.bench(&run).code, 3);
    let attempts = place.path("results/own/attempts");
    let names = std::fs::read_dir(&attempts)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let checkpoint = names.into_iter().find(|name| name.ends_with(".checkpoint")).expect("one");
    std::fs::remove_dir_all(attempts.join(&checkpoint)).expect("a folder");
    symlink(place.path("outside"), attempts.join(&checkpoint)).expect("a link");
    assert_eq!(place.bench(&run).code, 3);
    assert!(!place.path("outside/written").exists());
    let reasons = place.read("results/own/tables/trials.csv");
    assert!(reasons.contains("is a symbolic link"), "{reasons}");

    std::fs::remove_dir_all(&attempts).expect("a folder");
    symlink(place.path("outside"), &attempts).expect("a link");
    let answer = place.bench(&run);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("attempts` is a symbolic link"), "{}", answer.stderr);
    assert_eq!(std::fs::read_dir(place.path("outside")).expect("a folder").count(), 1);
}
