//! The charts of a report, as SVG: inside the page, and as files beside the Markdown.
//!
//! Owns how a number becomes a position on paper. Every chart has a title and a description for
//! readers who do not see it, every mark says its numbers, no meaning rests on colour alone, and
//! colours follow the reader's light or dark setting.

mod curves;
mod effects;
mod ensembles;
mod histograms;
mod intervals;
mod positions;
mod scale;
mod svg;
#[cfg(test)]
mod tests;
mod trellis;

use super::document::Section;
use super::text::Presenter;

pub(super) use scale::robust_range;
pub(super) use svg::{CHART_STYLE, Chart};
pub(super) use trellis::MAX_PANELS;

/// Returns every chart that the section has the numbers for, in reading order.
pub(super) fn charts(section: &Section) -> Vec<Chart> {
    let presenter = Presenter::of(section);
    let mut charts = Vec::new();
    charts.extend(intervals::intervals(&presenter));
    charts.extend(histograms::histograms(&presenter));
    charts.extend(effects::effects(&presenter));
    charts.extend(effects::interactions(&presenter));
    charts.extend(curves::curves(&presenter));
    charts.extend(ensembles::ensembles(&presenter));
    charts
}
