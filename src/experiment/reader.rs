//! Reads typed values out of the tree and collects what is wrong with them.

use super::edition::Edition;
use std::borrow::Cow;

use super::problem::{nearest, one_of};
use super::tree::{Data, Entry, Node, Origin, find};

/// Something wrong, before its location is looked up in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) origin: Option<Origin>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The full name of the key that is missing, where that is what is wrong.
    pub(super) missing: Option<String>,
}

/// Everything found wrong so far, and the defaults that a file is read by.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    pub(super) edition: Edition,
}

impl Findings {
    /// Returns no findings yet, for a file of that edition.
    pub(super) fn of(edition: Edition) -> Self {
        Self { list: Vec::new(), edition }
    }

    /// Adds a finding, unless the same was found before.
    pub(super) fn add(&mut self, finding: Finding) {
        if !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }

    /// Adds a finding without a hint.
    pub(super) fn say(&mut self, origin: impl Into<Option<Origin>>, message: String) {
        self.add(Finding { origin: origin.into(), message, hint: None, missing: None });
    }

    /// Adds a finding with a hint.
    pub(super) fn advise(
        &mut self,
        origin: impl Into<Option<Origin>>,
        message: String,
        hint: String,
    ) {
        self.add(Finding { origin: origin.into(), message, hint: Some(hint), missing: None });
    }

    /// Says that `name` holds something else than expected.
    pub(super) fn wrong(&mut self, name: &str, node: &Node, expected: &str) {
        self.say(node.origin, format!("`{name}` is {}, expected {expected}", node.found()));
    }
}

/// A range of numbers, in words and as a test.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) expected: &'static str,
    pub(super) holds: fn(f64) -> bool,
}

/// Any number.
pub(super) const NUMBER: Limits = Limits { expected: "a number", holds: |_| true };
/// A positive number.
pub(super) const POSITIVE: Limits = Limits { expected: "a number above 0", holds: |x| x > 0.0 };
/// A number that is not negative.
pub(super) const NOT_NEGATIVE: Limits = Limits { expected: "a number from 0", holds: |x| x >= 0.0 };
/// A fraction that may be 0 but not 1.
pub(super) const BELOW_ONE: Limits = Limits {
    expected: "a number from 0 up to but not including 1",
    holds: |x| (0.0..1.0).contains(&x),
};
/// A fraction including both ends.
pub(super) const FRACTION: Limits =
    Limits { expected: "a number from 0 to 1", holds: |x| (0.0..=1.0).contains(&x) };
/// A positive whole number.
pub(super) const COUNT: Limits = Limits { expected: "a whole number from 1", holds: |x| x >= 1.0 };
/// A whole number that is not negative.
pub(super) const WHOLE: Limits = Limits { expected: "a whole number from 0", holds: |x| x >= 0.0 };

/// Checks that `node` is a number within `limits`.
pub(super) fn number(
    name: &str,
    node: &Node,
    limits: Limits,
    findings: &mut Findings,
) -> Option<f64> {
    let value = node.number().filter(|value| (limits.holds)(*value));
    if value.is_none() {
        findings.wrong(name, node, limits.expected);
    }
    value
}

/// Checks that `node` is a whole number within `limits` that `T` holds; `3.0` counts as `3`.
pub(super) fn whole<T: TryFrom<i64>>(
    name: &str,
    node: &Node,
    limits: Limits,
    findings: &mut Findings,
) -> Option<T> {
    let exact = match node.data {
        Data::Integer(value) => Some(value),
        // Above 2^53 a float no longer says which whole number was meant.
        Data::Float(value) if value.fract().abs() <= 0.0 && value.abs() < 9.0e15 => {
            Some(value as i64)
        }
        _ => None,
    };
    let Some(exact) = exact.filter(|value| (limits.holds)(*value as f64)) else {
        findings.wrong(name, node, limits.expected);
        return None;
    };
    let value = T::try_from(exact).ok();
    if value.is_none() {
        findings.wrong(name, node, "a smaller whole number");
    }
    value
}

/// Checks that `node` is text.
pub(super) fn text<'t>(name: &str, node: &'t Node, findings: &mut Findings) -> Option<&'t str> {
    let value = node.text();
    if value.is_none() {
        findings.wrong(name, node, "text in quotes");
    }
    value
}

/// Checks that `node` is one of the named choices.
pub(super) fn choice<T: Clone>(
    name: &str,
    node: &Node,
    choices: &[(&str, T)],
    findings: &mut Findings,
) -> Option<T> {
    let typed = node.text();
    if let Some((_, value)) = choices.iter().find(|(choice, _)| typed == Some(choice)) {
        return Some(value.clone());
    }
    let names = || choices.iter().map(|(choice, _)| *choice);
    let message = format!("`{name}` is {}, expected {}", node.found(), one_of(names()));
    match typed.and_then(|typed| nearest(typed, names())) {
        Some(near) => findings.advise(node.origin, message, format!("did you mean `{near}`?")),
        None => findings.say(node.origin, message),
    }
    None
}

/// A table whose keys are known.
pub(super) struct Section<'t> {
    path: Cow<'static, str>,
    entries: &'t [Entry],
    origin: Option<Origin>,
    known: &'static [&'static str],
}

impl<'t> Section<'t> {
    /// Opens the table `node` at `path`, an absent one as empty, and reports unknown keys.
    pub(super) fn open(
        node: Option<&'t Node>,
        path: impl Into<Cow<'static, str>>,
        known: &'static [&'static str],
        findings: &mut Findings,
    ) -> Self {
        Self::open_variant(node, path.into(), known, known, ("", ""), findings)
    }

    /// Opens a table whose keys depend on its kind: of all `known` keys only `own` belong to the
    /// `variant`, named by what it is and its name.
    pub(super) fn open_variant(
        node: Option<&'t Node>,
        path: Cow<'static, str>,
        known: &'static [&'static str],
        own: &[&'static str],
        variant: (&str, &str),
        findings: &mut Findings,
    ) -> Self {
        let entries = match node.map(|node| (&node.data, node)) {
            None => &[][..],
            Some((Data::Table(entries), _)) => entries,
            Some((_, node)) => {
                findings.wrong(&path, node, "a table");
                &[]
            }
        };
        let section = Self { path, entries, origin: node.map(|node| node.origin), known };
        for entry in entries {
            if !own.contains(&&*entry.key) {
                section.refuse(entry, own, variant, findings);
            }
        }
        section
    }

    fn refuse(
        &self,
        entry: &Entry,
        own: &[&str],
        (what, variant): (&str, &str),
        findings: &mut Findings,
    ) {
        let name = self.name(&entry.key);
        let expected = one_of(own.iter().copied());
        if self.known.contains(&&*entry.key) {
            let message = format!("`{name}` is no key of {what} `{variant}`, expected {expected}");
            return findings.say(entry.origin, message);
        }
        let message = format!("unknown key `{name}`, expected {expected}");
        // The keys of lists and conditions have nothing to do with the keys of settings.
        let is_elsewhere = |key: &&str| {
            !self.path.contains('[')
                && key.strip_suffix(&*entry.key).is_some_and(|above| above.ends_with('.'))
        };
        let elsewhere = || super::keys::SETTING_KEYS.iter().copied().find(is_elsewhere);
        let called = || super::keys::alias(&entry.key).filter(|_| !self.path.contains('['));
        let near = nearest(&entry.key, own.iter().copied())
            .map(|key| self.name(key))
            .or_else(|| elsewhere().or_else(called).map(str::to_owned));
        match near {
            Some(near) => findings.advise(entry.origin, message, format!("did you mean `{near}`?")),
            None => findings.say(entry.origin, message),
        }
    }

    /// Returns the full name of a key.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Returns where the table was typed.
    pub(super) fn origin(&self) -> Option<Origin> {
        self.origin
    }

    /// Returns the entry of a key.
    pub(super) fn entry(&self, key: &str) -> Option<&'t Entry> {
        debug_assert!(self.known.contains(&key), "`{key}` is read but not known");
        find(self.entries, key)
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'t Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Returns the number at `key`, or `default` where there is none.
    pub(super) fn number(
        &self,
        key: &str,
        limits: Limits,
        default: f64,
        findings: &mut Findings,
    ) -> f64 {
        self.optional_number(key, limits, findings).unwrap_or(default)
    }

    /// Returns the number at `key`, if there is one.
    pub(super) fn optional_number(
        &self,
        key: &str,
        limits: Limits,
        findings: &mut Findings,
    ) -> Option<f64> {
        let node = self.get(key)?;
        match node.number().filter(|value| (limits.holds)(*value)) {
            Some(value) => Some(value),
            None => number(&self.name(key), node, limits, findings),
        }
    }

    /// Returns the whole number at `key`, if there is one.
    pub(super) fn whole<T: TryFrom<i64>>(
        &self,
        key: &str,
        limits: Limits,
        findings: &mut Findings,
    ) -> Option<T> {
        let node = self.get(key)?;
        match node.data {
            Data::Integer(value) if (limits.holds)(value as f64) => {
                T::try_from(value).ok().or_else(|| whole(&self.name(key), node, limits, findings))
            }
            _ => whole(&self.name(key), node, limits, findings),
        }
    }

    /// Returns the truth value at `key`, or `default` where there is none.
    pub(super) fn flag(&self, key: &str, default: bool, findings: &mut Findings) -> bool {
        match self.get(key) {
            None => default,
            Some(Node { data: Data::Bool(value), .. }) => *value,
            Some(node) => {
                findings.wrong(&self.name(key), node, "`true` or `false`");
                default
            }
        }
    }

    /// Returns the text at `key`, if there is one.
    pub(super) fn text(&self, key: &str, findings: &mut Findings) -> Option<&'t str> {
        let node = self.get(key)?;
        node.text().or_else(|| text(&self.name(key), node, findings))
    }

    /// Returns the choice named at `key`, if there is one.
    pub(super) fn choice<T: Clone>(
        &self,
        key: &str,
        choices: &[(&str, T)],
        findings: &mut Findings,
    ) -> Option<T> {
        let node = self.get(key)?;
        choice(&self.name(key), node, choices, findings)
    }

    /// Says that a key that must be there is not.
    pub(super) fn missing(&self, key: &str, expected: &str, findings: &mut Findings) {
        let name = self.name(key);
        findings.add(Finding {
            origin: self.origin,
            message: format!("`{name}` is missing, expected {expected}"),
            hint: None,
            missing: Some(name),
        });
    }
}
