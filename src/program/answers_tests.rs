//! What is read of the output of programs, and what is said where nothing is.

use super::answers::{Answers, Lines, Questions, Unanswered};
use crate::base::{Direction, Metric, MetricName, Range, Unit};
use crate::experiment::program::{ReadFrom, Reading};

fn metric(name: &str, range: Range) -> Metric {
    Metric {
        name: name.parse().unwrap(),
        split: None,
        unit: Unit::named(if range == Range::default() { "ms" } else { "fraction" }),
        direction: Direction::Maximize,
        range,
        counts_images: false,
    }
}

fn questions(readings: &[(&str, ReadFrom)]) -> Questions {
    let fraction = Range(Some(0.0), Some(1.0));
    let metrics = [metric("test-accuracy", fraction), metric("latency", Range::default())];
    let readings: Vec<Reading> = readings
        .iter()
        .map(|(name, from)| Reading { metric: name.parse().unwrap(), from: from.clone() })
        .collect();
    Questions::new(&metrics, &readings)
}

/// Returns what is read of `output` as the two metrics, or what is said instead.
fn read(questions: &Questions, output: &str) -> Result<(f64, f64), Unanswered> {
    let mut answers = Answers::new(questions);
    output.lines().for_each(|line| answers.stdout(line.as_bytes()));
    let names: [MetricName; 2] = ["test-accuracy", "latency"].map(|name| name.parse().unwrap());
    let finals = answers.finals(names.iter().cloned())?;
    Ok((finals[&names[0]], finals[&names[1]]))
}

fn wrong(output: &str) -> String {
    match read(&questions(&[]), output) {
        Err(Unanswered::Wrong(text)) => text,
        other => panic!("{output}: {other:?}"),
    }
}

#[test]
fn numbers_are_read_as_scripts_print_them_and_the_last_counts() {
    for output in [
        "test-accuracy: 0.5\nlatency: 3",
        "test-accuracy: 0.1\nlatency=9\n test-accuracy : 0.5 \nepoch 3, latency=3, done",
        "test_accuracy=0.5 latency=3e0;",
        "{\"test-accuracy\": 0.5, \"latency\": 3}",
        "{\"epoch\": 1, \"test-accuracy\": 0.4}\n{\"final\": {\"test-accuracy\": 0.5, \"latency\": 3}}",
        "test-accuracy: 50e-2\nlatency: +3.0\nloss: 7\nlatency of 4: 5",
        "latency: 3%\ntest-accuracy: 0.5\n\u{1b}[0m\n{not json}",
    ] {
        assert_eq!(read(&questions(&[]), output), Ok((0.5, 3.0)), "{output}");
    }
}

#[test]
fn what_is_missing_is_named_with_what_was_found_instead() {
    assert_eq!(
        wrong(""),
        "it did not print `test-accuracy`, expected a line such as `test-accuracy: 0.5`"
    );
    let text = wrong("accuracy: 0.9\nval_loss=3 x=y");
    assert!(
        text.ends_with("; it printed `accuracy`, `val_loss`, which `[metrics]` does not declare"),
        "{text}"
    );
    assert!(wrong("test-accuracy: high").contains("; line 1 is `test-accuracy: high`"));
    assert!(
        wrong("latency: 3\n{\"test-accuracy\": 0.")
            .contains("line 2 of standard output begins like")
    );
    assert!(
        wrong("{\"test-accuracy\": \"high\"}").contains("`test-accuracy` is `\\\"high\\\"`, no")
    );
}

#[test]
fn a_name_twice_in_one_object_is_an_error_whatever_follows() {
    let text = wrong("{\"latency\": 1, \"latency\": 2}\ntest-accuracy: 0.5\nlatency: 3");
    assert_eq!(text, "line 1 of standard output has `latency` twice");
}

#[test]
fn a_value_out_of_range_says_how_percent_are_declared() {
    let text = wrong("test-accuracy: 98.5\nlatency: 3");
    assert_eq!(
        text,
        "`test-accuracy` is 98.5, out of its range from 0 to 1; if it is in percent, declare `unit = \
         \"percent\"`"
    );
}

#[test]
fn numbers_that_are_not_finite_are_told_apart() {
    for output in ["test-accuracy: nan", "test-accuracy=-inf", "{\"test-accuracy\": NaN}"] {
        let found = read(&questions(&[]), output);
        assert!(matches!(found, Err(Unanswered::NotFinite(_))), "{output}: {found:?}");
    }
}

#[test]
fn patterns_and_keys_find_numbers_of_programs_that_cannot_be_changed() {
    let pattern = || ReadFrom::Pattern("took ([0-9.]+) ms".to_owned());
    let one = questions(&[("latency", pattern())]);
    assert_eq!(read(&one, "test-accuracy: 0.5\nit took 3.0 ms, latency: 9"), Ok((0.5, 3.0)));
    let found = read(&one, "test-accuracy: 0.5\nlatency: 3");
    assert!(matches!(found, Err(Unanswered::Wrong(text)) if text.contains("took ([0-9.]+) ms")));
    let key = questions(&[("latency", ReadFrom::Json("result.latency".to_owned()))]);
    let output = "{\"test-accuracy\": 0.5, \"result\": {\"latency\": 3}}";
    assert_eq!(read(&key, output), Ok((0.5, 3.0)));
}

#[test]
fn earlier_values_are_the_history_by_the_epochs_that_were_named() {
    let questions = questions(&[]);
    let mut answers = Answers::new(&questions);
    let name = |text: &str| text.parse::<MetricName>().unwrap();
    for line in ["test-accuracy: 0.1", "latency: 3", "test-accuracy: 0.2"] {
        answers.stdout(line.as_bytes());
    }
    let history = answers.history();
    let values: Vec<(u32, Option<f64>)> = history
        .iter()
        .map(|(epoch, values)| (*epoch, values.get(&name("test-accuracy")).copied()))
        .collect();
    assert_eq!(values, [(1, Some(0.1)), (2, Some(0.2))]);
    assert!(history.iter().all(|(_, values)| !values.contains_key(&name("latency"))));
    answers.stdout(b"{\"epoch\": 7, \"test-accuracy\": 0.3}");
    assert_eq!(answers.history().len(), 1);
    assert_eq!(answers.history()[0].0, 7);
}

#[test]
fn lines_are_cut_whatever_the_pieces_and_endless_ones_are_passed_over() {
    let text = b"one\n\ntwo\xff\nthree".to_vec();
    for size in 1..=text.len() {
        let (mut lines, mut heard) = (Lines::default(), Vec::new());
        for piece in text.chunks(size) {
            lines.feed(piece, |line| heard.push(line.to_vec()));
        }
        lines.finish(|line| heard.push(line.to_vec()));
        assert_eq!(heard, [b"one".to_vec(), b"".to_vec(), b"two\xff".to_vec(), b"three".to_vec()]);
    }
    let (mut lines, mut heard) = (Lines::default(), Vec::new());
    for _ in 0..200 {
        lines.feed(&[b'x'; 10_000], |line| heard.push(line.to_vec()));
    }
    lines.feed(b"\nlast\n", |line| heard.push(line.to_vec()));
    assert_eq!(heard, [b"last".to_vec()]);
}
