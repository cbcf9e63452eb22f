//! Does everything to `bench` that machines do: ends it at every file operation, fills its disk, cuts
//! its power, flips its bits, gives it a twin on another view of the folder.
//!
//! `cargo test --release --test faults -- [--long] [NAME…]` (`just faults` is the long form). A part
//! that this machine cannot try (no C compiler, no FUSE, not Linux) says so and is left out.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod flips;
mod hostile;
mod kills;
mod power;
mod refusals;
mod rig;
mod twins;

use std::process::ExitCode;
use std::time::Instant;

use rig::{Rig, Tally};

/// One kind of harm.
type Campaign = fn(&Rig) -> Result<Tally, String>;

/// Name, what is done, and how.
const CAMPAIGNS: [(&str, &str, Campaign); 17] = [
    ("kill-run", "killed at every operation of a run", kills::run),
    ("kill-weights", "killed at every operation of a run that keeps weights", kills::weights),
    ("kill-escalate", "killed at every operation of `check --escalate`", kills::escalate),
    ("kill-confirm", "killed at every operation of `confirm`", kills::confirm),
    ("kill-migrate", "killed at every operation of `migrate --apply`", kills::migrate),
    ("kill-often", "killed again and again until it ends", kills::often),
    ("full-disk", "disk full from every operation on", refusals::full_disk),
    ("full-output", "disk full while anything but a run writes", refusals::full_output),
    ("errors", "one operation fails (EIO, ENOSPC), at each", refusals::errors),
    ("short", "one write or read does half, or is interrupted, at each", refusals::short),
    ("no-locks", "a file system without locks", refusals::no_locks),
    ("flip-results", "one bit of every stored file flipped, then read and run", flips::results),
    ("flip-committed", "one bit of committed results, baselines, models flipped", flips::committed),
    ("power", "power lost after every operation", power::cuts),
    ("views", "two runs on two views with stale caches", twins::views),
    ("namespaces", "killed where every process has the same number", twins::namespaces),
    ("hostile", "links and names that lead outside", hostile::all),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let long = arguments.iter().any(|argument| argument == "--long");
    let named: Vec<&String> = arguments.iter().filter(|name| !name.starts_with('-')).collect();
    let rig = match Rig::build(long) {
        Ok(rig) => rig,
        Err(why) => {
            println!("skipped: {why}");
            return ExitCode::SUCCESS;
        }
    };
    println!(
        "{:<15} {:>7} {:>8} {:>7} {:>7} {:>6}  what was done",
        "", "rounds", "as if not", "healed", "refused", "WRONG"
    );
    let mut wrong = 0;
    for (name, what, campaign) in CAMPAIGNS {
        if !named.is_empty() && !named.iter().any(|asked| name.contains(asked.as_str())) {
            continue;
        }
        let began = Instant::now();
        match campaign(&rig) {
            Err(why) => println!("{name:<15} skipped: {why}"),
            Ok(tally) => {
                let Tally { unharmed, healed, refused, wrong: problems } = tally;
                let rounds = unharmed + healed + refused + problems.len();
                let seconds = began.elapsed().as_secs();
                println!(
                    "{name:<15} {rounds:>7} {unharmed:>9} {healed:>7} {refused:>7} {:>6}  {what} ({seconds} s)",
                    problems.len()
                );
                for problem in problems.iter().take(5) {
                    let shown: String = problem.chars().take(1500).collect();
                    println!("    {}", shown.replace('\n', "\n    "));
                }
                wrong += problems.len();
            }
        }
    }
    ExitCode::from(u8::from(wrong > 0))
}
