//! `bench adopt`: carries trials over a change of their program that alters nothing.

use super::arguments::AdoptArguments;
use super::experiment;
use super::failure::{Exit, Failure};
use super::notices::listener;
use crate::report::counted;
use crate::session::{Session, adopt as record, data_folders, propose, results_folder};

pub(super) fn adopt(arguments: &AdoptArguments) -> Result<Exit, Failure> {
    let loaded = experiment::load(&arguments.experiment)?;
    let name = &loaded.document.experiment().name;
    let folder = results_folder(arguments.out.as_ref(), name);
    let mut session = Session::of(loaded, folder, data_folders(None), listener(false))?;
    let proposal = propose(&mut session, arguments.reason.as_deref())?;
    let folder = session.folder();
    for adoption in &proposal.adoptions {
        outln!("program {} stands for {}:", adoption.to.short(), adoption.from.short());
        for change in &adoption.changes {
            outln!("  {change}");
        }
    }
    outln!(
        "{} of {} would stay as they are",
        counted(proposal.members, "finished trial"),
        proposal.of
    );
    if arguments.apply {
        record(folder, &proposal)?;
        outln!("recorded in `{}`", folder.join("adopted.json").display());
    } else {
        outln!(
            "nothing is recorded yet; `--apply` does so: only if you are sure that the change alters no number"
        );
    }
    Ok(Exit::Done)
}
