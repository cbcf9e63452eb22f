use std::fs;

use super::*;
use crate::experiment::settings::{DatasetSettings, ImageFit, Source};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files need not survive a crash")]
    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Puts a grey image of so many rows and columns, whose ending says its format.
    fn image(&self, name: &str, (height, width): (u32, u32)) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(width, height, image::Rgb([200; 3])).save(path).unwrap();
        self
    }

    fn read(
        &self,
        parts: (&str, Option<&str>),
        change: impl FnOnce(&mut DatasetSettings),
    ) -> (Result<Pool, LoadError>, Vec<String>, Vec<String>) {
        let mut settings = DatasetSettings::of(Source::Digits);
        change(&mut settings);
        let mut reading = Reading::new(&settings);
        let test = parts.1.map(|part| self.path(part));
        let pool = read(&self.path(parts.0), test.as_deref(), &mut reading);
        let notes = reading.notes.into_iter().map(|note| note.text).collect();
        (pool, notes, reading.rejects.into_list())
    }

    /// What is wrong, with the folder's own path taken out.
    fn error(
        &self,
        parts: (&str, Option<&str>),
        change: impl FnOnce(&mut DatasetSettings),
    ) -> String {
        let error = self.read(parts, change).0.err().expect("an error").of("folder");
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        let hint = error.hint().unwrap_or_default();
        format!("{cause}\n{hint}").replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn usual(_: &mut DatasetSettings) {}

#[test]
fn images_of_every_ending_are_read_and_told_by_their_content() {
    let place = Place::new();
    for name in ["a/1.png", "a/2.bmp", "a/3.pgm", "b/1.gif", "b/2.PNG"] {
        place.image(&name.to_lowercase(), (3, 3));
    }
    fs::rename(place.path("a/1.png"), place.path("a/0.jpeg")).unwrap();
    fs::rename(place.path("b/2.png"), place.path("b/nameless")).unwrap();
    let (pool, notes, list) = place.read(("", None), usual);
    let pool = pool.unwrap();
    assert_eq!((pool.labels, pool.classes), (vec![0, 0, 0, 1, 1], vec!["a".into(), "b".into()]));
    assert_eq!((pool.pixels, notes.len(), list.len()), (vec![200; 45], 0, 0));
}

#[test]
fn what_is_passed_over_is_counted_named_and_listed() {
    let place = Place::new();
    for image in 0..40 {
        place.image(&format!("a/{image}.png"), (2, 2)).image(&format!("b/{image}.png"), (2, 2));
    }
    place.put("a/notes.txt", "words").image("a/more/1.png", (2, 2)).put("a/Thumbs.db", "x");
    place.put("b/.hidden.png", "x");
    let (pool, notes, list) = place.read(("", None), usual);
    assert_eq!(pool.unwrap().labels.len(), 80);
    let own = format!("{}/", place.0.path().display());
    let notes: Vec<String> = notes.iter().map(|note| note.replace(&own, "")).collect();
    assert_eq!(
        notes[0].split(" (the first").next().unwrap(),
        "2 files are not read: 1 `.txt`, 1 in a folder within a class folder"
    );
    assert!(notes[1].starts_with("2 hidden or system files in"), "{notes:?}");
    let list: Vec<String> = list.iter().map(|line| line.replace(&own, "")).collect();
    assert_eq!(
        list,
        [
            "`a/notes.txt` is no image of a format that is read",
            "`a/more/1.png` lies in a folder within a class folder",
            "`a/Thumbs.db` is hidden, or a file of the system",
            "`b/.hidden.png` is hidden, or a file of the system",
        ]
    );
}

#[test]
fn more_than_one_file_in_twenty_that_holds_no_image_is_refused_unless_they_are_left_out() {
    let place = Place::new();
    for image in 0..10 {
        place.image(&format!("a/{image}.png"), (2, 2)).image(&format!("b/{image}.png"), (2, 2));
    }
    place.put("a/x.heic", b"\0\0\0\x1cftypheic").put("b/x.heic", b"\0\0\0\x1cftypheic");
    let error = place.error(("", None), usual);
    assert!(error.starts_with("2 of the 22 files in"), "{error}");
    assert!(error.contains("are not read: 2 `.heic` (the first: `"), "{error}");
    assert!(
        error.contains("go on without these 2 files with `dataset.skip-bad = true`"),
        "{error}"
    );
    let (pool, notes, list) = place.read(("", None), |settings| settings.skip_bad = true);
    assert_eq!((pool.unwrap().labels.len(), notes.len(), list.len()), (20, 1, 2));
}

#[test]
fn folders_of_folders_are_told_from_folders_of_images() {
    let place = Place::new();
    for name in ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"] {
        place.image(name, (2, 2));
    }
    assert_eq!(
        place.error(("", None), usual).replace(&place.0.path().display().to_string(), ""),
        "`` has folders (`test` and `train`) of folders (`a` and `b`), expected one folder of \
         images per class\ndid you mean `path = \"train\"` and `test-path = \"test\"`?"
    );
    let error = place.error(("train/a", None), usual);
    assert!(
        error.starts_with("`train/a` has 1 image and no folder, expected one folder"),
        "{error}"
    );
    assert!(error.contains("name the folder above it"), "{error}");
    let pool = place.read(("train", Some("test")), usual).0.unwrap();
    assert_eq!((pool.labels, pool.test_from), (vec![0, 1, 0, 1], Some(2)));
}

#[test]
fn test_folders_may_lack_classes_but_not_add_any() {
    let place = Place::new();
    for name in ["train/a/1.png", "train/b/1.png", "test/b/1.png"] {
        place.image(name, (2, 2));
    }
    let pool = place.read(("train", Some("test")), usual).0.unwrap();
    assert_eq!((pool.labels, pool.test_from), (vec![0, 1, 1], Some(2)));
    place.image("test/c/1.png", (2, 2));
    let error = place.error(("train", Some("test")), usual);
    assert!(
        error.starts_with(
            "`test` has folders `c`, expected the classes of `train` alone: `a` and `b`"
        ),
        "{error}"
    );
    let error = place.error(("train", Some("train")), usual);
    assert!(error.starts_with("`train` has the images that are trained on"), "{error}");
    fs::create_dir(place.path("train/d")).unwrap();
    let error = place.error(("train", None), usual);
    assert!(error.starts_with("`train` has no image in `d`, expected images of every"), "{error}");
}

#[test]
fn sizes_are_as_they_are_or_brought_to_one_as_asked() {
    let place = Place::new();
    place.image("a/1.png", (2, 4)).image("b/1.png", (2, 4));
    let pool = place.read(("", None), usual).0.unwrap();
    assert_eq!((pool.shape.height, pool.shape.width), (2, 4));
    let sized = |settings: &mut DatasetSettings| settings.image_size = Some(4);
    let error = place.error(("", None), sized);
    assert!(
        error.starts_with("2 of 2 images cannot be used:\n  `a/1.png` has 2×4 pixels"),
        "{error}"
    );
    assert!(
        error.contains("set `dataset.image-fit = \"pad\"`, which keeps proportions"),
        "{error}"
    );
    let (pool, notes, _) = place.read(("", None), |settings| {
        (settings.image_size, settings.image_fit) = (Some(4), Some(ImageFit::Pad));
        settings.background = 0;
    });
    let row = |value| [value; 4];
    assert_eq!(pool.unwrap().pixels[..16], [row(0), row(200), row(200), row(0)].concat());
    assert_eq!(notes, ["2 of 2 images are not square and padded with black (`dataset.image-fit`)"]);
    place.image("b/2.png", (5, 5));
    let error = place.error(("", None), usual);
    assert!(error.starts_with("`b/2.png` has 5×5 pixels (height×width), expected 2×4"), "{error}");
    assert!(error.contains("with `dataset.image-size`, for example 28"), "{error}");
    let pool = place.read(("", None), |settings| {
        (settings.image_size, settings.image_fit) = (Some(3), Some(ImageFit::Stretch));
    });
    assert_eq!(pool.0.unwrap().pixels, [200; 27]);
}

#[test]
fn all_bad_images_are_told_at_once_and_a_class_without_others_is_an_error() {
    let place = Place::new();
    for class in ["a", "b", "c"] {
        place.image(&format!("train/{class}/1.png"), (4, 4));
        place.image(&format!("train/{class}/2.png"), (4, 4));
    }
    place.put("train/c/1.png", "no image").put("train/c/2.png", b"\x89PNG\r\n\x1a\n");
    let error = place.error(("train", None), usual);
    assert!(
        error.starts_with("2 of 6 images cannot be used:\n  `train/c/1.png` has no image"),
        "{error}"
    );
    assert!(error.contains("  `train/c/2.png` has no readable image"), "{error}");
    assert!(!error.contains("skip-bad"), "a third of the images is not to be lost: {error}");
    let skips = |settings: &mut DatasetSettings| settings.skip_bad = true;
    let error = place.error(("train", None), skips);
    assert!(
        error.starts_with(
            "`train/c` has no image that can be used, expected images of 4×4 pixels, as \
             `train/a/1.png` has"
        ),
        "{error}"
    );
    place.image("train/c/3.png", (4, 4));
    let (pool, _, list) = place.read(("train", None), skips);
    assert_eq!((pool.unwrap().labels, list.len()), (vec![0, 0, 1, 1, 2], 2));
}

#[test]
fn sixteen_bits_that_hold_twelve_are_asked_about() {
    let place = Place::new();
    for (name, white) in [("a/1.png", 4000), ("b/1.png", 4095)] {
        fs::create_dir_all(place.path(name).parent().unwrap()).unwrap();
        let image = image::ImageBuffer::from_pixel(2, 2, image::Luma([white as u16]));
        image.save(place.path(name)).unwrap();
    }
    let error = place.error(("", None), usual);
    assert!(
        error.contains(
            "has 2 images of 16 bits whose values go up to 4,095 of 65,535, which leaves 16 of 256 \
             shades of grey, expected `dataset.max-value` to say which value is white"
        ),
        "{error}"
    );
    assert!(error.contains("set `dataset.max-value = 4095`, or 65535"), "{error}");
    let pixels = |white| {
        place.read(("", None), |settings| settings.max_value = Some(white)).0.unwrap().pixels
    };
    assert_eq!(pixels(4095)[3..5], [249, 255]);
    assert_eq!(pixels(65535)[3..5], [16, 16]);
    let error = place.error(("", None), |settings| settings.max_value = Some(4050));
    assert!(error.starts_with("`b/1.png` has a value of 4,095, expected at most 4,050"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_what_is_no_file_is_refused() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    place.image("store/1.png", (2, 2)).image("set/b/1.png", (2, 2));
    symlink(place.path("store"), place.path("set/a")).unwrap();
    symlink(place.path("store/1.png"), place.path("set/b/2.png")).unwrap();
    assert_eq!(place.read(("set", None), usual).0.unwrap().labels, [0, 1, 1]);
    symlink(place.path("gone"), place.path("set/b/3.png")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(place.path("set/b/4.png")).status();
    assert!(pipe.unwrap().success());
    symlink("/dev/zero", place.path("set/b/5.png")).unwrap();
    let error = place.error(("set", None), usual);
    assert!(error.contains("cannot read `set/b/3.png`: No such file"), "{error}");
    assert!(error.contains("`set/b/4.png` is a named pipe, expected a regular file"), "{error}");
    assert!(error.contains("`set/b/5.png` is a device, expected a regular file"), "{error}");
}

#[test]
fn more_images_than_the_limits_allow_are_refused() {
    let place = Place::new();
    for name in ["a/1.png", "a/2.png", "b/1.png"] {
        place.image(name, (1000, 1000));
    }
    let error = place.error(("", None), |settings| settings.limits.images = 2);
    assert!(error.contains("at least 3 images, more than `dataset.limits.images`"), "{error}");
    let error = place.error(("", None), |settings| settings.limits.memory_mib = 2);
    assert!(error.contains("MiB of pixels, more than `dataset.limits.memory-mib`"), "{error}");
    assert!(error.contains("set `dataset.limits.memory-mib = 4`"), "{error}");
    assert_eq!(place.read(("", None), usual).0.unwrap().labels.len(), 3);
}
