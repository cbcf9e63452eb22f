//! Programs of the user as trainers: a shell script under the same grid, store, tables and gate.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Place, column};

/// An experiment of a script, six trials.
pub(crate) const OWN: &str = r#"
name = "own"
repeats = 3
seed = 7

[trainer]
engine = "command"
command = ["./train.sh", "{hyperparameters.lr}", "{seed}", "{repeat}", "{output}"]
environment = { STEP = "{hyperparameters.lr}" }

[hyperparameters]
lr = 1
nested = { list = [1, "two"] }

[metrics.test-accuracy]
unit = "fraction"
direction = "maximize"
[metrics.latency]
unit = "ms"
direction = "minimize"

[grid.axes]
"hyperparameters.lr" = [1, 2]
"#;

/// Prints what it is told: accuracy by its first argument, latency by its seed.
pub(crate) const SCRIPT: &str = r#"#!/bin/sh
for epoch in 1 2 3; do
    echo "{\"epoch\": $epoch, \"test-accuracy\": 0.$epoch}"
done
echo "test-accuracy: 0.9$1"
echo "latency=$(($2 % 100))"
"#;

/// Writes a script that can be called.
pub(crate) fn script(place: &Place, name: &str, text: &str) {
    place.file(name, text);
    let path = place.path(name);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
}

pub(crate) fn own() -> Place {
    let place = Place::new();
    place.file("own.toml", OWN);
    script(&place, "train.sh", SCRIPT);
    place
}

#[test]
fn a_script_is_run_for_every_trial_and_its_numbers_are_reported() {
    let place = own();
    let shown = place.done(&["run", "own.toml"]);
    assert!(shown.contains("test accuracy %, mean ± SD, n = 3"), "{shown}");
    let trials = place.read("results/own/tables/trials.csv");
    assert_eq!(column(&trials, "test_accuracy"), ["0.91", "0.91", "0.91", "0.92", "0.92", "0.92"]);
    assert_eq!(column(&trials, "path"), ["command"; 6]);
    // The seed of a repeat is that of all cells.
    let latency = column(&trials, "latency");
    assert_eq!(latency[..3], latency[3..]);
    assert_eq!(latency.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    assert_eq!(place.read("results/own/tables/epochs.csv").lines().count(), 1 + 6 * 3);
    assert_eq!(fs::read_dir(place.path("results/own/attempts")).expect("a folder").count(), 0);
}

#[test]
fn running_again_calls_nothing_and_a_longer_grid_only_what_is_new() {
    let place = own();
    place.done(&["run", "own.toml"]);
    script(&place, "train.sh", "#!/bin/sh\nexit 1\n");
    let answer = place.bench(&["run", "own.toml", "--set", "trainer.time-limit=9"]);
    assert_eq!(answer.code, 3, "another program is another trial: {}", answer.stderr);
    script(&place, "train.sh", SCRIPT);
    let again = place.bench(&["run", "own.toml", "--set", "trainer.time-limit=9"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stderr.contains("0 members trained, 6 reused"), "{}", again.stderr);
    let more = place.bench(&["run", "own.toml", "--set", "repeats=4"]);
    assert!(more.stderr.contains("2 members trained, 6 reused"), "{}", more.stderr);
}

#[test]
fn a_trial_reaches_the_program_as_a_file_variables_and_arguments() {
    let place = own();
    script(
        &place,
        "train.sh",
        "#!/bin/sh\ncp \"$BENCH_TRIAL\" \"$4/trial.json\"\nenv > \"$BENCH_OUTPUT/env\"\n\
         echo '{\"test-accuracy\": 0.5, \"latency\": 1}' > \"$BENCH_RESULTS\"\n\
         echo \"args $*\" > \"$4/args\"\npwd > \"$4/pwd\"\n",
    );
    let mut command = place.command(&["run", "own.toml", "--set", "repeats=1"]);
    command.env("SECRET", "1");
    assert!(command.output().expect("bench starts").status.success());
    let attempts = fs::read_dir(place.path("results/own/attempts")).expect("a folder");
    let folders: Vec<_> = attempts.map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(folders.len(), 2, "what a program writes is kept");
    let read = |name: &str| fs::read_to_string(folders[0].join("output").join(name)).expect(name);
    let trial: serde_json::Value = serde_json::from_str(&read("trial.json")).expect("JSON");
    assert_eq!(trial["format"], "gridbench-trial");
    assert_eq!(trial["hyperparameters"]["nested"]["list"], serde_json::json!([1, "two"]));
    let lr = trial["hyperparameters"]["lr"].as_i64().expect("a number");
    let seed = trial["seed"].as_u64().expect("a number");
    assert!(seed < 1 << 31);
    assert!(read("args").starts_with(&format!("args {lr} {seed} 0 /")), "{}", read("args"));
    let names: Vec<String> =
        read("env").lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
    // The shell adds some of its own.
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    let mut told: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !own.contains(name)).collect();
    told.retain(|name| !["HOME", "LANG"].contains(name));
    told.sort_unstable();
    assert_eq!(
        told,
        ["BENCH_CHECKPOINT_DIR", "BENCH_OUTPUT", "BENCH_RESULTS", "BENCH_TRIAL", "PATH", "STEP"]
    );
    let folder = fs::canonicalize(place.path("")).expect("a folder");
    assert_eq!(fs::canonicalize(read("pwd").trim()).expect("a folder"), folder);
}

#[test]
fn numbers_stand_where_the_declarations_of_metrics_say() {
    let place = own();
    let text = OWN.replace("[grid.axes]", "[unused]").replace(
        "[metrics.latency]",
        "[metrics.by-pattern]\nunit = \"s\"\ndirection = \"minimize\"\npattern = 'took ([0-9.]+) s'\n\
         [metrics.by-key]\nunit = \"s\"\ndirection = \"minimize\"\njson = \"result.time\"\n\
         [metrics.by-table]\nunit = \"s\"\ndirection = \"minimize\"\ncsv = \"out.csv:time:min\"\n\
         [metrics.latency]",
    );
    let text = text.split("[unused]").next().expect("a part");
    place.file("own.toml", text);
    script(
        &place,
        "train.sh",
        "#!/bin/sh\necho 'it took 1.5 s' >&2\necho '{\"result\": {\"time\": 2.5}}'\n\
         printf 'epoch,time\\n1,9\\n2,3.5\\n3,4\\n' > \"$4/out.csv\"\n\
         echo 'test-accuracy = 0.5'; echo 'test_accuracy=0.25 latency=4'\n",
    );
    place.done(&["run", "own.toml"]);
    let trials = place.read("results/own/tables/trials.csv");
    for (name, value) in [
        ("by_pattern", "1.5"),
        ("by_key", "2.5"),
        ("by_table", "3.5"),
        ("latency", "4.0"),
        ("test_accuracy", "0.25"),
    ] {
        assert_eq!(column(&trials, name), [value; 3], "{name}");
    }
}

#[test]
fn a_line_for_the_shell_quotes_what_it_fills_in() {
    let place = own();
    let text = OWN
        .replace(
            "command = [\"./train.sh\", \"{hyperparameters.lr}\", \"{seed}\", \"{repeat}\", \"{output}\"]",
            "command = \"printf 'latency: %s\\\\n' 1; for word in {hyperparameters.words}; do echo \
             test-accuracy: 0.$(printf %s $word | wc -c); done | tee {output}/log\"",
        )
        .replace("lr = 1\n", "lr = 1\nwords = \"it's $HOME\"\n");
    place.file("own.toml", text);
    place.done(&["run", "own.toml"]);
    // Four and five characters after the shell has split the value, which was one word.
    let trials = place.read("results/own/tables/trials.csv");
    assert_eq!(column(&trials, "test_accuracy"), ["0.9"; 6]);
}

#[test]
fn results_of_programs_go_through_report_gate_and_comparison() {
    let place = own();
    place.done(&["run", "own.toml", "--out", "before"]);
    place.done(&["baseline", "before", "--output", "base.json"]);
    place.done(&["check", "before", "--baseline", "base.json"]);
    place.done(&["status", "before"]);
    place.done(&["report", "before", "--format", "html", "--output", "page.html"]);
    // A planted bug: the second setting loses ten points.
    script(&place, "train.sh", &SCRIPT.replace("0.9$1", "0.$((10 - $1))$1"));
    place.done(&["run", "own.toml", "--out", "after"]);
    let answer = place.bench(&["check", "after", "--baseline", "base.json"]);
    assert_eq!(answer.code, 4, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("regressed"), "{}", answer.stdout);
    let shown = place.done(&["compare", "before", "after"]);
    assert!(shown.contains("91.00") && shown.contains("92.00"), "{shown}");
    // Old results are read whatever the program is now.
    fs::remove_file(place.path("train.sh")).expect("a file");
    place.done(&["report", "before"]);
    place.done(&["status", "before"]);
}

#[test]
fn undeclared_numbers_are_noticed_and_named() {
    let place = own();
    script(&place, "train.sh", &format!("{SCRIPT}echo 'val_loss: 3'\necho 'f1=0.5'\n"));
    let answer = place.bench(&["run", "own.toml"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let note =
        "note: the program also printed `f1`, `val_loss`, which `[metrics]` does not declare";
    assert!(answer.stderr.contains(note), "{}", answer.stderr);
}

#[test]
fn what_is_wrong_with_an_experiment_is_said_before_anything_runs() {
    let place = own();
    for (change, by, said) in [
        ("{seed}", "{sed}", "`{sed}` is no placeholder"),
        ("{hyperparameters.lr}\", \"{seed}", "{hyperparameters.rl}\", \"{seed}", "names no key"),
        ("unit = \"ms\"\n", "", "`metrics.latency.unit` is missing"),
        ("direction = \"minimize\"", "direction = \"down\"", "expected `maximize` or `minimize`"),
        ("[metrics.latency]", "[metrics.Latency]", "is no name of a metric"),
        ("[metrics.latency]", "[train]\nepochs = 3\n[metrics.latency]", "`train` is not read"),
        ("engine = \"command\"", "engine = \"fake\"", "`trainer.command` is not read"),
        ("./train.sh", "./missing.sh", "there is no program `./missing.sh`"),
        ("\"ms\"\n", "\"ms\"\npattern = \"x(\"\n", "is no regular expression"),
        ("\"ms\"\n", "\"ms\"\npattern = \"x\"\n", "a regular expression with one group"),
        ("\"ms\"\n", "\"ms\"\nrange = [1, 0]\n", "the smallest and the largest value"),
        ("[hyperparameters]", "time-limit = \"soon\"\n[hyperparameters]", "\"20m\""),
        (
            "[hyperparameters]",
            "[ensemble]\nsize = 3\n[hyperparameters]",
            "`ensemble.size` is not known",
        ),
        ("STEP =", "BENCH_X =", "variables with `BENCH_` are those of bench"),
    ] {
        assert!(OWN.contains(change), "{change}");
        place.file("bad.toml", OWN.replacen(change, by, 1));
        let answer = place.bench(&["run", "bad.toml"]);
        assert_eq!(answer.code, 2, "{by}: {}", answer.stderr);
        assert!(answer.stderr.contains(said), "{by}: {}", answer.stderr);
    }
}

#[test]
fn what_a_trial_is_made_of_is_run_again_where_it_changes() {
    let place = own();
    let text = OWN.replace(
        "environment =",
        "inputs = [\"data/*.csv\", \"conf.ini\"]\nversion = [\"cat\", \"version.txt\"]\nenvironment =",
    );
    place.file("own.toml", &text);
    for name in ["data/a.csv", "data/b.csv", "conf.ini", "version.txt"] {
        place.file(name, "1");
    }
    let run = |text: &str| {
        place.file("own.toml", text);
        let answer = place.bench(&["run", "own.toml"]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        answer
            .stderr
            .lines()
            .find(|line| line.contains("members trained"))
            .expect("a line")
            .to_owned()
    };
    assert!(run(&text).contains("6 members trained;"));
    for name in ["data/a.csv", "conf.ini", "version.txt"] {
        place.file(name, "2");
        assert!(run(&text).contains("6 members trained;"), "{name}");
        place.file(name, "1");
        assert!(run(&text).contains("0 members trained, 6 reused"), "{name}");
    }
    place.file("data/c.csv", "1");
    assert!(run(&text).contains("6 members trained;"), "one more input");
    fs::remove_file(place.path("data/c.csv")).expect("a file");
    assert!(run(&text.replace("STEP = \"{", "STEP = \"x{")).contains("6 members trained;"));
    assert!(run(&text.replace("list = [1,", "list = [2,")).contains("6 members trained;"));
    // Neither where the results are nor how long it may take nor what it is called by matters.
    let same = text.replace("[\"data/*.csv\", \"conf.ini\"]", "[\"conf.ini\", \"data/?.csv\"]");
    assert!(run(&same.replace("[hyper", "grace = 3\n[hyper")).contains("0 members trained, 6"));
    for (change, by, said) in [
        ("conf.ini", "none.ini", "no file is named by `none.ini`"),
        ("\"cat\", \"version.txt\"", "\"false\"", "`trainer.version` ended with exit status: 1"),
        ("data/*.csv", "data/[", "is no pattern"),
    ] {
        place.file("own.toml", text.replace(change, by));
        let answer = place.bench(&["plan", "own.toml", "--out", "results/own"]);
        assert!(answer.code == 2 && answer.stderr.contains(said), "{by}: {}", answer.stderr);
    }
}

#[test]
fn a_script_that_is_no_input_is_warned_of() {
    let place = own();
    place.file("own.toml", OWN.replace("[\"./train.sh\"", "[\"sh\", \"train.sh\""));
    let answer = place.bench(&["run", "own.toml"]);
    let said = "warning: `train.sh` is named by `trainer.command` and not among `trainer.inputs`";
    assert!(answer.code == 0 && answer.stderr.contains(said), "{}", answer.stderr);
    place.file(
        "own.toml",
        OWN.replace("[\"./train.sh\"", "[\"sh\", \"./train.sh\"")
            .replace("environment =", "inputs = \"train.sh\"\nenvironment ="),
    );
    let answer = place.bench(&["run", "own.toml"]);
    assert!(answer.code == 0 && !answer.stderr.contains("warning"), "{}", answer.stderr);
}

#[test]
fn a_program_that_was_interrupted_goes_on_from_its_checkpoint() {
    let place = own();
    script(
        &place,
        "train.sh",
        "#!/bin/sh\nfile=\"$BENCH_CHECKPOINT_DIR/epoch\"\n[ -e \"$file\" ] || { echo 1 > \"$file\"; echo \
         '{\"interrupted\": true}'; exit 0; }\necho test-accuracy: 0.$(cat \"$file\"); echo latency=1\n",
    );
    let first = place.bench(&["run", "own.toml"]);
    assert!(first.stderr.contains("0 of 6 trials completed"), "{}", first.stderr);
    place.done(&["run", "own.toml"]);
    let trials = place.read("results/own/tables/trials.csv");
    assert_eq!(column(&trials, "test_accuracy"), ["0.1"; 6]);
    assert_eq!(fs::read_dir(place.path("results/own/attempts")).expect("a folder").count(), 0);
}

#[test]
fn an_experiment_around_a_command_runs_as_it_was_written() {
    let place = own();
    place.done(&["init", "mine.toml", "--command", "./train.sh 1 --seed 3"]);
    let text = place.read("mine.toml");
    assert!(text.contains("\"{hyperparameters.argument-1}\", \"--seed\", \"{seed}\""), "{text}");
    script(&place, "train.sh", "#!/bin/sh\necho test-accuracy: 0.$3\n");
    place.done(&["run", "mine.toml", "--quiet"]);
    let answer = place.bench(&["init", "mine.toml"]);
    assert!(answer.code == 2 && answer.stderr.contains("it is there already"), "{}", answer.stderr);
    place.done(&["init"]);
    place.done(&["plan", "first.toml"]);
}

#[test]
fn the_helper_for_python_reports_and_does_nothing_outside() {
    let has_python = std::process::Command::new("python3").arg("--version").output().is_ok();
    if !has_python {
        eprintln!("skipped: there is no python3 here");
        return;
    }
    let place = own();
    place.done(&["init", "--python"]);
    place.file(
        "train.py",
        "import bench_trial as bench\nlr = bench.hyperparameter('lr', 5)\n\
         for epoch in (1, 2):\n    bench.report(epoch=epoch, test_accuracy=epoch / 10)\n\
         bench.final(test_accuracy=lr / 10, latency=bench.hyperparameter('nested.list')[0] if \
         bench.trial() else 0)\nprint('ended', bench.seed(9) < 2**31, bench.output())\n",
    );
    place.file(
        "own.toml",
        OWN.replace(
            "[\"./train.sh\", \"{hyperparameters.lr}\", \"{seed}\", \"{repeat}\", \"{output}\"]",
            "[\"python3\", \"train.py\"]",
        )
        .replace("environment =", "inputs = \"*.py\"\nenvironment ="),
    );
    place.done(&["run", "own.toml", "--set", "repeats=1"]);
    let trials = place.read("results/own/tables/trials.csv");
    assert_eq!(column(&trials, "test_accuracy"), ["0.1", "0.2"]);
    assert_eq!(place.read("results/own/tables/epochs.csv").lines().count(), 1 + 2 * 2);
    let mut outside = std::process::Command::new("python3");
    outside.arg("train.py").current_dir(place.path(""));
    let output = outside.env_remove("BENCH_TRIAL").env_remove("BENCH_RESULTS").output();
    let output = output.expect("python starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ended True None\n");
}
