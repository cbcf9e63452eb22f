//! The last lines of every report: what it cost and where its numbers come from.

use super::document::{NetworkCost, Section};
use super::numbers::{counted, duration, grouped};
use super::text::Presenter;

/// Kinds of networks up to which each has its speed printed.
const MAX_SPEEDS: usize = 2;

/// Says how fast the networks of a kind trained: all images over all seconds, then member by member.
fn speed(network: &NetworkCost) -> Option<String> {
    let rate = grouped(network.images_per_second?, 0);
    let name = match network.network.as_str() {
        "" => String::new(),
        name => format!("{name} "),
    };
    let members = network.member_images_per_second.map_or_else(String::new, |found| {
        if found.n == 1 {
            return " (n = 1)".to_owned();
        }
        let [median, low, high] =
            [found.median, found.min, found.max].map(|value| grouped(value, 0));
        format!(" (median {median}, {low}–{high}, n = {})", found.n)
    });
    Some(format!("{name}{rate} images/s{members}"))
}

impl Presenter<'_> {
    /// Returns label and text of every line about where the numbers come from.
    pub(super) fn origin(&self) -> Vec<(String, String)> {
        let Section { origin, seed, datasets, cost, .. } = self.section;
        let mut lines = Vec::new();
        let mut costs = Vec::new();
        if cost.train_seconds > 0.0 {
            let members = match cost.members {
                0 => String::new(),
                1 => " of 1 network".to_owned(),
                members => format!(", summed over {}", counted(members, "network")),
            };
            costs.push(format!("{} of training{members}", duration(cost.train_seconds)));
        }
        if cost.networks.len() <= MAX_SPEEDS {
            costs.extend(cost.networks.iter().filter_map(speed));
        } else {
            let rates = || cost.networks.iter().filter_map(|one| one.images_per_second);
            let ends = rates().min_by(f64::total_cmp).zip(rates().max_by(f64::total_cmp));
            costs.extend(ends.map(|(low, high)| {
                let networks = counted(cost.networks.len(), "network");
                let (low, high) = (grouped(low, 0), grouped(high, 0));
                format!("{low} to {high} images/s, by kind of network ({networks} compared)")
            }));
        }
        if let Some(memory) = cost.peak_memory_mib {
            let memory = grouped(memory.ceil(), 0);
            costs.push(format!("at most {memory} MiB per network (computed)"));
        }
        if !costs.is_empty() {
            lines.push(("cost".to_owned(), costs.join("; ")));
        }
        let mut code = vec![format!("seed {seed}")];
        let at = |commit: &String| format!("commit {commit}");
        code.extend(
            origin.experiment_commit.as_ref().map(|found| format!("experiment at {}", at(found))),
        );
        let built =
            origin.commit.as_ref().map_or_else(String::new, |commit| format!(" at {}", at(commit)));
        code.push(format!("bench {}{built}", origin.version));
        code.push(origin.toolchain.clone());
        let machine = vec![origin.hardware.clone(), self.engine()];
        let data = datasets.iter().map(|dataset| {
            let short = dataset.checksum.short();
            let images = counted(dataset.images, "image");
            let split =
                [(dataset.test_images(), "test"), (dataset.validation_images(), "validation")];
            let split: Vec<String> = split
                .iter()
                .filter_map(|(count, name)| {
                    Some(format!("{} {name}", grouped(count.as_ref().copied()? as f64, 0)))
                })
                .collect();
            let split =
                if split.is_empty() { String::new() } else { format!(" ({})", split.join(", ")) };
            format!("{} {images}{split} sha256 {short}", dataset.name)
        });
        for (label, mut parts) in [("code", code), ("machine", machine), ("data", data.collect())] {
            parts.retain(|part| !part.trim_end_matches("bench ").is_empty());
            if !parts.is_empty() {
                lines.push((label.to_owned(), parts.join(", ")));
            }
        }
        lines
    }
}
