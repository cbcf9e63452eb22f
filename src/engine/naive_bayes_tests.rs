use super::super::testing::{Silent, job, settings};
use super::super::weights::from_safetensors;
use super::*;
use crate::data::{ImageShape, Splits};

/// Twenty-four images of four pixels, the last of them constant, in three classes.
fn dataset() -> Dataset {
    let pixel = |image: usize, index: usize| match index {
        3 => 7,
        _ => {
            (37 * image * image + 91 * index + 60 * (image % 3) * (index % 2) + 13 * image * index)
                % 256
        }
    };
    let pixels =
        (0..24).flat_map(|image| (0..4).map(move |index| pixel(image, index) as u8)).collect();
    let labels = (0..24).map(|image| image % 3).collect();
    let classes = ["0", "1", "2"].map(str::to_owned).to_vec();
    Dataset::new(
        "made",
        ImageShape { height: 2, width: 2, channels: 1 },
        classes,
        pixels,
        labels,
        None,
    )
}

fn splits() -> Splits {
    Splits { train: (0..18).collect(), validation: Vec::new(), test: (18..24).collect() }
}

fn trained(smoothing: f64, scaling: bool) -> TrainOutput {
    let layers = vec![LayerSettings::Flatten, LayerSettings::NaiveBayes { smoothing, scaling }];
    let settings = settings(layers);
    let (dataset, splits) = (dataset(), splits());
    train(&job(&settings, &dataset, &splits, 0), &mut Silent).unwrap()
}

fn assert_near(found: &LogProbabilities, expected: &[[f64; 3]]) {
    assert_eq!(found.images(), expected.len());
    for (found, expected) in found.rows().zip(expected) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found).exp() - expected).abs() < 2e-5, "{found} is not {expected}");
        }
    }
}

#[test]
fn probabilities_are_those_of_scikit_learn() {
    // sklearn 1.9.1: GaussianNB(var_smoothing=1e-9).fit(X[:18] / 255, y[:18]).predict_proba(X[18:]),
    // X[i, p] = (37 i² + 91 p + 60 (i % 3)(p % 2) + 13 i p) % 256, X[i, 3] = 7, y = i % 3.
    let output = trained(1e-9, false);
    assert_near(
        &output.predictions.unwrap().test,
        &[
            [0.364_428, 0.251_59, 0.383_982],
            [0.511_08, 0.316_779, 0.172_141],
            [0.577_849, 0.002_94, 0.419_211],
            [0.366_894, 0.232_002, 0.401_104],
            [0.743_761, 0.000_429, 0.255_811],
            [0.307_14, 0.232_551, 0.460_31],
        ],
    );
    // The same model's score(X[:18], y[:18]).
    assert!((output.epochs[0].train_accuracy - 0.5).abs() < 1e-12);
}

#[test]
fn smoothing_is_a_share_of_the_largest_variance_in_scaled_units_where_asked_for() {
    // GaussianNB(var_smoothing=0.1), without and behind StandardScaler().
    assert_near(
        &trained(0.1, false).predictions.unwrap().test,
        &[
            [0.334_543, 0.265_461, 0.399_995],
            [0.493_696, 0.304_485, 0.201_819],
            [0.536_949, 0.006_951, 0.4561],
            [0.345_667, 0.245_509, 0.408_824],
            [0.682_841, 0.001_444, 0.315_715],
            [0.309_861, 0.245_17, 0.444_969],
        ],
    );
    assert_near(
        &trained(0.1, true).predictions.unwrap().test,
        &[
            [0.332_242, 0.268_329, 0.399_429],
            [0.493_528, 0.304_272, 0.2022],
            [0.538_01, 0.006_916, 0.455_074],
            [0.346_124, 0.246_405, 0.407_471],
            [0.680_835, 0.001_451, 0.317_714],
            [0.310_442, 0.244_917, 0.444_641],
        ],
    );
}

#[test]
fn saved_numbers_predict_to_the_bit_what_their_training_predicted() {
    let output = trained(1e-3, true);
    let weights = from_safetensors(&output.weights.unwrap()).unwrap();
    let predicted = predict(&dataset(), &splits().test, &weights).unwrap();
    assert_eq!(predicted, output.predictions.unwrap().test);
    assert_eq!(output.summary.unwrap().trainable_parameters, 2 * 4 * 3 + 3);
}

#[test]
fn a_class_without_training_images_is_never_predicted() {
    let layers =
        vec![LayerSettings::Flatten, LayerSettings::NaiveBayes { smoothing: 1e-9, scaling: false }];
    let settings = settings(layers);
    let dataset = dataset();
    let splits = Splits {
        train: (0..18).filter(|image| image % 3 != 1).collect(),
        validation: Vec::new(),
        test: (18..24).collect(),
    };
    let output = train(&job(&settings, &dataset, &splits, 0), &mut Silent).unwrap();
    let test = output.predictions.unwrap().test;
    assert!(test.rows().all(|row| row[1] <= 0.0 && row.iter().all(|value| value.is_finite())));
}

#[test]
fn numbers_that_no_fit_gives_are_refused() {
    let output = trained(1e-3, false);
    let sound = from_safetensors(&output.weights.unwrap()).unwrap();
    let predicted = |weights: &[NamedTensor]| predict(&dataset(), &splits().test, weights);
    assert!(predicted(&sound).is_ok());
    for (role, value) in [
        ("mean", f32::NAN),
        ("mean", f32::INFINITY),
        ("variance", f32::NAN),
        ("variance", 0.0),
        ("variance", -1.0),
        ("variance", f32::INFINITY),
        ("log-share", f32::NAN),
        ("log-share", 0.5),
    ] {
        let mut weights = sound.clone();
        let tensor = weights.iter_mut().find(|tensor| tensor.name.ends_with(role)).unwrap();
        tensor.values[1] = value;
        let error = predicted(&weights).unwrap_err().to_string();
        assert!(error.contains(&format!("{role}` holds {value}")), "{error}");
    }
    let mut weights = sound;
    let shares = weights.iter_mut().find(|tensor| tensor.name.ends_with("log-share")).unwrap();
    shares.values.fill(f32::NEG_INFINITY);
    assert!(predicted(&weights).is_err());
}
