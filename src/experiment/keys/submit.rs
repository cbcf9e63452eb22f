//! Keys of `[submit]`.

use super::Shape::{List, Text, Whole};
use super::{Key, key};

/// Keys of `[submit]`.
pub(super) const KEYS: &[Key] = &[
    key(
        "submit.workers",
        Whole(1),
        "whole number from 1",
        "4",
        "Workers: processes that train members of this experiment together",
    ),
    key(
        "submit.at-once",
        Whole(1),
        "whole number from 1",
        "all",
        "Workers that run at once; those behind them go on when a time limit ends the first",
    ),
    key(
        "submit.time",
        Text,
        "text such as `\"4:00:00\"` or `\"90m\"`",
        "the engine's",
        "Time limit of one worker. It leaves in time; what is left is another's",
    ),
    key("submit.partition", Text, "text", "the engine's", "Partition or queue"),
    key("submit.account", Text, "text", "the engine's", "Account that pays"),
    key(
        "submit.cpus",
        Whole(1),
        "whole number from 1",
        "1",
        "Processors of one worker, which trains as many members at once",
    ),
    key("submit.gpus", Whole(1), "whole number from 1", "none", "GPUs of one worker"),
    key(
        "submit.memory",
        Text,
        "text such as `\"8G\"`",
        "the engine's",
        "Memory of one worker; required for Kubernetes by many clusters",
    ),
    key(
        "submit.modules",
        List(&Text),
        "list of texts",
        "none",
        "Environment modules that are loaded first (Slurm)",
    ),
    key(
        "submit.container",
        Text,
        "text",
        "none",
        "Image that `bench` runs in: for Apptainer under Slurm and HyperQueue, for Kubernetes required",
    ),
    key(
        "submit.claim",
        Text,
        "text",
        "`\"bench-store\"`",
        "Kubernetes: the persistent volume claim that holds the results; it must be `ReadWriteMany`",
    ),
    key(
        "submit.options",
        List(&Text),
        "list of texts",
        "none",
        "Further options of Slurm, each a line behind `#SBATCH`, such as `\"--qos=long\"`",
    ),
];
