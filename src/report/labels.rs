//! Short labels for dotted keys.

/// Last parts of keys that say nothing without the part before them.
const VAGUE: [&str; 12] = [
    "name", "size", "initial", "width", "height", "factor", "rate", "kind", "seed", "source",
    "epochs", "value",
];

/// Returns, for every key, its shortest ending that is clear by itself and unlike the others.
#[must_use]
pub(super) fn short_labels(keys: &[&str]) -> Vec<String> {
    let ending = |key: &str, parts: usize| {
        let all: Vec<&str> = key.split('.').collect();
        all[all.len().saturating_sub(parts)..].join(".")
    };
    let depth = |key: &str| key.split('.').count();
    let shortest = |key: &str| {
        let least = if VAGUE.contains(&ending(key, 1).as_str()) { 2 } else { 1 };
        (least..depth(key))
            .map(|parts| ending(key, parts))
            .find(|label| {
                let suffix = format!(".{label}");
                let same = |other: &&&str| other.ends_with(&suffix) || **other == label.as_str();
                keys.iter().filter(same).count() == 1
            })
            .unwrap_or_else(|| key.to_owned())
    };
    keys.iter().map(|key| shortest(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_last_part_unless_that_is_vague_or_shared() {
        let keys = ["augment.rotation", "ensemble.size", "train.optimizer.name", "model.dropout"];
        assert_eq!(short_labels(&keys), ["rotation", "ensemble.size", "optimizer.name", "dropout"]);
        assert_eq!(
            short_labels(&["a.x.decay", "b.x.decay", "b.y.decay"]),
            ["a.x.decay", "b.x.decay", "y.decay"]
        );
        assert_eq!(short_labels(&["repeats"]), ["repeats"]);
    }
}
