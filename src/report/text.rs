//! Pieces that the text renderings share: grid, details and reference tables, caption lines.

use super::document::{CellLine, Counts, Heading, PivotGrid, Section};
use super::layout;
use super::layout::{Align, Paint, Split, TextColumn, TextTable};
use super::numbers::{Scale, counted, duration, whole};
use super::pivot::ABSENT;
use gridbench_stats::Summary;

/// Marks cells that may be the best.
pub(super) const MARK: &str = "●";
/// Marks cells that may be the best of their own grid alone.
pub(super) const MARK_IN_GRID: &str = "○";
/// Marks trials that ended without a result.
pub(super) const LOST: &str = "✗";

/// Everything a text rendering needs besides the section itself.
pub(super) struct Presenter<'a> {
    /// What is presented.
    pub section: &'a Section,
    /// How its metric is printed.
    pub scale: Scale,
    pub(super) sizes_differ: bool,
}

impl<'a> Presenter<'a> {
    /// Prepares `section`.
    pub(super) fn of(section: &'a Section) -> Self {
        let findings = &section.findings;
        Self {
            section,
            scale: Scale::of(&section.metric.unit, findings.pooled_sd),
            sizes_differ: findings.n_min != findings.n_max,
        }
    }

    /// Returns the parts of the line that opens the section, the name first.
    pub(super) fn title(&self) -> Vec<String> {
        let section = self.section;
        let mut parts = vec![
            section.called.clone(),
            format!(
                "{} × {}",
                counted(section.cells.len(), "cell"),
                counted(section.repeats as usize, "trial")
            ),
        ];
        let image = |dataset: &crate::store::DatasetFacts| {
            format!("{} {}", dataset.name, dataset.shape_text()).trim().to_owned()
        };
        parts.extend(section.datasets.iter().map(image));
        parts.push(self.networks());
        parts.push(self.engine());
        parts.push(format!("seed {}", section.seed));
        if section.cost.train_seconds > 0.0 {
            parts.push(format!("{} of training", duration(section.cost.train_seconds)));
        }
        parts.retain(|part| !part.is_empty());
        parts
    }

    /// Returns the name of the network, or how many there are.
    fn networks(&self) -> String {
        let presets = self.section.axes.iter().find(|axis| axis.key == "model.preset");
        match presets.map(|axis| axis.shown.as_slice()) {
            None => self.section.model.clone(),
            Some([one]) => one.clone(),
            Some(several) => format!("{} networks", several.len()),
        }
    }

    /// Returns the device and its numerical paths.
    pub(super) fn engine(&self) -> String {
        self.section.origin.engine.replace(" and ", ", ")
    }

    /// Returns the name of the metric with its unit, for example `test accuracy %`.
    pub(super) fn metric(&self) -> String {
        format!("{}{}", self.section.metric.name.words(), self.scale.unit())
    }

    /// Returns what the grids show, for example `test accuracy %, mean ± SD, n = 6`.
    pub(super) fn heading(&self) -> String {
        let findings = &self.section.findings;
        if let Some(why) = self.section.why_empty() {
            return format!("{}: {why}", self.metric());
        }
        match (findings.n_min, findings.n_max) {
            (1, 1) => format!("{}, n = 1, no spread", self.metric()),
            (low, high) if low == high => format!("{}, mean ± SD, n = {low}", self.metric()),
            (low, high) => format!("{}, mean ± SD (n), n = {low} to {high}", self.metric()),
        }
    }

    /// Returns the grid as a table.
    pub(super) fn grid(&self, grid: &PivotGrid) -> TextTable {
        let printed = Entries::of(self, grid);
        let column = |head: String, index: usize| TextColumn {
            head,
            align: Align::Left,
            entries: grid
                .entries
                .iter()
                .map(|row| row[index].map_or_else(Default::default, |cell| printed.entry(cell)))
                .collect(),
        };
        let (banner, columns) = match &grid.columns {
            None => (None, vec![column(self.metric(), 0)]),
            Some(heading) => {
                let values = heading.values.iter().enumerate();
                let columns = values.map(|(index, value)| column(join(value), index)).collect();
                (Some(format!("{} →", heading.labels.join("/"))), columns)
            }
        };
        TextTable {
            banner,
            keys: row_keys(&grid.rows, grid.columns.is_some()),
            columns,
            split: Split::Even,
        }
    }
}

/// Prints a mean with its spread; a single value says that it has none.
pub(super) fn with_spread(scale: &Scale, found: &Summary) -> String {
    match found.sd {
        Some(sd) => format!("{} ± {}", scale.value(found.mean), scale.value(sd)),
        None => format!("{} (n = 1, no spread)", scale.value(found.mean)),
    }
}

/// Joins the values of axes that move together.
fn join(values: &[Option<String>]) -> String {
    let texts: Vec<&str> = values.iter().map(|value| value.as_deref().unwrap_or(ABSENT)).collect();
    texts.join("/")
}

/// Rows with columns beside them are named in one column; listed cells by one column per axis.
fn row_keys(heading: &Heading, joined: bool) -> Vec<TextColumn> {
    if heading.labels.is_empty() {
        return Vec::new();
    }
    if joined {
        let head = format!("{} ↓", heading.labels.join("/"));
        let texts = heading.values.iter().map(|values| join(values)).collect();
        return vec![TextColumn::plain(head, Align::Left, texts)];
    }
    let column = |(index, label): (usize, &String)| {
        let text = |values: &Vec<Option<String>>| {
            values[index].clone().unwrap_or_else(|| ABSENT.to_owned())
        };
        TextColumn::plain(label, Align::Left, heading.values.iter().map(text).collect())
    };
    heading.labels.iter().enumerate().map(column).collect()
}

/// The entries of one grid, aligned on each other.
struct Entries<'a> {
    presenter: &'a Presenter<'a>,
    mean_width: usize,
    spread_width: usize,
    any_mark: bool,
}

impl<'a> Entries<'a> {
    fn of(presenter: &'a Presenter<'a>, grid: &PivotGrid) -> Self {
        let cells =
            || grid.entries.iter().flatten().flatten().map(|cell| &presenter.section.cells[*cell]);
        let width = |pick: &dyn Fn(&Summary) -> Option<f64>| {
            let texts = cells().filter_map(|cell| pick(cell.summary.as_ref()?));
            texts.map(|value| presenter.scale.value(value).chars().count()).max().unwrap_or(0)
        };
        Self {
            presenter,
            mean_width: width(&|found| Some(found.mean)),
            spread_width: width(&|found| found.sd),
            any_mark: cells().any(|cell| !presenter.mark(cell).trim().is_empty()),
        }
    }

    fn entry(&self, index: usize) -> (String, Paint) {
        let section = self.presenter.section;
        let cell = &section.cells[index];
        let scale = &self.presenter.scale;
        let mut parts = Vec::new();
        if let Some(found) = &cell.summary {
            let mean = format!("{:>1$}", scale.value(found.mean), self.mean_width);
            parts.push(match found.sd {
                Some(sd) => format!("{mean} ± {:<1$}", scale.value(sd), self.spread_width),
                None => format!("{mean} (n = 1)"),
            });
            if self.any_mark {
                parts.push(self.presenter.mark(cell).to_owned());
            }
            if found.n > 1 && self.presenter.sizes_differ {
                parts.push(format!("({})", found.n));
            }
        }
        let Counts { completed, planned, unfinished, .. } = cell.counts;
        if unfinished > 0 {
            parts.push(format!("…{completed}/{planned}"));
        }
        if cell.counts.lost() > 0 {
            parts.push(format!("{LOST}{}", cell.counts.lost()));
        }
        let paint = match section.findings.best {
            Some(best) if best.cell == index => Paint::Green,
            _ if cell.counts.lost() > 0 => Paint::Yellow,
            _ if cell.summary.is_none() => Paint::Dim,
            _ => Paint::Plain,
        };
        (parts.join(" "), paint)
    }
}

impl Presenter<'_> {
    /// Returns the mark of a cell, one column wide; marks say nothing where every trial is alone.
    pub(super) fn mark(&self, cell: &CellLine) -> &'static str {
        let several = self.section.grids.len() > 1;
        if self.section.findings.comparisons == 0 {
            " "
        } else if cell.inseparable_from_best {
            MARK
        } else if several && cell.inseparable_in_grid {
            MARK_IN_GRID
        } else {
            " "
        }
    }

    /// Returns the class of a cell's marks in charts: what is not marked is paler, where any is.
    pub(super) fn class_of(&self, cell: usize) -> &'static str {
        let is_pale = self.section.findings.comparisons > 0
            && !self.section.cells[cell].inseparable_from_best;
        if is_pale { "far" } else { "near" }
    }

    /// Says everything about a cell in a line, for readers who point at it.
    pub(super) fn cell_title(&self, index: usize) -> String {
        let cell = &self.section.cells[index];
        let scale = &self.scale;
        let name = match self.section.describe(index) {
            name if name.is_empty() => String::new(),
            name => format!("{name}: "),
        };
        let Some(found) = &cell.summary else {
            let Counts { completed, planned, .. } = cell.counts;
            return match completed {
                0 => format!("{name}no completed trial of {planned}"),
                _ => format!("{name}measured by none of {}", counted(completed, "completed trial")),
            };
        };
        let mut parts = vec![format!("{}{}", with_spread(scale, found), scale.unit())];
        if found.n > 1 {
            parts.push(format!("n = {}", found.n));
        }
        if cell.is_deterministic {
            parts.push("deterministic".to_owned());
        }
        let interval = found.interval95.filter(|_| !cell.is_deterministic);
        parts.extend(interval.map(|ends| format!("95 % {}", scale.interval(ends))));
        if found.n > 1 {
            parts.push(format!("median {}", scale.value(found.median)));
            parts.push(format!("{} to {}", scale.value(found.min), scale.value(found.max)));
        }
        let is_best = self.section.findings.best.is_some_and(|best| best.cell == index);
        if is_best && self.section.compared() > 1 {
            parts.push(self.section.best_of_what().to_owned());
        }
        if self.mark(cell) == MARK {
            parts.push("may be the best".to_owned());
        }
        parts.extend(cell.counts.lost_of_planned());
        if cell.counts.unfinished > 0 {
            parts.push(format!("{} to be done", counted(cell.counts.unfinished, "trial")));
        }
        format!("{name}{}", parts.join(", "))
    }

    /// Says among how many cells the best is; nothing where nothing was compared.
    pub(super) fn confidence_sentence(&self) -> Option<String> {
        let Section { findings, cells, .. } = self.section;
        let best = findings.best.filter(|_| findings.comparisons > 0)?;
        let confidence = 100.0 * (1.0 - findings.alpha);
        let compared = self.section.compared();
        let all = if compared < cells.len() {
            format!("the {compared} cells with results")
        } else {
            format!("these {compared} cells")
        };
        let marked = match best.inseparable {
            1 => format!("the {MARK}"),
            marked => format!("one of the {} {MARK}", whole(marked)),
        };
        Some(format!("with {confidence:.0} % confidence the best of {all} is {marked}"))
    }

    /// Returns the axes that have one value only, for example `ensemble.size 15`.
    pub(super) fn fixed(&self) -> Option<String> {
        let fixed: Vec<String> = self
            .section
            .axes
            .iter()
            .filter(|axis| axis.role == super::document::Role::Fixed)
            .filter_map(|axis| Some(format!("{} {}", axis.label, axis.shown.first()?)))
            .collect();
        (!fixed.is_empty()).then(|| fixed.join(", "))
    }
}

/// Returns what a grid's cells share, for example `optimizer adam, ensemble.size 15`.
pub(super) fn grid_title(grid: &PivotGrid) -> String {
    let parts: Vec<String> =
        grid.title.iter().map(|(label, value)| format!("{label} {value}")).collect();
    parts.join(", ")
}

/// Breaks labelled text into lines of at most `width`, the text in a column of its own.
pub(super) fn labelled_lines(
    label: &str,
    text: &str,
    width: usize,
    paint: Paint,
    colour: bool,
) -> Vec<String> {
    const LABEL: usize = 9;
    let indent = 1 + LABEL;
    let lines = layout::wrap_text(text, width.saturating_sub(indent).max(20), 0);
    let mut out = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        let padding =
            " ".repeat(LABEL.saturating_sub(unicode_width::UnicodeWidthStr::width(label)));
        out.push(format!(" {}{padding}{line}", paint.on(label, colour)));
    }
    out
}
