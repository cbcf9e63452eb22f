use super::*;
use crate::experiment::ConfusionPair;
use crate::record::LogProbabilities;
use crate::results::ExperimentResults;
use crate::results::fixture::{self, HandMade};

/// Two classes, four images of classes 0, 0, 1, 1; `ones` are the probabilities of class 1.
fn network(ones: [f32; 4]) -> Predictions {
    Predictions {
        test: LogProbabilities::of_probabilities(2, ones.iter().flat_map(|one| [1.0 - one, *one])),
        test_labels: vec![0, 0, 1, 1],
        ..Predictions::default()
    }
}

/// Two cells: single networks, and ensembles of two; three repeats of two networks each.
fn networks() -> Vec<Predictions> {
    vec![
        network([0.1, 0.6, 0.9, 0.9]),
        network([0.1, 0.1, 0.9, 0.2]),
        network([0.1, 0.7, 0.9, 0.9]),
        network([0.1, 0.1, 0.9, 0.9]),
        network([0.1, 0.2, 0.9, 0.9]),
        network([0.8, 0.2, 0.9, 0.9]),
    ]
}

fn results() -> ExperimentResults {
    let axes: [(&str, &[&str]); 1] = [("ensemble.size", &["1", "2"])];
    let cells: [HandMade<'_>; 2] = [(&[Some("1")], &[60, 70, 50]), (&[Some("2")], &[6, 7, 5])];
    fixture::experiment("ensembles", &axes, &cells)
}

fn examined(results: &ExperimentResults, networks: &[Option<Predictions>]) -> Option<Predicted> {
    let trial = |cell, members: &[usize]| TrialMembers { cell, members: members.to_vec() };
    examine(
        results,
        Stored {
            trials: vec![
                trial(0, &[0]),
                trial(0, &[2]),
                trial(0, &[4]),
                trial(1, &[0, 1]),
                trial(1, &[2, 3]),
                trial(1, &[4, 5]),
            ],
            combine: vec![Combine::Mean; 2],
            classes: vec!["cat".to_owned(), "dog".to_owned()],
            read: &mut |member| networks[member].clone(),
        },
    )
}

fn all() -> Vec<Option<Predictions>> {
    networks().into_iter().map(Some).collect()
}

#[test]
fn ensembles_of_every_size_come_from_the_networks_of_all_repeats() {
    let found = examined(&results(), &all()).unwrap();
    assert_eq!(found.ensembles.len(), 1);
    let group = &found.ensembles[0];
    assert_eq!((group.cells.as_slice(), group.members), (&[0, 1][..], 6));
    let sizes: Vec<(usize, usize)> =
        group.points.iter().map(|point| (point.size, point.ensembles)).collect();
    assert_eq!(sizes, [(1, 6), (2, 3), (3, 2), (4, 1), (5, 1), (6, 1)]);
    // By hand: the single networks get 3, 3, 3, 4, 4 and 3 of 4 images right.
    assert!((group.points[0].mean - 20.0 / 24.0).abs() < 1e-12);
    // Pairs, mean of the ones: (.1 .35 .9 .55), (.1 .4 .9 .9), (.45 .2 .9 .9).
    assert!((group.points[1].mean - 1.0).abs() < 1e-12, "{:?}", group.points[1]);
    // Networks drawn anew: single ones get 3 or 4 right.
    assert_eq!(group.points[0].resampled95, Some((0.75, 1.0)));
}

#[test]
fn the_confusion_of_the_best_cell_counts_every_image_of_every_trial() {
    let mut results = results();
    results.facts.report.confusion = true;
    results.facts.report.gallery = 5;
    results.cells.reverse();
    results.cells.iter_mut().for_each(|cell| cell.values[0] = None);
    // Reversed, the errors make the second cell, of single networks, the worse one.
    let found = examined(&results, &all()).unwrap();
    let confusion = found.confusion.unwrap();
    assert_eq!((confusion.cell, confusion.trials), (0, 3));
    assert_eq!(confusion.classes, ["cat", "dog"]);
    // Networks 0, 2 and 4: image 1 (a cat) is taken for a dog twice.
    assert_eq!(confusion.counts, [vec![4, 2], vec![0, 6]]);
    assert_eq!(confusion.images_of(0), 2);
    let gallery = &found.galleries[0];
    assert_eq!((gallery.total, gallery.items.len()), (1, 1));
    let item = &gallery.items[0];
    assert_eq!((item.row, item.truth, item.predicted, item.times, item.wrong), (1, 0, 1, 2, 2));
}

#[test]
fn a_gallery_of_one_confusion_shows_only_it_and_an_unknown_class_is_told() {
    let mut results = results();
    let pair = |truth: &str, predicted: &str| ConfusionPair {
        truth: truth.to_owned(),
        predicted: predicted.to_owned(),
    };
    results.facts.report.gallery_of = vec![pair("cat", "dog"), pair("dog", "cow")];
    let mut networks = networks();
    networks[5] = network([0.9, 0.9, 0.9, 0.1]);
    networks[4] = network([0.9, 0.9, 0.9, 0.1]);
    let networks: Vec<_> = networks.into_iter().map(Some).collect();
    let found = examined(&results, &networks).unwrap();
    assert_eq!(found.galleries.len(), 1);
    let rows: Vec<usize> = found.galleries[0].items.iter().map(|item| item.row).collect();
    assert_eq!(rows, [0, 1]);
    assert!(
        found.notes[0].contains("`cow`") && found.notes[0].contains("cat, dog"),
        "{:?}",
        found.notes
    );
}

#[test]
fn missing_predictions_cost_their_trials_and_are_told() {
    let mut networks = all();
    networks[1] = None;
    let found = examined(&results(), &networks).unwrap();
    assert_eq!(found.ensembles[0].members, 5);
    assert_eq!(found.variances.iter().map(|one| one.trials).collect::<Vec<_>>(), [3, 2]);
    assert!(found.notes[0].starts_with("the predictions of 1 network are missing"));
    assert_eq!(examined(&results(), &vec![None; 6]), None);
}

#[test]
fn the_nearest_cells_are_compared_image_by_image() {
    let found = examined(&results(), &all()).unwrap();
    assert_eq!(found.versus_best.len(), 1);
    let nearest = &found.versus_best[0];
    assert_eq!(nearest.cell, 0);
    // The majority of networks 0, 2 and 4 gets image 1 wrong, that of the pairs none.
    assert_eq!((nearest.mcnemar.only_first, nearest.mcnemar.only_second), (0, 1));
    // Accuracies .75, .75, 1 against 1, 1, 1.
    assert!((nearest.two_way.unwrap().difference + 1.0 / 6.0).abs() < 1e-12);
}

#[test]
fn votes_decide_before_probabilities() {
    let members = [network([0.4; 4]), network([0.4; 4]), network([0.99; 4])];
    let members: Vec<members::Network> = members.iter().map(members::Network::of).collect();
    let members: Vec<&members::Network> = members.iter().collect();
    assert_eq!(members::classify(&members, Combine::Mean).unwrap(), [1; 4]);
    assert_eq!(members::classify(&members, Combine::Vote).unwrap(), [0; 4]);
}
