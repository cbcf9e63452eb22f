//! `[augment]` and `[ensemble]`.

use crate::experiment::keys;
use crate::experiment::reader::{
    BELOW_ONE, COUNT, FRACTION, Findings, Limits, Section, choice, number,
};
use crate::experiment::settings::{
    AugmentSettings, Combine, Convention, EnsembleSettings, Fill, ShiftSettings, ZoomSettings,
};
use crate::experiment::tree::{Data, Node};

const DEGREES: Limits =
    Limits { expected: "degrees from 0 to 180", holds: |x| (0.0..=180.0).contains(&x) };
const DEGREES_OR_TURNS: Limits =
    Limits { expected: "degrees from 0 to 180 or `{ turns = … }`", ..DEGREES };
const TURNS: Limits =
    Limits { expected: "turns from 0 to 0.5", holds: |x| (0.0..=0.5).contains(&x) };
const SHEAR: Limits = Limits {
    expected: "degrees from 0 up to but not including 90",
    holds: |x| (0.0..90.0).contains(&x),
};
const FILLS: &[(&str, Fill)] =
    &[("nearest", Fill::Nearest), ("reflect", Fill::Reflect), ("wrap", Fill::Wrap)];
const CONVENTIONS: &[(&str, Convention)] =
    &[("keras-generator", Convention::KerasGenerator), ("keras-layers", Convention::KerasLayers)];

/// Reads `[augment]`.
pub(super) fn augment(node: Option<&Node>, findings: &mut Findings) -> AugmentSettings {
    let section = Section::open(node, "augment", keys::below("augment"), findings);
    let convention =
        section.choice("convention", CONVENTIONS, findings).unwrap_or(Convention::KerasGenerator);
    AugmentSettings {
        rotation: section.get("rotation").map_or(0.0, |node| rotation(node, findings)),
        zoom: zoom(section.get("zoom"), convention, findings),
        shift: shift(section.get("shift"), findings),
        shear: section.number("shear", SHEAR, 0.0, findings),
        fill: section.get("fill").map_or(Fill::Nearest, |node| fill(node, findings)),
        convention,
    }
}

fn rotation(node: &Node, findings: &mut Findings) -> f64 {
    if matches!(node.data, Data::Table(_)) {
        let section = Section::open(
            Some(node),
            "augment.rotation",
            keys::below("augment.rotation"),
            findings,
        );
        if section.get("turns").is_none() {
            section.missing("turns", TURNS.expected, findings);
        }
        return section.number("turns", TURNS, 0.0, findings) * 360.0;
    }
    number("augment.rotation", node, DEGREES_OR_TURNS, findings).unwrap_or(0.0)
}

fn zoom(node: Option<&Node>, convention: Convention, findings: &mut Findings) -> ZoomSettings {
    // `RandomZoom` with one factor keeps the aspect ratio, `ImageDataGenerator` does not.
    let both = |range| ZoomSettings {
        height: range,
        width: range,
        uniform: convention == Convention::KerasLayers && range > 0.0,
    };
    match node {
        Some(node) if !matches!(node.data, Data::Table(_)) => {
            both(number("augment.zoom", node, BELOW_ONE, findings).unwrap_or(0.0))
        }
        _ => {
            let section =
                Section::open(node, "augment.zoom", keys::below("augment.zoom"), findings);
            let zoom = ZoomSettings {
                height: section.number("height", BELOW_ONE, 0.0, findings),
                width: section.number("width", BELOW_ONE, 0.0, findings),
                uniform: section.flag("uniform", false, findings),
            };
            if zoom.uniform && (zoom.height - zoom.width).abs() > 0.0 {
                findings.advise(
                    section.origin(),
                    "`augment.zoom` is uniform, but height and width differ".to_owned(),
                    "give both the same range, or set `uniform = false`".to_owned(),
                );
            }
            zoom
        }
    }
}

fn shift(node: Option<&Node>, findings: &mut Findings) -> ShiftSettings {
    match node {
        Some(node) if !matches!(node.data, Data::Table(_)) => {
            let range = number("augment.shift", node, FRACTION, findings).unwrap_or(0.0);
            ShiftSettings { width: range, height: range }
        }
        _ => {
            let section =
                Section::open(node, "augment.shift", keys::below("augment.shift"), findings);
            ShiftSettings {
                width: section.number("width", FRACTION, 0.0, findings),
                height: section.number("height", FRACTION, 0.0, findings),
            }
        }
    }
}

fn fill(node: &Node, findings: &mut Findings) -> Fill {
    if matches!(node.data, Data::Table(_)) {
        let section =
            Section::open(Some(node), "augment.fill", keys::below("augment.fill"), findings);
        if section.get("constant").is_none() {
            section.missing("constant", FRACTION.expected, findings);
        }
        return Fill::Constant(section.number("constant", FRACTION, 0.0, findings));
    }
    if node.text() == Some("constant") {
        findings.advise(
            node.origin,
            "`augment.fill` is \"constant\", which needs its value".to_owned(),
            "write `fill = { constant = 0.0 }`".to_owned(),
        );
        return Fill::Nearest;
    }
    choice("augment.fill", node, FILLS, findings).unwrap_or(Fill::Nearest)
}

/// Reads `[ensemble]`.
pub(super) fn ensemble(node: Option<&Node>, findings: &mut Findings) -> EnsembleSettings {
    let combines = &[("mean", Combine::Mean), ("vote", Combine::Vote)];
    let section = Section::open(node, "ensemble", keys::below("ensemble"), findings);
    EnsembleSettings {
        size: section.whole("size", COUNT, findings).unwrap_or(1),
        combine: section.choice("combine", combines, findings).unwrap_or(Combine::Mean),
    }
}
