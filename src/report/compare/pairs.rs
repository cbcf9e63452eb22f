//! Which cell of A stands against which of B.

use std::collections::{BTreeMap, BTreeSet};

use super::Side;
use crate::experiment::selector::SelectorError;
use crate::experiment::value::Value;
use crate::results::ExperimentResults;

/// Says why two sets of cells cannot be paired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PairingError {
    /// A selector names what is not there.
    #[error(transparent)]
    Selector(#[from] SelectorError),
    /// An axis exists on one side only and varies there.
    #[error(
        "axis `{axis}` exists in {side} (`{experiment}`) only and takes {} values there; choose \
         one with `--cell-{} {axis}=…`", values.len(), side.to_lowercase()
    )]
    OneSided {
        /// The axis.
        axis: String,
        /// `A` or `B`.
        side: &'static str,
        /// The experiment.
        experiment: String,
        /// Its values.
        values: Vec<String>,
    },
    /// No cell of A has a partner.
    #[error(
        "no cell of A has the same axis values as one of B; choose one cell of each with \
         `--cell-a` and `--cell-b`"
    )]
    Nothing,
    /// A cell has several partners.
    #[error(
        "cell `{cell}` could stand against {} cells of {side}: {}; choose one with \
         `--cell-{} {axis}=…`",
        partners.len(),
        partners.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        side.to_lowercase()
    )]
    Several {
        /// The cell.
        cell: String,
        /// Its possible partners.
        partners: Vec<String>,
        /// The side they belong to, `A` or `B`.
        side: &'static str,
        /// An axis that tells them apart.
        axis: String,
    },
    /// Both sides are the same cells.
    #[error(
        "A and B are the same cells; name two results folders, or different cells with `--cell-a` \
         and `--cell-b`"
    )]
    Same,
}

/// Cells paired by their indices in their experiments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Pairing {
    pub(super) pairs: Vec<(usize, usize)>,
    pub(super) only_a: Vec<usize>,
    pub(super) only_b: Vec<usize>,
    /// Axes that tell the pairs apart.
    pub(super) shared: Vec<String>,
}

/// Cells of A and of B with the same values of the shared axes.
type CellsOfBoth = (Vec<usize>, Vec<usize>);

/// Pairs the selected cells: one cell against one whatever they are, several by the axes that no
/// selector fixes.
pub(super) fn pair(a: Side<'_>, b: Side<'_>) -> Result<Pairing, PairingError> {
    let (fixed_a, cells_a) = a.results.choose(a.selector)?;
    let (fixed_b, cells_b) = b.results.choose(b.selector)?;
    if std::ptr::eq(a.results, b.results) && cells_a == cells_b {
        return Err(PairingError::Same);
    }
    if let ([one], [other]) = (&cells_a[..], &cells_b[..]) {
        return Ok(Pairing { pairs: vec![(*one, *other)], ..Pairing::default() });
    }
    let fixed: BTreeSet<&String> = fixed_a.iter().chain(&fixed_b).collect();
    let free = |results: &ExperimentResults| -> Vec<String> {
        let keys = results.axes.iter().map(|axis| axis.key.clone());
        keys.filter(|key| !fixed.contains(key)).collect()
    };
    let (free_a, free_b) = (free(a.results), free(b.results));
    one_sided(&free_a, &free_b, a, &cells_a, "A")?;
    one_sided(&free_b, &free_a, b, &cells_b, "B")?;
    let shared: Vec<String> = free_a.into_iter().filter(|key| free_b.contains(key)).collect();
    let mut by_values: BTreeMap<Vec<Option<&Value>>, CellsOfBoth> = BTreeMap::new();
    for &cell in &cells_a {
        by_values.entry(identity(a.results, cell, &shared)).or_default().0.push(cell);
    }
    for &cell in &cells_b {
        by_values.entry(identity(b.results, cell, &shared)).or_default().1.push(cell);
    }
    let mut pairing = Pairing { shared: shared.clone(), ..Pairing::default() };
    for (of_a, of_b) in by_values.into_values() {
        match (&of_a[..], &of_b[..]) {
            (_, []) => pairing.only_a.extend(of_a),
            ([], _) => pairing.only_b.extend(of_b),
            (&[one], &[other]) => pairing.pairs.push((one, other)),
            (&[one], _) => return Err(several(&a.results.cells[one].name, &of_b, b, "B")),
            _ => return Err(several(&b.results.cells[of_b[0]].name, &of_a, a, "A")),
        }
    }
    for cells in [&mut pairing.only_a, &mut pairing.only_b] {
        cells.sort_unstable();
    }
    pairing.pairs.sort_unstable();
    if std::ptr::eq(a.results, b.results) && pairing.pairs.iter().any(|(a, b)| a == b) {
        return Err(PairingError::Same);
    }
    if pairing.pairs.is_empty() {
        return Err(PairingError::Nothing);
    }
    Ok(pairing)
}

/// Returns the values of a cell on the axes that tell the pairs apart.
fn identity<'r>(
    results: &'r ExperimentResults,
    cell: usize,
    shared: &[String],
) -> Vec<Option<&'r Value>> {
    shared.iter().map(|key| results.value(cell, key)).collect()
}

/// Says that `cell` has several `partners` among the cells of `of`.
fn several(cell: &str, partners: &[usize], of: Side<'_>, side: &'static str) -> PairingError {
    let differs = |key: &str| {
        let first = of.results.value(partners[0], key);
        partners.iter().any(|&cell| of.results.value(cell, key) != first)
    };
    let axis = of.results.axes.iter().find(|axis| differs(&axis.key));
    PairingError::Several {
        cell: cell.to_owned(),
        partners: partners.iter().map(|&cell| of.results.cells[cell].name.clone()).collect(),
        side,
        axis: axis.map_or_else(|| "axis".to_owned(), |axis| axis.key.clone()),
    }
}

/// Refuses an axis that only one side has, unless it has one value among the cells chosen.
fn one_sided(
    own: &[String],
    other: &[String],
    side: Side<'_>,
    cells: &[usize],
    name: &'static str,
) -> Result<(), PairingError> {
    for key in own.iter().filter(|key| !other.contains(key)) {
        let values: BTreeSet<&Value> =
            cells.iter().filter_map(|&cell| side.results.value(cell, key)).collect();
        if values.len() > 1 {
            return Err(PairingError::OneSided {
                axis: key.clone(),
                side: name,
                experiment: side.results.facts.name.clone(),
                values: values.into_iter().map(Value::notation).collect(),
            });
        }
    }
    Ok(())
}
