use proptest::prelude::*;

use super::*;
use crate::data::ImageShape;

fn pool(labels: &[u16], test_from: Option<usize>) -> Dataset {
    let classes = labels.iter().copied().max().unwrap_or(0) + 1;
    Dataset::new(
        "pool",
        ImageShape { height: 1, width: 1, channels: 1 },
        (0..classes).map(|class| class.to_string()).collect(),
        vec![0; labels.len()],
        labels.to_vec(),
        test_from,
    )
}

fn cycle(images: usize, classes: u16) -> Vec<u16> {
    (0..images).map(|image| image as u16 % classes).collect()
}

fn settings(validation: Option<Share>, test: Option<Share>) -> SplitSettings {
    let seed = SplitSeed::Trial;
    SplitSettings { train: None, validation, test, stratify: false, seed, folds: None }
}

fn trial(repeat: u32, member: u32) -> SeedPath {
    SeedPath::member(Seed(42), repeat, member)
}

fn counts(part: &[u32], labels: &[u16], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &image in part {
        counts[usize::from(labels[image as usize])] += 1;
    }
    counts
}

#[test]
fn without_a_test_file_a_fifth_of_the_pool_tests() {
    let pool = pool(&cycle(1000, 10), None);
    let splits = divide(&pool, &settings(None, None), None, trial(0, 0)).unwrap();
    assert_eq!((splits.train.len(), splits.validation.len(), splits.test.len()), (800, 0, 200));
}

#[test]
fn a_test_file_tests_and_fractions_are_of_the_rest() {
    let pool = pool(&cycle(1000, 10), Some(900));
    let settings = settings(Some(Share::Fraction(0.1)), None);
    let splits = divide(&pool, &settings, None, trial(0, 0)).unwrap();
    assert!(splits.test.iter().copied().eq(900..1000));
    assert_eq!((splits.train.len(), splits.validation.len()), (810, 90));
}

#[test]
fn fractions_of_all_parts_are_of_the_whole_pool() {
    let sizes = |images, train, validation: Option<f64>, test| {
        let pool = pool(&cycle(images, 10), None);
        let settings = SplitSettings {
            train: Some(Share::Fraction(train)),
            ..settings(validation.map(Share::Fraction), Some(Share::Fraction(test)))
        };
        let splits = divide(&pool, &settings, None, trial(0, 0)).unwrap();
        [splits.train.len(), splits.validation.len(), splits.test.len()]
    };
    // 0.8, 0.1 and 0.1 of 1,797 are 1,437.6, 179.7 and 179.7, which would round to 1,798.
    assert_eq!(sizes(1797, 0.8, Some(0.1), 0.1), [1437, 180, 180]);
    assert_eq!(sizes(1000, 0.5, Some(0.2), 0.1), [500, 200, 100]);
    assert_eq!(sizes(1000, 0.7, None, 0.3), [700, 0, 300]);
    assert_eq!(sizes(1000, 0.5, None, 0.3), [500, 0, 300]);
}

#[test]
fn fractions_beside_a_test_file_are_of_the_rest_and_fill_it() {
    let pool = pool(&cycle(100, 10), Some(85));
    let half = Some(Share::Fraction(0.5));
    let settings = SplitSettings { train: half, ..settings(half, None) };
    let splits = divide(&pool, &settings, None, trial(0, 0)).unwrap();
    // Both halves of 85 round to 43.
    assert_eq!((splits.train.len(), splits.validation.len(), splits.test.len()), (42, 43, 15));
}

#[test]
fn the_test_images_are_those_of_every_trial_member_and_master_seed() {
    let pool = pool(&cycle(500, 10), None);
    let settings = SplitSettings {
        seed: SplitSeed::Member,
        ..settings(Some(Share::Count(100)), Some(Share::Count(50)))
    };
    let of = |path| divide(&pool, &settings, None, path).unwrap();
    let reference = of(trial(0, 0));
    for path in [trial(1, 0), trial(0, 1), SeedPath::member(Seed(7), 0, 0)] {
        let other = of(path);
        assert_eq!(reference.test, other.test);
        assert_ne!(reference.validation, other.validation);
    }
}

#[test]
fn a_trial_seed_gives_all_members_of_a_trial_one_split() {
    let pool = pool(&cycle(500, 10), None);
    let settings = settings(Some(Share::Count(100)), None);
    let of = |path| divide(&pool, &settings, None, path).unwrap();
    assert_eq!(of(trial(3, 0)), of(trial(3, 9)));
    assert_ne!(of(trial(3, 0)).validation, of(trial(4, 0)).validation);
}

#[test]
fn a_fixed_seed_gives_all_trials_one_split_and_another_number_another() {
    let pool = pool(&cycle(500, 10), None);
    let of = |seed, path| {
        let seed = SplitSeed::Fixed(seed);
        let settings = SplitSettings { seed, ..settings(Some(Share::Count(100)), None) };
        divide(&pool, &settings, None, path).unwrap()
    };
    assert_eq!(of(1, trial(0, 0)), of(1, SeedPath::member(Seed(8), 5, 2)));
    assert_ne!(of(1, trial(0, 0)).validation, of(2, trial(0, 0)).validation);
    assert_ne!(of(1, trial(0, 0)).test, of(2, trial(0, 0)).test);
}

#[test]
fn explicit_ranges_are_taken_as_typed() {
    // Seed 004: 60000/5000/5000 of MNIST's 70000, here a thousandth of it.
    let pool = pool(&cycle(70, 10), Some(60));
    let settings = SplitSettings {
        train: Some(Share::Range { from: 0, to: 60 }),
        ..settings(Some(Share::Range { from: 60, to: 65 }), Some(Share::Range { from: 65, to: 70 }))
    };
    let splits = divide(&pool, &settings, None, trial(0, 0)).unwrap();
    assert!(splits.train.into_iter().eq(0..60));
    assert!(splits.validation.into_iter().eq(60..65));
    assert!(splits.test.into_iter().eq(65..70));
}

#[test]
fn parts_that_overlap_are_an_error_that_names_the_image() {
    let pool = pool(&cycle(70, 10), Some(60));
    let settings = settings(Some(Share::Range { from: 50, to: 62 }), None);
    let error = split(&pool, &settings, None, trial(0, 0)).unwrap_err();
    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert_eq!(
        cause,
        "image 60 is both a test and a validation image, expected each image in one part at most"
    );
    assert_eq!(
        error.hint().as_deref(),
        Some("change `dataset.split.test` or `dataset.split.validation`")
    );
}

#[test]
fn shares_that_cannot_be_had_are_errors() {
    let pool = pool(&cycle(10, 2), None);
    let of = |settings: &SplitSettings, limit| divide(&pool, settings, limit, trial(0, 0));
    let validation = Split::Validation;
    assert_eq!(
        of(&settings(Some(Share::Count(9)), None), None),
        Err(SplitError::TooMany { part: validation, wanted: 9, left: 8 })
    );
    assert_eq!(
        of(&settings(Some(Share::Count(8)), None), None),
        Err(SplitError::NoTraining { images: 10 })
    );
    assert_eq!(of(&settings(None, None), Some(0)), Err(SplitError::NoTraining { images: 10 }));
    assert_eq!(
        of(&settings(Some(Share::Fraction(0.01)), None), None),
        Err(SplitError::Fraction { part: validation, fraction: 0.01, images: 8 })
    );
    assert_eq!(
        of(&settings(Some(Share::Range { from: 5, to: 11 }), None), None),
        Err(SplitError::Range { part: validation, from: 5, to: 11, images: 10 })
    );
}

#[test]
fn the_training_limit_keeps_a_mixed_part_and_the_test_images() {
    // Sorted by class, as a folder of PNG files is.
    let labels: Vec<u16> = (0..1000).map(|image| image / 100).collect();
    let pool = pool(&labels, None);
    let settings = SplitSettings { stratify: true, ..settings(None, None) };
    let full = divide(&pool, &settings, None, trial(0, 0)).unwrap();
    let half = divide(&pool, &settings, Some(400), trial(0, 0)).unwrap();
    let few = divide(&pool, &settings, Some(100), trial(0, 0)).unwrap();
    assert_eq!(full.test, few.test);
    assert_eq!(counts(&few.train, &labels, 10), [10; 10]);
    assert!(few.train.iter().all(|image| half.train.contains(image)));
    assert!(half.train.iter().all(|image| full.train.contains(image)));
}

#[test]
fn largest_remainders_give_the_proportions_of_the_textbook() {
    // Hamilton's method on votes 47000, 16000, 15900, 12000, 6000, 3100 for 10 seats.
    let votes = [47_000, 16_000, 15_900, 12_000, 6_000, 3_100];
    assert_eq!(proportional(&votes, 10), [5, 2, 1, 1, 1, 0]);
    assert_eq!(proportional(&[1, 1, 1], 2), [1, 1, 0]);
    assert_eq!(proportional(&[], 0), [0; 0]);
}

proptest! {
    #[test]
    fn every_image_is_in_one_part_and_every_part_in_order(
        labels in prop::collection::vec(0_u16..5, 10..200),
        validation in 0.1..0.5_f64,
        test in 0.1..0.4_f64,
        stratify: bool,
        repeat: u32,
    ) {
        let pool = pool(&labels, None);
        let settings = SplitSettings {
            stratify,
            ..settings(Some(Share::Fraction(validation)), Some(Share::Fraction(test)))
        };
        let splits = divide(&pool, &settings, None, trial(repeat, 0)).unwrap();
        for part in [&splits.train, &splits.validation, &splits.test] {
            prop_assert!(part.is_sorted_by(|a, b| a < b));
        }
        let mut all = [&splits.train[..], &splits.validation, &splits.test].concat();
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..labels.len() as u32));
        prop_assert_eq!(splits.test.len(), (test * labels.len() as f64).round() as usize);
    }

    #[test]
    fn a_stratified_part_is_within_one_image_of_each_class_s_proportion(
        labels in prop::collection::vec(0_u16..7, 20..300),
        wanted in 1_usize..20,
        key: u64,
    ) {
        let all: Vec<u32> = (0..labels.len() as u32).collect();
        let part = choose(&all, wanted, &labels, true, &mut Counter::new(key));
        prop_assert_eq!(part.len(), wanted);
        let (of_all, of_part) = (counts(&all, &labels, 7), counts(&part, &labels, 7));
        for (all_of_class, part_of_class) in of_all.into_iter().zip(of_part) {
            let exact = wanted as f64 * all_of_class as f64 / labels.len() as f64;
            prop_assert!((part_of_class as f64 - exact).abs() < 1.0);
        }
    }
}

#[test]
fn folds_are_disjoint_parts_of_what_test_leaves_with_the_proportions_of_the_classes() {
    let labels: Vec<u16> = cycle(103, 7);
    let pool = pool(&labels, Some(90));
    let settings = SplitSettings { folds: Some(5), ..settings(None, None) };
    let fold = |repeat| split(&pool, &settings, None, trial(repeat, 3)).unwrap();
    let mut seen = vec![0; 103];
    for repeat in 0..5 {
        let splits = fold(repeat);
        assert_eq!(splits.test, (90..103).collect::<Vec<u32>>());
        assert_eq!(splits.validation.len() + splits.train.len(), 90);
        assert_eq!(splits.validation.len(), 18);
        // 90 images of 7 classes: 13 or 12 of each, 2 or 3 of them in a fifth.
        let counts = counts(&splits.validation, &labels, 7);
        assert!(counts.iter().all(|count| (2..=3).contains(count)), "{counts:?}");
        splits.validation.iter().for_each(|&image| seen[image as usize] += 1);
    }
    assert_eq!(seen, [vec![1; 90], vec![0; 13]].concat());
    assert_eq!(fold(5), fold(0));
    let other = SeedPath::member(Seed(43), 0, 0);
    assert_ne!(split(&pool, &settings, None, other).unwrap(), fold(0));
    let tiny = SplitSettings { folds: Some(100), ..settings };
    assert_eq!(
        divide(&pool, &tiny, None, trial(0, 0)),
        Err(SplitError::Folds { folds: 100, images: 90 })
    );
}
