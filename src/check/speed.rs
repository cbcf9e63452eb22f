//! The gate of training speed: the rule on logarithms, so that its tolerance is a ratio.
//!
//! Images per second mean nothing across machines: where baseline and candidate were not measured
//! on the same hardware, every cell is inconclusive.

use super::baseline::Baseline;
use super::looks::Looks;
use super::pairs::{CheckError, Pair, Pairs};
use super::rule::repeats_to_settle;
use super::sample::{CellSample, Source};
use super::verdict::{Note, SpeedReport, SpeedVerdict, Verdict};
use crate::base::MetricName;
use crate::experiment::CheckSettings;
use gridbench_stats::{CellRuling, Gate, GateCell, GateReason};

/// Gates images per second at `smallest_ratio` of the baseline's.
pub(super) fn gate(
    baseline: &Baseline,
    taken: &[&[CellSample]],
    looks: Looks,
    candidate: &Source,
    settings: &CheckSettings,
    smallest_ratio: f64,
) -> Result<SpeedReport, CheckError> {
    if !(0.0 < smallest_ratio && smallest_ratio <= 1.0) {
        return Err(CheckError::Ratio { found: smallest_ratio });
    }
    let pairs = Pairs::of(baseline, taken, &MetricName::IMAGES_PER_SECOND, settings)?.looks;
    let taken: Vec<Vec<GateCell>> = pairs
        .iter()
        .map(|pairs| pairs.iter().map(logarithms).collect::<Result<_, _>>())
        .collect::<Result<_, _>>()?;
    let margin = -smallest_ratio.ln();
    let rule = Gate {
        looks: (0..looks.count).map(|look| looks.repeats(look) as usize).collect(),
        // A lost trial says nothing of speed.
        lost_allowed: Some(usize::MAX),
        ..Gate::single(margin, settings.alpha, false)
    };
    let known = &baseline.source().origin.hardware;
    let comparable = !known.is_empty() && *known == candidate.origin.hardware;
    let ruling = rule.judge(&taken);
    let cells: Vec<SpeedVerdict> = ruling
        .cells
        .iter()
        .enumerate()
        .map(|(cell, ruling)| verdict(&pairs[ruling.look][cell], ruling, margin, comparable))
        .collect();
    let verdict = if comparable { Verdict::from(ruling.verdict) } else { Verdict::Inconclusive };
    Ok(SpeedReport { verdict, smallest_ratio, cells })
}

fn logarithms(pair: &Pair<'_>) -> Result<GateCell, CheckError> {
    let side = |cell: &CellSample| -> Result<Vec<Option<f64>>, CheckError> {
        let log = |&value: &f64| {
            // A speed of 0 has no logarithm.
            let not_finite = || CheckError::NotFinite { name: cell.name.clone(), value };
            (value > 0.0).then(|| Some(value.ln())).ok_or_else(not_finite)
        };
        cell.values.iter().map(log).collect()
    };
    Ok(GateCell { baseline: side(pair.baseline)?, candidate: side(pair.candidate)? })
}

fn verdict(pair: &Pair<'_>, ruling: &CellRuling, margin: f64, comparable: bool) -> SpeedVerdict {
    let geometric = |values: &[f64]| {
        (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
    };
    let candidate = &pair.candidate.values;
    // A loss of logarithms is the ratio the other way round.
    let ratios = |(low, high): (f64, f64)| ((-high).exp(), (-low).exp());
    let note = match ruling.reason {
        Some(GateReason::NoSpread) => Some(Note::NoSpread),
        Some(GateReason::TooFew) => Some(Note::SingleTrial),
        Some(GateReason::AllLost) => Some(Note::AllLost),
        _ => None,
    };
    let before = geometric(&pair.baseline.values);
    let now = (!candidate.is_empty()).then(|| geometric(candidate));
    SpeedVerdict {
        name: pair.baseline.name.clone(),
        assignment: pair.baseline.assignment.clone(),
        verdict: if comparable { ruling.verdict.into() } else { Verdict::Inconclusive },
        n_baseline: pair.baseline.values.len(),
        n_candidate: candidate.len(),
        mean_baseline: before,
        mean_candidate: now,
        ratio: now.map(|now| now / before),
        interval95: ruling.loss.map(|loss| ratios(loss.interval(0.95))),
        bounds: ruling.loss.map(|loss| {
            ratios((loss.lower_bound(ruling.loss_level), loss.upper_bound(ruling.ok_level)))
        }),
        levels: ruling.loss.map(|_| (ruling.ok_level, ruling.loss_level)),
        repeats_to_settle: repeats_to_settle(margin, false, pair, ruling).filter(|_| comparable),
        note: if comparable { note } else { Some(Note::OtherHardware) },
        look: ruling.look + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cell, metric, origin};
    use super::super::{Baseline, check};
    use super::*;
    use crate::base::Metric;

    fn speed(name: &str, values: &[f64]) -> CellSample {
        CellSample { metric: metric(&MetricName::IMAGES_PER_SECOND), ..cell(name, values) }
    }

    fn settings(ratio: f64) -> CheckSettings {
        CheckSettings {
            metric: MetricName::TEST_ACCURACY,
            tolerance: 1.0,
            alpha: 0.05,
            images_per_second: Some(ratio),
            lost_trials: None,
            at_least: None,
            cells: Vec::new(),
        }
    }

    const BEFORE: [f64; 5] = [1010.0, 990.0, 1000.0, 1005.0, 995.0];

    fn checked(now: &[f64], hardware: &str, ratio: f64) -> (Verdict, SpeedVerdict) {
        let accuracies = cell("a=1", &[0.98, 0.981, 0.979]);
        let baseline =
            Baseline::from_samples(origin(), vec![accuracies.clone(), speed("a=1", &BEFORE)]);
        let mut candidate = origin();
        hardware.clone_into(&mut candidate.origin.hardware);
        let cells = [accuracies, speed("a=1", now)];
        let report = check(&baseline.unwrap(), &cells, &candidate, &settings(ratio)).unwrap();
        (report.verdict, report.speed.unwrap().cells.remove(0))
    }

    const SAME: &str = "Imaginary CPU, 2 cores";

    #[test]
    fn a_ratio_and_its_interval_are_those_of_logarithms() {
        let now = BEFORE.map(|value| 0.8 * value + 3.0);
        let (verdict, cell) = checked(&now, SAME, 0.9);
        assert_eq!((verdict, cell.verdict), (Verdict::Regressed, Verdict::Regressed));
        // b = np.log([1010, 990, 1000, 1005, 995]); a = np.log(.8 * np.exp(b) + 3)
        // r = scipy.stats.ttest_ind(a, b, equal_var=False)
        // np.exp(a.mean() - b.mean()), np.exp(r.confidence_interval(.95))
        assert!((cell.ratio.unwrap() - 0.803_000_149_732_495_2).abs() < 1e-12, "{:?}", cell.ratio);
        let (low, high) = cell.interval95.unwrap();
        assert!((low - 0.793_811_473_777_147_9).abs() < 1e-10, "{low}");
        assert!((high - 0.812_295_188_178_939_6).abs() < 1e-10, "{high}");
    }

    #[test]
    fn equal_speed_is_ok_and_a_small_loss_is_within_the_ratio() {
        assert_eq!(checked(&BEFORE, SAME, 0.9).0, Verdict::Ok);
        assert_eq!(checked(&BEFORE.map(|value| 0.95 * value), SAME, 0.9).0, Verdict::Ok);
        assert_eq!(checked(&BEFORE.map(|value| 0.95 * value), SAME, 0.99).0, Verdict::Regressed);
    }

    #[test]
    fn speeds_of_different_machines_are_inconclusive_whatever_they_are() {
        let (verdict, cell) = checked(&BEFORE.map(|value| 3.0 * value), "Another CPU", 0.9);
        assert_eq!((verdict, cell.verdict), (Verdict::Inconclusive, Verdict::Inconclusive));
        assert_eq!((cell.note, cell.repeats_to_settle), (Some(Note::OtherHardware), None));
    }

    #[test]
    fn times_of_processes_are_never_held_against_those_of_another_machine() {
        let metric = Metric::of_processes().remove(0);
        let time = CellSample { metric, ..cell("a=1", &BEFORE) };
        let baseline = Baseline::from_samples(origin(), vec![time.clone()]).unwrap();
        let settings = CheckSettings {
            metric: MetricName::WALL_SECONDS,
            images_per_second: None,
            ..settings(0.9)
        };
        let mut other = origin();
        "Another CPU".clone_into(&mut other.origin.hardware);
        let error = check(&baseline, std::slice::from_ref(&time), &other, &settings).unwrap_err();
        assert!(matches!(error, CheckError::OtherMachine { .. }), "{error}");
        check(&baseline, &[time], &origin(), &settings).unwrap();
    }

    #[test]
    fn times_of_processes_are_compared_as_ratios_and_the_tolerance_is_percent() {
        let metric = Metric::of_processes().remove(0);
        let time = |values: &[f64]| CellSample { metric: metric.clone(), ..cell("a=1", values) };
        let baseline = Baseline::from_samples(origin(), vec![time(&BEFORE)]).unwrap();
        let checked = |factor: f64, tolerance: f64| {
            let settings = CheckSettings {
                metric: MetricName::WALL_SECONDS,
                images_per_second: None,
                tolerance,
                ..settings(0.9)
            };
            let now = time(&BEFORE.map(|value| factor * value + 3.0));
            check(&baseline, &[now], &origin(), &settings).unwrap()
        };
        // The ratio and its interval are those of the test of speeds above.
        let shorter = checked(0.8, 5.0);
        let cell = &shorter.cells[0];
        assert_eq!((shorter.verdict, cell.is_gain_proven), (Verdict::Ok, true));
        assert!(shorter.is_relative);
        assert!((cell.difference.unwrap() + 0.196_999_850_267_504_8).abs() < 1e-12, "{cell:?}");
        let (low, high) = cell.interval95.unwrap();
        assert!((low + 0.206_188_526_222_852_1).abs() < 1e-10, "{low}");
        assert!((high + 0.187_704_811_821_060_4).abs() < 1e-10, "{high}");
        assert_eq!(checked(1.04, 10.0).verdict, Verdict::Ok, "4.3 % longer");
        assert_eq!(checked(1.2, 10.0).verdict, Verdict::Regressed, "20.3 % longer");
    }

    #[test]
    fn a_baseline_without_speeds_is_refused() {
        let accuracies = cell("a=1", &[0.98, 0.981, 0.979]);
        let baseline = Baseline::from_samples(origin(), vec![accuracies.clone()]).unwrap();
        let cells = [accuracies];
        let error = check(&baseline, &cells, &origin(), &settings(0.9)).unwrap_err();
        let CheckError::NothingGated { metric } = error else { panic!("{error}") };
        assert_eq!(metric, MetricName::IMAGES_PER_SECOND);
        let error = check(&baseline, &cells, &origin(), &settings(1.5)).unwrap_err();
        assert!(matches!(error, CheckError::Ratio { found } if found > 1.4));
    }
}
