//! `[[grid]]`: axes, zips, conditions and samples, checked against each other.

use std::collections::{HashMap, HashSet};

use super::range::{self, MAX_VALUES};
use crate::base::{as_seen, grouped};
use crate::experiment::keys::{self, SETTING_KEYS};
use crate::experiment::problem::{nearest, one_of};
use crate::experiment::reader::{COUNT, Findings, Section};
use crate::experiment::tree::{Data, Entry, Node, Origin};
use crate::experiment::value::Value;
use crate::experiment::{Axis, GridBlock, Match, Sample, SampleMethod, When};
pub(in crate::experiment) const METHODS: &[(&str, SampleMethod)] =
    &[("random", SampleMethod::Random), ("sobol", SampleMethod::Sobol)];

/// An axis, or one value of an included cell, that knows where it was typed.
pub(in crate::experiment) struct TypedAxis {
    pub(in crate::experiment) key: String,
    pub(in crate::experiment) origin: Origin,
    pub(in crate::experiment) nodes: Vec<Node>,
}

/// A block, and every value in it that the settings must accept.
pub(in crate::experiment) struct TypedBlock {
    pub(in crate::experiment) block: GridBlock,
    /// Axes of the product and of the zips.
    pub(in crate::experiment) axes: Vec<TypedAxis>,
    /// Cells included one by one.
    pub(in crate::experiment) included: Vec<Vec<TypedAxis>>,
}

impl TypedBlock {
    /// Returns whether any cell of the block gets `key` from it.
    pub(in crate::experiment) fn has_axis(&self, key: &str) -> bool {
        self.axes.iter().chain(self.included.iter().flatten()).any(|axis| axis.key == key)
    }

    /// Returns the axis that gives `key` to every cell of the block, if one does.
    fn supplies(&self, key: &str) -> Option<&TypedAxis> {
        let is_conditional =
            self.block.when.iter().any(|when| when.keys.iter().any(|known| known == key));
        let with_key = |cell: &Vec<TypedAxis>| cell.iter().any(|axis| axis.key == key);
        let has_product = !self.axes.is_empty() || self.included.is_empty();
        if is_conditional || !self.included.iter().all(with_key) {
            return None;
        }
        let axis = self.axes.iter().find(|axis| axis.key == key);
        if has_product {
            return axis;
        }
        self.included.iter().flatten().find(|axis| axis.key == key)
    }
}

/// Returns the axis from which every cell of every block gets `key`: that of the first block.
pub(in crate::experiment) fn supplied<'b>(
    blocks: &'b [TypedBlock],
    key: &str,
) -> Option<&'b TypedAxis> {
    let axes: Option<Vec<&TypedAxis>> = blocks.iter().map(|block| block.supplies(key)).collect();
    axes?.first().copied()
}

/// Reads every `[[grid]]`; a single `[grid]` is a list of one.
pub(in crate::experiment) fn grids(
    node: Option<&Node>,
    findings: &mut Findings,
) -> Vec<TypedBlock> {
    let Some(node) = node else { return Vec::new() };
    match &node.data {
        Data::List(nodes) => nodes
            .iter()
            .enumerate()
            .map(|(index, node)| block(node, format!("grid[{}]", index + 1), findings))
            .collect(),
        Data::Table(_) => vec![block(node, "grid".to_owned(), findings)],
        _ => {
            findings.wrong("grid", node, "a `[[grid]]` table");
            Vec::new()
        }
    }
}

fn block(node: &Node, path: String, findings: &mut Findings) -> TypedBlock {
    let section = Section::open(Some(node), path, keys::below("grid"), findings);
    let axes = section
        .get("axes")
        .map_or_else(Vec::new, |node| read_axes(&section.name("axes"), node, findings));
    let zips: Vec<Vec<TypedAxis>> = tables(&section, "zip", findings)
        .into_iter()
        .map(|node| read_axes(&section.name("zip"), node, findings))
        .collect();
    for zip in &zips {
        check_lengths(zip, findings);
    }
    check_unique_keys(axes.iter().chain(zips.iter().flatten()), findings);
    for axis in &axes {
        check_unique_cells(std::slice::from_ref(axis), findings);
    }
    for zip in &zips {
        check_unique_cells(zip, findings);
    }
    let known = Known { axes: axes.iter().chain(zips.iter().flatten()).collect() };
    let included: Vec<Vec<TypedAxis>> = tables(&section, "include", findings)
        .into_iter()
        .map(|node| read_cell(&section.name("include"), node, findings))
        .collect();
    // Axes that were refused have been reported: this is for blocks that name none.
    let names_any = ["axes", "zip", "include"].iter().any(|key| section.get(key).is_some());
    if matches!(node.data, Data::Table(_)) && !names_any {
        findings.advise(
            node.origin,
            "`[[grid]]` has no axes".to_owned(),
            "add `[grid.axes]` with lines such as `\"augment.rotation\" = [0, 10]`, or remove the block".to_owned(),
        );
    }
    let block = GridBlock {
        axes: axes.iter().map(plain_axis).collect(),
        zips: zips.iter().map(|zip| zip.iter().map(plain_axis).collect()).collect(),
        when: tables(&section, "when", findings)
            .into_iter()
            .filter_map(|node| read_when(&section.name("when"), node, &known, &zips, findings))
            .collect(),
        exclude: tables(&section, "exclude", findings)
            .into_iter()
            .map(|node| read_matches(&section.name("exclude"), node, &known, findings))
            .collect(),
        include: included
            .iter()
            .map(|cell| {
                cell.iter()
                    .filter_map(|axis| Some((axis.key.clone(), axis.nodes.first()?.value()?)))
                    .collect()
            })
            .collect(),
        sample: section
            .get("sample")
            .and_then(|node| read_sample(&section.name("sample"), node, findings)),
    };
    check_cycles(&block, node.origin, findings);
    let axes = axes.into_iter().chain(zips.into_iter().flatten()).collect();
    TypedBlock { block, axes, included }
}

fn plain_axis(axis: &TypedAxis) -> Axis {
    let values = axis.nodes.iter().filter_map(Node::value).collect();
    Axis { key: axis.key.clone(), values }
}

/// Returns the tables of a list of tables; one table counts as a list of one.
pub(in crate::experiment) fn tables<'t>(
    section: &Section<'t>,
    key: &str,
    findings: &mut Findings,
) -> Vec<&'t Node> {
    let Some(node) = section.get(key) else { return Vec::new() };
    match &node.data {
        Data::Table(_) => vec![node],
        Data::List(nodes) if !nodes.is_empty() => nodes.iter().collect(),
        _ => {
            findings.wrong(&section.name(key), node, "a table or a list of tables");
            Vec::new()
        }
    }
}

/// Collects the leaves of a table under their dotted keys.
///
/// `"a.b" = x` and `a.b = x` mean the same. A quoted key that holds dots is a leaf whatever it
/// holds; a bare one is followed down until `is_leaf` holds or no table is left.
pub(in crate::experiment) fn leaves<'t>(
    path: &str,
    node: &'t Node,
    is_leaf: &dyn Fn(&str, &[Entry]) -> bool,
    findings: &mut Findings,
) -> Vec<(String, &'t Entry)> {
    fn descend<'t>(
        entries: &'t [Entry],
        above: &str,
        is_leaf: &dyn Fn(&str, &[Entry]) -> bool,
        leaves: &mut Vec<(String, &'t Entry)>,
    ) {
        for entry in entries {
            let key = format!("{above}{}", entry.key);
            match &entry.node.data {
                Data::Table(below) if !entry.key.contains('.') && !is_leaf(&key, below) => {
                    descend(below, &format!("{key}."), is_leaf, leaves);
                }
                _ => leaves.push((key, entry)),
            }
        }
    }
    let mut found = Vec::new();
    match &node.data {
        Data::Table(entries) => descend(entries, "", is_leaf, &mut found),
        _ => findings.wrong(path, node, "a table"),
    }
    found
}

fn read_axes(path: &str, node: &Node, findings: &mut Findings) -> Vec<TypedAxis> {
    let mut axes = Vec::new();
    for (key, entry) in leaves(path, node, &|_, below| range::is_range(below), findings) {
        if !may_vary(&key, entry, findings) {
            continue;
        }
        let nodes = match &entry.node.data {
            Data::List(nodes) if nodes.is_empty() => {
                findings.advise(
                    entry.node.origin,
                    format!("axis `{key}` is empty, expected at least one value"),
                    "give it a value, or remove the axis".to_owned(),
                );
                continue;
            }
            Data::List(nodes) if nodes.len() > MAX_VALUES => {
                findings.advise(
                    entry.node.origin,
                    format!(
                        "axis `{key}` has {} values, at most {} are allowed",
                        grouped(nodes.len() as u128),
                        grouped(MAX_VALUES as u128)
                    ),
                    "take fewer values".to_owned(),
                );
                continue;
            }
            Data::List(nodes) => nodes.clone(),
            Data::Table(below) if range::is_range(below) => {
                match range::expand(&key, &entry.node, findings) {
                    Some(nodes) => nodes,
                    None => continue,
                }
            }
            _ => {
                findings.advise(
                    entry.node.origin,
                    format!(
                        "axis `{key}` is {}, expected a list of values or a range",
                        entry.node.found()
                    ),
                    "write `[a, b]`, `{ from = a, to = b, step = c }` or `{ from = a, to = b, count = n }`".to_owned(),
                );
                continue;
            }
        };
        axes.push(TypedAxis { key, origin: entry.origin, nodes });
    }
    axes
}

/// Refuses keys of the experiment itself, which are the same in every cell.
fn may_vary(key: &str, entry: &Entry, findings: &mut Findings) -> bool {
    let hint = match key.split('.').next().unwrap_or_default() {
        "repeats" => "write `repeats = n` at the top of the file; every cell is trained n times",
        "seed" => "write `repeats = n` at the top of the file; every repeat has seeds of its own",
        "name" | "question" | "report" | "check" | "grid" => "vary a key of the settings",
        _ => return true,
    };
    findings.advise(
        entry.origin,
        format!("`{key}` is never an axis, expected a key of the settings"),
        hint.to_owned(),
    );
    false
}

fn check_lengths(zip: &[TypedAxis], findings: &mut Findings) {
    let Some(first) = zip.first() else { return };
    for axis in &zip[1..] {
        if axis.nodes.len() != first.nodes.len() {
            findings.say(
                axis.origin,
                format!(
                    "zipped axis `{}` has {} values, expected {}, as many as `{}`",
                    axis.key,
                    axis.nodes.len(),
                    first.nodes.len(),
                    first.key
                ),
            );
        }
    }
}

fn check_unique_keys<'a>(axes: impl Iterator<Item = &'a TypedAxis>, findings: &mut Findings) {
    let mut seen = HashSet::new();
    for axis in axes {
        if !seen.insert(&axis.key) {
            findings.advise(
                axis.origin,
                format!("axis `{}` stands twice in this block", axis.key),
                "keep it among the axes or in one zip".to_owned(),
            );
        }
    }
}

/// Refuses an axis that takes a value twice, or a zip that takes a combination twice.
fn check_unique_cells(axes: &[TypedAxis], findings: &mut Findings) {
    let length = axes.iter().map(|axis| axis.nodes.len()).min().unwrap_or(0);
    let mut seen: HashMap<Vec<String>, usize> = HashMap::with_capacity(length);
    for index in 0..length {
        let values = || axes.iter().map(|axis| axis.nodes[index].value());
        let Some(texts) =
            values().map(|value| value.map(|value| look(&value))).collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        if let Some(earlier) = seen.insert(texts, index) {
            let cell: Vec<String> = axes
                .iter()
                .zip(values().flatten())
                .map(|(axis, value)| format!("`{}` = {value}", axis.key))
                .collect();
            let cell = cell.join(", ");
            let positions = format!("at positions {} and {}", earlier + 1, index + 1);
            let is_same =
                axes.iter().all(|axis| axis.nodes[earlier].value() == axis.nodes[index].value());
            let message = if is_same {
                format!("duplicate cells: {cell} stands {positions}")
            } else {
                format!("look-alikes: the texts {positions} differ, but both print as {cell}")
            };
            findings.say(axes[0].nodes[index].origin, message);
        }
    }
}

/// Returns a text that values share which are equal or print alike: letters with accents have
/// several spellings, and some characters do not print at all.
fn look(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{}", as_seen(text)),
        other => other.canonical(),
    }
}

/// The axes of a block, for checking conditions.
struct Known<'a> {
    axes: Vec<&'a TypedAxis>,
}

impl Known<'_> {
    /// Returns whether an axis ever takes a value.
    fn takes(&self, index: usize, value: &Value) -> bool {
        self.axes[index].nodes.iter().any(|node| node.value().as_ref() == Some(value))
    }

    /// Returns the index of an axis, or says that there is none.
    fn index(&self, key: &str, origin: Origin, findings: &mut Findings) -> Option<usize> {
        let index = self.axes.iter().position(|axis| axis.key == key);
        if index.is_none() {
            let names = || self.axes.iter().map(|axis| axis.key.as_str());
            let message =
                format!("`{key}` is not an axis of this block, expected {}", one_of(names()));
            match nearest(key, names()) {
                Some(near) => findings.advise(origin, message, format!("did you mean `{near}`?")),
                None => findings.say(origin, message),
            }
        }
        index
    }
}

pub(in crate::experiment) fn is_setting(key: &str, _: &[Entry]) -> bool {
    // `train.optimizer = { … }` is a value, `train = { … }` leads to values.
    SETTING_KEYS.contains(&key)
}

fn read_matches(path: &str, node: &Node, known: &Known<'_>, findings: &mut Findings) -> Vec<Match> {
    let found = leaves(path, node, &is_setting, findings);
    if found.is_empty() {
        findings.say(node.origin, format!("`{path}` is empty, expected axes and their values"));
    }
    let mut matches = Vec::new();
    for (key, entry) in found {
        let Some(index) = known.index(&key, entry.origin, findings) else { continue };
        let nodes = match &entry.node.data {
            Data::List(nodes) if !nodes.is_empty() => nodes.as_slice(),
            _ => std::slice::from_ref(&entry.node),
        };
        let mut values = Vec::new();
        for node in nodes {
            let value = node.value();
            match value.filter(|value| known.takes(index, value)) {
                Some(value) => values.push(value),
                None => findings.say(
                    node.origin,
                    format!("axis `{key}` never takes the value {} in this block", node.found()),
                ),
            }
        }
        matches.push(Match { key, values });
    }
    matches
}

fn read_when(
    path: &str,
    node: &Node,
    known: &Known<'_>,
    zips: &[Vec<TypedAxis>],
    findings: &mut Findings,
) -> Option<When> {
    let section = Section::open(Some(node), path.to_owned(), &["axes", "if"], findings);
    let mut keys = Vec::new();
    match section.get("axes").map(|node| (&node.data, node)) {
        Some((Data::List(nodes), _)) if !nodes.is_empty() => {
            for node in nodes {
                match node.text() {
                    None => {
                        findings.wrong(&section.name("axes"), node, "the key of an axis in quotes");
                    }
                    Some(key) => {
                        known.index(key, node.origin, findings);
                        keys.push(key.to_owned());
                    }
                }
            }
        }
        Some((_, node)) => findings.wrong(&section.name("axes"), node, "a list of axes"),
        None => section.missing("axes", "a list of axes that exist only sometimes", findings),
    }
    for zip in zips {
        let named = |axis: &&TypedAxis| keys.contains(&axis.key);
        let missing = zip.iter().find(|axis| !named(axis));
        if let (Some(named), Some(missing)) = (zip.iter().find(named), missing) {
            findings.say(
                section.origin(),
                format!(
                    "`{path}` names `{}` but not `{}`, and the two move together",
                    named.key, missing.key
                ),
            );
        }
    }
    let Some(condition) = section.get("if") else {
        section.missing("if", "a table of axes and their values", findings);
        return None;
    };
    let matches = read_matches(&section.name("if"), condition, known, findings);
    Some(When { keys, matches })
}

/// Refuses conditions that depend on themselves.
fn check_cycles(block: &GridBlock, origin: Origin, findings: &mut Findings) {
    let conditions = |key: &str| {
        block
            .when
            .iter()
            .filter(move |when| when.keys.iter().any(|known| known == key))
            .flat_map(|when| when.matches.iter().map(|condition| condition.key.clone()))
            .collect::<Vec<_>>()
    };
    for start in block.when.iter().flat_map(|when| &when.keys) {
        let mut open = conditions(start);
        let mut seen = HashSet::new();
        while let Some(key) = open.pop() {
            if key == *start {
                findings.say(origin, format!("whether axis `{start}` exists depends on itself"));
                return;
            }
            if seen.insert(key.clone()) {
                open.extend(conditions(&key));
            }
        }
    }
}

fn read_cell(path: &str, node: &Node, findings: &mut Findings) -> Vec<TypedAxis> {
    let found = leaves(path, node, &is_setting, findings);
    if found.is_empty() {
        findings.say(node.origin, format!("`{path}` is empty, expected keys and their values"));
    }
    let mut cell: Vec<TypedAxis> = Vec::new();
    for (key, entry) in found {
        if may_vary(&key, entry, findings) {
            cell.push(TypedAxis { key, origin: entry.origin, nodes: vec![entry.node.clone()] });
        }
    }
    check_unique_keys(cell.iter(), findings);
    cell
}

fn read_sample(path: &str, node: &Node, findings: &mut Findings) -> Option<Sample> {
    let section = Section::open(Some(node), path.to_owned(), &["method", "count"], findings);
    if section.get("method").is_none() {
        section.missing("method", "`random` or `sobol`", findings);
    }
    if section.get("count").is_none() {
        section.missing("count", COUNT.expected, findings);
    }
    let method = section.choice("method", METHODS, findings);
    let count = section.whole("count", COUNT, findings);
    Some(Sample { method: method?, count: count? })
}
