//! Keys of `[model]`.

use super::Shape::{Above, Below, Flag, From, Layers, Words};
use super::{Key, key};

/// Keys of `[model]`.
pub(super) const KEYS: &[Key] = &[
    key(
        "model.preset",
        Words(&[
            "deotte-cnn",
            "augment-cnn",
            "mlp",
            "simple-cnn",
            "two-conv",
            "small-cnn",
            "capsule-cnn",
            "logistic",
            "naive-bayes",
        ]),
        "text",
        "",
        "`deotte-cnn`, `augment-cnn`, `mlp`, `simple-cnn`, `two-conv`, `small-cnn`, `capsule-cnn`, `logistic` or `naive-bayes`",
    ),
    key(
        "model.dropout",
        Below(0.0, 1.0),
        "number, 0 up to 1",
        "the preset's",
        "Rate of every dropout of the preset; 0 leaves the layer out",
    ),
    key(
        "model.conv-dropout",
        Below(0.0, 1.0),
        "number, 0 up to 1",
        "`dropout`",
        "The same for the convolutional part alone",
    ),
    key(
        "model.dense-dropout",
        Below(0.0, 1.0),
        "number, 0 up to 1",
        "`dropout`",
        "The same for the dense part alone",
    ),
    key(
        "model.width",
        Above(0.0),
        "number above 0",
        "1",
        "Factor on the filters and units of every hidden layer, rounded, at least 1",
    ),
    key(
        "model.init",
        Words(&["glorot-uniform", "glorot-normal", "he-uniform", "he-normal", "lecun-uniform"]),
        "text",
        "the preset's",
        "`glorot-uniform`, `glorot-normal`, `he-uniform`, `he-normal` or `lecun-uniform`, see below; biases start at 0",
    ),
    key(
        "model.statistics",
        Words(&["running", "debiased", "population"]),
        "text",
        "`\"debiased\"`",
        "What batch normalization evaluates by: `running`, `debiased` or `population`, see below",
    ),
    key(
        "model.scaling",
        Flag,
        "true or false",
        "`false`",
        "`logistic`, `naive-bayes`: bring every pixel to mean 0 and standard deviation 1 over the training images (`logistic`: by a batch normalization in front, whose statistics come to the same)",
    ),
    key(
        "model.smoothing",
        From(0.0),
        "number from 0",
        "1e-9",
        "`naive-bayes`: share of the largest variance of any pixel that is added to every variance",
    ),
    key("model.layers", Layers, "list", "", "Layers from image to logits, instead of a preset"),
];
