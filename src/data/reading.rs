//! What all readers of images share: how images are to be read, and what is found on the way.

use std::path::Path;

use super::error::LoadError;
use super::note::Note;
use super::rejects::Rejects;
use crate::experiment::settings::DatasetSettings;

/// One dataset being read.
pub(super) struct Reading<'s> {
    pub(super) settings: &'s DatasetSettings,
    /// What cannot be used.
    pub(super) rejects: Rejects,
    /// What a reader of results must know.
    pub(super) notes: Vec<Note>,
}

impl<'s> Reading<'s> {
    /// Begins with nothing found.
    pub(super) fn new(settings: &'s DatasetSettings) -> Self {
        Self { settings, rejects: Rejects::new(settings.skip_bad), notes: Vec::new() }
    }

    /// Checks that so many images of so many pixels each are no more than the limits allow.
    pub(super) fn check_room(
        &self,
        path: &Path,
        images: usize,
        pixels: usize,
    ) -> Result<(), LoadError> {
        let limits = &self.settings.limits;
        if images as u64 > limits.images {
            return Err(LoadError::Limit {
                path: path.to_owned(),
                found: format!("at least {images} images"),
                key: "images",
                limit: limits.images,
                enough: limits.images.saturating_mul(2).max(images as u64),
            });
        }
        let bytes = (images as u64).saturating_mul(pixels as u64);
        let mebibytes = bytes.div_ceil(1 << 20);
        if mebibytes > limits.memory_mib {
            return Err(LoadError::Limit {
                path: path.to_owned(),
                found: format!("at least {mebibytes} MiB of pixels"),
                key: "memory-mib",
                limit: limits.memory_mib,
                enough: limits.memory_mib.saturating_mul(2).max(mebibytes),
            });
        }
        Ok(())
    }
}
