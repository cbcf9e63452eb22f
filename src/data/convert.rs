//! Datasets in the forms others use: Kaggle's tables, or one folder of PNG images per class.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::csv::csv_cell;
use super::dataset::{Dataset, Splits};
use super::error::DataError;
use crate::base::text::is_printable;

/// Bytes of the longest name of a folder.
const MAX_NAME_BYTES: usize = 255;

/// A form of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `train.csv` (label and pixels), `test.csv` (pixels) and `solution.csv` (`ImageId,Label`).
    Kaggle,
    /// One folder per class with PNG images named after their index in the pool.
    Folder,
}

/// A dataset on its way into files.
///
/// Kaggle's tables follow the splits, validation images counting as training images; folders hold
/// both parts, since whoever reads them splits again. Images are grey; of several channels the first
/// is written.
pub(crate) struct Conversion<'d> {
    dataset: &'d Dataset,
    form: Form,
    train: Vec<u32>,
    test: Vec<u32>,
    /// Folder of every class; none for tables.
    folders: Vec<String>,
}

impl<'d> Conversion<'d> {
    /// Takes at most `limit` images of each part, evenly spaced.
    ///
    /// # Errors
    /// If the name of a class is no name of a folder that could be read again.
    pub(crate) fn new(
        dataset: &'d Dataset,
        splits: &Splits,
        form: Form,
        limit: Option<usize>,
    ) -> Result<Self, DataError> {
        let folders = match form {
            Form::Kaggle => Vec::new(),
            Form::Folder => class_folders(dataset)?,
        };
        let mut train = [splits.train.as_slice(), &splits.validation].concat();
        train.sort_unstable();
        let (train, test) = (thinned(&train, limit), thinned(&splits.test, limit));
        Ok(Self { dataset, form, train, test, folders })
    }

    /// Returns the number of images.
    pub(crate) fn images(&self) -> usize {
        self.train.len() + self.test.len()
    }

    /// Returns the path of every file below the output folder.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        match self.form {
            Form::Kaggle => ["train.csv", "test.csv", "solution.csv"].map(PathBuf::from).to_vec(),
            Form::Folder => {
                self.train.iter().chain(&self.test).map(|&at| self.picture(at)).collect()
            }
        }
    }

    fn picture(&self, index: u32) -> PathBuf {
        let label = self.dataset.labels[index as usize];
        Path::new(&self.folders[usize::from(label)]).join(format!("{index:06}.png"))
    }

    /// Hands every file to `write`, with its path below the output folder.
    ///
    /// # Errors
    /// The first error of `write`.
    pub(crate) fn write<E>(
        &self,
        mut write: impl FnMut(&Path, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { dataset, train, test, .. } = self;
        match self.form {
            Form::Kaggle => {
                write(Path::new("train.csv"), table(dataset, train, true).as_bytes())?;
                write(Path::new("test.csv"), table(dataset, test, false).as_bytes())?;
                write(Path::new("solution.csv"), solution(dataset, test).as_bytes())
            }
            Form::Folder => train
                .iter()
                .chain(test)
                .try_for_each(|&index| write(&self.picture(index), &png(dataset, index))),
        }
    }
}

/// Returns the folder of every class: its name, `_` in place of what separates folders.
fn class_folders(dataset: &Dataset) -> Result<Vec<String>, DataError> {
    let mut folders: Vec<String> = Vec::with_capacity(dataset.classes.len());
    for class in &dataset.classes {
        let folder = class.replace(['/', '\\'], "_");
        let taken = folders.iter().position(|taken| *taken == folder);
        let problem = match (folder.as_str(), taken) {
            ("", _) => "a class has no name".to_owned(),
            (name, _) if name.len() > MAX_NAME_BYTES => {
                format!(
                    "the name of a class has {} bytes, at most {MAX_NAME_BYTES} are one of a folder",
                    name.len()
                )
            }
            (name, _) if name.chars().any(|c| c.is_control() || !is_printable(c)) => {
                format!("class `{}` has characters that are not to be seen", class.escape_debug())
            }
            (name, _) if name.starts_with('.') => {
                format!("class `{class}` begins with a full stop, and such folders are passed over")
            }
            (_, Some(other)) => format!(
                "classes `{}` and `{class}` would share the folder `{folder}`",
                dataset.classes[other]
            ),
            _ => {
                folders.push(folder);
                continue;
            }
        };
        let hint = "rename the class, or write tables with `--form kaggle`";
        return Err(DataError::Convert { dataset: dataset.name.clone(), problem, hint });
    }
    Ok(folders)
}

fn thinned(indices: &[u32], limit: Option<usize>) -> Vec<u32> {
    let count = limit.unwrap_or(indices.len()).min(indices.len());
    (0..count).map(|at| indices[at * indices.len() / count]).collect()
}

fn grey(dataset: &Dataset, index: u32) -> impl Iterator<Item = u8> {
    dataset.image(index as usize).iter().step_by(dataset.shape.channels).copied()
}

fn table(dataset: &Dataset, indices: &[u32], with_labels: bool) -> String {
    let (height, width) = (dataset.shape.height, dataset.shape.width);
    let pixels = height * width;
    let mut text = String::with_capacity((indices.len() + 1) * pixels * 3);
    let label = if with_labels { "label," } else { "" };
    // The number alone would say nothing of the shape of images that are not square.
    let name = |pixel: usize| {
        if height == width {
            format!("pixel{pixel}")
        } else {
            format!("pixel{}x{}", pixel / width, pixel % width)
        }
    };
    let names: Vec<String> = (0..pixels).map(name).collect();
    let line = |text: &mut String, first: &str, rest: &str| {
        writeln!(text, "{first}{rest}").expect("text takes what is written to it");
    };
    line(&mut text, label, &names.join(","));
    let mut row = String::new();
    for &index in indices {
        row.clear();
        for (pixel, value) in grey(dataset, index).enumerate() {
            if pixel > 0 {
                row.push(',');
            }
            write!(row, "{value}").expect("text takes what is written to it");
        }
        let class = &dataset.classes[usize::from(dataset.labels[index as usize])];
        let class = if with_labels { format!("{},", csv_cell(class)) } else { String::new() };
        line(&mut text, &class, &row);
    }
    text
}

fn solution(dataset: &Dataset, indices: &[u32]) -> String {
    let mut text = "ImageId,Label\n".to_owned();
    for (position, &index) in indices.iter().enumerate() {
        let class = &dataset.classes[usize::from(dataset.labels[index as usize])];
        writeln!(text, "{},{}", position + 1, csv_cell(class))
            .expect("text takes what is written to it");
    }
    text
}

fn png(dataset: &Dataset, index: u32) -> Vec<u8> {
    let pixels: Vec<u8> = grey(dataset, index).collect();
    let (width, height) = (dataset.shape.width as u32, dataset.shape.height as u32);
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&pixels, width, height, ExtendedColorType::L8)
        .expect("the pixels fill the image");
    bytes
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::data::ImageShape;

    fn dataset() -> Dataset {
        let shape = ImageShape { height: 1, width: 1, channels: 1 };
        let classes = ["hat", "sock"].map(str::to_owned).to_vec();
        Dataset::new("tiny", shape, classes, vec![0, 7, 255, 9], vec![0, 1, 1, 0], Some(3))
    }

    fn splits() -> Splits {
        Splits { train: vec![0, 2], validation: vec![1], test: vec![3] }
    }

    fn files(form: Form, limit: Option<usize>) -> Vec<(String, Vec<u8>)> {
        files_of(&dataset(), form, limit)
    }

    fn files_of(dataset: &Dataset, form: Form, limit: Option<usize>) -> Vec<(String, Vec<u8>)> {
        let conversion = Conversion::new(dataset, &splits(), form, limit).unwrap();
        let mut files = Vec::new();
        let Ok(()) = conversion.write(|path, bytes| {
            files.push((path.display().to_string(), bytes.to_vec()));
            Ok::<(), Infallible>(())
        });
        let announced = conversion.files().into_iter().map(|path| path.display().to_string());
        assert!(announced.eq(files.iter().map(|(path, _)| path.clone())));
        files
    }

    #[test]
    fn kaggles_tables_hold_labels_for_training_and_apart_for_testing() {
        let texts: Vec<(String, String)> = files(Form::Kaggle, None)
            .into_iter()
            .map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap()))
            .collect();
        let expected = [
            ("train.csv", "label,pixel0\nhat,0\nsock,7\nsock,255\n"),
            ("test.csv", "pixel0\n9\n"),
            ("solution.csv", "ImageId,Label\n1,hat\n"),
        ];
        assert_eq!(texts, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn folders_hold_every_image_once_below_its_class() {
        let names: Vec<String> =
            files(Form::Folder, None).into_iter().map(|(name, _)| name).collect();
        let expected = ["hat/000000.png", "sock/000001.png", "sock/000002.png", "hat/000003.png"];
        assert_eq!(names, expected);
        assert_eq!(files(Form::Folder, Some(1)).len(), 2);
    }

    fn named(names: [&str; 2]) -> Dataset {
        Dataset { classes: names.map(str::to_owned).to_vec(), ..dataset() }
    }

    #[test]
    fn class_names_are_quoted_in_tables() {
        let files = files_of(&named(["a,b", "say \"x\""]), Form::Kaggle, None);
        let text = |at: usize| String::from_utf8(files[at].1.clone()).unwrap();
        assert_eq!(text(0).lines().nth(1).unwrap(), "\"a,b\",0");
        assert_eq!(text(0).lines().nth(2).unwrap(), "\"say \"\"x\"\"\",7");
        assert_eq!(text(2).lines().nth(1).unwrap(), "1,\"a,b\"");
    }

    #[test]
    fn classes_that_make_no_folder_of_their_own_are_refused() {
        let problem = |names| {
            let dataset = named(names);
            match Conversion::new(&dataset, &splits(), Form::Folder, None) {
                Ok(_) => "none".to_owned(),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(problem(["a/b", "a b"]), "none");
        for (names, expected) in [
            (["a/b", "a_b"], "classes `a/b` and `a_b` would share the folder `a_b`"),
            (["..", "x"], "class `..` begins with a full stop"),
            (["x", ".y"], "class `.y` begins with a full stop"),
            (["", "x"], "a class has no name"),
            (["a\u{1b}[2J", "x"], "class `a\\u{1b}[2J` has characters that are not to be seen"),
            (["a\0", "x"], "class `a\\0` has characters that are not to be seen"),
            (["\u{202e}a", "x"], "class `\\u{202e}a` has characters that are not to be seen"),
            ([&"x".repeat(256), "x"], "the name of a class has 256 bytes, at most 255"),
        ] {
            let found = problem(names);
            let expected = format!("cannot convert dataset `tiny` to folders: {expected}");
            assert!(found.starts_with(&expected), "{found}");
        }
        let dataset = named(["..", "x"]);
        assert!(Conversion::new(&dataset, &splits(), Form::Kaggle, None).is_ok());
    }
}
