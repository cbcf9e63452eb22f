//! Image files as they are read one after another: grey, and of the size they are wanted in.

use std::path::{Path, PathBuf};

use super::decode::decode;
use super::decoded::Decoded;
use super::fit::Fitter;
use super::grey::{Grey, Tone, grey};
use crate::base::text::{counted, whole};
use crate::data::error::LoadError;
use crate::data::files;
use crate::data::note::Note;
use crate::data::reading::Reading;

/// Images of 16 bits whose values reach no higher use 14 bits at most, and would be nearly black.
const DEEP_FROM: u16 = 1 << 14;

/// One image.
pub(in crate::data) struct Picture {
    pub(in crate::data) file: PathBuf,
    /// Index of its folder among the folders read.
    pub(in crate::data) folder: usize,
    /// Rows and columns.
    pub(in crate::data) size: (usize, usize),
    pub(in crate::data) pixels: Vec<u8>,
}

/// Reads images and counts what is unusual about them.
pub(in crate::data) struct Pictures<'r, 's> {
    reading: &'r mut Reading<'s>,
    fitter: Fitter,
    list: Vec<Picture>,
    bytes: usize,
    tried: usize,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    colour: usize,
    transparent: usize,
    turned: usize,
    not_square: usize,
    deep: usize,
    deepest: u16,
}

impl<'r, 's> Pictures<'r, 's> {
    /// Begins with no image; `fitter` says what size they get.
    pub(in crate::data) fn new(reading: &'r mut Reading<'s>, fitter: Fitter) -> Self {
        let counts = Counts::default();
        Self { reading, fitter, list: Vec::new(), bytes: 0, tried: 0, counts }
    }

    /// Reads one image of the folder with this index; notes it where it cannot be used.
    ///
    /// # Errors
    /// If the images are more in all than the limits allow.
    pub(in crate::data) fn add(&mut self, file: PathBuf, folder: usize) -> Result<(), LoadError> {
        self.tried += 1;
        let read = self.read(&file);
        let Some((size, pixels)) = self.reading.rejects.pass(read) else { return Ok(()) };
        self.bytes += pixels.len();
        self.reading.check_room(&file, self.tried, 1)?;
        self.reading.check_room(&file, 1, self.bytes)?;
        self.list.push(Picture { file, folder, size, pixels });
        Ok(())
    }

    fn read(&mut self, file: &Path) -> Result<((usize, usize), Vec<u8>), LoadError> {
        let settings = self.reading.settings;
        let bytes = files::read(file, &settings.limits)?;
        let decoded = decode(file, &bytes, &settings.limits)?;
        drop(bytes);
        let tone = Tone { background: settings.background, white: settings.max_value };
        let found = grey(&decoded, tone).map_err(|problem| {
            LoadError::content(
                file,
                format!("a value of {}", whole(problem.found as usize)),
                format!(
                    "at most {}, which `dataset.max-value` says",
                    whole(problem.white as usize)
                ),
            )
        })?;
        let Decoded { image, is_turned, .. } = decoded;
        let size = (image.height() as usize, image.width() as usize);
        let mut pixels = Vec::new();
        if self.fitter.append(&found.pixels, size, &mut pixels).is_err() {
            return Err(LoadError::content(
                file,
                format!("{}×{} pixels (height×width)", size.0, size.1),
                "a square image, or `dataset.image-fit`",
            )
            .hinting(
                "set `dataset.image-fit = \"pad\"`, which keeps proportions and fills up with \
                 `dataset.background`, or `\"stretch\"`, which does not",
            ));
        }
        self.count(&found, is_turned, size);
        Ok((self.fitter.shape_of(size), pixels))
    }

    fn count(&mut self, found: &Grey, is_turned: bool, size: (usize, usize)) {
        let counts = &mut self.counts;
        counts.colour += usize::from(found.is_colour);
        counts.transparent += usize::from(found.is_transparent);
        counts.turned += usize::from(is_turned);
        counts.not_square += usize::from(size.0 != size.1 && self.fitter.changes(size));
        counts.deep += usize::from(found.deepest.is_some());
        counts.deepest = counts.deepest.max(found.deepest.unwrap_or(0));
    }

    /// Returns the images, and notes what is unusual about those in `path`.
    ///
    /// # Errors
    /// If some cannot be used and are not left out, or all would be nearly black.
    pub(in crate::data) fn finish(self, path: &Path) -> Result<Vec<Picture>, LoadError> {
        let Self { reading, list, tried, counts, .. } = self;
        reading.rejects.check(tried, "image")?;
        let settings = reading.settings;
        if counts.deep > 0 && counts.deepest < DEEP_FROM && settings.max_value.is_none() {
            let deepest = u32::from(counts.deepest);
            let white = (deepest + 1).next_power_of_two().max(2) - 1;
            return Err(LoadError::content(
                path,
                format!(
                    "{} of 16 bits whose values go up to {} of 65,535, which leaves {} of 256 \
                     shades of grey",
                    counted(counts.deep, "image"),
                    whole(deepest as usize),
                    deepest / 257 + 1,
                ),
                "`dataset.max-value` to say which value is white",
            )
            .hinting(format!(
                "set `dataset.max-value = {white}`, or 65535 if they are meant to be so dark"
            )));
        }
        let of_all = |count: usize| format!("{} of {}", whole(count), counted(list.len(), "image"));
        let background = match settings.background {
            0 => "black".to_owned(),
            255 => "white".to_owned(),
            grey => format!("grey {grey}"),
        };
        let mut note = |count: usize, what: String| {
            if count > 0 {
                let are = if list.len() == 1 { "is" } else { "are" };
                reading.notes.push(Note::fact(format!("{} {are} {what}", of_all(count))));
            }
        };
        note(counts.colour, "in colour and read as grey".to_owned());
        note(
            counts.transparent,
            format!("transparent and laid on {background} (`dataset.background`)"),
        );
        note(counts.turned, "turned upright, as their metadata say".to_owned());
        if let Some(fit) = settings.image_fit {
            let how = match fit {
                crate::experiment::settings::ImageFit::Pad => format!("padded with {background}"),
                crate::experiment::settings::ImageFit::Stretch => "stretched".to_owned(),
            };
            note(counts.not_square, format!("not square and {how} (`dataset.image-fit`)"));
        }
        Ok(list)
    }
}
