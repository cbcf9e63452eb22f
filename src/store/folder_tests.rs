use std::time::SystemTime;

use serde_json::json;

use super::*;
use crate::base::{CellId, Metrics, Seed, SeedPath, TrialId, digest_of};
use crate::record::{
    LogProbabilities, MemberRecord, MemberSummary, Outcome, PredictionPrecision, Selection,
};
use crate::store::{atomic, parts};

fn draft(name: &str) -> ManifestDraft {
    ManifestDraft {
        name: name.to_owned(),
        typed: format!("name = \"{name}\"\n"),
        overrides: vec!["repeats=2".to_owned()],
        experiment: json!({ "name": name }),
        engine: "none".to_owned(),
        engine_revision: "1".to_owned(),
        datasets: vec![],
        programs: Vec::new(),
        repeats: crate::store::Repeats::default(),
        repository: None,
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

/// Every member, the epochs aside.
fn records(store: &Store) -> BTreeMap<MemberId, MemberRecord> {
    store.members().values().map(|member| (member.id, member.record(vec![]))).collect()
}

fn journals(folder: &Path) -> usize {
    journal::files(folder).unwrap().len()
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
    store.append_member(&record, Some(&predictions())).unwrap();
    store.append_member(&member("b", Outcome::Failed, 1), None).unwrap();
    drop(store);
    for _ in 0..2 {
        let store = Store::open_writer(folder.path(), draft("x")).unwrap();
        assert_eq!(store.members().len(), 2);
        assert_eq!(store.members()[&id("a")].record(vec![]), record);
        assert_eq!(store.predictions(&id("a")).unwrap(), predictions());
        let error = store.predictions(&id("b")).unwrap_err();
        assert!(error.to_string().contains(&id("b").to_string()), "{error}");
        assert_eq!(journals(folder.path()), 1, "what has nothing to say leaves no journal");
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
        store.append_member(&member("a", outcome, attempt), None).unwrap();
        assert_eq!(store.members()[&id("a")].outcome, counts);
    }
}

#[test]
fn a_reader_touches_nothing_and_reads_beside_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Store::open_writer(folder.path(), draft("x")).unwrap();
    writer.append_member(&member("a", Outcome::Completed, 1), Some(&predictions())).unwrap();
    let (_, journal) = journal::files(folder.path()).unwrap().pop_first().unwrap();
    let torn = [&fs::read(&journal).unwrap()[..], b"{\"member\":{\"id\""].concat();
    atomic::write(&journal, &torn).unwrap();
    let before = snapshot(folder.path());
    let mut reader = Store::open_reader(folder.path()).unwrap();
    assert_eq!(records(&reader), records(&writer));
    let error = reader.append_member(&member("b", Outcome::Failed, 1), None).unwrap_err();
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
fn writers_that_no_lock_keeps_apart_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Store::open_writer(folder.path(), draft("x")).unwrap();
    // As on a file system whose locks end at the machine.
    fs::remove_file(folder.path().join("lock")).unwrap();
    let mut second = Store::open_writer(folder.path(), draft("x")).unwrap();
    for (store, own) in [(&mut first, "a"), (&mut second, "b")] {
        for name in [own, "both"] {
            store
                .append_member(&member(name, Outcome::Completed, 1), Some(&predictions()))
                .unwrap();
        }
    }
    let store = Store::open_reader(folder.path()).unwrap();
    assert_eq!((store.members().len(), journals(folder.path())), (3, 2));
    for name in ["a", "b", "both"] {
        assert_eq!(store.predictions(&id(name)).unwrap(), predictions());
    }
}

#[test]
fn finished_members_of_another_folder_are_imported_with_their_predictions() {
    let folders = tempfile::tempdir().unwrap();
    let mut other = Store::open_writer(&folders.path().join("other"), draft("other")).unwrap();
    let completed = |name: &str| member(name, Outcome::Completed, 1);
    for name in ["good", "lost", "not asked for"] {
        other.append_member(&completed(name), Some(&predictions())).unwrap();
    }
    other.append_member(&member("failed", Outcome::Failed, 1), None).unwrap();
    other.append_member(&member("diverged", Outcome::Diverged, 1), None).unwrap();
    let (_, file) = journal::files(other.folder()).unwrap().pop_first().unwrap();
    let file = parts::path(other.folder(), file.file_stem().unwrap().to_str().unwrap());
    let mut bytes = fs::read(&file).unwrap();
    let length = bytes.len();
    bytes[length / 2] ^= 1;
    atomic::write(&file, &bytes).unwrap();

    let mut store = Store::open_writer(&folders.path().join("mine"), draft("mine")).unwrap();
    let asked = ["good", "lost", "failed", "diverged", "unknown"].map(id);
    let imported = store.import_from(&other, asked).unwrap();
    assert_eq!(imported, [id("good"), id("diverged")]);
    assert_eq!(store.predictions(&id("good")).unwrap(), predictions());
    assert_eq!(store.import_from(&other, asked).unwrap(), []);
    let again = Store::open_reader(store.folder()).unwrap();
    assert_eq!(records(&again), records(&store));
}

#[cfg(unix)]
#[test]
fn a_journal_that_is_gone_takes_no_more_entries() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(&folder.path().join("x"), draft("x")).unwrap();
    store.append_member(&member("a", Outcome::Failed, 1), None).unwrap();
    store.check_not_moved().unwrap();
    fs::rename(folder.path().join("x"), folder.path().join("y")).unwrap();
    let error = store.append_member(&member("b", Outcome::Failed, 1), None).unwrap_err();
    assert!(matches!(error, StoreError::Moved { .. }), "{error}");
    assert!(store.check_not_moved().is_err());
}

#[test]
fn later_and_damaged_manifests_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    for later in [
        "{\"gridbench-manifest\": 3, \"all\": \"new\"}",
        "{\"format\": \"gridbench-manifest\", \"version\": 3}",
    ] {
        atomic::write(&path, later.as_bytes()).unwrap();
        let error = Store::open_reader(folder.path()).err().unwrap();
        assert!(error.to_string().ends_with("has format version 3, this `bench` reads up to 2"));
    }
    for text in [&b"{\"gridbench-manifest\": 1}"[..], b"{\"gridbench-", b"[]"] {
        atomic::write(&path, text).unwrap();
        let error = Store::open_reader(folder.path()).err().unwrap();
        assert!(matches!(error, StoreError::DamagedManifest { .. }), "{error}");
    }
}

#[test]
fn no_flipped_bit_of_a_manifest_is_silent_and_a_run_writes_it_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    drop(Store::open_writer(folder.path(), draft("x")).unwrap());
    let sound = fs::read(&path).unwrap();
    let known = Manifest::read_file(folder.path()).unwrap();
    for bit in 0..8 * sound.len() {
        let mut flipped = sound.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        atomic::write_with(&path, &flipped, Durability::Cached).unwrap();
        match Manifest::read_file(folder.path()) {
            Err(StoreError::DamagedManifest { .. } | StoreError::Newer { .. }) => {}
            // Another kind of white space.
            Ok(read) => assert_eq!(read, known, "bit {bit}"),
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
    atomic::write(&path, &sound[1..]).unwrap();
    assert!(Store::open_reader(folder.path()).is_err());
    let error = Store::open_writer(folder.path(), draft("y")).err().unwrap();
    assert!(matches!(error, StoreError::OtherExperiment { .. }), "{error}");
    drop(Store::open_writer(folder.path(), draft("x")).unwrap());
    assert_eq!(Store::open_reader(folder.path()).unwrap().manifest().run, draft("x"));
}

#[test]
fn a_damaged_line_stops_readers_until_a_run_has_listed_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path(), draft("x")).unwrap();
    for name in ["a", "b", "c"] {
        store.append_member(&member(name, Outcome::Failed, 1), None).unwrap();
    }
    drop(store);
    let (name, path) = journal::files(folder.path()).unwrap().pop_first().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let damaged = text.replacen(&id("b").to_string(), &id("d").to_string(), 1);
    atomic::write(&path, damaged.as_bytes()).unwrap();
    let error = Store::open_reader(folder.path()).err().unwrap();
    let message = error.to_string();
    assert!(message.starts_with("line 4 of `") && message.contains("checksum"), "{message}");
    assert!(error.hint().unwrap().contains("damaged.list"));
    let store = Store::open_writer(folder.path(), draft("x")).unwrap();
    assert_eq!((store.damages(), store.members().len()), (1, 2));
    drop(store);
    let listed = fs::read_to_string(folder.path().join("damaged.list")).unwrap();
    assert!(listed.contains(&name) && listed.contains("\"line\":4"), "{listed}");
    assert_eq!(Store::open_reader(folder.path()).unwrap().members().len(), 2);
    assert_eq!(Store::open_writer(folder.path(), draft("x")).unwrap().damages(), 0);
    // Damage to the list brings the error back, nothing worse.
    atomic::write(
        &folder.path().join("damaged.list"),
        listed.replace(":4,", ":5,").replace("offset", "0ffset").as_bytes(),
    )
    .unwrap();
    assert!(Store::open_reader(folder.path()).is_err());
}

#[cfg(unix)]
#[test]
fn links_inside_a_results_folder_are_never_followed() {
    use std::os::unix::fs::symlink;
    for name in ["journal", "predictions", "tables", "charts", "weights", "checkpoints", "lock"] {
        let folder = tempfile::tempdir().unwrap();
        let (outside, results) = (folder.path().join("outside"), folder.path().join("results"));
        fs::create_dir_all(&outside).unwrap();
        fs::create_dir_all(&results).unwrap();
        let target = if name == "lock" { outside.join("file") } else { outside.clone() };
        symlink(&target, results.join(name)).unwrap();
        let error = Store::open_writer(&results, draft("x")).err().unwrap();
        let causes = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(causes.contains("symbolic link"), "{name}: {causes}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open_writer(&folder.path().join("x"), draft("x")).unwrap());
    for name in ["manifest.json", "journal/evil.jsonl"] {
        let path = folder.path().join("x").join(name);
        drop(fs::rename(&path, folder.path().join("kept")));
        symlink(folder.path().join("kept"), &path).unwrap();
        assert!(Store::open_reader(&folder.path().join("x")).is_err(), "{name}");
        fs::remove_file(&path).unwrap();
        drop(fs::rename(folder.path().join("kept"), &path));
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
    assert_eq!(manifest.facts_of(&dataset).map(|facts| facts.checksum), Some(digest_of(b"digits")));
    let other = json!({ "source": { "kind": "digits" }, "image-size": 28 });
    assert!(manifest.facts_of(&other).is_none());

    let outcomes =
        ["member-0", "member-1", "member-2"].map(|name| store.members()[&id(name)].outcome);
    assert_eq!(outcomes, [Outcome::Completed, Outcome::Diverged, Outcome::Failed]);
    assert!(store.epochs([id("member-1")]).unwrap()[0][0].train_loss.is_nan());
    let trial =
        |name: &str| store.trials().get(&TrialId::from(digest_of(name.as_bytes()))).unwrap();
    assert_eq!(trial("trial-0").cell, CellId::from(digest_of(b"cell-0")));
    assert_eq!(trial("trial-1").reason.as_deref(), Some("out of memory"));
    assert_eq!(store.view().next_attempt(&id("member-2")), 2);
    assert_eq!(store.view().sessions().next().unwrap().engine, "cpu, portable f32");

    let predictions = store.predictions(&id("member-0")).unwrap();
    assert_eq!(predictions.precision, PredictionPrecision::Half);
    assert_eq!(predictions.test, LogProbabilities::of_probabilities(2, [0.75, 0.25, 0.5, 0.5]));
    assert_eq!(predictions.test_labels, [0, 1]);
    assert_eq!(predictions.validation, LogProbabilities::of_probabilities(2, [0.125, 0.875]));
    assert_eq!(predictions.validation_labels, [1]);
}

#[test]
fn a_folder_of_format_version_1_is_written_on_and_its_files_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["manifest.json", "journal/main.jsonl"] {
        atomic::write(&folder.path().join(name), &fs::read(golden().join(name)).unwrap()).unwrap();
    }
    let mut store = Store::open_writer(folder.path(), draft("golden")).unwrap();
    store.append_member(&member("new", Outcome::Completed, 1), None).unwrap();
    assert_eq!(store.manifest().created, "2026-01-02T03:04:05Z");
    assert_eq!(store.manifest().run.typed, draft("golden").typed);
    assert_eq!(Store::open_reader(folder.path()).unwrap().members().len(), 4);
    for name in ["manifest.json", "journal/main.jsonl"] {
        assert_eq!(
            fs::read(folder.path().join(name)).unwrap(),
            fs::read(golden().join(name)).unwrap()
        );
    }
}

#[test]
fn derived_files_are_fresh_until_a_journal_grows_or_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path(), draft("a")).unwrap();
    store.append_member(&member("1", Outcome::Completed, 1), None).unwrap();
    let table = folder.path().join("tables/cells.csv");
    atomic::write(&table, b"a,b\n1,2\n").unwrap();
    store.conclude().unwrap();
    let fresh = Derived::fresh(folder.path()).unwrap();
    assert_eq!(fresh.clone().into_manifest(), *store.manifest());
    assert!(fresh.is_whole(folder.path()));
    atomic::write(&table, b"a,b\r\n1,2\r\n").unwrap();
    assert!(Derived::fresh(folder.path()).is_some(), "line ends may change on the way");
    atomic::write(&table, b"a,b\n1,3\n").unwrap();
    assert!(Derived::fresh(folder.path()).is_none());
    let error = Derived::of_tables(folder.path()).unwrap_err();
    assert!(error.to_string().contains("tables/cells.csv` is not what was written"), "{error}");
    atomic::write(&table, b"a,b\n1,2\n").unwrap();
    store.append_member(&member("2", Outcome::Completed, 1), None).unwrap();
    assert!(Derived::fresh(folder.path()).is_none());
}

#[test]
fn no_flipped_bit_of_the_stamp_makes_it_say_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path(), draft("a")).unwrap();
    atomic::write(&folder.path().join("tables/cells.csv"), b"a,b\n1,2\n").unwrap();
    store.conclude().unwrap();
    let path = folder.path().join("derived.json");
    let (sound, known) = (fs::read(&path).unwrap(), Derived::read(folder.path()).unwrap());
    for bit in 0..8 * sound.len() {
        let mut flipped = sound.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        atomic::write_with(&path, &flipped, Durability::Cached).unwrap();
        let read = Derived::read(folder.path()).ok().flatten();
        assert!(read.is_none() || read == known, "bit {bit}");
    }
}

#[test]
fn the_manifest_names_the_paths_the_members_took() {
    let folder = tempfile::tempdir().unwrap();
    let run = ManifestDraft { engine: "cpu, fused avx512".to_owned(), ..draft("paths") };
    let mut store = Store::open_writer(folder.path(), run).unwrap();
    assert_eq!(store.manifest().run.engine, "cpu, fused avx512");
    for (name, path) in [("a", "fused amx-bf16"), ("b", "portable f32"), ("c", "fused amx-bf16")] {
        let summary = MemberSummary {
            epochs: 1,
            selected_epoch: 1,
            selection: Selection::Last,
            metrics: Metrics::default(),
            trainable_parameters: 1,
            path: path.to_owned(),
            images_trained: 1,
        };
        let record = MemberRecord { summary: Some(summary), ..member(name, Outcome::Completed, 1) };
        store.append_member(&record, Some(&predictions())).unwrap();
    }
    store.complete_manifest();
    let named = "cpu, fused amx-bf16 and portable f32";
    assert_eq!(store.manifest().run.engine, named);
    assert_eq!(Store::open_reader(folder.path()).unwrap().manifest().run.engine, named);
    store.conclude().unwrap();
    assert_eq!(Manifest::read(folder.path()).unwrap().unwrap().run.engine, named);
}

#[test]
fn epochs_are_read_when_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path(), draft("x")).unwrap();
    let epoch = |epoch: u32| EpochRecord {
        epoch,
        learning_rate: 0.1,
        train_loss: f64::INFINITY,
        train_accuracy: 0.5,
        validation_loss: None,
        validation_accuracy: None,
        train_seconds: 0.25,
    };
    for (name, count) in [("a", 2), ("b", 0), ("c", 3)] {
        let record = MemberRecord {
            epochs: (1..=count).map(epoch).collect(),
            ..member(name, Outcome::Diverged, 1)
        };
        store.append_member(&record, None).unwrap();
    }
    let asked = ["c", "unknown", "a", "b"].map(id);
    for store in [&store, &Store::open_reader(folder.path()).unwrap()] {
        let read = store.epochs(asked).unwrap();
        assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [3, 0, 2, 0]);
        assert_eq!(read[2], [epoch(1), epoch(2)]);
    }
}
