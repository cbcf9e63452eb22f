//! Images in one folder per class.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::fit::Fitter;
use super::format::{Format, is_image_ending};
use super::pictures::{Picture, Pictures};
use crate::base::text::counted;
use crate::data::dataset::ImageShape;
use crate::data::error::LoadError;
use crate::data::note::Note;
use crate::data::paths::{ending_of, listed, name_of};
use crate::data::pool::Pool;
use crate::data::reading::Reading;

/// Files and folders that systems leave behind.
const OF_SYSTEMS: [&str; 5] = ["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx"];
/// Folders within folders that are looked into for what is passed over.
const MAX_DEPTH: usize = 8;
/// Names that a message lists.
const MAX_LISTED: usize = 6;

/// Reads every image of every folder in `path` and, where there is one, in `test`.
///
/// Classes are the names of the folders in `path` in sorted order; images follow each other in sorted
/// order within their class. All must be of one size, that of the first, or the commonest where others
/// are left out. The folders of `test` must be among those of `path`.
pub(in crate::data) fn read(
    path: &Path,
    test: Option<&Path>,
    reading: &mut Reading<'_>,
) -> Result<Pool, LoadError> {
    Ok(read_named(path, test, Fitter::new(reading.settings), reading)?.0)
}

/// Reads as [`read`] does, in sizes that `fitter` says, and returns the file of every image as well.
pub(in crate::data) fn read_named(
    path: &Path,
    test: Option<&Path>,
    fitter: Fitter,
    reading: &mut Reading<'_>,
) -> Result<(Pool, Vec<PathBuf>), LoadError> {
    let train = Listing::of(path)?;
    train.check(path)?;
    let classes: Vec<String> = train.folders.iter().map(|folder| name_of(&folder.path)).collect();
    let test_listing = test.map(Listing::of).transpose()?;
    if let (Some(test), Some(listing)) = (test, &test_listing) {
        check_test(path, &classes, test, listing)?;
    }
    // Index of the class of every folder, those of the test folder last.
    let mut class_of: Vec<usize> = (0..classes.len()).collect();
    let mut pictures = Pictures::new(reading, fitter);
    let mut parts = vec![(path, train)];
    parts.extend(test.zip(test_listing));
    let mut passed_over = Vec::new();
    for (part, (root, listing)) in parts.into_iter().enumerate() {
        let mut images = 0;
        for (index, folder) in listing.folders.into_iter().enumerate() {
            let at = if part == 0 { index } else { class_of.len() };
            if part > 0 {
                let name = name_of(&folder.path);
                class_of.push(classes.iter().position(|class| *class == name).unwrap_or(0));
            }
            images += folder.images.len();
            for file in folder.images {
                pictures.add(file, at)?;
            }
        }
        passed_over.push((root, images, listing.passed_over, listing.hidden));
    }
    let pictures = pictures.finish(path)?;
    for (root, images, files, hidden) in passed_over {
        for (file, why) in &files {
            reading.rejects.pass_over(file, why);
        }
        reading.notes.extend(reading.rejects.check_passed_over(root, images)?);
        note_hidden(root, &hidden, reading);
    }
    let tried = pictures.len();
    let (size, pictures) = of_one_size(path, pictures, reading)?;
    reading.rejects.check(tried, "image")?;
    let mut kept = vec![0; classes.len()];
    let first = pictures.first().map(|picture| picture.file.clone()).unwrap_or_default();
    let (mut pixels, mut labels, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let mut train_images = 0;
    for picture in pictures {
        if let Some(count) = kept.get_mut(picture.folder) {
            *count += 1;
            train_images += 1;
        }
        pixels.extend_from_slice(&picture.pixels);
        labels.push(class_of[picture.folder] as u16);
        files.push(picture.file);
    }
    if let Some((class, _)) = classes.iter().zip(&kept).find(|&(_, &kept)| kept == 0) {
        return Err(LoadError::content(
            path.join(class),
            "no image that can be used",
            format!("images of {}×{} pixels, as `{}` has", size.0, size.1, first.display()),
        ));
    }
    let shape = ImageShape { height: size.0, width: size.1, channels: 1 };
    let test_from = test.map(|_| train_images);
    Ok((Pool { test_from, ..Pool::new(shape, classes, pixels, labels) }, files))
}

/// Returns the images in `folder` itself, sorted by name, and notes what else is there.
pub(in crate::data) fn loose_images(
    folder: &Path,
    reading: &mut Reading<'_>,
) -> Result<Vec<PathBuf>, LoadError> {
    let listing = Folder::of(folder.to_owned())?;
    for (file, why) in listing.others.iter().filter(|_| !listing.images.is_empty()) {
        reading.rejects.pass_over(file, why);
    }
    Ok(listing.images)
}

/// Returns the first folder in `folder` that holds an image.
pub(in crate::data) fn inner_folder(folder: &Path) -> Result<Option<PathBuf>, LoadError> {
    let listing = Listing::of(folder)?;
    let holds = |folder: &Folder| !folder.images.is_empty();
    Ok(listing.folders.into_iter().find(holds).map(|folder| folder.path))
}

/// What lies in a folder of class folders.
struct Listing {
    folders: Vec<Folder>,
    /// Images beside the class folders.
    loose: Vec<PathBuf>,
    /// Files that are not read, and what they are unless single files without an image.
    passed_over: Vec<(PathBuf, &'static str)>,
    hidden: Vec<PathBuf>,
}

/// What lies in one class folder.
struct Folder {
    path: PathBuf,
    images: Vec<PathBuf>,
    others: Vec<(PathBuf, &'static str)>,
    hidden: Vec<PathBuf>,
    /// The folders in it that hold images.
    inner: Vec<String>,
}

impl Listing {
    fn of(root: &Path) -> Result<Self, LoadError> {
        let Entries { files, folders, hidden } = Entries::of(root)?;
        let (loose, others): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(is_image);
        let folders: Vec<Folder> = folders.into_iter().map(Folder::of).collect::<Result<_, _>>()?;
        let mut listing = Self {
            passed_over: others.into_iter().map(|file| (file, "")).collect(),
            loose,
            hidden,
            folders: Vec::new(),
        };
        let beside = listing.loose.iter().cloned().map(|file| (file, "beside the class folders"));
        listing.passed_over.extend(beside);
        for mut folder in folders {
            listing.passed_over.append(&mut folder.others);
            listing.hidden.append(&mut folder.hidden);
            listing.folders.push(folder);
        }
        Ok(listing)
    }

    /// Refuses folders that hold no classes.
    fn check(&self, path: &Path) -> Result<(), LoadError> {
        let expected = "one folder of images per class";
        if self.folders.is_empty() {
            return Err(match self.loose.len() {
                0 => LoadError::content(path, "no folder in it", expected)
                    .hinting("put the images of every class into a folder of `dataset.path` named like the class"),
                images => LoadError::content(
                    path,
                    format!("{} and no folder", counted(images, "image")),
                    expected,
                )
                .hinting(
                    "name the folder above it, whose folders are the classes, or put the images \
                     of every class into a folder of its own",
                ),
            });
        }
        let empty: Vec<&Folder> =
            self.folders.iter().filter(|folder| folder.images.is_empty()).collect();
        if empty.len() == self.folders.len() && empty.iter().any(|folder| !folder.inner.is_empty())
        {
            let names: Vec<String> = empty.iter().map(|folder| name_of(&folder.path)).collect();
            let inner: Vec<String> = empty[0].inner.clone();
            let mut hint = format!(
                "if the classes are {}, name one of the folders as `path`; if they are {}, move the \
                 images up into these",
                listed(&inner, MAX_LISTED),
                listed(&names, MAX_LISTED),
            );
            let (train, test) = (
                names.iter().find(|name| name.to_lowercase().starts_with("train")),
                names.iter().find(|name| name.to_lowercase().starts_with("test")),
            );
            if let (Some(train), Some(test)) = (train, test) {
                hint = format!(
                    "did you mean `path = \"{}\"` and `test-path = \"{}\"`?",
                    path.join(train).display(),
                    path.join(test).display(),
                );
            }
            return Err(LoadError::content(
                path,
                format!(
                    "folders ({}) of folders ({})",
                    listed(&names, MAX_LISTED),
                    listed(&inner, MAX_LISTED)
                ),
                expected,
            )
            .hinting(hint));
        }
        let names: Vec<String> = empty.iter().map(|folder| name_of(&folder.path)).collect();
        if !names.is_empty() {
            return Err(LoadError::content(
                path,
                format!("no image in {}", listed(&names, MAX_LISTED)),
                "images of every class",
            )
            .hinting("put images into these folders, or remove the folders"));
        }
        Ok(())
    }
}

impl Folder {
    fn of(path: PathBuf) -> Result<Self, LoadError> {
        let Entries { files, folders, hidden } = Entries::of(&path)?;
        let (images, others): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(is_image);
        let mut folder = Self {
            path,
            images,
            others: others.into_iter().map(|file| (file, "")).collect(),
            hidden,
            inner: Vec::new(),
        };
        for inner in folders {
            let name = name_of(&inner);
            let before = folder.others.len();
            folder.gather_inner(&inner, MAX_DEPTH)?;
            let holds_images = folder.others[before..].iter().any(|(file, _)| is_image(file));
            folder.inner.extend(holds_images.then_some(name));
        }
        Ok(folder)
    }

    /// Notes the files of folders within a class folder.
    fn gather_inner(&mut self, inner: &Path, depth: usize) -> Result<(), LoadError> {
        let Entries { files, folders, .. } = Entries::of(inner)?;
        self.others
            .extend(files.into_iter().map(|file| (file, "in a folder within a class folder")));
        if depth > 0 {
            folders.iter().try_for_each(|folder| self.gather_inner(folder, depth - 1))?;
        }
        Ok(())
    }
}

/// What a folder holds, sorted by name.
struct Entries {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    /// Hidden files and folders, and what systems leave in folders.
    hidden: Vec<PathBuf>,
}

impl Entries {
    fn of(folder: &Path) -> Result<Self, LoadError> {
        let problem = |source| LoadError::Read { path: folder.to_owned(), source };
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
            .map_err(problem)?
            .map(|entry| entry.map(|entry| entry.path()).map_err(problem))
            .collect::<Result<_, _>>()?;
        paths.sort();
        let mut entries = Self { files: Vec::new(), folders: Vec::new(), hidden: Vec::new() };
        for path in paths {
            let name = name_of(&path);
            let is_hidden =
                name.starts_with('.') || OF_SYSTEMS.contains(&name.to_lowercase().as_str());
            match () {
                () if is_hidden => entries.hidden.push(path),
                () if path.is_dir() => {
                    if path.file_name().is_some_and(|name| name.to_str().is_none()) {
                        return Err(LoadError::content(
                            folder,
                            format!("a folder whose name is not UTF-8, `{name}`"),
                            "names in UTF-8",
                        )
                        .hinting("rename it: two such names could be taken for one class"));
                    }
                    entries.folders.push(path);
                }
                () => entries.files.push(path),
            }
        }
        Ok(entries)
    }
}

/// Returns whether a file is meant to be an image: by its name, else by what it begins with.
fn is_image(file: &PathBuf) -> bool {
    if is_image_ending(&ending_of(file)) {
        return true;
    }
    let mut start = [0; 16];
    // A pipe would be waited for; what is no regular file is refused when it is read.
    let mut read = || -> Option<usize> {
        file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        File::open(file).ok()?.read(&mut start).ok()
    };
    let count = read().unwrap_or(0);
    Format::beyond_doubt(&start[..count]).is_some()
}

/// Holds the class folders of a test folder against the classes of the training folder.
fn check_test(
    path: &Path,
    classes: &[String],
    test: &Path,
    listing: &Listing,
) -> Result<(), LoadError> {
    let is_same = path.canonicalize().ok().zip(test.canonicalize().ok());
    if is_same.is_some_and(|(path, test)| path == test) {
        return Err(LoadError::content(
            test,
            "the images that are trained on",
            "others to test with",
        )
        .hinting("remove `test-path`: a fifth of the images tests by default"));
    }
    let unknown: Vec<String> = listing
        .folders
        .iter()
        .map(|folder| name_of(&folder.path))
        .filter(|name| !classes.contains(name))
        .collect();
    if !unknown.is_empty() {
        return Err(LoadError::content(
            test,
            format!("folders {}", listed(&unknown, MAX_LISTED)),
            format!("the classes of `{}` alone: {}", path.display(), listed(classes, MAX_LISTED)),
        ));
    }
    if listing.folders.iter().all(|folder| folder.images.is_empty()) {
        return Err(LoadError::content(test, "no image", "one folder of images per class"));
    }
    Ok(())
}

fn note_hidden(root: &Path, hidden: &[PathBuf], reading: &mut Reading<'_>) {
    if hidden.is_empty() {
        return;
    }
    for file in hidden {
        reading.rejects.ignore(file);
    }
    let are = if hidden.len() == 1 { "is" } else { "are" };
    reading.notes.push(Note::fact(format!(
        "{} in `{}` {are} not looked at",
        counted(hidden.len(), "hidden or system file"),
        root.display()
    )));
}

/// Keeps the images of the size that all should have: the commonest, and the first one's among those
/// that are equally common.
fn of_one_size(
    path: &Path,
    pictures: Vec<Picture>,
    reading: &mut Reading<'_>,
) -> Result<((usize, usize), Vec<Picture>), LoadError> {
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for picture in &pictures {
        *counts.entry(picture.size).or_default() += 1;
    }
    let first = pictures.first().map(|picture| picture.size);
    let wanted = counts.into_iter().max_by_key(|&(size, count)| (count, Some(size) == first));
    let Some((size, _)) = wanted else {
        return Err(LoadError::content(path, "no usable image", "one folder of images per class"));
    };
    let first = pictures.iter().find(|picture| picture.size == size);
    let first = first.map(|picture| picture.file.clone()).unwrap_or_default();
    let mut kept = Vec::with_capacity(pictures.len());
    for picture in pictures {
        let sized = if picture.size == size {
            Ok(picture)
        } else {
            let (height, width) = picture.size;
            Err(LoadError::content(
                &picture.file,
                format!("{height}×{width} pixels (height×width)"),
                format!("{}×{}, as `{}` has", size.0, size.1, first.display()),
            )
            .hinting("bring all images to one size with `dataset.image-size`, for example 28"))
        };
        kept.extend(reading.rejects.pass(sized));
    }
    Ok((size, kept))
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
