//! `bench data`, without a network.

use crate::support::{Answer, Place};

#[test]
fn the_embedded_digits_are_described() {
    let place = Place::new();
    let shown = place.done(&["data", "info", "digits"]);
    assert!(shown.contains("digits   1,797 images of 8×8×1\n"), "{shown}");
    assert!(shown.contains("no test file of its own: a run tests on 359"), "{shown}");
    assert!(!shown.contains("-0.0") && !shown.contains("−0.000"), "{shown}");
    assert!(shown.contains("ranges that cover 95 %"), "{shown}");
}

#[test]
fn every_named_dataset_is_listed() {
    let place = Place::new();
    let shown = place.done(&["data", "list", "--json"]);
    let sources: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let names: Vec<_> = sources["datasets"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|source| source["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["digits", "mnist", "fashion-mnist", "kmnist"]);
}

#[test]
fn a_preview_is_a_png() {
    let place = Place::new();
    place.done(&["data", "preview", "digits", "--image-size", "28", "--output", "sheet.png"]);
    let bytes = std::fs::read(place.path("sheet.png")).expect("a file");
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
}

#[test]
fn a_preview_of_a_grid_shows_its_last_augmentation() {
    let place = Place::new();
    let head = "name = \"shifts\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"mlp\"\n";
    let shifts =
        |values: &str| format!("{head}[[grid]]\n[grid.axes]\n\"augment.shift\" = {values}\n");
    let sheet = |values: &str| {
        place.file("shifts.toml", shifts(values));
        let answer = place.bench(&["data", "preview", "shifts.toml", "--output", "sheet.png"]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        (std::fs::read(place.path("sheet.png")).expect("a file"), answer.stderr)
    };
    let (plain, words) = sheet("[0.3, 0]");
    assert!(words.contains("varied as in cell `augment.shift=0`"), "{words}");
    let (shifted, words) = sheet("[0, 0.3]");
    assert!(words.contains("varied as in cell `augment.shift=0.3`"), "{words}");
    assert_ne!(plain, shifted);
}

#[test]
fn a_fetch_without_a_mirror_says_what_each_did() {
    let place = Place::new();
    let nobody = "http://127.0.0.1:9/";
    // The built-in mirrors are tried after it, here through a proxy that is not there.
    let mut command =
        place.command(&["data", "fetch", "mnist", "--mirror", nobody, "--data-dir", "data"]);
    for name in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "http_proxy", "https_proxy"]
    {
        command.env(name, nobody);
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let answer: Answer = command.output().expect("bench starts").into();
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("error: cannot fetch dataset `mnist`"), "{}", answer.stderr);
    for mirror in ["127.0.0.1:9", "ossci-datasets", "storage.googleapis.com"] {
        assert!(answer.stderr.contains(mirror), "{}", answer.stderr);
    }
}

#[test]
fn a_folder_of_an_earlier_conversion_takes_no_other() {
    let place = Place::new();
    let convert = |limit: &'static str| {
        let form = ["data", "convert", "digits", "--form", "folder", "--output", "images"];
        place.bench(&[form.as_slice(), &["--limit", limit]].concat())
    };
    assert_eq!(convert("20").code, 0);
    assert_eq!(convert("20").code, 0, "the same images are written again");
    let answer = convert("7");
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("older files that would join the new ones"),
        "{}",
        answer.stderr
    );
    let folders = std::fs::read_dir(place.path("images")).expect("a folder");
    let images = folders.flat_map(|folder| {
        std::fs::read_dir(folder.expect("an entry").path()).expect("a folder of a class")
    });
    assert_eq!(images.count(), 40);
}
