mod ids;
mod survey;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proptest::prelude::*;

use super::testing::{cell, plan, plan_of};
use super::*;
use crate::base::MetricName;
use crate::base::{Seed, digest_of};
use crate::experiment::Document;
use crate::experiment::layers::LayerSettings;
use crate::experiment::settings::{
    Combine, Convention, FakeSettings, Fill, OptimizerConvention, OptimizerSettings,
    PatienceSettings, Retrain, Schedule, Share, Source, SplitSeed, TrainerSettings,
};
use crate::grid::expand;

fn member_ids(plan: &Plan, trial: usize) -> Vec<MemberId> {
    plan.trials[trial].members.iter().map(|&index| plan.members[index].id).collect()
}

/// The id of the only member of a plan with one cell and one repeat.
fn only_member(change: impl FnOnce(&mut Settings)) -> MemberId {
    let plan = plan(1, [cell(1, change)]);
    assert_eq!(plan.members.len(), 1);
    plan.members[0].id
}

#[test]
fn trials_are_cells_times_repeats_in_grid_order() {
    let plan = plan(3, [cell(7, |_| {}), cell(5, |_| {})]);
    let seen: Vec<(usize, u32)> =
        plan.trials.iter().map(|trial| (trial.cell, trial.repeat)).collect();
    assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    assert_eq!(plan.members.len(), 6);
    let trial_ids: BTreeSet<_> = plan.trials.iter().map(|trial| trial.id).collect();
    assert_eq!(trial_ids.len(), 6);
    assert_eq!(plan.members[4].seed_path, SeedPath::member(Seed(42), 1, 0));
}

#[test]
fn an_ensemble_contains_all_smaller_ones() {
    let sizes = [4, 1, 2];
    let plan = plan(2, sizes.map(|size| cell(1, |settings| settings.ensemble.size = size)));
    assert_eq!(plan.members.len(), 8);
    for (index, trial) in plan.trials.iter().enumerate() {
        let largest = member_ids(&plan, trial.repeat as usize);
        let size = sizes[trial.cell] as usize;
        assert_eq!(member_ids(&plan, index), largest[..size]);
    }
    assert!(plan.members.iter().all(|member| member.settings.ensemble.size == 1));
}

#[test]
fn cells_that_differ_in_the_way_of_combining_share_members_but_not_trials() {
    let both = [Combine::Mean, Combine::Vote];
    let plan = plan(
        1,
        both.map(|combine| {
            cell(1, |settings| {
                settings.ensemble =
                    crate::experiment::settings::EnsembleSettings { size: 3, combine };
            })
        }),
    );
    assert_eq!(plan.members.len(), 3);
    assert_eq!(plan.trials[0].members, plan.trials[1].members);
    assert_ne!(plan.trials[0].id, plan.trials[1].id);
}

#[test]
fn what_decides_no_weight_leaves_a_member_alone() {
    let reference = only_member(|_| {});
    let changes: [fn(&mut Settings); 3] = [
        |settings| settings.model.name = "deotte-cnn".to_owned(),
        |settings| settings.train.time_limit = Some(60.0),
        |settings| settings.ensemble.combine = Combine::Vote,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_eq!(only_member(change), reference, "change {index}");
    }
}

#[test]
fn what_decides_weights_makes_another_member() {
    let changes: [fn(&mut Settings); 10] = [
        |_| {},
        |settings| settings.train.epochs += 1,
        |settings| settings.train.learning_rate.initial = 0.02,
        |settings| settings.augment.rotation = 10.0,
        |settings| settings.model.layers.push(crate::experiment::layers::LayerSettings::Flatten),
        |settings| settings.dataset.split.seed = SplitSeed::Member,
        |settings| settings.dataset.split.validation = Some(Share::Fraction(0.1)),
        |settings| settings.dataset.train_limit = Some(7),
        |settings| settings.dataset.source = Source::Digits,
        |settings| {
            settings.trainer = TrainerSettings::Fake(FakeSettings {
                accuracy: 0.9,
                spread: 0.0,
                effects: BTreeMap::new(),
                epoch_delay_ms: 0,
                accidents: Vec::new(),
            });
        },
    ];
    let ids: BTreeSet<_> = changes.into_iter().map(only_member).collect();
    assert_eq!(ids.len(), 10);
}

#[test]
fn mends_make_other_members_of_the_trainings_they_change_and_of_no_others() {
    let torch = |settings: &mut Settings| {
        if let OptimizerSettings::Sgd { convention, .. } = &mut settings.train.optimizer {
            *convention = OptimizerConvention::Torch;
        }
    };
    // As in folders that were written before there were conventions.
    assert_eq!(only_member(torch).to_string(), "ab399a93f6ed2ec4ad7b809e054028ee");
    let mends = |change: &dyn Fn(&mut Settings)| {
        let mut settings = super::testing::settings();
        change(&mut settings);
        super::identity::mends(&settings).count()
    };
    let fraction = Some(Share::Fraction(0.1));
    let patience =
        || PatienceSettings { monitor: MetricName::TEST_LOSS, epochs: 2, min_delta: 0.0 };
    let retrained = |settings: &mut Settings| {
        settings.train.retrain = Some(Retrain::All);
        settings.train.stop.train_accuracy = Some(0.99);
        settings.train.learning_rate.schedule = Schedule::Cosine { last: 0.0 };
    };
    let varied = |settings: &mut Settings| {
        settings.augment.rotation = 10.0;
        settings.augment.fill = Fill::Wrap;
    };
    let layers = |settings: &mut Settings| {
        settings.augment.convention = Convention::KerasLayers;
        settings.augment.fill = Fill::Wrap;
    };
    let unchanged: [&dyn Fn(&mut Settings); 6] = [
        &|settings| settings.dataset.split.test = fraction,
        &|settings| settings.dataset.split.train = fraction,
        &retrained,
        &|settings| {
            settings.train.retrain = Some(Retrain::All);
            settings.train.stop.restore_best = true;
        },
        &varied,
        &layers,
    ];
    assert_eq!(unchanged.map(mends), [0; 6]);
    let changed: [&dyn Fn(&mut Settings); 4] = [
        &|settings| {
            settings.dataset.split.test = fraction;
            settings.dataset.split.train = fraction;
        },
        &|settings| {
            retrained(settings);
            settings.train.stop.restore_best = true;
        },
        &|settings| {
            settings.train.retrain = Some(Retrain::All);
            settings.train.stop.patience = Some(patience());
        },
        &|settings| {
            varied(settings);
            layers(settings);
        },
    ];
    assert_eq!(changed.map(mends), [1; 4]);
    for change in changed {
        assert_ne!(only_member(change), only_member(|_| {}));
    }
}

#[test]
fn a_member_depends_on_the_content_of_files_and_not_on_their_place() {
    let member = |path: &str, content: &'static [u8]| {
        let folder = Source::Folder { path: PathBuf::from(path), test_path: None };
        let cells = [cell(1, |settings| settings.dataset.source = folder)];
        plan_of(1, cells, |_| digest_of(content)).members[0].id
    };
    assert_eq!(member("/data/a", b"images"), member("/elsewhere", b"images"));
    assert_ne!(member("/data/a", b"images"), member("/data/a", b"other images"));
}

#[test]
fn another_engine_revision_or_master_seed_makes_other_members() {
    let member = |seed: u64, revision: &str| {
        type Never = std::convert::Infallible;
        let cells = [Ok::<_, Never>(cell(1, |_| {}))];
        let mut checksum = |_: &DatasetSettings| Ok::<_, Never>(digest_of(b"images"));
        let plan = Plan::from_cells(Seed(seed), 1, revision, cells, &mut checksum).unwrap();
        plan.members[0].id
    };
    let ids = BTreeSet::from([member(1, "1"), member(2, "1"), member(1, "2")]);
    assert_eq!(ids.len(), 3);
}

#[test]
fn equal_numbers_of_different_types_are_one_member() {
    let member = |value: Value| {
        only_member(|settings| {
            settings.hyperparameters.insert("x".to_owned(), value);
        })
    };
    assert_eq!(member(Value::Integer(3)), member(Value::Float(3.0)));
    assert_ne!(member(Value::Integer(3)), member(Value::Float(3.5)));
}

#[test]
fn images_are_asked_for_once_however_they_are_split() {
    let asked = Cell::new(0);
    let cells = [
        cell(1, |_| {}),
        cell(2, |settings| settings.dataset.split.validation = None),
        cell(3, |settings| settings.dataset.source = Source::Digits),
    ];
    let plan = plan_of(1, cells, |_| {
        asked.set(asked.get() + 1);
        digest_of(b"images")
    });
    assert_eq!(asked.get(), 2);
    assert_eq!(plan.datasets.len(), 2);
}

#[test]
fn the_cost_of_members_adds_up() {
    let plan = plan(2, [cell(1, |_| {}), cell(2, |settings| settings.train.epochs = 5)]);
    let members: Vec<usize> = (0..plan.members.len()).collect();
    let sizes =
        |_: &DatasetSettings| SplitSizes { train: 20, validation: 10, test: 20, classes: 2 };
    let facts = |measured: &'static dyn Fn(&Settings) -> Option<f64>| Facts {
        sizes: &sizes,
        measured,
        multiply_accumulates: &|_| Some(1_000),
        multiply_accumulates_per_second: &|_| 1e6,
        workers: 2,
    };
    // 2 × 20 × (3 + 5) images; 30 rows of 2 probabilities and a label, 2 bytes each, 4 times.
    let measured = estimate(&plan, &members, &facts(&|_| Some(10.0)));
    assert_eq!(measured.training_images, 320);
    assert_eq!(measured.prediction_bytes, 720);
    assert_eq!(measured.seconds, Some(16.0));
    assert_eq!(measured.basis, Basis::Measured);
    // A forward and two backward passes of 1,000 operations an image.
    let modelled = estimate(&plan, &members, &facts(&|_| None));
    assert!((modelled.seconds.unwrap() - 0.48).abs() < 1e-12);
    assert_eq!(modelled.basis, Basis::Modelled);
}

#[test]
fn a_training_costs_the_images_it_sees() {
    let images = |change: &dyn Fn(&mut Settings)| {
        let plan = plan(1, [cell(1, change)]);
        let facts = Facts {
            sizes: &|_| SplitSizes { train: 20, validation: 10, test: 20, classes: 2 },
            measured: &|_| Some(1.0),
            multiply_accumulates: &|_| None,
            multiply_accumulates_per_second: &|_| 1e6,
            workers: 1,
        };
        estimate(&plan, &[0], &facts).training_images
    };
    // Three epochs; with `retrain` three more of training and validation images.
    assert_eq!(images(&|_| {}), 60);
    assert_eq!(images(&|settings| settings.train.retrain = Some(Retrain::All)), 60 + 90);
    let bayes = LayerSettings::NaiveBayes { smoothing: 0.0, scaling: false };
    let fitted = |settings: &mut Settings| {
        settings.model.layers = vec![LayerSettings::Flatten, bayes.clone()];
    };
    assert_eq!(images(&fitted), 20);
}

fn drawn(text: &str) -> Plan {
    type Never = std::convert::Infallible;
    let document = Document::parse(text, "experiment.toml", &[]).unwrap();
    let grid = expand(document.experiment()).unwrap();
    Plan::draw(&document, &grid, "1", &mut |_| Ok::<_, Never>(digest_of(b"images"))).unwrap()
}

#[test]
fn a_file_becomes_a_plan_and_a_grown_grid_keeps_its_members() {
    let file = |rotations: &str, repeats: u32| {
        drawn(&format!(
            "name = \"x\"\nrepeats = {repeats}\n[dataset]\nsource = \"digits\"\n\
             [model]\npreset = \"small-cnn\"\n[[grid]]\n[grid.axes]\n\
             \"ensemble.size\" = [1, 3]\n\"augment.rotation\" = {rotations}\n"
        ))
    };
    let small = file("[0, 10]", 2);
    assert_eq!(small.cells[1].name, "ensemble.size=1 augment.rotation=10");
    assert_eq!((small.cells.len(), small.trials.len(), small.members.len()), (4, 8, 12));
    let large = file("[20, 0, 10.0]", 3);
    let ids = |plan: &Plan| plan.members.iter().map(|member| member.id).collect::<BTreeSet<_>>();
    assert_eq!(large.members.len(), 27);
    assert!(ids(&small).is_subset(&ids(&large)));
}

struct Known {
    members: BTreeMap<MemberId, MemberStanding>,
    trials: BTreeMap<TrialId, TrialStanding>,
}

impl Progress for Known {
    fn member(&self, id: &MemberId) -> MemberStanding {
        self.members.get(id).copied().unwrap_or(MemberStanding::Missing)
    }

    fn trial(&self, id: &TrialId) -> TrialStanding {
        self.trials.get(id).copied().unwrap_or(TrialStanding::Missing)
    }
}

#[test]
fn a_failed_trial_is_judged_again_when_its_members_finished_since() {
    let plan = plan(1, [cell(1, |settings| settings.ensemble.size = 2)]);
    let trials = BTreeMap::from([(plan.trials[0].id, TrialStanding::Failed)]);
    let judged = |second: MemberStanding| {
        let members = BTreeMap::from([
            (plan.members[0].id, MemberStanding::Finished),
            (plan.members[1].id, second),
        ]);
        !outstanding(&plan, &Known { members, trials: trials.clone() }).trials.is_empty()
    };
    assert!(judged(MemberStanding::Finished));
    assert!(judged(MemberStanding::Missing));
    assert!(!judged(MemberStanding::GivenUp));
}

/// Neighbouring values of one setting, to permute.
fn some_cells() -> impl Strategy<Value = Vec<CellDraft>> {
    let sizes = prop::collection::vec((0i64..6, 1u32..4), 1..10);
    sizes.prop_map(|sizes| {
        let distinct: BTreeSet<_> = sizes.into_iter().collect();
        distinct
            .into_iter()
            .map(|(x, size)| cell(x, |settings| settings.ensemble.size = size))
            .collect()
    })
}

proptest! {
    #[test]
    fn ids_depend_neither_on_the_order_of_cells_nor_on_other_cells(
        (cells, shuffled) in some_cells().prop_flat_map(|cells| {
            (Just(cells.clone()), Just(cells).prop_shuffle())
        }),
        kept in 1usize..10,
    ) {
        let all = plan(2, cells);
        let some = plan(2, shuffled.into_iter().take(kept));
        let known: BTreeMap<_, _> = (0..all.trials.len())
            .map(|trial| (all.trials[trial].id, member_ids(&all, trial)))
            .collect();
        for trial in 0..some.trials.len() {
            prop_assert_eq!(known.get(&some.trials[trial].id), Some(&member_ids(&some, trial)));
        }
    }

    #[test]
    fn outstanding_and_finished_partition_all(
        cells in some_cells(),
        repeats in 1u32..4,
        standings in prop::collection::vec(0u8..3, 64),
    ) {
        let plan = plan(repeats, cells);
        let finished = |index: usize| standings[index % 64] == 1;
        let given_up = |index: usize| standings[index % 64] == 2;
        let standing = |index: usize| match standings[index % 64] {
            0 => MemberStanding::Missing,
            1 => MemberStanding::Finished,
            _ => MemberStanding::GivenUp,
        };
        let scored = |trial: &Trial| trial.members.iter().all(|&index| finished(index));
        let known = Known {
            members: plan.members.iter().enumerate().map(|(at, member)| (member.id, standing(at))).collect(),
            trials: plan.trials.iter().filter(|trial| scored(trial))
                .map(|trial| (trial.id, TrialStanding::Finished)).collect(),
        };
        let left = outstanding(&plan, &known);
        for index in 0..plan.members.len() {
            let done = finished(index) || given_up(index);
            prop_assert_ne!(done, left.members.contains(&index));
        }
        for (index, trial) in plan.trials.iter().enumerate() {
            prop_assert_ne!(scored(trial), left.trials.contains(&index));
        }
    }
}

/// `cargo nextest run --release --run-ignored only -E 'test(a_hundred_thousand)' --no-capture`
#[test]
#[ignore = "measures; asserts nothing about time"]
fn a_hundred_thousand_cells_are_planned() {
    let text = "name = \"x\"\nrepeats = 5\n[dataset]\nsource = \"digits\"\nimage-size = 28\n\
                [model]\npreset = \"deotte-cnn\"\n[[grid]]\n[grid.axes]\n\
                \"augment.rotation\" = { from = 0, to = 99, step = 1 }\n\
                \"train.learning-rate.initial\" = { from = 0.001, to = 0.1, count = 100 }\n\
                \"train.epochs\" = { from = 1, to = 10, step = 1 }\n";
    let started = std::time::Instant::now();
    let plan = drawn(text);
    println!(
        "{} cells, {} members in {:?}",
        plan.cells.len(),
        plan.members.len(),
        started.elapsed()
    );
    assert_eq!((plan.cells.len(), plan.trials.len()), (100_000, 500_000));
}
