//! Runs the commands of README.md, so that what it promises works.

use crate::support::{Place, root};

/// Returns the lines of the README's `sh` blocks that start with `bench `.
fn commands() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let mut commands = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let lines = block.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        commands.extend(lines.filter(|line| line.starts_with("bench ")).map(str::to_owned));
    }
    commands
}

#[test]
fn the_commands_of_the_readme_work() {
    let place = Place::new();
    let experiments = root().join("experiments");
    std::os::unix::fs::symlink(experiments, place.path("experiments")).expect("a link");
    let commands = commands();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let mut words: Vec<&str> = command.split_whitespace().skip(1).collect();
        if words.starts_with(&["data", "fetch"])
            || words.contains(&"experiments/mnist_augment.toml")
        {
            // Needs a network or downloaded images.
            continue;
        }
        if words.first() == Some(&"run") {
            words.extend(["--quiet", "--set", "train.epochs=1", "--set", "repeats=3"]);
        }
        let answer = place.bench(&words);
        // A shortened run may be inconclusive or worse than the committed baseline.
        let expected: &[i32] = if words[0] == "check" { &[0, 4, 5] } else { &[0] };
        assert!(expected.contains(&answer.code), "{command}: {}", answer.stderr);
    }
}

#[test]
fn the_committed_results_are_reported() {
    let place = Place::new();
    let results = root().join("results").display().to_string();
    let shown = place.done(&["report", &results, "--format", "markdown"]);
    assert!(shown.contains("rotation/zoom →"), "{shown}");
}
