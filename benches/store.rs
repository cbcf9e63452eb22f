//! Cost of the store: `cargo bench --bench store [FOLDER] [-- run|open|merge]`.
//!
//! `run`: 100,000 empty trials of the fake engine by the program itself: processor time per trial,
//! then the finished folder run again, reported and asked for its status. `open`: a journal of
//! 1,000,000 trials of five epochs (2.3 GB) is written and opened; `merge`: the same in 1,000 journals,
//! as a thousand workers leave them. Processor times are the ones to compare; wall times depend on what
//! else the machine does.
#![expect(clippy::print_stdout, reason = "a benchmark reports to the terminal")]

mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use gridbench::base::{CellId, MemberId, MetricName, Metrics, Seed, SeedPath, TrialId, digest_of};
use gridbench::record::{
    EpochRecord, MemberRecord, MemberSummary, Outcome, Selection, TrialRecord,
};
use gridbench::store::{Finished, ManifestDraft, Repeats, Store};
use process::{peak_bytes, processor_time};

const EXPERIMENT: &str = r#"
name = "big"
repeats = 100
seed = 7
[dataset]
source = "synthetic"
images = 100
[train]
epochs = 5
[trainer]
engine = "fake"
[trainer.fake]
accuracy = 0.9
spread = 0.004
[[grid]]
[grid.axes]
"augment.rotation" = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
"augment.shift" = [0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09]
"augment.shear" = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
"#;
const TRIALS: u32 = 1_000_000;
const PARTS: [&str; 3] = ["run", "open", "merge"];

fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    let asks = |part: &str| {
        !named.iter().any(|one| PARTS.contains(&one.as_str()))
            || named.iter().any(|one| one == part)
    };
    let folder = named.iter().find(|one| !PARTS.contains(&one.as_str()));
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    if asks("run") {
        of_the_program(&folder);
    }
    if asks("open") {
        of_the_reader(&folder, 1);
    }
    if asks("merge") {
        of_the_reader(&folder, 1000);
    }
}

/// Runs, resumes and reports 100,000 trials.
fn of_the_program(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    let file = folder.join("big.toml");
    gridbench::store::atomic::write(&file, EXPERIMENT.as_bytes()).expect("a file");
    let (file, out) = (file.display().to_string(), folder.join("big").display().to_string());
    for (what, arguments) in [
        ("run", vec!["run", &file, "--out", &out, "--quiet"]),
        ("run again", vec!["run", &file, "--out", &out, "--quiet"]),
        ("report", vec!["report", &out]),
        ("status", vec!["status", &out]),
    ] {
        let output = Command::new("/usr/bin/time")
            .args(["-f", "%e %U %S %M", env!("CARGO_BIN_EXE_bench")])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .expect("GNU time is there");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().last().unwrap_or_default();
        let numbers: Vec<f64> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [wall, user, system, kib] = numbers[..] else { panic!("{stderr}") };
        println!(
            "{what:<10} {wall:>7.2} s, {:>6.2} s of processor time ({:.3} ms per trial), {:>5.0} MB",
            user + system,
            1e3 * (user + system) / 1e5,
            kib * 1024.0 / 1e6
        );
    }
    let count =
        |name: &str| std::fs::read_dir(folder.join("big").join(name)).map_or(0, Iterator::count);
    println!("files: {} journals, {} of predictions", count("journal"), count("predictions"));
}

/// Opens a million trials in so many journals.
fn of_the_reader(folder: &Path, journals: u32) {
    let folder = folder.join(format!("million-{journals}"));
    if !folder.join("manifest.json").is_file() {
        let began = Instant::now();
        fill_apart(&folder, journals);
        println!("{TRIALS} trials written in {:.1} s", began.elapsed().as_secs_f64());
    }
    let began = Instant::now();
    let before = spent();
    let store = Store::open_reader(&folder).expect("the folder opens");
    println!(
        "{} members, {} trials in {journals} journals opened in {:.2} s, {:.2} s of processor time, {} MB at most",
        store.members().len(),
        store.trials().len(),
        began.elapsed().as_secs_f64(),
        spent() - before,
        peak_bytes().unwrap_or_default() / 1_000_000
    );
}

/// Writes a journal at a time, each in a folder of its own, and moves it to the others.
fn fill_apart(folder: &Path, journals: u32) {
    let each = TRIALS / journals;
    fill(folder, 0..each);
    for journal in 1..journals {
        let apart = tempfile::tempdir_in(folder).expect("a temporary folder");
        fill(apart.path(), journal * each..(journal + 1) * each);
        for entry in std::fs::read_dir(apart.path().join("journal")).expect("journals") {
            let name = entry.expect("an entry").file_name();
            let to = folder.join("journal").join(format!("{journal}-{}", name.display()));
            let from = apart.path().join("journal").join(name);
            std::fs::rename(from, to).expect("a journal moves");
        }
    }
}

fn fill(folder: &Path, indices: std::ops::Range<u32>) {
    let draft = ManifestDraft {
        name: "million".to_owned(),
        typed: String::new(),
        overrides: vec![],
        experiment: serde_json::json!({}),
        engine: "none".to_owned(),
        engine_revision: "1".to_owned(),
        datasets: vec![],
        programs: Vec::new(),
        repeats: Repeats::default(),
        repository: None,
    };
    let mut store = Store::open_writer(folder, draft).expect("a folder");
    let (writer, view) = store.parts().expect("it is open for writing");
    let mut last = None;
    for index in indices {
        let noise = f64::from(index) * 1e-7 / 3.0;
        let id = MemberId::from(digest_of(&index.to_le_bytes()));
        let epochs = (1..=5).map(|epoch| EpochRecord {
            epoch,
            learning_rate: 0.001,
            train_loss: 0.7 / f64::from(epoch) + noise,
            train_accuracy: 0.9 + noise,
            validation_loss: Some(0.8 / f64::from(epoch) + noise),
            validation_accuracy: Some(0.89 + noise),
            train_seconds: 1.5 + noise,
        });
        let metrics = Metrics::from([
            (MetricName::TEST_ACCURACY, 0.9 + noise),
            (MetricName::TEST_LOSS, 0.3 + noise),
            (MetricName::VALIDATION_ACCURACY, 0.89 + noise),
            (MetricName::VALIDATION_LOSS, 0.31 + noise),
            (MetricName::TRAIN_ACCURACY, 0.92 + noise),
            (MetricName::TRAIN_LOSS, 0.2 + noise),
            (MetricName::TRAIN_SECONDS, 7.5 + noise),
        ]);
        let record = MemberRecord {
            id,
            seed_path: SeedPath::member(Seed(7), index, 0),
            attempt: 1,
            outcome: Outcome::Completed,
            reason: None,
            epochs: epochs.collect(),
            summary: Some(MemberSummary {
                epochs: 5,
                selected_epoch: 5,
                selection: Selection::Last,
                metrics: metrics.clone(),
                trainable_parameters: 650,
                path: "fake".to_owned(),
                images_trained: 4000,
            }),
        };
        let finished = Finished { record: &record, predictions: None, weights: None };
        let _ = writer.add_member(view, &finished).expect("a member");
        let trial = TrialRecord {
            id: TrialId::from(digest_of(&[&index.to_le_bytes()[..], b"t"].concat())),
            cell: CellId::from(digest_of(&(index / 100).to_le_bytes())),
            repeat: index % 100,
            members: vec![id],
            outcome: Outcome::Completed,
            reason: None,
            metrics,
        };
        last = Some(writer.add_trial(view, &trial).expect("a trial"));
    }
    writer.flush(last.expect("there are trials")).expect("a flush");
}

/// Returns the processor time so far, in seconds.
fn spent() -> f64 {
    processor_time().unwrap_or_default().as_secs_f64()
}
