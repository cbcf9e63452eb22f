//! What sessions tell, on standard error.

use crate::session::{Listener, Notice};

/// Returns a listener that prints; a quiet one leaves out what is no warning about the images.
pub(super) fn listener(is_quiet: bool) -> Listener {
    Listener::new(move |notice| {
        let is_left_out = is_quiet && matches!(notice, Notice::Images(note) if !note.is_warning);
        if !is_left_out {
            say!("{notice}");
        }
    })
}
