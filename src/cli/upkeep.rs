//! `bench migrate` and `bench clean`: looking after results folders. Both say what they would do
//! and do it when told to.

use super::arguments::{CleanArguments, MigrateArguments};
use super::failure::{Exit, Failure};
use super::notices::listener;
use crate::report::counted;
use crate::session::{Error, Images, data_folders, refresh};
use crate::store::{Leftovers, Migration};

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
    let found = Leftovers::of(folder, arguments.force).map_err(cannot)?;
    let bytes: u64 = found.files.iter().map(|file| file.bytes).sum();
    for file in &found.files {
        outln!("{}", file.path.display());
    }
    let what = format!(
        "{} of killed runs ({:.1} MiB)",
        counted(found.files.len(), "file"),
        bytes as f64 / f64::from(1 << 20)
    );
    if arguments.apply {
        found.remove().map_err(cannot)?;
        outln!("removed {what}");
    } else if found.files.is_empty() {
        outln!("nothing to remove in `{}`", folder.display());
    } else {
        outln!("would remove {what}; `bench clean {} --apply` does it", folder.display());
    }
    if found.kept > 0 {
        outln!(
            "{} of processes that may live on other machines stay; `--force` takes them for ended",
            counted(found.kept, "file")
        );
    }
    Ok(Exit::Done)
}
