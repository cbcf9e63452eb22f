//! Keys of `[augment]` and `[ensemble]`.

use super::Shape::{Below, Either, Flag, Table, Whole, Within, Words};
use super::{Key, key};

/// Keys of `[augment]` and `[ensemble]`.
pub(super) const KEYS: &[Key] = &[
    key(
        "augment.rotation",
        Either(&[Within(0.0, 180.0), Table]),
        "degrees 0 to 180, or `{ turns = 0 to 0.5 }`",
        "0",
        "Largest rotation",
    ),
    key(
        "augment.rotation.turns",
        Within(0.0, 0.5),
        "",
        "required",
        "Largest rotation in turns of 360°",
    ),
    key(
        "augment.zoom",
        Either(&[Below(0.0, 1.0), Table]),
        "number 0 up to 1, or `{ height, width, uniform }`",
        "0",
        "0.1 draws factors from 0.9 to 1.1; `uniform` makes both directions share one draw, as one number does in `keras-layers`",
    ),
    key("augment.zoom.height", Below(0.0, 1.0), "", "0", "Vertical zoom range"),
    key("augment.zoom.width", Below(0.0, 1.0), "", "0", "Horizontal zoom range"),
    key("augment.zoom.uniform", Flag, "", "`false`", "Whether both directions share one draw"),
    key(
        "augment.shift",
        Either(&[Within(0.0, 1.0), Table]),
        "number 0 to 1, or `{ width, height }`",
        "0",
        "Largest shift as a fraction of the size",
    ),
    key(
        "augment.shift.width",
        Within(0.0, 1.0),
        "",
        "0",
        "Largest horizontal shift as a fraction of the width",
    ),
    key(
        "augment.shift.height",
        Within(0.0, 1.0),
        "",
        "0",
        "Largest vertical shift as a fraction of the height",
    ),
    key("augment.shear", Below(0.0, 90.0), "degrees, 0 up to 90", "0", "Largest shear angle"),
    key(
        "augment.fill",
        Either(&[Words(&["nearest", "reflect", "wrap"]), Table]),
        "text, or `{ constant = 0 to 1 }`",
        "`\"nearest\"`",
        "What stands outside the image: `nearest`, `reflect`, `wrap` (as SciPy has it, or in `keras-layers` TensorFlow) or one value",
    ),
    key(
        "augment.fill.constant",
        Within(0.0, 1.0),
        "",
        "required",
        "The grey value outside of the image",
    ),
    key(
        "augment.convention",
        Words(&["keras-generator", "keras-layers"]),
        "text",
        "`\"keras-generator\"`",
        "`keras-generator` (`ImageDataGenerator`: one affine map) or `keras-layers` (preprocessing layers, one after another)",
    ),
    key(
        "ensemble.size",
        Whole(1),
        "whole number from 1",
        "1",
        "Networks per trial; smaller ensembles share the networks of larger ones",
    ),
    key(
        "ensemble.combine",
        Words(&["mean", "vote"]),
        "text",
        "`\"mean\"`",
        "`mean` of the class probabilities, or majority `vote`",
    ),
];
