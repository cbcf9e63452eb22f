//! `[trainer]` and `[hyperparameters]`.

use std::collections::BTreeMap;

use super::program;
use crate::experiment::keys;
use crate::experiment::reader::{COUNT, FRACTION, Findings, NUMBER, Section, WHOLE, number};
use crate::experiment::settings::{Accident, AccidentKind, FakeSettings, TrainerSettings};
use crate::experiment::tree::{Data, Entry, Node};
use crate::experiment::value::Value;

const ACCIDENT_KEYS: &[&str] = &["kind", "repeat", "member", "epoch", "when", "attempts"];
const ACCIDENTS: &[(&str, AccidentKind)] = &[
    ("error", AccidentKind::Error),
    ("panic", AccidentKind::Panic),
    ("diverge", AccidentKind::Diverge),
];

/// Reads `[trainer]`.
pub(super) fn trainer(node: Option<&Node>, findings: &mut Findings) -> TrainerSettings {
    let engines = &[("auto", "auto"), ("dfdx", "dfdx"), ("fake", "fake"), ("command", "command")];
    let section = Section::open(node, "trainer", keys::below("trainer"), findings);
    let engine = section.choice("engine", engines, findings).unwrap_or("auto");
    if let (true, Some(entry)) = (engine != "fake", section.entry("fake")) {
        findings.advise(
            entry.origin,
            format!("`trainer.fake` is not read by engine `{engine}`"),
            "set `engine = \"fake\"`, or remove `fake`".to_owned(),
        );
    }
    for key in program::KEYS {
        if let (true, Some(entry)) = (engine != "command", section.entry(key)) {
            findings.advise(
                entry.origin,
                format!("`trainer.{key}` is not read by engine `{engine}`"),
                format!("set `engine = \"command\"`, or remove `{key}`"),
            );
        }
    }
    if engine != "command" {
        // A word that nobody knows is told beside the key that is not read.
        section.choice("mode", &program::MODES, findings);
    }
    match engine {
        "command" => TrainerSettings::Command(Box::new(program::command(&section, findings))),
        "fake" => TrainerSettings::Fake(fake(section.get("fake"), findings)),
        "dfdx" => TrainerSettings::DfdxOnly,
        _ => TrainerSettings::Auto,
    }
}

fn fake(node: Option<&Node>, findings: &mut Findings) -> FakeSettings {
    let section = Section::open(node, "trainer.fake", keys::below("trainer.fake"), findings);
    let mut effects = BTreeMap::new();
    for (key, node) in dotted(section.get("effects"), "trainer.fake.effects", findings) {
        let name = format!("trainer.fake.effects.{key}");
        if let Some(effect) = number(&name, node, NUMBER, findings) {
            effects.insert(key, effect);
        }
    }
    let accidents = match section.get("accidents") {
        None => Vec::new(),
        Some(Node { data: Data::List(nodes), .. }) => nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| accident(index, node, findings))
            .collect(),
        Some(node) => {
            findings.wrong("trainer.fake.accidents", node, "a list of tables");
            Vec::new()
        }
    };
    FakeSettings {
        accuracy: section.number("accuracy", FRACTION, 0.98, findings),
        spread: section.number("spread", FRACTION, 0.002, findings),
        effects,
        epoch_delay_ms: section.whole("epoch-delay-ms", WHOLE, findings).unwrap_or(0),
        accidents,
    }
}

fn accident(index: usize, node: &Node, findings: &mut Findings) -> Option<Accident> {
    let path = format!("trainer.fake.accidents[{}]", index + 1);
    if node.entries().is_none() {
        findings.wrong(&path, node, "a table");
        return None;
    }
    let section = Section::open(Some(node), path, ACCIDENT_KEYS, findings);
    let kind = section.choice("kind", ACCIDENTS, findings);
    if section.get("kind").is_none() {
        section.missing("kind", "`error`, `panic` or `diverge`", findings);
    }
    let when = dotted(section.get("when"), &section.name("when"), findings)
        .into_iter()
        .filter_map(|(key, node)| Some((key, plain(node, findings)?)))
        .collect();
    Some(Accident {
        kind: kind?,
        repeat: section.whole("repeat", WHOLE, findings),
        member: section.whole("member", WHOLE, findings),
        epoch: section.whole("epoch", COUNT, findings).unwrap_or(1),
        when,
        attempts: section.whole("attempts", COUNT, findings),
    })
}

/// Returns the leaves of a table by their dotted keys, so that `a.b = 1` and `"a.b" = 1` agree.
fn dotted<'t>(
    node: Option<&'t Node>,
    name: &str,
    findings: &mut Findings,
) -> Vec<(String, &'t Node)> {
    fn descend<'t>(entries: &'t [Entry], above: &str, leaves: &mut Vec<(String, &'t Node)>) {
        for entry in entries {
            let key = format!("{above}{}", entry.key);
            match &entry.node.data {
                Data::Table(below) => descend(below, &format!("{key}."), leaves),
                _ => leaves.push((key, &entry.node)),
            }
        }
    }
    let mut leaves = Vec::new();
    match node {
        None => {}
        Some(Node { data: Data::Table(entries), .. }) => descend(entries, "", &mut leaves),
        Some(node) => findings.wrong(name, node, "a table"),
    }
    leaves
}

/// Reads `[hyperparameters]`: any keys, any finite values.
pub(super) fn hyperparameters(
    node: Option<&Node>,
    findings: &mut Findings,
) -> BTreeMap<String, Value> {
    let entries = match node {
        None => return BTreeMap::new(),
        Some(Node { data: Data::Table(entries), .. }) => entries,
        Some(node) => {
            findings.wrong("hyperparameters", node, "a table");
            return BTreeMap::new();
        }
    };
    entries
        .iter()
        .filter_map(|entry| Some((entry.key.to_string(), plain(&entry.node, findings)?)))
        .collect()
}

fn plain(node: &Node, findings: &mut Findings) -> Option<Value> {
    let value = node.value();
    if value.is_none() {
        findings.say(
            node.origin,
            format!("found {}, expected a truth value, number, text, list or table", node.found()),
        );
    }
    value
}
