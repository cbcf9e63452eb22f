//! Every key of the experiment language, declared once.
//!
//! The readers of sections, suggestions, the tables of `experiments/README.md` and the JSON schema
//! all come from these declarations. Names, types, defaults and meanings stand here; what a key does
//! is its field of [`settings`](super::settings) and its line in `decode`.

mod augment;
mod dataset;
mod experiment;
mod model;
mod names;
mod submit;
mod train;
mod trainer;

pub(super) use names::alias;
pub(crate) use names::meant;

use std::collections::HashMap;
use std::sync::LazyLock;

/// A key of the experiment language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Dotted path, for example `train.optimizer.momentum`.
    pub(super) path: &'static str,
    /// What may be typed there, in words; empty for keys that the documentation shows otherwise.
    pub(super) expected: &'static str,
    /// What holds where nothing is typed, in words.
    pub(super) default: &'static str,
    /// What it means, one sentence of Markdown.
    pub(super) meaning: &'static str,
    /// What may be typed there, for the schema.
    pub(super) shape: Shape,
}

/// What may be typed at a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Any text.
    Text,
    /// A name that can be a folder's.
    Name,
    /// `true` or `false`.
    Flag,
    /// A whole number from this one.
    Whole(i64),
    /// A whole number from the first to the second.
    WholeWithin(i64, i64),
    /// Any number.
    Number,
    /// A number above this one.
    Above(f64),
    /// A number from this one.
    From(f64),
    /// A number from the first to the second.
    Within(f64, f64),
    /// A number from the first, below the second.
    Below(f64, f64),
    /// A number above the first, up to the second.
    UpTo(f64, f64),
    /// A number above the first, below the second.
    Between(f64, f64),
    /// One of some names.
    Choice(fn() -> Vec<&'static str>),
    /// One of these words.
    Words(&'static [&'static str]),
    /// A table of the keys declared below this one.
    Table,
    /// A table of any keys.
    Map(&'static Shape),
    /// A list.
    List(&'static Shape),
    /// Exactly so many whole numbers from 0.
    Indices(usize),
    /// One of several.
    Either(&'static [Shape]),
    /// A table of metrics by name.
    Metrics,
    /// A list of layers.
    Layers,
    /// A block of a grid, or a list of them.
    Grids,
    /// Anything.
    Free,
}

const fn key(
    path: &'static str,
    shape: Shape,
    expected: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key { path, expected, default, meaning, shape }
}

/// Every key in the order of the documentation.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    [
        experiment::HEAD,
        dataset::KEYS,
        model::KEYS,
        train::KEYS,
        augment::KEYS,
        trainer::KEYS,
        experiment::GRID,
        experiment::REPORT,
        experiment::MEASURE,
        experiment::STORE,
        submit::KEYS,
    ]
    .into_iter()
    .flatten()
}

/// Dotted keys of the settings: what an axis may vary. `model.layers` and `hyperparameters` have
/// further keys below them.
pub(crate) static SETTING_KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| paths(true));

/// Keys of the experiment itself, which no axis may vary.
pub(crate) static EXPERIMENT_KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| paths(false));

fn paths(of_settings: bool) -> Vec<&'static str> {
    let is_setting = |path: &str| super::SECTIONS.iter().any(|section| is_below(path, section));
    let is_section = |path: &str| super::SECTIONS.contains(&path);
    all()
        .filter(|key| !matches!(key.shape, Shape::Table | Shape::Grids))
        .map(|key| key.path)
        .filter(|path| !is_section(path) && is_setting(path) == of_settings)
        .collect()
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
}

/// Returns the names of the keys right below a path, in order; below the empty path those at the top
/// of the file.
pub(super) fn below(path: &str) -> &'static [&'static str] {
    static BELOW: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
        let mut below: HashMap<&'static str, Vec<&'static str>> = HashMap::new();
        for key in all() {
            let dots = key.path.match_indices('.').map(|(at, _)| at);
            let ends: Vec<usize> = dots.chain([key.path.len()]).collect();
            let mut start = 0usize;
            for end in ends {
                let above = &key.path[..start.saturating_sub(1)];
                let names = below.entry(above).or_default();
                let name = &key.path[start..end];
                if !names.contains(&name) {
                    names.push(name);
                }
                start = end + 1;
            }
        }
        below
    });
    BELOW.get(path).map_or(&[], Vec::as_slice)
}
