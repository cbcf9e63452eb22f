//! What is said of programs that cannot be started or ended badly.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use super::child::Call;

/// Names a program in a message.
pub(super) fn shown_program(program: &str) -> String {
    let name = Path::new(program).file_name().map_or(program.into(), |name| name.to_string_lossy());
    format!("`{}`", name.escape_debug())
}

/// Says why a program could not be started, and what helps.
pub(super) fn not_started(program: &str, call: &Call<'_>, error: &std::io::Error) -> String {
    let shown = format!("`{}`", program.escape_debug());
    let place = call.folder.display();
    match error.kind() {
        std::io::ErrorKind::NotFound if !call.folder.is_dir() => {
            format!("{shown}: its folder `{place}` is gone")
        }
        std::io::ErrorKind::NotFound if program.contains('/') => {
            format!(
                "{shown}: there is no such file, or its interpreter is missing (looked in `{place}`)"
            )
        }
        std::io::ErrorKind::NotFound => {
            format!(
                "{shown}: there is no such program on `PATH`; one of your own is named with its folder, such as `./{program}`"
            )
        }
        std::io::ErrorKind::PermissionDenied => {
            format!("{shown}: it is not executable; try `chmod +x`, or name its interpreter first")
        }
        _ => format!("{shown}: {error}"),
    }
}

/// Says how a program ended that did not end well.
pub(super) fn how_it_ended(status: ExitStatus) -> String {
    const KILL: i32 = 9;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(KILL)) => {
            "was killed by signal 9, as the system does where memory runs out".to_owned()
        }
        (None, signal) => format!("was killed by signal {}", signal.unwrap_or(0)),
    }
}
