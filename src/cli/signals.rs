//! Ctrl-C and its like.

use std::io;

/// Calls `interrupt`, on a thread of its own, whenever the process is asked to end. Engines send USR1 ahead of
/// a time limit.
///
/// Hang-ups count unless they were ignored when the process began, as `nohup` has it.
pub(super) fn listen(interrupt: fn()) -> io::Result<()> {
    ctrlc::set_handler(interrupt).map_err(io::Error::other)?;
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGTERM, SIGUSR1};

        let mut wanted = vec![SIGTERM, SIGUSR1];
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        if !is_ignored(SIGHUP, &status) {
            wanted.push(SIGHUP);
        }
        let mut signals = signal_hook::iterator::Signals::new(wanted)?;
        let listen = move || {
            signals.forever().for_each(|signal| {
                pass_on(signal);
                interrupt();
            });
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
    }
    Ok(())
}

/// Calls `leave`, on a thread of its own, whenever an engine or a person asks the process to end, and
/// says whether it was typed at a terminal. Engines send USR1 or USR2 ahead of a time limit.
pub(super) fn listen_to_engines(leave: fn(is_typed: bool)) -> io::Result<()> {
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};

        let mut wanted = vec![SIGINT, SIGTERM, SIGUSR1, SIGUSR2];
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        if !is_ignored(SIGHUP, &status) {
            wanted.push(SIGHUP);
        }
        let mut signals = signal_hook::iterator::Signals::new(wanted)?;
        let listen = move || {
            signals.forever().for_each(|signal| {
                pass_on(signal);
                leave(signal == SIGINT);
            });
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
        Ok(())
    }
    #[cfg(not(unix))]
    ctrlc::set_handler(move || leave(true)).map_err(io::Error::other)
}

/// Has programs hear USR1 where this process heard it; of all else they hear as TERM.
#[cfg(unix)]
fn pass_on(signal: i32) {
    if signal == signal_hook::consts::SIGUSR1 {
        crate::program::pass_on_usr1();
    }
}

/// Returns whether Linux's `/proc/self/status` says that a signal is ignored; where there is no
/// such file, none is.
#[cfg(unix)]
fn is_ignored(signal: i32, status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_the_bits_of_a_mask() {
        // proc(5): bit n - 1 stands for signal n.
        let status = "Name:\tbench\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert!(is_ignored(1, status) && is_ignored(13, status));
        assert!(!is_ignored(2, status) && !is_ignored(1, ""));
    }
}
