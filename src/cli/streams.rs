//! The two streams of the process, whoever reads them or not.
//!
//! A reader that has gone (`| head`, a closed terminal) ends the printing, never the work or its
//! exit code; standard output that cannot be written otherwise is reported when the command ends.
//! `println!` and `eprintln!` panic in both cases, so nothing else in `cli` may print.
//!
//! Whatever is printed, wherever it came from, does nothing to a terminal and gives GitHub's runner no
//! commands.

use std::fmt::Arguments;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::failure::{Exit, Failure};
use super::patience;
use crate::base::format::Format;
use crate::base::text::{Printing, printable};

/// Why standard output takes no more.
static CLOSED: Mutex<Option<io::Error>> = Mutex::new(None);

/// What passes on standard output, and where it stands.
static PRINTING: Mutex<Printing> =
    Mutex::new(Printing { colors: false, commands: false, at_line_start: true, hashes: 0 });

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

/// Says whether the colours of tables pass.
pub(super) fn allow_colors(colors: bool) {
    lock(&PRINTING).colors = colors;
}

/// Writes a line to standard error; one that cannot be written has no reader.
pub(super) fn complain(line: Arguments<'_>) {
    patience::heard();
    complain_unheard(line);
}

/// Writes a line to standard error that ends no silence.
pub(super) fn complain_unheard(line: Arguments<'_>) {
    let mut printing = Printing { at_line_start: true, hashes: 0, ..*lock(&PRINTING) };
    let line = printable(&format!("{line}\n"), &mut printing);
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Writes to standard output, unless that failed before.
pub(super) fn print(text: Arguments<'_>) {
    let mut printing = lock(&PRINTING);
    let text = printable(&text.to_string(), &mut printing);
    write(&text);
}

/// Writes to standard output what may hold workflow commands of our own.
pub(super) fn print_commands(text: &str) {
    let mut printing = Printing { commands: true, ..*lock(&PRINTING) };
    write(&printable(text, &mut printing));
}

/// Takes away what stands on the terminal.
pub(super) fn clear_screen() {
    write("\u{1b}[2J\u{1b}[H");
}

fn write(text: &str) {
    patience::heard();
    let mut closed = lock(&CLOSED);
    if closed.is_none() {
        *closed = io::stdout().lock().write_all(text.as_bytes()).err();
    }
}

/// Writes a document to standard output piece by piece, unless that failed before.
pub(super) fn document(format: Format, content: &impl Serialize) {
    let printing = *lock(&PRINTING);
    let mut closed = lock(&CLOSED);
    if closed.is_none() {
        let printed = Printed { printing, stdout: io::stdout().lock() };
        let mut writer = BufWriter::with_capacity(1 << 16, printed);
        let written = format.write(&mut writer, content).and_then(|()| writer.flush());
        *closed = written.err();
    }
}

/// Standard output for pieces of text, each of which is whole characters.
struct Printed<'a> {
    printing: Printing,
    stdout: io::StdoutLock<'a>,
}

impl Write for Printed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = printable(&String::from_utf8_lossy(bytes), &mut self.printing);
        self.stdout.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what is left, reports what could not be written, and returns the exit code: that of the
/// command, unless its output is lost although all else went well.
pub(super) fn close(exit: Exit) -> Exit {
    let mut closed = lock(&CLOSED);
    let problem = closed.take().or_else(|| io::stdout().lock().flush().err());
    match problem {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            say!("{}", Failure::internal("cannot write to standard output").because(&error));
            if exit == Exit::Done { Exit::Internal } else { exit }
        }
        _ => exit,
    }
}
