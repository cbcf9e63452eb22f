//! `bench migrate` and `bench clean`: looking after results folders. Both say what they would do
//! and do it when told to.

use std::collections::BTreeSet;

use super::arguments::{CleanArguments, MigrateArguments};
use super::failure::{Exit, Failure};
use super::notices::listener;
use crate::report::counted;
use crate::session::{Error, Images, data_folders, refresh, store_and_plan};
use crate::store::{Leftover, Leftovers, Migration};

pub(super) fn migrate(arguments: &MigrateArguments) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let cannot = |error| Error::of_store(format!("cannot migrate `{}`", folder.display()), &error);
    let found = if arguments.apply { Migration::apply(folder) } else { Migration::of(folder) };
    let found = found.map_err(cannot)?;
    if arguments.apply {
        // Also where an earlier migration was ended before it came to this.
        let data = data_folders(arguments.data.data_dir.clone());
        refresh(folder, &mut Images::new(data, listener(false)))?;
    }
    if found.is_empty() {
        outln!("`{}` is of the present format", folder.display());
        return Ok(Exit::Done);
    }
    let tense = if arguments.apply { "turned" } else { "would turn" };
    outln!("{tense} into format version 2 in `{}`:", folder.display());
    for journal in &found.journals {
        outln!("  {}", journal.display());
    }
    outln!("  {}, {}", counted(found.members, "member"), counted(found.trials, "trial"),);
    if found.predictions > 0 {
        outln!(
            "  {} ({:.1} MiB), which stay in half precision",
            counted(found.predictions, "prediction file"),
            found.prediction_bytes as f64 / f64::from(1 << 20)
        );
    }
    if found.lost > 0 {
        outln!(
            "  predictions of {} are missing or damaged: the next run trains them again",
            counted(found.lost, "member")
        );
    }
    if found.manifest {
        outln!("  manifest.json gets a checksum");
    }
    if !arguments.apply {
        outln!("nothing was changed; `bench migrate {} --apply` does it", folder.display());
    }
    Ok(Exit::Done)
}

pub(super) fn clean(arguments: &CleanArguments) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let cannot = |error| Error::of_store(format!("cannot clean `{}`", folder.display()), &error);
    // Committed results, and those of an experiment that cannot be read any more, have no plan.
    let plan = store_and_plan(folder).map(|(_, plan)| plan);
    let used = match plan {
        Ok(plan) => Some(plan.members.iter().map(|member| member.id).collect::<BTreeSet<_>>()),
        Err(error) if arguments.unused => return Err(error.into()),
        Err(_) => None,
    };
    let found = Leftovers::of(folder, used.as_ref(), arguments.force).map_err(cannot)?;
    let unused = found.unused.iter().filter(|_| arguments.unused);
    for file in found.files.iter().chain(unused) {
        outln!("{}", file.path.display());
    }
    let of_killed = format!("{} of killed runs", sized(&found.files));
    let of_others =
        format!("{} of networks that the experiment no longer asks for", sized(&found.unused));
    let what = match (arguments.unused, found.files.is_empty()) {
        (false, _) => of_killed,
        (true, true) => of_others,
        (true, false) => format!("{of_killed}, {of_others}"),
    };
    let is_empty = found.files.is_empty() && (found.unused.is_empty() || !arguments.unused);
    if is_empty {
        outln!("nothing to remove in `{}`", folder.display());
    } else if arguments.apply {
        found.remove(arguments.unused).map_err(cannot)?;
        outln!("removed {what}");
    } else {
        let flag = if arguments.unused { " --unused" } else { "" };
        outln!("would remove {what}; `bench clean {}{flag} --apply` does it", folder.display());
    }
    if !arguments.unused && !found.unused.is_empty() {
        outln!(
            "`bench clean {1} --unused` lists {0} of networks that the experiment no longer asks for",
            sized(&found.unused),
            folder.display()
        );
    }
    if found.kept > 0 {
        outln!(
            "{} of processes that may live on other machines stay; `--force` takes them for ended",
            counted(found.kept, "file")
        );
    }
    Ok(Exit::Done)
}

/// Returns how many files these are, with their size.
fn sized(files: &[Leftover]) -> String {
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    format!("{} ({:.1} MiB)", counted(files.len(), "file"), bytes as f64 / f64::from(1 << 20))
}
