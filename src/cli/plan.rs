//! `bench plan`: what a run would do and what it could show.

use serde_json::json;

use super::arguments::PlanArguments;
use super::experiment::{Images, Loaded, split_sizes, validate};
use super::failure::{Exit, Failure};
use super::folders::{cpu_kernels, data_folders, results_folder};
use super::power::Wanted;
use super::results::store_failure;
use super::terminal::width;
use crate::data::Dataset;
use crate::plan::{Basis, Estimate, Facts, Plan, SplitSizes, estimate, outstanding};
use crate::report::{counted, duration, grouped, whole, wrap_parts};
use crate::runner::{StoreProgress, measured_rates};
use crate::spec::architecture::Architecture;
use crate::spec::settings::{DatasetSettings, Settings, TrainerSettings};
use crate::store::{Store, StoreError, View};
use gridbench_stats as stats;

/// Test accuracy assumed where nothing was measured, for the predicted spread.
const ASSUMED_ERROR: f64 = 0.01;
pub(super) const ALPHA: f64 = 0.05;
const POWER: f64 = 0.8;
/// Cells listed before the rest is only counted.
const MOST_CELLS_LISTED: usize = 40;

pub(super) fn plan(arguments: &PlanArguments) -> Result<Exit, Failure> {
    let loaded = Loaded::from_file(&arguments.experiment)?;
    let folder = results_folder(arguments.out.as_ref(), &loaded.document.experiment().name);
    let loaded = loaded.with_repeats_in(&folder)?;
    let mut images = Images::new(data_folders(&arguments.data));
    let plan = loaded.plan(&mut images)?;
    validate(&plan, &mut images)?;
    if arguments.model {
        return print_models(&plan, &mut images, arguments.json);
    }
    let outlook = Outlook::of(arguments, &loaded, &plan, &mut images)?;
    if arguments.json {
        outln!("{:#}", outlook.json(&loaded, &plan));
    } else {
        outlook.print(&loaded, &plan);
    }
    Ok(Exit::Done)
}

/// What is known of a plan before it is run.
struct Outlook {
    estimate: Estimate,
    trials_left: usize,
    workers: usize,
    test_images: usize,
    /// Images of a dataset, and how many of them are in no part of its split: the most of any.
    unused: (usize, usize),
    /// Fewest and most trials of a cell.
    repeats: (usize, usize),
    predicted_sd: Option<f64>,
    detectable: Option<f64>,
    wanted: Option<Wanted>,
}

impl Outlook {
    fn of(
        arguments: &PlanArguments,
        loaded: &Loaded,
        plan: &Plan,
        images: &mut Images,
    ) -> Result<Self, Failure> {
        let experiment = loaded.document.experiment();
        let folder = results_folder(arguments.out.as_ref(), &experiment.name);
        let view = match Store::open_reader(&folder) {
            Ok(store) => store.view().clone(),
            Err(StoreError::NotAStore { .. }) => View::default(),
            Err(error) => {
                let tried = format!("cannot read the results in `{}`", folder.display());
                return Err(store_failure(tried, &error));
            }
        };
        let left = outstanding(plan, &StoreProgress::new(&view, 1));
        let (mut sizes, mut unused) = (Vec::new(), (0, 0));
        for cell in &plan.cells {
            let settings = &cell.settings.dataset;
            if sizes.iter().all(|(known, _)| known != settings) {
                let dataset = images.load(settings)?;
                let of_split = sizes_of(settings, &dataset, loaded)?;
                let used = of_split.train + of_split.validation + of_split.test;
                if dataset.len() - used > unused.1 {
                    unused = (dataset.len(), dataset.len() - used);
                }
                sizes.push((settings.clone(), of_split));
            }
        }
        let size_of = |settings: &DatasetSettings| {
            let known = sizes.iter().find(|(known, _)| known == settings);
            known.expect("every dataset of the plan was looked at").1
        };
        let shapes = shapes(plan, images)?;
        let operations = |settings: &Settings| {
            let (_, shape, classes) =
                shapes.iter().find(|(known, ..)| *known == settings.dataset)?;
            let architecture = Architecture::of(&settings.model.layers, *shape, *classes).ok()?;
            matches!(settings.trainer, TrainerSettings::Dfdx)
                .then(|| architecture.multiply_accumulates() as u64)
        };
        let rates = measured_rates(plan, &view);
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let kernels = cpu_kernels()?;
        let facts = Facts {
            sizes: &size_of,
            measured: &|settings| rates.rate(settings),
            multiply_accumulates: &operations,
            multiply_accumulates_per_second: &|settings| {
                kernels.assumed_rate(settings.train.precision)
            },
            workers,
        };
        let test_images = sizes.first().map_or(0, |(_, sizes)| sizes.test);
        let predicted_sd = stats::predicted_accuracy_sd(ASSUMED_ERROR, test_images);
        let mut repeats_of = vec![0; plan.cells.len()];
        plan.trials.iter().for_each(|trial| repeats_of[trial.cell] += 1);
        let fewest = repeats_of.iter().copied().min().unwrap_or(0);
        let repeats = (fewest, repeats_of.into_iter().max().unwrap_or(0));
        Ok(Self {
            estimate: estimate(plan, &left.members, &facts),
            trials_left: left.trials.len(),
            workers,
            test_images,
            unused,
            repeats,
            predicted_sd,
            detectable: predicted_sd
                .and_then(|sd| stats::smallest_detectable_difference(sd, fewest, ALPHA, POWER)),
            wanted: arguments
                .difference
                .map(|difference| {
                    Wanted::of(arguments, experiment, &folder, difference, predicted_sd, plan)
                })
                .transpose()?,
        })
    }

    fn json(&self, loaded: &Loaded, plan: &Plan) -> serde_json::Value {
        let experiment = loaded.document.experiment();
        let cells: Vec<_> = plan
            .cells
            .iter()
            .map(|cell| json!({ "id": cell.id, "name": cell.name, "settings": *cell.settings }))
            .collect();
        json!({
            "name": experiment.name,
            "seed": experiment.seed,
            "repeats": experiment.repeats,
            "axes": loaded.grid.axes,
            "cells": cells,
            "trials": plan.trials.len(),
            "trials-outstanding": self.trials_left,
            "members": plan.members.len(),
            "members-outstanding": self.estimate.members,
            "training-images": self.estimate.training_images,
            "unused-images": self.unused.1,
            "seconds": self.estimate.seconds,
            "seconds-basis": basis(self.estimate.basis),
            "workers": self.workers,
            "prediction-bytes": self.estimate.prediction_bytes,
            "predicted-sd": self.predicted_sd,
            "smallest-detectable-difference": self.detectable,
            "wanted-difference": self.wanted.as_ref().map(Wanted::json),
        })
    }

    /// Returns the time that is left, in words.
    fn time(&self) -> String {
        match self.estimate.seconds {
            None => "an unknown time".to_owned(),
            // A rough guess has no decimals.
            Some(seconds) if seconds < 1.0 && self.is_guess() => "less than a second".to_owned(),
            Some(seconds) if seconds < 60.0 && self.is_guess() => format!("about {seconds:.0} s"),
            Some(seconds) => format!("about {}", duration(seconds)),
        }
    }

    fn is_guess(&self) -> bool {
        self.estimate.basis == Basis::Modelled
    }

    fn print(&self, loaded: &Loaded, plan: &Plan) {
        let experiment = loaded.document.experiment();
        outln!("{}   seed {}", experiment.name, experiment.seed.0);
        if let Some(question) = &experiment.question {
            outln!("{question}");
        }
        outln!();
        let width = width();
        for axis in &loaded.grid.axes {
            let mut values: Vec<_> = axis.values.iter().map(ToString::to_string).collect();
            let last = values.len().saturating_sub(1);
            values[..last].iter_mut().for_each(|value| value.push(','));
            let head = format!("{:<28}", axis.key);
            print_within(width, &[vec![head], values].concat());
        }
        outln!();
        for cell in plan.cells.iter().take(MOST_CELLS_LISTED) {
            print_within(width, &words(&cell.name));
        }
        if plan.cells.len() > MOST_CELLS_LISTED {
            outln!("  … and {} more", whole(plan.cells.len() - MOST_CELLS_LISTED));
        }
        outln!();
        let repeats = match self.repeats {
            (fewest, most) if fewest == most => counted(most, "repeat"),
            (fewest, most) => format!("{} to {}", whole(fewest), counted(most, "repeat")),
        };
        print_text(&format!(
            "{} × {repeats} = {}, {}",
            counted(plan.cells.len(), "cell"),
            counted(plan.trials.len(), "trial"),
            counted(plan.members.len(), "distinct member"),
        ));
        print_text(&format!(
            "finished already: {}, {}",
            counted(plan.trials.len() - self.trials_left, "trial"),
            counted(plan.members.len() - self.estimate.members, "member"),
        ));
        print_text(&format!(
            "to do: {} on {}, {} with {} ({}), {} MiB of predictions",
            counted(self.estimate.members, "member"),
            counted(self.estimate.training_images as usize, "training image"),
            self.time(),
            counted(self.workers, "worker"),
            basis(self.estimate.basis),
            grouped(self.estimate.prediction_bytes as f64 / f64::from(1 << 20), 1),
        ));
        if let (images, unused @ 1..) = self.unused {
            print_text(&format!(
                "unused: {} of {} images are in no part of the split",
                whole(unused),
                whole(images)
            ));
        }
        let detectable = match self.detectable {
            Some(difference) => format!("{:.2} points", 100.0 * difference),
            None => "none: a single trial shows no difference".to_owned(),
        };
        print_text(&format!(
            "σ of a single network {:.2} points, typical of {} at an assumed accuracy of 99 %; real \
             trainings may spread less or more",
            100.0 * self.predicted_sd.unwrap_or(f64::NAN),
            counted(self.test_images, "test image"),
        ));
        print_text(&format!(
            "with it, the smallest difference two cells can show: {detectable} (80 % power, α {ALPHA}, \
             two-sided)"
        ));
        if let Some(wanted) = &self.wanted {
            wanted.print();
        }
    }
}

/// Prints parts beside each other, in lines that the terminal holds.
fn print_within(width: usize, parts: &[String]) {
    for line in wrap_parts(parts, " ", width - 2, 4) {
        outln!("  {line}");
    }
}

/// Prints a sentence in lines that the terminal holds.
pub(super) fn print_text(text: &str) {
    for line in wrap_parts(&words(text), " ", width(), 2) {
        outln!("{line}");
    }
}

/// Cuts a text at spaces.
fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "from measured speed",
        Basis::Modelled => "from the networks' sizes, a rough guess",
    }
}

fn sizes_of(
    settings: &DatasetSettings,
    dataset: &Dataset,
    loaded: &Loaded,
) -> Result<SplitSizes, Failure> {
    let seed = loaded.document.experiment().seed;
    let [train, validation, test] = split_sizes(settings, dataset, seed)?;
    Ok(SplitSizes { train, validation, test, classes: dataset.classes.len() })
}

type Shape = (DatasetSettings, (usize, usize, usize), usize);

/// Returns image shape and class count of every distinct dataset setting.
fn shapes(plan: &Plan, images: &mut Images) -> Result<Vec<Shape>, Failure> {
    let mut shapes: Vec<Shape> = Vec::new();
    for cell in &plan.cells {
        let settings = &cell.settings.dataset;
        if shapes.iter().all(|(known, ..)| known != settings) {
            let dataset = images.load(settings)?;
            let shape = dataset.shape;
            let shape = (shape.height, shape.width, shape.channels);
            shapes.push((settings.clone(), shape, dataset.classes.len()));
        }
    }
    Ok(shapes)
}

/// Prints the layers of every distinct network of the plan.
fn print_models(plan: &Plan, images: &mut Images, as_json: bool) -> Result<Exit, Failure> {
    let mut seen = Vec::new();
    let mut models = Vec::new();
    for cell in &plan.cells {
        let dataset = images.load(&cell.settings.dataset)?;
        let shape = (dataset.shape.height, dataset.shape.width, dataset.shape.channels);
        let key = (cell.settings.model.layers.clone(), shape, dataset.classes.len());
        if seen.contains(&key) {
            continue;
        }
        let architecture = Architecture::of(&key.0, shape, key.2).map_err(|problem| {
            Failure::input(format!("cannot build the network of `{}`", cell.name)).because(&problem)
        })?;
        seen.push(key);
        if as_json {
            models.push(model_json(&cell.settings.model.name, &cell.name, &architecture));
        } else {
            print_model(&cell.settings.model.name, &cell.name, &architecture);
        }
    }
    if as_json {
        outln!("{:#}", serde_json::Value::from(models));
    }
    Ok(Exit::Done)
}

fn model_json(model: &str, cell: &str, architecture: &Architecture) -> serde_json::Value {
    let layers: Vec<_> = architecture
        .layers
        .iter()
        .map(|layer| {
            json!({
                "layer": layer.kind,
                "output": layer.output.to_string(),
                "trainable-parameters": layer.trainable_parameters,
                "other-parameters": layer.other_parameters,
                "multiply-accumulates": layer.multiply_accumulates,
            })
        })
        .collect();
    json!({
        "model": model,
        "cell": cell,
        "layers": layers,
        "trainable-parameters": architecture.trainable_parameters(),
        "other-parameters": architecture.other_parameters(),
    })
}

fn print_model(model: &str, cell: &str, architecture: &Architecture) {
    outln!("{model}   first used by `{cell}`\n");
    outln!(
        "  {:>3}  {:<14} {:>14} {:>12} {:>8} {:>14}",
        "",
        "layer",
        "output",
        "trainable",
        "other",
        "MACs/image"
    );
    for (place, layer) in architecture.layers.iter().enumerate() {
        outln!(
            "  {:>3}  {:<14} {:>14} {:>12} {:>8} {:>14}",
            place + 1,
            layer.kind,
            layer.output.to_string(),
            layer.trainable_parameters,
            layer.other_parameters,
            layer.multiply_accumulates,
        );
    }
    outln!(
        "       {:<14} {:>14} {:>12} {:>8} {:>14}\n",
        "total",
        "",
        architecture.trainable_parameters(),
        architecture.other_parameters(),
        architecture.multiply_accumulates(),
    );
}
