use proptest::prelude::*;

use super::super::testing::{SKEWED, assert_close};
use super::*;

const SIX: [f64; 6] = [0.9812, 0.9834, 0.9799, 0.9841, 0.9825, 0.9830];

#[test]
fn a_small_sample_agrees_with_scipy() {
    let found = Summary::of(&SIX).unwrap();
    assert_eq!(found.n, 6);
    // numpy.mean, numpy.std(ddof=1), scipy.stats.sem
    assert_close(found.mean, 0.982_35, 1e-14);
    assert_close(found.sd.unwrap(), 0.001_544_991_909_363_938_2, 1e-14);
    assert_close(found.se.unwrap(), 0.000_630_740_305_778_327_4, 1e-14);
    // scipy.stats.t.interval(0.95, 5, mean, sem)
    let (low, high) = found.interval95.unwrap();
    assert_close(low, 0.980_728_630_426_962_3, 1e-12);
    assert_close(high, 0.983_971_369_573_037_3, 1e-12);
    assert_eq!(found.interval_method, Some(IntervalMethod::StudentT));
    // numpy.median, scipy.stats.trim_mean(v, 0.25)
    assert_close(found.median, 0.982_75, 1e-14);
    assert_close(found.interquartile_mean, 0.982_525, 1e-14);
    // mean + sd * scipy.stats.norm.ppf((6 - 0.375) / (6 + 0.25))
    assert_close(found.expected_max.unwrap(), 0.984_329_986_800_198_9, 1e-12);
    assert_eq!(
        (found.min.to_bits(), found.max.to_bits()),
        (0.9799_f64.to_bits(), 0.9841_f64.to_bits())
    );
}

#[test]
fn the_interval_is_students_at_every_size_and_a_bootstrap_stands_beside_it_from_twenty_on() {
    let found = Summary::of(&SKEWED).unwrap();
    assert_eq!(found.interval_method, Some(IntervalMethod::StudentT));
    // scipy.stats.t.interval(0.95, 24, mean, sem)
    let (low, high) = found.interval95.unwrap();
    assert_close(low, 0.986_010_562_823_403_6, 1e-12);
    assert_close(high, 0.987_885_437_176_596_5, 1e-12);
    // scipy.stats.trim_mean(w, 0.25)
    assert_close(found.interquartile_mean, 0.987_107_692_307_692_3, 1e-14);
    // As in `stats::bootstrap`
    assert_eq!(found.bca_interval95, None);
    let (low, high) = found.with_bootstrap(&SKEWED).bca_interval95.unwrap();
    assert_close(low, 0.985_704, 4e-5);
    assert_close(high, 0.987_6, 4e-5);
    let few = &SKEWED[..19];
    assert_eq!(Summary::of(few).unwrap().with_bootstrap(few).bca_interval95, None);
}

#[test]
fn an_interval_ends_where_values_do() {
    let found = Summary::of(&[0.95, 0.99]).unwrap();
    assert!(found.interval95.unwrap().1 > 1.0);
    let (low, high) = found.within((0.0, 1.0)).interval95.unwrap();
    assert!(low > 0.7 && high >= 1.0 && high <= 1.0, "{low} {high}");
}

#[test]
fn a_single_value_has_no_spread() {
    let found = Summary::of(&[0.7]).unwrap();
    assert_eq!((found.n, found.sd, found.se, found.interval95), (1, None, None, None));
    assert_eq!((found.interval_method, found.expected_max), (None, None));
    for value in [found.mean, found.median, found.interquartile_mean, found.min, found.max] {
        assert_eq!(value.to_bits(), 0.7_f64.to_bits());
    }
}

#[test]
fn equal_values_have_no_interval() {
    for n in [2, 30] {
        let found = Summary::of(&vec![0.1; n]).unwrap();
        assert_eq!((found.sd, found.interval95), (Some(0.0), None));
        assert_eq!(found.expected_max, Some(0.1));
    }
}

#[test]
fn no_values_or_a_nan_give_nothing() {
    assert_eq!(Summary::of(&[]), None);
    assert_eq!(Summary::of(&[0.5, f64::NAN]), None);
    assert_eq!(Summary::of(&[0.5, f64::INFINITY]), None);
    assert_eq!(Summary::of(&[f64::MAX, f64::MIN]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_location_lies_between_min_and_max(
        values in prop::collection::vec(-1e9..1e9_f64, 1..40),
    ) {
        let found = Summary::of(&values).unwrap();
        for location in [found.mean, found.median, found.interquartile_mean] {
            prop_assert!(found.min <= location && location <= found.max);
        }
        if let Some((low, high)) = found.interval95 {
            prop_assert!(low <= found.mean && found.mean <= high);
        }
    }

    #[test]
    fn the_order_of_the_values_plays_no_part(
        values in prop::collection::vec(0.0..1.0_f64, 1..30),
        seed: u64,
    ) {
        let mut shuffled = values.clone();
        super::super::Draws::new(seed).shuffle(&mut shuffled);
        prop_assert_eq!(Summary::of(&values), Summary::of(&shuffled));
    }
}
