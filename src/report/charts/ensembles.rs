//! Accuracy by ensemble size, read off the stored predictions.

use super::effects::mark;
use super::scale::{Linear, full_range};
use super::svg::{Anchor, Chart, Drawing, fitted, text_width};
use super::trellis::Frame;
use crate::report::document::Section;
use crate::report::ensembles;
use crate::report::numbers::{Scale, counted};
use crate::report::predicted::{EnsembleGroup, SHOWN_GROUPS};
use crate::report::text::Presenter;
use gridbench_stats::EnsemblePoint;

/// Draws the mean test accuracy of disjoint ensembles by their size.
pub(super) fn ensembles(presenter: &Presenter<'_>) -> Option<Chart> {
    let section = presenter.section;
    let mut groups = ensembles::ranked(section);
    let all = groups.len();
    groups.truncate(SHOWN_GROUPS);
    let largest = groups.iter().flat_map(|group| &group.points).map(|point| point.size).max()?;
    let scale = ensembles::scale(section);
    let shown = |value: f64| scale.shown(value);
    let reach = |point: &EnsemblePoint| point.sd.unwrap_or(0.0);
    let within = |accuracy: f64| accuracy.clamp(0.0, 1.0);
    let values = groups
        .iter()
        .flat_map(|group| &group.points)
        .flat_map(|point| [within(point.mean - reach(point)), within(point.mean + reach(point))]);
    // Every mean and its band, whole: ensembles of one are the lowest and the most interesting.
    let range = full_range(values.map(shown))?;
    let names: Vec<String> = groups.iter().map(|group| name(section, group)).collect();
    let legend = names.iter().map(|name| text_width(name)).fold(80.0, f64::max).min(300.0) + 40.0;
    let frame = Frame { left: 56.0, top: 24.0, width: 880.0 - legend, height: 220.0 };
    let x = Linear::exact((0.5, largest as f64 + 0.5), (frame.left, frame.right()));
    let y = Linear::rounded(range, (frame.bottom(), frame.top), 5);
    let mut drawing = Drawing::default();
    let unit = format!("test accuracy{}", scale.unit());
    drawing.text("q", (0.0, 11.0), Anchor::Start, &unit);
    drawing.rect("frame", (frame.left, frame.top), (frame.width, frame.height));
    for tick in y.ticks() {
        drawing.line("grid", (frame.left, y.at(tick)), (frame.right(), y.at(tick)));
        drawing.text("q", (frame.left - 6.0, y.at(tick) + 4.0), Anchor::End, &y.label(tick));
    }
    let every = largest.div_ceil(16).max(1);
    for size in (1..=largest).step_by(every) {
        let at = (x.at(size as f64), frame.bottom() + 15.0);
        drawing.text("q", at, Anchor::Middle, &size.to_string());
    }
    let below = (0.5 * (frame.left + frame.right()), frame.bottom() + 32.0);
    drawing.text("q", below, Anchor::Middle, "networks per ensemble");
    for (line, (group, name)) in groups.iter().zip(&names).enumerate() {
        let at = |value: f64, point: &EnsemblePoint| (x.at(point.size as f64), y.at(shown(value)));
        let of = |pick: &dyn Fn(&EnsemblePoint) -> f64| -> Vec<(f64, f64)> {
            group.points.iter().map(|point| at(pick(point), point)).collect()
        };
        if line == 0 {
            let upper = of(&|point| within(point.mean + reach(point)));
            drawing.band("band f0", &upper, &of(&|point| within(point.mean - reach(point))));
        }
        drawing.polyline(&format!("s{line}"), &of(&|point| point.mean));
        for point in &group.points {
            drawing.open("", &format!("{name}: {}", point_text(&scale, point)));
            mark(&mut drawing, line, at(point.mean, point));
            drawing.close();
        }
        let at = (frame.right() + 14.0, frame.top + 10.0 + 18.0 * line as f64);
        drawing.line(&format!("s{line}"), at, (at.0 + 18.0, at.1));
        mark(&mut drawing, line, (at.0 + 9.0, at.1));
        drawing.text("", (at.0 + 24.0, at.1 + 4.0), Anchor::Start, &fitted(name, 300.0));
    }
    let size = (frame.right() + legend, frame.bottom() + 40.0);
    let mut chart = Chart::new("ensembles", "Ensembles", size, drawing);
    let part = if all > groups.len() {
        format!(", the best {} of {}", groups.len(), counted(all, "setting"))
    } else {
        String::new()
    };
    chart.title = format!("Test accuracy % by the number of networks that decide together{part}");
    let first = groups.first()?;
    let ends = [first.points.first()?, first.points.last()?].map(|point| point_text(&scale, point));
    let (which, band) = if all > 1 {
        (format!("The best mean, {}: ", names[0]), "those of the best mean")
    } else {
        (String::new(), "them")
    };
    chart.description = format!("{which}{}; {}.", ends[0], ends[1]);
    chart.notes.push(format!(
        "Read off the stored predictions: the networks of all repeats are shared out to disjoint \
         ensembles of each size. The band is ± SD between {band}; large ensembles are few, and a single \
         one has no spread. Points also say what 95 % of ensembles reach whose networks are drawn anew, \
         with replacement, from those there are."
    ));
    Some(chart)
}

fn name(section: &Section, group: &EnsembleGroup) -> String {
    let cell = group.cells[0];
    let is_shared =
        |axes: &[usize]| axes.iter().all(|axis| section.axes[*axis].key.starts_with("ensemble."));
    let parts: Vec<String> = section
        .effects
        .iter()
        .filter(|effect| !is_shared(&effect.axes))
        .map(|effect| format!("{} {}", effect.label, section.show_joined(cell, &effect.axes)))
        .collect();
    if parts.is_empty() { "all networks".to_owned() } else { parts.join(", ") }
}

/// Says what ensembles of one size reach.
fn point_text(scale: &Scale, point: &EnsemblePoint) -> String {
    let spread = point.sd.map_or_else(
        || " (one ensemble, no spread)".to_owned(),
        |sd| format!(" ± {} (n = {})", scale.value(sd), point.ensembles),
    );
    let drawn = point.resampled95.map_or_else(String::new, |(low, high)| {
        format!("; 95 % of ensembles drawn anew: {}–{}", scale.value(low), scale.value(high))
    });
    format!("{} of {}{spread}{drawn}", scale.value(point.mean), counted(point.size, "network"))
}
