//! What a reader asks of finished results, held against what is there.

use super::arguments::ViewArguments;
use super::failure::Failure;
use crate::base::MetricName;
use crate::experiment::problem::{nearest, one_of};
use crate::experiment::selector;
use crate::report::{Sort, Tolerance, View, counted};
use crate::results::ExperimentResults;

/// Makes `results` those that are asked for, and says how they are to be shown.
///
/// # Errors
/// If a metric, an axis or a value is not there.
pub(super) fn narrow(
    results: &mut ExperimentResults,
    asked: &ViewArguments,
) -> Result<View, Failure> {
    if let [first, others @ ..] = &asked.metrics[..] {
        for name in &asked.metrics {
            known(results, "--metrics", name)?;
        }
        results.facts.report.metric = first.clone();
        results.facts.report.also = others.to_vec();
    }
    for (option, wanted, columns) in
        [("--rows", &asked.rows, false), ("--columns", &asked.columns, true)]
    {
        if let Some(wanted) = wanted {
            let key = axis(results, option, wanted)?;
            let report = &mut results.facts.report;
            *(if columns { &mut report.columns } else { &mut report.rows }) = Some(key);
        }
    }
    let sort = match asked.sort.as_deref() {
        None | Some("best") => Sort::Best,
        Some("grid") => Sort::Grid,
        Some(text) => match text.parse::<MetricName>() {
            Ok(name) if results.facts.metric(&name).is_some() => Sort::Metric(name),
            _ => Sort::Axis(axis(results, "--sort", text)?),
        },
    };
    for name in &asked.prefer {
        known(results, "--prefer", name)?;
    }
    let factor = results.metric().unit.factor();
    let tolerance = asked
        .within
        .map(|within| Tolerance { within: within / factor, prefer: asked.prefer.clone() });
    let narrowed = asked.cells.as_ref().map(|selector| {
        let all = results.cells.len();
        let (_, cells) =
            results.choose(selector).map_err(|error| Failure::input(error.to_string()))?;
        results.keep(&cells);
        let (are_shown, them) = if cells.len() == 1 {
            ("is shown, the one", "it")
        } else {
            ("are shown, those", "these")
        };
        Ok::<String, Failure>(format!(
            "{} of {} {are_shown} with `{selector}`: what is said here is true of {them} alone",
            crate::report::whole(cells.len()),
            counted(all, "cell"),
        ))
    });
    Ok(View {
        full: asked.full || asked.sort.is_some() || asked.top.is_some(),
        sort,
        top: asked.top.map(|top| top as usize),
        tolerance,
        narrowed: narrowed.transpose()?,
        folder: None,
    })
}

/// Returns the whole key of an axis that may be called by its end.
fn axis(results: &ExperimentResults, option: &str, wanted: &str) -> Result<String, Failure> {
    let name = &results.facts.name;
    if let Ok(axis) = selector::axis(&results.axes, wanted, name) {
        return Ok(axis.key.clone());
    }
    let keys: Vec<&str> = results.axes.iter().map(|axis| axis.key.as_str()).collect();
    let problem = format!("`{option}` is `{wanted}`, which is no axis of `{name}`");
    Err(unknown(&problem, wanted, &keys, "nothing: it has no axes"))
}

/// Refuses a metric that no trial has.
fn known(results: &ExperimentResults, option: &str, wanted: &MetricName) -> Result<(), Failure> {
    let names: Vec<&str> = results.metrics().map(|metric| metric.name.as_str()).collect();
    if names.contains(&wanted.as_str()) {
        return Ok(());
    }
    let name = &results.facts.name;
    let problem = format!("`{option}` is `{wanted}`, which no trial of `{name}` has");
    Err(unknown(&problem, wanted.as_str(), &names, "none yet: no trial has completed"))
}

/// Says what is there instead, `none` where nothing is, and which of it may have been meant.
fn unknown(problem: &str, wanted: &str, names: &[&str], none: &str) -> Failure {
    let names = || names.iter().copied();
    let expected = if names().len() == 0 { none.to_owned() } else { one_of(names()) };
    let hint = nearest(wanted, names()).map(|near| format!("did you mean `{near}`?"));
    Failure::input(format!("{problem}, expected {expected}")).hint(hint)
}
