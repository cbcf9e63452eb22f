//! Persistent programs: started once, given one trial after another; and `bench doctor`.
#![cfg(unix)]

use std::fs;

use crate::programs::{OWN, script};
use crate::support::{Place, column};

/// Answers trials until there are no more; notes every start.
const LOOP: &str = r#"#!/bin/sh
echo start >> starts
count=0
while read -r line; do
    field() { echo "$line" | sed "s/.*\"$1\":\"*\([^,\"}]*\).*/\1/"; }
    id=$(field id) seed=$(field seed) lr=$(field lr)
    count=$((count + 1))
    # MORE
    echo "{\"trial\": \"$id\", \"epoch\": 1, \"test-accuracy\": 0.1}" >> "$BENCH_RESULTS"
    echo "{\"trial\": \"$id\", \"final\": {\"test-accuracy\": 0.9$lr, \"latency\": $((seed % 100))}, \"done\": true}" >> "$BENCH_RESULTS"
done
echo end >> ends
"#;

fn place(more: &str) -> Place {
    let place = Place::new();
    let text = OWN.replace(
        "command = [\"./train.sh\", \"{hyperparameters.lr}\", \"{seed}\", \"{repeat}\", \"{output}\"]\nenvironment = { STEP = \"{hyperparameters.lr}\" }",
        "command = [\"./train.sh\"]\nmode = \"persistent\"\ngrace = 1",
    );
    assert!(text.contains("persistent"));
    place.file("own.toml", text);
    script(&place, "train.sh", &LOOP.replace("# MORE", more));
    place
}

fn lines(place: &Place, name: &str) -> usize {
    fs::read_to_string(place.path(name)).map_or(0, |text| text.lines().count())
}

#[test]
fn a_persistent_program_is_started_once_per_worker_and_ended_at_the_end() {
    let place = place("");
    place.done(&["run", "own.toml", "--jobs", "1"]);
    let trials = place.read("results/own/tables/trials.csv");
    assert_eq!(column(&trials, "test_accuracy"), ["0.91", "0.91", "0.91", "0.92", "0.92", "0.92"]);
    assert_eq!(column(&trials, "path"), ["command persistent"; 6]);
    let latency = column(&trials, "latency");
    assert_eq!(latency[..3], latency[3..]);
    assert_eq!((lines(&place, "starts"), lines(&place, "ends")), (1, 1));
    assert_eq!(place.read("results/own/tables/epochs.csv").lines().count(), 1 + 6);
    let left = fs::read_dir(place.path("results/own/attempts")).expect("a folder").count();
    assert_eq!(left, 0);
    // The mode is part of a trial.
    place.done(&["run", "own.toml", "--jobs", "1", "--set", "trainer.restart-after=2"]);
    assert_eq!(lines(&place, "starts"), 1);
}

#[test]
fn a_persistent_program_is_started_anew_after_so_many_trials() {
    let place = place("");
    place.done(&["run", "own.toml", "--jobs", "1", "--set", "trainer.restart-after=2"]);
    assert_eq!((lines(&place, "starts"), lines(&place, "ends")), (3, 3));
}

#[test]
fn a_crash_a_hang_and_a_trial_said_to_have_failed_cost_that_trial_alone() {
    let place = place(
        "repeat=$(field repeat)\n[ $lr$repeat = 11 ] && { echo broken >&2; exit 7; }\n\
         [ $lr$repeat = 12 ] && sleep 60\n\
         [ $lr$repeat = 20 ] && { echo \"{\\\"trial\\\": \\\"$id\\\", \\\"failed\\\": \\\"no luck\\\"}\" >> \"$BENCH_RESULTS\"; continue; }\n",
    );
    let more = ["--jobs", "1", "--retries", "0", "--set", "trainer.time-limit=2"];
    let answer = place.bench(&[&["run", "own.toml"][..], &more].concat());
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    let trials = place.read("results/own/tables/trials.csv");
    let outcomes = column(&trials, "outcome");
    assert_eq!(
        outcomes,
        ["completed", "failed", "timed-out", "failed", "completed", "completed"],
        "{trials}"
    );
    assert!(trials.contains("ended with exit status 7: broken"), "{trials}");
    assert!(trials.contains("says that it failed: no luck"), "{trials}");
    assert_eq!(lines(&place, "starts"), 3);
}

#[test]
fn a_program_that_reads_no_trials_is_told_how_and_one_that_leaves_early_is_started_again() {
    let place = place("");
    script(&place, "train.sh", "#!/bin/sh\necho '{\"test-accuracy\": 0.5}' > \"$BENCH_RESULTS\"\n");
    let more = ["--jobs", "1", "--retries", "0"];
    let answer = place.bench(&[&["run", "own.toml"][..], &more].concat());
    assert_eq!(answer.code, 3);
    let trials = place.read("results/own/tables/trials.csv");
    assert!(trials.contains("it reads trials from standard input"), "{trials}");
    // Two trials, then it leaves by itself.
    script(&place, "train.sh", &LOOP.replace("# MORE", "[ $count = 3 ] && exit 0"));
    place.done(&["run", "own.toml", "--jobs", "1"]);
    assert_eq!(lines(&place, "starts"), 3);
}

#[test]
fn the_doctor_says_whether_the_seed_decides_a_trial_and_whether_those_before_it_do() {
    // The seed decides.
    let place = place("lr=$((seed % 10))");
    let well = place.bench(&["doctor", "own.toml"]);
    assert_eq!(well.code, 0, "{}{}", well.stdout, well.stderr);
    assert!(well.stdout.contains("`mode = \"persistent\"` is safe"), "{}", well.stdout);
    assert!(!place.bench(&["run", "own.toml"]).stderr.contains("bench doctor"));
    // Trials are counted.
    script(&place, "train.sh", &LOOP.replace("# MORE", "lr=$((count % 10))$((seed % 10))"));
    let ill = place.bench(&["doctor", "own.toml"]);
    assert_eq!(ill.code, 4, "{}", ill.stdout);
    assert!(ill.stdout.contains("allow-order-effects = true"), "{}", ill.stdout);
    let refused = place.bench(&["run", "own.toml"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("gives other numbers after another trial"),
        "{}",
        refused.stderr
    );
    place.done(&["run", "own.toml", "--set", "trainer.allow-order-effects=true"]);
    // Neither seed nor order decides.
    script(&place, "train.sh", &LOOP.replace("# MORE", "lr=$(date +%N)"));
    let random = place.bench(&["doctor", "own.toml"]);
    assert_eq!(random.code, 5, "{}", random.stdout);
    assert!(random.stdout.contains("more than its seed decides it"), "{}", random.stdout);
}

#[test]
fn placeholders_of_one_trial_and_patterns_are_refused_in_persistent_mode() {
    let place = place("");
    place.file(
        "bad.toml",
        OWN.replace("engine = \"command\"", "engine = \"command\"\nmode = \"persistent\""),
    );
    let refused = place.bench(&["plan", "bad.toml"]);
    assert_eq!(refused.code, 2);
    for name in ["{seed}", "{repeat}", "{output}"] {
        assert!(refused.stderr.contains(&format!("`{name}` in the command")), "{}", refused.stderr);
    }
}

#[test]
fn the_helper_for_python_loops_over_trials_and_runs_once_outside() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: there is no python3 here");
        return;
    }
    let place = place("");
    place.done(&["init", "--python"]);
    place.file(
        "train.py",
        "import bench_trial as bench\nprint('loaded')\nfor _ in bench.trials():\n    \
         lr = bench.hyperparameter('lr', 5)\n    bench.report(epoch=1, test_accuracy=0.1)\n    \
         bench.final(test_accuracy=lr / 10, latency=1)\n    print('trial of', lr, bench.seed(9) < 2**31)\n",
    );
    let text = place.read("own.toml").replace("[\"./train.sh\"]", "[\"python3\", \"train.py\"]");
    place.file("own.toml", text);
    place.done(&["run", "own.toml", "--jobs", "1"]);
    let trials = place.read("results/own/tables/trials.csv");
    assert_eq!(column(&trials, "test_accuracy"), ["0.1", "0.1", "0.1", "0.2", "0.2", "0.2"]);
    assert_eq!(place.read("results/own/tables/epochs.csv").lines().count(), 1 + 6);
    let mut outside = std::process::Command::new("python3");
    outside.arg("train.py").current_dir(place.path(""));
    let outside = outside.env_remove("BENCH_RESULTS").env_remove("BENCH_PERSISTENT").output();
    let output = outside.expect("python starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "loaded\ntrial of 5 True\n");
}
