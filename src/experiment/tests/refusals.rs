//! A page of files that mean nothing, each with its message.

use std::fmt::Write as _;

use super::SMALL;
use crate::experiment::{Document, Override};

fn refusal(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<Override> =
        overrides.iter().map(|text| Override::parse(text).unwrap()).collect();
    Document::parse(text, "bad.toml", &overrides).expect_err(text).to_string()
}

/// Renders every refusal under its title.
fn page(cases: &[(&str, &str)]) -> String {
    let mut page = String::new();
    for (title, more) in cases {
        writeln!(page, "## {title}\n{}\n", refusal(&format!("{SMALL}{more}"), &[])).unwrap();
    }
    page
}

#[test]
fn all_problems_of_a_file_are_reported_at_once() {
    let text = r#"name = "my experiment"
repeats = 0
epochs = 3

[dataset]
source = "mnits"
split = { validation = 1.5, seed = "always" }

[model]
preset = "deotte"
dropout = 1.0

[train]
batch_size = 64
learning-rate = -1e-3
optimizer = { name = "adam", momentum = 0.9 }

[augment]
shift = "0.1"

[[grid]]
[grid.axes]
"augment.rotaton" = [0, 10]
"augment.shift" = []

[report]
rows = "augment.rotation"
metric = "accuracy"
"#;
    let page = refusal(text, &[]);
    insta::assert_snapshot!(page);
}

#[test]
fn broken_toml_is_shown_with_a_caret() {
    let texts = [
        "name = \"t\"\n[dataset\nsource = \"digits\"\n",
        "name = \"t\"\nrepeats = 3 trials\n",
        "name = \"t\"\nname = \"u\"\n",
        "name = \"t\nrepeats = 3\n",
        "name = 't'\n[train]\nepochs = 1\n[train]\nepochs = 2\n",
        "name = 't'\ngrid = [1, 2",
    ];
    let page: Vec<String> = texts.iter().map(|text| refusal(text, &[])).collect();
    let page = page.join("\n\n");
    insta::assert_snapshot!(page);
}

#[test]
fn an_empty_file_is_told_what_it_lacks() {
    let page = refusal("", &[]);
    insta::assert_snapshot!(page);
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let page = page(&[
        ("knobs", "width = 0\ninit = \"he\"\nconv-dropout = -0.1"),
        ("layers beside a preset", "layers = [\"flatten\", \"dense\"]"),
        (
            "wrong types",
            "[train]\nepochs = \"ten\"\nbatch-size = 2.5\ndrop-last = 1\nprecision = true\nstop = 3",
        ),
        (
            "out of range",
            "[train]\nepochs = 0\nbatch-size = -1\ntime-limit = 0\noptimizer = { name = \"sgd\", momentum = 1 }",
        ),
        ("too large", "[train]\nepochs = 5000000000\n[dataset.split]\nseed = 99999999999999999999"),
        ("not finite", "[augment]\nrotation = nan\nzoom = inf\nshear = 1979-05-27"),
        ("beyond TOML", "[dataset.split]\nseed = 9223372036854775808"),
        ("names of other tools", "[train]\nlr = 0.1\nbs = 32\nwarmup = 3"),
        ("optimizer", "[train]\noptimizer = \"adagrad\""),
        ("nesterov without momentum", "[train]\noptimizer = { name = \"sgd\", nesterov = true }"),
        ("schedules", "[train.learning-rate]\nschedule = \"exponential\"\nevery = 2"),
        ("step schedule", "[train]\nlearning-rate = { schedule = \"step\", factor = 1.5 }"),
        ("warm-up", "[train]\nepochs = 3\nlearning-rate = { warmup-epochs = 4 }"),
        ("stopping without validation", "[train]\nstop = { patience = 3 }"),
        (
            "monitor without patience",
            "[train]\nstop = { monitor = \"validation-loss\", train-accuracy = 99.5 }",
        ),
        (
            "augment",
            "[augment]\nrotation = { degrees = 10 }\nzoom = { height = 0.1, width = 0.2, uniform = true }\nfill = \"constant\"\nconvention = \"keras\"",
        ),
        (
            "rotation in turns",
            "[augment]\nrotation = { turns = 0.6 }\nshift = { width = 2, height = 0 }\nshear = 90",
        ),
        ("ensemble", "[ensemble]\nsize = 0\ncombine = \"median\""),
        ("trainer", "[trainer]\nengine = \"torch\"\ncommand = [\"python\", 3]"),
        ("fake parts without the fake", "[trainer.fake]\naccuracy = 0.9"),
        (
            "fake",
            "[trainer]\nengine = \"fake\"\n[trainer.fake]\naccuracy = 98\neffects = { \"augment.shift\" = \"big\" }\naccidents = [{ kind = \"fire\" }, { epoch = 0 }, 3]",
        ),
        ("command", "[trainer]\nengine = \"command\""),
        ("hyperparameters", "[hyperparameters]\ndepth = 3"),
        ("sections of the wrong kind", "[[train]]\nepochs = 1\n[[ensemble]]\nsize = 1"),
        (
            "report and check",
            "[report]\nrows = \"a\"\ncolumns = \"a\"\nmetrics = \"x\"\n[check]\nalpha = 0.5\ntolerance = -1",
        ),
    ]);
    insta::assert_snapshot!(page);
}

#[test]
fn steps_of_a_model_that_takes_none_are_refused() {
    let more = "[dataset.split]\nvalidation = 0.1\n[train]\nepochs = 30\nretrain = \"all\"\n\
                learning-rate = { initial = 0.1 }\n[[grid]]\n[grid.axes]\n\
                \"train.batch-size\" = [32, 64]\n\"train.learning-rate.initial\" = [0.1, 0.2]\n\
                \"model.smoothing\" = [0, 0.1]\n";
    let page = refusal(&format!("{SMALL}{more}"), &["model.preset=\"naive-bayes\""]);
    insta::assert_snapshot!(page);
}

#[test]
fn datasets_that_mean_nothing_are_refused() {
    let page: Vec<String> = [
        "source = \"idx\"",
        "source = \"mnist\"\npath = \"data\"\nlabel = \"label\"",
        "source = \"csv\"\npath = \"\"\ntest-path = 3",
        "source = \"synthetic\"\nclasses = 1\nimages = 0",
        "source = \"synthetic\"\nclasses = 1000000000\nimages = 10000000000",
        "source = \"synthetic\"\nimages = 1000000\nimage-size = 2048",
        "source = \"digits\"\nimage-size = 0\nsplit = 0.1",
        "source = \"digits\"\nsplit = { train = 0.5, validation = 0.3, test = 0.3 }",
        "source = \"digits\"\nsplit = { train = 0.5, validation = 0.6, test = 200 }",
        "source = \"digits\"\nsplit = { train = [0, 100], validation = [50, 150], test = [200, 200] }",
        "source = \"digits\"\nsplit = { train = 0, test = [0, 1, 2], seed = -1 }",
    ]
    .iter()
    .map(|dataset| {
        refusal(&format!("name = \"t\"\nmodel.preset = \"mlp\"\n[dataset]\n{dataset}\n"), &[])
    })
    .collect();
    let page = page.join("\n\n");
    insta::assert_snapshot!(page);
}

#[test]
fn layers_that_mean_nothing_are_refused() {
    let page: Vec<String> = [
        "layers = []",
        "layers = \"mlp\"",
        "layers = [\"flaten\", { units = 3 }, 7, { kind = \"dens\" }]",
        "layers = [{ kind = \"conv\", filters = 0, size = 3, padding = -1 }]",
        "layers = [{ kind = \"dropout\" }, { kind = \"relu\", rate = 1 }, { kind = \"batch-norm\", momentum = 1 }]",
        "layers = [\"flatten\", \"dense\"]\nwidth = 0.5",
        "layers = [{ kind = \"max-pool\", convention = \"torch\" }, { kind = \"average-pool\", convention = \"onnx\" }]",
        "",
    ]
    .iter()
    .map(|model| {
        refusal(&format!("name = \"t\"\ndataset.source = \"digits\"\n[model]\n{model}\n"), &[])
    })
    .collect();
    let page = page.join("\n\n");
    insta::assert_snapshot!(page);
}

#[test]
fn grids_that_mean_nothing_are_refused() {
    let page = page(&[
        ("no axes", "[[grid]]"),
        ("not a grid", "[other]\nx = 1"),
        (
            "unknown axes",
            "[[grid]]\n[grid.axes]\n\"augment.rotaton\" = [0]\n\"learning-rate\" = [0.1]\n\"banana\" = [1]\n\"train.epochs.x\" = [1]\n\"model.layers.2.rate\" = [0.5]",
        ),
        (
            "values that do not fit",
            "[[grid]]\n[grid.axes]\n\"train.batch-size\" = [32, 0, \"big\"]\n\"model.dropout\" = [0.5, 1.0]\n\"train.optimizer\" = [\"sgd\", { name = \"adam\", beta3 = 1 }]",
        ),
        (
            "empty and scalar axes",
            "[[grid]]\n[grid.axes]\n\"train.epochs\" = []\n\"augment.shift\" = 0.1\naugment.zoom.height = { width = 0.1 }",
        ),
        (
            "duplicate values",
            "[[grid]]\n[grid.axes]\n\"train.epochs\" = [1, 2, 1.0]\n[[grid.zip]]\n\"augment.rotation\" = [0, 5, 0]\n\"augment.zoom\" = [0, 0.1, 0.0]",
        ),
        (
            "values that are none, once each",
            "[[grid]]\n[grid.axes]\n\"augment.rotation\" = [0, nan, inf]\n\"train.epochs\" = [1, 9223372036854775808]",
        ),
        (
            "look-alikes",
            "[trainer]\nengine = \"fake\"\n[[grid]]\n[grid.axes]\n\"hyperparameters.a\" = [\"caf\u{e9}\", \"cafe\u{301}\"]\n\"hyperparameters.b\" = [\"x\", \"x\u{200b}\", \"X\"]",
        ),
        (
            "a key twice",
            "[[grid]]\n[grid.axes]\n\"train.epochs\" = [1, 2]\n[[grid.zip]]\n\"train.epochs\" = [3, 4]\n\"augment.zoom\" = [0.1, 0.2]",
        ),
        (
            "zips of different lengths",
            "[[grid]]\n[[grid.zip]]\n\"augment.rotation\" = [0, 5, 10]\n\"augment.zoom\" = [0, 0.1]",
        ),
        (
            "never an axis",
            "[[grid]]\n[grid.axes]\nrepeats = [3, 5]\nseed = [1, 2]\n\"report.metric\" = [\"test-loss\"]",
        ),
        (
            "ranges",
            "[[grid]]\n[grid.axes]\n\"augment.shift\" = { from = 0, to = 0.25, step = 0.1 }\n\"train.epochs\" = { from = 1, to = 2, count = 3 }\n\"augment.zoom\" = { from = 0, to = 2, step = 1 }",
        ),
        (
            "exclude",
            "[[grid]]\n[grid.axes]\n\"augment.shift\" = [0, 0.1]\n[[grid.exclude]]\n\"augment.shfit\" = 0.1\n[[grid.exclude]]\n\"augment.shift\" = [0.1, 0.2]\n[[grid.exclude]]",
        ),
        (
            "include",
            "[[grid]]\n[grid.axes]\n\"augment.shift\" = [0, 0.1]\n[[grid.include]]\n\"augment.shift\" = 7\n\"train.epoch\" = 3",
        ),
        (
            "when",
            "[[grid]]\n[grid.axes]\n\"train.optimizer\" = [\"sgd\", \"adam\"]\n\"train.optimizer.momentum\" = [0, 0.9]\n[[grid.when]]\naxes = [\"train.optimizer.momentun\"]\nif = { \"train.optimizer\" = \"adamw\" }\n[[grid.when]]\nif = { \"train.optimizer\" = \"sgd\" }\n[[grid.when]]\naxes = []",
        ),
        (
            "a circle of conditions",
            "[[grid]]\n[grid.axes]\n\"augment.shift\" = [0, 0.1]\n\"augment.zoom\" = [0, 0.1]\n[[grid.when]]\naxes = [\"augment.shift\"]\nif = { \"augment.zoom\" = 0 }\n[[grid.when]]\naxes = [\"augment.zoom\"]\nif = { \"augment.shift\" = 0 }",
        ),
        (
            "half a zip",
            "[[grid]]\naxes = { \"train.epochs\" = [1, 2] }\nzip = { \"augment.rotation\" = [0, 5], \"augment.zoom\" = [0, 0.1] }\nwhen = { axes = [\"augment.zoom\"], if = { \"train.epochs\" = 1 } }",
        ),
        (
            "sample",
            "[[grid]]\naxes = { \"train.epochs\" = [1, 2] }\nsample = { method = \"grid\", number = 3 }",
        ),
        (
            "a schedule lost",
            "[train.learning-rate]\ninitial = 1e-3\nschedule = \"cosine\"\n[[grid]]\n[grid.axes]\n\"train.learning-rate\" = [0.1, 0.01]",
        ),
        (
            "a value that breaks something else",
            "[dataset.split]\nvalidation = 0.1\n[train]\nstop = { patience = 3 }\n[[grid]]\n[grid.axes]\n\"dataset.split.validation\" = [0, 0.2]",
        ),
        (
            "report",
            "[[grid]]\n[grid.axes]\n\"augment.shift\" = [0, 0.1]\n[report]\nrows = \"augment.shfit\"",
        ),
    ]);
    insta::assert_snapshot!(page);
}

#[test]
fn reports_that_mean_nothing_are_refused() {
    let page = page(&[
        ("a matrix is shown or not", "[report]\nconfusion = \"yes\"\n"),
        ("galleries are counted", "[report]\ngallery = -3\n"),
        ("galleries end somewhere", "[report]\ngallery = 100000\n"),
        ("a confusion has two classes", "[report]\ngallery-of = \"7\"\n"),
        ("that differ", "[report]\ngallery-of = [\"7→2\", \"3→3\"]\n"),
        ("and are texts", "[report]\ngallery-of = [72]\n"),
        ("keys are spelt out", "[report]\ngalery = 3\n"),
    ]);
    insta::assert_snapshot!(page);
}

#[test]
fn overrides_that_mean_nothing_are_refused() {
    let grid = "[[grid]]\naxes = { \"train.epochs\" = [1, 2] }\n[[grid]]\naxes = { \"train.epochs\" = [3] }\n";
    let page: Vec<String> = [
        &["train.epoch=3"][..],
        &["train.epochs=many"],
        &["epochs=3"],
        &["train.epochs.x=3"],
        &["grid.axes.\"augment.shift\"=[0]"],
        &["grid.1.axes.\"augment.shift\"=[0, 7]", "repeats=0"],
    ]
    .iter()
    .map(|overrides| refusal(&format!("{SMALL}{grid}"), overrides))
    .chain(
        ["train.epochs", "a b=1", "train.epochs=", "train.epochs=[1,"]
            .iter()
            .map(|text| Override::parse(text).unwrap_err().to_string()),
    )
    .collect();
    let page = page.join("\n\n");
    insta::assert_snapshot!(page);
}
