//! `folds`: repeat r is fold r, and errors are those of folds that share training images.
#![cfg(unix)]

use crate::programs::script;
use crate::support::{Place, column};

const EXPERIMENT: &str = r#"
name = "cv"
folds = 5
[trainer]
engine = "command"
command = ["./train.sh", "{hyperparameters.c}", "{fold}"]
[hyperparameters]
c = 1
[metrics.test-accuracy]
unit = "fraction"
direction = "maximize"
[grid.axes]
"hyperparameters.c" = [1, 2]
"#;

/// Scores of five folds: those of the first cell are 0.9 each plus 0.012, 0.007, −0.001, 0.010, 0.004.
const SCRIPT: &str = "#!/bin/sh\ncase $1$2 in 10) a=912;; 11) a=907;; 12) a=899;; 13) a=910;; 14) a=904;; \
    *) a=900;; esac\nif [ \"$1\" = 2 ]; then a=$((a + $2 - 2)); fi\necho test-accuracy: 0.$a\n\
    cat \"$BENCH_TRIAL\" >> trials\n";

fn cv() -> Place {
    let place = Place::new();
    place.file("cv.toml", EXPERIMENT);
    script(&place, "train.sh", SCRIPT);
    place
}

fn close(found: &str, wanted: f64) {
    let found: f64 = found.parse().expect("a number");
    assert!((found - wanted).abs() < 1e-9, "{found} for {wanted}");
}

#[test]
fn a_repeat_is_a_fold_that_the_program_is_told() {
    let place = cv();
    let shown = place.done(&["run", "cv.toml"]);
    assert!(shown.contains("n = 5"), "as many repeats as folds: {shown}");
    let trials = place.read("results/cv/tables/trials.csv");
    let wanted = ["0.912", "0.907", "0.899", "0.91", "0.904"];
    assert_eq!(column(&trials, "test_accuracy")[..5], wanted);
    let told = place.read("trials");
    assert!(told.contains("\"fold\": 4") && told.contains("\"folds\": 5"), "{told}");
}

#[test]
fn errors_of_folds_are_those_of_nadeau_and_bengio() {
    let place = cv();
    let shown = place.done(&["run", "cv.toml"]);
    assert!(shown.contains("a trial is one of 5 folds, which share training images"), "{shown}");
    assert!(!shown.contains("bench confirm") && !shown.contains("fresh seeds"), "{shown}");
    let cells = place.read("results/cv/tables/cells.csv");
    // x = np.array([.912, .907, .899, .910, .904]); se = x.std(ddof=1) * np.sqrt(1/5 + 1/4)
    // scipy.stats.t.interval(0.95, 4, x.mean(), se)
    close(&column(&cells, "test_accuracy_se")[0], 0.003_440_203_482_353_918);
    close(&column(&cells, "test_accuracy_ci95_low")[0], 0.896_848_463_880_534_1);
    close(&column(&cells, "test_accuracy_ci95_high")[0], 0.915_951_536_119_465_9);
}

#[test]
fn cells_are_compared_by_the_corrected_resampled_test() {
    let place = cv();
    // The second cell is 0.9 in every fold.
    script(&place, "train.sh", &SCRIPT.replace("a=$((a + $2 - 2))", "a=900"));
    place.done(&["run", "cv.toml", "--quiet"]);
    let text = place.done(&[
        "compare",
        "results/cv",
        "--cell-a",
        "c=1",
        "--cell-b",
        "c=2",
        "--format",
        "json",
    ]);
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let pair = &found["pairs"][0];
    // d = np.array([.012, .007, -.001, .010, .004]); t = d.mean() / np.sqrt((1/5 + 1/4) * d.var(ddof=1))
    // 2 * scipy.stats.t.sf(t, 4)
    close(&pair["p"].to_string(), 0.136_344_393_109_254_6);
    assert!(pair["mann-whitney"].is_null() && pair["permutation"].is_null(), "{pair}");
    assert!(text.contains("trials are folds"), "{text}");
}

#[test]
fn the_gate_wants_the_same_folds_on_both_sides() {
    let place = cv();
    place.done(&["run", "cv.toml", "--quiet"]);
    place.done(&["baseline", "results/cv", "--output", "good.json"]);
    assert!(place.read("good.json").contains("\"folds\": 5"));
    let same = place.bench(&["check", "results/cv", "--baseline", "good.json"]);
    assert_eq!(same.code, 0, "{}", same.stderr);
    place.done(&["run", "cv.toml", "--quiet", "--set", "folds=4", "--out", "four"]);
    let other = place.bench(&["check", "four", "--baseline", "good.json"]);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("of 5 folds and the candidate of 4 folds"), "{}", other.stderr);
    let more = place.bench(&["check", "results/cv", "--baseline", "good.json", "--escalate"]);
    assert!(more.stderr.contains("of which there are no more"), "{}", more.stderr);
    let confirmed = place.bench(&["confirm", "results/cv"]);
    assert!(confirmed.stderr.contains("fresh seeds have none"), "{}", confirmed.stderr);
}

#[test]
fn the_number_of_folds_is_part_of_a_trial() {
    let place = cv();
    place.done(&["run", "cv.toml", "--quiet"]);
    let fewer = place.bench(&["run", "cv.toml", "--set", "repeats=2"]);
    assert!(fewer.stderr.contains("0 members trained"), "{}", fewer.stderr);
    let other = place.bench(&["run", "cv.toml", "--set", "folds=10"]);
    assert!(other.stderr.contains("20 members trained"), "{}", other.stderr);
}

#[test]
fn folds_that_mean_nothing_are_refused() {
    let place = cv();
    for (change, said) in [
        ("repeats=6", "`repeats` is 6, but a repeat is one of 5 `folds`"),
        ("folds=1", "expected a whole number of folds from 2 to 1000"),
    ] {
        let answer = place.bench(&["plan", "cv.toml", "--set", change]);
        assert_eq!(answer.code, 2, "{}", answer.stderr);
        assert!(answer.stderr.contains(said), "{}", answer.stderr);
    }
    place.file("none.toml", EXPERIMENT.replace("folds = 5\n", ""));
    let answer = place.bench(&["plan", "none.toml"]);
    assert!(
        answer.stderr.contains("`{fold}` is told where there are `folds`"),
        "{}",
        answer.stderr
    );
}

#[test]
fn of_our_own_data_the_validation_images_are_a_fold() {
    let place = Place::new();
    let text = crate::support::FAKE.replace("repeats = ", "folds = 3 # ");
    place.file("fake.toml", &text);
    let answer = place.bench(&["run", "fake.toml", "--quiet"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let both = place.bench(&["plan", "fake.toml", "--set", "dataset.split.validation=0.1"]);
    assert_eq!(both.code, 2, "{}", both.stderr);
    assert!(both.stderr.contains("`dataset.split.validation` says otherwise than `folds`"));
}
