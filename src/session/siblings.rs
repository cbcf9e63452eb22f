//! What other experiments beside this one have trained already.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Error, Images, Notice};
use crate::base::MemberId;
use crate::engine::Engine;
use crate::plan::{Plan, outstanding};
use crate::runner::StoreProgress;
use crate::store::Store;

/// Takes over what other experiments beside this one have trained already.
///
/// Never from another folder of the same experiment: who runs it twice wants it trained twice. And
/// only what `engine` would give to the bit: members that took the numerical path they would take here.
/// Returns how many there were.
pub(super) fn take_over(
    store: &mut Store,
    plan: &Plan,
    images: &mut Images,
    engine: &dyn Engine,
    folder: &Path,
) -> Result<usize, Error> {
    let own = folder.canonicalize().ok();
    let parent = match folder.parent() {
        _ if folder.file_name().is_none() => own.as_deref().and_then(Path::parent),
        Some(parent) if parent.as_os_str().is_empty() => Some(Path::new(".")),
        parent => parent,
    };
    let Some(parent) = parent else { return Ok(0) };
    let wanted = |store: &Store| {
        let left = outstanding(plan, &StoreProgress::new(store.view(), false));
        left.members
    };
    // A parent that cannot be listed has no siblings to offer.
    let Ok(entries) = std::fs::read_dir(parent) else { return Ok(0) };
    let mut taken_over = 0;
    let mut siblings: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    siblings.sort();
    for sibling in siblings {
        if !sibling.join("journal").is_dir() || sibling.canonicalize().ok() == own {
            continue;
        }
        let missing = wanted(store);
        if missing.is_empty() {
            break;
        }
        // A damaged sibling is its own run's problem; nothing is taken from it.
        let Ok(other) = Store::open_reader(&sibling) else { continue };
        if other.manifest().run.name == store.manifest().run.name {
            continue;
        }
        let (mut fitting, mut others) = (Vec::new(), BTreeMap::<String, usize>::new());
        for &index in &missing {
            let member = &plan.members[index];
            let Some(path) = path_in(&other, &member.id) else { continue };
            let dataset = images.load(&member.settings.dataset)?;
            let here = engine.path_of(&member.settings, dataset.shape, dataset.classes.len());
            match here {
                Some(here) if here != path => {
                    *others.entry(format!("`{path}` there, `{here}` here")).or_default() += 1;
                }
                _ => fitting.push(member.id),
            }
        }
        for (paths, count) in others {
            let folder = sibling.clone();
            images.listener.tell(&Notice::OtherPath { members: count, folder, paths });
        }
        let imported = store
            .import_from(&other, fitting)
            .map_err(|error| Error::of_store("cannot take over finished members", &error))?;
        if !imported.is_empty() {
            let members = imported.len();
            taken_over += members;
            images.listener.tell(&Notice::TakenOver { members, folder: sibling });
        }
    }
    Ok(taken_over)
}

/// Returns the numerical path of a completed member in another store. A member that diverged has
/// none on record, and is not taken over.
fn path_in(other: &Store, member: &MemberId) -> Option<String> {
    Some(other.members().get(member)?.summary.as_ref()?.path.clone())
}
