//! `bench data` and `bench devices`.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::arguments::{
    DataCommand, DataConvertArguments, DataFetchArguments, DataForm, DataListArguments,
    DataPreviewArguments, DataSourceArguments, ExperimentArguments,
};
use super::experiment::{Images, Loaded, is_experiment_file};
use super::failure::{Exit, Failure};
use super::folders::{data_folders, download_folder};
use super::terminal::Terminal;
use crate::base::{Seed, SeedPath};
use crate::data::{self, Augmenter, DatasetInfo, FetchOptions, FetchProgress, SourcePlace, Spread};
use crate::engine::{self, DeviceChoice};
use crate::spec::Document;
use crate::spec::settings::{AugmentSettings, DatasetSettings};
use crate::store::atomic::{self, AtomicError, Durability};

pub(super) fn data(command: DataCommand, terminal: Terminal) -> Result<Exit, Failure> {
    match command {
        DataCommand::List(arguments) => Ok(list(&arguments)),
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

fn list(arguments: &DataListArguments) -> Exit {
    let sources = data::list(&data_folders(&arguments.data));
    if arguments.json {
        outln!("{:#}", json!(sources));
        return Exit::Done;
    }
    let widest = sources.iter().map(|source| source.licence.chars().count()).max().unwrap_or(0);
    outln!(
        "{:<14} {:>7} {:>7} {:>7} {:>8}  {:<widest$}  where",
        "name",
        "images",
        "test",
        "pixels",
        "classes",
        "licence"
    );
    for source in sources {
        let place = match &source.place {
            SourcePlace::Embedded => "in the program".to_owned(),
            SourcePlace::Folder(folder) => folder.display().to_string(),
            SourcePlace::Absent => format!("not here: bench data fetch {}", source.name),
        };
        outln!(
            "{:<14} {:>7} {:>7} {:>7} {:>8}  {:<widest$}  {place}",
            source.name,
            source.images,
            source.test_images,
            format!("{0}×{0}", source.image_size),
            source.classes,
            source.licence,
        );
    }
    Exit::Done
}

fn fetch(arguments: DataFetchArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let folder = download_folder(&arguments.data).ok_or_else(|| {
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

/// Reads what a command means by a dataset: an experiment's, or one by name.
fn meant(
    source: &str,
    image_size: Option<usize>,
) -> Result<(DatasetSettings, AugmentSettings, bool), Failure> {
    let document = if is_experiment_file(source) {
        let file = Path::new(source).to_owned();
        Loaded::from_file(&ExperimentArguments { file, overrides: Vec::new(), skip_bad: false })?
            .document
    } else {
        let quoted = serde_json::to_string(source).expect("text serialises");
        let text =
            format!("name = \"data\"\n[dataset]\nsource = {quoted}\n[model]\npreset = \"mlp\"\n");
        Document::parse(&text, "dataset", &[]).map_err(|_| {
            Failure::input(format!("cannot find dataset `{source}`"))
                .because_of("it is neither a dataset that has a name nor an experiment file")
                .hint(Some("see `bench data list`, or name a `.toml` file with a `[dataset]`"))
        })?
    };
    let base = &document.experiment().base;
    let mut dataset = base.dataset.clone();
    dataset.image_size = image_size.or(dataset.image_size);
    Ok((dataset, base.augment.clone(), is_experiment_file(source)))
}

fn info(arguments: &DataSourceArguments) -> Result<Exit, Failure> {
    let (settings, ..) = meant(&arguments.source, arguments.image_size)?;
    let dataset = Images::new(data_folders(&arguments.data)).load(&settings)?;
    let info = data::info(&dataset);
    if arguments.json {
        outln!("{:#}", json!(info));
    } else {
        print_info(&info);
    }
    Ok(Exit::Done)
}

fn print_info(info: &DatasetInfo) {
    outln!(
        "{}   {} images of {}×{}×{}, {} of them for testing   sha256 {}",
        info.name,
        info.images,
        info.height,
        info.width,
        info.channels,
        info.test_images,
        info.checksum
    );
    outln!("\n  {:<16} {:>8} {:>8}", "class", "images", "test");
    for class in &info.classes {
        outln!("  {:<16} {:>8} {:>8}", class.name, class.images, class.test_images);
    }
    outln!();
    let line = |what: &str, spread: &Spread, unit: &str| {
        outln!(
            "  {what:<34} mean {:>8.3}   SD {:>7.3} {unit}",
            spread.mean,
            spread.standard_deviation
        );
    };
    line("grey value", &info.brightness, "of 1");
    let Some(geometry) = &info.geometry else { return };
    line("centre of the box, across", &geometry.centre_across, "pixels");
    line("centre of the box, down", &geometry.centre_down, "pixels");
    line("centre of mass, across", &geometry.mass_across, "pixels");
    line("centre of mass, down", &geometry.mass_down, "pixels");
    line("slant", &geometry.slant, "degrees");
    line("size against the mean", &geometry.size, "");
    if geometry.blank_images > 0 {
        outln!("  {} blank images left out", geometry.blank_images);
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
    let (settings, augment, is_experiment) = meant(&arguments.source, arguments.image_size)?;
    let dataset = Images::new(data_folders(&arguments.data)).load(&settings)?;
    let augmenter = is_experiment.then(|| Augmenter::new(&augment, dataset.shape));
    let png = data::preview(&dataset, arguments.count, augmenter.as_ref())?;
    atomic::write_named(&arguments.output, &png)
        .map_err(|error| Failure::unwritable("the preview", &error))?;
    say!("{} images drawn to `{}`", arguments.count, arguments.output.display());
    Ok(Exit::Done)
}

fn convert(arguments: &DataConvertArguments) -> Result<Exit, Failure> {
    let (settings, ..) = meant(&arguments.source, arguments.image_size)?;
    let dataset = Images::new(data_folders(&arguments.data)).load(&settings)?;
    let path = SeedPath::experiment(Seed(0));
    let splits = data::split(&dataset, &settings.split, settings.train_limit, path)?;
    let form = match arguments.form {
        DataForm::Kaggle => data::Form::Kaggle,
        DataForm::Folder => data::Form::Folder,
    };
    let written = data::convert(&dataset, &splits, form, arguments.limit, |name, bytes| {
        // Whoever loses power converts again; a flush an image would take hours.
        atomic::write_with(&arguments.output.join(name), bytes, Durability::Cached)
    })
    .map_err(|error: AtomicError| Failure::unwritable("the dataset", &error))?;
    say!("{written} images of `{}` written to `{}`", dataset.name, arguments.output.display());
    Ok(Exit::Done)
}
