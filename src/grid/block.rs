//! One block, compiled: its dimensions, conditions and exclusions over the union of axes.

use std::cell::Cell as Met;
use std::collections::HashMap;

use super::{Axis, Cell};
use crate::spec::experiment::{GridBlock, Match};
use crate::spec::value::Value;

/// The union of axes under construction.
#[derive(Default)]
pub(super) struct Axes {
    pub(super) list: Vec<Axis>,
    places: HashMap<String, usize>,
    values: Vec<HashMap<String, u32>>,
}

impl Axes {
    /// Returns the place of an axis, made if it is new.
    pub(super) fn place(&mut self, key: &str) -> usize {
        if let Some(&place) = self.places.get(key) {
            return place;
        }
        let place = self.list.len();
        self.list.push(Axis { key: key.to_owned(), values: Vec::new() });
        self.values.push(HashMap::new());
        self.places.insert(key.to_owned(), place);
        place
    }

    /// Returns the index of a value on an axis, made if it is new.
    pub(super) fn choice(&mut self, place: usize, value: &Value) -> u32 {
        let values = &mut self.list[place].values;
        *self.values[place].entry(value.canonical()).or_insert_with(|| {
            values.push(value.clone());
            values.len() as u32 - 1
        })
    }
}

/// Axes that move together; an independent axis is a dimension of its own.
struct Dimension {
    /// For each axis its place and the choice at every position.
    axes: Vec<(usize, Vec<u32>)>,
    length: u32,
    /// The dimension exists where all of these hold.
    conditions: Vec<Condition>,
}

/// `axis` takes one of `accepted`.
struct Condition {
    axis: usize,
    accepted: Vec<u32>,
}

impl Condition {
    fn holds(&self, choices: &[Option<u32>]) -> bool {
        choices[self.axis].is_some_and(|choice| self.accepted.binary_search(&choice).is_ok())
    }
}

/// A block ready for expansion.
pub(super) struct Block {
    dimensions: Vec<Dimension>,
    /// Dimensions so that conditions come before what depends on them.
    order: Vec<usize>,
    excluded: Vec<Vec<Condition>>,
    /// Which of the exclusions have met a cell.
    met: Vec<Met<bool>>,
    /// Number of axes of the whole grid.
    width: usize,
}

/// Says that conditions form a circle.
pub(super) struct Circular(pub(super) String);

impl Block {
    /// Compiles a block whose axes are all known to `axes`.
    pub(super) fn compile(block: &GridBlock, axes: &mut Axes) -> Result<Self, Circular> {
        let mut dimensions: Vec<Dimension> = Vec::new();
        for axis in &block.axes {
            dimensions.push(Dimension::of(std::slice::from_ref(axis), axes));
        }
        for zip in &block.zips {
            dimensions.push(Dimension::of(zip, axes));
        }
        for when in &block.when {
            for dimension in &mut dimensions {
                let concerned = dimension
                    .axes
                    .iter()
                    .any(|(place, _)| when.keys.contains(&axes.list[*place].key));
                if concerned {
                    for condition in &when.matches {
                        dimension.conditions.push(compile_match(condition, axes));
                    }
                }
            }
        }
        let excluded: Vec<Vec<Condition>> = block
            .exclude
            .iter()
            .map(|matches| matches.iter().map(|one| compile_match(one, axes)).collect())
            .collect();
        let order = dependency_order(&dimensions)
            .map_err(|stuck| Circular(axes.list[dimensions[stuck].axes[0].0].key.clone()))?;
        let met = excluded.iter().map(|_| Met::new(false)).collect();
        Ok(Self { dimensions, order, excluded, met, width: 0 })
    }

    /// Says how many axes the whole grid has.
    pub(super) fn widen(&mut self, width: usize) {
        self.width = width;
    }

    /// Returns the number of cells if nothing were excluded or conditional.
    pub(super) fn product(&self) -> u128 {
        self.dimensions
            .iter()
            .fold(1, |product, dimension| product.saturating_mul(u128::from(dimension.length)))
    }

    /// Returns the lengths of the dimensions, in the order typed.
    pub(super) fn lengths(&self) -> impl Iterator<Item = u32> {
        self.dimensions.iter().map(|dimension| dimension.length)
    }

    /// Calls `visit` with every cell, in order, until it returns false.
    pub(super) fn each(&self, visit: &mut dyn FnMut(Cell) -> bool) {
        let is_typed_order = self.order.is_sorted();
        let mut choices = vec![None; self.width];
        if is_typed_order {
            self.descend(&self.order, &mut choices, visit);
            return;
        }
        let mut cells = Vec::new();
        let mut is_wanted = true;
        self.descend(&self.order, &mut choices, &mut |cell| {
            cells.push(cell);
            // The caller sees sorted cells, but says early when there are too many.
            is_wanted = cells.len() <= super::MOST_CELLS;
            is_wanted
        });
        cells.sort_by_cached_key(|cell| self.digits(cell));
        for cell in cells {
            if !visit(cell) {
                return;
            }
        }
    }

    fn descend(
        &self,
        order: &[usize],
        choices: &mut [Option<u32>],
        visit: &mut dyn FnMut(Cell) -> bool,
    ) -> bool {
        let [first, rest @ ..] = order else {
            return self.is_excluded(choices) || visit(Cell { choices: choices.into() });
        };
        let dimension = &self.dimensions[*first];
        if !dimension.exists(choices) {
            return self.descend(rest, choices, visit);
        }
        for position in 0..dimension.length {
            dimension.choose(position, choices);
            if !self.descend(rest, choices, visit) {
                return false;
            }
        }
        for (place, _) in &dimension.axes {
            choices[*place] = None;
        }
        true
    }

    /// Makes the cell at one position of every dimension; positions of dimensions that do not
    /// exist there are disregarded. Returns nothing if it is excluded.
    pub(super) fn cell_at(&self, positions: &[u32]) -> Option<Cell> {
        let mut choices = vec![None; self.width];
        for &place in &self.order {
            let dimension = &self.dimensions[place];
            if dimension.exists(&choices) {
                dimension.choose(positions[place], &mut choices);
            }
        }
        (!self.is_excluded(&choices)).then(|| Cell { choices: choices.into() })
    }

    /// Returns whether every dimension that does not exist in `cell` stands at position 0, so that
    /// exactly one set of positions stands for each cell.
    pub(super) fn is_plain(&self, cell: &Cell, positions: &[u32]) -> bool {
        self.dimensions
            .iter()
            .zip(positions)
            .all(|(dimension, position)| *position == 0 || dimension.exists(&cell.choices))
    }

    /// Returns the position of a cell in every dimension, absent ones first.
    pub(super) fn digits(&self, cell: &Cell) -> Vec<u32> {
        let digit = |dimension: &Dimension| {
            let is_here = |position: &u32| {
                dimension
                    .axes
                    .iter()
                    .all(|(place, values)| cell.choices[*place] == Some(values[*position as usize]))
            };
            (0..dimension.length).find(is_here).map_or(0, |position| position + 1)
        };
        self.dimensions.iter().map(digit).collect()
    }

    fn is_excluded(&self, choices: &[Option<u32>]) -> bool {
        let mut is_excluded = false;
        for (all, met) in self.excluded.iter().zip(&self.met) {
            if !all.is_empty() && all.iter().all(|condition| condition.holds(choices)) {
                met.set(true);
                is_excluded = true;
            }
        }
        is_excluded
    }

    /// Returns the first exclusion that has met no cell so far.
    pub(super) fn idle_exclusion(&self) -> Option<usize> {
        self.met.iter().position(|met| !met.get())
    }
}

impl Dimension {
    fn of(group: &[Axis], axes: &mut Axes) -> Self {
        let length = group.iter().map(|axis| axis.values.len()).min().unwrap_or(0);
        let compiled = group
            .iter()
            .map(|axis| {
                let place = axes.place(&axis.key);
                let choices =
                    axis.values[..length].iter().map(|value| axes.choice(place, value)).collect();
                (place, choices)
            })
            .collect();
        Self { axes: compiled, length: length as u32, conditions: Vec::new() }
    }

    fn exists(&self, choices: &[Option<u32>]) -> bool {
        self.conditions.iter().all(|condition| condition.holds(choices))
    }

    fn choose(&self, position: u32, choices: &mut [Option<u32>]) {
        for (place, values) in &self.axes {
            choices[*place] = Some(values[position as usize]);
        }
    }
}

fn compile_match(condition: &Match, axes: &mut Axes) -> Condition {
    let axis = axes.place(&condition.key);
    let mut accepted: Vec<u32> =
        condition.values.iter().map(|value| axes.choice(axis, value)).collect();
    accepted.sort_unstable();
    Condition { axis, accepted }
}

/// Orders dimensions so that each comes after those its conditions name, in the order typed
/// wherever that is free; fails with a dimension of a circle.
fn dependency_order(dimensions: &[Dimension]) -> Result<Vec<usize>, usize> {
    let mut order: Vec<usize> = Vec::with_capacity(dimensions.len());
    while order.len() < dimensions.len() {
        let is_ready = |place: &usize| {
            !order.contains(place)
                && dimensions[*place].conditions.iter().all(|condition| {
                    let owner = dimensions.iter().position(|other| {
                        other.axes.iter().any(|(axis, _)| *axis == condition.axis)
                    });
                    // A condition over an axis of no dimension never holds, and waits for nothing.
                    owner.is_none_or(|owner| order.contains(&owner))
                })
        };
        let Some(ready) = (0..dimensions.len()).find(is_ready) else {
            let stuck = (0..dimensions.len()).find(|place| !order.contains(place));
            return Err(stuck.expect("some dimension is not yet in order"));
        };
        order.push(ready);
    }
    Ok(order)
}
