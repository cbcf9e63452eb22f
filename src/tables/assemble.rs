//! Results from a plan and the store that holds its trials.

use std::collections::{BTreeMap, HashMap};

use super::results::{
    AxisFacts, CellResults, DatasetFacts, ExperimentResults, Facts, MemberCurve, Origin, TrialRow,
    View,
};
use super::shape::collect_axes;
use crate::plan::{Plan, Trial};
use crate::record::Outcome;
use crate::spec::experiment::Experiment;
use crate::store::{Manifest, Store};

/// Collects what the store knows of the trials of `plan`.
#[must_use]
pub fn assemble(plan: &Plan, store: &Store) -> ExperimentResults {
    let declared = declared_axes(store.manifest());
    let keys = axis_keys(plan, &declared);
    let places: HashMap<&str, usize> =
        keys.iter().enumerate().map(|(place, key)| (key.as_str(), place)).collect();
    let mut cells: Vec<CellResults> = plan
        .cells
        .iter()
        .map(|cell| {
            let mut values = vec![None; keys.len()];
            for (key, value) in &cell.assignment {
                values[places[key.as_str()]] = Some(value.to_string());
            }
            CellResults {
                id: cell.id.to_string(),
                name: cell.name.clone(),
                values,
                planned: 0,
                trials: Vec::new(),
            }
        })
        .collect();
    for trial in &plan.trials {
        let cell = &mut cells[trial.cell];
        cell.planned += 1;
        cell.trials.extend(trial_row(plan, store, trial));
    }
    for cell in &mut cells {
        cell.trials.sort_by_key(|trial| trial.repeat);
    }
    let axes = collect_axes(&keys, &declared, cells.iter().map(|cell| cell.values.as_slice()));
    let curves = curves(plan, store);
    ExperimentResults { facts: facts(store.manifest()), axes, cells, curves }
}

/// Returns the keys of all axes: those of the experiment file first, in its order.
fn axis_keys(plan: &Plan, declared: &[AxisFacts]) -> Vec<String> {
    let mut met: Vec<&str> = Vec::new();
    for (key, _) in plan.cells.iter().flat_map(|cell| &cell.assignment) {
        if !met.contains(&key.as_str()) {
            met.push(key);
        }
    }
    let place = |key: &str| declared.iter().position(|axis| axis.key == key).unwrap_or(usize::MAX);
    met.sort_by_key(|key| place(key));
    met.into_iter().map(str::to_owned).collect()
}

/// Returns what is known of a trial; nothing while it is still to be done.
///
/// A trial of which a member failed may have no record of its own: it is never scored.
fn trial_row(plan: &Plan, store: &Store, trial: &Trial) -> Option<TrialRow> {
    let row = |outcome, reason, metrics| TrialRow {
        repeat: trial.repeat,
        id: trial.id.to_string(),
        outcome,
        metrics,
        reason,
    };
    if let Some(record) = store.trials().get(&trial.id) {
        return Some(row(record.outcome, record.reason.clone(), record.metrics.clone()));
    }
    let members = trial.members.iter();
    let lost = members.filter_map(|member| store.members().get(&plan.members[*member].id));
    lost.filter(|record| record.outcome != Outcome::Completed)
        .max_by_key(|record| severity(record.outcome))
        .map(|record| row(record.outcome, record.reason.clone(), BTreeMap::new()))
}

fn severity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Completed => 0,
        Outcome::Interrupted => 1,
        Outcome::TimedOut => 2,
        Outcome::Diverged => 3,
        Outcome::Failed => 4,
    }
}

fn curves(plan: &Plan, store: &Store) -> Vec<MemberCurve> {
    let mut first_use: Vec<Option<(&Trial, usize)>> = vec![None; plan.members.len()];
    for trial in &plan.trials {
        for (index, member) in trial.members.iter().enumerate() {
            first_use[*member].get_or_insert((trial, index));
        }
    }
    let curve = |(member, used): (&crate::plan::Member, Option<(&Trial, usize)>)| {
        let (trial, index) = used?;
        let record = store.members().get(&member.id)?;
        Some(MemberCurve {
            id: member.id.to_string(),
            cell: trial.cell,
            repeat: trial.repeat,
            member: index as u32,
            outcome: record.outcome,
            epochs: record.epochs.clone(),
        })
    };
    plan.members.iter().zip(first_use).filter_map(curve).collect()
}

/// Returns the axes of the experiment in `manifest`, in the order typed, with their values.
#[must_use]
pub fn declared_axes(manifest: &Manifest) -> Vec<AxisFacts> {
    let Some(experiment) = experiment(manifest) else { return Vec::new() };
    let mut axes: Vec<AxisFacts> = Vec::new();
    for grid in &experiment.grids {
        for axis in grid.axes.iter().chain(grid.zips.iter().flatten()) {
            let place = axes.iter().position(|known| known.key == axis.key).unwrap_or_else(|| {
                axes.push(AxisFacts { key: axis.key.clone(), values: Vec::new() });
                axes.len() - 1
            });
            for value in &axis.values {
                let text = value.to_string();
                if !axes[place].values.contains(&text) {
                    axes[place].values.push(text);
                }
            }
        }
    }
    axes
}

fn experiment(manifest: &Manifest) -> Option<Experiment> {
    serde_json::from_value(manifest.run.experiment.clone()).ok()
}

/// Returns what `manifest` says of where the numbers come from.
///
/// A manifest whose experiment this version cannot read gives the default view.
#[must_use]
pub fn facts(manifest: &Manifest) -> Facts {
    let experiment = experiment(manifest);
    let mut base = BTreeMap::new();
    if let Some(settings) = manifest.run.experiment.get("base") {
        flatten("", settings, &mut base);
    }
    let of = |pick: &dyn Fn(&Experiment) -> Option<String>| experiment.as_ref().and_then(pick);
    Facts {
        name: manifest.run.name.clone(),
        question: of(&|experiment| experiment.question.clone()),
        seed: experiment.as_ref().map_or(0, |experiment| experiment.seed.0),
        repeats: experiment.as_ref().map_or(0, |experiment| experiment.repeats),
        model: of(&|experiment| Some(experiment.base.model.name.clone())).unwrap_or_default(),
        datasets: manifest.run.datasets.iter().map(dataset).collect(),
        view: experiment.as_ref().map_or_else(View::default, |experiment| View {
            metric: experiment.report.metric,
            also: experiment.report.also.clone(),
            rows: experiment.report.rows.clone(),
            columns: experiment.report.columns.clone(),
            reference: experiment.report.reference.clone(),
            confusion: experiment.report.confusion,
            gallery: experiment.report.gallery,
            gallery_of: experiment.report.gallery_of.clone(),
        }),
        base,
        origin: origin(manifest),
    }
}

fn dataset(facts: &crate::store::DatasetFacts) -> DatasetFacts {
    let [height, width, channels] = facts.shape;
    let channels = if channels == 1 { String::new() } else { format!("×{channels}") };
    let split = |place: usize| facts.splits.map(|splits| splits[place] as u64);
    DatasetFacts {
        name: facts.name.clone(),
        shape: format!("{height}×{width}{channels}"),
        images: facts.images as u64,
        test_images: split(2),
        validation_images: split(1).filter(|images| *images > 0),
        checksum: facts.checksum.to_string(),
    }
}

fn origin(manifest: &Manifest) -> Origin {
    let (build, machine) = (&manifest.build, &manifest.machine);
    let modified = if build.modified { "-modified" } else { "" };
    let short = |commit: &String| {
        let digits: String = commit.chars().take(12).collect();
        format!("{digits}{modified}")
    };
    let mut hardware: Vec<String> = machine.cpu.iter().cloned().collect();
    hardware.push(format!("{} cores", machine.cores));
    hardware.extend(machine.memory_mib.map(|mib| format!("{:.0} GiB", mib as f64 / 1024.0)));
    hardware.extend(machine.gpus.iter().cloned());
    hardware.push(machine.system.clone());
    Origin {
        bench_version: build.version.clone(),
        commit: build.commit.as_ref().map(short),
        toolchain: build.rustc.clone().unwrap_or_default(),
        hardware: hardware.join(", "),
        engine: manifest.run.engine.clone(),
        engine_revision: manifest.run.engine_revision.clone(),
        updated: manifest.updated.clone(),
    }
}

/// Writes every scalar of `json` under its dotted key, in the short form of axis values.
fn flatten(key: &str, json: &serde_json::Value, out: &mut BTreeMap<String, String>) {
    let mut put = |text: String| {
        out.insert(key.to_owned(), text);
    };
    match json {
        serde_json::Value::Object(entries) => {
            for (name, value) in entries {
                let dotted = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&dotted, value, out);
            }
        }
        serde_json::Value::String(text) => put(text.clone()),
        serde_json::Value::Bool(value) => put(value.to_string()),
        serde_json::Value::Number(number) => {
            put(number.as_f64().map_or_else(|| number.to_string(), |value| value.to_string()));
        }
        serde_json::Value::Null | serde_json::Value::Array(_) => {}
    }
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;
