//! `bench report` shows what is asked of finished results, and refuses what is not there.

use crate::support::{FAKE, Place};

fn finished() -> Place {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--out", "out", "--quiet"]);
    place
}

#[test]
fn some_cells_alone_are_reported_as_such() {
    let place = finished();
    let text = place.done(&["report", "out", "--where", "rotation=10", "--full", "--top", "1"]);
    assert!(text.contains("2 of 6 cells are shown, those with `rotation=10`"), "{text}");
    assert!(text.contains("of 2 cells"), "the marks are among these alone:\n{text}");
    assert!(text.contains("per cell") && !text.contains("rotation 20"), "{text}");
    let json = place.done(&["report", "out", "--where", "rotation=10", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let cells = json["experiments"][0]["cells"].as_array().expect("cells");
    assert!(cells.iter().all(|cell| cell["name"].as_str().unwrap().contains("rotation=10")));
}

#[test]
fn metrics_rows_and_columns_are_those_asked_for() {
    let place = finished();
    let text = place.done(&[
        "report",
        "out",
        "--metrics",
        "test-loss,test-accuracy",
        "--rows",
        "rotation",
        "--columns",
        "shift",
    ]);
    assert!(text.contains("test loss, mean ± SD"), "{text}");
    assert!(text.contains("rotation ↓") && text.contains("test accuracy"), "{text}");
}

#[test]
fn the_cheapest_setting_that_is_good_enough_is_named_in_every_form() {
    let place = finished();
    for form in ["terminal", "markdown", "html", "json"] {
        let asked =
            ["report", "out", "--within", "5", "--prefer", "train-seconds", "--format", form];
        let text = place.done(&asked);
        let part = if form == "json" { "\"trade-off\"" } else { "shown to be within 5.00 points" };
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed.contains(part), "{form}:\n{text}");
    }
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let place = finished();
    for (arguments, problem) in [
        (
            ["--metrics", "test-acuracy"],
            "`--metrics` is `test-acuracy`, which no trial of `fake` has",
        ),
        (["--rows", "rotatoin"], "`--rows` is `rotatoin`, which is no axis of `fake`, expected"),
        (["--sort", "nothing"], "`--sort` is `nothing`, which is no axis of `fake`, expected"),
        (
            ["--where", "rotation=11"],
            "`augment.rotation` is never `11` in `fake`, expected `0`, `10`, `20`",
        ),
        (["--within", "1"], "--prefer"),
    ] {
        let answer = place.bench(&["report", "out", arguments[0], arguments[1]]);
        assert_eq!(answer.code, 2, "{arguments:?}");
        assert!(answer.stderr.contains(problem), "{arguments:?}: {}", answer.stderr);
    }
    let hint = place.bench(&["report", "out", "--metrics", "test-acuracy"]).stderr;
    assert!(hint.contains("did you mean `test-accuracy`?"), "{hint}");
}
