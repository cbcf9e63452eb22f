//! Mutates the corpus of every reader and looks for panics, hangs and memory without bounds: a fuzzer
//! that runs on the stable compiler, without instrumentation. What it can see of the way an input took
//! are the messages that the reader gave; an input with a new sequence of them joins the corpus in
//! memory. An input that breaks a reader is kept in `fuzz/artifacts`.

#![expect(clippy::print_stdout, reason = "a campaign tells how far it is")]

#[path = "../benches/process/mod.rs"]
mod process;
#[path = "readers.rs"]
mod readers;

use std::collections::HashSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use gridbench_stats::Draws;
use process::{peak_bytes, processor_time};
use readers::{READERS, Reader, WAY};

/// Inputs that were new, at most.
const MAX_KEPT: usize = 4_000;
/// Longer inputs are cut.
const MAX_BYTES: usize = 64 << 10;
/// An input that takes longer is a finding.
const TOO_SLOW: Duration = Duration::from_secs(10);

/// What readers of numbers and texts stumble over.
const TOKENS: [&[u8]; 32] = [
    b"0",
    b"-1",
    b"1e308",
    b"-1e999",
    b"NaN",
    b"inf",
    b"18446744073709551616",
    b"9223372036854775808",
    b"4294967296",
    b"0.1",
    b"1.10",
    b"null",
    b"true",
    b"\"\"",
    b"[]",
    b"{}",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\x1b[2J",
    b"::error::",
    b"../",
    b"\xe2\x80\xae",
    b",",
    b"=",
    b".",
];

fn main() -> ExitCode {
    let mut names: Vec<String> = Vec::new();
    let (mut minutes, mut seed) = (1.0, 1_u64);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<f64>().ok());
        match argument.as_str() {
            "--minutes" => minutes = number().expect("`--minutes` takes a number"),
            "--seed" => seed = number().expect("`--seed` takes a number") as u64,
            name => names.push(name.to_owned()),
        }
    }
    let chosen: Vec<(&str, Reader)> = READERS
        .into_iter()
        .filter(|(name, _)| names.is_empty() || names.iter().any(|wanted| wanted == name))
        .collect();
    assert!(!chosen.is_empty(), "no such reader: {}", READERS.map(|(name, _)| name).join(", "));
    std::panic::set_hook(Box::new(|_| {}));
    println!(
        "{:<16}{:>10}{:>8}{:>8}{:>10}{:>10}{:>9}",
        "reader", "inputs", "kinds", "BROKEN", "slowest", "peak MiB", "minutes"
    );
    let mut broken = 0;
    for (name, read) in chosen {
        broken += campaign(name, read, Duration::from_secs_f64(60.0 * minutes), seed);
    }
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Mutates the corpus of one reader for so much processor time, and returns how many inputs broke it. The input that
/// is being read is `gridbench-fuzz-READER` in the temporary folder.
fn campaign(name: &str, read: Reader, time: Duration, seed: u64) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut kept = seeds(&root.join("corpus").join(name));
    let given = kept.len();
    let current = std::env::temp_dir().join(format!("gridbench-fuzz-{name}"));
    let mut draws = Draws::keyed(seed, name.len() as u64);
    let (mut inputs, mut broken, mut slowest) = (0_usize, 0, Duration::ZERO);
    let mut ways = HashSet::new();
    let (begin, spent) = (Instant::now(), processor_time());
    // Where a machine does not say what it spent, the wall clock decides.
    let so_far = || match (spent, processor_time()) {
        (Some(before), Some(now)) => now.saturating_sub(before),
        _ => begin.elapsed(),
    };
    while so_far() < time {
        let input = match kept.get(inputs).filter(|_| inputs < given) {
            Some(seed) => seed.clone(),
            None => mutated(&kept, &mut draws),
        };
        inputs += 1;
        // Left behind where the process dies of it.
        fs::write(&current, &input).expect("a file");
        WAY.set(0);
        let started = Instant::now();
        let ended = catch_unwind(|| read(&input));
        let took = started.elapsed();
        slowest = slowest.max(took);
        if ended.is_err() || took > TOO_SLOW {
            broken += 1;
            keep(
                &root.join("artifacts").join(name),
                &input,
                if ended.is_err() { "panic" } else { "slow" },
            );
        } else if ways.insert(WAY.get()) && kept.len() < MAX_KEPT {
            kept.push(input);
        }
    }
    println!(
        "{name:<16}{inputs:>10}{:>8}{broken:>8}{:>8.1} s{:>10}{:>9.1}",
        ways.len(),
        slowest.as_secs_f64(),
        peak_bytes().map_or_else(|| "unknown".to_owned(), |bytes| (bytes >> 20).to_string()),
        so_far().as_secs_f64() / 60.0
    );
    broken
}

fn seeds(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file")).collect()
}

fn keep(folder: &Path, input: &[u8], why: &str) {
    let hash = input.iter().fold(0_u64, |hash, byte| gridbench_stats::mix(hash ^ u64::from(*byte)));
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join(format!("{why}-{hash:016x}")), input).expect("a file");
}

/// Changes one of the inputs kept in a few places.
fn mutated(kept: &[Vec<u8>], draws: &mut Draws) -> Vec<u8> {
    let mut bytes = kept[draws.index(kept.len())].clone();
    for _ in 0..=draws.index(4) {
        let at = draws.index(bytes.len() + 1);
        let end = (at + 1 + draws.index(24)).min(bytes.len());
        match draws.index(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << draws.index(8),
            1 if at < bytes.len() => bytes[at] = draws.word() as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, TOKENS[draws.index(TOKENS.len())].iter().copied())),
            5 => number(&mut bytes, at, draws),
            6 => {
                let piece = bytes[at..end].to_vec();
                for _ in 0..=draws.index(6) {
                    bytes.splice(at..at, piece.iter().copied());
                }
            }
            7 => lines(&mut bytes, draws),
            _ => {
                // The tail of another input.
                let other = &kept[draws.index(kept.len())];
                let from = draws.index(other.len() + 1);
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
        }
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

/// Puts another token in the place of the first number from `at` on.
fn number(bytes: &mut Vec<u8>, at: usize, draws: &mut Draws) {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'e');
    let Some(from) = bytes[at..].iter().position(u8::is_ascii_digit).map(|found| at + found) else {
        return;
    };
    let length = bytes[from..].iter().position(|byte| !is_part(byte)).unwrap_or(bytes.len() - from);
    bytes.splice(from..from + length, TOKENS[draws.index(12)].iter().copied());
}

/// Moves one line, or doubles it.
fn lines(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let mut parts: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let line = parts[draws.index(parts.len())].clone();
    parts.insert(draws.index(parts.len()), line);
    if draws.index(2) == 0 {
        parts.remove(draws.index(parts.len()));
    }
    *bytes = parts.join(&b'\n');
}
