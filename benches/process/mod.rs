//! What this process has spent so far, as Linux says it.

use std::fs;
use std::time::Duration;

/// Returns the processor time of all threads, user and system; nothing where Linux does not say it.
pub(crate) fn processor_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    let [user, system] = ticks[..] else { return None };
    // Linux shows ticks of a hundredth of a second, whatever the kernel counts by.
    Some(Duration::from_millis(10 * (user + system)))
}

/// Returns the most memory that was held at once, in bytes; nothing where Linux does not say it.
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}
