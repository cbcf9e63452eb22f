//! The two streams of the process, whoever reads them or not.
//!
//! A reader that has gone (`| head`, a closed terminal) ends the printing, never the work or its
//! exit code; standard output that cannot be written otherwise is reported when the command ends.
//! `println!` and `eprintln!` panic in both cases, so nothing else in `cli` may print.

use std::fmt::Arguments;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::failure::{Exit, Failure};
use crate::base::format::Format;

/// Why standard output takes no more.
static CLOSED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes a line to standard error, as `eprintln!` would.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::streams::complain(format_args!($($text)*)) };
}

/// Writes to standard output, as `print!` would.
macro_rules! out {
    ($($text:tt)*) => { $crate::cli::streams::print(format_args!($($text)*)) };
}

/// Writes a line to standard output, as `println!` would.
macro_rules! outln {
    () => { out!("\n") };
    ($($text:tt)*) => { out!("{}\n", format_args!($($text)*)) };
}

/// Writes a line to standard error; one that cannot be written has no reader.
pub(super) fn complain(line: Arguments<'_>) {
    let line = format!("{line}\n");
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Writes to standard output, unless that failed before.
pub(super) fn print(text: Arguments<'_>) {
    let mut closed = CLOSED.lock().unwrap_or_else(PoisonError::into_inner);
    if closed.is_none() {
        *closed = io::stdout().lock().write_fmt(text).err();
    }
}

/// Writes a document to standard output piece by piece, unless that failed before.
pub(super) fn document(format: Format, content: &impl Serialize) {
    let mut closed = CLOSED.lock().unwrap_or_else(PoisonError::into_inner);
    if closed.is_none() {
        let mut writer = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let written = format.write(&mut writer, content).and_then(|()| writer.flush());
        *closed = written.err();
    }
}

/// Writes what is left, reports what could not be written, and returns the exit code: that of the
/// command, unless its output is lost although all else went well.
pub(super) fn close(exit: Exit) -> Exit {
    let mut closed = CLOSED.lock().unwrap_or_else(PoisonError::into_inner);
    let problem = closed.take().or_else(|| io::stdout().lock().flush().err());
    match problem {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            say!("{}", Failure::internal("cannot write to standard output").because(&error));
            if exit == Exit::Done { Exit::Internal } else { exit }
        }
        _ => exit,
    }
}
