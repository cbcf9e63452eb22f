//! The top of the file, `[report]` and `[check]`.

use super::grid;
use crate::base::{Metric, MetricName, Seed, is_file_name};
use crate::experiment::keys;
use crate::experiment::program::Mode;
use crate::experiment::reader::{
    COUNT, Findings, Limits, NOT_NEGATIVE, Section, WHOLE, choice, number, whole,
};
use crate::experiment::selector::Selector;
use crate::experiment::settings::TrainerSettings;
use crate::experiment::tree::{Data, Node, Origin};
use crate::experiment::{
    CheckSettings, ConfusionPair, Match, MeasureSettings, ReportSettings, StoreSettings,
    StoredPredictions,
};

const GALLERY: Limits = Limits {
    expected: "a whole number of images from 0 to 1000",
    holds: |x| (0.0..=1000.0).contains(&x),
};
const LEVEL: Limits =
    Limits { expected: "a level above 0 and below 0.5", holds: |x| x > 0.0 && x < 0.5 };

const RATIO: Limits =
    Limits { expected: "a ratio above 0 and up to 1", holds: |x| x > 0.0 && x <= 1.0 };

const FOLDS: Limits = Limits {
    expected: "a whole number of folds from 2 to 1000",
    holds: |x| (2.0..=1000.0).contains(&x),
};

/// Trials per cell where nothing is said.
const DEFAULT_REPEATS: u32 = 5;
/// The master seed where nothing is said.
const DEFAULT_SEED: u64 = 42;
/// Percentage points for fractions, else in the unit of the metric.
const TOLERANCE: f64 = 0.10;
/// Percent.
const TOLERANCE_OF_TIMES: f64 = 5.0;

/// The keys at the top of the file.
pub(in crate::experiment) struct Head {
    pub(in crate::experiment) name: String,
    pub(in crate::experiment) question: Option<String>,
    pub(in crate::experiment) repeats: u32,
    pub(in crate::experiment) folds: Option<u32>,
    pub(in crate::experiment) seed: Seed,
    pub(in crate::experiment) save_weights: bool,
}

/// Reads the keys at the top of the file and refuses unknown ones.
pub(in crate::experiment) fn head(root: &Node, findings: &mut Findings) -> Head {
    let section = Section::open(Some(root), "", keys::below(""), findings);
    let name = match section.get("name") {
        None => {
            findings.advise(
                None,
                "`name` is missing, expected text that can name a folder".to_owned(),
                "add a first line such as `name = \"my-experiment\"`".to_owned(),
            );
            None
        }
        Some(node) => section.text("name", findings).filter(|name| {
            let fits = is_file_name(name);
            if !fits {
                findings.wrong(
                    "name",
                    node,
                    "1 to 100 letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
                );
            }
            fits
        }),
    };
    let folds = folds(section.get("folds"), findings);
    let typed: Option<u32> = section.whole("repeats", COUNT, findings);
    if let (Some(folds), Some(repeats)) = (folds, typed)
        && repeats > folds
    {
        findings.advise(
            section.get("repeats").map(|node| node.origin),
            format!("`repeats` is {repeats}, but a repeat is one of {folds} `folds`"),
            format!("remove `repeats`, or set it to at most {folds}"),
        );
    }
    Head {
        name: name.unwrap_or("unnamed").to_owned(),
        question: section.text("question", findings).map(str::to_owned),
        repeats: typed.or(folds).unwrap_or(DEFAULT_REPEATS),
        folds,
        seed: Seed(section.whole("seed", WHOLE, findings).unwrap_or(DEFAULT_SEED)),
        save_weights: section.flag("save-weights", false, findings),
    }
}

/// Reads the number of folds.
pub(in crate::experiment) fn folds(node: Option<&Node>, findings: &mut Findings) -> Option<u32> {
    whole("folds", node?, FOLDS, findings)
}

/// `[report]` with the locations of the axes it names.
pub(in crate::experiment) struct TypedReport {
    pub(in crate::experiment) settings: ReportSettings,
    pub(in crate::experiment) rows: Option<Origin>,
    pub(in crate::experiment) columns: Option<Origin>,
}

/// Reads `[report]`.
pub(in crate::experiment) fn report(
    node: Option<&Node>,
    metrics: &[Metric],
    findings: &mut Findings,
) -> TypedReport {
    let section = Section::open(node, "report", keys::below("report"), findings);
    let origin = |key| section.get(key).map(|node: &Node| node.origin);
    TypedReport {
        settings: ReportSettings {
            metric: metric(&section, metrics, findings).unwrap_or_else(|| default_metric(metrics)),
            also: also(&section, metrics, findings),
            rows: section.text("rows", findings).map(str::to_owned),
            columns: section.text("columns", findings).map(str::to_owned),
            reference: section.text("reference", findings).map(str::to_owned),
            reference_table: None,
            confusion: section.flag("confusion", false, findings),
            gallery: section.whole("gallery", GALLERY, findings).unwrap_or(0),
            gallery_of: section
                .get("gallery-of")
                .map(|node| pairs(node, findings))
                .unwrap_or_default(),
        },
        rows: origin("rows"),
        columns: origin("columns"),
    }
}

/// Returns what is reported where nothing is said: the test accuracy, else what is declared first.
fn default_metric(metrics: &[Metric]) -> MetricName {
    let mut names = metrics.iter().map(|metric| &metric.name);
    let first = metrics.first().map(|metric| &metric.name);
    let known = names.find(|name| **name == MetricName::TEST_ACCURACY);
    known.or(first).cloned().unwrap_or(MetricName::TEST_ACCURACY)
}

/// Reads `[store]`.
pub(in crate::experiment) fn store(node: Option<&Node>, findings: &mut Findings) -> StoreSettings {
    let section = Section::open(node, "store", keys::below("store"), findings);
    let choices = &[
        ("f32", StoredPredictions::F32),
        ("f16", StoredPredictions::F16),
        ("none", StoredPredictions::None),
    ];
    StoreSettings {
        predictions: section.choice("predictions", choices, findings).unwrap_or_default(),
    }
}

/// Reads `[measure]`; nothing where nothing is measured.
pub(in crate::experiment) fn measure(
    node: Option<&Node>,
    trainer: &TrainerSettings,
    findings: &mut Findings,
) -> Option<MeasureSettings> {
    let section = Section::open(node, "measure", keys::below("measure"), findings);
    let is_asked = section.flag("wall-time", false, findings);
    let warm_up = section.whole("warm-up", WHOLE, findings).unwrap_or(1);
    match trainer {
        _ if !is_asked => return None,
        TrainerSettings::Command(command) if command.mode == Mode::Once => {}
        TrainerSettings::Command(_) => findings.advise(
            section.origin(),
            "`measure.wall-time` measures processes, and a persistent program is one for many trials"
                .to_owned(),
            "set `trainer.mode` to \"once\", or remove `[measure]`".to_owned(),
        ),
        other => findings.advise(
            section.origin(),
            format!("`measure.wall-time` is of programs, and engine `{}` is none", other.name()),
            "remove `[measure]`; `train-seconds` is measured anyway".to_owned(),
        ),
    }
    Some(MeasureSettings { warm_up })
}

/// Reads one confusion such as `"7→2"`, or a list of them.
fn pairs(node: &Node, findings: &mut Findings) -> Vec<ConfusionPair> {
    let mut pair = |node: &Node| {
        let found = node.text().and_then(ConfusionPair::parse);
        if found.is_none() {
            findings.wrong("report.gallery-of", node, ConfusionPair::EXPECTED);
        }
        found
    };
    match &node.data {
        Data::List(items) => items.iter().filter_map(pair).collect(),
        _ => pair(node).into_iter().collect(),
    }
}

/// `[check]` with the locations of the axes it names.
pub(in crate::experiment) struct TypedCheck {
    pub(in crate::experiment) settings: CheckSettings,
    /// Every axis under `check.cells`, with where it was typed.
    pub(in crate::experiment) axes: Vec<(String, Origin)>,
    /// Every selector under `check.cells`, with where it was typed.
    pub(in crate::experiment) selectors: Vec<(Selector, Origin)>,
}

/// Reads `[check]`; the metric is that of the report where none is named.
pub(in crate::experiment) fn check(
    node: Option<&Node>,
    metrics: &[Metric],
    report: &TypedReport,
    findings: &mut Findings,
) -> TypedCheck {
    let section = Section::open(node, "check", keys::below("check"), findings);
    let (mut axes, mut selectors, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for node in gated_nodes(&section, findings) {
        match node.text().map(str::parse) {
            Some(Ok(selector)) => selectors.push((selector, node.origin)),
            Some(Err(error)) => findings.say(node.origin, format!("`check.cells`: {error}")),
            None => cells.push(gated_cells(node, &mut axes, findings)),
        }
    }
    let gated = metric(&section, metrics, findings);
    let gated = gated.unwrap_or_else(|| report.settings.metric.clone());
    let is_time = MetricName::PROCESS_TIMES.contains(&gated);
    let tolerance = if is_time { TOLERANCE_OF_TIMES } else { TOLERANCE };
    let settings = CheckSettings {
        metric: gated,
        tolerance: section.number("tolerance", NOT_NEGATIVE, tolerance, findings),
        alpha: section.number("alpha", LEVEL, 0.05, findings),
        images_per_second: section
            .get("images-per-second")
            .and_then(|node| number("check.images-per-second", node, RATIO, findings)),
        lost_trials: section
            .get("lost-trials")
            .and_then(|node| whole("check.lost-trials", node, WHOLE, findings)),
        at_least: section
            .get("at-least")
            .and_then(|node| number("check.at-least", node, NOT_NEGATIVE, findings)),
        cells,
    };
    TypedCheck { settings, axes, selectors }
}

/// Returns the selectors and tables of `check.cells`; one counts as a list of one.
fn gated_nodes<'t>(section: &Section<'t>, findings: &mut Findings) -> Vec<&'t Node> {
    let Some(node) = section.get("cells") else { return Vec::new() };
    match &node.data {
        Data::Table(_) | Data::Text(_) => vec![node],
        Data::List(nodes) if !nodes.is_empty() => nodes.iter().collect(),
        _ => {
            let expected = "a selector such as \"augment.shift=0.1\", a table, or a list of them";
            findings.wrong(&section.name("cells"), node, expected);
            Vec::new()
        }
    }
}

/// Reads one table of `check.cells`: axes and the values that are gated.
fn gated_cells(
    node: &Node,
    axes: &mut Vec<(String, Origin)>,
    findings: &mut Findings,
) -> Vec<Match> {
    let found = grid::leaves("check.cells", node, &grid::is_setting, findings);
    if found.is_empty() && matches!(node.data, Data::Table(_)) {
        findings.say(
            node.origin,
            "a table of `check.cells` is empty, expected axes and their values".to_owned(),
        );
    }
    let mut matches = Vec::new();
    for (key, entry) in found {
        axes.push((key.clone(), entry.origin));
        let nodes = match &entry.node.data {
            Data::List(nodes) if !nodes.is_empty() => nodes.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        for node in nodes {
            if node.value().is_none() {
                findings.wrong(&key, node, "a value of the axis");
            }
        }
        let values = nodes.iter().filter_map(Node::value).collect();
        matches.push(Match { key, values });
    }
    matches
}

fn also(section: &Section<'_>, metrics: &[Metric], findings: &mut Findings) -> Vec<MetricName> {
    let Some(node) = section.get("also") else { return Vec::new() };
    let Data::List(nodes) = &node.data else {
        findings.wrong(&section.name("also"), node, "a list of metrics");
        return Vec::new();
    };
    let choices = choices(metrics);
    nodes.iter().filter_map(|node| choice("report.also", node, &choices, findings)).collect()
}

fn metric(
    section: &Section<'_>,
    metrics: &[Metric],
    findings: &mut Findings,
) -> Option<MetricName> {
    section.choice("metric", &choices(metrics), findings)
}

fn choices(metrics: &[Metric]) -> Vec<(&str, MetricName)> {
    metrics.iter().map(|metric| (metric.name.as_str(), metric.name.clone())).collect()
}
