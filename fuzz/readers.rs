//! Every reader of files that `bench` was given, each as a function of bytes: what libFuzzer mutates
//! (`fuzz/fuzz_targets`) and what the tests read again from `fuzz/corpus` (`tests/it/corpus.rs`).
//!
//! A reader may refuse, with a message, and nothing else: no panic, no endless loop, no memory without
//! bounds. What is protected by a checksum is sealed here, so that the mutation is not the first thing
//! that is found. What was read is used as the program would: rendered, checked, predicted with.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use gridbench::base::seal::{Check, seal_line, sealed_document};
use gridbench::base::text::{Printing, printable};
use gridbench::base::{MemberId, is_file_name};
use gridbench::check::render::{self, Context, Form};
use gridbench::check::{Baseline, BaselineError, CellSample, Source as SampleSource, check};
use gridbench::data::{DataFolders, Dataset, ImageShape, InputSettings, load, read_input};
use gridbench::engine::model_file::card_of;
use gridbench::engine::weights::from_safetensors;
use gridbench::engine::{DeviceChoice, Engine, build};
use gridbench::experiment::settings::{DatasetSettings, LabelKind, LimitSettings, Source};
use gridbench::experiment::{Document, Edition, Override};
use gridbench::program::{Output, hear};
use gridbench::report::{self, Format, Page, Subject};
use gridbench::results::{ExperimentResults, Facts, declared_axes};
use gridbench::store::{Manifest, Store};
use gridbench::{grid, tables};
use serde_json::{Map, Value, json};

/// A reader, by the name of its folder in `fuzz/corpus`.
pub(crate) type Reader = fn(&[u8]);

/// Every reader.
pub(crate) const READERS: [(&str, Reader); 11] = [
    ("experiment", experiment),
    ("journal", journal),
    ("manifest", manifest),
    ("tables-csv", tables_csv),
    ("tables-parquet", tables_parquet),
    ("baseline", baseline),
    ("model", model),
    ("idx", idx),
    ("csv", csv),
    ("images", images),
    ("program", program),
];

/// A manifest and tables that are as they should be.
const MANIFEST: &str = include_str!("../tests/golden/run-1/manifest.json");
const CELLS: &[u8] = include_bytes!("../tests/golden/run-1/tables/cells.csv");
const TRIALS: &[u8] = include_bytes!("../tests/golden/run-1/tables/trials.csv");
const EPOCHS: &[u8] = include_bytes!("../tests/golden/run-1/tables/epochs.csv");

/// Most cells and members that are looked at: the first are like the others.
const MAX_RECORDS: usize = 40;

fn folder() -> tempfile::TempDir {
    // What is kept in memory is written more often.
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary folder")
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

/// A refusal, with all of its causes.
fn told(error: &dyn Error) {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words} ` `{error}");
        cause = error.source();
    }
    heard(&words);
}

/// What is said must be printable, like everything.
fn heard(words: &str) {
    let mut printing = Printing { colors: false, commands: false, at_line_start: true, hashes: 0 };
    assert!(!printable(words, &mut printing).contains('\u{1b}'));
}

/// An experiment file, then overrides, each after a NUL.
pub(crate) fn experiment(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let typed = parts.next().unwrap_or_default();
    let overrides: Vec<Override> =
        parts.filter_map(|part| Override::parse(part).map_err(|error| told(&error)).ok()).collect();
    let document = match Document::parse(typed, "x.toml", &overrides) {
        Ok(document) => document,
        Err(error) => return told(&error),
    };
    let grid = match grid::expand(document.experiment()) {
        Ok(grid) => grid,
        Err(error) => return told(&error),
    };
    for cell in grid.cells().take(MAX_RECORDS) {
        heard(&grid.name(cell));
        match document.settings_for(grid.assignment(cell)) {
            Ok(settings) => heard(&serde_json::to_string(&settings).expect("settings serialise")),
            Err(error) => told(&error),
        }
    }
}

/// Lines of a journal; each that is an object is sealed, unless the first is of version 1.
pub(crate) fn journal(bytes: &[u8]) {
    let folder = folder();
    write(&folder.path().join("manifest.json"), MANIFEST.as_bytes());
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    let header: Value = serde_json::from_slice(lines[0]).unwrap_or_default();
    let (mut text, mut previous) = (Vec::new(), Check::START);
    for line in &lines {
        let mut line = line.to_vec();
        if header.get("gridbench-journal").is_none() && line.ends_with(b"}") && line.len() > 2 {
            previous = seal_line(previous, &mut line);
        } else {
            line.push(b'\n');
        }
        text.extend(line);
    }
    let name = header.get("journal").and_then(Value::as_str).filter(|name| is_file_name(name));
    write(&folder.path().join(format!("journal/{}.jsonl", name.unwrap_or("main"))), &text);
    let store = match Store::open_reader(folder.path()) {
        Ok(store) => store,
        Err(error) => return told(&error),
    };
    let ids: Vec<MemberId> =
        store.members().values().map(|member| member.id).take(MAX_RECORDS).collect();
    drop(store.epochs(ids.iter().copied()).map_err(|error| told(&error)));
    for id in &ids {
        drop(store.predictions(id).map_err(|error| told(&error)));
        drop(store.weights(id).map_err(|error| told(&error)));
    }
    for trial in store.trials().values().take(MAX_RECORDS) {
        heard(&serde_json::to_string(trial).expect("a record serialises"));
    }
    drop(Manifest::read(folder.path()).map_err(|error| told(&error)));
}

/// A manifest, sealed where it names its format, with tables beside it.
pub(crate) fn manifest(bytes: &[u8]) {
    let folder = folder();
    let text = match serde_json::from_slice::<Map<String, Value>>(bytes) {
        Ok(mut document) if document.contains_key("format") => {
            document.shift_remove("check");
            sealed_document(&document).into_bytes()
        }
        _ => bytes.to_vec(),
    };
    write(&folder.path().join("manifest.json"), &text);
    let manifest = match Manifest::read(folder.path()) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return,
        Err(error) => return told(&error),
    };
    let run = &manifest.run;
    let overrides: Vec<Override> =
        run.overrides.iter().filter_map(|text| Override::parse(text).ok()).collect();
    let edition = Edition::of(&run.engine_revision);
    drop(
        Document::parse_as_of(edition, &run.typed, "manifest", &overrides)
            .map_err(|error| told(&error)),
    );
    tables_in(folder.path(), &manifest, [("csv", CELLS), ("csv", TRIALS), ("csv", EPOCHS)]);
}

/// The tables of cells, trials and epochs as CSV, with a line `---` between them.
pub(crate) fn tables_csv(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split("---\n").map(|part| ("csv", part.as_bytes()));
    let mut next = |golden| parts.next().unwrap_or(("csv", golden));
    let files = [next(CELLS), next(TRIALS), next(EPOCHS)];
    golden_with(files);
}

/// One table as Parquet; the first byte says which, the others are as they should be.
pub(crate) fn tables_parquet(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let mut files = [("csv", CELLS), ("csv", TRIALS), ("csv", EPOCHS)];
    files[usize::from(which % 3)] = ("parquet", bytes);
    golden_with(files);
}

fn golden_with(files: [(&str, &[u8]); 3]) {
    let folder = folder();
    write(&folder.path().join("manifest.json"), MANIFEST.as_bytes());
    let manifest = Manifest::read(folder.path()).expect("a manifest").expect("a manifest");
    tables_in(folder.path(), &manifest, files);
}

fn tables_in(folder: &Path, manifest: &Manifest, files: [(&str, &[u8]); 3]) {
    for (name, (ending, bytes)) in ["cells", "trials", "epochs"].into_iter().zip(files) {
        write(&folder.join(format!("tables/{name}.{ending}")), bytes);
    }
    let facts = Facts::of(manifest);
    match tables::read(&folder.join("tables"), facts, &declared_axes(manifest)) {
        Ok(results) => reported(&results),
        Err(error) => told(&error),
    }
}

/// Reports results in every form and holds them against themselves.
fn reported(results: &ExperimentResults) {
    for format in Format::ALL {
        drop(report::render(&[Subject::from(results)], format, Page::default()));
    }
    drop(report::illustrated_markdown(&[Subject::from(results)]));
    drop(tables::frames(results));
    let samples = CellSample::all(results, results.metric(), u32::MAX);
    match Baseline::from_samples(SampleSource::of(results), samples) {
        Ok(baseline) => {
            let text = baseline.to_text();
            assert_eq!(Baseline::from_text(&text).expect("it reads what it writes"), baseline);
            checked(&baseline);
        }
        Err(error) => told(&error),
    }
}

/// Holds a baseline against itself, in every form.
fn checked(baseline: &Baseline) {
    const TEXT: &str = "name = \"x\"\nquestion = \"?\"\nseed = 1\nrepeats = 2\n[dataset]\nsource = \
        \"synthetic\"\n[trainer]\nengine = \"fake\"\n[check]\n";
    let settings = Document::parse(TEXT, "x", &[]);
    let mut settings = settings.expect("an experiment").experiment().check.clone();
    settings.metric = baseline.cells()[0].metric.name.clone();
    match check(baseline, baseline.cells(), baseline.source(), &settings) {
        Err(error) => told(&error),
        Ok(report) => {
            let cells = baseline.cells();
            let context = Context { folder: "folder", baseline: "baseline.json", cells };
            for form in [
                Form::Terminal,
                Form::Json,
                Form::Markdown,
                Form::Junit,
                Form::Github,
                Form::Bmf,
                Form::GithubActionBenchmark,
            ] {
                drop(render::render(&report, context, form));
            }
        }
    }
}

/// A baseline; its digest is made good.
pub(crate) fn baseline(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut read = Baseline::from_text(&text);
    if let Err(BaselineError::Digest { stated, found }) = &read {
        read = Baseline::from_text(&text.replace(&stated.to_string(), &found.to_string()));
    }
    match read {
        Ok(baseline) => checked(&baseline),
        Err(error) => told(&error),
    }
}

/// A card, a table of tensors, each on a line, and the bytes of the tensors; the checksum is made good.
pub(crate) fn model(bytes: &[u8]) {
    static ENGINE: LazyLock<Box<dyn Engine + Send + Sync>> =
        LazyLock::new(|| build(DeviceChoice::Cpu).expect("a CPU"));
    // Larger images only take longer.
    const MAX_PIXELS: usize = 4096;
    let mut parts = bytes.splitn(3, |&byte| byte == b'\n');
    let mut next = || parts.next().unwrap_or_default();
    let (card, tensors, data) = (next(), next(), next());
    let mut metadata = Map::new();
    metadata.insert("gridbench-model".to_owned(), String::from_utf8_lossy(card).into());
    let mut header: Map<String, Value> = serde_json::from_slice(tensors).unwrap_or_default();
    header.insert("__metadata__".to_owned(), metadata.into());
    let sealed = Check::of(&serde_json::to_vec(&header).expect("JSON")).then(data).to_string();
    header["__metadata__"]["gridbench-check"] = json!(sealed);
    let mut text = serde_json::to_vec(&header).expect("JSON");
    text.resize(text.len().next_multiple_of(8), b' ');
    let file = [&(text.len() as u64).to_le_bytes()[..], &text, data].concat();
    drop(from_safetensors(&file).map_err(|error| told(&error)));
    let card = match card_of(&file) {
        Ok(card) => card,
        Err(error) => return told(&error),
    };
    let [height, width, channels] = card.image;
    let pixels = height.saturating_mul(width).saturating_mul(channels);
    if pixels > MAX_PIXELS {
        return;
    }
    let shape = ImageShape { height, width, channels };
    let image = vec![77; pixels];
    let images = Dataset::new("input", shape, card.classes.clone(), image, vec![0], None);
    match ENGINE.predict(&card.settings, &images, &[0], &file) {
        Ok(answer) => assert!(answer.values.iter().all(|value| !value.is_nan()), "{answer:?}"),
        Err(error) => told(&error),
    }
}

/// Limits that keep one try short.
fn settings(source: Source, skip_bad: bool) -> DatasetSettings {
    let limits = LimitSettings {
        file_mib: 4,
        image_megapixels: 1,
        memory_mib: 8,
        images: 10_000,
        ..LimitSettings::default()
    };
    DatasetSettings { limits, skip_bad, ..DatasetSettings::of(source) }
}

fn loaded(settings: &DatasetSettings) {
    match load(settings, &DataFolders::default()) {
        Ok(dataset) => {
            drop(gridbench::data::info(&dataset));
            heard(&format!("{:?} of {}", dataset.shape, dataset.classes.len().min(9)));
            assert_eq!(dataset.labels.len(), dataset.len());
        }
        Err(error) => told(&error),
    }
}

/// Reads the images of a path as `bench predict` does.
fn given(path: &Path, dataset: &DatasetSettings, classes: &[String]) {
    let shape = ImageShape { height: 2, width: 2, channels: 1 };
    let settings =
        InputSettings { shape, dataset, columns: None, classes, label: None, id_column: None };
    drop(read_input(path, &settings).map_err(|error| told(&error)));
}

/// Images and labels as IDX files: the first two bytes say where the labels begin, the third whether
/// they are called packed.
pub(crate) fn idx(bytes: &[u8]) {
    let Some(([low, high, packed], rest)) = bytes.split_first_chunk::<3>() else { return };
    let middle = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (images, labels) = rest.split_at(middle);
    let ending = if packed & 1 == 1 { ".gz" } else { "" };
    let folder = folder();
    let at = |name: &str| folder.path().join(format!("{name}{ending}"));
    for half in ["train", "t10k"] {
        write(&at(&format!("{half}-images-idx3-ubyte")), images);
        write(&at(&format!("{half}-labels-idx1-ubyte")), labels);
    }
    let settings = settings(Source::Idx { path: folder.path().to_owned() }, false);
    loaded(&settings);
    given(&at("train-images-idx3-ubyte"), &settings, &["a".to_owned()]);
}

/// A table of images.
pub(crate) fn csv(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("x.csv");
    write(&path, bytes);
    for skip_bad in [false, true] {
        let source = Source::Csv {
            path: path.clone(),
            test_path: None,
            label: "label".to_owned(),
            label_kind: LabelKind::Auto,
            ignore_columns: vec!["id".to_owned()],
        };
        let settings = settings(source, skip_bad);
        loaded(&settings);
        given(&path, &settings, &["a".to_owned(), "b".to_owned()]);
    }
}

/// A folder of two classes with one image each; the first byte says of which kind the first is called.
pub(crate) fn images(bytes: &[u8]) {
    const ENDINGS: [&str; 9] = ["png", "jpg", "gif", "bmp", "pgm", "ppm", "webp", "tif", "pbm"];
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let folder = folder();
    let ending = ENDINGS[usize::from(*kind) % ENDINGS.len()];
    write(&folder.path().join(format!("a/x.{ending}")), bytes);
    write(&folder.path().join("b/y.pgm"), b"P5 2 2 255\n\0\x01\x02\x03");
    for skip_bad in [false, true] {
        let source = Source::Folder { path: folder.path().to_owned(), test_path: None };
        let settings = settings(source, skip_bad);
        loaded(&settings);
        given(&folder.path().join("a"), &settings, &["a".to_owned(), "b".to_owned()]);
    }
}

/// An experiment of a program, what it wrote to standard output and standard error, its results file
/// and a table `out.csv`, each after a NUL.
pub(crate) fn program(bytes: &[u8]) {
    let mut parts = bytes.splitn(5, |byte| *byte == 0);
    let typed = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    let (stdout, stderr, results, table) = (next(), next(), next(), next());
    let document = match Document::parse(&typed, "x.toml", &[]) {
        Ok(document) => document,
        Err(error) => return told(&error),
    };
    let folder = folder();
    write(&folder.path().join("out.csv"), table);
    let experiment = document.experiment();
    let output = Output { stdout, stderr, results, folder: folder.path() };
    let answer = hear(&experiment.metrics, &experiment.readings, output);
    match answer.numbers {
        Ok(numbers) => {
            for metric in &experiment.metrics {
                assert!(metric.can_be(numbers[&metric.name]), "{numbers:?}");
            }
            heard(&format!("{} in {} epochs", numbers.len(), answer.history.len().min(3)));
        }
        Err(message) => heard(&message),
    }
    heard(&answer.undeclared.join(" "));
}
