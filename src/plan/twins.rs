//! Cells that mean the same under different names.
//!
//! Their trials have the same members and the same result, so a comparison that takes them for
//! independent counts one result twice.

use std::collections::HashMap;

use super::{Member, Plan};
use crate::base::SeedPath;
use crate::spec::layers::LayerSettings;
use crate::spec::settings::{Combine, Settings, TrainerSettings};

/// Pairs named in one message.
const MOST_NAMED: usize = 5;

/// Cells that mean the same as an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{count} of the cells train{} the same networks as another\n{}\n  hint: exclude one of each pair, \
     or let an axis exist only where it matters with `[[grid.when]]`",
    if *count == 1 { "s" } else { "" },
    named.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")
)]
pub struct Twins {
    /// Number of cells that repeat another.
    pub count: usize,
    /// The first few, each with the cell it repeats.
    pub named: Vec<String>,
}

impl Plan {
    /// Refuses cells that train the same networks and combine them alike.
    ///
    /// # Errors
    /// If there are any; names the first few.
    pub fn refuse_twins(&self) -> Result<(), Twins> {
        let mut fits: HashMap<(String, SeedPath), usize> = HashMap::new();
        let mut seen: HashMap<(Vec<usize>, Combine), usize> = HashMap::new();
        let mut twins = Twins { count: 0, named: Vec::new() };
        let mut last = None;
        for trial in &self.trials {
            // The first trial of a cell stands for all.
            if last.replace(trial.cell) == Some(trial.cell) {
                continue;
            }
            let members = trial.members.iter().map(|&place| match fit(&self.members[place]) {
                Some(fit) => *fits.entry(fit).or_insert(place),
                None => place,
            });
            let key = (members.collect(), self.settings_of(trial).ensemble.combine);
            let earlier = *seen.entry(key).or_insert(trial.cell);
            if earlier == trial.cell {
                continue;
            }
            twins.count += 1;
            if twins.named.len() < MOST_NAMED {
                let name = |cell: usize| &self.cells[cell].name;
                twins.named.push(format!("`{}` means `{}`", name(trial.cell), name(earlier)));
            }
        }
        if twins.count == 0 { Ok(()) } else { Err(twins) }
    }
}

/// Returns what decides a member that is fitted in one pass: of the training settings nothing but
/// `retrain`.
fn fit(member: &Member) -> Option<(String, SeedPath)> {
    let Settings { dataset, model, train, augment, trainer, .. } = &*member.settings;
    if *trainer != TrainerSettings::Dfdx || !LayerSettings::are_fitted(&model.layers) {
        return None;
    }
    let meaning = (dataset, &model.layers, train.retrain, augment);
    let text = serde_json::to_string(&meaning).expect("settings serialise to JSON");
    Some((text, member.seed_path))
}
