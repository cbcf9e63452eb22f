//! One block, compiled: dimensions that are combined, and what of their product is left out.

use std::collections::HashMap;

use super::{ABSENT, Axis};
use crate::experiment::value::Value;
use crate::experiment::{GridBlock, Match};

/// The union of axes under construction.
#[derive(Default)]
pub(super) struct Axes {
    pub(super) list: Vec<Axis>,
    indices: HashMap<String, usize>,
    values: Vec<HashMap<String, u32>>,
}

impl Axes {
    /// Returns the index of an axis, made if it is new.
    pub(super) fn index(&mut self, key: &str) -> usize {
        if let Some(&index) = self.indices.get(key) {
            return index;
        }
        let index = self.list.len();
        self.list.push(Axis { key: key.to_owned(), values: Vec::new() });
        self.values.push(HashMap::new());
        self.indices.insert(key.to_owned(), index);
        index
    }

    /// Returns the index of a value on an axis, made if it is new.
    pub(super) fn choice(&mut self, axis: usize, value: &Value) -> u32 {
        let values = &mut self.list[axis].values;
        *self.values[axis].entry(value.canonical()).or_insert_with(|| {
            values.push(value.clone());
            values.len() as u32 - 1
        })
    }
}

/// A combination of a block: of every dimension 0 where it does not exist, else its position from
/// 1. Combinations in the order typed are sorted.
pub(super) type Slots = [u32];

/// Axes that move together; an independent axis is a dimension of its own.
pub(super) struct Dimension {
    /// Of each axis its index in the grid, and the choice at every position.
    axes: Vec<(usize, Vec<u32>)>,
    pub(super) length: u32,
    /// The dimension exists where all of these hold.
    pub(super) conditions: Vec<Condition>,
}

/// `dimension` stands in one of the accepted slots.
pub(super) struct Condition {
    pub(super) dimension: usize,
    accepted: Vec<bool>,
}

impl Condition {
    /// Returns whether it holds; never where the dimension does not exist.
    pub(super) fn holds(&self, slots: &Slots) -> bool {
        slots.get(self.dimension).is_some_and(|slot| self.accepted[*slot as usize])
    }
}

/// A block ready to be counted and expanded.
pub(super) struct Block {
    pub(super) dimensions: Vec<Dimension>,
    /// Dimensions so that conditions come before what depends on them.
    pub(super) order: Vec<usize>,
    /// Combinations in which all conditions of one of these hold are left out.
    pub(super) exclusions: Vec<Vec<Condition>>,
}

/// Says that conditions form a circle.
pub(super) struct Circular(pub(super) String);

impl Block {
    /// Compiles a block; its axes and values are added to `axes`.
    pub(super) fn compile(block: &GridBlock, axes: &mut Axes) -> Result<Self, Circular> {
        let groups: Vec<&[Axis]> = block
            .axes
            .iter()
            .map(std::slice::from_ref)
            .chain(block.zips.iter().map(Vec::as_slice))
            .collect();
        let mut dimensions: Vec<Dimension> =
            groups.iter().map(|group| Dimension::of(group, axes)).collect();
        for when in &block.when {
            for (dimension, group) in dimensions.iter_mut().zip(&groups) {
                if group.iter().any(|axis| when.keys.contains(&axis.key)) {
                    let conditions = when.matches.iter().map(|one| condition(one, &groups));
                    dimension.conditions.extend(conditions);
                }
            }
        }
        let order = dependency_order(&dimensions)
            .map_err(|stuck| Circular(groups[stuck][0].key.clone()))?;
        let exclusion =
            |matches: &Vec<Match>| matches.iter().map(|one| condition(one, &groups)).collect();
        let exclusions = block.exclude.iter().map(exclusion).collect();
        Ok(Self { dimensions, order, exclusions })
    }

    /// Returns the number of combinations if nothing were excluded or conditional.
    pub(super) fn product(&self) -> u128 {
        self.dimensions
            .iter()
            .fold(1, |product, dimension| product.saturating_mul(u128::from(dimension.length)))
    }

    /// Returns whether every combination of the product is a cell.
    pub(super) fn is_plain(&self) -> bool {
        self.exclusions.is_empty() && self.dimensions.iter().all(|one| one.conditions.is_empty())
    }

    /// Returns whether a dimension exists among the slots of those before it in order.
    pub(super) fn exists(&self, dimension: usize, slots: &Slots) -> bool {
        self.dimensions[dimension].conditions.iter().all(|condition| condition.holds(slots))
    }

    /// Returns whether an exclusion leaves out this combination.
    pub(super) fn is_excluded(&self, slots: &Slots) -> bool {
        let holds = |all: &Vec<Condition>| {
            !all.is_empty() && all.iter().all(|condition| condition.holds(slots))
        };
        self.exclusions.iter().any(holds)
    }

    /// Appends the row of a combination in a grid of `width` axes.
    pub(super) fn append_row(&self, slots: &Slots, width: usize, rows: &mut Vec<u32>) {
        let start = rows.len();
        rows.resize(start + width, ABSENT);
        for (dimension, slot) in self.dimensions.iter().zip(slots) {
            if let Some(position) = slot.checked_sub(1) {
                for (axis, choices) in &dimension.axes {
                    rows[start + axis] = choices[position as usize];
                }
            }
        }
    }
}

impl Dimension {
    fn of(group: &[Axis], axes: &mut Axes) -> Self {
        let length = group.iter().map(|axis| axis.values.len()).min().unwrap_or(0);
        let compiled = group
            .iter()
            .map(|axis| {
                let index = axes.index(&axis.key);
                let choices =
                    axis.values[..length].iter().map(|value| axes.choice(index, value)).collect();
                (index, choices)
            })
            .collect();
        Self { axes: compiled, length: length as u32, conditions: Vec::new() }
    }
}

/// Compiles a condition; one over an axis of no dimension never holds.
fn condition(one: &Match, groups: &[&[Axis]]) -> Condition {
    let found = groups.iter().enumerate().find_map(|(dimension, group)| {
        group.iter().find(|axis| axis.key == one.key).map(|axis| (dimension, axis))
    });
    let Some((dimension, axis)) = found else {
        return Condition { dimension: groups.len(), accepted: Vec::new() };
    };
    let accepted = axis.values.iter().map(|value| one.values.contains(value));
    Condition { dimension, accepted: std::iter::once(false).chain(accepted).collect() }
}

/// Orders dimensions so that each comes after those its conditions name, in the order typed
/// wherever that is free; fails with a dimension of a circle.
fn dependency_order(dimensions: &[Dimension]) -> Result<Vec<usize>, usize> {
    let count = dimensions.len();
    let mut order: Vec<usize> = Vec::with_capacity(count);
    let mut is_placed = vec![false; count];
    while order.len() < count {
        let is_ready = |index: &usize| {
            !is_placed[*index]
                && dimensions[*index].conditions.iter().all(|condition| {
                    is_placed.get(condition.dimension).is_none_or(|placed| *placed)
                })
        };
        let Some(ready) = (0..count).find(is_ready) else {
            let stuck = (0..count).find(|index| !is_placed[*index]);
            return Err(stuck.expect("some dimension is not yet in order"));
        };
        is_placed[ready] = true;
        order.push(ready);
    }
    Ok(order)
}
