//! Manifests of Kubernetes: the experiment as a configuration, and one Indexed Job of workers.

use std::fmt::Write as _;

use super::{Submission, in_quotes};

/// Where the volume with the results is mounted.
const STORE: &str = "/store";
/// Where the experiment is mounted.
const EXPERIMENT: &str = "/experiment";
/// What it is called there.
const FILE: &str = "experiment.toml";
/// How often one index may fail by itself.
const BACKOFF: u32 = 3;
/// Time in which a worker that is asked to leave saves its state.
const GRACE_SECONDS: u32 = 120;
/// Longest name of a job: its pods' names add an index and a random part.
const MAX_NAME: usize = 52;

/// Returns the manifest: YAML of two documents.
///
/// Drains cost no attempt (`Ignore` on `DisruptionTarget`), bad input is not tried again (`FailIndex` on
/// exit code 2), and no second pod of an index starts while the first one ends (`Failed`).
pub(crate) fn manifest(job: &Submission, image: &str) -> String {
    let name = name(&job.experiment);
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string grows");
    for fixed in ["apiVersion: v1", "kind: ConfigMap", "metadata:"] {
        line(fixed.to_owned());
    }
    line(format!("  name: {}", in_quotes(&name)));
    line("data:".to_owned());
    line(format!("  {FILE}: {}", in_quotes(&job.text)));
    for fixed in ["---", "apiVersion: batch/v1", "kind: Job", "metadata:"] {
        line(fixed.to_owned());
    }
    line(format!("  name: {}", in_quotes(&name)));
    line("  labels: {app.kubernetes.io/name: bench}".to_owned());
    line("spec:".to_owned());
    line("  completionMode: Indexed".to_owned());
    line(format!("  completions: {}", job.workers));
    line(format!("  parallelism: {}", job.at_once.unwrap_or(job.workers).min(job.workers)));
    line(format!("  backoffLimitPerIndex: {BACKOFF}"));
    line(format!("  maxFailedIndexes: {}", job.workers.div_ceil(4)));
    line("  podReplacementPolicy: Failed".to_owned());
    line("  podFailurePolicy:".to_owned());
    line("    rules:".to_owned());
    line("    - action: Ignore".to_owned());
    line("      onPodConditions: [{type: DisruptionTarget, status: \"True\"}]".to_owned());
    line("    - action: FailIndex".to_owned());
    line("      onExitCodes: {containerName: worker, operator: In, values: [2]}".to_owned());
    line("  template:".to_owned());
    line("    metadata:".to_owned());
    line("      labels: {app.kubernetes.io/name: bench}".to_owned());
    line("    spec:".to_owned());
    line("      restartPolicy: Never".to_owned());
    line(format!("      terminationGracePeriodSeconds: {GRACE_SECONDS}"));
    line("      containers:".to_owned());
    line("      - name: worker".to_owned());
    line(format!("        image: {}", in_quotes(image)));
    let inside = Submission {
        bench: "bench".into(),
        file: format!("{EXPERIMENT}/{FILE}").into(),
        store: format!("{STORE}/{}", job.experiment).into(),
        // Folders of this machine are none of a pod's, and what leaves by itself counts as complete.
        data: None,
        time: None,
        ..job.clone()
    };
    let words: Vec<String> = inside.command().iter().map(|word| in_quotes(word)).collect();
    line(format!("        command: [{}]", words.join(", ")));
    line("        env:".to_owned());
    let label = "metadata.labels['batch.kubernetes.io/job-name']";
    line(format!(
        "        - {{name: JOB_NAME, valueFrom: {{fieldRef: {{fieldPath: \"{label}\"}}}}}}"
    ));
    line("        resources:".to_owned());
    let memory = |space: &str| {
        job.memory.as_ref().map(|memory| format!("{space}memory: {}", in_quotes(&size(memory))))
    };
    let requests = memory(", ").unwrap_or_default();
    line(format!("          requests: {{cpu: \"{}\"{requests}}}", job.cpus));
    let gpus = job.gpus.map(|gpus| format!("nvidia.com/gpu: {gpus}"));
    let limits: Vec<String> = [memory(""), gpus].into_iter().flatten().collect();
    if !limits.is_empty() {
        line(format!("          limits: {{{}}}", limits.join(", ")));
    }
    line("        volumeMounts:".to_owned());
    line(format!("        - {{name: store, mountPath: {STORE}}}"));
    line(format!("        - {{name: experiment, mountPath: {EXPERIMENT}, readOnly: true}}"));
    line("      volumes:".to_owned());
    let claim = in_quotes(&job.claim);
    line(format!("      - {{name: store, persistentVolumeClaim: {{claimName: {claim}}}}}"));
    line(format!("      - {{name: experiment, configMap: {{name: {}}}}}", in_quotes(&name)));
    text
}

/// Returns a size as Kubernetes reads it: Slurm's `8G` is `8Gi` there.
fn size(memory: &str) -> String {
    match memory.chars().next_back() {
        Some('K' | 'M' | 'G' | 'T') => format!("{memory}i"),
        Some(last) if last.is_ascii_digit() => format!("{memory}Mi"),
        _ => memory.to_owned(),
    }
}

/// Returns the name of the job: lower-case letters, digits and `-`.
fn name(experiment: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = format!("bench-{experiment}").chars().map(kept).take(MAX_NAME).collect();
    name.trim_end_matches('-').to_owned()
}
