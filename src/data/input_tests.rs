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

    fn raw(&self, name: &str, change: impl FnOnce(&mut Wanted)) -> Result<Input, DataError> {
        let mut wanted = Wanted {
            shape: SHAPE,
            dataset: DatasetSettings::of(Source::Mnist),
            columns: None,
            label: None,
            id_column: None,
        };
        change(&mut wanted);
        let settings = InputSettings {
            shape: wanted.shape,
            dataset: &wanted.dataset,
            columns: wanted.columns.as_ref(),
            classes: &["0", "1"].map(str::to_owned),
            label: wanted.label,
            id_column: wanted.id_column,
        };
        read_input(&self.0.path().join(name), &settings)
    }

    fn read(&self, name: &str, change: impl FnOnce(&mut Wanted)) -> Result<Input, String> {
        self.raw(name, change).map_err(|error| {
            let cause = error.source().expect("a cause").to_string();
            cause.replace(&format!("{}/", self.0.path().display()), "")
        })
    }
}

/// What a network takes, and how its training images were read.
struct Wanted {
    shape: ImageShape,
    dataset: DatasetSettings,
    columns: Option<PixelColumns>,
    label: Option<&'static str>,
    id_column: Option<&'static str>,
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
        "`test.csv` has 5 columns, expected a square number of pixels (784 for 28×28)"
    );
}

#[test]
fn images_of_another_size_are_refused_unless_the_network_was_trained_on_resized_ones() {
    let place = Place::with("images/one.png", png(4, 200));
    let error = place.read("images", |_| {}).unwrap_err();
    assert!(error.contains("images of 4×4 pixels, expected 2×2"), "{error}");
    let input = place.read("images", |settings| settings.dataset.image_size = Some(2)).unwrap();
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
    assert!(error.contains("a folder `hat`, expected images, or folders named"), "{error}");
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
            (settings.shape, settings.dataset.image_size) = (square(28), Some(28));
            if is_digits {
                settings.dataset.source = Source::Digits;
            }
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
    let kinds = "give a CSV file of pixels, an IDX file of images or a folder of images";
    let folder = "give a folder of images, or of folders of them named like the classes";
    let table = "check the file, and what `--label` and `--id-column` name";
    let other = "one is too many; say what it is with `--label a` (to score the predictions) or \
                 `--id-column a`";
    let size = "bring the images to that size, or choose another network";
    for (name, content, path, expected) in [
        ("t.csv", b"a,b,c,d\n1,2,3\n".as_slice(), "t.csv", "repair the file"),
        ("t.csv", b"1,2,3,0\n1,2,3,4\n", "t.csv", "repair the file"),
        ("images/a.png", b"no image", "images", "repair or remove it"),
        ("images/hat/a.txt", b"no image", "images/hat", folder),
        ("t.csv", b"a,b,c\n1,2,3\n", "t.csv", table),
        ("t.csv", b"a,b,c,d,e\n1,2,3,4,5\n", "t.csv", other),
        ("t.csv", b"a\n1\n", "t.csv", size),
        ("notes.txt", b"no image", "notes.txt", kinds),
        ("t.csv", b"", "absent.csv", kinds),
    ] {
        assert_eq!(hint(name, content, path), expected, "{name}");
    }
}

#[test]
fn pixels_are_found_by_the_names_of_the_training_file() {
    let columns = |names: &[&str]| Some(PixelColumns::of(names).unwrap().0);
    let place = Place::with("t.csv", "p3,p1,p2,p0\n4,2,3,1\n");
    let known = place.read("t.csv", |wanted| wanted.columns = columns(&["p0", "p1", "p2", "p3"]));
    assert_eq!(known.unwrap().images.pixels, [1, 2, 3, 4]);
    // Numbers in names say the same where nothing is known of the training file.
    let unknown = place.read("t.csv", |_| {}).unwrap();
    assert_eq!((unknown.images.pixels, unknown.notes.len()), (vec![1, 2, 3, 4], 1));
    let place = Place::with("t.csv", "c,a,b,d\n3,1,2,4\n");
    let named = place.read("t.csv", |wanted| wanted.columns = columns(&["a", "b", "c", "d"]));
    assert_eq!(named.unwrap().images.pixels, [1, 2, 3, 4]);
    let place = Place::with("t.csv", "a,b,c,d,index\n1,2,3,4,0\n");
    let error = place.read("t.csv", |wanted| wanted.columns = columns(&["a", "b", "c", "d"]));
    assert_eq!(
        error.unwrap_err(),
        "`t.csv` has a column `index` too many, expected the columns of the network's training \
         file, in any order"
    );
}

#[test]
fn images_to_predict_are_read_as_those_of_the_training() {
    let transparent = {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::GrayAlphaImage::from_pixel(2, 2, image::LumaA([0, 0]))
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    };
    let place = Place::with("images/a.png", transparent).and("images/notes.txt", "words");
    let input = place.read("images", |wanted| wanted.dataset.background = 40).unwrap();
    assert_eq!(input.images.pixels, [40; 4]);
    let notes: Vec<&str> = input.notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(notes[0], "1 of 1 image is transparent and laid on grey 40 (`dataset.background`)");
    assert!(notes[1].starts_with("1 file is not read: 1 `.txt`"), "{notes:?}");
}
