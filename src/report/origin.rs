//! The last lines of every report: what it cost and where its numbers come from.

use super::document::Section;
use super::numbers::{counted, duration, grouped};
use super::present::Presenter;

impl Presenter<'_> {
    /// Returns label and text of every line about where the numbers come from.
    #[must_use]
    pub(super) fn origin(&self) -> Vec<(String, String)> {
        let Section { origin, seed, datasets, cost, .. } = self.section;
        let mut lines = Vec::new();
        let mut costs = Vec::new();
        if cost.train_seconds > 0.0 {
            let members = match cost.members {
                0 => String::new(),
                members => format!(" over {}", counted(members, "member")),
            };
            costs.push(format!("{} of training{members}", duration(cost.train_seconds)));
        }
        if let Some(found) = cost.images_per_second {
            let spread = found.sd.map_or_else(
                || " (n = 1, no spread)".to_owned(),
                |sd| format!(" ± {} images/s (n = {})", grouped(sd, 0), found.n),
            );
            costs.push(format!("{}{spread}", grouped(found.mean, 0)));
        }
        if let Some(memory) = cost.peak_memory_mib {
            costs.push(format!("at most {} MiB", grouped(memory, 0)));
        }
        if !costs.is_empty() {
            lines.push(("cost".to_owned(), costs.join(", ")));
        }
        let mut code = vec![format!("seed {seed}")];
        code.extend(origin.commit.as_ref().map(|commit| format!("commit {commit}")));
        code.push(format!("bench {}", origin.bench_version));
        code.push(origin.toolchain.clone());
        let machine = vec![origin.hardware.clone(), origin.engine.clone()];
        let data = datasets.iter().map(|dataset| {
            let short: String = dataset.checksum.chars().take(12).collect();
            let images = counted(dataset.images as usize, "image");
            let split = [(dataset.test_images, "test"), (dataset.validation_images, "validation")];
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
