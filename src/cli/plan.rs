//! `bench plan`: what a run would do and what it could show.

use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::arguments::PlanArguments;
use super::experiment;
use super::failure::{Exit, Failure};
use super::folders::cpu_kernels;
use super::streams;
use super::terminal::{print_text, width, words};
use crate::base::{CellId, Seed, format};
use crate::experiment::Axis;
use crate::experiment::settings::{Settings, Source};
use crate::experiment::value::Value;
use crate::plan::{Basis, Idle};
use crate::report::{counted, duration, grouped, whole, wrap_parts};
use crate::session::goal::DifferenceGoal;
use crate::session::{
    LoadedExperiment, POWER, PlanQuestion, PlanSummary, PlannedNetwork, networks, refuse_absent,
};

/// Cells listed before the rest is only counted.
const MAX_CELLS_LISTED: usize = 40;

pub(super) fn plan(arguments: &PlanArguments) -> Result<Exit, Failure> {
    let mut session =
        experiment::session(&arguments.experiment, &arguments.data, arguments.out.as_ref(), false)?;
    let folder = session.folder().to_owned();
    let (loaded, images) = (&session.experiment, &mut session.images);
    if arguments.model {
        let plan = loaded.plan(images)?;
        return Ok(print_networks(&networks(&plan, images)?, arguments.json));
    }
    let question = PlanQuestion {
        difference: arguments.difference,
        power: arguments.power,
        kernels: cpu_kernels()?,
    };
    let summary = PlanSummary::of(&question, loaded, &folder, images)?;
    refuse_absent(loaded, images)?;
    if arguments.json {
        streams::document(format::PLAN, &summary.document(loaded));
    } else {
        summary.print(loaded);
    }
    Ok(Exit::Done)
}

/// What `--json` prints.
#[derive(Serialize)]
struct PlanDocument<'a> {
    name: &'a str,
    seed: Seed,
    repeats: u32,
    axes: &'a [Axis],
    cells: CellList<'a>,
    #[serde(flatten)]
    rest: serde_json::Value,
}

/// The cells of a grid, each made when it is written: there may be a million.
struct CellList<'a>(&'a LoadedExperiment);

impl Serialize for CellList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Cell<'a> {
            id: CellId,
            name: String,
            settings: &'a Settings,
        }
        let Self(loaded) = self;
        let mut cells = serializer.serialize_seq(None)?;
        for cell in loaded.cells() {
            let settings = loaded
                .document
                .settings_for(loaded.grid.assignment(cell))
                .map_err(S::Error::custom)?;
            let (id, name) = (loaded.grid.id(cell), loaded.grid.name(cell));
            cells.serialize_element(&Cell { id, name, settings: &settings })?;
        }
        cells.end()
    }
}

impl PlanSummary {
    fn document<'a>(&'a self, loaded: &'a LoadedExperiment) -> PlanDocument<'a> {
        let experiment = loaded.document.experiment();
        let idle = |one: &Idle| json!({ "key": one.key, "reason": one.reason });
        PlanDocument {
            name: &experiment.name,
            seed: experiment.seed,
            repeats: experiment.repeats,
            axes: &loaded.grid.axes,
            cells: CellList(loaded),
            rest: json!({
                "trials": self.survey.trials,
                "trials-outstanding": self.trials_left,
                "members": self.survey.estimate.members,
                "members-outstanding": self.left.members,
                "training-images": self.left.training_images,
                "unused-images": self.unused.1,
                "without-effect": self.survey.idle.iter().map(idle).collect::<Vec<_>>(),
                "warnings": self.survey.doubts,
                "notes": self.notes,
                "seconds": self.left.seconds,
                "seconds-basis": basis(self.left.basis),
                "workers": self.workers,
                "prediction-bytes": self.left.prediction_bytes,
                "predicted-sd": self.predicted_sd,
                "smallest-detectable-difference": self.detectable,
                "wanted-difference": self.goal.as_ref().map(DifferenceGoal::json),
            }),
        }
    }

    /// Returns the time that is left, in words.
    fn time(&self) -> String {
        match self.left.seconds {
            None => "an unknown time".to_owned(),
            // A rough guess has no decimals.
            Some(seconds) if seconds < 1.0 && self.is_guess() => "less than a second".to_owned(),
            Some(seconds) if seconds < 60.0 && self.is_guess() => format!("about {seconds:.0} s"),
            Some(seconds) => format!("about {}", duration(seconds)),
        }
    }

    fn is_guess(&self) -> bool {
        self.left.basis == Basis::Modelled
    }

    fn print(&self, loaded: &LoadedExperiment) {
        let experiment = loaded.document.experiment();
        outln!("{}   seed {}", experiment.name, experiment.seed.0);
        if let Some(question) = &experiment.question {
            outln!("{question}");
        }
        outln!();
        let width = width();
        for axis in &loaded.grid.axes {
            let head = format!("{:<28}", axis.key);
            print_within(width, &[vec![head], listed(&axis.values)].concat());
        }
        outln!();
        for cell in loaded.cells().take(MAX_CELLS_LISTED) {
            print_within(width, &words(&loaded.grid.name(cell)));
        }
        if self.survey.cells > MAX_CELLS_LISTED {
            outln!("  … and {} more", whole(self.survey.cells - MAX_CELLS_LISTED));
        }
        outln!();
        self.print_counts();
        self.print_power();
    }

    fn print_counts(&self) {
        let (survey, left) = (&self.survey, &self.left);
        let repeats = match survey.repeats {
            (fewest, most) if fewest == most => counted(most as usize, "repeat"),
            (fewest, most) => {
                format!("{} to {}", whole(fewest as usize), counted(most as usize, "repeat"))
            }
        };
        print_text(&format!(
            "{} × {repeats} = {}, {}",
            counted(survey.cells, "cell"),
            counted(survey.trials as usize, "trial"),
            counted(survey.estimate.members, "distinct member"),
        ));
        print_text(&format!(
            "finished already: {}, {}",
            counted((survey.trials - self.trials_left) as usize, "trial"),
            counted(survey.estimate.members - left.members, "member"),
        ));
        if self.has_no_images() {
            let members = counted(left.members, "member");
            print_text(&format!("to do: {members} with {}", counted(self.workers, "worker")));
            return self.print_notes();
        }
        print_text(&format!(
            "to do: {} on {}, {} with {} ({}), {} MiB of predictions",
            counted(left.members, "member"),
            counted(left.training_images as usize, "training image"),
            self.time(),
            counted(self.workers, "worker"),
            basis(left.basis),
            grouped(left.prediction_bytes as f64 / f64::from(1 << 20), 1),
        ));
        if let (images, unused @ 1..) = self.unused {
            print_text(&format!(
                "unused: {} of {} images are in no part of the split",
                whole(unused),
                whole(images)
            ));
        }
        self.print_notes();
    }

    /// Returns whether no trainer here looks at images.
    fn has_no_images(&self) -> bool {
        self.survey.datasets.iter().all(|(settings, _)| settings.source == Source::None)
    }

    fn print_notes(&self) {
        let survey = &self.survey;
        for note in &self.notes {
            let head = if note.is_warning { "warning" } else { "data" };
            print_text(&format!("{head}: {}", note.text));
        }
        let some = if survey.cells > 1 { " in some cells" } else { "" };
        for Idle { key, reason } in &survey.idle {
            print_text(&format!("without effect{some}: `{key}`: {reason}"));
        }
        for doubt in &survey.doubts {
            print_text(&format!("warning: {doubt}"));
        }
    }

    fn print_power(&self) {
        if self.has_no_images() {
            print_text(
                "how much trials differ is known once some are done: `bench plan --difference` then says \
                 how many show a difference",
            );
            if let Some(goal) = &self.goal {
                goal.print();
            }
            return;
        }
        print_text(&format!(
            "σ of a single network {:.2} points, typical of {} at an assumed accuracy of 99 %; real \
             trainings may spread less or more",
            100.0 * self.predicted_sd.unwrap_or(f64::NAN),
            counted(self.test_images, "test image"),
        ));
        if let Some(difference) = self.detectable {
            print_text(&format!(
                "with it, `repeats = {}` detects differences of {:.2} points from the best of {} \
                 with {:.0} % power",
                self.survey.repeats.0,
                100.0 * difference,
                counted(self.survey.cells, "cell"),
                100.0 * POWER,
            ));
        } else if self.survey.cells > 1 && self.survey.repeats.0 < 2 {
            print_text("a single trial per cell shows no difference");
        }
        if let Some(goal) = &self.goal {
            goal.print();
        }
    }
}

/// Returns the values of an axis with a comma behind each but the last; of many, the first and the
/// last few.
fn listed(values: &[Value]) -> Vec<String> {
    const FIRST: usize = 60;
    const LAST: usize = 3;
    let text = |(index, value): (usize, &Value)| {
        if index + 1 < values.len() { format!("{value},") } else { value.to_string() }
    };
    if values.len() <= FIRST + LAST + 1 {
        return values.iter().enumerate().map(text).collect();
    }
    let few = values.iter().enumerate();
    let gap = format!("… {} more …,", whole(values.len() - FIRST - LAST));
    let first = few.clone().take(FIRST).map(text);
    first.chain(std::iter::once(gap)).chain(few.skip(values.len() - LAST).map(text)).collect()
}

/// Prints parts beside each other, in lines that the terminal holds.
fn print_within(width: usize, parts: &[String]) {
    for line in wrap_parts(parts, " ", width - 2, 4) {
        outln!("  {line}");
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "from measured speed",
        Basis::Modelled => "from the networks' sizes, a rough guess",
    }
}

/// Prints the layers of every distinct network of the plan.
fn print_networks(networks: &[PlannedNetwork], as_json: bool) -> Exit {
    if as_json {
        let models: Vec<_> = networks.iter().map(model_json).collect();
        out!("{}", format::MODELS.text(&json!({ "models": models })));
    } else {
        networks.iter().for_each(print_model);
    }
    Exit::Done
}

fn model_json(network: &PlannedNetwork) -> serde_json::Value {
    let PlannedNetwork { model, cell, architecture } = network;
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

fn print_model(network: &PlannedNetwork) {
    let PlannedNetwork { model, cell, architecture } = network;
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
    for (index, layer) in architecture.layers.iter().enumerate() {
        outln!(
            "  {:>3}  {:<14} {:>14} {:>12} {:>8} {:>14}",
            index + 1,
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
