//! `[submit]`.

use crate::experiment::keys;
use crate::experiment::reader::{COUNT, Findings, Section, text};
use crate::experiment::submit::SubmitSettings;
use crate::experiment::tree::{Data, Node};

/// Reads `[submit]`.
pub(in crate::experiment) fn submit(
    node: Option<&Node>,
    findings: &mut Findings,
) -> SubmitSettings {
    let section = Section::open(node, "submit", keys::below("submit"), findings);
    let mut count = |key: &str| section.whole(key, COUNT, findings);
    let (workers, at_once) = (count("workers"), count("at-once"));
    let (cpus, gpus) = (count("cpus"), count("gpus"));
    let mut one = |key: &str| line(&section.name(key), section.get(key)?, findings);
    SubmitSettings {
        workers,
        at_once,
        cpus,
        gpus,
        time: one("time"),
        partition: one("partition"),
        account: one("account"),
        memory: one("memory"),
        container: one("container"),
        claim: one("claim"),
        modules: lines(&section, "modules", findings),
        options: lines(&section, "options", findings),
    }
}

/// Reads one line of text: more would be lines of a script.
fn line(name: &str, node: &Node, findings: &mut Findings) -> Option<String> {
    let found = text(name, node, findings)?;
    if found.trim().is_empty() || found.chars().any(char::is_control) {
        findings.wrong(name, node, "one line of text");
        return None;
    }
    Some(found.to_owned())
}

fn lines(section: &Section<'_>, key: &str, findings: &mut Findings) -> Vec<String> {
    match section.get(key) {
        None => Vec::new(),
        Some(Node { data: Data::List(nodes), .. }) => {
            let name = section.name(key);
            nodes.iter().filter_map(|node| line(&name, node, findings)).collect()
        }
        Some(node) => {
            findings.wrong(&section.name(key), node, "a list of texts");
            Vec::new()
        }
    }
}
