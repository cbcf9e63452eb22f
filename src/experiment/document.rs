//! One experiment file: as typed, as meant, and with a cell's values put in place.

use toml::de::DeTable;

use super::decode::{self, grid::TypedBlock};
use super::edition::Edition;
use super::overrides::Override;
use super::problem::{ExperimentError, Location, Problem, nearest, one_of};
use super::reader::{Finding, Findings};
use super::reference::ReferenceTable;
use super::resolved::Experiment;
use super::settings::Settings;
use super::tree::{Data, Entry, Node, Origin, PutProblem, find, put};
use super::validate;
use super::value::Value;

/// An experiment file that has been read and found without problems.
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
    file_name: String,
    edition: Edition,
    overrides: Vec<Override>,
    /// The file with the overrides put in place, without its grids.
    tree: Vec<Entry>,
    experiment: Experiment,
}

impl Document {
    /// Reads an experiment: `text` from the file `file_name`, with `overrides` put in place.
    ///
    /// # Errors
    /// Holds every problem of the file and the overrides at once, each with its location; broken TOML
    /// is reported before anything else is looked at.
    pub fn parse(
        text: &str,
        file_name: &str,
        overrides: &[Override],
    ) -> Result<Self, ExperimentError> {
        Self::parse_as_of(Edition::Current, text, file_name, overrides)
    }

    /// As [`Document::parse`], with the defaults of an earlier time.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_as_of(
        edition: Edition,
        text: &str,
        file_name: &str,
        overrides: &[Override],
    ) -> Result<Self, ExperimentError> {
        let mut findings = Findings::of(edition);
        let fail = |findings: Findings| {
            let sources = Sources { text, file_name, overrides };
            let attempt = format!("cannot read experiment `{file_name}`");
            Err(ExperimentError { attempt, problems: sources.problems(findings) })
        };
        let (parsed, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            findings.say(file_origin(span), format!("broken TOML: {}", error.message()));
        }
        if !errors.is_empty() {
            return fail(findings);
        }
        let mut tree = Node::table(parsed.get_ref(), &file_origin);
        for (index, change) in overrides.iter().enumerate() {
            let origin = change.key_origin(index);
            if let Err(problem) = put(&mut tree, "", &change.path(), origin, change.node(index)) {
                findings.add(put_finding(&problem, origin));
            }
        }
        let root = Node { origin: Origin::Assigned, data: Data::Table(tree) };
        let head = decode::experiment::head(&root, &mut findings);
        let Data::Table(mut tree) = root.data else { unreachable!("the root is a table") };
        let mut of_grids = Findings::of(edition);
        let blocks =
            decode::grid::grids(find(&tree, "grid").map(|entry| &entry.node), &mut of_grids);
        let base = base_settings(&mut tree, &blocks, &mut findings);
        let node = |key| find(&tree, key).map(|entry| &entry.node);
        for finding in of_grids.list {
            findings.add(finding);
        }
        let measure = decode::experiment::measure(node("measure"), &base.trainer, &mut findings);
        let decode::program::Declared { metrics, readings } =
            decode::program::metrics(node("metrics"), &base, measure.is_some(), &mut findings);
        let report = decode::experiment::report(node("report"), &metrics, &mut findings);
        let mut check = decode::experiment::check(node("check"), &metrics, &report, &mut findings);
        let store = decode::experiment::store(node("store"), &mut findings);
        let submit = decode::submit::submit(node("submit"), &mut findings);
        validate::grids(&tree, &base, &blocks, &mut findings);
        validate::steps(&tree, &base, &blocks, &mut findings);
        validate::report(&report, &blocks, &mut findings);
        validate::check(&mut check, &head.name, &blocks, &mut findings);
        if !findings.list.is_empty() {
            return fail(findings);
        }
        // Cells need the settings alone, and a grid may hold a million values.
        let tree = tree.into_iter().filter(|entry| &*entry.key != "grid").collect();
        let experiment = Experiment {
            name: head.name,
            question: head.question,
            repeats: head.repeats,
            folds: head.folds,
            seed: head.seed,
            save_weights: head.save_weights,
            metrics,
            readings,
            base,
            grids: blocks.into_iter().map(|typed| typed.block).collect(),
            report: report.settings,
            check: check.settings,
            store,
            measure,
            submit,
        };
        Ok(Self {
            text: text.to_owned(),
            file_name: file_name.to_owned(),
            edition,
            overrides: overrides.to_vec(),
            tree,
            experiment,
        })
    }

    /// Returns the experiment as meant.
    #[must_use]
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// Sets the published table that the report names as a file.
    pub(crate) fn set_reference_table(&mut self, table: ReferenceTable) {
        self.experiment.report.reference_table = Some(table);
    }

    /// Returns the text of the file, without the overrides.
    pub(crate) fn typed_text(&self) -> &str {
        &self.text
    }

    /// Returns the name of the file.
    pub(crate) fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Returns the defaults it was read by.
    pub(crate) fn edition(&self) -> Edition {
        self.edition
    }

    /// Returns the changes made from the command line, in order.
    pub(crate) fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// Decodes one section of a cell, with its values put in place, into `settings`; returns false
    /// where that cannot be done, which [`Document::settings_for`] of the cell explains.
    ///
    /// Every key of the assignment, which is not empty, must lie in `section`, one of [`SECTIONS`].
    pub(crate) fn decode_section<'a>(
        &self,
        section: &str,
        assignment: impl IntoIterator<Item = (&'a str, &'a Value)>,
        settings: &mut Settings,
    ) -> bool {
        let mut items: Vec<(&str, &Value)> = assignment.into_iter().collect();
        items.sort_by_key(|(key, _)| depth(key));
        let mut touched: Vec<Entry> = find(&self.tree, section).cloned().into_iter().collect();
        let mut path: Vec<&str> = Vec::new();
        for (key, value) in items {
            path.clear();
            path.extend(key.split('.'));
            if put(&mut touched, "", &path, Origin::Assigned, Node::assigned(value)).is_err() {
                return false;
            }
        }
        let mut findings = Findings::of(self.edition);
        let is_known = touched.iter().all(|entry| decode::section(entry, settings, &mut findings));
        is_known && findings.list.is_empty()
    }

    /// Returns whether the sections of a cell's settings go together; where they do not,
    /// [`Document::settings_for`] of the cell explains it.
    pub(crate) fn is_consistent(&self, settings: &Settings) -> bool {
        let mut findings = Findings::of(self.edition);
        decode::cross_check(settings, &|path| origin_of(&self.tree, path), &mut findings);
        findings.list.is_empty()
    }

    /// Returns the settings of one cell: the file with the values put in place, decoded again, so
    /// that presets, defaults and checks see them. Longer keys win over shorter ones.
    ///
    /// # Errors
    /// If a value does not fit, alone or together with the others.
    pub fn settings_for<'a>(
        &self,
        assignment: impl IntoIterator<Item = (&'a str, &'a Value)>,
    ) -> Result<Settings, ExperimentError> {
        let items: Vec<Item<'_>> = assignment
            .into_iter()
            .map(|(key, value)| Item { key, origin: Origin::Assigned, node: Node::assigned(value) })
            .collect();
        let cell = |items: &[Item<'_>]| {
            let value = |item: &Item<'_>| item.node.value().map_or(String::new(), |v| v.notation());
            let parts: Vec<String> =
                items.iter().map(|item| format!("{}={}", item.key, value(item))).collect();
            parts.join(" ")
        };
        let mut findings = Findings::of(self.edition);
        let settings = settings_with(&self.tree, &self.experiment.base, &items, &mut findings);
        if findings.list.is_empty() {
            return Ok(settings);
        }
        let sources =
            Sources { text: &self.text, file_name: &self.file_name, overrides: &self.overrides };
        Err(ExperimentError {
            attempt: format!("cell `{}` of `{}` does not fit", cell(&items), self.file_name),
            problems: sources.problems(findings),
        })
    }
}

/// A value on its way into the tree.
#[derive(Debug, Clone)]
pub(super) struct Item<'k> {
    pub(super) key: &'k str,
    pub(super) origin: Origin,
    pub(super) node: Node,
}

/// The sections that make up the settings of a cell: the first segments of the keys of axes.
pub(crate) const SECTIONS: [&str; 7] =
    ["dataset", "model", "train", "augment", "ensemble", "trainer", "hyperparameters"];

/// Longer keys are put in place after shorter ones, and win over them.
fn depth(key: &str) -> usize {
    key.bytes().filter(|byte| *byte == b'.').count()
}

/// Decodes the settings that every cell starts from. A required key that is not in the file but
/// that every cell is given by its grid takes the first of those values here, in `tree` too.
fn base_settings(
    tree: &mut Vec<Entry>,
    blocks: &[TypedBlock],
    findings: &mut Findings,
) -> Settings {
    let mut tried: Vec<String> = Vec::new();
    loop {
        let mut found = Findings::of(findings.edition);
        let base = decode::settings(tree, &mut found);
        decode::cross_check(&base, &|path| origin_of(tree, path), &mut found);
        let mut missing = found.list.iter().filter_map(|finding| finding.missing.as_deref());
        let supplied = missing.find_map(|key| {
            let axis = decode::grid::supplied(blocks, key)?;
            let is_new = !tried.iter().any(|known| known == key);
            is_new.then_some((key, axis.origin, axis.nodes.first()?))
        });
        if let Some((key, origin, node)) = supplied {
            let path: Vec<&str> = key.split('.').collect();
            // Where this cannot be done the key is still missing, and said to be.
            let _ = put(tree, "", &path, origin, node.clone());
            tried.push(key.to_owned());
            continue;
        }
        for mut finding in found.list {
            let in_some = |key: &str| blocks.iter().any(|block| block.has_axis(key));
            if finding.missing.as_deref().is_some_and(in_some) {
                finding.hint =
                    Some("some cells of the grid leave it out: give it here for them".to_owned());
            }
            findings.add(finding);
        }
        return base;
    }
}

/// Puts `items` into the sections of `tree` they belong to and decodes those sections again.
pub(super) fn settings_with(
    tree: &[Entry],
    base: &Settings,
    items: &[Item<'_>],
    findings: &mut Findings,
) -> Settings {
    let mut settings = base.clone();
    if items.is_empty() {
        return settings;
    }
    let mut order: Vec<&Item<'_>> = items.iter().collect();
    order.sort_by_key(|item| depth(item.key));
    let mut touched: Vec<Entry> = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    for item in order {
        path.clear();
        path.extend(item.key.split('.'));
        if find(&touched, path[0]).is_none()
            && let Some(entry) = find(tree, path[0])
        {
            touched.push(entry.clone());
        }
        if let Err(problem) = put(&mut touched, "", &path, item.origin, item.node.clone()) {
            findings.add(put_finding(&problem, item.origin));
        }
    }
    for entry in &touched {
        if !decode::section(entry, &mut settings, findings) {
            unknown_section(entry, findings);
        }
    }
    let origin = |path: &[&str]| origin_of(&touched, path).or_else(|| origin_of(tree, path));
    decode::cross_check(&settings, &origin, findings);
    settings
}

fn unknown_section(entry: &Entry, findings: &mut Findings) {
    let message =
        format!("`{}` is no key of the settings, expected one in {}", entry.key, one_of(SECTIONS));
    let full = super::keys::SETTING_KEYS
        .iter()
        .copied()
        .find(|key| key.strip_suffix(&*entry.key).is_some_and(|above| above.ends_with('.')));
    match full.or_else(|| nearest(&entry.key, SECTIONS)) {
        Some(near) => findings.advise(entry.origin, message, format!("did you mean `{near}`?")),
        None => findings.say(entry.origin, message),
    }
}

fn put_finding(problem: &PutProblem, origin: Origin) -> Finding {
    let message = match problem {
        PutProblem::NotATable(path) => {
            format!("`{path}` is a single value and has no keys below it")
        }
        PutProblem::NoElement { path, segment, elements } => {
            format!("`{path}` has no element `{segment}`, expected a position from 1 to {elements}")
        }
    };
    Finding { origin: Some(origin), message, hint: None, missing: None }
}

pub(super) fn file_origin(span: std::ops::Range<usize>) -> Origin {
    Origin::File { start: span.start as u32, end: span.end as u32 }
}

fn origin_of(tree: &[Entry], path: &[&str]) -> Option<Origin> {
    let (first, rest) = path.split_first()?;
    let entry = find(tree, first)?;
    match (&entry.node.data, rest) {
        (_, []) => Some(entry.origin),
        (Data::Table(entries), rest) => origin_of(entries, rest),
        _ => None,
    }
}

/// The texts that locations refer to.
pub(super) struct Sources<'s> {
    pub(super) text: &'s str,
    pub(super) file_name: &'s str,
    pub(super) overrides: &'s [Override],
}

impl Sources<'_> {
    /// Looks up the locations of findings and sorts them in the order of the texts.
    pub(super) fn problems(&self, findings: Findings) -> Vec<Problem> {
        let rank = |finding: &Finding| match finding.origin {
            None | Some(Origin::Assigned) => (0, 0),
            Some(Origin::File { start, .. }) => (1, start),
            Some(Origin::Override { index, start, .. }) => (2 + index, start),
        };
        let mut list = findings.list;
        list.sort_by_key(rank);
        list.into_iter().map(|finding| self.problem(finding)).collect()
    }

    fn problem(&self, finding: Finding) -> Problem {
        let location = match finding.origin {
            None | Some(Origin::Assigned) => None,
            Some(Origin::File { start, end }) => {
                Some(Location::of(self.file_name, self.text, start as usize, end as usize))
            }
            Some(Origin::Override { index, start, end }) => {
                let text = self.overrides[index as usize].text();
                Some(Location::of("--set", text, start as usize, end as usize))
            }
        };
        Problem { message: finding.message, location, hint: finding.hint }
    }
}
