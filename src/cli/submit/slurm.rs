//! Slurm: an array of workers, and a job behind it that writes the tables.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::engine::{Engine, answer};
use super::record::Record;
use super::write;
use crate::cli::failure::{Exit, Failure};
use crate::cluster::submission::{Submission, closing_script, script};
use crate::report::counted;

/// Elements of an array where Slurm does not say how many it takes: its default.
const MAX_ARRAY: u32 = 1001;
/// What Slurm says where a user may not have so many jobs.
const LIMITS: [&str; 3] =
    ["QOSMaxSubmitJobPerUserLimit", "AssocMaxSubmitJobLimit", "AssocGrpSubmitJobsLimit"];

/// What says that there is no Slurm to ask.
const UNREACHED: [&str; 3] = ["on PATH", "configuration source", "contact slurm controller"];

/// Prints both scripts, and what Slurm would say of the first.
pub(super) fn show(job: &Submission) -> Result<Exit, Failure> {
    let size = job.workers.min(max_array());
    let text = script(job, size, 0);
    outln!("# {}", job.store.join("submit/0001-workers.sh").display());
    out!("{text}");
    if job.workers > size {
        outln!(
            "# … and more arrays: Slurm takes {size} elements in one, and {} are asked for",
            job.workers
        );
    }
    outln!("\n# {}, after all of them", job.store.join("submit/0001-close.sh").display());
    out!("{}", closing_script(job));
    match test_only(&text) {
        Ok(said) => {
            say!("sbatch --test-only: {}", said.trim());
            Ok(Exit::Done)
        }
        Err(problem) if UNREACHED.iter().any(|sign| problem.contains(sign)) => {
            let last = problem.lines().last().unwrap_or_default();
            say!("note: Slurm was not asked, because it is not to be reached from here: {last}");
            Ok(Exit::Done)
        }
        Err(problem) => Err(Failure::input("Slurm would not take this").because_of(problem)),
    }
}

/// Submits.
pub(super) fn start(job: &Submission) -> Result<Record, Failure> {
    let mut size = max_array();
    let (mut offset, mut jobs, mut scripts) = (0, Vec::new(), Vec::new());
    while offset < job.workers {
        let count = size.min(job.workers - offset);
        let text = script(job, count, offset);
        let path = write(&job.store, "workers.sh", &text)?;
        match sbatch(&path, None) {
            Ok(id) => {
                jobs.push(id);
                scripts.push(path.display().to_string());
                offset += count;
            }
            Err(problem) if count > 1 && LIMITS.iter().any(|limit| problem.contains(limit)) => {
                size = count / 2;
                say!("note: Slurm refuses {count} workers of this user at once; trying {size}");
            }
            Err(problem) if !jobs.is_empty() => {
                let all = counted(job.workers as usize, "worker");
                say!("warning: {offset} of {all} were submitted: {problem}");
                break;
            }
            Err(problem) => {
                return Err(Failure::input("cannot submit to Slurm")
                    .because_of(problem)
                    .hint(Some(format!("the script is `{}`; try `--dry-run`", path.display()))));
            }
        }
    }
    let mut record = Record::new(Engine::Slurm, jobs);
    record.scripts = scripts;
    let path = write(&job.store, "close.sh", &closing_script(job))?;
    outln!("Slurm {}", listed(&record.jobs));
    close_after(&mut record, &path);
    Ok(record)
}

/// Submits the job that runs when the others have ended.
pub(super) fn close_after(record: &mut Record, path: &Path) {
    match sbatch(path, Some(&record.jobs)) {
        Ok(id) => {
            outln!("Slurm job {id} writes the tables when they have ended");
            record.closing = Some(id);
        }
        // Whoever finds all done writes them, too.
        Err(problem) => say!("warning: the job that writes the tables was refused: {problem}"),
    }
    record.closing_script = Some(path.display().to_string());
}

fn listed(jobs: &[String]) -> String {
    match jobs {
        [job] => format!("array {job}"),
        jobs => format!("arrays {}", jobs.join(", ")),
    }
}

/// Submits a script and returns the number of the job.
pub(super) fn sbatch(script: &Path, after: Option<&[String]>) -> Result<String, String> {
    let mut words = vec!["--parsable".to_owned()];
    if let Some(jobs) = after {
        words.push(format!("--dependency=afterany:{}", jobs.join(":")));
    }
    words.push(script.display().to_string());
    let text = answer("sbatch", words)?;
    // `number;cluster` where there are several.
    let id = text.trim().split(';').next().unwrap_or_default().to_owned();
    if !id.is_empty() && id.chars().all(|c| c.is_ascii_digit()) {
        return Ok(id);
    }
    Err(format!("`sbatch` answered `{}`, expected the number of a job", text.trim()))
}

fn test_only(text: &str) -> Result<String, String> {
    let mut command = Command::new("sbatch");
    command.arg("--test-only").stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|_| "there is no `sbatch` on PATH".to_owned())?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(text.as_bytes()) {
            // An `sbatch` that ends before it has read the script says why itself.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.to_string()),
            _ => {}
        }
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(said) } else { Err(said.trim().to_owned()) }
}

/// Returns the most elements of one array; the highest index is one less.
fn max_array() -> u32 {
    let text = answer("scontrol", ["show", "config"]).unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("MaxArraySize"));
    let number = line.and_then(|line| line.split('=').nth(1)?.trim().parse().ok());
    number.unwrap_or(MAX_ARRAY).max(1)
}

/// Submits the scripts of an earlier submission once more, and returns what was submitted.
pub(super) fn start_again(record: &Record, members_left: usize) -> Result<Record, String> {
    let jobs = record.scripts.iter().map(|script| sbatch(Path::new(script), None));
    let jobs: Vec<String> = jobs.collect::<Result<_, _>>()?;
    let mut new = record.clone();
    (new.jobs, new.closing, new.members_left) = (jobs, None, Some(members_left));
    outln!("Slurm {} goes on", listed(&new.jobs));
    if let Some(path) = record.closing_script.clone() {
        close_after(&mut new, Path::new(&path));
    }
    Ok(new)
}
