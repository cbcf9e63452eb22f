//! Texts of files that were made to do harm, on their way to a terminal and to GitHub's runner.

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
