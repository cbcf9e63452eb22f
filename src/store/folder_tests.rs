use std::time::SystemTime;

use serde_json::json;

use super::*;
use crate::base::{CellId, Seed, SeedPath};
use crate::record::{LogProbabilities, MemberSummary, Outcome, PredictionPrecision, Selection};

fn draft(name: &str) -> ManifestDraft {
    ManifestDraft {
        name: name.to_owned(),
        typed: format!("name = \"{name}\"\n"),
        overrides: vec!["repeats=2".to_owned()],
        experiment: json!({ "name": name }),
        engine: "none".to_owned(),
        engine_revision: "1".to_owned(),
        datasets: vec![],
        repeats: crate::store::Repeats::default(),
    }
}

fn id(text: &str) -> MemberId {
    MemberId::from(digest_of(text.as_bytes()))
}

fn member(name: &str, outcome: Outcome, attempt: u32) -> MemberRecord {
    MemberRecord {
        id: id(name),
        seed_path: SeedPath::member(Seed(1), 0, 0),
        attempt,
        outcome,
        reason: None,
        epochs: vec![],
        summary: None,
    }
}

fn predictions() -> Predictions {
    Predictions {
        test: LogProbabilities::of_probabilities(2, [0.25, 0.75]),
        test_labels: vec![1],
        ..Predictions::default()
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store-1")
}

/// Every file below `folder` with its content and date.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let date = path.metadata().unwrap().modified().unwrap();
                files.push((path.clone(), fs::read(&path).unwrap(), date));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn what_was_stored_is_there_when_the_folder_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path(), draft("x")).unwrap();
    let record = member("a", Outcome::Completed, 1);
    store.append_member(record.clone(), Some(&predictions())).unwrap();
    store.append_member(member("b", Outcome::Failed, 1), None).unwrap();
    drop(store);
    for _ in 0..2 {
        let store = Store::open_writer(folder.path(), draft("x")).unwrap();
        assert_eq!(store.members().len(), 2);
        assert_eq!(store.members()[&id("a")], record);
        assert_eq!(store.predictions(&id("a")).unwrap(), predictions());
        let error = store.predictions(&id("b")).unwrap_err();
        assert!(error.to_string().contains(&id("b").to_string()), "{error}");
        assert_eq!(store.view().sessions().len(), 1, "sessions without entries leave no line");
    }
}

#[test]
fn the_best_and_then_the_latest_word_on_a_member_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path(), draft("x")).unwrap();
    for (outcome, attempt, counts) in [
        (Outcome::Failed, 1, Outcome::Failed),
        (Outcome::Interrupted, 2, Outcome::Interrupted),
        (Outcome::Failed, 1, Outcome::Interrupted),
        (Outcome::TimedOut, 2, Outcome::TimedOut),
        (Outcome::Completed, 3, Outcome::Completed),
        (Outcome::Failed, 4, Outcome::Completed),
    ] {
        store.append_member(member("a", outcome, attempt), None).unwrap();
        assert_eq!(store.members()[&id("a")].outcome, counts);
    }
}

#[test]
fn a_reader_touches_nothing_and_reads_beside_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Store::open_writer(folder.path(), draft("x")).unwrap();
    writer.append_member(member("a", Outcome::Completed, 1), Some(&predictions())).unwrap();
    let journal = folder.path().join("journal/main.jsonl");
    let torn = [&fs::read(&journal).unwrap()[..], b"{\"member\":{\"id\""].concat();
    atomic::write(&journal, &torn).unwrap();
    let before = snapshot(folder.path());
    let mut reader = Store::open_reader(folder.path()).unwrap();
    assert_eq!(reader.members(), writer.members());
    let error = reader.append_member(member("b", Outcome::Failed, 1), None).unwrap_err();
    assert!(error.to_string().ends_with("was opened for reading only"), "{error}");
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn a_second_writer_is_refused_while_the_first_lives() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open_writer(folder.path(), draft("x")).unwrap();
    let error = Store::open_writer(folder.path(), draft("x")).err().unwrap();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.hint().is_some());
    drop(first);
    Store::open_writer(folder.path(), draft("x")).unwrap();
}

#[test]
fn a_folder_holds_one_experiment_whose_file_may_change() {
    let folder = tempfile::tempdir().unwrap();
    let created = {
        let store = Store::open_writer(folder.path(), draft("x")).unwrap();
        store.manifest().created.clone()
    };
    let grown = ManifestDraft { typed: "name = \"x\"\nrepeats = 9\n".to_owned(), ..draft("x") };
    let store = Store::open_writer(folder.path(), grown.clone()).unwrap();
    assert_eq!(store.manifest().created, created);
    drop(store);
    let read = Store::open_reader(folder.path()).unwrap();
    assert_eq!(read.manifest().run, grown);
    let error = Store::open_writer(folder.path(), draft("y")).err().unwrap();
    assert!(
        error.to_string().ends_with("holds results of experiment `x`, expected `y`"),
        "{error}"
    );
}

#[test]
fn a_folder_without_a_manifest_holds_no_results() {
    let folder = tempfile::tempdir().unwrap();
    let error = Store::open_reader(folder.path()).err().unwrap();
    assert!(error.to_string().ends_with("holds no results: no `manifest.json` in it"), "{error}");
    assert!(error.hint().unwrap().contains("bench run"));
}

#[test]
fn a_place_that_cannot_be_written_is_one_clear_error() {
    let error = Store::open_writer(Path::new("/proc/results"), draft("x")).err().unwrap();
    assert_eq!(error.to_string(), "cannot create the folder `/proc/results`");
}

#[test]
fn workers_keep_journals_of_their_own_and_everyone_reads_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut main = Store::open_writer(folder.path(), draft("x")).unwrap();
    let mut worker = Store::open_worker(folder.path(), "node-2", "none").unwrap();
    assert!(Store::open_worker(folder.path(), "node-2", "none").is_err());
    main.append_member(member("a", Outcome::Completed, 1), Some(&predictions())).unwrap();
    worker.append_member(member("b", Outcome::Completed, 1), Some(&predictions())).unwrap();
    assert_eq!(Store::open_reader(folder.path()).unwrap().members().len(), 2);
}

#[test]
fn finished_members_of_another_folder_are_imported_with_their_predictions() {
    let folders = tempfile::tempdir().unwrap();
    let mut other = Store::open_writer(&folders.path().join("other"), draft("other")).unwrap();
    let completed = |name: &str| member(name, Outcome::Completed, 1);
    for name in ["good", "lost", "not asked for"] {
        other.append_member(completed(name), Some(&predictions())).unwrap();
    }
    other.append_member(member("failed", Outcome::Failed, 1), None).unwrap();
    other.append_member(member("diverged", Outcome::Diverged, 1), None).unwrap();
    fs::remove_file(predictions_path(other.folder(), &id("lost"))).unwrap();

    let mut store = Store::open_writer(&folders.path().join("mine"), draft("mine")).unwrap();
    let asked = ["good", "lost", "failed", "diverged", "unknown"].map(id);
    let imported = store.import_from(&other, asked).unwrap();
    assert_eq!(imported, [id("good"), id("diverged")]);
    assert_eq!(store.predictions(&id("good")).unwrap(), predictions());
    assert_eq!(store.import_from(&other, asked).unwrap(), []);
    let again = Store::open_reader(store.folder()).unwrap();
    assert_eq!(again.members(), store.members());
}

#[test]
fn a_writer_removes_what_a_killed_one_left() {
    let folder = tempfile::tempdir().unwrap();
    // Linux has no process beyond 2²².
    let left = folder.path().join("tables/.trials.csv.4194305.6.tmp");
    atomic::write(&left, b"half").unwrap();
    drop(Store::open_writer(folder.path(), draft("x")).unwrap());
    assert!(!left.exists());
}

#[cfg(unix)]
#[test]
fn a_journal_that_is_gone_takes_no_more_entries() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(&folder.path().join("x"), draft("x")).unwrap();
    store.append_member(member("a", Outcome::Failed, 1), None).unwrap();
    store.check_place().unwrap();
    fs::rename(folder.path().join("x"), folder.path().join("y")).unwrap();
    let error = store.append_member(member("b", Outcome::Failed, 1), None).unwrap_err();
    assert!(matches!(error, StoreError::Moved { .. }), "{error}");
    assert!(store.check_place().is_err());
}

#[test]
fn later_and_damaged_manifests_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    atomic::write(&path, b"{\"gridbench-manifest\": 2, \"all\": \"new\"}").unwrap();
    let error = Store::open_reader(folder.path()).err().unwrap();
    assert!(error.to_string().ends_with("has format version 2, this `bench` reads up to 1"));
    for text in [&b"{\"gridbench-manifest\": 1}"[..], b"{\"gridbench-", b"[]"] {
        atomic::write(&path, text).unwrap();
        let error = Store::open_reader(folder.path()).err().unwrap();
        assert!(matches!(error, StoreError::DamagedManifest { .. }), "{error}");
    }
}

// The golden folder was written by a script of its own, not by this crate.

#[test]
fn a_folder_of_format_version_1_is_read() {
    let store = Store::open_reader(&golden()).unwrap();
    let manifest = store.manifest();
    assert_eq!((manifest.run.name.as_str(), manifest.run.datasets[0].images), ("golden", 1797));
    assert_eq!(manifest.machine.memory_mib, Some(24_000));
    let dataset = json!({ "source": { "kind": "digits" }, "image-size": null, "split": {} });
    assert_eq!(manifest.checksum_of(&dataset), Some(digest_of(b"digits")));
    let other = json!({ "source": { "kind": "digits" }, "image-size": 28 });
    assert_eq!(manifest.checksum_of(&other), None);

    let outcomes =
        ["member-0", "member-1", "member-2"].map(|name| store.members()[&id(name)].outcome);
    assert_eq!(outcomes, [Outcome::Completed, Outcome::Diverged, Outcome::Failed]);
    assert!(store.members()[&id("member-1")].epochs[0].train_loss.is_nan());
    let trial = |name: &str| &store.trials()[&TrialId::from(digest_of(name.as_bytes()))];
    assert_eq!(trial("trial-0").cell, CellId::from(digest_of(b"cell-0")));
    assert_eq!(trial("trial-1").reason.as_deref(), Some("out of memory"));
    assert!(store.view().failed_in_an_earlier_run(&id("member-2")));
    assert_eq!(store.view().next_attempt(&id("member-2")), 2);
    assert_eq!(store.view().sessions()[0].engine, "cpu, portable f32");

    let predictions = store.predictions(&id("member-0")).unwrap();
    assert_eq!(predictions.precision, PredictionPrecision::Half);
    assert_eq!(predictions.test, LogProbabilities::of_probabilities(2, [0.75, 0.25, 0.5, 0.5]));
    assert_eq!(predictions.test_labels, [0, 1]);
    assert_eq!(predictions.validation, LogProbabilities::of_probabilities(2, [0.125, 0.875]));
    assert_eq!(predictions.validation_labels, [1]);
}

#[test]
fn a_folder_of_format_version_1_is_written_on() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["manifest.json", "journal/main.jsonl"] {
        atomic::write(&folder.path().join(name), &fs::read(golden().join(name)).unwrap()).unwrap();
    }
    let mut store = Store::open_writer(folder.path(), draft("golden")).unwrap();
    store.append_member(member("new", Outcome::Completed, 1), None).unwrap();
    assert_eq!(store.manifest().created, "2026-01-02T03:04:05Z");
    assert_eq!(Store::open_reader(folder.path()).unwrap().members().len(), 4);
}

#[test]
fn the_extent_of_a_store_is_the_length_of_its_journals() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path(), draft("a")).unwrap();
    store.append_member(member("1", Outcome::Completed, 1), None).unwrap();
    assert_eq!(store.extent(), journal_lengths(folder.path()).unwrap());
    let reader = Store::open_reader(folder.path()).unwrap();
    let before = reader.extent();
    assert_eq!(before, store.extent());
    store.append_member(member("2", Outcome::Completed, 1), None).unwrap();
    assert_ne!(before, journal_lengths(folder.path()).unwrap());
}

#[test]
fn the_manifest_names_the_paths_the_members_took() {
    let folder = tempfile::tempdir().unwrap();
    let run = ManifestDraft { engine: "cpu, fused avx512".to_owned(), ..draft("paths") };
    let mut store = Store::open_writer(folder.path(), run).unwrap();
    store.name_paths().unwrap();
    assert_eq!(store.manifest().run.engine, "cpu, fused avx512");
    for (name, path) in [("a", "fused amx-bf16"), ("b", "portable f32"), ("c", "fused amx-bf16")] {
        let summary = MemberSummary {
            epochs: 1,
            selected_epoch: 1,
            selection: Selection::Last,
            metrics: BTreeMap::new(),
            trainable_parameters: 1,
            path: path.to_owned(),
            images_trained: 1,
        };
        let record = MemberRecord { summary: Some(summary), ..member(name, Outcome::Completed, 1) };
        store.append_member(record, Some(&predictions())).unwrap();
    }
    store.name_paths().unwrap();
    drop(store);
    let read = Manifest::read(folder.path()).unwrap().unwrap();
    assert_eq!(read.run.engine, "cpu, fused amx-bf16 and portable f32");
}
