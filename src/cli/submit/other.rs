//! Any other engine: the one command that a worker is.

use crate::cluster::submission::{Submission, shell_line};

/// Prints the command, and which variables it reads.
pub(super) fn show(job: &Submission) {
    outln!("# start this as often as you like, wherever the folder is seen; it joins by itself:");
    outln!("{}", shell_line(&job.command()));
    outln!();
    outln!("# a worker reads its index, a hint, from the first of these that is set:");
    outln!(
        "#   SLURM_ARRAY_TASK_ID, HQ_TASK_ID, JOB_COMPLETION_INDEX (Kubernetes), PBS_ARRAY_INDEX,"
    );
    outln!("#   LSB_JOBINDEX, SGE_TASK_ID, AWS_BATCH_JOB_ARRAY_INDEX, BENCH_WORKER_INDEX (from 0)");
    outln!(
        "# it leaves at USR1, USR2, TERM and INT with exit code 0, and keeps what it has finished;"
    );
    outln!(
        "# whoever finds all done writes the tables; this does it in any case, when all have ended:"
    );
    outln!("{}", shell_line(&job.closing_command()));
}
