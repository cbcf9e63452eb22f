//! Keys of `[trainer]` and `[hyperparameters]`.

use super::Shape::{
    Above, Either, Flag, Free, List, Map, Metrics, Number, Table, Text, Whole, Within, Words,
};
use super::{Key, key};

/// Keys of `[trainer]` and `[hyperparameters]`.
pub(super) const KEYS: &[Key] = &[
    key(
        "trainer.engine",
        Words(&["auto", "dfdx", "fake", "command"]),
        "text",
        "`\"auto\"`",
        "`auto` (networks by our own kernels, and by dfdx's operations where there are none), `dfdx` (networks by dfdx's operations everywhere), `fake` (made-up curves, for trying everything but training) or `command` (a program of yours); `--engine NAME` is short for `--set trainer.engine=NAME`",
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
        "trainer.command",
        Either(&[Text, List(&Text)]),
        "text or list of texts",
        "required by `command`",
        "The program that trains one trial: its name and arguments as a list, or one text for `sh -c`. `{hyperparameters.NAME}`, `{seed}`, `{repeat}` and `{output}` are filled in; for the shell they are quoted where they have to be. It is called in the folder of the experiment file",
    ),
    key(
        "trainer.inputs",
        Either(&[Text, List(&Text)]),
        "text or list of texts",
        "none",
        "Files that decide what the program does, `*`, `?` and `**` for any names: their bytes are part of every trial's identity. Name the scripts and the data, or `{command}` for every file that the command names; an argument that names a file which is not among them is told",
    ),
    key(
        "trainer.version",
        Either(&[Text, List(&Text)]),
        "text or list of texts",
        "none",
        "A call like `command` whose output is part of every trial's identity, such as one that prints versions of libraries; it is called once per run",
    ),
    key(
        "trainer.environment",
        Map(&Text),
        "table of texts",
        "none",
        "Variables that the program sees beside `PATH`, `HOME` and `LANG`, with the same placeholders",
    ),
    key(
        "trainer.time-limit",
        Either(&[Above(0.0), Text]),
        "seconds, or a text such as `\"20m\"`",
        "none",
        "Time after which a trial is ended and counts as timed out. Changes no number, so it is no part of a trial's identity",
    ),
    key(
        "trainer.grace",
        Either(&[Above(0.0), Text]),
        "seconds, or a text such as `\"30s\"`",
        "10",
        "Time that the program has to end by itself when the run is stopped or its time is over, before it is killed",
    ),
    key(
        "trainer.mode",
        Words(&["once", "persistent"]),
        "text",
        "`\"once\"`",
        "`once` starts the program for every trial; `persistent` starts it once per worker and gives it trials as lines on standard input, so that what it loads is loaded once. Part of every trial's identity",
    ),
    key(
        "trainer.restart-after",
        Whole(1),
        "whole number from 1",
        "never",
        "Trials after which a persistent program is started anew",
    ),
    key(
        "trainer.allow-order-effects",
        Flag,
        "`true` or `false`",
        "`false`",
        "Lets a persistent program run whose trials depend on those before them, as `bench doctor` found",
    ),
    key(
        "hyperparameters",
        Map(&Free),
        "",
        "none",
        "Any keys and values, for trainers that are not our own",
    ),
    key(
        "metrics",
        Metrics,
        "",
        "required by `command`",
        "`[metrics.NAME]`: what the program measures. `unit` (`\"fraction\"`, `\"percent\"`, `\"s\"`, `\"ms\"` or any other) and `direction` (`\"maximize\"` or `\"minimize\"`) are required; `range` (two numbers) is from 0 to 1 for fractions and from 0 to 100 for percent, and a value out of it fails the trial. The number is what the program prints last as `NAME: 0.98` or `NAME=0.98`, or what `pattern` (a regular expression with one group), `json` (a dotted key) or `csv` (`\"FILE:COLUMN:last\"`) finds",
    ),
];
