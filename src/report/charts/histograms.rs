//! How the trials of every cell spread: histograms with shared edges, laid out like the grids.

use super::scale::Linear;
use super::svg::{Chart, Drawing};
use super::trellis::{self, Frame, MAX_PANELS, Sides};
use crate::report::document::Section;
use crate::report::numbers::counted;
use crate::report::text::Presenter;

/// Draws one chart per grid; nothing where no cell has two trials or there are too many cells.
pub(super) fn histograms(presenter: &Presenter<'_>) -> Vec<Chart> {
    let section = presenter.section;
    let edges = &section.histogram_edges;
    let (Some(low), Some(high)) = (edges.first(), edges.last()) else { return Vec::new() };
    let has_spread = section.cells.iter().any(|cell| cell.counts.completed > 1);
    if !has_spread || section.cells.len() > MAX_PANELS {
        return Vec::new();
    }
    let tallest = section.cells.iter().flat_map(|cell| &cell.histogram).max().copied().unwrap_or(0);
    let scale = &presenter.scale;
    let metric = presenter.metric();
    let sides = Sides {
        horizontal: (scale.value(*low), scale.value(*high)),
        title: &format!("trials by {metric}"),
        vertical: ("0".to_owned(), tallest.to_string()),
    };
    let several = section.grids.len() > 1;
    let draw = |(index, grid)| {
        let (drawing, size) = trellis::draw(grid, &sides, &mut |drawing, frame, cell| {
            panel(presenter, drawing, frame, cell, (*low, *high), tallest);
        });
        let name =
            if several { format!("histograms-{}", index + 1) } else { "histograms".to_owned() };
        let mut chart = Chart::new(name, "Spread within cells", size, drawing);
        let of_grid = trellis::grid_name(grid);
        chart.title = format!("{metric}: how the trials of each cell spread{of_grid}");
        chart.description = description(section, edges, scale);
        if index + 1 == section.grids.len() {
            let pale = presenter.confidence_sentence();
            let pale = pale.map_or("", |_| "; bars of cells without ● are pale");
            chart.notes.push(format!(
                "Trials per bin; bins are {} wide and the same in every panel, the tallest holds \
                 {}. The upright line is the mean{pale}.",
                scale.size(edges[1] - low),
                counted(tallest, "trial"),
            ));
        }
        chart
    };
    section.grids.iter().enumerate().map(draw).collect()
}

fn description(section: &Section, edges: &[f64], scale: &crate::report::numbers::Scale) -> String {
    let widest = section
        .cells
        .iter()
        .filter_map(|cell| cell.summary?.sd)
        .max_by(f64::total_cmp)
        .map_or_else(String::new, |sd| format!(" The largest SD is {}.", scale.size(sd)));
    format!(
        "One histogram a cell, arranged like the grid, from {} to {} in {}.{widest} The numbers \
         stand in the table per cell.",
        scale.value(edges[0]),
        scale.value(edges[edges.len() - 1]),
        counted(edges.len() - 1, "bin"),
    )
}

fn panel(
    presenter: &Presenter<'_>,
    drawing: &mut Drawing,
    frame: Frame,
    cell: usize,
    (low, high): (f64, f64),
    tallest: usize,
) {
    let section = presenter.section;
    let edges = &section.histogram_edges;
    let line = &section.cells[cell];
    let Some(summary) = line.summary else { return };
    let x = Linear::exact((low, high), (frame.left + 2.0, frame.right() - 2.0));
    let y = Linear::exact((0.0, tallest.max(1) as f64), (frame.bottom(), frame.top + 4.0));
    let class = presenter.class_of(cell);
    drawing.open(class, &presenter.cell_title(cell));
    drawing.rect("hit", (frame.left, frame.top), (frame.width, frame.height));
    let bars: Vec<(f64, f64, f64)> = line
        .histogram
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(bin, count)| {
            (x.at(edges[bin]) + 0.3, x.at(edges[bin + 1]) - 0.3, y.at(*count as f64))
        })
        .collect();
    drawing.bars("bars", frame.bottom(), &bars);
    let mean = x.at(summary.mean);
    drawing.line("tick", (mean, frame.bottom()), (mean, frame.top + 2.0));
    drawing.close();
}
