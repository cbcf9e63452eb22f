//! `[model]`: a preset with its knobs, or layers written out.

use crate::experiment::keys;
use crate::experiment::layers::{
    AverageConvention, Init, LayerSettings, NormStatistics, Padding, Routing,
};
use crate::experiment::presets::{Knobs, Preset};
use crate::experiment::problem::one_of;
use crate::experiment::reader::{
    BELOW_ONE, COUNT, Findings, NOT_NEGATIVE, POSITIVE, Section, WHOLE, choice,
};
use crate::experiment::settings::ModelSettings;
use crate::experiment::tree::{Data, Node};

const KNOB_KEYS: [&str; 8] = [
    "dropout",
    "conv-dropout",
    "dense-dropout",
    "width",
    "init",
    "statistics",
    "scaling",
    "smoothing",
];
const STATISTICS: &[(&str, NormStatistics)] = &[
    ("running", NormStatistics::Running),
    ("debiased", NormStatistics::Debiased),
    ("population", NormStatistics::Population),
];
const INITS: &[(&str, Init)] = &[
    ("glorot-uniform", Init::GlorotUniform),
    ("glorot-normal", Init::GlorotNormal),
    ("he-uniform", Init::HeUniform),
    ("he-normal", Init::HeNormal),
    ("lecun-uniform", Init::LecunUniform),
];
const AVERAGES: &[(&str, AverageConvention)] =
    &[("keras", AverageConvention::Keras), ("torch", AverageConvention::Torch)];
const ROUTINGS: &[(&str, Routing)] = &[("softmax", Routing::Softmax), ("max-min", Routing::MaxMin)];
const PRESETS: &[(&str, Preset)] = &[
    ("deotte-cnn", Preset::DeotteCnn),
    ("augment-cnn", Preset::AugmentCnn),
    ("mlp", Preset::Mlp),
    ("simple-cnn", Preset::SimpleCnn),
    ("two-conv", Preset::TwoConv),
    ("small-cnn", Preset::SmallCnn),
    ("capsule-cnn", Preset::CapsuleCnn),
    ("logistic", Preset::Logistic),
    ("naive-bayes", Preset::NaiveBayes),
];

/// Name of the model of trainers that bring their own.
pub(super) const NO_MODEL: &str = "none";

/// Reads `[model]`; without one there are no layers.
pub(super) fn model(node: Option<&Node>, findings: &mut Findings) -> ModelSettings {
    let none = || ModelSettings { name: NO_MODEL.to_owned(), layers: Vec::new() };
    if node.is_none() {
        return none();
    }
    let section = Section::open(node, "model", keys::below("model"), findings);
    match (section.entry("preset"), section.entry("layers")) {
        (Some(_), Some(layers)) => {
            findings.advise(
                layers.origin,
                "`model` has a preset and layers, expected one of them".to_owned(),
                "remove `preset`, or remove the layers".to_owned(),
            );
            none()
        }
        (None, None) => {
            let names = one_of(Preset::ALL.map(Preset::name));
            section.missing("preset", &format!("{names}, or `[[model.layers]]`"), findings);
            none()
        }
        (Some(_), None) => preset(&section, findings).unwrap_or_else(none),
        (None, Some(typed)) => {
            for key in KNOB_KEYS {
                if let Some(entry) = section.entry(key) {
                    findings.say(
                        entry.origin,
                        format!("`model.{key}` belongs to presets, but the layers are written out"),
                    );
                }
            }
            ModelSettings { name: "custom".to_owned(), layers: layers(&typed.node, findings) }
        }
    }
}

fn preset(section: &Section<'_>, findings: &mut Findings) -> Option<ModelSettings> {
    let preset = section.choice("preset", PRESETS, findings);
    let dropout = section.optional_number("dropout", BELOW_ONE, findings);
    let conv_dropout = section.optional_number("conv-dropout", BELOW_ONE, findings);
    let dense_dropout = section.optional_number("dense-dropout", BELOW_ONE, findings);
    let knobs = Knobs {
        conv_dropout: conv_dropout.or(dropout),
        dense_dropout: dense_dropout.or(dropout),
        width: section.number("width", POSITIVE, 1.0, findings),
        init: section.choice("init", INITS, findings),
        statistics: statistics(section, findings),
        scaling: section.flag("scaling", false, findings),
        smoothing: section.number("smoothing", NOT_NEGATIVE, 1e-9, findings),
    };
    let preset = preset?;
    let idle: &[&str] = match preset {
        Preset::NaiveBayes => &["dropout", "dense-dropout", "width", "init"],
        Preset::CapsuleCnn => &["dropout", "conv-dropout", "dense-dropout", "scaling", "smoothing"],
        Preset::Logistic => &["dropout", "dense-dropout", "width", "smoothing"],
        _ => &["scaling", "smoothing"],
    };
    for key in idle {
        if let Some(entry) = section.entry(key) {
            findings
                .say(entry.origin, format!("`model.{key}` does nothing in `{}`", preset.name()));
        }
    }
    if let (false, Some(entry)) = (preset.is_convolutional(), section.entry("conv-dropout")) {
        findings.say(
            entry.origin,
            format!(
                "`model.conv-dropout` does nothing in `{}`, which has no convolution",
                preset.name()
            ),
        );
    }
    let layers = preset.layers(&knobs);
    let normalises = layers.iter().any(|layer| matches!(layer, LayerSettings::BatchNorm { .. }));
    if let (false, Some(entry)) = (normalises, section.entry("statistics")) {
        findings.say(
            entry.origin,
            format!(
                "`model.statistics` does nothing in `{}`, which has no batch normalisation",
                preset.name()
            ),
        );
    }
    Some(ModelSettings { name: preset.name().to_owned(), layers })
}

fn layers(node: &Node, findings: &mut Findings) -> Vec<LayerSettings> {
    match &node.data {
        Data::List(nodes) if !nodes.is_empty() => nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| layer(index, node, findings))
            .collect(),
        _ => {
            findings.wrong("model.layers", node, "a list of layers");
            Vec::new()
        }
    }
}

/// Returns the keys of a layer of some kind.
pub(in crate::experiment) fn layer_keys(kind: &str) -> &'static [&'static str] {
    match kind {
        "conv" => &["kind", "filters", "kernel", "stride", "padding", "bias", "init"],
        "batch-norm" => &["kind", "momentum", "epsilon", "statistics"],
        "max-pool" => &["kind", "size", "stride", "padding"],
        "average-pool" => &["kind", "size", "stride", "padding", "convention"],
        "dropout" => &["kind", "rate"],
        "dense" => &["kind", "units", "bias", "init"],
        "capsules" => &["kind", "dimensions", "size", "rounds", "routing", "init"],
        "naive-bayes" => &["kind", "smoothing", "scaling"],
        _ => &["kind"],
    }
}

fn layer(index: usize, node: &Node, findings: &mut Findings) -> Option<LayerSettings> {
    let path = format!("model.layers[{}]", index + 1);
    let kinds: Vec<(&str, &str)> = LayerSettings::KINDS.map(|kind| (kind, kind)).to_vec();
    // `"relu"` is short for `{ kind = "relu" }`.
    let (kind, fields) = match &node.data {
        Data::Text(_) => (choice(&path, node, &kinds, findings)?, None),
        Data::Table(entries) => {
            let Some(entry) = entries.iter().find(|entry| &*entry.key == "kind") else {
                let expected = one_of(LayerSettings::KINDS);
                findings.say(node.origin, format!("`{path}.kind` is missing, expected {expected}"));
                return None;
            };
            (choice(&format!("{path}.kind"), &entry.node, &kinds, findings)?, Some(node))
        }
        _ => {
            findings.wrong(&path, node, "a table with `kind`, or the kind alone");
            return None;
        }
    };
    let section = Section::open(fields, path, layer_keys(kind), findings);
    Some(match kind {
        "conv" => LayerSettings::Conv {
            filters: required(&section, node, "filters", findings),
            kernel: required(&section, node, "kernel", findings),
            stride: section.whole("stride", COUNT, findings).unwrap_or(1),
            padding: padding(&section, findings),
            bias: section.flag("bias", true, findings),
            init: section.choice("init", INITS, findings).unwrap_or(Init::GlorotUniform),
        },
        "batch-norm" => LayerSettings::BatchNorm {
            momentum: section.number("momentum", BELOW_ONE, 0.99, findings),
            epsilon: section.number("epsilon", POSITIVE, 1e-3, findings),
            statistics: statistics(&section, findings),
        },
        "relu" => LayerSettings::Relu,
        "max-pool" | "average-pool" => {
            let size = section.whole("size", COUNT, findings).unwrap_or(2);
            let stride = section.whole("stride", COUNT, findings).unwrap_or(size);
            let padding = padding(&section, findings);
            if kind == "max-pool" {
                LayerSettings::MaxPool { size, stride, padding }
            } else {
                let convention = section.choice("convention", AVERAGES, findings);
                // Without padding there is one mean, however it is typed.
                let convention =
                    convention.filter(|_| padding != Padding::Valid).unwrap_or_default();
                LayerSettings::AveragePool { size, stride, padding, convention }
            }
        }
        "dropout" => {
            if section.get("rate").is_none() {
                findings.say(
                    node.origin,
                    format!(
                        "`{}` is missing, expected {}",
                        section.name("rate"),
                        BELOW_ONE.expected
                    ),
                );
            }
            LayerSettings::Dropout { rate: section.number("rate", BELOW_ONE, 0.0, findings) }
        }
        "flatten" => LayerSettings::Flatten,
        "capsules" => LayerSettings::Capsules {
            dimensions: section.whole("dimensions", COUNT, findings).unwrap_or(8),
            size: section.whole("size", COUNT, findings).unwrap_or(16),
            rounds: section.whole("rounds", COUNT, findings).unwrap_or(3),
            routing: section.choice("routing", ROUTINGS, findings).unwrap_or(Routing::MaxMin),
            init: section.choice("init", INITS, findings).unwrap_or(Init::GlorotUniform),
        },
        "naive-bayes" => LayerSettings::NaiveBayes {
            smoothing: section.number("smoothing", NOT_NEGATIVE, 1e-9, findings),
            scaling: section.flag("scaling", false, findings),
        },
        _ => LayerSettings::Dense {
            units: section.whole("units", COUNT, findings),
            bias: section.flag("bias", true, findings),
            init: section.choice("init", INITS, findings).unwrap_or(Init::GlorotUniform),
        },
    })
}

fn required(section: &Section<'_>, layer: &Node, key: &str, findings: &mut Findings) -> usize {
    if section.get(key).is_none() {
        let name = section.name(key);
        findings.say(layer.origin, format!("`{name}` is missing, expected {}", COUNT.expected));
    }
    section.whole(key, COUNT, findings).unwrap_or(1)
}

fn statistics(section: &Section<'_>, findings: &mut Findings) -> NormStatistics {
    let default = findings.edition.statistics();
    section.choice("statistics", STATISTICS, findings).unwrap_or(default)
}

fn padding(section: &Section<'_>, findings: &mut Findings) -> Padding {
    let Some(node) = section.get("padding") else { return Padding::Valid };
    match &node.data {
        Data::Text(text) if &**text == "valid" => Padding::Valid,
        Data::Text(text) if &**text == "same" => Padding::Same,
        Data::Integer(pixels) if (WHOLE.holds)(*pixels as f64) => {
            // No padding is one thing, however it is typed.
            usize::try_from(*pixels)
                .ok()
                .filter(|pixels| *pixels > 0)
                .map_or(Padding::Valid, Padding::Explicit)
        }
        _ => {
            let expected = "`\"valid\"`, `\"same\"` or a whole number from 0";
            findings.wrong(&section.name("padding"), node, expected);
            Padding::Valid
        }
    }
}
