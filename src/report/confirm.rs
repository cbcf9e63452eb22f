//! The best cells again on fresh seeds: what was hoped, what was found.
//!
//! The best of many noisy means is too high by selection alone, so only fresh trials say what a
//! chosen cell is worth.

pub(super) mod measure;

use serde::Serialize;

use self::measure::{best_of, by_repeat, errors, every_sample, luck, shrunken};
use super::Page;
use super::compare::CompareFormat;
use super::labels::short_name;
use super::layout::{Align, Paint, Split as Columns, TextColumn, TextTable, wrap_text};
use super::numbers::{Scale, counted};
use crate::base::text::{markdown as escape, markdown_prose as prose};
use crate::base::{Metric, Split, format};
use crate::results::{CellResults, ExperimentResults};
use gridbench_stats::{Estimate as Error, MeanDifference, Summary};

const ALPHA: f64 = 0.05;

/// The best cells of an experiment, as first seen and as confirmed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Confirmation {
    /// The experiment the cells were chosen from.
    pub of: String,
    /// What they were chosen by and confirmed on.
    pub metric: Metric,
    /// Cells they were chosen from.
    pub chosen_from: usize,
    /// How much higher than the truth the best of so many equal cells is expected to look, by luck
    /// alone; absent without a spread or a choice.
    pub luck: Option<f64>,
    /// How much better than the truth the best *fresh* mean is expected to look if the chosen cells
    /// are equally good; absent without a spread or a choice.
    pub fresh_luck: Option<f64>,
    /// The cells, best first by the first estimate.
    pub cells: Vec<ConfirmedCell>,
    /// What may be quoted.
    pub verdict: String,
}

/// One cell, as first seen and as confirmed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ConfirmedCell {
    /// The cell.
    pub name: String,
    /// Its name with short keys.
    pub label: String,
    /// The estimate it was chosen by.
    pub first: Estimate,
    /// The fresh estimate; absent without a completed trial.
    pub confirmed: Option<Estimate>,
    /// Fresh trials that diverged, failed or ran out of time.
    pub lost: usize,
    /// Fresh minus first mean.
    pub change: Option<f64>,
    /// 95 % interval of the fresh mean that holds for all chosen cells at once (Šidák; variances
    /// moderated over three cells or more); absent without a spread.
    pub simultaneous95: Option<(f64, f64)>,
    /// The fresh mean once the luck of the better ones is taken off; absent for fewer than four cells.
    pub shrunken: Option<f64>,
    /// Whether it may be the best: with 95 % confidence the best of the chosen cells is among those.
    pub inseparable_from_best: bool,
}

/// What a sample says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Estimate {
    /// Completed trials.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (n − 1); absent for one trial.
    pub sd: Option<f64>,
    /// 95 % interval of the mean; absent for one trial and without any spread.
    pub interval95: Option<(f64, f64)>,
}

impl Estimate {
    fn of(values: &[f64], metric: &Metric) -> Option<Self> {
        let Summary { n, mean, sd, interval95, .. } =
            Summary::of(values)?.within(metric.range.ends());
        Some(Self { n, mean, sd, interval95 })
    }
}

/// Returns the indices of the `top` best cells by the mean of `metric`, best first, and those that lost
/// trials after all others: what was lost may have been their worst, so none of them is named the best
/// while there is one that lost none.
pub(crate) fn best_cells(results: &ExperimentResults, metric: &Metric, top: usize) -> Vec<usize> {
    let sign = -metric.sign();
    let mut means: Vec<(usize, bool, f64)> = results
        .cells
        .iter()
        .enumerate()
        .filter_map(|(index, cell)| {
            let mean = results.summary(index, &metric.name)?.mean;
            Some((index, cell.lost() > 0, sign * mean))
        })
        .collect();
    means.sort_by(|a, b| a.1.cmp(&b.1).then(a.2.total_cmp(&b.2)));
    means.into_iter().take(top).map(|(index, ..)| index).collect()
}

/// Sets the chosen cells of `first` beside the same cells of `fresh`.
pub(crate) fn confirmation(
    first: &ExperimentResults,
    chosen: &[usize],
    fresh: &ExperimentResults,
    metric: &Metric,
) -> Confirmation {
    let again = |index: usize| fresh.cells.iter().find(|other| other.id == first.cells[index].id);
    let sample =
        |index: &usize| again(*index).map(|cell| cell.sample(&metric.name)).unwrap_or_default();
    let samples: Vec<Vec<f64>> = chosen.iter().map(sample).collect();
    let by_repeat = by_repeat(chosen.iter().map(|&index| again(index)), metric);
    let floor = fresh.quantum(metric).map_or(0.0, |step| step * step / 12.0);
    let rows: Vec<&[Option<f64>]> = by_repeat.iter().map(Vec::as_slice).collect();
    let marks = best_of(&rows, fresh.facts.split_seed.is_some(), floor, metric).members;
    let errors = errors(&samples, floor);
    let shrunken = shrunken(&errors, metric);
    let level = (1.0 - ALPHA).powf(1.0 / samples.len().max(1) as f64);
    let simultaneous = |error: &Error| {
        let se = error.squared_error.sqrt();
        let known = error.degrees_of_freedom > 0.0 && se > 0.0;
        let (least, most) = metric.range.ends();
        let (low, high) = known.then(|| {
            MeanDifference::new(error.mean, se, error.degrees_of_freedom).interval(level)
        })?;
        Some((low.max(least), high.min(most)))
    };
    let cells: Vec<ConfirmedCell> = chosen
        .iter()
        .zip(&samples)
        .zip(marks)
        .zip(errors.iter().zip(shrunken))
        .filter_map(|(((&index, sample), inseparable_from_best), (error, shrunken))| {
            let cell = &first.cells[index];
            let hoped = Estimate::of(&cell.sample(&metric.name), metric)?;
            let confirmed = Estimate::of(sample, metric);
            Some(ConfirmedCell {
                name: cell.name.clone(),
                label: short_name(&first.axes, &cell.values, None),
                first: hoped,
                confirmed,
                lost: again(index).map_or(0, CellResults::lost),
                change: confirmed.map(|confirmed| confirmed.mean - hoped.mean),
                simultaneous95: error.as_ref().and_then(simultaneous),
                shrunken,
                inseparable_from_best,
            })
        })
        .collect();
    let mut found = Confirmation {
        of: first.facts.name.clone(),
        metric: metric.clone(),
        chosen_from: first
            .cells
            .iter()
            .filter(|cell| !cell.sample(&metric.name).is_empty())
            .count(),
        luck: luck(&every_sample(first, metric)),
        fresh_luck: luck(&samples),
        cells,
        verdict: String::new(),
    };
    found.verdict = verdict(&found);
    found
}

fn scale(found: &Confirmation) -> Scale {
    let spreads = found.cells.iter().filter_map(|cell| cell.confirmed?.sd.filter(|sd| *sd > 0.0));
    Scale::of(&found.metric.unit, spreads.reduce(f64::min))
}

fn verdict(found: &Confirmation) -> String {
    let scale = scale(found);
    let sign = found.metric.sign();
    let best = found
        .cells
        .iter()
        .filter_map(|cell| Some((cell, cell.confirmed?)))
        // What was lost may have been the worst of a cell.
        .max_by(|a, b| {
            let whole = (a.0.lost == 0).cmp(&(b.0.lost == 0));
            whole.then((sign * a.1.mean).total_cmp(&(sign * b.1.mean)))
        });
    let Some((cell, confirmed)) = best else {
        return "Nothing is confirmed: no fresh trial completed.".to_owned();
    };
    let measured = found.cells.iter().filter(|cell| cell.confirmed.is_some()).count();
    let spread = match (confirmed.sd, cell.simultaneous95) {
        (Some(sd), Some((low, high))) => {
            let (sd, low, high) = (scale.value(sd), scale.value(low), scale.value(high));
            let at_once = match measured {
                1 => String::new(),
                all => format!(" for all {all} at once"),
            };
            format!(" ± {sd} (n = {}, 95 %{at_once} {low} to {high})", confirmed.n)
        }
        (Some(_), None) => {
            format!(" in each of {}, too few for a spread", counted(confirmed.n, "trial"))
        }
        (None, _) => {
            return "Nothing is confirmed: a single fresh trial has no spread to judge by; confirm \
                    with at least 5 repeats."
                .to_owned();
        }
    };
    let mut text = format!(
        "Quote the confirmed numbers: `{}` reaches {}{}{spread}.",
        cell.name,
        scale.value(confirmed.mean),
        scale.unit(),
    );
    text += &luck_of_the_best(found, cell, measured);
    let others = measured - 1;
    let is_alike =
        |other: &&ConfirmedCell| other.inseparable_from_best && !std::ptr::eq(*other, cell);
    let alike = found.cells.iter().filter(is_alike).count();
    let standing = match (others, alike) {
        (0, _) => String::new(),
        (1, 0) => " It is better than the other one with 95 % confidence.".to_owned(),
        (_, 0) => {
            format!(" It is better than the other {others} confirmed with 95 % confidence.")
        }
        (1, _) => {
            " The other one may be as good or better, so which is best stays open.".to_owned()
        }
        (_, alike) if alike == others => format!(
            " The other {others} may be as good or better, so which of them is best stays open."
        ),
        (_, alike) => format!(
            " {alike} of the other {others} may be as good or better, so which of them is best stays \
             open."
        ),
    };
    text += &standing;
    if found.metric.split == Some(Split::Test) {
        text += " Fresh seeds cannot repair what was fitted to the test images: the cells were chosen \
                 and confirmed on the same ones.";
    }
    match found.cells.len() - measured {
        0 => text,
        none => format!(
            "{text} Of {} of the chosen no fresh trial completed: nothing is known of {}.",
            counted(none, "cell"),
            if none == 1 { "it" } else { "them" }
        ),
    }
}

/// Says what is left of the best fresh mean, which is the best of several and so a little lucky itself.
fn luck_of_the_best(found: &Confirmation, best: &ConfirmedCell, measured: usize) -> String {
    let scale = scale(found);
    match (best.shrunken, found.fresh_luck) {
        (Some(worth), _) => format!(
            " The best of {measured} fresh means is lucky too: without that luck it is worth {}{}.",
            scale.value(worth),
            scale.unit()
        ),
        (None, Some(luck))
            if found.cells.iter().filter(|one| one.inseparable_from_best).count() > 1 =>
        {
            format!(
                " Were the {measured} equally good, the best fresh mean would look better by about {}.",
                scale.size(luck)
            )
        }
        _ => String::new(),
    }
}

/// Writes a confirmation; the text ends with a line break.
///
/// # Panics
/// Never: every confirmation has a JSON form.
pub(crate) fn render(found: &Confirmation, format: CompareFormat, page: Page) -> String {
    match format {
        CompareFormat::Json => format::CONFIRMATION.text(found),
        CompareFormat::Markdown => {
            let lines = table(found).markdown().join("\n");
            let notes: Vec<String> =
                notes(found).iter().map(|note| format!("- {}\n", prose(note))).collect();
            let notes = notes.concat();
            let heading = escape(&heading(found));
            format!("## {heading}\n\n**{}**\n\n{lines}\n\n{notes}", prose(&found.verdict))
        }
        CompareFormat::Terminal => {
            let mut out = format!("{}\n\n", Paint::Bold.on(&heading(found), page.colour));
            for line in wrap_text(&found.verdict, page.width, 0) {
                out.extend([format!("{}\n", Paint::Bold.on(&line, page.colour))]);
            }
            out.push('\n');
            for line in table(found).draw(page.width, page.colour) {
                out.extend([format!("{line}\n")]);
            }
            out.push('\n');
            for note in notes(found) {
                for line in wrap_text(&note, page.width.saturating_sub(2), 1) {
                    out.extend([format!(" {line}\n")]);
                }
            }
            out
        }
    }
}

fn heading(found: &Confirmation) -> String {
    format!(
        "{}: the best {} of {} again on fresh seeds   {}{}",
        found.of,
        found.cells.len(),
        counted(found.chosen_from, "cell"),
        found.metric.name.words(),
        scale(found).unit(),
    )
}

fn table(found: &Confirmation) -> TextTable {
    let scale = scale(found);
    let estimate = |estimate: &Estimate| {
        let sd = estimate.sd.map_or(String::new(), |sd| format!(" ± {}", scale.value(sd)));
        format!("{}{sd} (n = {})", scale.value(estimate.mean), estimate.n)
    };
    let missing = || "—".to_owned();
    let column = |head: &str, align, entry: &dyn Fn(&ConfirmedCell) -> String| {
        TextColumn::plain(head, align, found.cells.iter().map(entry).collect())
    };
    TextTable {
        banner: None,
        keys: vec![column("cell", Align::Left, &|cell| cell.label.clone())],
        columns: vec![
            column("first estimate", Align::Left, &|cell| estimate(&cell.first)),
            column("confirmed", Align::Left, &|cell| {
                let mark = if cell.inseparable_from_best { " ●" } else { "" };
                let lost = match cell.lost {
                    0 => String::new(),
                    lost => format!(", {lost} lost"),
                };
                cell.confirmed.as_ref().map_or_else(missing, estimate) + &lost + mark
            }),
            column("95 % at once", Align::Left, &|cell| {
                cell.simultaneous95.map_or_else(missing, |interval| scale.interval(interval))
            }),
            column("change", Align::Right, &|cell| {
                cell.change.map_or_else(missing, |change| scale.signed(change))
            }),
        ],
        split: Columns::Full,
    }
}

fn notes(found: &Confirmation) -> Vec<String> {
    let scale = scale(found);
    let mut notes = vec![
        "● may be the best: with 95 % confidence the best of the chosen cells with fresh results is one \
         of them (Hsu); ± is the standard deviation, and the intervals hold for all chosen cells at once"
            .to_owned(),
        "the first estimates chose the cells, so they are too hopeful; the confirmed ones share no \
         seed with them"
            .to_owned(),
    ];
    if let Some(luck) = found.luck {
        notes.push(format!(
            "were all {} equally good, luck alone would make the best look better by about {}",
            counted(found.chosen_from, "cell"),
            scale.size(luck)
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::MetricName;
    use crate::results::fixture;

    fn experiment(name: &str, cells: [&[u32]; 3]) -> ExperimentResults {
        let values = [[Some("0")], [Some("1")], [Some("2")]];
        let made: Vec<fixture::HandMade<'_>> =
            values.iter().zip(cells).map(|(value, errors)| (&value[..], errors)).collect();
        fixture::experiment(name, &[("a.x", &["0", "1", "2"])], &made)
    }

    #[test]
    fn the_best_cells_are_chosen_by_their_mean_whichever_way_is_better() {
        let first = experiment("first", [&[9, 10, 11], &[4, 5, 6], &[7, 8, 9]]);
        assert_eq!(best_cells(&first, &fixture::declared(&MetricName::TEST_ACCURACY), 2), [1, 2]);
        // More errors take longer in this fixture, so the quickest are the same.
        assert_eq!(best_cells(&first, &fixture::declared(&MetricName::TRAIN_SECONDS), 2), [1, 2]);
        assert_eq!(best_cells(&first, &fixture::declared(&MetricName::TEST_LOSS), 2), [0_usize; 0]);
    }

    #[test]
    fn first_and_fresh_estimates_stand_side_by_side() {
        let first = experiment("first", [&[9, 10, 11], &[4, 5, 6], &[6, 7, 8]]);
        let fresh = experiment("first-confirm", [&[], &[8, 9, 10, 9], &[7, 6, 8, 7]]);
        let found =
            confirmation(&first, &[1, 2], &fresh, &fixture::declared(&MetricName::TEST_ACCURACY));
        let change = found.cells[0].change.unwrap();
        assert!((change + 4.0 / 360.0).abs() < 1e-12, "{change}");
        assert!(!found.cells[0].inseparable_from_best && found.cells[1].inseparable_from_best);
        // x = (360 - np.array([7, 6, 8, 7])) / 360; q = .95 ** .5
        // x.mean() - scipy.stats.t.ppf(.5 + q / 2, 3) * x.std(ddof=1) / 2
        let (low, _) = found.cells[1].simultaneous95.unwrap();
        assert!((low - 0.975_842_045_089_006_4).abs() < 1e-9, "{low}");
        // The pooled spread is one error of 360, over three trials in each of three cells:
        // scipy.stats.norm.ppf((3 - .375) / 3.25) / 360 / sqrt(3)
        let luck = found.luck.unwrap();
        assert!((luck - 0.001_394_339_026_522_773_9).abs() < 1e-12, "{luck}");
        insta::assert_snapshot!(render(&found, CompareFormat::Terminal, Page::default()));
        insta::assert_snapshot!(
            "confirm_markdown",
            render(&found, CompareFormat::Markdown, Page::default())
        );
    }

    #[test]
    fn cells_without_a_fresh_trial_are_not_beaten() {
        let first = experiment("first", [&[9, 10, 11], &[4, 5, 6], &[6, 7, 8]]);
        let fresh = experiment("first-confirm", [&[], &[8, 9, 10, 9], &[]]);
        let found =
            confirmation(&first, &[1, 2], &fresh, &fixture::declared(&MetricName::TEST_ACCURACY));
        assert!(!found.verdict.contains("better"), "{}", found.verdict);
        assert!(
            found.verdict.ends_with(
                "Of 1 cell of the chosen no fresh trial completed: nothing is known of it."
            ),
            "{}",
            found.verdict
        );
    }

    #[test]
    fn without_fresh_trials_nothing_is_confirmed() {
        let first = experiment("first", [&[9, 10, 11], &[4, 5, 6], &[6, 7, 8]]);
        let none = experiment("first-confirm", [&[], &[], &[]]);
        let found =
            confirmation(&first, &[1], &none, &fixture::declared(&MetricName::TEST_ACCURACY));
        assert!(found.verdict.starts_with("Nothing is confirmed"), "{}", found.verdict);
        let one = experiment("first-confirm", [&[], &[5], &[]]);
        let found =
            confirmation(&first, &[1], &one, &fixture::declared(&MetricName::TEST_ACCURACY));
        assert!(found.verdict.starts_with("Nothing is confirmed"), "{}", found.verdict);
    }
}
