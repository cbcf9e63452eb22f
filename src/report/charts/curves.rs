//! Training curves in the shape of the grids: accuracy and loss by epoch, with their spread.

use std::collections::{BTreeSet, HashMap};

use super::scale::{Linear, area_inside, inside, robust_range};
use super::svg::{Chart, Drawing, Towards};
use super::trellis::{self, Frame, MAX_PANELS, Sides};
use crate::base::Unit;
use crate::report::curves::{Band, CurveGroup, EpochPoint};
use crate::report::document::PivotGrid;
use crate::report::numbers::{Scale, counted};
use crate::report::text::Presenter;

/// What a chart of curves shows.
struct Kind {
    name: &'static str,
    unit: Unit,
    train: fn(&EpochPoint) -> Option<Band>,
    validation: fn(&EpochPoint) -> Option<Band>,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "accuracy",
        unit: Unit::FRACTION,
        train: |point| point.train_accuracy,
        validation: |point| point.validation_accuracy,
    },
    Kind {
        name: "loss",
        unit: Unit::NATS,
        train: |point| point.train_loss,
        validation: |point| point.validation_loss,
    },
];

/// Draws accuracy and loss by epoch for the networks behind every cell.
pub(super) fn curves(presenter: &Presenter<'_>) -> Vec<Chart> {
    let section = presenter.section;
    let epochs = section.curves.iter().map(|group| group.epochs.len()).max().unwrap_or(0);
    if epochs < 2 || section.cells.len() > MAX_PANELS {
        return Vec::new();
    }
    let group_of: HashMap<usize, usize> = section
        .curves
        .iter()
        .enumerate()
        .flat_map(|(index, group)| group.cells.iter().map(move |cell| (*cell, index)))
        .collect();
    let grids = grids_with_news(&section.grids, &group_of);
    let kinds = KINDS.iter().flat_map(|kind| {
        let draw = |index: &usize| {
            chart(presenter, kind, (*index, grids.last() == Some(index)), &group_of)
        };
        grids.iter().filter_map(draw).collect::<Vec<_>>()
    });
    kinds.collect()
}

/// Returns the grids that show networks no earlier grid has shown: grids of larger ensembles use
/// the networks of the smaller ones.
fn grids_with_news(grids: &[PivotGrid], group_of: &HashMap<usize, usize>) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    (0..grids.len())
        .filter(|index| {
            let cells = grids[*index].entries.iter().flatten().flatten();
            let mut is_new = false;
            for group in cells.filter_map(|cell| group_of.get(cell)) {
                is_new |= seen.insert(*group);
            }
            is_new
        })
        .collect()
}

fn chart(
    presenter: &Presenter<'_>,
    kind: &Kind,
    (index, is_last): (usize, bool),
    group_of: &HashMap<usize, usize>,
) -> Option<Chart> {
    let section = presenter.section;
    let grid = &section.grids[index];
    let scale = Scale::of(&kind.unit, None);
    let points = || section.curves.iter().flat_map(|group| &group.epochs);
    let last = points().map(|point| point.epoch).max()?;
    // The first epochs start anywhere: they may leave the panel.
    let settled = |point: &&EpochPoint| last < 5 || point.epoch > last / 5;
    let values = points().filter(settled).flat_map(|point| {
        let bands = [(kind.train)(point), (kind.validation)(point)];
        bands.into_iter().flatten().flat_map(|band| [band.min, band.max]).collect::<Vec<_>>()
    });
    let (low, high) = robust_range(values)?;
    let ends = (scale.shown(low), scale.shown(high));
    let rounded = Linear::rounded(ends, (0.0, 1.0), 4);
    let (bottom, top) = rounded.ends();
    let texts = (rounded.label(bottom), rounded.label(top));
    let range = (bottom, top);
    let has_validation = points().any(|point| (kind.validation)(point).is_some());
    let unit = if kind.name == "accuracy" { " %" } else { ", nats" };
    let lines = if has_validation {
        "solid: training, dashed: validation"
    } else {
        "training images, as seen during the epoch"
    };
    let sides = Sides {
        horizontal: ("epoch 1".to_owned(), last.to_string()),
        title: &format!("{}{unit} by epoch · {lines}", kind.name),
        vertical: texts.clone(),
    };
    let (drawing, size) = trellis::draw(grid, &sides, &mut |drawing, frame, cell| {
        if let Some(group) = group_of.get(&cell) {
            panel(presenter, drawing, frame, &section.curves[*group], kind, (range, last));
        }
    });
    let several = section.grids.len() > 1;
    let name = if several {
        format!("curves-{}-{}", kind.name, index + 1)
    } else {
        format!("curves-{}", kind.name)
    };
    let mut chart = Chart::new(name, "Training curves", size, drawing);
    let of_grid = name_without_ensembles(presenter, grid);
    chart.title = format!("{} by epoch, mean and range over the networks{of_grid}", kind.name);
    chart.description = format!(
        "One panel a cell, from epoch 1 to {last}, {}{unit} from {} to {}. The values of every \
         epoch stand in tables/epochs.csv.",
        kind.name, texts.0, texts.1
    );
    if !is_last {
        return Some(chart);
    }
    chart.notes.push(
        "Lines are means over the networks, bands reach from the lowest to the highest. Training \
         values are taken during the epoch, with augmentation and dropout where there are any, so they \
         may be worse than those of validation. ▾ and ▴ stand where a line leaves its panel."
            .to_owned(),
    );
    Some(chart)
}

/// Names a grid by what its networks share: they serve ensembles of every size.
fn name_without_ensembles(presenter: &Presenter<'_>, grid: &PivotGrid) -> String {
    let axes = &presenter.section.axes;
    let is_kept = |label: &str| {
        let axis = axes.iter().find(|axis| axis.label == label);
        axis.is_none_or(|axis| !axis.key.starts_with("ensemble."))
    };
    let kept = grid.title.iter().filter(|(label, _)| is_kept(label));
    let parts: Vec<String> = kept.map(|(label, value)| format!(", {label} {value}")).collect();
    parts.concat()
}

fn panel(
    presenter: &Presenter<'_>,
    drawing: &mut Drawing,
    frame: Frame,
    group: &CurveGroup,
    kind: &Kind,
    (range, last): ((f64, f64), u32),
) {
    let scale = Scale::of(&kind.unit, None);
    let x = Linear::exact((1.0, f64::from(last)), (frame.left + 2.0, frame.right() - 2.0));
    let y = Linear::exact(range, (frame.bottom() - 2.0, frame.top + 2.0));
    let end = group.epochs.last();
    let says = |label: &str, pick: fn(&EpochPoint) -> Option<Band>| {
        let band = pick(end?)?;
        let spread = band.sd.map_or_else(String::new, |sd| format!(" ± {}", scale.value(sd)));
        Some(format!("{label} {}{spread} (n = {})", scale.value(band.mean), band.n))
    };
    let parts: Vec<String> = [says("training", kind.train), says("validation", kind.validation)]
        .into_iter()
        .flatten()
        .collect();
    let title = format!(
        "{}: {}; at epoch {}: {}",
        presenter.section.describe(group.cells[0]),
        counted(group.members, "network"),
        end.map_or(0, |point| point.epoch),
        parts.join(", ")
    );
    drawing.open("", &title);
    drawing.rect("hit", (frame.left, frame.top), (frame.width, frame.height));
    for (series, pick) in [kind.train, kind.validation].into_iter().enumerate() {
        let found: Vec<(f64, Band)> = group
            .epochs
            .iter()
            .filter_map(|point| Some((x.at(f64::from(point.epoch)), pick(point)?)))
            .collect();
        let line = |pick: fn(&Band) -> f64| -> Vec<(f64, f64)> {
            found.iter().map(|(x, band)| (*x, y.at(scale.shown(pick(band))))).collect()
        };
        let heights = (frame.top + 2.0, frame.bottom() - 2.0);
        if found.iter().any(|(_, band)| band.n > 1) {
            let (mut ring, lower) = (line(|band| band.max), line(|band| band.min));
            ring.extend(lower.into_iter().rev());
            drawing.area(&format!("band f{series}"), &area_inside(&ring, heights));
        }
        let means = inside(&line(|band| band.mean), heights);
        for piece in &means.pieces {
            drawing.polyline(&format!("s{series}"), piece);
        }
        for gate in means.gates {
            let is_high = gate.1 < 0.5 * (heights.0 + heights.1);
            let towards = if is_high { Towards::Top } else { Towards::Bottom };
            drawing.arrow(&format!("f{series}"), gate, towards);
        }
    }
    drawing.close();
}
