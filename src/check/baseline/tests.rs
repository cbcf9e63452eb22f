use super::super::testing::{cell, origin};
use super::*;

fn baseline() -> Baseline {
    Baseline::from_samples(
        origin(),
        vec![cell("shift=0", &[0.981, 0.983]), cell("shift=0.1", &[0.990_000_000_000_000_1])],
    )
    .unwrap()
}

#[test]
fn a_baseline_survives_its_text() {
    assert_eq!(Baseline::from_text(&baseline().to_text()).unwrap(), baseline());
}

#[test]
fn the_text_has_one_value_a_line() {
    insta::assert_snapshot!(baseline().to_text(), @r#"
    {
      "format": "gridbench-baseline",
      "version": 2,
      "digest": "73560b71a5b2dbca5d8ac12ff3c205c02e7e4355ff2cffd2635b09dbdb2e4a3d",
      "source": {
        "experiment": "smoke",
        "seed": 42,
        "split-seed": {
          "fixed": 0
        },
        "datasets": {
          "digits": "cc6b6bad31a0ff4d6dfd4953a6346a1c463d884723898a2af964b998e5499e22"
        },
        "origin": {
          "engine": "cpu, portable f32",
          "engine-revision": "4",
          "hardware": "Imaginary CPU, 2 cores",
          "version": "0.1.0",
          "toolchain": "rustc 1.95.0",
          "commit": "e67c846",
          "date": "2026-01-02T03:04:05Z"
        }
      },
      "metrics": [
        {
          "name": "test-accuracy",
          "split": "test",
          "unit": "fraction",
          "direction": "maximize",
          "range": [
            0.0,
            1.0
          ],
          "counts-images": true
        }
      ],
      "cells": [
        {
          "name": "shift=0",
          "assignment": {
            "shift": 0
          },
          "metric": "test-accuracy",
          "values": {
            "0": 0.981,
            "1": 0.983
          }
        },
        {
          "name": "shift=0.1",
          "assignment": {
            "shift": 0.1
          },
          "metric": "test-accuracy",
          "values": {
            "0": 0.9900000000000001
          }
        }
      ]
    }
    "#);
}

#[test]
fn trials_without_a_value_are_written_down() {
    let sample = CellSample { lost: 2, ..cell("shift=0", &[0.981]) };
    let baseline = Baseline::from_samples(origin(), vec![sample]).unwrap();
    assert!(baseline.to_text().contains("\"lost\": 2,"));
    assert_eq!(Baseline::from_text(&baseline.to_text()).unwrap(), baseline);
}

/// Changes the text and states the digest of what it then says.
fn changed(from: &str, to: &str) -> String {
    let text = baseline().to_text().replace(from, to);
    match Baseline::from_text(&text) {
        Err(BaselineError::Digest { stated, found }) => {
            text.replace(&stated.to_string(), &found.to_string())
        }
        _ => text,
    }
}

#[test]
fn fields_of_later_releases_are_passed_over() {
    let text = changed("\"source\": {", "\"mood\": \"sunny\", \"source\": {");
    assert!(text.contains("mood"));
    assert_eq!(Baseline::from_text(&text).unwrap(), baseline());
}

#[test]
fn only_what_a_file_says_is_covered_by_its_digest() {
    let text = baseline().to_text();
    assert_eq!(Baseline::from_text(&text.replace('\n', "\r\n  ")).unwrap(), baseline());
    for (from, to) in
        [("0.983", "0.984"), ("\"seed\": 42", "\"seed\": 43"), ("\"1\": 0", "\"2\": 0")]
    {
        assert!(text.contains(from), "{from}");
        let error = Baseline::from_text(&text.replacen(from, to, 1)).unwrap_err();
        assert!(matches!(error, BaselineError::Digest { .. }), "{error}");
    }
}

#[test]
fn a_byte_order_mark_is_no_damage_and_other_json_is_told_from_damage() {
    let text = format!("\u{feff}{}", baseline().to_text());
    assert_eq!(Baseline::from_text(&text).unwrap(), baseline());
    for other in ["{}", "[1, 2]", "{\"format\": 3}", "\"text\""] {
        let error = Baseline::from_text(other).unwrap_err().to_string();
        assert!(error.starts_with("the file is no baseline: it has no `format`"), "{error}");
    }
}

#[test]
fn every_damage_is_named() {
    let text = baseline().to_text();
    let messages: Vec<String> = [
        "\n".to_owned(),
        "accuracy: 0.98".to_owned(),
        text[..text.len() / 2].to_owned(),
        text.replace("gridbench-baseline", "gridbench-manifest"),
        text.replace("\"version\": 2,", "\"version\": 3,"),
        text.replace("0.983", "0.938"),
        changed("\"shift\": 0.1", "\"shift\": 0"),
        changed("\"0\": 0.9900000000000001", ""),
        changed("0.9900000000000001", "null"),
    ]
    .iter()
    .map(|text| Baseline::from_text(text).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(messages.join("\n"), @r"
    the file is empty; write a baseline with `bench baseline DIR --output FILE`
    the file is no baseline: it is not JSON; name a file that `bench baseline` wrote
    the baseline is damaged: EOF while parsing a value at line 24 column 2; write it again with `bench baseline`
    the file says it is `gridbench-manifest`, expected `gridbench-baseline`; name a file that `bench baseline` wrote
    the baseline has version 3, this `bench` reads versions up to 2; use the `bench` that wrote it or write it again with `bench baseline`
    its content has the digest 0aa589905b45, but it states 73560b71a5b2: the file was changed or is damaged; write it again with `bench baseline`
    the baseline has cell `shift=0.1` twice for `test-accuracy`; remove one of the two
    cell `shift=0.1` has no completed trial, expected at least one; run the experiment again
    the baseline is damaged: invalid type: null, expected f64 at line 56 column 17; write it again with `bench baseline`
    ");
}

/// What version 1 wrote: values of axes as text, samples without their repeats.
const VERSION_1: &str = r#"{
  "format": "gridbench-baseline",
  "version": 1,
  "origin": {
    "experiment": "smoke", "seed": 42, "engine": "cpu, portable f32",
    "hardware": "Imaginary CPU, 2 cores", "version": "0.1.0", "toolchain": "rustc 1.95.0",
    "date": "2026-01-02T03:04:05Z", "datasets": {}
  },
  "cells": [
    { "name": "path=1.10", "assignment": { "path": "1.10" }, "metric": "test-accuracy",
      "n": 2, "not-completed": 1, "values": [0.5, 0.25] }
  ]
}"#;

#[test]
fn version_1_is_read_and_its_texts_are_what_the_candidate_has() {
    let read = Baseline::from_text(VERSION_1).unwrap();
    assert_eq!((read.cells()[0].lost, &read.cells()[0].repeats), (1, &None));
    let typed = |values: &[&str]| {
        let candidate: Vec<CellSample> =
            values.iter().map(|value| cell(&format!("path={value}"), &[0.5])).collect();
        let typed = read.typed_like(&candidate).map_err(|error| error.to_string())?;
        Ok(typed.cells()[0].assignment["path"].notation())
    };
    assert_eq!(typed(&["\"1.1\"", "\"1.10\""]), Ok("\"1.10\"".to_owned()));
    assert_eq!(typed(&["1.1", "2"]), Ok("1.1".to_owned()));
    assert_eq!(typed(&["7"]), Ok("1.1".to_owned()));
    let alike = ["\"1.1\"", "1.1"];
    let error: Result<String, String> = typed(&alike);
    insta::assert_snapshot!(error.unwrap_err(), @r#"the baseline has version 1, which does not tell `path=1.1` from `path="1.1"`: write it again with `bench baseline`"#);
    let count = VERSION_1.replace("\"n\": 2", "\"n\": 3");
    insta::assert_snapshot!(Baseline::from_text(&count).unwrap_err(), @"cell `path=1.10` states n = 3 but has 2 values; write the baseline again with `bench baseline`");
}

#[test]
fn only_finite_samples_make_a_baseline() {
    let error = |cells| Baseline::from_samples(origin(), cells).unwrap_err().to_string();
    insta::assert_snapshot!(error(vec![]), @"the baseline has no cells, expected at least one; run the experiment first");
    insta::assert_snapshot!(error(vec![cell("shift=0", &[f64::NAN])]), @"cell `shift=0` has the value NaN, expected finite numbers; run the experiment again");
}

#[test]
fn values_that_a_metric_cannot_have_are_refused() {
    for value in [5.0, -0.5, 1e308, -1e308] {
        let mut cells = baseline().cells().to_vec();
        cells[0].values[0] = value;
        let error = Baseline::from_samples(baseline().source().clone(), cells).unwrap_err();
        assert!(matches!(error, BaselineError::OutOfRange { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains("expected 0e0 to 1e0"), "{said}");
    }
}
