//! The experiments of a folder, one line each.

use serde::Serialize;

use super::Page;
use super::confirm::best_cells;
use super::labels::short_name;
use super::layout::{Align, Paint, TextColumn, TextTable};
use super::numbers::{Scale, whole};
use super::pivot::ABSENT;
use crate::base::MetricName;
use crate::record::Outcome;
use crate::results::{CellResults, ExperimentResults};

/// One results folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ListedExperiment {
    /// The folder, as the user named what holds it.
    pub folder: String,
    /// Name of the experiment.
    pub name: String,
    /// What it should answer.
    pub question: Option<String>,
    /// Cells of its grid.
    pub cells: usize,
    /// Trials planned.
    pub trials: usize,
    /// Trials that completed.
    pub completed: usize,
    /// Trials that ended without a value.
    pub lost: usize,
    /// Trials that have not ended.
    pub outstanding: usize,
    /// What the report is about.
    pub metric: MetricName,
    /// The cell with the best mean; absent before a trial completed.
    pub best: Option<ListedBest>,
    /// When results were last added, RFC 3339.
    pub date: String,
    /// Where it stands.
    pub state: State,
}

/// The cell with the best mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ListedBest {
    /// Its name.
    pub name: String,
    /// Its name with short keys; empty for the only cell of an experiment.
    pub label: String,
    /// Completed trials.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (n − 1); absent for one trial.
    pub sd: Option<f64>,
    /// Both as a person reads them, with the unit.
    pub text: String,
}

/// Where an experiment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Every trial ended.
    Complete,
    /// A process of this machine trains.
    Running,
    /// Trials are left, and nobody trains them here.
    Incomplete,
}

impl ListedExperiment {
    /// Sums up the results in `folder`; `is_running` says whether a process adds to them.
    pub(crate) fn of(folder: String, results: &ExperimentResults, is_running: bool) -> Self {
        let sum = |count: fn(&CellResults) -> usize| results.cells.iter().map(count).sum();
        let trials = results.cells.iter().map(|cell| cell.planned as usize).sum();
        let completed = sum(|cell| cell.count(Outcome::Completed));
        let lost = sum(CellResults::lost);
        let outstanding = usize::saturating_sub(trials, completed + lost);
        let metric = results.metric();
        let best = best_cells(results, metric, 1).first().and_then(|&index| {
            let cell = &results.cells[index];
            let summary = results.summary(index, &metric.name)?;
            let scale = Scale::of(&metric.unit, summary.sd);
            let spread = summary.sd.map(|sd| format!(" ± {}", scale.value(sd)));
            let text = [scale.value(summary.mean), spread.unwrap_or_default(), scale.unit()];
            Some(ListedBest {
                name: cell.name.clone(),
                label: short_name(&results.axes, &cell.values, None),
                n: summary.n,
                mean: summary.mean,
                sd: summary.sd,
                text: text.concat(),
            })
        });
        Self {
            folder,
            name: results.facts.name.clone(),
            question: results.facts.question.clone(),
            cells: results.cells.len(),
            trials,
            completed,
            lost,
            outstanding,
            metric: metric.name.clone(),
            best,
            date: results.facts.origin.date.clone(),
            state: match (is_running, outstanding) {
                (true, _) => State::Running,
                (false, 0) => State::Complete,
                (false, _) => State::Incomplete,
            },
        }
    }

    fn state_text(&self) -> String {
        let mut parts = match self.state {
            State::Complete => vec!["complete".to_owned()],
            State::Running => vec!["running".to_owned()],
            State::Incomplete => Vec::new(),
        };
        if self.outstanding > 0 {
            parts.push(format!("{} left", whole(self.outstanding)));
        }
        if self.lost > 0 {
            parts.push(format!("{} lost", whole(self.lost)));
        }
        parts.join(", ")
    }
}

/// Fewest columns in which the values of a best cell are worth showing.
const MIN_LABEL: usize = 12;

/// Draws the table of experiments; the text ends with a line break.
pub(crate) fn render(experiments: &[ListedExperiment], page: Page) -> String {
    let column = |head: &str, align, text: &dyn Fn(&ListedExperiment) -> String| {
        TextColumn::plain(head, align, experiments.iter().map(text).collect())
    };
    let best = |text: &dyn Fn(&ListedBest) -> String| {
        let text = |one: &ListedExperiment| one.best.as_ref().map_or(ABSENT.to_owned(), text);
        experiments.iter().map(text).collect()
    };
    let mut metrics: Vec<&MetricName> = experiments.iter().map(|one| &one.metric).collect();
    metrics.dedup();
    let folder = |one: &ListedExperiment| {
        one.folder.rsplit(['/', '\\']).next().unwrap_or(&one.folder).to_owned()
    };
    let name = column("experiment", Align::Left, &folder);
    let mut columns = vec![
        column("cells", Align::Right, &|one| whole(one.cells)),
        TextColumn::plain("n", Align::Right, best(&|best| whole(best.n))),
    ];
    if let [metric] = metrics[..] {
        let head = format!("best {}", metric.words());
        columns.push(TextColumn::plain(head, Align::Left, best(&|best| best.text.clone())));
    } else {
        columns.push(column("metric", Align::Left, &|one| one.metric.words()));
        columns.push(TextColumn::plain("best", Align::Left, best(&|best| best.text.clone())));
    }
    columns.push(column("date", Align::Left, &|one| one.date.chars().take(10).collect()));
    let mut state = column("state", Align::Left, &ListedExperiment::state_text);
    for (entry, one) in state.entries.iter_mut().zip(experiments) {
        entry.1 = if one.state == State::Complete { Paint::Plain } else { Paint::Yellow };
    }
    columns.push(state);
    let mut table = TextTable { keys: vec![name], columns, ..TextTable::default() };
    let left = page.width.saturating_sub(table.width() + 2);
    let labels: Vec<String> = best(&|best| shortened(&best.label, left));
    if left >= MIN_LABEL && labels.iter().any(|label| !label.is_empty() && label != ABSENT) {
        table.columns.push(TextColumn::plain("at", Align::Left, labels));
    }
    table.draw(page.width, page.colour).join("\n") + "\n"
}

/// Cuts a text that is longer than `width` characters.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture;

    #[test]
    fn a_table_names_the_best_cell_where_there_is_room_for_it() {
        let results = fixture::augment_grid();
        let listed = |running| ListedExperiment::of("results/grid".to_owned(), &results, running);
        let wide = render(&[listed(false), listed(true)], Page { width: 120, colour: false });
        insta::assert_snapshot!(wide);
        let narrow = render(&[listed(false)], Page { width: 60, colour: false });
        assert!(!narrow.contains(" at"), "{narrow}");
    }
}
