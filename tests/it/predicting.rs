//! Exported networks, converted datasets and predictions where an earlier call left files behind.

use crate::support::{Place, column};

/// Trains two cells of one and two networks of `logistic` on digits, with their weights.
fn trained() -> Place {
    let place = Place::new();
    place.file(
        "small.toml",
        "name = \"small\"\nrepeats = 1\nsave-weights = true\n[dataset]\nsource = \"digits\"\n\
         image-size = 28\n[model]\npreset = \"logistic\"\n[train]\nepochs = 5\n\
         learning-rate = 0.02\n[[grid]]\n[grid.axes]\n\"ensemble.size\" = [2, 1]\n",
    );
    place.done(&["run", "small.toml", "--quiet"]);
    place
}

fn refused(place: &Place, arguments: &[&str], expected: &str) {
    let answer = place.bench(arguments);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains(expected), "{}", answer.stderr);
    assert_eq!(answer.stdout, "");
}

#[test]
fn networks_of_several_ensembles_never_answer_together() {
    let place = trained();
    let export = |size: &'static str, to: &'static str| {
        ["export", "results/small", "--cell", size, "--output", to]
    };
    place.done(&export("ensemble.size=2", "both"));
    place.done(&export("ensemble.size=2", "both"));
    refused(
        &place,
        &export("ensemble.size=1", "both"),
        "it holds an older file that would join the new ones: `member-01.safetensors`\n  \
         hint: name another folder, or remove it first",
    );
    place.done(&export("ensemble.size=1", "one"));
    std::fs::copy(place.path("one/member-00.safetensors"), place.path("both/other.safetensors"))
        .expect("a copy");
    place.done(&["data", "convert", "digits", "--form", "kaggle", "--output", "tables"]);
    refused(
        &place,
        &["predict", "both", "tables/test.csv"],
        "it holds networks of repeat 0 of cell `ensemble.size=2` of `small` and of repeat 0 of \
         cell `ensemble.size=1` of `small`",
    );
}

#[test]
fn networks_of_large_digits_read_small_ones_as_well() {
    let place = trained();
    let cell = ["--cell", "ensemble.size=1"];
    let accuracy = |side: &str| {
        let convert = ["data", "convert", "digits", "--form", "folder", "--image-size", side];
        place.done(&[convert.as_slice(), &["--output", side]].concat());
        let answer = place.bench(&[&["predict", "results/small", side], cell.as_slice()].concat());
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        assert_eq!(column(&answer.stdout, "ImageId")[0], "0/000000.png");
        let line = answer.stderr.lines().find(|line| line.starts_with("accuracy"));
        line.expect("an accuracy").to_owned()
    };
    let (small, large) = (accuracy("8"), accuracy("28"));
    assert_eq!(small, large);
    assert!(small.starts_with("accuracy 9"), "{small}");
    let first = ["--first-id", "18446744073709551000"];
    let call = [["predict", "results/small", "8"].as_slice(), &cell, &first].concat();
    refused(&place, &call, "numbers end at 18446744073709551615");
}
