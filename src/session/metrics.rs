//! Metrics that an experiment asks about and that its cells cannot have.

use super::{Error, Images, LoadedExperiment, Notice};
use crate::base::{Metric, MetricName, Split};
use crate::experiment::absence::{Absence, absence};

/// Refuses metrics that no cell can have, before anything is trained; warns of those that some cannot.
///
/// # Errors
/// If `report.metric`, `report.also` or `check.metric` names one.
pub(crate) fn refuse_absent(loaded: &LoadedExperiment, images: &mut Images) -> Result<(), Error> {
    let experiment = loaded.document.experiment();
    let asked: Vec<(&str, &Metric)> = asked(loaded)
        .filter_map(|(key, name)| {
            let metric = experiment.metrics.iter().find(|metric| metric.name == *name);
            Some((key, metric?))
        })
        .filter(|(_, metric)| metric.split == Some(Split::Validation))
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let file = loaded.document.file_name();
    let mut failure = Error::input(format!("cannot plan `{file}`"));
    let mut is_refused = false;
    let mut cells = 0;
    let mut absences: Vec<(usize, Option<Absence>)> = vec![(0, None); asked.len()];
    for cell in loaded.cells() {
        let settings = loaded.document.settings_for(loaded.grid.assignment(cell))?;
        let facts = images.facts(&settings.dataset, experiment.seed)?;
        let validation_images = facts.sizes.map_or(0, |sizes| sizes.validation);
        cells += 1;
        for ((_, metric), (count, first)) in asked.iter().zip(&mut absences) {
            if let Some(found) = absence(metric, &settings, validation_images) {
                *count += 1;
                first.get_or_insert(found);
            }
        }
    }
    for ((key, metric), (count, first)) in asked.into_iter().zip(absences) {
        let Some(first) = first else { continue };
        let name = &metric.name;
        if count == cells {
            let cause = format!("`{key}` is `{name}`, which no cell has: {first}");
            failure = failure.because_of(cause).hint(Some(first.hint()));
            is_refused = true;
        } else {
            let (metric, absence) = (name.clone(), first);
            images.listener.tell(&Notice::PartlyAbsent { metric, count, cells, absence });
        }
    }
    if is_refused { Err(failure) } else { Ok(()) }
}

/// Returns every metric the experiment is asked about, with the key that names it.
fn asked(loaded: &LoadedExperiment) -> impl Iterator<Item = (&'static str, &MetricName)> {
    let experiment = loaded.document.experiment();
    let report = &experiment.report;
    let check = Some(("check.metric", &experiment.check.metric));
    std::iter::once(("report.metric", &report.metric))
        .chain(report.also.iter().map(|name| ("report.also", name)))
        .chain(check.filter(|(_, name)| **name != report.metric))
}
