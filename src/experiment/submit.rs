//! `[submit]`: what `bench submit` asks an engine for. None of it decides a trained number.

/// What workers are given. Every text is one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubmitSettings {
    /// Workers.
    pub workers: Option<u32>,
    /// Workers that run at once.
    pub at_once: Option<u32>,
    /// Time limit of a worker, as Slurm writes it.
    pub time: Option<String>,
    /// Partition or queue.
    pub partition: Option<String>,
    /// Account that pays.
    pub account: Option<String>,
    /// Processors of a worker.
    pub cpus: Option<u32>,
    /// GPUs of a worker.
    pub gpus: Option<u32>,
    /// Memory of a worker, such as `8G`.
    pub memory: Option<String>,
    /// Environment modules that are loaded first.
    pub modules: Vec<String>,
    /// Image that `bench` runs in.
    pub container: Option<String>,
    /// Kubernetes: the persistent volume claim that holds the results.
    pub claim: Option<String>,
    /// Further options of the engine, a line each.
    pub options: Vec<String>,
}
