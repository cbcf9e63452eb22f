//! The texts for every engine, whole.

use super::*;

fn submission() -> Submission {
    Submission {
        experiment: "mnist_grid".to_owned(),
        bench: "/opt/bench".into(),
        file: "/home/me/grid one.toml".into(),
        text: "name = \"mnist_grid\"\nquestion = \"Does it's: {work}?\"\n".to_owned(),
        overrides: vec!["train.epochs=3".to_owned()],
        store: "/shared/results/mnist".into(),
        data: Some("/shared/data".into()),
        workers: 16,
        at_once: Some(8),
        time: Some(Duration::from_hours(4)),
        partition: Some("gpu".to_owned()),
        account: Some("me'n'you".to_owned()),
        cpus: 4,
        gpus: Some(1),
        memory: Some("8G".to_owned()),
        modules: vec!["cuda/13.0".to_owned()],
        container: None,
        claim: "bench-store".to_owned(),
        options: vec!["--qos=long".to_owned()],
        lease: None,
    }
}

#[test]
fn a_slurm_script_is_an_array_of_workers_that_ends_with_exec() {
    insta::assert_snapshot!(script(&submission(), 16, 0));
    let plain = Submission {
        at_once: None,
        time: None,
        partition: None,
        account: None,
        gpus: None,
        memory: None,
        modules: Vec::new(),
        options: Vec::new(),
        container: Some("/images/bench.sif".to_owned()),
        ..submission()
    };
    insta::assert_snapshot!(script(&plain, 1001, 1001));
}

#[test]
fn the_closing_job_trains_nothing() {
    insta::assert_snapshot!(closing_script(&submission()));
}

#[test]
fn a_job_file_of_hyperqueue_is_an_array_of_workers() {
    let text = job_file(&submission());
    insta::assert_snapshot!(text);
}

#[test]
fn a_manifest_of_kubernetes_is_an_indexed_job() {
    insta::assert_snapshot!(manifest(&submission(), "registry.example.org/bench:1"));
}

#[test]
fn words_are_read_back_by_a_shell() {
    let words = ["plain", "", "a b", "it's", "$HOME", "a\"b", "%j"];
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let line = format!("printf '%s\\n' {}", shell_line(&words));
    let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), words);
}

#[test]
fn a_short_limit_leaves_a_fifth_of_its_time_to_leave_in() {
    let ahead = |seconds| {
        let time = Some(Duration::from_secs(seconds));
        Submission { time, ..submission() }.ahead().map(|ahead| ahead.as_secs())
    };
    assert_eq!((ahead(60), ahead(300), ahead(86_400)), (Some(12), Some(60), Some(120)));
}
