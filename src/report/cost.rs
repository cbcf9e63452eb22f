//! What an experiment cost: every member counted once, networks of different kinds kept apart.

use std::collections::BTreeMap;

use super::curves::sharing_groups;
use super::document::{AxisLine, Cost, NetworkCost};
use crate::base::MetricName;
use crate::experiment::value::Value;
use crate::results::{CellResults, ExperimentResults, MemberCurve, TrialRow};
use gridbench_stats::Summary;

/// Returns the cost of everything that was trained; `axes` say how values are shown.
pub(super) fn cost(results: &ExperimentResults, axes: &[AxisLine]) -> Cost {
    let trainings = trainings(results);
    let mut kinds: BTreeMap<usize, Vec<&Training<'_>>> = BTreeMap::new();
    let mut names: Vec<String> = Vec::new();
    let mut of_cells: Vec<Option<usize>> = vec![None; results.cells.len()];
    for training in &trainings {
        let index = *of_cells[training.cell].get_or_insert_with(|| {
            let name = network_name(&results.cells[training.cell], axes);
            names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            })
        });
        kinds.entry(index).or_default().push(training);
    }
    let networks: Vec<NetworkCost> =
        kinds.iter().map(|(index, trainings)| network_cost(&names[*index], trainings)).collect();
    let only = match networks.as_slice() {
        [one] => Some(one),
        _ => None,
    };
    let mut sizes = results.cells.iter().map(|cell| ensemble_size(results, cell));
    let first_size = results.cells.first().map(|cell| ensemble_size(results, cell));
    let same_size = sizes.all(|size| Some(size) == first_size);
    let seconds: Vec<f64> = trainings.iter().map(|training| training.seconds).collect();
    let from_curves: f64 = results.curves.iter().map(seconds_of).sum();
    let memory = results.cells.iter().flat_map(|cell| cell.sample(&MetricName::PEAK_MEMORY));
    Cost {
        members: results.curves.len(),
        train_seconds: if results.curves.is_empty() { seconds.iter().sum() } else { from_curves },
        images_per_second: only.and_then(|one| one.member_images_per_second),
        seconds_per_trial: statistics(&seconds).filter(|_| only.is_some() && same_size),
        peak_memory_mib: memory.max_by(f64::total_cmp),
        first_epoch_seconds: only.and_then(|one| one.first_epoch_seconds),
        later_epoch_seconds: only.and_then(|one| one.later_epoch_seconds),
        networks,
    }
}

/// The trial that holds all members of one repeat: ensembles of other sizes use the same ones.
struct Training<'a> {
    cell: usize,
    seconds: f64,
    images: Option<f64>,
    /// Its members, or none where their curves are not at hand.
    members: Vec<&'a MemberCurve>,
}

fn trainings(results: &ExperimentResults) -> Vec<Training<'_>> {
    let seconds = |trial: &TrialRow| trial.metrics.get(&MetricName::TRAIN_SECONDS).copied();
    let groups = sharing_groups(results);
    let mut group_of = vec![0; results.cells.len()];
    for (index, cells) in groups.iter().enumerate() {
        for cell in cells {
            group_of[*cell] = index;
        }
    }
    let mut curves: Vec<(usize, u32, &MemberCurve)> = results
        .curves
        .iter()
        .filter(|curve| !curve.epochs.is_empty())
        .filter_map(|curve| Some((*group_of.get(curve.cell)?, curve.repeat, curve)))
        .collect();
    // Curves of one repeat stay in their order.
    curves.sort_by_key(|(group, repeat, _)| (*group, *repeat));
    let sizes: Vec<u32> = results.cells.iter().map(|cell| ensemble_size(results, cell)).collect();
    let mut found = Vec::new();
    for (group, cells) in groups.iter().enumerate() {
        let mut largest: BTreeMap<u32, (usize, &TrialRow)> = BTreeMap::new();
        for cell in cells {
            for trial in results.cells[*cell].completed().filter(|trial| seconds(trial).is_some()) {
                let known = largest.entry(trial.repeat).or_insert((*cell, trial));
                if seconds(trial) > seconds(known.1) {
                    *known = (*cell, trial);
                }
            }
        }
        for (repeat, (cell, trial)) in largest {
            let size = sizes[cell];
            let begin = curves.partition_point(|known| (known.0, known.1) < (group, repeat));
            let of_repeat =
                curves[begin..].iter().take_while(|known| (known.0, known.1) == (group, repeat));
            let members: Vec<_> =
                of_repeat.map(|known| known.2).filter(|curve| curve.member < size).collect();
            let seconds = seconds(trial).unwrap_or(0.0);
            let rate = trial.metrics.get(&MetricName::IMAGES_PER_SECOND);
            found.push(Training {
                cell,
                seconds,
                images: rate.map(|rate| rate * seconds),
                members: if members.len() == size as usize { members } else { Vec::new() },
            });
        }
    }
    found
}

/// Returns how many networks decide together in a cell.
pub(super) fn ensemble_size(results: &ExperimentResults, cell: &CellResults) -> u32 {
    const KEY: &str = "ensemble.size";
    let axis = results.axis(KEY);
    let value = axis.and_then(|axis| cell.values[axis].as_ref());
    let value = value.or_else(|| results.facts.base.get(KEY));
    value.and_then(Value::as_whole).and_then(|size| size.try_into().ok()).unwrap_or(1)
}

/// Names the network of a cell by the axes that change what a step computes.
fn network_name(cell: &CellResults, axes: &[AxisLine]) -> String {
    let is_network = |key: &str| {
        ["model.", "dataset.", "trainer."].iter().any(|part| key.starts_with(part))
            || key == "train.precision"
    };
    let part = |(axis, value): (&AxisLine, &Option<Value>)| {
        let is_told = is_network(&axis.key) && axis.values.len() > 1;
        let value = axis.show(value.as_ref().filter(|_| is_told)?);
        Some(format!("{} {value}", axis.label))
    };
    axes.iter().zip(&cell.values).filter_map(part).collect::<Vec<_>>().join(", ")
}

fn network_cost(network: &str, trainings: &[&Training<'_>]) -> NetworkCost {
    let with_images = || trainings.iter().filter_map(|one| Some((one.images?, one.seconds)));
    let images: f64 = with_images().map(|(images, _)| images).sum();
    let seconds: f64 = with_images().map(|(_, seconds)| seconds).sum();
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    for training in trainings {
        let epochs: usize = training.members.iter().map(|member| member.epochs.len()).sum();
        let in_epochs: f64 = training.members.iter().map(|member| seconds_of(member)).sum();
        for member in &training.members {
            // What passes between epochs is shared out by their length.
            let seconds = training.seconds * seconds_of(member) / in_epochs;
            let share = member.epochs.len() as f64 / epochs as f64;
            rates.extend(training.images.map(|images| images * share / seconds));
            times.push(seconds);
        }
    }
    rates.retain(|rate| rate.is_finite());
    times.retain(|time| time.is_finite());
    let (first, later) = epoch_seconds(trainings);
    NetworkCost {
        network: network.to_owned(),
        images_per_second: (seconds > 0.0).then(|| images / seconds),
        member_images_per_second: statistics(&rates),
        member_seconds: statistics(&times),
        first_epoch_seconds: statistics(&first),
        later_epoch_seconds: statistics(&later),
    }
}

fn seconds_of(member: &MemberCurve) -> f64 {
    let seconds = member.epochs.iter().map(|epoch| epoch.train_seconds);
    seconds.filter(|seconds| seconds.is_finite()).sum()
}

/// Returns the seconds of first epochs, and the mean seconds of the later ones.
fn epoch_seconds(trainings: &[&Training<'_>]) -> (Vec<f64>, Vec<f64>) {
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for member in trainings.iter().flat_map(|training| &training.members) {
        if let [warm_up, rest @ ..] = member.epochs.as_slice()
            && !rest.is_empty()
        {
            first.push(warm_up.train_seconds);
            let sum: f64 = rest.iter().map(|epoch| epoch.train_seconds).sum();
            later.push(sum / rest.len() as f64);
        }
    }
    (first, later)
}

fn statistics(values: &[f64]) -> Option<Summary> {
    // Hundreds of thousands of trials need no bootstrap for a line about cost.
    Summary::of(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Page, Subject, build, render};
    use crate::results::fixture::{self, HandMade};

    fn set(results: &mut ExperimentResults, cell: usize, seconds: f64, rate: f64) {
        let metrics = &mut results.cells[cell].trials[0].metrics;
        metrics.insert(MetricName::TRAIN_SECONDS, seconds);
        metrics.insert(MetricName::IMAGES_PER_SECOND, rate);
    }

    /// An ensemble of two, whose first network also stands alone.
    fn nested() -> ExperimentResults {
        let cells: [HandMade<'_>; 2] = [(&[Some("1")], &[5]), (&[Some("2")], &[4])];
        let mut results = fixture::experiment("n", &[("ensemble.size", &["1", "2"])], &cells);
        let first = results.curves[0].clone();
        let mut second = first.clone();
        second.id = "f".repeat(32);
        second.member = 1;
        second.epochs.iter_mut().for_each(|epoch| epoch.train_seconds = 3.75);
        results.curves = vec![first, second];
        // 100 images per epoch: two epochs in 2.5 s and in 7.5 s.
        set(&mut results, 0, 2.5, 80.0);
        set(&mut results, 1, 10.0, 40.0);
        results
    }

    #[test]
    fn members_of_nested_ensembles_are_counted_once() {
        let found = build(&[Subject::from(&nested())]).experiments[0].cost.clone();
        let [network] = found.networks.as_slice() else { panic!("one network: {found:?}") };
        // 400 images in 10 seconds, though the pooled mean of the two cells is 60.
        assert_eq!(network.images_per_second, Some(40.0));
        let members = network.member_images_per_second.unwrap();
        assert_eq!((members.n, members.min.round(), members.max.round()), (2, 27.0, 80.0));
        assert_eq!(found.seconds_per_trial, None);
        assert!((found.train_seconds - 10.0).abs() < 1e-9);
        let text =
            render(&[Subject::from(&nested())], crate::report::Format::Terminal, Page::default());
        let line =
            "10.0 s of training, summed over 2 networks; 40 images/s (median 53, 27–80, n = 2)";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn different_networks_are_not_averaged() {
        let cells: [HandMade<'_>; 2] = [(&[Some("mlp")], &[5]), (&[Some("two-conv")], &[4])];
        let axes: [(&str, &[&str]); 1] = [("model.preset", &["mlp", "two-conv"])];
        let mut results = fixture::experiment("n", &axes, &cells);
        set(&mut results, 0, 2.5, 80.0);
        set(&mut results, 1, 2.5, 8000.0);
        let found = build(&[Subject::from(&results)]).experiments[0].cost.clone();
        assert_eq!((found.images_per_second, found.networks.len()), (None, 2));
        let text =
            render(&[Subject::from(&results)], crate::report::Format::Terminal, Page::default());
        assert!(text.contains("preset mlp 80 images/s (n = 1)"), "{text}");
        assert!(text.contains("2 networks") && !text.contains("small-cnn"), "{text}");
    }
}
