//! `bench report`: the report of one results folder, or of all below one.

use std::path::{Path, PathBuf};

use super::arguments::{Format as Wanted, ReportArguments};
use super::derived;
use super::evidence;
use super::experiment::{Images, Loaded};
use super::failure::{Exit, Failure};
use super::folders::data_folders;
use super::terminal::Terminal;
use crate::plan::Plan;
use crate::report::predicted::Predicted;
use crate::report::{self, Format, Page, Subject};
use crate::spec::experiment::ConfusionPair;
use crate::store::{Manifest, Store, StoreError, atomic};
use crate::tables::{self, ExperimentResults, TablesError, View};

pub(super) fn report(arguments: &ReportArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let format = match arguments.format {
        Wanted::Terminal => Format::Terminal,
        Wanted::Markdown => Format::Markdown,
        Wanted::Html => Format::Html,
        Wanted::Csv => Format::Csv,
        Wanted::Json => Format::Json,
        Wanted::Latex => Format::Latex,
    };
    let pairs = pairs(&arguments.gallery_of)?;
    let ask = |view: &mut View| {
        view.confusion |= arguments.confusion;
        view.gallery = arguments.gallery.map_or(view.gallery, usize::from);
        view.gallery_of.extend_from_slice(&pairs);
    };
    // Beside a device or a pipe there is no place for charts.
    let file = arguments.output.as_ref().filter(|path| !atomic::is_stream(path));
    // Reading many predictions takes time, so only pages and what asks for them do.
    let shows = |results: &ExperimentResults| match format {
        Format::Html | Format::Json => true,
        Format::Markdown => {
            let view = &results.facts.view;
            let asks = view.confusion || view.gallery > 0 || !view.gallery_of.is_empty();
            asks || file.is_some() || has_few_ensembles(results)
        }
        Format::Terminal => has_few_ensembles(results),
        Format::Csv | Format::Latex => false,
    };
    let mut images = Images::new(data_folders(&arguments.data));
    let mut found = Vec::new();
    for folder in folders_below(&arguments.folder)? {
        found.push(with_evidence(&folder, &ask, &shows, &mut images)?);
    }
    let subjects: Vec<Subject<'_>> = found
        .iter()
        .map(|(results, predicted)| Subject { results, predicted: predicted.as_ref() })
        .collect();
    let Some(path) = &arguments.output else {
        let page = Page { width: terminal.width, colour: terminal.color };
        out!("{}", report::render(&subjects, format, page));
        return Ok(Exit::Done);
    };
    match file {
        Some(file) if format == Format::Markdown => write_markdown(&subjects, file)?,
        _ => {
            let page = Page { width: terminal.width, colour: false };
            write(path, report::render(&subjects, format, page).as_bytes())?;
        }
    }
    Ok(Exit::Done)
}

/// Networks of ensembles up to which every text reads the predictions, for the table of ensembles.
const FEW_NETWORKS: usize = 64;

/// Returns the results in `folder`, with what their predictions say where it is shown.
fn with_evidence(
    folder: &Path,
    ask: &dyn Fn(&mut View),
    shows: &dyn Fn(&ExperimentResults) -> bool,
    images: &mut Images,
) -> Result<(ExperimentResults, Option<Predicted>), Failure> {
    let has_journal = folder.join("journal").is_dir();
    if !has_journal || derived::are_fresh(folder) {
        let mut results = from_tables(folder)?;
        ask(&mut results.facts.view);
        let has_predictions = has_journal && folder.join("predictions").is_dir();
        if !has_predictions || !shows(&results) {
            return Ok((results, None));
        }
        if results.curves.len() > evidence::MOST_MEMBERS {
            let predicted = evidence::too_many(results.curves.len());
            return Ok((results, Some(predicted)));
        }
    }
    let (store, plan) = store_and_plan(folder)?;
    let mut results = tables::assemble(&plan, &store);
    ask(&mut results.facts.view);
    let predicted =
        shows(&results).then(|| evidence::predicted(&results, &plan, &store, images)).flatten();
    Ok((results, predicted))
}

/// Returns whether an experiment is about ensembles, of so few networks that nobody waits long.
fn has_few_ensembles(results: &ExperimentResults) -> bool {
    const KEY: &str = "ensemble.size";
    let is_axis = results.axes.iter().any(|axis| axis.key == KEY);
    let is_set = results.facts.base.get(KEY).is_some_and(|size| size != "1");
    (is_axis || is_set) && results.curves.len() <= FEW_NETWORKS
}

fn pairs(texts: &[String]) -> Result<Vec<ConfusionPair>, Failure> {
    let pair = |text: &String| {
        ConfusionPair::parse(text).ok_or_else(|| {
            Failure::input(format!(
                "`--gallery-of` is `{text}`, expected {}",
                ConfusionPair::EXPECTED
            ))
        })
    };
    texts.iter().map(pair).collect()
}

/// Writes a Markdown report with its charts and images beside it.
pub(super) fn write_markdown(subjects: &[Subject<'_>], path: &Path) -> Result<(), Failure> {
    let (text, attachments) = report::illustrated_markdown(subjects);
    let folder = path.parent().unwrap_or(Path::new(""));
    for attachment in attachments {
        write(&folder.join(&attachment.path), &attachment.bytes)?;
    }
    write(path, text.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    atomic::write_named(path, bytes).map_err(|error| Failure::unwritable("the report", &error))
}

/// Returns the results in `folder`, or in every folder directly below it, sorted by name.
pub(super) fn results_below(folder: &Path) -> Result<Vec<ExperimentResults>, Failure> {
    folders_below(folder)?.iter().map(|folder| results_in(folder)).collect()
}

/// Returns `folder` if it holds results, else every folder directly below it that does, sorted.
fn folders_below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if is_results_folder(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let cannot = || format!("cannot report `{}`", folder.display());
    let entries = std::fs::read_dir(folder).map_err(|error| {
        Failure::input(cannot())
            .because(&error)
            .hint(Some("run `bench run FILE` first, or name a folder under `results/`"))
    })?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_results_folder(path))
        .collect();
    folders.sort();
    if folders.is_empty() {
        return Err(Failure::input(cannot())
            .because_of("neither it nor a folder in it holds a `manifest.json`")
            .hint(Some("run `bench run FILE` first, or name a folder under `results/`")));
    }
    Ok(folders)
}

/// Returns the results of one experiment: from its journal, or where there is none (committed
/// results) from its tables.
pub(super) fn results_in(folder: &Path) -> Result<ExperimentResults, Failure> {
    if folder.join("journal").is_dir() && !derived::are_fresh(folder) {
        let (store, plan) = store_and_plan(folder)?;
        return Ok(tables::assemble(&plan, &store));
    }
    from_tables(folder)
}

/// Returns the results that the tables in `folder` hold.
fn from_tables(folder: &Path) -> Result<ExperimentResults, Failure> {
    let manifest = manifest_in(folder)?;
    let facts = tables::facts(&manifest);
    tables::read(&folder.join("tables"), facts, &tables::declared_axes(&manifest)).map_err(
        |error| {
            tables_failure(format!("cannot read the results in `{}`", folder.display()), &error)
        },
    )
}

/// Opens a results folder for reading, with the plan of the experiment it was made with.
pub(super) fn store_and_plan(folder: &Path) -> Result<(Store, Plan), Failure> {
    let store = Store::open_reader(folder).map_err(|error| {
        store_failure(format!("cannot read the results in `{}`", folder.display()), &error)
    })?;
    let plan = Loaded::from_manifest(store.manifest())?.plan_of_results(store.manifest())?;
    Ok((store, plan))
}

/// Prints a text or writes it to a file.
pub(super) fn deliver(text: &str, output: Option<&PathBuf>, what: &str) -> Result<(), Failure> {
    match output {
        None => out!("{text}"),
        Some(path) => atomic::write_named(path, text.as_bytes())
            .map_err(|error| Failure::unwritable(&format!("the {what}"), &error))?,
    }
    Ok(())
}

/// Reads the manifest of a results folder.
pub(super) fn manifest_in(folder: &Path) -> Result<Manifest, Failure> {
    let cannot = || format!("cannot read the results in `{}`", folder.display());
    Manifest::read(folder).map_err(|error| store_failure(cannot(), &error))?.ok_or_else(|| {
        Failure::input(cannot())
            .because_of("it holds no `manifest.json`")
            .hint(Some("run `bench run FILE` first, or name a folder under `results/`"))
    })
}

fn is_results_folder(folder: &Path) -> bool {
    folder.join("manifest.json").is_file()
}

pub(super) fn store_failure(tried: String, error: &StoreError) -> Failure {
    Failure::input(tried).because(error).hint(error.hint())
}

pub(super) fn tables_failure(tried: String, error: &TablesError) -> Failure {
    Failure::input(tried).because(error).hint(error.hint())
}
