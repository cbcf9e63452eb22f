//! `bench doctor`: does the seed decide a trial of a program, and do trials before it?

use super::arguments::DoctorArguments;
use super::experiment;
use super::failure::{Exit, Failure};
use super::notices::listener;
use super::patience;
use super::run::engine_on;
use crate::base::format;
use crate::experiment::program::Mode;
use crate::experiment::settings::CommandSettings;
use crate::session::{Finding, Session, data_folders, examine, results_folder};

pub(super) fn doctor(arguments: &DoctorArguments) -> Result<Exit, Failure> {
    let loaded = experiment::load(&arguments.experiment)?;
    let name = &loaded.document.experiment().name;
    let folder = results_folder(arguments.out.as_ref(), name);
    let mut session = Session::of(loaded, folder, data_folders(None), listener(false))?;
    let engine = engine_on("cpu")?;
    let _running = patience::at("running trials of the program");
    let (finding, command) = examine(&mut session, engine.as_ref())?;
    if arguments.json {
        out!("{}", format::DOCTOR.text(&finding));
    } else {
        tell(&finding, &command);
    }
    Ok(match finding.order_effects {
        Some(true) if !command.allow_order_effects => Exit::Regressed,
        None if command.mode == Mode::Persistent => Exit::Inconclusive,
        _ => Exit::Done,
    })
}

fn tell(finding: &Finding, command: &CommandSettings) {
    let says = |is: bool, yes: &str, no: &str| outln!("  {}", if is { yes } else { no });
    match finding.cell.as_str() {
        "" => outln!("a trial of the only cell:"),
        cell => outln!("a trial of `{cell}`:"),
    }
    says(
        finding.seed_decides,
        "twice in a fresh process: the same numbers to the last digit, its seed decides it",
        "twice in a fresh process: other numbers, so more than its seed decides it (threads, the time, \
         a GPU): repeats are honest, but no trial can be had again",
    );
    says(
        finding.seed_matters,
        "with another seed: other numbers",
        "with another seed: the same numbers, so the seed does not reach it: repeats would repeat nothing",
    );
    if command.mode != Mode::Persistent {
        return;
    }
    match finding.order_effects {
        Some(false) => {
            outln!(
                "  after another trial in the same process: the same numbers, `mode = \"persistent\"` is safe"
            );
        }
        Some(true) => outln!(
            "  after another trial in the same process: other numbers\n  hint: seed everything anew in every \
             trial, or accept it with `allow-order-effects = true` under `[trainer]`"
        ),
        None => outln!("  after another trial in the same process: cannot be told from chance"),
    }
}
