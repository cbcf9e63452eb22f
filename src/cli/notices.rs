//! What sessions tell, on standard error.

use crate::session::{Listener, Notice};

/// Returns a listener that prints; a quiet one leaves out what is no warning about the images.
pub(super) fn listener(is_quiet: bool) -> Listener {
    Listener::new(move |notice| {
        let is_news = match notice {
            Notice::Images(note) => !note.is_warning,
            Notice::Round { .. } | Notice::Handed { .. } => true,
            _ => false,
        };
        let is_left_out = is_quiet && is_news;
        if !is_left_out {
            say!("{notice}");
        }
    })
}
