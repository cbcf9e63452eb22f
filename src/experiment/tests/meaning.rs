//! Files that mean something, and what they mean.

use proptest::prelude::*;

use super::{SMALL, read};
use crate::base::{MetricName, Seed};
use crate::experiment::ConfusionPair;
use crate::experiment::layers::{AverageConvention, LayerSettings};
use crate::experiment::settings::{
    Combine, Fill, LearningRateSettings, OptimizerConvention, OptimizerSettings, PatienceSettings,
    Precision, Schedule, Settings, Share, ShiftSettings, Source, SplitSeed, TrainerSettings,
    ZoomSettings,
};
use crate::experiment::value::Value;
use crate::experiment::{Document, Override};

fn read_small(more: &str) -> Document {
    read(&format!("{SMALL}{more}"))
}

fn base(more: &str) -> Settings {
    read_small(more).experiment().base.clone()
}

const DESIGN: &str = r#"
name = "augment_grid"
question = "Which rotation/zoom and shift ranges help?"
repeats = 6
seed = 42

[dataset]
source = "mnist"
split = { validation = 0.1, stratify = true, seed = "trial" }

[model]
preset = "deotte-cnn"

[train]
epochs = 30
batch-size = 64
optimizer = { name = "adam" }
learning-rate = { initial = 1e-3, schedule = "exponential", factor = 0.95 }
precision = "auto"
stop = { monitor = "validation-accuracy", patience = 10, restore-best = true }

[augment]
rotation = 10.0
zoom = 0.10
shift = { width = 0.1, height = 0.1 }
fill = "nearest"

[ensemble]
size = 15
combine = "mean"

[[grid]]
[grid.axes]
"ensemble.size" = [1, 15]
"augment.shift" = [0.0, 0.1, 0.2]
[[grid.zip]]
"augment.rotation" = [0, 5, 10, 15, 20, 25, 30]
"augment.zoom"     = [0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30]
[[grid.exclude]]
"augment.shift" = 0.2
"augment.rotation" = [0, 5, 20, 25, 30]

[report]
metric = "test-accuracy"
rows = "augment.shift"
columns = "augment.rotation"
reference = "deotte-2018-ensemble"
[check]
tolerance = 0.10
"#;

#[test]
fn a_gallery_of_one_confusion_may_be_typed_with_either_arrow() {
    let report = |gallery: &str| {
        let document = read_small(&format!("[report]\ngallery-of = {gallery}\n"));
        document.experiment().report.gallery_of.clone()
    };
    let pair = |truth: &str, predicted: &str| ConfusionPair {
        truth: truth.to_owned(),
        predicted: predicted.to_owned(),
    };
    assert_eq!(report("\"7→2\""), [pair("7", "2")]);
    assert_eq!(report("[\"cat -> dog\", \"4→9\"]"), [pair("cat", "dog"), pair("4", "9")]);
}

#[test]
fn the_example_of_the_design_means_what_it_says() {
    let document = read(DESIGN);
    let experiment = document.experiment();
    assert_eq!(experiment.name, "augment_grid");
    assert_eq!((experiment.repeats, experiment.seed), (6, Seed(42)));
    let base = &experiment.base;
    assert_eq!(base.dataset.source, Source::Mnist);
    assert_eq!(base.dataset.split.validation, Some(Share::Fraction(0.1)));
    assert!(base.dataset.split.stratify);
    assert_eq!(base.model.layers.len(), 26);
    assert_eq!(
        base.train.learning_rate,
        LearningRateSettings {
            initial: 1e-3,
            schedule: Schedule::Exponential { factor: 0.95 },
            warmup_epochs: 0.0
        }
    );
    assert_eq!(
        base.train.stop.patience,
        Some(PatienceSettings {
            monitor: MetricName::VALIDATION_ACCURACY,
            epochs: 10,
            min_delta: 0.0
        })
    );
    assert_eq!(base.augment.shift, ShiftSettings { width: 0.1, height: 0.1 });
    let block = &experiment.grids[0];
    assert_eq!(block.axes[0].key, "ensemble.size");
    assert_eq!(block.zips[0].len(), 2);
    assert_eq!(block.exclude[0][1].values.len(), 5);
    assert_eq!(experiment.report.reference.as_deref(), Some("deotte-2018-ensemble"));
}

#[test]
fn defaults_are_those_of_keras() {
    let base = base("");
    assert_eq!((base.train.epochs, base.train.batch_size), (10, 64));
    assert_eq!(
        base.train.optimizer,
        OptimizerSettings::Adam {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
            weight_decay: 0.0,
            convention: OptimizerConvention::Keras,
        }
    );
    assert!((base.train.learning_rate.initial - 1e-3).abs() < 1e-15);
    assert_eq!(base.train.precision, Precision::Auto);
    assert_eq!(base.dataset.split.seed, SplitSeed::Trial);
    assert_eq!(base.dataset.split.validation, None);
    assert_eq!((base.ensemble.size, base.ensemble.combine), (1, Combine::Mean));
    assert_eq!(base.trainer, TrainerSettings::Auto);
    assert_eq!(base.augment.fill, Fill::Nearest);
    let document = read_small("");
    let experiment = document.experiment();
    assert_eq!((experiment.repeats, experiment.seed), (5, Seed(42)));
    assert_eq!(experiment.report.metric, MetricName::TEST_ACCURACY);
    assert_eq!((experiment.check.tolerance, experiment.check.alpha), (0.10, 0.05));
}

#[test]
fn shorthands_and_tables_mean_the_same() {
    let a = base(
        "[augment]\nshift = 0.1\nzoom = 0.2\nrotation = 18\n[train]\noptimizer = \"sgd\"\nlearning-rate = 0.1",
    );
    let b = base(
        "[augment]\nshift = { width = 0.1, height = 0.1 }\nzoom = { width = 0.2, height = 0.2 }\nrotation = { turns = 0.05 }\n\
         [train.optimizer]\nname = \"sgd\"\nmomentum = 0\n[train.learning-rate]\ninitial = 0.1",
    );
    assert_eq!(a, b);
    let sgd = base("[train]\noptimizer = \"sgd\"");
    assert!((sgd.train.learning_rate.initial - 0.01).abs() < 1e-15);
}

#[test]
fn layers_may_be_written_out() {
    let text = "name = \"t\"\n[dataset]\nsource = \"digits\"\n[model]\nlayers = [\n  { kind = \"conv\", filters = 8, kernel = 3, padding = \"same\" },\n  \"batch-norm\", \"relu\", \"max-pool\", { kind = \"dropout\", rate = 0.2 }, \"flatten\", \"dense\",\n]\n";
    let document = read(text);
    let layers = &document.experiment().base.model.layers;
    let kinds: Vec<&str> = layers.iter().map(LayerSettings::kind).collect();
    assert_eq!(kinds, ["conv", "batch-norm", "relu", "max-pool", "dropout", "flatten", "dense"]);
    let settings = document
        .settings_for([
            ("model.layers.5.rate", &Value::Float(0.5)),
            ("model.layers.1.filters", &Value::Integer(4)),
        ])
        .unwrap();
    assert_eq!(settings.model.layers[4], LayerSettings::Dropout { rate: 0.5 });
    assert!(matches!(settings.model.layers[0], LayerSettings::Conv { filters: 4, .. }));
}

#[test]
fn padding_counts_in_a_mean_where_the_convention_is_that_of_torch() {
    let convention = |keys: &str| {
        let text = format!(
            "name = \"t\"\n[dataset]\nsource = \"digits\"\n[model]\nlayers = [\n  \
             {{ kind = \"average-pool\", {keys} }}, \"flatten\", \"dense\"\n]\n"
        );
        let document = read(&text);
        let layer = &document.experiment().base.model.layers[0];
        let json = serde_json::to_string(layer).unwrap();
        let LayerSettings::AveragePool { convention, .. } = *layer else { unreachable!() };
        // What is the default stands in no identity.
        assert_eq!(json.contains("convention"), convention == AverageConvention::Torch, "{json}");
        convention
    };
    assert_eq!(convention("padding = 1"), AverageConvention::Keras);
    assert_eq!(convention("padding = 1, convention = \"keras\""), AverageConvention::Keras);
    assert_eq!(convention("padding = 1, convention = \"torch\""), AverageConvention::Torch);
    assert_eq!(convention("padding = \"same\", convention = \"torch\""), AverageConvention::Torch);
    // Without padding both mean the same.
    assert_eq!(convention("convention = \"torch\""), AverageConvention::Keras);
}

#[test]
fn a_cell_is_the_file_with_its_values_typed_in() {
    let document = read_small("[augment]\nshift = 0.1\n[train]\noptimizer = \"sgd\"");
    let settings = document
        .settings_for([
            ("model.dropout", &Value::Float(0.5)),
            ("augment.shift.width", &Value::Integer(0)),
            ("train.optimizer.momentum", &Value::Float(0.9)),
            ("augment.zoom.height", &Value::Float(0.3)),
        ])
        .unwrap();
    assert!(settings.model.layers.contains(&LayerSettings::Dropout { rate: 0.5 }));
    assert_eq!(settings.augment.shift, ShiftSettings { width: 0.0, height: 0.1 });
    assert_eq!(settings.augment.zoom, ZoomSettings { height: 0.3, width: 0.0, uniform: false });
    assert!(matches!(settings.train.optimizer, OptimizerSettings::Sgd { momentum: 0.9, .. }));
    let same = base(
        "dropout = 0.5\n[augment]\nshift = { width = 0, height = 0.1 }\nzoom = { height = 0.3 }\n[train]\noptimizer = { name = \"sgd\", momentum = 0.9 }",
    );
    assert_eq!(settings, same);
    assert_eq!(&document.settings_for([]).unwrap(), &document.experiment().base);
}

#[test]
fn longer_keys_win_over_shorter_ones_whatever_their_order() {
    let document = read_small("");
    let optimizer = Value::Text("sgd".into());
    let momentum = Value::Float(0.9);
    let settings = document
        .settings_for([("train.optimizer.momentum", &momentum), ("train.optimizer", &optimizer)])
        .unwrap();
    assert!(matches!(settings.train.optimizer, OptimizerSettings::Sgd { momentum: 0.9, .. }));
}

#[test]
fn a_cell_that_does_not_fit_names_itself() {
    let document = read_small("");
    let error = document
        .settings_for([
            ("train.optimizer", &Value::Text("adam".into())),
            ("train.optimizer.momentum", &Value::Float(0.9)),
        ])
        .unwrap_err();
    insta::assert_snapshot!(error, @"
    cell `train.optimizer=adam train.optimizer.momentum=0.9` of `t.toml` does not fit
      `train.optimizer.momentum` is no key of optimizer `adam`, expected `name`, `beta1`, `beta2`, `epsilon`, `convention` or `weight-decay`
    ");
}

#[test]
fn overrides_change_any_key() {
    let overrides: Vec<Override> = [
        "name=other",
        "repeats=2",
        "seed=7",
        "train.epochs=3",
        "train.optimizer.beta1=0.8",
        "dataset.source=mnist",
        "dataset.split.validation=[50000, 60000]",
        "grid.axes.\"augment.rotation\"=[0, 10]",
        "report.metric=test-loss",
        "check.alpha=0.01",
    ]
    .iter()
    .map(|text| Override::parse(text).unwrap())
    .collect();
    let text = format!("{SMALL}[[grid]]\naxes = {{ \"augment.rotation\" = [0, 5, 15] }}\n");
    let document = Document::parse(&text, "t.toml", &overrides).unwrap();
    let experiment = document.experiment();
    assert_eq!(
        (experiment.name.as_str(), experiment.repeats, experiment.seed),
        ("other", 2, Seed(7))
    );
    assert_eq!(experiment.base.train.epochs, 3);
    assert!(matches!(experiment.base.train.optimizer, OptimizerSettings::Adam { beta1: 0.8, .. }));
    assert_eq!(experiment.base.dataset.source, Source::Mnist);
    assert_eq!(
        experiment.base.dataset.split.validation,
        Some(Share::Range { from: 50_000, to: 60_000 })
    );
    assert_eq!(experiment.grids[0].axes[0].values, [Value::Integer(0), Value::Integer(10)]);
    assert_eq!(experiment.check.metric, MetricName::TEST_LOSS);
    assert_eq!(document.overrides(), overrides);
    assert_eq!(document.typed_text(), text);
}

#[test]
fn an_experiment_survives_json() {
    let document = read(DESIGN);
    let json = serde_json::to_string(document.experiment()).unwrap();
    let back: crate::experiment::Experiment = serde_json::from_str(&json).unwrap();
    assert_eq!(&back, document.experiment());
}

#[test]
fn values_that_need_company_are_accepted_where_they_find_it() {
    let axes = "\"train.optimizer\" = [\"adam\", \"sgd\"]\n\"train.optimizer.momentum\" = [0, 0.9]\n\"train.optimizer.nesterov\" = [false, true]\n";
    let when = "[[grid.when]]\naxes = [\"train.optimizer.momentum\", \"train.optimizer.nesterov\"]\nif = { \"train.optimizer\" = \"sgd\" }\n";
    read_small(&format!("[[grid]]\n[grid.axes]\n{axes}{when}"));
    read_small(
        "[[grid]]\n[[grid.zip]]\n\"dataset.source\" = [\"csv\", \"idx\"]\n\"dataset.path\" = [\"a.csv\", \"b\"]\n",
    );
    let axes = "\"train.learning-rate.schedule\" = [\"constant\", \"step\"]\n\"train.learning-rate.factor\" = [0.5, 0.1]\n\"train.learning-rate.every\" = [2, 3]\n";
    let when = "[[grid.when]]\naxes = [\"train.learning-rate.factor\", \"train.learning-rate.every\"]\nif = { \"train.learning-rate.schedule\" = \"step\" }\n";
    read_small(&format!("[[grid]]\n[grid.axes]\n{axes}{when}"));
}

#[test]
fn an_override_may_drop_or_add_grids() {
    let set = |text: &str| [Override::parse(text).unwrap()];
    let text = format!("{SMALL}[[grid]]\naxes = {{ \"train.epochs\" = [1, 2] }}\n");
    let none = Document::parse(&text, "t.toml", &set("grid=[]")).unwrap();
    assert!(none.experiment().grids.is_empty());
    let one = Document::parse(SMALL, "t.toml", &set("grid.axes.\"train.epochs\"=[1, 2]")).unwrap();
    assert_eq!(one.experiment().grids[0].axes[0].key, "train.epochs");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_to_a_file_makes_reading_it_panic(
        start in 0..DESIGN.len(),
        length in 0usize..40,
        put in "[\\[\\]{}=\"'#.,a0\\-\\n ü]{0,4}",
    ) {
        let mut text = DESIGN.as_bytes()[..start].to_vec();
        text.extend_from_slice(put.as_bytes());
        text.extend_from_slice(&DESIGN.as_bytes()[(start + length).min(DESIGN.len())..]);
        let text = String::from_utf8(text).expect("the example is ASCII");
        if let Err(error) = Document::parse(&text, "t.toml", &[]) {
            prop_assert!(!error.problems.is_empty());
            prop_assert!(!error.to_string().is_empty());
            for location in error.problems.iter().filter_map(|problem| problem.location.as_ref()) {
                prop_assert_eq!(text.split('\n').nth(location.line - 1), Some(location.line_text.as_str()));
            }
        }
    }

    #[test]
    fn an_override_means_what_the_same_line_means(
        epochs in 1u32..1000,
        shift in 0.0f64..1.0,
        optimizer in prop::sample::select(vec!["\"sgd\"", "\"adam\"", "{ name = \"sgd\", momentum = 0.5 }"]),
    ) {
        let typed = read_small(&format!(
            "[train]\nepochs = {epochs}\noptimizer = {optimizer}\n[augment]\nshift = {shift:?}\n"
        ));
        let overrides = [
            format!("train.epochs={epochs}"),
            format!("train.optimizer={optimizer}"),
            format!("augment.shift={shift:?}"),
        ]
        .map(|text| Override::parse(&text).unwrap());
        let changed = Document::parse(SMALL, "t.toml", &overrides).unwrap();
        prop_assert_eq!(&typed.experiment().base, &changed.experiment().base);
    }
}

#[test]
fn one_factor_of_zoom_keeps_the_aspect_ratio_in_the_layers_alone() {
    let uniform = |augment: &str| base(&format!("[augment]\n{augment}\n")).augment.zoom.uniform;
    assert!(uniform("zoom = 0.4\nconvention = \"keras-layers\""));
    assert!(!uniform("zoom = 0.4"));
    assert!(!uniform("zoom = { height = 0.4, width = 0.4 }\nconvention = \"keras-layers\""));
    assert!(!uniform("zoom = 0\nconvention = \"keras-layers\""));
}

#[test]
fn fractions_apart_from_test_may_be_of_what_test_leaves() {
    let split = base("[dataset.split]\nvalidation = 0.5\ntest = 0.5\n").dataset.split;
    assert_eq!(
        (split.validation, split.test),
        (Some(Share::Fraction(0.5)), Some(Share::Fraction(0.5)))
    );
    assert!(!split.shares_the_pool());
}

#[test]
fn training_settings_may_be_shared_with_a_model_that_takes_no_steps() {
    let text = "[train]\nepochs = 3\n[[grid]]\n[grid.axes]\n\"model.preset\" = [\"logistic\", \"naive-bayes\"]\n";
    assert_eq!(read_small(text).experiment().base.train.epochs, 3);
}

#[test]
fn required_keys_may_come_from_the_grid_alone() {
    let text = r#"
        name = "two"
        question = "Which data, which network?"
        [train]
        epochs = 1
        [[grid]]
        [grid.axes]
        "dataset.source" = ["folder"]
        "dataset.path" = ["1.1", "1.10"]
        "model.preset" = ["small-cnn", "mlp"]
    "#;
    let read = |text: &str| Document::parse(text, "two.toml", &[]);
    let document = read(text).unwrap();
    let paths: Vec<_> = ["1.1", "1.10"]
        .map(|path| {
            let cell = [
                ("dataset.source", Value::Text("folder".into())),
                ("dataset.path", Value::Text(path.into())),
                ("model.preset", Value::Text("mlp".into())),
            ];
            let settings = document.settings_for(cell.iter().map(|(key, value)| (*key, value)));
            settings.unwrap().dataset.source
        })
        .into();
    let folder = |path: &str| Source::Folder { path: path.into(), test_path: None };
    assert_eq!(paths, [folder("1.1"), folder("1.10")]);

    // A cell beside the axes that leaves the path out has none.
    let lacking = format!("{text}\n[[grid.include]]\n\"dataset.source\" = \"folder\"\n");
    let error = read(&lacking).unwrap_err().to_string();
    assert!(error.contains("`dataset.path` is missing"), "{error}");
    assert!(
        error.contains("some cells of the grid leave it out: give it here for them"),
        "{error}"
    );
}
