use std::error::Error as _;
use std::fs;

use super::*;

const SHAPE: ImageShape = ImageShape { height: 2, width: 2, channels: 1 };

struct Place(tempfile::TempDir);

impl Place {
    fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        Self(tempfile::tempdir().unwrap()).and(name, content)
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files need not survive a crash")]
    fn and(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn raw(
        &self,
        name: &str,
        change: impl FnOnce(&mut InputSettings<'_>),
    ) -> Result<Input, DataError> {
        let classes = ["0", "1"].map(str::to_owned);
        let mut settings = InputSettings {
            shape: SHAPE,
            is_resized: false,
            is_digits: false,
            classes: &classes,
            label: None,
            id_column: None,
        };
        change(&mut settings);
        read_input(&self.0.path().join(name), &settings)
    }

    fn read(
        &self,
        name: &str,
        change: impl FnOnce(&mut InputSettings<'_>),
    ) -> Result<Input, String> {
        self.raw(name, change).map_err(|error| {
            let cause = error.source().expect("a cause").to_string();
            cause.replace(&format!("{}/", self.0.path().display()), "")
        })
    }
}

fn png(side: u32, value: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_pixel(side, side, image::Luma([value]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn a_table_without_labels_is_read_row_by_row() {
    let place = Place::with("test.csv", "a,b,c,d\n1,2,3,4\n5,6,7,8\n");
    let input = place.read("test.csv", |_| {}).unwrap();
    assert_eq!(input.images.pixels, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((input.is_labelled, input.names), (false, None));
}

#[test]
fn a_table_may_name_its_images_and_carry_labels_to_score() {
    let place = Place::with("test.csv", "id,a,b,c,d,digit\nx,1,2,3,4,1\ny,5,6,7,8,0\n");
    let input = place
        .read("test.csv", |settings| {
            settings.label = Some("digit");
            settings.id_column = Some("id");
        })
        .unwrap();
    assert_eq!(input.images.labels, [1, 0]);
    assert_eq!(input.names.unwrap(), ["x", "y"]);
    assert!(input.is_labelled);
}

#[test]
fn a_test_file_with_labels_is_an_error_that_says_how_to_read_it() {
    let place = Place::with("test.csv", "label,a,b,c,d\n1,1,2,3,4\n");
    assert_eq!(
        place.read("test.csv", |_| {}).unwrap_err(),
        "`test.csv` has 5 columns, the first `label`, expected 4, one a pixel; say what the other \
         is with `--label label` (to score the predictions) or `--id-column label`"
    );
}

#[test]
fn images_of_another_size_are_refused_unless_the_network_was_trained_on_resized_ones() {
    let place = Place::with("images/one.png", png(4, 200));
    let error = place.read("images", |_| {}).unwrap_err();
    assert!(error.contains("images of 4×4 pixels, expected 2×2"), "{error}");
    let input = place.read("images", |settings| settings.is_resized = true).unwrap();
    assert_eq!(input.images.pixels, [200; 4]);
    assert_eq!(input.names.unwrap(), ["one.png"]);
}

#[test]
fn folders_named_like_classes_give_labels_and_others_are_refused() {
    let place = Place::with("images/1/a.png", png(2, 9));
    let input = place.read("images", |_| {}).unwrap();
    assert_eq!((input.images.labels, input.is_labelled), (vec![1], true));
    assert_eq!(input.names.unwrap(), ["1/a.png"]);
    let place = Place::with("images/hat/a.png", png(2, 9));
    let error = place.read("images", |_| {}).unwrap_err();
    assert!(error.contains("a folder `hat`, expected PNG images, or folders named"), "{error}");
}

#[test]
fn idx_images_need_no_labels() {
    let bytes = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 10, 20, 30, 40];
    let place = Place::with("images-idx3-ubyte", bytes);
    let input = place.read("images-idx3-ubyte", |_| {}).unwrap();
    assert_eq!(input.images.pixels, [10, 20, 30, 40]);
    let error = place.read("absent", |_| {}).unwrap_err();
    assert!(error.starts_with("`absent` is not in"), "{error}");
}

#[test]
fn images_beside_folders_of_images_are_refused() {
    let place = Place::with("images/1/a.png", png(2, 9)).and("images/loose.png", png(2, 9));
    assert_eq!(
        place.read("images", |_| {}).unwrap_err(),
        "`images` has images (`loose.png`) beside a folder of images (`1`), expected one or the \
         other; move the images or the folders elsewhere"
    );
    let place = Place::with("images/notes/a.txt", "no image").and("images/loose.png", png(2, 9));
    assert_eq!(place.read("images", |_| {}).unwrap().images.len(), 1);
}

#[test]
fn small_digits_are_set_for_a_network_of_large_ones_as_they_were_for_its_training() {
    let [small, large] = [None, Some(28)].map(|side| digits::read(side).pixels);
    let square = |side| ImageShape { height: side, width: side, channels: 1 };
    let header: Vec<String> = (0..64).map(|pixel| format!("p{pixel}")).collect();
    let row: Vec<String> = small[..64].iter().map(u8::to_string).collect();
    let place = Place::with("digits.csv", format!("{}\n{}\n", header.join(","), row.join(",")));
    let read = |is_digits| {
        let input = place.read("digits.csv", |settings| {
            (settings.shape, settings.is_resized) = (square(28), true);
            settings.is_digits = is_digits;
        });
        input.unwrap().images.pixels
    };
    assert_eq!(read(true), large[..784]);
    assert_ne!(read(false), large[..784]);
}

#[test]
fn the_hint_suits_what_is_wrong() {
    let hint = |name: &str, content: &[u8], path: &str| {
        Place::with(name, content).raw(path, |_| {}).unwrap_err().hint().unwrap()
    };
    let kinds = "give a CSV file of pixels, an IDX file of images or a folder of PNG images";
    let table = "check the file, and what `--label` and `--id-column` name";
    let size = "bring the images to that size, or choose another network";
    for (name, content, path, expected) in [
        ("t.csv", b"a,b,c,d\n1,2,3\n".as_slice(), "t.csv", "repair or remove it"),
        ("images/a.png", b"no image", "images", "repair or remove it"),
        ("t.csv", b"a,b,c\n1,2,3\n", "t.csv", table),
        ("t.csv", b"a\n1\n", "t.csv", size),
        ("notes.txt", b"no image", "notes.txt", kinds),
        ("t.csv", b"", "absent.csv", kinds),
    ] {
        assert_eq!(hint(name, content, path), expected, "{name}");
    }
}
