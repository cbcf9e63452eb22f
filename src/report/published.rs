//! The published tables that ship with `bench`, each a file in `references/`.

use std::sync::OnceLock;

use crate::spec::reference::ReferenceTable;

/// The tables, in the order in which they are named.
const TABLES: [&str; 11] = [
    include_str!("references/seed-001-ensemble.toml"),
    include_str!("references/seed-001-single.toml"),
    include_str!("references/seed-001-spread.toml"),
    include_str!("references/seed-002.toml"),
    include_str!("references/seed-003.toml"),
    include_str!("references/seed-003-baselines.toml"),
    include_str!("references/seed-004-augmentation.toml"),
    include_str!("references/seed-004-optimizer.toml"),
    include_str!("references/seed-004-dropout.toml"),
    include_str!("references/mnist-records.toml"),
    include_str!("references/lecun.toml"),
];

/// Returns every table.
fn tables() -> &'static [ReferenceTable] {
    static READ: OnceLock<Vec<ReferenceTable>> = OnceLock::new();
    READ.get_or_init(|| {
        let read = |text: &&str| ReferenceTable::parse(text, "a shipped table");
        TABLES.iter().map(|text| read(text).expect("a test reads every table")).collect()
    })
}

/// Returns the names of the tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    tables().iter().map(|table| table.name.as_str())
}

/// Returns the table of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static ReferenceTable> {
    tables().iter().find(|table| table.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_table_reads_and_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = names().collect();
        assert_eq!(names.len(), TABLES.len());
        assert!(names.iter().all(|name| find(name).is_some_and(|table| !table.entries.is_empty())));
        assert!(find("seed-005").is_none());
    }

    #[test]
    fn the_published_grid_has_sixteen_cells_of_which_the_best_are_at_shift_a_tenth() {
        let table = find("seed-001-ensemble").unwrap();
        assert_eq!(table.entries.len(), 16);
        let best = table.entries.iter().map(|entry| entry.mean).fold(0.0, f64::max);
        let settings = |entry: &crate::spec::reference::ReferenceEntry| {
            let values = entry.settings.iter().map(|(_, value)| value.notation());
            values.collect::<Vec<_>>().join(" ")
        };
        let best: Vec<String> =
            table.entries.iter().filter(|entry| entry.mean >= best).map(settings).collect();
        assert_eq!(best, ["0.1 10 0.1", "0.1 15 0.15"]);
    }
}
