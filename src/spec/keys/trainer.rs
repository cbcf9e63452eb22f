//! Keys of `[trainer]` and `[hyperparameters]`.

use super::Shape::{Free, List, Map, Number, Table, Whole, Within, Words};
use super::{Key, key};

/// Keys of `[trainer]` and `[hyperparameters]`.
pub(super) const KEYS: &[Key] = &[
    key(
        "trainer.engine",
        Words(&["auto", "dfdx", "fake"]),
        "text",
        "`\"auto\"`",
        "`auto` (networks by our own kernels, and by dfdx's operations where there are none), `dfdx` (networks by dfdx's operations everywhere) or `fake` (made-up curves, for trying everything but training); `--engine NAME` is short for `--set trainer.engine=NAME`",
    ),
    key("trainer.fake", Table, "", "none", "The script of the fake engine"),
    key(
        "trainer.fake.accuracy",
        Within(0.0, 1.0),
        "number 0 to 1",
        "0.98",
        "Accuracy towards which the curves rise",
    ),
    key(
        "trainer.fake.spread",
        Within(0.0, 1.0),
        "number 0 to 1",
        "0.002",
        "Standard deviation between networks",
    ),
    key(
        "trainer.fake.effects",
        Map(&Number),
        "table of numbers",
        "none",
        "Change of accuracy per unit of a key: `{ \"augment.shift\" = 0.02 }`",
    ),
    key(
        "trainer.fake.epoch-delay-ms",
        Whole(0),
        "whole number from 0",
        "0",
        "Milliseconds slept in every epoch",
    ),
    key(
        "trainer.fake.accidents",
        List(&Free),
        "list of tables",
        "none",
        "Planned accidents: `kind` (`error`, `panic` or `diverge`), `repeat`, `member` (from 0; absent: all), `epoch` (1), `when` (keys and values), `attempts` (absent: always)",
    ),
    key(
        "hyperparameters",
        Map(&Free),
        "",
        "none",
        "Any keys and values, for trainers that are not our own",
    ),
];
