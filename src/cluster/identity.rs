//! Who the engine that started this process says it is.

/// The name that an engine gives a worker, and what it says of the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Identity {
    /// The same for every process that the engine starts in place of another; absent where the
    /// engine says too little for that.
    pub name: Option<String>,
    /// Index of the worker, from 0.
    pub index: Option<u32>,
    /// How many workers there are, as far as the engine says.
    pub workers: Option<u32>,
    /// Members that the engine lets this worker train at once: its processors.
    pub threads: Option<usize>,
}

impl Identity {
    /// Reads the variables of the engines that are known: `get` returns the value of one.
    pub(crate) fn of(get: &dyn Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str| get(name).and_then(|text| text.trim().parse::<u32>().ok());
        let mut identity = slurm(get, &number)
            .or_else(|| hyperqueue(get, &number))
            .or_else(|| kubernetes(get, &number))
            .or_else(|| others(get, &number))
            .unwrap_or_default();
        if let Some(index) = number("BENCH_WORKER_INDEX") {
            identity.index = Some(index);
        }
        // Arrays that are too long for the engine are several.
        let offset = number("BENCH_WORKER_OFFSET").unwrap_or(0);
        identity.index = identity.index.map(|index| index.saturating_add(offset));
        identity.workers = number("BENCH_WORKERS").or(identity.workers);
        identity
    }
}

type Get<'a> = &'a dyn Fn(&str) -> Option<String>;
type Number<'a> = &'a dyn Fn(&str) -> Option<u32>;

fn slurm(get: Get<'_>, number: Number<'_>) -> Option<Identity> {
    let job = get("SLURM_ARRAY_JOB_ID").or_else(|| get("SLURM_JOB_ID"))?;
    // `srun` starts several tasks in one element of an array.
    let tasks = number("SLURM_STEP_NUM_TASKS").filter(|_| get("SLURM_STEP_ID").is_some());
    let tasks = tasks.unwrap_or(1).max(1);
    let task = if tasks > 1 { number("SLURM_PROCID").unwrap_or(0) } else { 0 };
    let element = number("SLURM_ARRAY_TASK_ID");
    let first = number("SLURM_ARRAY_TASK_MIN").unwrap_or(0);
    let step = number("SLURM_ARRAY_TASK_STEP").unwrap_or(1).max(1);
    let position = element.map_or(0, |element| element.saturating_sub(first) / step);
    let suffix = if tasks > 1 { format!(".{task}") } else { String::new() };
    let name = match element {
        Some(element) => format!("slurm-{job}_{element}{suffix}"),
        None => format!("slurm-{job}{suffix}"),
    };
    let is_one = element.is_none() && tasks == 1;
    Some(Identity {
        name: Some(name),
        index: (!is_one).then(|| position * tasks + task),
        workers: number("SLURM_ARRAY_TASK_COUNT").or((tasks > 1).then_some(1)).map(|n| n * tasks),
        threads: number("SLURM_CPUS_PER_TASK").map(|n| n as usize),
    })
}

fn hyperqueue(get: Get<'_>, number: Number<'_>) -> Option<Identity> {
    let (job, task) = (get("HQ_JOB_ID")?, number("HQ_TASK_ID")?);
    Some(Identity {
        name: Some(format!("hq-{job}_{task}")),
        index: Some(task),
        workers: None,
        threads: number("HQ_CPUS_COUNT")
            .map(|n| n as usize)
            .or_else(|| get("HQ_CPUS").map(|list| list.split(',').count())),
    })
}

fn kubernetes(get: Get<'_>, number: Number<'_>) -> Option<Identity> {
    let index = number("JOB_COMPLETION_INDEX")?;
    // Without the name of the job the index says where to begin, not who this is.
    let name = get("JOB_NAME").map(|job| format!("k8s-{job}_{index}"));
    Some(Identity { name, index: Some(index), workers: None, threads: None })
}

fn others(get: Get<'_>, number: Number<'_>) -> Option<Identity> {
    for (engine, job, task, first) in [
        ("pbs", "PBS_JOBID", "PBS_ARRAY_INDEX", 0),
        ("lsf", "LSB_JOBID", "LSB_JOBINDEX", 1),
        ("sge", "JOB_ID", "SGE_TASK_ID", 1),
        ("aws", "AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ARRAY_INDEX", 0),
    ] {
        if let Some(index) = number(task) {
            // `1234[5].server` is element 5 of job 1234.
            let job =
                get(job).map(|job| job.split(['[', '.', ':']).next().unwrap_or("").to_owned());
            let name = job.map(|job| format!("{engine}-{job}_{index}"));
            let index = Some(index.saturating_sub(first));
            return Some(Identity { name, index, workers: None, threads: None });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Identity {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Identity::of(&get)
    }

    fn named(name: &str, index: Option<u32>, workers: Option<u32>) -> Identity {
        Identity { name: Some(name.to_owned()), index, workers, threads: None }
    }

    #[test]
    fn elements_of_slurm_arrays_keep_their_name_when_they_are_started_again() {
        let array = [
            ("SLURM_JOB_ID", "12"),
            ("SLURM_ARRAY_JOB_ID", "10"),
            ("SLURM_ARRAY_TASK_ID", "5"),
            ("SLURM_ARRAY_TASK_MIN", "1"),
            ("SLURM_ARRAY_TASK_COUNT", "8"),
        ];
        assert_eq!(of(&array), named("slurm-10_5", Some(4), Some(8)));
        assert_eq!(of(&[("SLURM_JOB_ID", "12")]), named("slurm-12", None, None));
        let steps = [
            ("SLURM_JOB_ID", "12"),
            ("SLURM_STEP_ID", "0"),
            ("SLURM_STEP_NUM_TASKS", "4"),
            ("SLURM_PROCID", "3"),
        ];
        assert_eq!(of(&steps), named("slurm-12.3", Some(3), Some(4)));
    }

    #[test]
    fn other_engines_are_known_by_their_variables() {
        let task = [("HQ_JOB_ID", "1"), ("HQ_TASK_ID", "3"), ("HQ_CPUS", "0,1")];
        let expected = Identity { threads: Some(2), ..named("hq-1_3", Some(3), None) };
        assert_eq!(of(&task), expected);
        let pod = [("JOB_COMPLETION_INDEX", "2"), ("JOB_NAME", "bench-x")];
        assert_eq!(of(&pod), named("k8s-bench-x_2", Some(2), None));
        let pbs = [("PBS_JOBID", "77[3].server"), ("PBS_ARRAY_INDEX", "3")];
        assert_eq!(of(&pbs), named("pbs-77_3", Some(3), None));
        let sge = [("JOB_ID", "9"), ("SGE_TASK_ID", "1")];
        assert_eq!(of(&sge), named("sge-9_1", Some(0), None));
        // Jobs of SGE that are no arrays say `undefined`.
        assert_eq!(of(&[("JOB_ID", "9"), ("SGE_TASK_ID", "undefined")]), Identity::default());
        let local = of(&[("BENCH_WORKER_INDEX", "1"), ("BENCH_WORKERS", "4")]);
        assert_eq!((local.name, local.index, local.workers), (None, Some(1), Some(4)));
    }
}
