//! Visits the combinations of a block, whatever the size of their product.
//!
//! Combinations that an exclusion leaves out are cut off as soon as its last dimension is decided,
//! so the work grows with the cells there are. Where it does not, a limit ends it.

use super::MAX_CELLS;
use super::block::{Block, Condition, Slots};

/// Positions tried before a block is given up: a few tenths of a second.
pub(super) const MAX_STEPS: u64 = 20_000_000;

/// Says that too much is excluded to find the rest by looking.
#[derive(Debug)]
pub(super) struct Tangled;

impl Block {
    /// Calls `visit` with every cell in the order typed, until it returns false or more than
    /// [`MAX_CELLS`] have been visited.
    pub(super) fn each(&self, visit: &mut dyn FnMut(&Slots) -> bool) -> Result<(), Tangled> {
        if self.is_dead() {
            return Ok(());
        }
        let cut_off = cut_off(&self.order, &self.exclusions);
        if self.order.is_sorted() {
            let mut seen = 0;
            return self.walk(&self.order, &cut_off, &mut |slots| {
                seen += 1;
                visit(slots) && seen <= MAX_CELLS
            });
        }
        // A condition stands behind what depends on it: the order walked is not the order typed.
        let width = self.dimensions.len();
        let mut found: Vec<u32> = Vec::new();
        self.walk(&self.order, &cut_off, &mut |slots| {
            found.extend_from_slice(slots);
            found.len() / width <= MAX_CELLS
        })?;
        let mut sorted: Vec<&Slots> = found.chunks_exact(width).collect();
        sorted.sort_unstable();
        for slots in sorted {
            if !visit(slots) {
                break;
            }
        }
        Ok(())
    }

    /// Returns whether some dimension that always exists has all of its positions excluded.
    fn is_dead(&self) -> bool {
        (0..self.dimensions.len())
            .filter(|index| self.dimensions[*index].conditions.is_empty())
            .any(|index| {
                let mut slots = vec![0; self.dimensions.len()];
                let alone: Vec<&Vec<Condition>> = self
                    .exclusions
                    .iter()
                    .filter(|all| !all.is_empty() && all.iter().all(|one| one.dimension == index))
                    .collect();
                (1..=self.dimensions[index].length).all(|slot| {
                    slots[index] = slot;
                    alone.iter().any(|all| all.iter().all(|one| one.holds(&slots)))
                })
            })
    }

    /// Returns the first exclusion that meets no combination, whatever the others leave out.
    pub(super) fn idle_exclusion(&self) -> Option<usize> {
        self.exclusions.iter().position(|all| !all.is_empty() && !self.can_meet(all))
    }

    /// Returns whether all conditions hold in some combination of the product.
    fn can_meet(&self, all: &[Condition]) -> bool {
        // Nothing but the dimensions named, and those they depend on, has a say.
        let mut concerned: Vec<usize> = all.iter().map(|one| one.dimension).collect();
        let mut next = 0;
        while let Some(&dimension) = concerned.get(next) {
            next += 1;
            let Some(dimension) = self.dimensions.get(dimension) else { return false };
            for condition in &dimension.conditions {
                if !concerned.contains(&condition.dimension) {
                    concerned.push(condition.dimension);
                }
            }
        }
        let order: Vec<usize> =
            self.order.iter().copied().filter(|dimension| concerned.contains(dimension)).collect();
        let required: Vec<Vec<&Condition>> = order
            .iter()
            .map(|dimension| all.iter().filter(|one| one.dimension == *dimension).collect())
            .collect();
        let is_cut_off =
            |depth: usize, slots: &Slots| required[depth].iter().any(|one| !one.holds(slots));
        let mut is_met = false;
        let walked = self.walk(&order, &is_cut_off, &mut |_| {
            is_met = true;
            false
        });
        is_met || walked.is_err()
    }

    /// Visits the combinations of the dimensions in `order`, the last one fastest, without those for
    /// which `is_cut_off(depth, slots)` holds once the dimension at `depth` is decided.
    fn walk(
        &self,
        order: &[usize],
        is_cut_off: &dyn Fn(usize, &Slots) -> bool,
        visit: &mut dyn FnMut(&Slots) -> bool,
    ) -> Result<(), Tangled> {
        let mut slots = vec![0; self.dimensions.len()];
        let (mut depth, mut is_new) = (0, true);
        let mut steps = 0;
        loop {
            let Some(&dimension) = order.get(depth) else {
                if !visit(&slots) || depth == 0 {
                    return Ok(());
                }
                (depth, is_new) = (depth - 1, false);
                continue;
            };
            let next = match (is_new, slots[dimension]) {
                (true, _) => Some(u32::from(self.exists(dimension, &slots))),
                (false, 0) => None,
                (false, slot) => Some(slot + 1),
            };
            let is_there = |slot: &u32| *slot <= self.dimensions[dimension].length;
            let Some(next) = next.filter(is_there) else {
                slots[dimension] = 0;
                if depth == 0 {
                    return Ok(());
                }
                (depth, is_new) = (depth - 1, false);
                continue;
            };
            slots[dimension] = next;
            steps += 1;
            if steps > MAX_STEPS {
                return Err(Tangled);
            }
            if is_cut_off(depth, &slots) {
                is_new = false;
            } else {
                (depth, is_new) = (depth + 1, true);
            }
        }
    }
}

/// Returns a test of whether an exclusion holds that is decided at a depth of `order`.
fn cut_off<'a>(
    order: &[usize],
    exclusions: &'a [Vec<Condition>],
) -> impl Fn(usize, &Slots) -> bool + use<'a> {
    let mut decided: Vec<Vec<&[Condition]>> = order.iter().map(|_| Vec::new()).collect();
    for all in exclusions {
        let depth_of = |one: &Condition| order.iter().position(|known| *known == one.dimension);
        // A condition over an axis of no dimension never holds, nor does the exclusion.
        let depths: Option<Vec<usize>> = all.iter().map(depth_of).collect();
        if let Some(last) = depths.and_then(|depths| depths.into_iter().max()) {
            decided[last].push(all);
        }
    }
    move |depth, slots| {
        decided[depth].iter().any(|all| all.iter().all(|condition| condition.holds(slots)))
    }
}
