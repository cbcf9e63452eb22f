//! The experiments that follow published notebooks, end to end on small data made from the digits.
//!
//! Each test drives a shipped file of `experiments/studies/`, its sizes cut down by `--set`.

use std::path::Path;

use crate::support::{Answer, Place, column, root};

const SEEDS: [&str; 14] = [
    "folder_ensemble",
    "deotte_ensemble_grid",
    "deotte_single_grid",
    "deotte_submission",
    "tensorflow_two_conv",
    "chollet_baselines",
    "chollet_capsules",
    "chollet_cnn",
    "chollet_mlp",
    "augment_cnn_augmentation",
    "augment_cnn_dropout",
    "augment_cnn_final",
    "augment_cnn_optimizers",
    "deotte_single_grid_evening",
];

fn file(name: &str) -> String {
    root().join(format!("experiments/studies/{name}.toml")).display().to_string()
}

/// Calls `bench` on a shipped file with `--set`s, which must end well.
fn run(place: &Place, name: &str, sets: &[&str]) {
    let file = file(name);
    let mut call = vec!["run", &file, "--data-dir", "data", "--quiet"];
    call.extend(sets.iter().flat_map(|set| ["--set", set]));
    place.done(&call);
}

fn table(place: &Place, experiment: &str, table: &str) -> String {
    place.read(&format!("results/{experiment}/tables/{table}.csv"))
}

fn numbers(table: &str, name: &str) -> Vec<f64> {
    column(table, name).iter().map(|cell| cell.parse().expect("a number")).collect()
}

#[test]
fn every_study_has_a_quick_variant() {
    for name in SEEDS.iter().filter(|name| !name.ends_with("_evening")) {
        for file in [file(name), file(&format!("{name}_quick"))] {
            assert!(Path::new(&file).is_file(), "{file}");
        }
    }
}

#[test]
fn an_ensemble_learns_a_folder_of_images() {
    let place = Place::new();
    let output = "data/mnist-png-small";
    let convert = ["data", "convert", "digits", "--image-size", "28", "--form", "folder"];
    place.done(&[convert.as_slice(), &["--limit", "250", "--output", output]].concat());
    run(
        &place,
        "folder_ensemble_quick",
        &["model.preset=small-cnn", "train.epochs=6", "repeats=1"],
    );
    let file = file("folder_ensemble_quick");
    let sizes = ["--set", "model.width=1", "--model", "--json"];
    let call = [["plan", file.as_str(), "--data-dir", "data"].as_slice(), &sizes].concat();
    let models: serde_json::Value = serde_json::from_str(&place.done(&call)).expect("JSON");
    // 32×32 leaves 2×2 pixels instead of one before the last layer: 326,410 + 3 · 128 · 10.
    assert_eq!(models["models"][0]["trainable-parameters"], 330_250);
    let folder = "results/folder_ensemble_quick";
    let labels = place.read(&format!("{folder}/labels.list"));
    assert_eq!(labels, "[\"0\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]\n");
    let manifest = place.read(&format!("{folder}/manifest.json"));
    assert!(manifest.contains("\"seed\": \"member\""), "validation images of its own");
    let trials = table(&place, "folder_ensemble_quick", "trials");
    let (one, three) = (numbers(&trials, "test_accuracy")[0], numbers(&trials, "test_accuracy")[1]);
    let members = numbers(&trials, "member_test_accuracy")[1];
    assert!(three > 0.6 && three >= members, "one {one}, three {three}, members {members}");
}

#[test]
fn a_table_becomes_a_submission() {
    let place = Place::new();
    let convert = ["data", "convert", "digits", "--image-size", "28", "--form", "kaggle"];
    place.done(&[convert.as_slice(), &["--output", "data/mnist-kaggle"]].concat());
    let sets = [
        "model.preset=small-cnn",
        "train.epochs=5",
        "dataset.train-limit=900",
        "dataset.split.test=200",
    ];
    run(&place, "deotte_submission_quick", &sets);
    let results = "results/deotte_submission_quick";
    let test = "data/mnist-kaggle/test.csv";
    place.done(&["predict", results, test, "--output", "submission.csv"]);
    let submission = place.read("submission.csv");
    let images = place.read(test).lines().count() - 1;
    assert_eq!(submission.lines().next(), Some("ImageId,Label"));
    assert_eq!(submission.lines().count() - 1, images);
    let ids: Vec<String> = (1..=images).map(|id| id.to_string()).collect();
    assert_eq!(column(&submission, "ImageId"), ids);
    let solution = place.read("data/mnist-kaggle/solution.csv");
    let (said, is) = (column(&submission, "Label"), column(&solution, "Label"));
    let right = said.iter().zip(&is).filter(|(said, is)| said == is).count();
    assert!(right * 10 > images * 6, "{right} of {images}");
}

#[test]
fn exported_networks_predict_to_the_bit_what_the_results_folder_predicts() {
    let place = Place::new();
    place.file(
        "small.toml",
        "name = \"small\"\nrepeats = 2\n[dataset]\nsource = \"digits\"\n[model]\n\
         preset = \"small-cnn\"\n[train]\nepochs = 2\n[ensemble]\nsize = 3\n\
         [[grid]]\n[grid.axes]\n\"augment.rotation\" = [0, 5]\n",
    );
    place.done(&["run", "small.toml", "--quiet"]);
    let cell = ["--cell", "augment.rotation=5", "--repeat", "1"];
    let export = [["export", "results/small"].as_slice(), &cell, &["--output", "model"]].concat();
    let answer = place.bench(&export);
    assert!(answer.stderr.contains("run the experiment again with `--save-weights`"));
    // A run that is asked for weights afterwards trains once more what has none.
    place.done(&["run", "small.toml", "--quiet", "--save-weights"]);
    let answer = place.bench(&["run", "small.toml", "--save-weights"]);
    assert!(answer.stderr.contains("0 members trained"), "{}", answer.stderr);
    place.done(&export);
    let json = place.read("model/member-02.json");
    assert!(json.contains("\"trainable-parameters\": 6186"), "{json}");

    place.done(&["data", "convert", "digits", "--form", "folder", "--output", "images"]);
    let predict = |model: &[&str], to: &str| {
        let rest = ["images", "--output", to, "--probabilities", "p.csv"];
        place.done(&[&["predict"], model, rest.as_slice()].concat());
        (place.read(to), place.read("p.csv"))
    };
    let folder = predict(&["model"], "a.csv");
    let results = predict(&[["results/small"].as_slice(), &cell].concat(), "b.csv");
    assert_eq!(folder, results);
    assert_eq!(folder.0.lines().count(), 1 + 1797);
    let one = predict(&["model/member-01.safetensors"], "c.csv");
    let member = [["results/small"].as_slice(), &cell, &["--member", "1"]].concat();
    assert_eq!(one, predict(&member, "d.csv"));
    assert_ne!(one.1, folder.1);
    let kernels = place
        .command(&["predict", "model", "images", "--output", "e.csv"])
        .env("GRIDBENCH_ISA", "dfdx")
        .output()
        .expect("bench starts");
    assert!(kernels.status.success());
    assert_eq!(place.read("e.csv"), folder.0, "another path predicts the same classes");
}

#[test]
fn predictions_are_drawn_scored_and_named_as_asked() {
    let place = Place::new();
    place.file(
        "linear.toml",
        "name = \"linear\"\nrepeats = 1\nsave-weights = true\n[dataset]\nsource = \"digits\"\n\
         [model]\npreset = \"logistic\"\n[train]\nepochs = 5\nlearning-rate = 0.02\n",
    );
    place.done(&["run", "linear.toml", "--quiet"]);
    let convert = ["data", "convert", "digits", "--form", "kaggle", "--output", "tables"];
    place.done(&convert);
    let call = ["predict", "results/linear", "tables/train.csv", "--label", "label"];
    let more = ["--gallery", "sheet.png", "--mistakes", "--id-name", "id", "--label-name", "digit"];
    let Answer { stdout, stderr, code } =
        place.bench(&[call.as_slice(), &more, &["--first-id", "0"]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("id,digit\n0,"), "{stdout}");
    assert!(stderr.contains("accuracy 9") || stderr.contains("accuracy 8"), "{stderr}");
    let png = std::fs::read(place.path("sheet.png")).expect("a gallery");
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
}

#[test]
fn training_stops_at_its_target_and_begins_again_on_everything() {
    let place = Place::new();
    let sets = [
        "dataset.source=digits",
        "dataset.image-size=28",
        "dataset.train-limit=400",
        "dataset.split.validation=0.2",
        "model.width=0.1",
        "train.epochs=12",
        "train.stop.train-accuracy=0.9",
        "repeats=1",
    ];
    run(&place, "tensorflow_two_conv_quick", &sets);
    let epochs = table(&place, "tensorflow_two_conv_quick", "epochs");
    let validation = column(&epochs, "validation_accuracy");
    let first = validation.iter().take_while(|cell| !cell.is_empty()).count();
    let second = validation.len() - first;
    assert!(first > 0 && second > 0 && validation[first..].iter().all(String::is_empty));
    let train = numbers(&epochs, "train_accuracy");
    assert!(train[first - 1] >= 0.9 || first == 12);
    assert!(train[first] < train[first - 1], "the second training begins anew");
    let cells = table(&place, "tensorflow_two_conv_quick", "cells");
    assert_eq!(numbers(&cells, "epochs_mean"), [(first + second) as f64]);
    assert!(numbers(&cells, "validation_accuracy_mean")[0] > 0.5);
}

#[test]
fn baselines_and_networks_learn_the_digits() {
    let place = Place::new();
    let sets = ["dataset.source=digits", "dataset.train-limit=1200", "dataset.split.test=0.25"];
    run(&place, "chollet_baselines_quick", &sets);
    let cells = table(&place, "chollet_baselines_quick", "cells");
    let means = numbers(&cells, "test_accuracy_mean");
    // sklearn 1.9.1 on random quarters of these digits: GaussianNB 0.84 ± 0.03.
    assert!(means[2] > 0.74 && means[2] < 0.92, "naive Bayes reaches {}", means[2]);
    let spread = column(&cells, "test_accuracy_std");
    assert_eq!(spread[2], "0.0", "naive Bayes has no spread");
    let split = [
        "dataset.source=digits",
        "dataset.split.train=[0, 1100]",
        "dataset.split.validation=[1100, 1400]",
        "dataset.split.test=[1400, 1797]",
        "train.batch-size=32",
        "train.epochs=6",
    ];
    run(&place, "chollet_mlp_quick", &split);
    let cells = table(&place, "chollet_mlp_quick", "cells");
    assert!(numbers(&cells, "validation_accuracy_mean").iter().all(|mean| *mean > 0.8), "{cells}");
    let more = ["dataset.image-size=28", "dataset.train-limit=600", "model.width=0.25"];
    run(&place, "chollet_cnn_quick", &[split.as_slice(), &more].concat());
    let cells = table(&place, "chollet_cnn_quick", "cells");
    assert_eq!(column(&cells, "ensemble.size"), ["1", "3"]);
}

#[test]
fn capsules_learn_the_digits() {
    let place = Place::new();
    let sets = [
        "dataset.source=digits",
        "dataset.split.train=[0, 1100]",
        "dataset.split.validation=[1100, 1400]",
        "dataset.split.test=[1400, 1797]",
        "train.batch-size=16",
        "train.epochs=5",
        "repeats=1",
    ];
    run(&place, "chollet_capsules_quick", &sets);
    let cells = table(&place, "chollet_capsules_quick", "cells");
    let means = numbers(&cells, "test_accuracy_mean");
    assert!(means.iter().all(|mean| *mean > 0.8), "{means:?}");
}

#[test]
fn tables_have_the_columns_of_the_notebook() {
    let place = Place::new();
    let sets = [
        "dataset.source=digits",
        "dataset.image-size=28",
        "dataset.split.train=[0, 1100]",
        "dataset.split.validation=[1100, 1400]",
        "dataset.split.test=[1400, 1797]",
        "dataset.train-limit=200",
        "model.width=0.05",
        "train.epochs=2",
        "repeats=1",
    ];
    for (name, cells) in [
        ("augment_cnn_augmentation_quick", 5),
        ("augment_cnn_optimizers_quick", 3),
        ("augment_cnn_dropout_quick", 5),
        ("augment_cnn_final_quick", 1),
    ] {
        run(&place, name, &sets);
        let found = table(&place, name, "cells");
        for column in ["train_accuracy_mean", "validation_accuracy_mean", "train_seconds_mean"] {
            assert_eq!(numbers(&found, column).len(), cells, "{name} {column}");
        }
        assert_eq!(numbers(&found, "epochs_mean"), vec![2.0; cells]);
        let report = place.read(&format!("results/{name}/report.md"));
        assert!(report.contains("train accuracy") && report.contains("epochs"), "{report}");
    }
    let optimizers = table(&place, "augment_cnn_optimizers_quick", "cells");
    assert_eq!(column(&optimizers, "train.optimizer"), ["sgd", "adam", "adamw"]);
}
