//! Small multiples in the shape of the grids: one panel per cell, rows and columns as in the tables.

use super::svg::{Anchor, Drawing, fitted, text_width};
use crate::report::document::{Heading, PivotGrid};
use crate::report::pivot::ABSENT;

/// Panels beside each other where the grid only lists its cells.
const LISTED_COLUMNS: usize = 5;
/// Width that a chart aims at.
const PAGE: f64 = 940.0;
/// Space between panels.
const GAP: f64 = 8.0;
/// Panels up to which all grids of a section are drawn.
pub(in crate::report) const MAX_PANELS: usize = 400;

/// A rectangle to draw in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// What the axes of all panels show.
pub(super) struct Sides<'a> {
    /// Values at the left and right end of every panel.
    pub(super) horizontal: (String, String),
    /// Values at the bottom and top of every panel.
    pub(super) vertical: (String, String),
    /// What they are.
    pub(super) title: &'a str,
}

/// Draws one panel for every cell of a grid, and returns the drawing with its size.
pub(super) fn draw(
    grid: &PivotGrid,
    sides: &Sides<'_>,
    panel: &mut dyn FnMut(&mut Drawing, Frame, usize),
) -> (Drawing, (f64, f64)) {
    match &grid.columns {
        Some(columns) => crossed(grid, columns, sides, panel),
        None => listed(grid, sides, panel),
    }
}

fn joined(values: &[Option<String>]) -> String {
    let texts: Vec<&str> = values.iter().map(|value| value.as_deref().unwrap_or(ABSENT)).collect();
    texts.join("/")
}

fn crossed(
    grid: &PivotGrid,
    heading: &Heading,
    sides: &Sides<'_>,
    panel: &mut dyn FnMut(&mut Drawing, Frame, usize),
) -> (Drawing, (f64, f64)) {
    let mut drawing = Drawing::default();
    let rows: Vec<String> = grid.rows.values.iter().map(|values| joined(values)).collect();
    let row_title = format!("{} ↓", grid.rows.labels.join("/"));
    let widest = rows.iter().map(|text| text_width(text)).fold(text_width(&row_title), f64::max);
    let labels = widest.clamp(30.0, 170.0);
    let scale = text_width(&sides.vertical.0).max(text_width(&sides.vertical.1)) + 8.0;
    let left = labels + 10.0 + scale;
    let columns = heading.values.len().max(1) as f64;
    let width = ((PAGE - left) / columns - GAP).clamp(72.0, 168.0);
    let height = (0.56 * width).clamp(48.0, 84.0);
    let top = 40.0;
    drawing.text("q", (0.0, top - 8.0), Anchor::Start, &fitted(&row_title, labels));
    let column_title = format!("{} →", heading.labels.join("/"));
    drawing.text("q", (left, 12.0), Anchor::Start, &column_title);
    for (index, values) in heading.values.iter().enumerate() {
        let middle = left + index as f64 * (width + GAP) + 0.5 * width;
        let text = fitted(&joined(values), width);
        drawing.text("b", (middle, top - 8.0), Anchor::Middle, &text);
    }
    for (row, entries) in grid.entries.iter().enumerate() {
        let y = top + row as f64 * (height + GAP);
        let name = fitted(&rows[row], labels);
        drawing.text("b", (0.0, y + 0.5 * height + 4.0), Anchor::Start, &name);
        drawing.text("q", (left - 5.0, y + height), Anchor::End, &sides.vertical.0);
        drawing.text("q", (left - 5.0, y + 9.0), Anchor::End, &sides.vertical.1);
        for (column, cell) in entries.iter().enumerate() {
            let x = left + column as f64 * (width + GAP);
            let frame = Frame { left: x, top: y, width, height };
            if let Some(cell) = cell {
                drawing.rect("frame", (x, y), (width, height));
                panel(&mut drawing, frame, *cell);
            }
        }
    }
    let bottom = top + grid.entries.len() as f64 * (height + GAP) - GAP;
    let right = left + columns * (width + GAP) - GAP;
    // A long heading of few columns may need more room than they do.
    let right = right.max(left + text_width(&column_title));
    let below = legend(&mut drawing, (left, left + width, right), bottom, sides);
    (drawing, (right.max(below.0) + 4.0, below.1 + 8.0))
}

/// Writes what the axes of all panels show below the first panel of the last row, in a second line
/// where the first has no room, and returns how far that reaches to the right and down.
fn legend(
    drawing: &mut Drawing,
    (left, panel, right): (f64, f64, f64),
    bottom: f64,
    sides: &Sides<'_>,
) -> (f64, f64) {
    ends(drawing, (left, panel), bottom + 14.0, sides);
    let width = text_width(sides.title);
    let fits_beside = panel + 12.0 + width <= right;
    let y = if fits_beside { bottom + 14.0 } else { bottom + 29.0 };
    let end = if fits_beside { right } else { right.max(left + width) };
    let (x, anchor) = if fits_beside { (end, Anchor::End) } else { (left, Anchor::Start) };
    drawing.text("q", (x, y), anchor, sides.title);
    (end, y)
}

/// Writes the values at the ends of the first panel of a row, if they fit below it.
fn ends(drawing: &mut Drawing, (left, right): (f64, f64), y: f64, sides: &Sides<'_>) {
    let (low, high) = (&sides.horizontal.0, &sides.horizontal.1);
    drawing.text("q", (left, y), Anchor::Start, low);
    if text_width(low) + text_width(high) + 6.0 < right - left {
        drawing.text("q", (right, y), Anchor::End, high);
    }
}

fn listed(
    grid: &PivotGrid,
    sides: &Sides<'_>,
    panel: &mut dyn FnMut(&mut Drawing, Frame, usize),
) -> (Drawing, (f64, f64)) {
    let mut drawing = Drawing::default();
    let names = grid.rows.values.iter().map(|values| joined(values));
    let cells: Vec<(String, usize)> = names
        .zip(&grid.entries)
        .flat_map(|(name, cells)| cells.iter().flatten().map(move |cell| (name.clone(), *cell)))
        .collect();
    let columns = cells.len().clamp(1, LISTED_COLUMNS);
    let scale = text_width(&sides.vertical.0).max(text_width(&sides.vertical.1)) + 8.0;
    let width = ((PAGE - scale) / LISTED_COLUMNS as f64 - GAP).floor();
    let (height, label, head) = (72.0, 20.0, 16.0);
    drawing.text("q", (scale, 12.0), Anchor::Start, &grid.rows.labels.join("/"));
    for (index, (name, cell)) in cells.iter().enumerate() {
        let (row, column) = ((index / columns) as f64, (index % columns) as f64);
        let x = scale + column * (width + GAP);
        let y = head + label + row * (height + GAP + label);
        drawing.text("b", (x, y - 6.0), Anchor::Start, &fitted(name, width - GAP));
        if index % columns == 0 {
            drawing.text("q", (scale - 5.0, y + height), Anchor::End, &sides.vertical.0);
            drawing.text("q", (scale - 5.0, y + 9.0), Anchor::End, &sides.vertical.1);
        }
        drawing.rect("frame", (x, y), (width, height));
        panel(&mut drawing, Frame { left: x, top: y, width, height }, *cell);
    }
    let rows = cells.len().div_ceil(columns) as f64;
    let bottom = head + rows * (height + GAP + label) - GAP;
    let right = scale + columns as f64 * (width + GAP) - GAP;
    let below = legend(&mut drawing, (scale, scale + width, right), bottom, sides);
    (drawing, (right.max(below.0) + 4.0, below.1 + 8.0))
}

/// Names what the cells of a grid share, for titles.
pub(super) fn grid_name(grid: &PivotGrid) -> String {
    let title = crate::report::text::grid_title(grid);
    if title.is_empty() { title } else { format!(", {title}") }
}
