use proptest::prelude::*;

use super::super::testing::assert_close;
use super::*;

const FREEDOM: [f64; 6] = [2.0, 4.0, 2.0, 4.0, 3.0, 4.0];

fn cells(variances: &[f64], freedom: &[f64]) -> Vec<Variance> {
    let pairs = variances.iter().zip(freedom);
    pairs
        .map(|(&variance, &degrees_of_freedom)| Variance { variance, degrees_of_freedom })
        .collect()
}

fn assert_variances(found: &[Variance], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_close(found.variance / expected, 1.0, 1e-11);
    }
}

#[test]
fn moderated_variances_agree_with_limma() {
    // R: limma::squeezeVar(s2, df)$var.post, and pmin(df + df.prior, sum(df))
    let found = moderate(&cells(&[0.1, 1.9, 0.02, 3.2, 0.25, 30.0], &FREEDOM), 0.0);
    assert_variances(
        &found,
        &[
            0.152_680_631_918_373_72,
            1.582_483_682_846_025_6,
            0.098_662_514_963_341_64,
            2.630_454_712_988_23,
            0.252_963_936_896_906_27,
            24.234_780_565_150_594,
        ],
    );
    for (found, own) in found.iter().zip(FREEDOM) {
        assert_close(found.degrees_of_freedom, own + 0.961_969_224_754_606_9, 1e-12);
    }
}

#[test]
fn variances_that_differ_by_chance_alone_are_pooled_as_in_limma() {
    // R: limma::squeezeVar(s2, df): $df.prior is Inf, $var.post 1.24375
    let freedom = [2.0, 4.0, 2.0, 4.0, 3.0, 4.0, 1.0, 4.0];
    let found = moderate(&cells(&[0.4, 1.9, 0.7, 3.2, 0.25, 1.1, 0.9, 1.5], &freedom), 0.0);
    assert_variances(&found, &[1.243_75; 8]);
    assert!(
        found.iter().all(|own| (own.degrees_of_freedom - 24.0).abs() < 1e-12),
        "never more than all together"
    );
}

#[test]
fn variances_of_zero_are_offset_as_in_limma() {
    // R: limma::fitFDist(c(0, 2.5, 0.7, 0, 9.1), 2)
    let found = VariancePrior::fit(&cells(&[0.0, 2.5, 0.7, 0.0, 9.1], &[2.0; 5])).unwrap();
    assert_close(found.variance, 0.000_136_086_093_452_483_6, 1e-12);
    assert_close(found.degrees_of_freedom, 0.291_986_103_901_052_3, 1e-12);
}

#[test]
fn a_trend_agrees_with_limma() {
    // R: limma::squeezeVar(s2, df, covariate = mean)$var.post
    let freedom = [2.0, 4.0, 2.0, 4.0, 3.0, 4.0, 2.0, 4.0, 4.0, 4.0];
    let means = [99.1, 99.3, 98.5, 98.0, 97.2, 96.0, 95.5, 92.0, 90.1, 88.0];
    let smooth = [0.11, 0.02, 0.35, 0.6, 0.4, 1.9, 2.2, 9.0, 7.0, 5.0];
    assert_variances(
        &moderate_along(&cells(&smooth, &freedom), &means, 0.0),
        &[
            0.119_320_516_445_859_7,
            0.093_653_466_845_506_21,
            0.244_927_740_712_322,
            0.437_259_671_688_775_2,
            1.032_471_657_640_630_3,
            2.928_206_889_957_911_2,
            4.086_908_444_983_623,
            11.077_831_777_709_438,
            9.612_640_944_182_674,
            6.394_274_511_188_26,
        ],
    );
    let rough = [0.001_1, 0.02, 3.5, 0.6, 0.04, 1.9, 22.0, 9.0, 0.7, 50.0];
    assert_variances(
        &moderate_along(&cells(&rough, &freedom), &means, 0.0),
        &[
            0.003_971_462_364_483_24,
            0.017_793_270_505_169_59,
            2.442_063_964_478_424,
            0.502_228_632_597_450_5,
            0.068_988_281_297_239_78,
            1.674_910_335_418_624_3,
            15.603_558_374_081_965,
            8.078_231_777_808_188,
            1.187_386_102_241_234_9,
            41.406_993_388_735_52,
        ],
    );
}

#[test]
fn groups_are_moderated_each_among_itself() {
    let (small, large) = ([0.1, 1.9, 0.02, 3.2, 0.25, 30.0], [400.0, 900.0]);
    let own = cells(&[&small[..], &large].concat(), &[&FREEDOM[..], &[2.0; 2]].concat());
    let found = moderate_in_groups(&own, &[7, 7, 7, 7, 7, 7, 3, 3], 0.0);
    assert_eq!(found[..6], moderate(&own[..6], 0.0));
    assert_eq!(found[6..], own[6..], "two cells keep their own");
}

#[test]
fn a_variance_below_what_rounding_alone_gives_is_not_believed() {
    let found = moderate(&cells(&[0.0, 4.0], &[2.0, 2.0]), 0.25);
    assert_eq!(found, cells(&[0.25, 4.0], &[2.0, 2.0]));
    let still = cells(&[0.0; 4], &[2.0; 4]);
    assert_eq!(moderate(&still, 0.25), still, "where nothing varies, nothing is rounded by luck");
}

#[test]
fn a_single_value_borrows_the_spread_of_the_others() {
    let own = cells(&[0.1, 1.9, 0.02, 3.2, 0.25, 30.0, 0.0], &[2.0, 4.0, 2.0, 4.0, 3.0, 4.0, 0.0]);
    let found = moderate(&own, 0.0);
    assert_close(found[6].variance, 0.262_207_279_055_785_5, 1e-12);
    assert_close(found[6].degrees_of_freedom, 0.961_969_224_754_606_9, 1e-12);
    assert_eq!(found[..6], moderate(&own[..6], 0.0));
}

proptest! {
    #[test]
    fn a_moderated_variance_lies_between_its_own_and_the_common_one(
        own in prop::collection::vec(1e-3..1e3_f64, 3..30),
    ) {
        let own = cells(&own, &vec![4.0; own.len()]);
        let prior = VariancePrior::fit(&own).unwrap();
        for (own, found) in own.iter().zip(moderate(&own, 0.0)) {
            let (low, high) = (own.variance.min(prior.variance), own.variance.max(prior.variance));
            prop_assert!(low * (1.0 - 1e-12) <= found.variance);
            prop_assert!(found.variance <= high * (1.0 + 1e-12));
            prop_assert!(found.degrees_of_freedom >= own.degrees_of_freedom);
        }
    }
}
