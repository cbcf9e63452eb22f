//! `bench data` and `bench devices`.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::arguments::{
    DataCommand, DataConvertArguments, DataFetchArguments, DataFolderArguments, DataListArguments,
    DataPreviewArguments, DataSourceArguments,
};
use super::experiment;
use super::failure::{Exit, Failure};
use super::folders::refuse_leftovers;
use super::notices::listener;
use super::patience;
use super::terminal::Terminal;
use crate::base::{Seed, SeedPath, format};
use crate::data::{
    self, Augmenter, DatasetInfo, FetchOptions, FetchProgress, SourceInfo, SourcePlace, Spread,
};
use crate::engine::{self, DeviceChoice};
use crate::experiment::Document;
use crate::experiment::settings::{AugmentSettings, DatasetSettings};
use crate::report::{counted, grouped, whole, wrap_text};
use crate::session::{Images, LoadedExperiment, data_folders, download_folder, is_experiment_file};
use crate::store::atomic::{self, AtomicError};

pub(super) fn data(command: DataCommand, terminal: Terminal) -> Result<Exit, Failure> {
    match command {
        DataCommand::List(arguments) => Ok(list(&arguments, terminal)),
        DataCommand::Fetch(arguments) => fetch(arguments, terminal),
        DataCommand::Info(arguments) => info(&arguments),
        DataCommand::Preview(arguments) => preview(&arguments),
        DataCommand::Convert(arguments) => convert(&arguments),
    }
}

/// Prints what this build can train on.
pub(super) fn devices() -> Result<Exit, Failure> {
    let cpu = engine::build(DeviceChoice::Cpu)
        .map_err(|error| Failure::internal("cannot set up the CPU").because(&error))?;
    outln!("cpu      {}", cpu.description());
    match engine::build(DeviceChoice::Cuda(0)) {
        Ok(gpu) => outln!("cuda:0   {}", gpu.description()),
        Err(error) => outln!("cuda     not available: {error}"),
    }
    Ok(Exit::Done)
}

fn list(arguments: &DataListArguments, terminal: Terminal) -> Exit {
    let sources = data::list(&data_folders(arguments.data.data_dir.clone()));
    if arguments.json {
        out!("{}", format::DATASETS.text(&json!({ "datasets": sources })));
        return Exit::Done;
    }
    for line in sources_as_text(&sources, terminal.width) {
        outln!("{line}");
    }
    Exit::Done
}

/// Returns one line per dataset, or several where these would be wider than `width`.
fn sources_as_text(sources: &[SourceInfo], width: usize) -> Vec<String> {
    const INDENT: usize = 2;
    let widest = sources.iter().map(|source| source.licence.chars().count()).max().unwrap_or(0);
    let counts = |[name, images, test, pixels, classes]: [&str; 5]| {
        format!("{name:<14} {images:>7} {test:>7} {pixels:>7} {classes:>8}")
    };
    let head = counts(["name", "images", "test", "pixels", "classes"]);
    let rows: Vec<(String, &str, String)> = sources
        .iter()
        .map(|source| {
            let place = match &source.place {
                SourcePlace::Embedded => "in the program".to_owned(),
                SourcePlace::Folder(folder) => folder.display().to_string(),
                SourcePlace::Absent => format!("not here: bench data fetch {}", source.name),
            };
            let [images, test, classes] =
                [source.images, source.test_images, source.classes].map(whole);
            let side = format!("{0}×{0}", source.image_size);
            (counts([source.name, &images, &test, &side, &classes]), source.licence, place)
        })
        .collect();
    let mut lines = vec![format!("{head}  {:<widest$}  where", "licence")];
    lines.extend(
        rows.iter()
            .map(|(counts, licence, place)| format!("{counts}  {licence:<widest$}  {place}")),
    );
    if lines.iter().all(|line| line.chars().count() <= width) {
        return lines;
    }
    lines = vec![head];
    for (counts, licence, place) in rows {
        lines.push(counts);
        for below in [licence, &place] {
            let wrapped = wrap_text(below, width - INDENT, INDENT);
            lines.extend(wrapped.iter().map(|line| format!("{:INDENT$}{line}", "")));
        }
    }
    lines
}

fn fetch(arguments: DataFetchArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let folder = download_folder(arguments.data.data_dir.clone()).ok_or_else(|| {
        Failure::input("cannot choose a folder for downloads")
            .because_of("neither `HOME` nor `XDG_CACHE_HOME` nor `BENCH_DATA_DIR` is set")
            .hint(Some("name one with `--data-dir DIR`"))
    })?;
    let bar = if terminal.is_watched { ProgressBar::new(0) } else { ProgressBar::hidden() };
    bar.set_style(
        ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            .expect("the template is sound")
            .progress_chars("━╸─"),
    );
    let (seen, is_watched) = (bar.clone(), terminal.is_watched);
    let _word = patience::told_by(move || received(&seen, is_watched));
    let options = FetchOptions {
        force: arguments.force,
        mirrors: arguments.mirrors,
        ..FetchOptions::default()
    };
    let shown = data::fetch(&arguments.name, &folder, &options, &mut |progress| match progress {
        FetchProgress::Present { file } => bar.suspend(|| say!("{file}: there and whole")),
        FetchProgress::Started { file, url, resumed_at, total } => {
            bar.suspend(|| say!("{file}: from {url}"));
            bar.set_message(file.to_owned());
            bar.set_length(total.unwrap_or(0));
            bar.set_position(resumed_at);
        }
        FetchProgress::Received { bytes, .. } => bar.set_position(bytes),
        FetchProgress::Failed { file, url, problem } => {
            bar.suspend(|| say!("{file}: {url} failed: {problem}"));
        }
        FetchProgress::Done { file } => bar.suspend(|| say!("{file}: done")),
    })?;
    bar.finish_and_clear();
    outln!("{}", shown.display());
    Ok(Exit::Done)
}

/// Returns how far a download is that nobody sees.
fn received(bar: &ProgressBar, is_watched: bool) -> Option<String> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    match bar.length().unwrap_or(0) {
        0 => Some("still waiting for a server".to_owned()),
        _ if is_watched => None,
        total => {
            let (bytes, total) = (mib(bar.position()), mib(total));
            Some(format!("{}: {bytes:.1} of {total:.1} MiB so far", bar.message()))
        }
    }
}

/// Reads what a command means by a dataset: an experiment's, which is returned too, or one by name.
fn meant(
    source: &str,
    image_size: Option<usize>,
) -> Result<(DatasetSettings, Option<LoadedExperiment>), Failure> {
    let sized = |mut dataset: DatasetSettings| {
        dataset.image_size = image_size.or(dataset.image_size);
        dataset
    };
    if is_experiment_file(source) {
        let loaded = experiment::read(Path::new(source), &[])?;
        return Ok((sized(loaded.document.experiment().base.dataset.clone()), Some(loaded)));
    }
    let quoted = serde_json::to_string(source).expect("text serialises");
    let of = |dataset: &str| {
        let text = format!("name = \"data\"\n[dataset]\n{dataset}\n[model]\npreset = \"mlp\"\n");
        Document::parse(&text, "dataset", &[])
    };
    let path = Path::new(source);
    let is_table = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    let named = of(&format!("source = {quoted}"));
    let document = match () {
        () if named.is_err() && path.is_dir() => {
            of(&format!("source = \"folder\"\npath = {quoted}"))
        }
        () if named.is_err() && is_table => of(&format!("source = \"csv\"\npath = {quoted}")),
        () => named,
    };
    let document = document.map_err(|_| {
        Failure::input(format!("cannot find dataset `{source}`"))
            .because_of(
                "it is no dataset that has a name, no experiment file, no folder and no CSV file",
            )
            .hint(Some("see `bench data list`, or name a `.toml` file with a `[dataset]`"))
    })?;
    Ok((sized(document.experiment().base.dataset.clone()), None))
}

/// Returns the images of an experiment, or of a dataset that has a name.
fn images_of(experiment: Option<&LoadedExperiment>, folders: &DataFolderArguments) -> Images {
    let folders = data_folders(folders.data_dir.clone());
    match experiment {
        Some(loaded) => Images::of(loaded.file.as_ref(), folders, listener(false)),
        None => Images::new(folders, listener(false)),
    }
}

/// Returns an experiment's augmentation and, where axes vary it, the name of the cell it is of: the
/// last one, since grids go from little to much.
fn augmentation(loaded: &LoadedExperiment) -> Result<(AugmentSettings, Option<String>), Failure> {
    let LoadedExperiment { document, grid, .. } = loaded;
    let varied = grid.axes.iter().any(|axis| axis.key.starts_with("augment."));
    let Some(cell) = grid.cells().next_back().filter(|_| varied) else {
        return Ok((document.experiment().base.augment.clone(), None));
    };
    let settings = document.settings_for(grid.assignment(cell))?;
    Ok((settings.augment, Some(grid.name(cell))))
}

fn info(arguments: &DataSourceArguments) -> Result<Exit, Failure> {
    let (settings, experiment) = meant(&arguments.source, arguments.image_size)?;
    let mut images = images_of(experiment.as_ref(), &arguments.data);
    let dataset = images.load(&settings)?;
    let mut info = data::info(&dataset);
    // What a run would refuse can be looked at all the same.
    match images.examine(&settings, Seed(0)) {
        Ok(notes) => info.notes = notes.to_vec(),
        Err(error) => {
            say!("warning: {}", Failure::from(error).to_string().replacen("error: ", "", 1));
        }
    }
    if arguments.json {
        out!("{}", format::DATASET.text(&info));
    } else {
        let path = SeedPath::experiment(Seed(0));
        let splits = data::split(&dataset, &settings.split, settings.train_limit, path);
        let held_out = splits.ok().map(|splits| splits.test.len());
        print_info(&info, held_out);
    }
    Ok(Exit::Done)
}

/// Prints what a dataset looks like; `held_out` is the number of images a run tests on.
fn print_info(info: &DatasetInfo, held_out: Option<usize>) {
    let (images, [height, width]) = (whole(info.images), [info.height, info.width]);
    outln!("{}   {images} images of {height}×{width}×{}", info.name, info.channels);
    let tested = match held_out {
        Some(tested) => format!("a run tests on {}", whole(tested)),
        None => "a run cannot divide them as the experiment asks".to_owned(),
    };
    let tested = match info.test_images {
        0 => format!("no test file of its own: {tested}"),
        images => format!("{} of them in its test file; {tested}", whole(images)),
    };
    outln!("  {tested}\n  sha256 {}\n", info.checksum);
    let row = |name: &str, images: &str, tested: &str| match info.test_images {
        0 => outln!("  {name:<16} {images:>8}"),
        _ => outln!("  {name:<16} {images:>8} {tested:>8}"),
    };
    row("class", "images", "test");
    for class in &info.classes {
        row(&class.name, &whole(class.images), &whole(class.test_images));
    }
    outln!();
    for note in &info.notes {
        outln!("{}{}", if note.is_warning { "warning: " } else { "" }, note.text);
    }
    outln!();
    let line = |what: &str, spread: &Spread, unit: &str| {
        let [mean, deviation] = [spread.mean, spread.standard_deviation].map(|v| grouped(v, 3));
        outln!("  {what:<35} mean {mean:>7}   SD {deviation:>6} {unit}");
    };
    line("grey value", &info.brightness, "of 1");
    let Some(geometry) = &info.geometry else { return };
    line("centre of the box, across", &geometry.centre_across, "pixels");
    line("centre of the box, down", &geometry.centre_down, "pixels");
    line("centre of mass, across", &geometry.mass_across, "pixels");
    line("centre of mass, down", &geometry.mass_down, "pixels");
    line("slant less the mean of the class", &geometry.slant, "degrees");
    line("size over the mean of the class", &geometry.size, "times");
    if geometry.blank_images > 0 {
        outln!("  {} blank images left out", whole(geometry.blank_images));
    }
    let suggested = &geometry.suggested;
    outln!("\nranges that cover 95 % of the images, to start from:\n");
    outln!("[augment]");
    outln!("rotation = {:.1}", suggested.rotation);
    outln!("zoom = {:.2}", suggested.zoom);
    outln!(
        "shift = {{ width = {:.2}, height = {:.2} }}",
        suggested.shift_width,
        suggested.shift_height
    );
}

fn preview(arguments: &DataPreviewArguments) -> Result<Exit, Failure> {
    let (settings, experiment) = meant(&arguments.source, arguments.image_size)?;
    let found = experiment.as_ref().map(augmentation).transpose()?;
    let dataset = images_of(experiment.as_ref(), &arguments.data).load(&settings)?;
    let augmenter = found.as_ref().map(|(augment, _)| Augmenter::new(augment, dataset.shape));
    let png = data::preview(&dataset, arguments.count, augmenter.as_ref())?;
    atomic::write_named(&arguments.output, &png)
        .map_err(|error| Failure::unwritable("the preview", &error))?;
    let like = match found {
        Some((_, Some(cell))) => format!(", varied as in cell `{cell}`"),
        _ => String::new(),
    };
    let drawn = counted(arguments.count, "image");
    say!("{drawn} drawn to `{}`{like}", arguments.output.display());
    Ok(Exit::Done)
}

fn convert(arguments: &DataConvertArguments) -> Result<Exit, Failure> {
    let (settings, experiment) = meant(&arguments.source, arguments.image_size)?;
    let dataset = images_of(experiment.as_ref(), &arguments.data).load(&settings)?;
    let path = SeedPath::experiment(Seed(0));
    let splits = data::split(&dataset, &settings.split, settings.train_limit, path)?;
    let form = arguments.form;
    let conversion = data::Conversion::new(&dataset, &splits, form, arguments.limit)?;
    let output = &arguments.output;
    if form == data::Form::Folder {
        let written = conversion.files().iter().map(|file| output.join(file)).collect();
        refuse_leftovers(output, 1, "png", &written)?;
    }
    conversion
        .write(|name, bytes| {
            // Whoever loses power converts again; a flush per image would take hours.
            atomic::write_below(&output.join(name), bytes)
        })
        .map_err(|error: AtomicError| Failure::unwritable("the dataset", &error))?;
    let images = whole(conversion.images());
    say!("{images} images of `{}` written to `{}`", dataset.name, output.display());
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataFolders;

    #[test]
    fn the_list_of_datasets_keeps_to_the_width_of_the_terminal() {
        let sources = data::list(&DataFolders::default());
        for width in [60, 80, 100, 200] {
            let lines = sources_as_text(&sources, width);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{lines:#?}");
            let text = lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(text.matches("CC BY-SA 4.0").count(), 1, "{lines:#?}");
        }
        assert_eq!(sources_as_text(&sources, 200).len(), 1 + sources.len());
    }
}
