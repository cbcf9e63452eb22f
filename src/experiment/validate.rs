//! Checks the values of a grid as if each were typed at its key, and the axes a report names.

use std::collections::BTreeSet;

use super::decode::experiment::{TypedCheck, TypedReport};
use super::decode::grid::{TypedAxis, TypedBlock};
use super::document::{Item, settings_with};
use super::keys;
use super::layers::LayerSettings;
use super::problem::{nearest, one_of};
use super::reader::Findings;
use super::resolved::Axis;
use super::settings::Settings;
use super::tree::{Data, Entry, Node, Origin, find};

/// Values of one axis that are checked; of more, an even selection with both ends.
const MAX_CHECKED: usize = 10_000;
/// Problems reported of one axis.
const MAX_REPORTED: usize = 5;
/// Companions tried before a value is said not to fit.
const MAX_CONTEXTS: usize = 256;

/// Checks every value of every axis and every included cell.
///
/// A value must fit the base settings, alone or together with a value of another axis of its
/// block: `train.optimizer.momentum` may need `train.optimizer = "sgd"`, a path its source. Cells
/// whose values fit one by one but not together are found when their settings are made.
pub(super) fn grids(
    tree: &[Entry],
    base: &Settings,
    blocks: &[TypedBlock],
    findings: &mut Findings,
) {
    for typed in blocks {
        for axis in &typed.axes {
            check_axis(tree, base, typed, axis, findings);
        }
        for cell in &typed.included {
            let items: Vec<Item<'_>> = cell.iter().map(|axis| item(axis, 0)).collect();
            add_new(problems_of(tree, base, &items, findings), findings);
        }
    }
}

fn item(axis: &TypedAxis, index: usize) -> Item<'_> {
    Item { key: &axis.key, origin: axis.origin, node: axis.nodes[index].clone() }
}

/// Returns what is wrong with the settings of a cell beyond what is wrong already.
fn problems_of(tree: &[Entry], base: &Settings, items: &[Item<'_>], known: &Findings) -> Findings {
    let mut findings = Findings::default();
    settings_with(tree, base, items, &mut findings);
    findings.list.retain(|finding| !known.list.contains(finding));
    findings
}

fn add_new(problems: Findings, findings: &mut Findings) {
    for problem in problems.list {
        findings.add(problem);
    }
}

/// Moves problems that a value causes elsewhere to the value.
fn told_of(
    mut problems: Findings,
    key: &str,
    (key_origin, value_origin): (Origin, Origin),
    node: &Node,
) -> Findings {
    for problem in &mut problems.list {
        let is_here = problem
            .origin
            .is_some_and(|origin| origin == key_origin || origin.is_within(value_origin));
        if !is_here {
            problem.message = format!("with `{key}` = {}, {}", node.found(), problem.message);
            problem.origin = Some(value_origin);
        }
    }
    problems
}

fn check_axis(
    tree: &[Entry],
    base: &Settings,
    typed: &TypedBlock,
    axis: &TypedAxis,
    findings: &mut Findings,
) {
    let count = axis.nodes.len();
    let checked = count.min(MAX_CHECKED);
    let mut reported = 0;
    let even =
        |step: usize| if checked == count { step } else { step * (count - 1) / (checked - 1) };
    // What is no value at all is found wherever it stands.
    let foreign = (0..count).filter(|index| axis.nodes[*index].value().is_none());
    let foreign: Vec<usize> = if checked == count { Vec::new() } else { foreign.collect() };
    for index in foreign.into_iter().chain((0..checked).map(even)) {
        let value = item(axis, index);
        let problems = problems_of(tree, base, std::slice::from_ref(&value), findings);
        if problems.list.is_empty() || fits_in_company(tree, base, typed, axis, index, findings) {
            continue;
        }
        let origins = (axis.origin, value.node.origin);
        add_new(told_of(problems, &axis.key, origins, &value.node), findings);
        reported += 1;
        if reported == MAX_REPORTED {
            return;
        }
    }
    refuse_lost_schedule(tree, axis, findings);
}

/// Returns whether a value fits together with its condition, its zip or another axis.
fn fits_in_company(
    tree: &[Entry],
    base: &Settings,
    typed: &TypedBlock,
    axis: &TypedAxis,
    index: usize,
    findings: &Findings,
) -> bool {
    let mut company = vec![item(axis, index)];
    // Axes of the same zip always stand beside it, with the value at the same position.
    let zip = typed.block.zips.iter().find(|zip| zip.iter().any(|other| other.key == axis.key));
    for other in zip.into_iter().flatten().filter(|other| other.key != axis.key) {
        let other = typed.axes.iter().find(|candidate| candidate.key == other.key);
        if let Some(other) = other.filter(|other| index < other.nodes.len()) {
            company.push(item(other, index));
        }
    }
    for when in typed.block.when.iter().filter(|when| when.keys.contains(&axis.key)) {
        for condition in &when.matches {
            if let Some(value) = condition.values.first() {
                let node = Node::assigned(value);
                company.push(Item { key: &condition.key, origin: Origin::Assigned, node });
            }
        }
    }
    let fits = |cell: &[Item<'_>]| problems_of(tree, base, cell, findings).list.is_empty();
    if company.len() > 1 && fits(&company) {
        return true;
    }
    let is_present = |key: &str| company.iter().any(|item| item.key == key);
    let others: Vec<&TypedAxis> =
        typed.axes.iter().filter(|other| !is_present(&other.key)).collect();
    let beside = |other: Item<'_>| {
        let mut cell = company.clone();
        cell.push(other);
        fits(&cell)
    };
    let each =
        || others.iter().flat_map(|other| (0..other.nodes.len()).map(|index| item(other, index)));
    let firsts: Vec<Item<'_>> =
        company.iter().cloned().chain(others.iter().map(|other| item(other, 0))).collect();
    let among_all = |other: Item<'_>| {
        let mut cell = firsts.clone();
        cell.retain(|item| item.key != other.key);
        cell.push(other);
        fits(&existing(cell, typed))
    };
    fits(&existing(firsts.clone(), typed))
        || each().take(MAX_CONTEXTS).any(beside)
        || each().take(MAX_CONTEXTS).any(among_all)
}

/// Leaves out axes whose conditions do not hold among the others.
fn existing<'k>(mut cell: Vec<Item<'k>>, typed: &TypedBlock) -> Vec<Item<'k>> {
    loop {
        let holds = |item: &Item<'_>| {
            let conditions =
                typed.block.when.iter().filter(|when| when.keys.iter().any(|key| key == item.key));
            conditions.flat_map(|when| &when.matches).all(|condition| {
                let other = cell.iter().find(|other| other.key == condition.key);
                let value = other.and_then(|other| other.node.value());
                value.is_some_and(|value| condition.values.contains(&value))
            })
        };
        let kept: Vec<Item<'k>> = cell.iter().filter(|item| holds(item)).cloned().collect();
        if kept.len() == cell.len() {
            return kept;
        }
        cell = kept;
    }
}

/// Refuses plain step sizes as an axis where the base has a schedule, which they would replace.
fn refuse_lost_schedule(tree: &[Entry], axis: &TypedAxis, findings: &mut Findings) {
    if axis.key != "train.learning-rate" || axis.nodes.iter().any(|node| node.number().is_none()) {
        return;
    }
    let Some(Data::Table(train)) = find(tree, "train").map(|entry| &entry.node.data) else {
        return;
    };
    let Some(Data::Table(rate)) = find(train, "learning-rate").map(|entry| &entry.node.data) else {
        return;
    };
    if rate.iter().any(|entry| &*entry.key != "initial") {
        findings.advise(
            axis.origin,
            "axis `train.learning-rate` would replace the whole table typed in `[train]`, schedule included".to_owned(),
            "use the axis `train.learning-rate.initial`".to_owned(),
        );
    }
}

/// Iterates over every axis of every block, included cells too.
fn every_axis(blocks: &[TypedBlock]) -> impl Iterator<Item = &TypedAxis> {
    blocks.iter().flat_map(|typed| typed.axes.iter().chain(typed.included.iter().flatten()))
}

/// Returns the distinct keys of all axes, in the order of first appearance.
fn axis_keys(blocks: &[TypedBlock]) -> Vec<&str> {
    let mut keys: Vec<&str> = Vec::new();
    for axis in every_axis(blocks) {
        if !keys.contains(&axis.key.as_str()) {
            keys.push(&axis.key);
        }
    }
    keys
}

/// Returns every axis with its distinct values.
fn all_axes(blocks: &[TypedBlock]) -> Vec<Axis> {
    let mut axes: Vec<Axis> = axis_keys(blocks)
        .into_iter()
        .map(|key| Axis { key: key.to_owned(), values: Vec::new() })
        .collect();
    for typed in every_axis(blocks) {
        let axis = axes.iter_mut().find(|axis| axis.key == typed.key);
        let Some(Axis { values, .. }) = axis else { continue };
        values.extend(typed.nodes.iter().filter_map(Node::value));
    }
    for Axis { values, .. } in &mut axes {
        let mut seen = BTreeSet::new();
        values.retain(|value| seen.insert(value.clone()));
    }
    axes
}

/// The one key of `[train]` that does something in a model that is fitted in one pass.
const KEY_OF_FITS: &str = "retrain";

/// Refuses settings of training steps where every cell is fitted in one pass.
///
/// Where some cells are trained by steps the keys are shared; cells in which they then vary for
/// nothing mean the same, and are found as that.
pub(super) fn steps(
    tree: &[Entry],
    base: &Settings,
    blocks: &[TypedBlock],
    findings: &mut Findings,
) {
    let chooses_model = |key: &str| {
        matches!(key, "model" | "trainer" | "trainer.engine" | "model.preset")
            || key.starts_with("model.layers")
    };
    let is_fitted = base.trainer.has_networks()
        && LayerSettings::are_fitted(&base.model.layers)
        && !axis_keys(blocks).into_iter().any(chooses_model);
    if !is_fitted {
        return;
    }
    let typed = find(tree, "train").and_then(|entry| entry.node.entries()).unwrap_or_default();
    let typed = typed.iter().map(|entry| (format!("train.{}", entry.key), entry.origin));
    let axes = every_axis(blocks).map(|axis| (axis.key.clone(), axis.origin));
    for (key, origin) in typed.chain(axes) {
        let mut parts = key.split('.');
        let is_of_steps = parts.next() == Some("train")
            && parts
                .next()
                .is_none_or(|part| part != KEY_OF_FITS && keys::below("train").contains(&part));
        if is_of_steps {
            let message = format!("`{key}` does nothing in `naive-bayes`, which takes no steps");
            findings.advise(origin, message, "remove it".to_owned());
        }
    }
}

/// Checks that the axes a gate names exist and take a value it names, and resolves its selectors.
pub(super) fn check(
    check: &mut TypedCheck,
    experiment: &str,
    blocks: &[TypedBlock],
    findings: &mut Findings,
) {
    let axes = all_axes(blocks);
    for (selector, origin) in &check.selectors {
        match selector.resolve(&axes, experiment) {
            Ok(matches) => check.settings.cells.push(matches),
            Err(error) => findings.say(*origin, format!("`check.cells`: {error}")),
        }
    }
    let keys = axis_keys(blocks);
    for (key, origin) in &check.axes {
        if keys.contains(&key.as_str()) {
            continue;
        }
        if keys.is_empty() {
            let message = format!("`check.cells` names `{key}`, but the grid has no axes");
            findings.say(*origin, message);
            continue;
        }
        let message = format!(
            "`check.cells` names `{key}`, expected an axis of the grid: {}",
            one_of(keys.iter().copied())
        );
        match nearest(key, keys.iter().copied()) {
            Some(near) => findings.advise(*origin, message, format!("did you mean `{near}`?")),
            None => findings.say(*origin, message),
        }
    }
    for one in check.settings.cells.iter().flatten() {
        let taken = |value| {
            every_axis(blocks)
                .filter(|axis| axis.key == one.key)
                .any(|axis| axis.nodes.iter().any(|node| node.value().as_ref() == Some(value)))
        };
        let origin = check.axes.iter().find(|(key, _)| *key == one.key).map(|(_, origin)| *origin);
        for value in &one.values {
            if keys.contains(&one.key.as_str()) && !taken(value) {
                let message =
                    format!("`check.cells` names `{}` = {value}, a value it never takes", one.key);
                findings.say(origin, message);
            }
        }
    }
}

/// Checks that the axes a report names exist.
pub(super) fn report(report: &TypedReport, blocks: &[TypedBlock], findings: &mut Findings) {
    let axes = || every_axis(blocks);
    let keys = axis_keys(blocks);
    let broken: Vec<&str> = axes()
        .filter(|axis| findings.list.iter().any(|finding| finding.origin == Some(axis.origin)))
        .map(|axis| axis.key.as_str())
        .collect();
    let rows = (&report.settings.rows, report.rows, "rows");
    let columns = (&report.settings.columns, report.columns, "columns");
    for (named, origin, key) in [rows, columns] {
        let Some(named) = named.as_deref().filter(|named| !keys.contains(named)) else { continue };
        // One misspelt axis is one problem, not two.
        if nearest(named, broken.iter().copied()).is_some() {
            continue;
        }
        if keys.is_empty() {
            findings
                .say(origin, format!("`report.{key}` is \"{named}\", but the grid has no axes"));
            continue;
        }
        let message = format!(
            "`report.{key}` is \"{named}\", expected an axis of the grid: {}",
            one_of(keys.iter().copied())
        );
        match nearest(named, keys.iter().copied()) {
            Some(near) => findings.advise(origin, message, format!("did you mean `{near}`?")),
            None => findings.say(origin, message),
        }
    }
    if report.settings.rows.is_some() && report.settings.rows == report.settings.columns {
        findings.say(
            report.columns,
            "`report.rows` and `report.columns` name the same axis".to_owned(),
        );
    }
}
