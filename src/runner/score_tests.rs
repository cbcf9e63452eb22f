use super::*;
use crate::base::{MemberId, Seed, SeedPath, digest_of};
use crate::record::{MemberSummary, Outcome, Selection};

fn record(seconds: f64, images: u64, memory: f64) -> MemberRecord {
    MemberRecord {
        id: MemberId::from(digest_of(b"member")),
        seed_path: SeedPath::member(Seed(1), 0, 0),
        attempt: 1,
        outcome: Outcome::Completed,
        reason: None,
        epochs: vec![],
        summary: Some(MemberSummary {
            epochs: 4,
            selected_epoch: 4,
            selection: Selection::Last,
            metrics: Metrics::from([
                (MetricName::TRAIN_SECONDS, seconds),
                (MetricName::PEAK_MEMORY, memory),
                (MetricName::TRAIN_ACCURACY, 0.5),
            ]),
            trainable_parameters: 1,
            path: "scripted".to_owned(),
            images_trained: images,
        }),
    }
}

fn predictions(test: &[f32], test_labels: &[u16]) -> Predictions {
    Predictions {
        test: LogProbabilities::of_probabilities(3, test.iter().copied()),
        test_labels: test_labels.to_vec(),
        ..Predictions::default()
    }
}

/// Scores members that gave these probabilities of three classes.
fn scored(members: &[&[f32]], labels: &[u16], combine: Combine) -> Result<Metrics, String> {
    let record = record(2.0, 100, 8.0);
    let members: Vec<Scored<'_>> = members
        .iter()
        .map(|values| Scored { record: &record, predictions: predictions(values, labels) })
        .collect();
    score(&members, combine, SplitSeed::Trial)
}

fn close(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
}

#[test]
fn the_mean_follows_confidence_and_the_vote_follows_heads() {
    // Two lukewarm members say class 0, one confident member says class 1.
    let members: [&[f32]; 3] = [&[0.5, 0.25, 0.25], &[0.5, 0.25, 0.25], &[0.0, 1.0, 0.0]];
    let accuracy =
        |label, combine| scored(&members, &[label], combine).unwrap()[&MetricName::TEST_ACCURACY];
    close(accuracy(1, Combine::Mean), 1.0);
    close(accuracy(0, Combine::Mean), 0.0);
    close(accuracy(1, Combine::Vote), 0.0);
    close(accuracy(0, Combine::Vote), 1.0);
}

#[test]
fn predicted_classes_are_those_the_accuracy_counts() {
    let members = [
        predictions(&[0.5, 0.25, 0.25, 0.0, 0.1, 0.9], &[0, 1]),
        predictions(&[0.0, 1.0, 0.0, 0.0, 0.2, 0.8], &[0, 1]),
        predictions(&[0.5, 0.25, 0.25, 0.0, 0.3, 0.7], &[0, 1]),
    ];
    assert_eq!(predicted_classes(&members, Combine::Mean), Some(vec![1, 2]));
    assert_eq!(predicted_classes(&members, Combine::Vote), Some(vec![0, 2]));
    assert_eq!(predicted_classes(&[], Combine::Vote), None);
    let other = [members[0].clone(), predictions(&[0.5, 0.25, 0.25], &[0])];
    assert_eq!(predicted_classes(&other, Combine::Mean), None);
}

#[test]
fn a_tied_vote_goes_to_the_larger_mean_among_the_tied() {
    // One vote each for classes 0 and 1; class 2 has the largest mean but no vote.
    let members: [&[f32]; 2] = [&[0.5, 0.0625, 0.4375], &[0.0, 0.5625, 0.4375]];
    let metrics = scored(&members, &[1], Combine::Vote).unwrap();
    close(metrics[&MetricName::TEST_ACCURACY], 1.0);
    let metrics = scored(&members, &[2], Combine::Mean).unwrap();
    close(metrics[&MetricName::TEST_ACCURACY], 1.0);
}

#[test]
fn metrics_of_a_small_ensemble_agree_with_hand_arithmetic() {
    let first: &[f32] = &[0.5, 0.25, 0.25, 0.25, 0.5, 0.25];
    let second: &[f32] = &[0.25, 0.5, 0.25, 0.0, 1.0, 0.0];
    let metrics = scored(&[first, second], &[0, 1], Combine::Mean).unwrap();
    // Means 0.375 0.375 0.25 (the first of equals wins) and 0.125 0.75 0.125.
    close(metrics[&MetricName::TEST_ACCURACY], 1.0);
    close(metrics[&MetricName::TEST_LOSS], -(0.375f64.ln() + 0.75f64.ln()) / 2.0);
    close(metrics[&MetricName::MEMBER_TEST_ACCURACY], 0.75);
    close(metrics[&MetricName::TRAIN_SECONDS], 4.0);
    close(metrics[&MetricName::IMAGES_PER_SECOND], 50.0);
    close(metrics[&MetricName::PEAK_MEMORY], 8.0);
    close(metrics[&MetricName::EPOCHS], 4.0);
    close(metrics[&MetricName::TRAIN_ACCURACY], 0.5);
    assert!(!metrics.contains_key(&MetricName::TRAIN_LOSS));
    assert!(!metrics.contains_key(&MetricName::VALIDATION_ACCURACY));
}

#[test]
fn an_over_confident_network_pays_for_its_mistakes_in_full() {
    // Nine of ten images certain and right, one wrong by 60 nats; a clip at 1e-7 gave 1.61.
    let mut logs = [0.0, -60.0, -60.0].repeat(10);
    logs[27..].copy_from_slice(&[-60.0, 0.0, -60.0]);
    let one = Predictions {
        test: LogProbabilities { classes: 3, values: logs },
        test_labels: vec![0; 10],
        ..Predictions::default()
    };
    let record = record(2.0, 100, 8.0);
    let scored = |count: usize| {
        let members: Vec<Scored<'_>> =
            (0..count).map(|_| Scored { record: &record, predictions: one.clone() }).collect();
        score(&members, Combine::Mean, SplitSeed::Trial).unwrap()[&MetricName::TEST_LOSS]
    };
    assert!((scored(1) - 6.0).abs() < 1e-9);
    assert!((scored(15) - 6.0).abs() < 1e-9);
}

#[test]
fn what_one_network_comes_to_is_what_its_evaluation_said() {
    let mut record = record(2.0, 100, 8.0);
    let stated = &mut record.summary.as_mut().unwrap().metrics;
    stated.insert(MetricName::TEST_ACCURACY, 0.75);
    stated.insert(MetricName::TEST_LOSS, 0.125);
    let member = || Scored { record: &record, predictions: predictions(&[0.5, 0.25, 0.25], &[1]) };
    let alone = score(&[member()], Combine::Mean, SplitSeed::Trial).unwrap();
    close(alone[&MetricName::TEST_ACCURACY], 0.75);
    close(alone[&MetricName::TEST_LOSS], 0.125);
    let together = score(&[member(), member()], Combine::Mean, SplitSeed::Trial).unwrap();
    close(together[&MetricName::TEST_ACCURACY], 0.0);
    close(together[&MetricName::MEMBER_TEST_ACCURACY], 0.75);
}

#[test]
fn members_with_validation_splits_of_their_own_are_averaged() {
    let record = record(1.0, 1, 1.0);
    let member = |values: &[f32], labels: &[u16]| Scored {
        record: &record,
        predictions: Predictions {
            validation: LogProbabilities::of_probabilities(3, values.iter().copied()),
            validation_labels: labels.to_vec(),
            ..predictions(&[1.0, 0.0, 0.0], &[0])
        },
    };
    let right = member(&[0.0, 1.0, 0.0], &[1]);
    let wrong = member(&[0.0, 0.75, 0.25], &[2]);
    let metrics = score(&[right, wrong], Combine::Mean, SplitSeed::Member).unwrap();
    close(metrics[&MetricName::VALIDATION_ACCURACY], 0.5);
    close(metrics[&MetricName::VALIDATION_LOSS], -(0.25f64.ln()) / 2.0);
}

#[test]
fn members_tested_on_different_images_have_no_score() {
    let record = record(1.0, 1, 1.0);
    let member =
        |label| Scored { record: &record, predictions: predictions(&[1.0, 0.0, 0.0], &[label]) };
    let message = score(&[member(0), member(1)], Combine::Mean, SplitSeed::Trial).unwrap_err();
    assert!(message.contains("not tested on the same images"), "{message}");
}
