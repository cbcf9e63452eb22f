//! Panics: those of a training are its outcome and stay out of sight; any other is a bug of the
//! program and is reported like every error.

use std::panic::{PanicHookInfo, UnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use super::failure::Failure;

/// What the latest panic said and where.
static LATEST: Mutex<Option<String>> = Mutex::new(None);

/// Does `work`; a panic that nobody below caught becomes an internal error.
///
/// With `RUST_BACKTRACE` set every panic is printed as Rust does by itself.
pub(super) fn reported<T>(
    work: impl FnOnce() -> Result<T, Failure> + UnwindSafe,
) -> Result<T, Failure> {
    let by_rust = std::panic::take_hook();
    let is_traced = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    std::panic::set_hook(Box::new(move |panic| {
        *LATEST.lock().unwrap_or_else(PoisonError::into_inner) = Some(said(panic));
        if is_traced {
            by_rust(panic);
        }
    }));
    catch_unwind(work).unwrap_or_else(|_| {
        let latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(Failure::internal("`bench` met a bug of its own")
            .because_of(latest.unwrap_or_else(|| "a panic without a message".to_owned()))
            .hint(Some("please report it with this message; results stored so far are safe")))
    })
}

fn said(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    match panic.location() {
        Some(location) => format!("{message} ({}:{})", location.file(), location.line()),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_an_internal_error_that_names_its_location() {
        let failure = reported::<()>(|| panic!("the invariant")).unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("the invariant (src/cli/panics.rs:"), "{text}");
        assert_eq!(failure.exit() as u8, 1);
    }
}
