//! A page of bad inputs, each with the message a person reads and the exit code a script reads.

use std::fmt::Write as _;

use crate::support::{FAKE, Place};

/// Runs one bad call and appends it to the page, folder names made alike.
fn add(page: &mut String, place: &Place, title: &str, arguments: &[&str]) {
    let answer = place.bench(arguments);
    let folder = place.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    let message = answer.stderr.replace(folder, "PLACE");
    assert_ne!(answer.code, 0, "{title} is no error");
    assert_ne!(answer.code, 101, "{title} panics: {message}");
    writeln!(
        page,
        "── {title}\n$ bench {}\n{}exit {}\n",
        arguments.join(" "),
        message,
        answer.code
    )
    .expect("a string");
}

#[test]
fn bad_experiment_files_have_one_clear_message() {
    let place = Place::new();
    let mut page = String::new();
    add(&mut page, &place, "no such file", &["run", "absent.toml"]);
    place.file("broken.toml", "name = \"broken\"\n[dataset\nsource = 1\n");
    add(&mut page, &place, "broken TOML", &["run", "broken.toml"]);
    place.file(
        "many.toml",
        "name = \"many\"\nrepeats = 0\n[dataset]\nsource = \"mnits\"\n[train]\nepoch = 3\n\
         batch-size = \"64\"\n[model]\npreset = \"mlp\"\ndropout = 1.5\n[grid.axes]\n",
    );
    add(&mut page, &place, "many problems at once", &["plan", "many.toml"]);
    place.file(
        "axes.toml",
        "name = \"axes\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"mlp\"\n\
         [[grid]]\n[grid.axes]\n\"augment.rotatoin\" = [0, 1]\n\"augment.shift\" = []\n\
         \"repeats\" = [1, 2]\n\"train.epochs\" = [1, -1]\n\
         [[grid.zip]]\n\"augment.zoom\" = [0.0, 0.1]\n\"augment.shear\" = [0.0, 1.0, 2.0]\n",
    );
    add(&mut page, &place, "bad axes", &["plan", "axes.toml"]);
    place.file("fake.toml", FAKE);
    add(&mut page, &place, "bad override", &["run", "fake.toml", "--set", "train.epohcs=3"]);
    add(&mut page, &place, "override without a value", &["run", "fake.toml", "--set", "seed"]);
    add(&mut page, &place, "bad device", &["run", "fake.toml", "--device", "gpu"]);
    add(&mut page, &place, "a device this build lacks", &["run", "fake.toml", "--device", "cuda"]);
    place.file(
        "shape.toml",
        "name = \"shape\"\n[dataset]\nsource = \"digits\"\nimage-size = 8\n[model]\n\
         preset = \"deotte-cnn\"\n",
    );
    add(&mut page, &place, "a network that does not fit", &["run", "shape.toml"]);
    place.file(
        "stop.toml",
        "name = \"stop\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"mlp\"\n[train]\n\
         stop = { monitor = \"validation-accuracy\", patience = 3 }\n",
    );
    add(&mut page, &place, "early stopping without validation", &["run", "stop.toml"]);
    let small = "name = \"small\"\n[dataset]\nsource = \"digits\"\ntrain-limit = 40\n[model]\n\
                 preset = \"logistic\"\n";
    place.file("small.toml", small);
    let drop = ["plan", "small.toml", "--set", "train.drop-last=true"];
    add(&mut page, &place, "no batch is full", &drop);
    let many = ["plan", "small.toml", "--set", "ensemble.size=1000000000"];
    add(&mut page, &place, "more networks than can be planned", &many);
    let twins =
        ["plan", "small.toml", "--set", "grid.axes.\"train.optimizer\"=[\"adam\",{name=\"adam\"}]"];
    add(&mut page, &place, "cells that mean the same", &twins);
    insta::assert_snapshot!(page);
}

#[test]
fn bad_data_have_one_clear_message() {
    let place = Place::new();
    let mut page = String::new();
    let experiment =
        |source: &str| format!("name = \"data\"\n[dataset]\n{source}\n[model]\npreset = \"mlp\"\n");
    place.file("mnist.toml", experiment("source = \"mnist\""));
    add(&mut page, &place, "data that are not there", &["run", "mnist.toml"]);
    for name in ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        std::fs::create_dir_all(place.path("data/mnist")).expect("a folder");
        std::fs::write(place.path("data/mnist").join(name), [0; 16]).expect("a file");
    }
    place.file("data/mnist/train-images-idx3-ubyte", [0, 0, 8, 3, 0, 0, 0, 9]);
    let call = ["run", "mnist.toml", "--data-dir", "data"];
    add(&mut page, &place, "a truncated file", &call);
    place.file("data/mnist/train-images-idx3-ubyte", b"<html>404</html>");
    add(&mut page, &place, "a file that is something else", &call);
    place.file("csv.toml", experiment("source = \"csv\"\npath = \"train.csv\""));
    place.file("train.csv", "label,pixel0,pixel1,pixel2,pixel3\n1,0,0,0,0\n0,0,256,0,0\n");
    add(&mut page, &place, "a pixel out of range", &["run", "csv.toml"]);
    place.file("train.csv", "label,pixel0,pixel1,pixel2,pixel3\n1,0,0,0,0\n0,0,1,0\n");
    add(&mut page, &place, "a short row", &["run", "csv.toml"]);
    place.file("folder.toml", experiment("source = \"folder\"\npath = \"images\""));
    add(&mut page, &place, "a folder that is not there", &["run", "folder.toml"]);
    place.file("images/a/one.png", b"not a PNG");
    add(&mut page, &place, "an unreadable image", &["run", "folder.toml"]);
    add(&mut page, &place, "a dataset nobody knows", &["data", "info", "mnits"]);
    insta::assert_snapshot!(page);
}

#[test]
fn bad_results_have_one_clear_message() {
    let place = Place::new();
    let mut page = String::new();
    place.file("fake.toml", FAKE);
    add(&mut page, &place, "a report of nothing", &["report", "results"]);
    place.done(&["run", "fake.toml"]);
    let baseline = ["check", "results/fake", "--baseline", "absent.json"];
    add(&mut page, &place, "a baseline that is not there", &baseline);
    place.file("absent.json", "{}");
    add(&mut page, &place, "a baseline that is none", &baseline);
    let other = ["run", "fake.toml", "--set", "name=other", "--out", "results/fake"];
    add(&mut page, &place, "another experiment's folder", &other);
    // The name of a journal is another on every machine and in every run.
    let name = place.journal("results/fake");
    let journal = place.read(&name);
    std::fs::remove_file(place.path(&name)).expect("a journal");
    let name = "results/fake/journal/host-1-0123456789ab.jsonl";
    let digit = journal.find("\"attempt\":1").expect("a member") + "\"attempt\":".len();
    let mut damaged = journal.clone();
    damaged.replace_range(digit..=digit, "2");
    place.file(name, damaged);
    let answer = place.bench(&["report", "results/fake"]);
    let checks = answer.stderr.split_whitespace().filter(|word| {
        let digits = word.trim_end_matches(',');
        digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit())
    });
    let mut shown = answer.stderr.clone();
    for check in checks {
        shown = shown.replace(check.trim_end_matches(','), "CHECKSUM");
    }
    write!(page, "── a damaged journal\n{shown}exit {}\n\n", answer.code).expect("a string");
    let answer = place.bench(&["run", "fake.toml", "--quiet"]);
    write!(
        page,
        "── a damaged journal that is run again\n{}exit {}\n\n",
        answer.stderr, answer.code
    )
    .expect("a string");
    place.file(name, "{\"format\":\"gridbench-journal\",\"version\":99}\n");
    add(&mut page, &place, "a journal of a later version", &["run", "fake.toml"]);
    let manifest = place.read("results/fake/manifest.json");
    // Not in the middle: that depends on how long the name of the machine is.
    let cut = manifest.find("\"updated\"").expect("a manifest has a date");
    place.file("results/fake/manifest.json", &manifest[..cut]);
    add(&mut page, &place, "half a manifest", &["report", "results/fake"]);
    insta::assert_snapshot!(page);
}

fn png(width: u32, height: u32, shade: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_pixel(width, height, image::Luma([shade]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("a PNG");
    bytes.into_inner()
}

#[test]
fn bad_images_have_one_clear_message() {
    let place = Place::new();
    let mut page = String::new();
    let experiment = |source: &str| {
        format!(
            "name = \"data\"\nrepeats = 1\n[dataset]\n{source}\n[model]\npreset = \"logistic\"\n[train]\nepochs = 1\n"
        )
    };
    place.file("folder.toml", experiment("source = \"folder\"\npath = \"images\""));
    std::fs::create_dir_all(place.path("images")).expect("a folder");
    let run = ["run", "folder.toml", "--quiet"];
    add(&mut page, &place, "no class folder", &run);
    std::fs::create_dir_all(place.path("images/a")).expect("a folder");
    add(&mut page, &place, "an empty class folder", &run);
    for (class, shade) in [("a", 100), ("b", 150)] {
        for index in 0..4 {
            place.file(&format!("images/{class}/{index}.png"), png(8, 8, shade + index));
        }
    }
    place.file("images/b/small.png", png(4, 4, 9));
    add(&mut page, &place, "mixed sizes", &run);
    place.file("images/b/small.png", png(8, 4, 9));
    add(&mut page, &place, "an image that is not square", &run);
    place.file("images/b/cut.png", &png(8, 8, 9)[..40]);
    let answer = place.bench(&["run", "folder.toml", "--quiet", "--skip-bad"]);
    let listed = answer.stderr.split("error").next().unwrap_or_default();
    writeln!(page, "── bad images left out\n{listed}exit {}\n", answer.code).expect("a string");
    assert_eq!(place.read("results/data/skipped.list").lines().count(), 2);
    for name in ["small.png", "cut.png"] {
        std::fs::remove_file(place.path("images/b").join(name)).expect("a file");
    }
    let with_test = "source = \"folder\"\npath = \"images\"\ntest-path = \"test\"";
    place.file("folder.toml", experiment(with_test));
    place.file("test/a/0.png", png(8, 8, 200));
    let answer = place.bench(&run);
    writeln!(
        page,
        "── a class folder missing from the test images\n{}exit {}\n",
        answer.stderr, answer.code
    )
    .expect("a string");
    place.file("test/c/0.png", png(8, 8, 9));
    add(&mut page, &place, "a test class that training does not know", &run);

    let tables = "source = \"csv\"\npath = \"train.csv\"\ntest-path = \"test.csv\"";
    place.file("csv.toml", experiment(tables));
    let run = ["run", "csv.toml", "--quiet"];
    let head = "label,pixel0,pixel1,pixel2,pixel3\n";
    place.file("train.csv", format!("{head}1,0,0,0,0\n0,0,1,0,0\n"));
    place.file("test.csv", format!("{head}1,0,0,0,0\n7,0,1,0,0\n"));
    add(&mut page, &place, "a label that training does not know", &run);
    place.file("test.csv", "pixel0,pixel1,pixel2,pixel3\n0,0,0,0\n");
    add(&mut page, &place, "a test table without labels", &run);
    place.file("mnist.toml", experiment("source = \"digits\"\nskip-bad = true"));
    add(&mut page, &place, "skipping where nothing can be bad", &["run", "mnist.toml"]);
    insta::assert_snapshot!(page);
}

#[test]
fn bad_calls_of_export_and_predict_have_one_clear_message() {
    let place = Place::new();
    let mut page = String::new();
    place.file(
        "small.toml",
        "name = \"small\"\nrepeats = 2\n[dataset]\nsource = \"digits\"\n[model]\n\
         preset = \"logistic\"\n[train]\nepochs = 1\n[ensemble]\nsize = 2\n[[grid]]\n[grid.axes]\n\
         \"augment.rotation\" = [0, 5]\n\"augment.shift\" = [0.0, 0.1]\n",
    );
    place.done(&["run", "small.toml", "--quiet"]);
    let folder = "results/small";
    let cell = "augment.rotation=5 augment.shift=0.1";
    let export = |more: &[&'static str]| -> Vec<&'static str> {
        [["export", "results/small", "--output", "model.safetensors"].as_slice(), more].concat()
    };
    add(&mut page, &place, "no cell chosen", &export(&[]));
    add(&mut page, &place, "too few words for one cell", &export(&["--cell", "augment.shift=0.1"]));
    add(&mut page, &place, "a cell that is not there", &export(&["--cell", "augment.shift=0.3"]));
    let no_weights = ["export", folder, "--output", "model", "--cell", cell];
    let answer = place.bench(&no_weights);
    assert!(answer.stderr.contains("the run that trained it kept none"), "{}", answer.stderr);
    place.done(&["run", "small.toml", "--quiet", "--save-weights"]);
    add(
        &mut page,
        &place,
        "an ensemble into one file",
        &["export", folder, "--output", "model.safetensors", "--cell", cell],
    );
    add(
        &mut page,
        &place,
        "a repeat that is not there",
        &["export", folder, "--output", "model", "--cell", cell, "--repeat", "2"],
    );
    place.done(&["export", folder, "--output", "model", "--cell", cell]);
    add(&mut page, &place, "images that are not there", &["predict", "model", "test.csv"]);
    let header: Vec<String> = (0..64).map(|pixel| format!("pixel{pixel}")).collect();
    let zeros = vec!["0"; 64].join(",");
    place.file("test.csv", format!("label,{}\n1,{zeros}\n", header.join(",")));
    add(&mut page, &place, "a test file with labels", &["predict", "model", "test.csv"]);
    place.file("test.csv", format!("{}\n{zeros}\n{zeros},0\n", header.join(",")));
    add(&mut page, &place, "a short row", &["predict", "model", "test.csv"]);
    place.file("test.csv", "a,b,c,d\n1,2,3,4\n");
    add(&mut page, &place, "images of another size", &["predict", "model", "test.csv"]);
    place.file("broken/member.safetensors", b"not a network");
    add(&mut page, &place, "a file that is no network", &["predict", "broken", "test.csv"]);
    add(&mut page, &place, "a folder without networks", &["predict", "results", "test.csv"]);
    insta::assert_snapshot!(page);
}
