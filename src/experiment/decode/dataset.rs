//! `[dataset]`: source and split.

use std::path::PathBuf;

use crate::experiment::keys;
use crate::experiment::problem::one_of;
use crate::experiment::reader::{COUNT, Finding, Findings, Limits, Section, WHOLE, choice, whole};
use crate::experiment::settings::{
    DatasetSettings, ImageFit, LabelKind, LimitSettings, Share, Source, SplitSeed, SplitSettings,
};
use crate::experiment::tree::{Data, Node, find};

/// Keys of every source.
const COMMON: &[&str] = &["source", "image-size", "train-limit", "limits", "split"];
/// Keys of sources that are files.
const OF_FILES: &[&str] = &["path", "image-fit", "background", "max-value"];
/// Keys of tables alone.
const OF_TABLES: &[&str] = &["label", "label-kind", "ignore-columns"];
const SOURCES: [&str; 8] =
    ["digits", "mnist", "fashion-mnist", "kmnist", "idx", "csv", "folder", "synthetic"];
const FITS: [(&str, ImageFit); 2] = [("pad", ImageFit::Pad), ("stretch", ImageFit::Stretch)];
const LABEL_KINDS: [(&str, LabelKind); 3] =
    [("auto", LabelKind::Auto), ("number", LabelKind::Number), ("text", LabelKind::Text)];
const MAX_VALUE: Limits =
    Limits { expected: "a whole number from 1 to 65535", holds: |x| (1.0..=65_535.0).contains(&x) };
const LIMIT: Limits =
    Limits { expected: "a whole number from 1 to 1000000000", holds: |x| (1.0..=1e9).contains(&x) };
/// Made-up images and their classes, few enough to make in a second.
const IMAGES: Limits = Limits {
    expected: "a whole number of images from 1 to 1000000",
    holds: |x| (1.0..=1e6).contains(&x),
};
/// Memory of made-up images.
const MAX_SYNTHETIC_BYTES: f64 = 2e9;
const CLASSES: Limits = Limits {
    expected: "a whole number of classes from 2 to 10000",
    holds: |x| (2.0..=1e4).contains(&x),
};

/// Says that there is no `[dataset]`, which all trainers but programs need.
pub(super) fn missing(findings: &mut Findings) {
    let expected = one_of(SOURCES);
    findings.add(Finding {
        origin: None,
        message: format!("`dataset.source` is missing, expected {expected}"),
        hint: None,
        missing: Some("dataset.source".to_owned()),
    });
}

/// Reads `[dataset]`.
pub(super) fn dataset(node: Option<&Node>, findings: &mut Findings) -> DatasetSettings {
    if node.is_none() {
        return DatasetSettings::of(Source::None);
    }
    let typed = node.and_then(Node::entries).and_then(|entries| find(entries, "source"));
    let choices = SOURCES.map(|name| (name, name));
    let name = typed.and_then(|entry| choice("dataset.source", &entry.node, &choices, findings));
    let own: Vec<&str> = match name {
        // Without a source nobody knows which keys belong.
        None => keys::below("dataset").to_vec(),
        Some("idx") => [COMMON, OF_FILES].concat(),
        Some("folder") => [COMMON, OF_FILES, &["skip-bad", "test-path"]].concat(),
        Some("csv") => [COMMON, OF_FILES, &["skip-bad", "test-path"], OF_TABLES].concat(),
        Some("synthetic") => [COMMON, &["images", "classes"]].concat(),
        Some(_) => COMMON.to_vec(),
    };
    let variant = ("source", name.unwrap_or_default());
    let section = Section::open_variant(
        node,
        "dataset".into(),
        keys::below("dataset"),
        &own,
        variant,
        findings,
    );
    if typed.is_none() {
        section.missing("source", &one_of(SOURCES), findings);
    }
    let source = source(name.unwrap_or("digits"), &section, findings);
    let image_size = section.whole("image-size", COUNT, findings);
    if let Source::Synthetic { images, classes } = source {
        // A byte per pixel, and the pattern of every class in 64 bits.
        let rows = images as f64 + 8.0 * classes as f64;
        let bytes = rows * (image_size.unwrap_or(8) as f64).powi(2);
        if bytes > MAX_SYNTHETIC_BYTES {
            findings.advise(
                section.origin(),
                format!("the made-up images take {:.0} GB, at most 2 are allowed", bytes / 1e9),
                "lower `images`, `classes` or `image-size`".to_owned(),
            );
        }
    }
    DatasetSettings {
        source,
        image_size,
        image_fit: section.choice("image-fit", &FITS, findings),
        background: background(&section, findings),
        max_value: section.whole("max-value", MAX_VALUE, findings),
        train_limit: section.whole("train-limit", COUNT, findings),
        skip_bad: section.flag("skip-bad", false, findings),
        limits: limits(section.get("limits"), findings),
        split: split(section.get("split"), findings),
    }
}

fn source(name: &str, section: &Section<'_>, findings: &mut Findings) -> Source {
    let mut path = |what: &str| {
        if section.get("path").is_none() {
            section.missing("path", what, findings);
        }
        path_at(section, "path", findings).unwrap_or_default()
    };
    match name {
        "mnist" => Source::Mnist,
        "fashion-mnist" => Source::FashionMnist,
        "kmnist" => Source::Kmnist,
        "idx" => Source::Idx { path: path("the folder that holds the IDX files") },
        "folder" => Source::Folder {
            path: path("the folder that holds one folder of images per class"),
            test_path: path_at(section, "test-path", findings),
        },
        "csv" => Source::Csv {
            path: path("the CSV file of the training images"),
            test_path: path_at(section, "test-path", findings),
            label: section.text("label", findings).unwrap_or("label").to_owned(),
            label_kind: section.choice("label-kind", &LABEL_KINDS, findings).unwrap_or_default(),
            ignore_columns: columns(section, "ignore-columns", findings),
        },
        "synthetic" => Source::Synthetic {
            images: section.whole("images", IMAGES, findings).unwrap_or(1000),
            classes: section.whole("classes", CLASSES, findings).unwrap_or(10),
        },
        _ => Source::Digits,
    }
}

fn path_at(section: &Section<'_>, key: &str, findings: &mut Findings) -> Option<PathBuf> {
    let text = section.text(key, findings)?;
    if text.is_empty() {
        let node = section.get(key).expect("the key was just read");
        findings.wrong(&section.name(key), node, "a path");
    }
    Some(PathBuf::from(text))
}

/// Reads the names of columns: a text, or a list of them.
fn columns(section: &Section<'_>, key: &str, findings: &mut Findings) -> Vec<String> {
    let Some(node) = section.get(key) else { return Vec::new() };
    let names = match &node.data {
        Data::List(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
        _ => node.text().map(|text| vec![text.to_owned()]),
    };
    names.unwrap_or_else(|| {
        findings.wrong(&section.name(key), node, "the name of a column, or a list of names");
        Vec::new()
    })
}

/// Reads a grey value by its name or as a number.
fn background(section: &Section<'_>, findings: &mut Findings) -> u8 {
    let Some(node) = section.get("background") else { return u8::MAX };
    let grey = match &node.data {
        Data::Text(text) if &**text == "white" => Some(u8::MAX),
        Data::Text(text) if &**text == "black" => Some(0),
        Data::Integer(grey) => u8::try_from(*grey).ok(),
        _ => None,
    };
    grey.unwrap_or_else(|| {
        let expected = "`\"white\"`, `\"black\"` or a grey value from 0 to 255";
        findings.wrong(&section.name("background"), node, expected);
        u8::MAX
    })
}

fn limits(node: Option<&Node>, findings: &mut Findings) -> LimitSettings {
    let section = Section::open(node, "dataset.limits", keys::below("dataset.limits"), findings);
    let usual = LimitSettings::default();
    let mut limit = |key, usual: u64| section.whole(key, LIMIT, findings).unwrap_or(usual);
    LimitSettings {
        file_mib: limit("file-mib", usual.file_mib),
        unpack_ratio: limit("unpack-ratio", usual.unpack_ratio),
        image_megapixels: limit("image-megapixels", usual.image_megapixels),
        images: limit("images", usual.images),
        memory_mib: limit("memory-mib", usual.memory_mib),
        classes: limit("classes", usual.classes),
    }
}

fn split(node: Option<&Node>, findings: &mut Findings) -> SplitSettings {
    let section = Section::open(node, "dataset.split", keys::below("dataset.split"), findings);
    let mut share_of = |key: &str| {
        let node = section.get(key)?;
        share(&section.name(key), node, key == "validation", findings)
    };
    let split = SplitSettings {
        train: share_of("train"),
        validation: share_of("validation"),
        test: share_of("test"),
        stratify: section.flag("stratify", false, findings),
        seed: section.get("seed").map_or(SplitSeed::Trial, |node| split_seed(node, findings)),
        folds: None,
    };
    let shares = [("train", split.train), ("validation", split.validation), ("test", split.test)];
    let fraction = |share: Option<Share>| match share {
        Some(Share::Fraction(fraction)) => Some(fraction),
        _ => None,
    };
    let of_rest = [split.train, split.validation].into_iter().filter_map(fraction).sum::<f64>();
    let fractions = match fraction(split.test) {
        Some(test) if split.shares_the_pool() => of_rest + test,
        _ => of_rest,
    };
    // Three tenths typed as 0.1 + 0.2 + 0.7 sum to a little more than 1.
    if fractions > 1.0 + 1e-9 {
        let of = if split.shares_the_pool() { "the images" } else { "what test leaves" };
        findings.say(
            section.origin(),
            format!(
                "the fractions of `dataset.split` add up to {fractions} of {of}, expected at most 1"
            ),
        );
    }
    for (index, (name, share)) in shares.iter().enumerate() {
        for (other_name, other) in &shares[index + 1..] {
            if let (Some(Share::Range { from, to }), Some(Share::Range { from: start, to: end })) =
                (share, other)
                && from < end
                && start < to
            {
                findings.say(
                    section.get(other_name).map(|node| node.origin),
                    format!("`dataset.split.{other_name}` and `dataset.split.{name}` overlap: {start}..{end} and {from}..{to}"),
                );
            }
        }
    }
    split
}

const SHARE: &str =
    "a fraction between 0 and 1, a whole number of images from 1, or a range `[from, to]`";

fn share(name: &str, node: &Node, may_be_none: bool, findings: &mut Findings) -> Option<Share> {
    match &node.data {
        Data::Integer(0) if may_be_none => return None,
        Data::Float(value) if may_be_none && value.abs() <= 0.0 => return None,
        Data::Integer(value) if *value >= 1 => {
            return usize::try_from(*value).ok().map(Share::Count);
        }
        Data::Float(value) if *value > 0.0 && *value < 1.0 => return Some(Share::Fraction(*value)),
        Data::List(ends) if ends.len() == 2 => {
            let from = whole::<usize>(name, &ends[0], WHOLE, findings)?;
            let to = whole::<usize>(name, &ends[1], WHOLE, findings)?;
            if from < to {
                return Some(Share::Range { from, to });
            }
            findings.say(
                node.origin,
                format!("`{name}` is the range {from}..{to}, expected its end above its start"),
            );
        }
        _ => findings.wrong(name, node, SHARE),
    }
    None
}

fn split_seed(node: &Node, findings: &mut Findings) -> SplitSeed {
    match &node.data {
        Data::Text(text) if &**text == "trial" => SplitSeed::Trial,
        Data::Text(text) if &**text == "member" => SplitSeed::Member,
        Data::Integer(seed) if *seed >= 0 => SplitSeed::Fixed(seed.unsigned_abs()),
        _ => {
            let expected = "`\"trial\"`, `\"member\"` or a whole number from 0";
            findings.wrong("dataset.split.seed", node, expected);
            SplitSeed::Trial
        }
    }
}
