//! Packs through the binary, on the CPU with dfdx's operations: what a GPU does by itself.

use crate::support::{Answer, Place, column};

/// Cells whose members may share packs, whatever their dropout and augmentation.
const DIGITS: &str = r#"
name = "packs"
repeats = 3
[dataset]
source = "digits"
train-limit = 256
split = { test = 0.25, stratify = true, validation = 0.1 }
[model]
preset = "small-cnn"
[train]
epochs = 2
learning-rate = 3e-3
[[grid]]
[grid.axes]
"model.dropout" = [0.2, 0.4]
"augment.rotation" = [0, 10]
"ensemble.size" = [1, 2]
"#;

fn run(place: &Place, folder: &str, most: &str) -> Answer {
    let mut command = place.command(&["run", "packs.toml", "--out", folder, "--jobs", "1"]);
    command.env("GRIDBENCH_ISA", "dfdx").env("GRIDBENCH_PACK", most);
    command.output().expect("bench starts").into()
}

#[test]
fn packs_of_any_size_give_the_bits_of_members_alone() {
    let place = Place::new();
    place.file("packs.toml", DIGITS);
    for (folder, most) in [("alone", "1"), ("five", "5"), ("all", "64")] {
        let answer = run(&place, folder, most);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
    }
    let of = |folder: &str| place.read(&format!("{folder}/tables/trials.csv"));
    for folder in ["five", "all"] {
        for name in ["test_accuracy", "test_loss", "train_loss", "validation_loss"] {
            assert_eq!(column(&of("alone"), name), column(&of(folder), name), "{folder}: {name}");
        }
    }
}

#[test]
fn a_pack_of_no_size_is_refused() {
    let place = Place::new();
    place.file("packs.toml", DIGITS);
    for most in ["0", "many"] {
        let answer = run(&place, "none", most);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(answer.stderr.contains("cannot use `GRIDBENCH_PACK`"), "{}", answer.stderr);
        assert!(answer.stderr.contains(&format!("found `{most}`")), "{}", answer.stderr);
    }
}
