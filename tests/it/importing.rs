//! `bench import`: tables of other tools become results like any other.

use crate::support::{Place, column};

/// Two learning rates by two batches, three seeds each.
const RUNS: &str = "run,lr,batch,seed,acc,loss\n\
a,0.1,32,1,0.91,0.30\nb,0.1,32,2,0.92,0.29\nc,0.1,32,3,0.93,0.28\n\
d,0.1,64,1,0.81,0.40\ne,0.1,64,2,0.82,0.39\nf,0.1,64,3,0.83,0.38\n\
g,0.01,32,3,0.73,0.50\nh,0.01,32,2,0.72,0.49\ni,0.01,32,1,0.71,0.48\n\
j,0.01,64,1,0.61,0.60\nk,0.01,64,2,,\nl,0.01,64,3,nan,0.6\n";

fn import<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let usual =
        ["import", file, "--axes", "lr,batch", "--metric", "acc,loss", "--minimize", "loss"];
    [&usual[..], more].concat()
}

#[test]
fn a_table_becomes_results_that_every_command_reads() {
    let place = Place::new();
    place.file("runs.csv", RUNS);
    let answer = place.bench(&import("runs.csv", &["--repeat", "seed"]));
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("12 trials of 4 cells, 2 of them without a value"),
        "{}",
        answer.stderr
    );
    let report = place.done(&["report", "results/runs"]);
    assert!(report.contains("acc %, mean ± SD (n), n = 1 to 3"), "{report}");
    assert!(report.contains("best mean: 92.00 ± 1.00 %"), "{report}");
    let trials = place.read("results/runs/tables/trials.csv");
    // Repeats go by the seed, not by the order of the rows.
    assert_eq!(
        column(&trials, "acc"),
        ["0.71", "0.72", "0.73", "0.61", "", "", "0.91", "0.92", "0.93", "0.81", "0.82", "0.83"]
    );
    assert!(trials.contains("row 11 has no `acc`"), "{trials}");
    assert!(place.done(&["list"]).contains("runs"));
    assert!(place.done(&["show", "results/runs", "lr=0.1", "batch=32"]).contains("92.00"));
    place.done(&[
        "compare",
        "results/runs",
        "--cell-a",
        "lr=0.1,batch=32",
        "--cell-b",
        "lr=0.1,batch=64",
    ]);
}

#[test]
fn imported_numbers_are_gated_and_never_trained_on() {
    let place = Place::new();
    let whole = RUNS.replace("k,0.01,64,2,,", "k,0.01,64,2,0.62,0.6").replace("nan", "0.63");
    place.file("runs.csv", &whole);
    place.done(&import("runs.csv", &["--repeat", "seed"]));
    place.done(&["baseline", "results/runs", "--output", "base.json"]);
    place.file(
        "runs.csv",
        whole.replace("0.91,", "0.41,").replace("0.92,", "0.42,").replace("0.93,", "0.43,"),
    );
    place.done(&import("runs.csv", &["--repeat", "seed", "--out", "worse"]));
    let checked = place.bench(&["check", "worse", "--baseline", "base.json"]);
    assert_eq!(checked.code, 4, "{}{}", checked.stdout, checked.stderr);
    let more = place.bench(&["check", "worse", "--baseline", "base.json", "--escalate"]);
    assert_eq!(more.code, 2, "{}", more.stdout);
    assert!(more.stderr.contains("its numbers were imported"), "{}", more.stderr);
    // More rows are more trials of the same results.
    let again = place.bench(&import("runs.csv", &["--repeat", "seed", "--out", "worse"]));
    assert_eq!(again.code, 0, "{}", again.stderr);
}

#[test]
fn cells_of_unequal_numbers_of_rows_are_gated_at_one_look_at_all_of_them() {
    let place = Place::new();
    let rows = [(0.1, 7), (0.2, 5)].map(|(lr, count)| {
        let row = |seed| format!("{lr},32,{seed},{},0.1\n", 0.9 + lr * f64::from(seed) / 100.0);
        (1..=count).map(row).collect::<String>()
    });
    place.file("runs.csv", format!("lr,batch,seed,acc,loss\n{}", rows.concat()));
    place.done(&import("runs.csv", &[]));
    place.done(&["baseline", "results/runs", "--output", "base.json"]);
    let answer = place.bench(&["check", "results/runs", "--baseline", "base.json"]);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    assert!(answer.stdout.contains("7 trials against 7"), "{}", answer.stdout);
    assert!(!answer.stdout.contains("look"), "{}", answer.stdout);
}

#[test]
fn texts_that_would_be_one_number_stay_two_settings() {
    let place = Place::new();
    place.file("sets.csv", "set,seed,acc\n1.1,1,0.9\n1.1,2,0.8\n1.10,1,0.3\n1.10,2,0.2\n");
    let answer = place
        .bench(&["import", "sets.csv", "--axes", "set", "--metric", "acc", "--repeat", "seed"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(
        answer
            .stderr
            .contains("`set` is read as texts, because `1.1` and `1.10` would be the same"),
        "{}",
        answer.stderr
    );
    let cells = place.read("results/sets/tables/cells.csv");
    let means: Vec<f64> =
        column(&cells, "acc_mean").iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(means.len(), 2, "{cells}");
    assert!((means[0] - 0.85).abs() < 1e-9 && (means[1] - 0.25).abs() < 1e-9, "{cells}");
}

#[test]
fn json_gives_what_csv_gives_and_cells_need_not_be_a_product() {
    let place = Place::new();
    let rows = [
        r#"{"config": {"lr": 0.1, "batch": 32}, "summary": {"acc": 91.0, "loss": 1}}"#,
        r#"{"config": {"lr": 0.1, "batch": 32}, "summary": {"acc": 92.0, "loss": 1}}"#,
        r#"{"config": {"lr": 0.2, "batch": 64}, "summary": {"acc": 93.0, "loss": 1}}"#,
    ];
    place.file("runs.json", format!("[{}]", rows.join(",")));
    place.done(&import("runs.json", &["--name", "nested"]));
    let cells = place.read("results/nested/tables/cells.csv");
    assert_eq!(column(&cells, "acc_mean"), ["91.5", "93.0"]);
    assert_eq!(column(&cells, "hyperparameters.lr"), ["0.1", "0.2"]);
}

#[test]
fn what_a_table_lacks_is_named_with_what_it_has() {
    let place = Place::new();
    place.file("runs.csv", RUNS);
    let answer = place.bench(&["import", "runs.csv", "--axes", "rate", "--metric", "acc"]);
    assert_eq!(answer.code, 2);
    assert!(
        answer.stderr.contains("it has no column `rate` among `run`, `lr`"),
        "{}",
        answer.stderr
    );
    let twice = ["import", "runs.csv", "--axes", "lr", "--repeat", "seed", "--metric", "acc"];
    let twice = place.bench(&twice);
    assert_eq!(twice.code, 2);
    assert!(twice.stderr.contains("rows 1 and 4 are the same cell"), "{}", twice.stderr);
    let words = place.bench(&["import", "runs.csv", "--axes", "lr", "--metric", "run"]);
    assert!(words.stderr.contains("row 1: `run` is `a`, expected a number"), "{}", words.stderr);
}

#[test]
fn a_parquet_file_of_an_optuna_study_is_read_its_dates_left_out() {
    // `study.trials_dataframe().to_parquet(…)` of Optuna 5.
    let place = Place::new();
    let file = crate::support::root().join("tests/golden/foreign/optuna_study.parquet");
    let file = file.display().to_string();
    place.done(&[
        "import",
        &file,
        "--axes",
        "lr,optimizer",
        "--metric",
        "accuracy=value",
        "--name",
        "s",
    ]);
    let cells = place.read("results/s/tables/cells.csv");
    assert_eq!(column(&cells, "hyperparameters.optimizer"), ["adam", "sgd", "adam", "sgd"]);
    assert_eq!(column(&cells, "n_trials"), ["4", "5", "7", "7"]);
}

/// Whether `bench check --json` pairs a table with one whose rows are in the same order.
fn are_paired(place: &Place, old: &str, new: &str, repeat: &[&str]) -> bool {
    for (file, seeds) in [("old.csv", old), ("new.csv", new)] {
        let rows = seeds.split(' ').zip(["0.90", "0.91", "0.92", "0.93", "0.94", "0.95"]);
        let cell = |lr: &str| -> String {
            let lines = rows.clone().map(|(seed, acc)| format!("{lr},{seed},{acc}\n"));
            lines.collect::<Vec<_>>().concat()
        };
        place.file(file, format!("lr,seed,acc\n{}{}", cell("0.1"), cell("0.2")));
        place.done(&[&["import", file, "--axes", "lr", "--metric", "acc"], repeat].concat());
    }
    place.done(&["baseline", "results/old", "--output", "old.json"]);
    let shown = place.done(&["check", "results/new", "--baseline", "old.json", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    report["is-paired"].as_bool().unwrap_or_else(|| panic!("{shown}"))
}

#[test]
fn two_imports_pair_where_they_hold_the_same_seeds_and_nowhere_else() {
    let (seeds, by_seed) = ("1 2 3 4 5 6", &["--repeat", "seed"][..]);
    assert!(are_paired(&Place::new(), seeds, seeds, by_seed));
    assert!(!are_paired(&Place::new(), seeds, "7 8 9 10 11 12", by_seed));
    // Tables are often sorted by what was measured: the order of their rows pairs nothing.
    assert!(!are_paired(&Place::new(), seeds, seeds, &[]));
}
