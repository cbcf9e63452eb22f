//! The published tables that ship with `bench`, each a file in `references/`.

use std::sync::OnceLock;

use crate::experiment::reference::ReferenceTable;

/// The tables, in the order in which they are named.
const TABLES: [&str; 11] = [
    include_str!("references/deotte-2018-ensemble.toml"),
    include_str!("references/deotte-2018-single.toml"),
    include_str!("references/deotte-2018-spread.toml"),
    include_str!("references/tensorflow-two-conv.toml"),
    include_str!("references/chollet.toml"),
    include_str!("references/chollet-baselines.toml"),
    include_str!("references/augment-cnn-augmentation.toml"),
    include_str!("references/augment-cnn-optimizer.toml"),
    include_str!("references/augment-cnn-dropout.toml"),
    include_str!("references/mnist-records.toml"),
    include_str!("references/lecun.toml"),
];

/// Names that tables had, and their names now.
const RENAMED: [(&str, &str); 9] = [
    ("seed-001-ensemble", "deotte-2018-ensemble"),
    ("seed-001-single", "deotte-2018-single"),
    ("seed-001-spread", "deotte-2018-spread"),
    ("seed-002", "tensorflow-two-conv"),
    ("seed-003", "chollet"),
    ("seed-003-baselines", "chollet-baselines"),
    ("seed-004-augmentation", "augment-cnn-augmentation"),
    ("seed-004-optimizer", "augment-cnn-optimizer"),
    ("seed-004-dropout", "augment-cnn-dropout"),
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
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    tables().iter().map(|table| table.name.as_str())
}

/// Returns the present name of a table, where `name` is one that it had.
pub(crate) fn renamed(name: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(old, _)| *old == name).map(|(_, new)| *new)
}

/// Returns the table of that name, or that had it once.
pub(crate) fn find(name: &str) -> Option<&'static ReferenceTable> {
    let name = renamed(name).unwrap_or(name);
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
        assert!(find("nobody-2099").is_none());
    }

    #[test]
    fn tables_are_found_by_the_names_they_had() {
        for (old, new) in RENAMED {
            assert_eq!(find(old).map(|table| table.name.as_str()), Some(new), "{old}");
        }
    }

    #[test]
    fn the_published_grid_has_sixteen_cells_of_which_the_best_are_at_shift_a_tenth() {
        let table = find("deotte-2018-ensemble").unwrap();
        assert_eq!(table.entries.len(), 16);
        let best = table.entries.iter().map(|entry| entry.mean).fold(0.0, f64::max);
        let settings = |entry: &crate::experiment::reference::ReferenceEntry| {
            let values = entry.settings.iter().map(|(_, value)| value.notation());
            values.collect::<Vec<_>>().join(" ")
        };
        let best: Vec<String> =
            table.entries.iter().filter(|entry| entry.mean >= best).map(settings).collect();
        assert_eq!(best, ["0.1 10 0.1", "0.1 15 0.15"]);
    }
}
