//! Keys of the experiment itself.

use super::Shape::{
    Between, Choice, Either, Flag, Free, From, Grids, List, Name, Text, UpTo, Whole, WholeWithin,
    Words,
};
use super::{Key, key};
use crate::base::Metric;

/// Every metric of the built-in engines by name.
fn metrics() -> Vec<&'static str> {
    let all = Metric::of_classifiers();
    all.iter().filter_map(|metric| metric.name.built_in()).collect()
}

/// Keys at the top of the file.
pub(super) const HEAD: &[Key] = &[
    key(
        "name",
        Name,
        "text",
        "required",
        "Name, also of the results folder: letters, digits, `-`, `_`, `.`",
    ),
    key("question", Text, "text", "none", "What it should answer; printed in reports"),
    key(
        "repeats",
        Whole(1),
        "whole number from 1",
        "5",
        "Trials per cell, each with random streams of its own. Never an axis",
    ),
    key(
        "folds",
        WholeWithin(2, 1000),
        "whole number from 2 to 1000",
        "none",
        "Folds of cross-validation: repeat r is fold r, which a program is told as `{fold}`; of our own data it is the validation images, stratified, and all other images but those of the test train. `repeats` is then their number, or less. Standard errors are those of Nadeau and Bengio (2003)",
    ),
    key(
        "seed",
        Whole(0),
        "whole number from 0",
        "42",
        "Master seed, from which every random stream is derived",
    ),
    key(
        "save-weights",
        Flag,
        "true or false",
        "`false`",
        "Keep the weights of every network for `bench export` and `bench predict`, as `bench run --save-weights` does",
    ),
];

/// Keys of `[[grid]]`.
pub(super) const GRID: &[Key] = &[
    key("grid", Grids, "", "none", "The cells: a block of axes, or a list of them"),
    key("grid.axes", Free, "", "", "Axes that are combined with each other"),
    key(
        "grid.zip",
        Free,
        "",
        "",
        "`[[grid.zip]]`: axes that move together, equally many values each",
    ),
    key(
        "grid.when",
        Free,
        "",
        "",
        "`[[grid.when]]`: the axes named in `axes` exist only where every condition in `if` holds; elsewhere their keys keep the base value",
    ),
    key(
        "grid.exclude",
        Free,
        "",
        "",
        "`[[grid.exclude]]`: leaves out the cells in which every key has the value, or one of the values, given; there must be one",
    ),
    key(
        "grid.include",
        Free,
        "",
        "",
        "`[[grid.include]]`: one more cell, any keys over the base settings",
    ),
    key(
        "grid.sample",
        Free,
        "",
        "",
        "`{ method, count }`: draws `count` distinct cells, `\"random\"` (uniformly) or `\"sobol\"` (evenly spread), from the master seed; a larger count keeps the cells of a smaller one",
    ),
];

/// Keys of `[measure]`.
pub(super) const MEASURE: &[Key] = &[
    key(
        "measure.wall-time",
        Flag,
        "`true` or `false`",
        "`false`",
        "Measures every call of a program: `wall-seconds`, `user-seconds`, `system-seconds` and `peak-memory-mib`, the start of the shell taken off. Programs are called one at a time, cells in turn, on one machine: trials of another machine are others. Not with `mode = \"persistent\"`",
    ),
    key(
        "measure.warm-up",
        Whole(0),
        "whole number from 0",
        "1",
        "Calls of every cell that are not measured, before the first that is",
    ),
];

/// Keys of `[store]`.
pub(super) const STORE: &[Key] = &[key(
    "store.predictions",
    Words(&["f32", "f16", "none"]),
    "`\"f32\"`, `\"f16\"` or `\"none\"`",
    "`\"f32\"`",
    "How the predictions of every network are stored: 4 or 2 bytes per image and class, or not at all. `\"f16\"` keeps which class wins, and losses of ensembles to three digits; without any there are no ensembles, and reports show no confusions or galleries. Changes no trained number",
)];

/// Keys of `[report]` and `[check]`.
pub(super) const REPORT: &[Key] = &[
    key(
        "report.metric",
        Either(&[Choice(metrics), Text]),
        "text",
        "`\"test-accuracy\"`",
        "What the grids show: `test-accuracy`, `test-loss`, `validation-accuracy`, `validation-loss`, `train-accuracy`, `train-loss`, `member-test-accuracy`, `epochs`, `train-seconds`, `images-per-second` or `peak-memory-mib`, or a metric of `[metrics]`. One that no cell can have, such as `validation-accuracy` without a validation split, is refused before anything is trained, also under `also` and `check.metric`",
    ),
    key(
        "report.also",
        List(&Either(&[Choice(metrics), Text])),
        "list of metrics",
        "none",
        "Metrics that stand beside the first in the table of cells, each a column",
    ),
    key("report.rows", Text, "text", "chosen by the report", "Axis whose values label the rows"),
    key(
        "report.columns",
        Text,
        "text",
        "chosen by the report",
        "Axis whose values label the columns",
    ),
    key(
        "report.reference",
        Text,
        "text",
        "none",
        "Name of a published table to stand beside ours: `deotte-2018-ensemble`, `deotte-2018-single`, `deotte-2018-spread`, `tensorflow-two-conv`, `chollet`, `chollet-baselines`, `augment-cnn-augmentation`, `augment-cnn-optimizer`, `augment-cnn-dropout`, `mnist-records` or `lecun`; or a TOML file of your own beside the experiment, such as `\"last-year.toml\"` (see below)",
    ),
    key(
        "report.confusion",
        Flag,
        "`true` or `false`",
        "`false`",
        "Show the confusion matrix of the best cell, with class counts",
    ),
    key(
        "report.gallery",
        WholeWithin(0, 1000),
        "whole number, 0 to 1000",
        "0",
        "Show so many test images that the best cell gets wrong, those most often wrong first",
    ),
    key(
        "report.gallery-of",
        Either(&[Text, List(&Text)]),
        "text or list of texts",
        "none",
        "Show the images of single confusions, true class first: `\"7→2\"` (or `\"7->2\"`)",
    ),
    key(
        "check.metric",
        Either(&[Choice(metrics), Text]),
        "text",
        "`report.metric`",
        "The gated metric",
    ),
    key(
        "check.tolerance",
        From(0.0),
        "number from 0",
        "0.10, of times 5",
        "The loss that has to be ruled out: percentage points for accuracies, percent for `wall-seconds` and other times of programs, else in the metric's unit. *Ok*: a loss of the tolerance or more is ruled out, or every result is the same to the bit; a smaller loss may be real. *Regressed*: a loss is proven and a loss of the tolerance or more is not ruled out, in a cell or in the mean of all; more trials may show that it lies within the tolerance. *Inconclusive*: neither is shown, or more trials were lost than chance explains; more trials may settle it",
    ),
    key(
        "check.alpha",
        Between(0.0, 0.5),
        "number above 0, below 0.5",
        "0.05",
        "One-sided level of each of the gate's two claims",
    ),
    key(
        "check.images-per-second",
        UpTo(0.0, 1.0),
        "ratio above 0, up to 1",
        "not gated",
        "Smallest accepted ratio of training speed to the baseline's; judged on equal hardware only, else inconclusive",
    ),
    key(
        "check.lost-trials",
        Whole(0),
        "whole number from 0",
        "what the baseline's own losses explain",
        "The most trials that a cell of the candidate may lose to divergence, failure or time and still be ok",
    ),
    key(
        "check.at-least",
        From(0.0),
        "number from 0",
        "not claimed",
        "The value that the mean of every gated cell must be proven to reach, one-sided at `alpha`, in the metric's unit (0.994 is 99.4 %; at most it, where smaller is better)",
    ),
    key(
        "check.cells",
        Either(&[Free, List(&Free)]),
        "selector, table, or list of them",
        "every cell",
        "Gates only the cells that one of them means: a selector such as `\"shift=0.1,optimizer=adam\"`, as for `bench compare --where`, or a table of axes and the value, or list of values, that each must have",
    ),
];
