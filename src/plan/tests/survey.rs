//! What a survey says of an experiment, held against the plan of the same cells.

use proptest::prelude::*;

use super::super::effective::{effective, idle};
use super::super::testing::{settings, surveyed};
use super::super::*;
use super::drawn;
use crate::base::{MetricName, Seed, digest_of};
use crate::experiment::Document;
use crate::experiment::layers::LayerSettings;
use crate::experiment::settings::{
    Combine, Fill, OptimizerConvention, OptimizerSettings, PatienceSettings, Retrain, Schedule,
    TrainSettings,
};
use crate::grid::expand;

/// Splits as digits have them: 1,438 training images and 359 test images.
const SIZES: SplitSizes = SplitSizes { train: 1438, validation: 0, test: 359, classes: 10 };

const HEAD: &str = "name = \"x\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"logistic\"\n";

/// What is said of cells that mean the same; nothing where there are none.
fn twins(grid: &str) -> Option<String> {
    match surveyed(&format!("{HEAD}{grid}"), SIZES) {
        Ok(_) => None,
        Err(SurveyError::Twins(twins)) => Some(twins.to_string()),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn cells_that_mean_the_same_under_different_names_are_refused() {
    let blocks = "[[grid]]\naxes = { \"augment.shift\" = [0, 0.1] }\n\
                  [[grid]]\naxes = { \"augment.rotation\" = [0, 10] }\n\
                  [[grid.include]]\n\"train.batch-size\" = 64\n";
    insta::assert_snapshot!(twins(blocks).unwrap());
    let shorthand = "[[grid]]\naxes = { \"train.optimizer\" = [\"adam\", { name = \"adam\" }] }";
    assert!(twins(shorthand).unwrap().starts_with("1 of the cells trains "));
}

#[test]
fn training_steps_make_no_difference_to_naive_bayes() {
    let models = "[[grid]]\n[grid.axes]\n\"model.preset\" = [\"logistic\", \"naive-bayes\"]\n";
    assert_eq!(twins(models), None);
    let epochs = format!("{models}\"train.epochs\" = [3, 5]\n");
    insta::assert_snapshot!(twins(&epochs).unwrap());
    let when =
        "[[grid.when]]\naxes = [\"train.epochs\"]\nif = { \"model.preset\" = \"logistic\" }\n";
    assert_eq!(twins(&format!("{epochs}{when}")), None);
    assert_eq!(twins(&format!("{models}\"augment.rotation\" = [3, 5]\n")), None);
}

#[test]
fn cells_that_are_equal_in_what_they_use_are_named_with_the_reason() {
    let axis = |line: &str| format!("[[grid]]\n[grid.axes]\n{line}\n");
    insta::assert_snapshot!(twins(&axis("\"dataset.train-limit\" = [500, 2000, 5000]")).unwrap());
    insta::assert_snapshot!(twins(&axis("\"train.batch-size\" = [64, 2000, 5000]")).unwrap());
    insta::assert_snapshot!(
        twins(&axis("\"ensemble.size\" = [1, 3]\n\"ensemble.combine\" = [\"mean\", \"vote\"]"))
            .unwrap()
    );
    insta::assert_snapshot!(
        twins(&axis("\"augment.shift\" = [0, 0.1]\n\"augment.fill\" = [\"nearest\", \"reflect\"]"))
            .unwrap()
    );
    let stop = "[dataset.split]\nvalidation = 0.1\n[train]\nepochs = 5\n";
    insta::assert_snapshot!(
        twins(&format!("{stop}{}", axis("\"train.stop.patience\" = [2, 4, 9]"))).unwrap()
    );
}

#[test]
fn what_a_cell_uses_is_no_twin_of_what_it_does_not() {
    let axis = |line: &str| twins(&format!("[[grid]]\n[grid.axes]\n{line}\n"));
    assert_eq!(axis("\"dataset.train-limit\" = [1000, 1437, 1438]"), None);
    assert_eq!(axis("\"train.batch-size\" = [719, 1437, 1438]"), None);
    assert_eq!(axis("\"train.optimizer\" = [\"adam\", \"adamw\", \"sgd\"]"), None);
    assert_eq!(
        axis("\"ensemble.size\" = [2, 3]\n\"ensemble.combine\" = [\"mean\", \"vote\"]"),
        None
    );
}

/// Returns the keys that have no effect in settings changed so.
fn idle_keys(change: impl FnOnce(&mut Settings)) -> Vec<&'static str> {
    let mut settings = settings();
    settings.model.layers = vec![LayerSettings::Flatten];
    settings.augment.zoom.uniform = false;
    change(&mut settings);
    idle(&settings, Some(SIZES)).into_iter().map(|one| one.key).collect()
}

#[test]
fn every_kind_of_setting_without_effect_is_known() {
    type Change = fn(&mut Settings);
    let adamw = |weight_decay| OptimizerSettings::AdamW {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-7,
        weight_decay,
        convention: OptimizerConvention::Keras,
    };
    assert_eq!(idle_keys(|s| s.train.optimizer = adamw(0.0)), ["train.optimizer.name"]);
    assert_eq!(idle_keys(|s| s.train.optimizer = adamw(0.1)), [""; 0]);
    // Three epochs, ten images per batch: 144 steps per epoch, the last of 8 images.
    let cases: [(&str, Change, bool); 20] = [
        ("train.batch-size", |s| s.train.batch_size = 1439, true),
        ("train.batch-size", |s| s.train.batch_size = 1438, false),
        ("train.drop-last", |s| (s.train.drop_last, s.train.batch_size) = (true, 719), true),
        ("train.drop-last", |s| s.train.drop_last = true, false),
        ("dataset.train-limit", |s| s.dataset.train_limit = Some(1438), true),
        ("dataset.train-limit", |s| s.dataset.train_limit = Some(1437), false),
        (
            "train.learning-rate.schedule",
            |s| s.train.learning_rate.schedule = Schedule::Exponential { factor: 1.0 },
            true,
        ),
        (
            "train.learning-rate.schedule",
            |s| s.train.learning_rate.schedule = Schedule::Step { factor: 0.1, every: 3 },
            true,
        ),
        (
            "train.learning-rate.schedule",
            |s| s.train.learning_rate.schedule = Schedule::Step { factor: 0.1, every: 2 },
            false,
        ),
        (
            "train.learning-rate.schedule",
            |s| s.train.learning_rate.schedule = Schedule::Cosine { last: 0.01 },
            true,
        ),
        (
            "train.learning-rate.schedule",
            |s| s.train.learning_rate.schedule = Schedule::Cosine { last: 0.0 },
            false,
        ),
        (
            "train.learning-rate.warmup-epochs",
            |s| s.train.learning_rate.warmup_epochs = 0.006,
            true,
        ),
        ("train.learning-rate.warmup-epochs", |s| s.train.learning_rate.warmup_epochs = 0.5, false),
        ("augment.fill", |s| s.augment.fill = Fill::Constant(0.5), true),
        ("augment.fill", |s| (s.augment.fill, s.augment.shear) = (Fill::Wrap, 3.0), false),
        ("train.stop.patience", |s| s.train.stop.patience = Some(patience(2, 0.0)), true),
        ("train.stop.patience", |s| s.train.stop.patience = Some(patience(1, 0.0)), false),
        (
            "train.stop.train-accuracy",
            |s| (s.train.epochs, s.train.stop.train_accuracy) = (1, Some(0.9)),
            true,
        ),
        (
            "train.stop.restore-best",
            |s| (s.train.epochs, s.train.stop.restore_best) = (1, true),
            true,
        ),
        ("train.stop.restore-best", |s| s.train.stop.restore_best = true, false),
    ];
    for (number, (key, change, is_idle)) in cases.into_iter().enumerate() {
        let expected: &[&str] = if is_idle { &[key] } else { &[] };
        assert_eq!(idle_keys(change), expected, "case {number}");
    }
}

fn patience(epochs: u32, min_delta: f64) -> PatienceSettings {
    PatienceSettings { monitor: MetricName::VALIDATION_ACCURACY, epochs, min_delta }
}

#[test]
fn patience_still_chooses_the_best_epoch_where_it_never_stops() {
    let train = |change: &dyn Fn(&mut TrainSettings)| {
        let mut settings = settings();
        settings.train.stop.patience = Some(patience(9, 0.1));
        change(&mut settings.train);
        effective(&settings, Some(SIZES)).train.stop
    };
    assert_eq!(train(&|_| {}).patience, None);
    // The best epoch is one that improves by more than 0.1, whatever the patience.
    let chosen = train(&|train| train.stop.restore_best = true);
    assert_eq!(chosen.patience, Some(patience(3, 0.1)));
    assert_eq!(train(&|train| train.retrain = Some(Retrain::All)).patience, Some(patience(3, 0.1)));
}

#[test]
fn members_are_shared_by_cells_that_are_equal_in_what_they_use() {
    type Never = std::convert::Infallible;
    let members = |limit: Option<usize>, batch_size: usize, revision: &str| {
        let cell = crate::plan::testing::cell(1, |settings| {
            settings.dataset.train_limit = limit;
            settings.train.batch_size = batch_size;
        });
        let facts = ImageFacts { checksum: digest_of(b"images"), sizes: Some(SIZES) };
        let plan = Plan::from_repeats(
            Seed(42),
            revision,
            [Ok::<_, Never>((cell, 0..1))],
            &mut |_| Ok::<_, Never>(facts),
            &mut |_| Ok(digest_of(b"")),
        )
        .unwrap();
        let settings = &plan.members[0].settings;
        (plan.members[0].id, settings.dataset.train_limit, settings.train.batch_size)
    };
    let bare = members(None, 1438, "5");
    assert_eq!(members(Some(2000), 5000, "5"), bare);
    assert_eq!(members(Some(5000), 2000, "5"), bare);
    assert_ne!(members(Some(1000), 2000, "5").0, bare.0);
    // A limit leaves fewer images, and these make one batch sooner.
    assert_eq!(members(Some(1000), 2000, "5"), members(Some(1000), 1000, "5"));
    // Results of earlier engines are found again under the names they have.
    assert_ne!(members(None, 5000, "4").0, members(None, 2000, "4").0);
    assert_eq!(members(Some(2000), 5000, "4").1, Some(2000));
}

#[test]
fn one_network_votes_alone_however_its_vote_is_counted() {
    let mut settings = settings();
    settings.ensemble.combine = Combine::Vote;
    assert_eq!(effective(&settings, None).ensemble.combine, Combine::Mean);
    settings.ensemble.size = 2;
    assert_eq!(effective(&settings, None).ensemble.combine, Combine::Vote);
}

#[test]
fn batches_of_one_image_before_batch_normalisation_are_told() {
    let doubts = |more: &str| {
        let text = HEAD.replace("logistic", "small-cnn");
        surveyed(&format!("{text}{more}"), SIZES).unwrap().doubts
    };
    assert_eq!(doubts(""), [""; 0]);
    insta::assert_snapshot!(doubts("[train]\nbatch-size = 1").join("\n"));
    // 1438 = 479 · 3 + 1
    insta::assert_snapshot!(doubts("[train]\nbatch-size = 3").join("\n"));
    assert_eq!(doubts("[train]\nbatch-size = 3\ndrop-last = true"), [""; 0]);
}

#[test]
fn more_networks_than_can_be_planned_are_counted_before_they_are_drawn() {
    let of = |more: &str| surveyed(&format!("{more}{HEAD}"), SIZES);
    assert!(matches!(of("repeats = 4000000000\n"), Err(SurveyError::TooMany)));
    let text = format!("repeats = 1\n{HEAD}[ensemble]\nsize = 10000000\n");
    assert_eq!(surveyed(&text, SIZES).unwrap().estimate.members, 10_000_000);
}

/// Lines of axes; those of one section are decoded together.
const AXES: [&str; 8] = [
    "\"train.epochs\" = [1, 2, 3]",
    "\"train.optimizer\" = [\"sgd\", { name = \"adam\", beta1 = 0.8 }]",
    "\"train.learning-rate.initial\" = [0.1, 0.2]",
    "\"augment.rotation\" = [0, 5]",
    "\"augment.shift.width\" = [0.1, 0.2]",
    "\"dataset.split.validation\" = [0.1, 100]",
    "\"ensemble.size\" = [1, 2, 4]",
    "\"model.width\" = [1, 2]",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_survey_counts_what_the_plan_holds(
        lines in proptest::sample::subsequence(AXES.to_vec(), 1..6).prop_shuffle(),
        repeats in 1u32..4,
    ) {
        let head = HEAD.replace("logistic", "small-cnn");
        let grid = format!("[[grid]]\n[grid.axes]\n{}\n", lines.join("\n"));
        // A cell in which none of these axes exists: base settings after others.
        let bare = "[[grid]]\naxes = { \"train.drop-last\" = [true] }\n";
        let text = format!("repeats = {repeats}\n{head}{grid}{bare}");
        let survey = surveyed(&text, SIZES).unwrap();
        let plan = drawn(&text);
        prop_assert_eq!(survey.cells, plan.cells.len());
        prop_assert_eq!(survey.trials as usize, plan.trials.len());
        prop_assert_eq!(survey.estimate.members, plan.members.len());
        let all: Vec<usize> = (0..plan.members.len()).collect();
        let facts = Facts {
            sizes: &|_| SIZES,
            measured: &|_| None,
            multiply_accumulates: &|settings| Some(settings.model.layers.len() as u64),
            multiply_accumulates_per_second: &|_| 1e6,
            workers: 2,
        };
        let expected = estimate(&plan, &all, &facts);
        prop_assert_eq!(survey.estimate.training_images, expected.training_images);
        prop_assert_eq!(survey.estimate.prediction_bytes, expected.prediction_bytes);
        let (found, expected) = (survey.estimate.seconds.unwrap(), expected.seconds.unwrap());
        prop_assert!((found / expected - 1.0).abs() < 1e-9);
    }
}

/// Figures belong in the report of a change, not in an assertion.
#[test]
#[ignore = "measures, asserts nothing about time"]
fn a_million_cells_are_surveyed() {
    let text = format!(
        "{HEAD}[[grid]]\n[grid.axes]\n\"augment.rotation\" = {{ from = 0, to = 99, step = 1 }}\n\
         \"train.learning-rate.initial\" = {{ from = 0.001, to = 0.1, count = 100 }}\n\
         \"train.epochs\" = {{ from = 1, to = 100, step = 1 }}\n"
    );
    let started = std::time::Instant::now();
    let document = Document::parse(&text, "t.toml", &[]).unwrap();
    println!("parse {:?}", started.elapsed());
    let grid = expand(document.experiment()).unwrap();
    println!("expand {} cells {:?}", grid.len(), started.elapsed());
    assert_eq!(surveyed(&text, SIZES).unwrap().cells, 1_000_000);
    println!("parse, expand and survey again {:?}", started.elapsed());
}
