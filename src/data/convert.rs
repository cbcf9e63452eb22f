//! Datasets in the forms others use: Kaggle's tables, or one folder of PNG images a class.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::dataset::{Dataset, Splits};

/// A form of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `train.csv` (label and pixels), `test.csv` (pixels) and `solution.csv` (`ImageId,Label`).
    Kaggle,
    /// One folder a class with PNG images named after their place in the pool.
    Folder,
}

/// Hands every file of `dataset` in `form` to `write`, with its path below the output folder.
///
/// Kaggle's tables follow `splits`, validation images counting as training images; folders hold
/// both parts, since whoever reads them splits again. At most `limit` images of each part are
/// taken, evenly spaced. Images are grey; of several channels the first is written.
///
/// # Errors
/// The first error of `write`.
pub fn convert<E>(
    dataset: &Dataset,
    splits: &Splits,
    form: Form,
    limit: Option<usize>,
    mut write: impl FnMut(&Path, &[u8]) -> Result<(), E>,
) -> Result<usize, E> {
    let mut train = [splits.train.as_slice(), &splits.validation].concat();
    train.sort_unstable();
    let (train, test) = (thinned(&train, limit), thinned(&splits.test, limit));
    match form {
        Form::Kaggle => {
            write(Path::new("train.csv"), table(dataset, &train, true).as_bytes())?;
            write(Path::new("test.csv"), table(dataset, &test, false).as_bytes())?;
            write(Path::new("solution.csv"), solution(dataset, &test).as_bytes())?;
        }
        Form::Folder => {
            for &index in train.iter().chain(&test) {
                let class = &dataset.classes[usize::from(dataset.labels[index as usize])];
                let name = PathBuf::from(class.replace(['/', '\\'], "_"));
                write(&name.join(format!("{index:06}.png")), &png(dataset, index))?;
            }
        }
    }
    Ok(train.len() + test.len())
}

fn thinned(indices: &[u32], limit: Option<usize>) -> Vec<u32> {
    let count = limit.unwrap_or(indices.len()).min(indices.len());
    (0..count).map(|at| indices[at * indices.len() / count]).collect()
}

fn grey(dataset: &Dataset, index: u32) -> impl Iterator<Item = u8> {
    dataset.image(index as usize).iter().step_by(dataset.shape.channels).copied()
}

fn table(dataset: &Dataset, indices: &[u32], with_labels: bool) -> String {
    let pixels = dataset.shape.height * dataset.shape.width;
    let mut text = String::with_capacity((indices.len() + 1) * pixels * 3);
    let label = if with_labels { "label," } else { "" };
    let names: Vec<String> = (0..pixels).map(|pixel| format!("pixel{pixel}")).collect();
    let line = |text: &mut String, first: &str, rest: &str| {
        writeln!(text, "{first}{rest}").expect("text takes what is written to it");
    };
    line(&mut text, label, &names.join(","));
    let mut row = String::new();
    for &index in indices {
        row.clear();
        for (place, value) in grey(dataset, index).enumerate() {
            if place > 0 {
                row.push(',');
            }
            write!(row, "{value}").expect("text takes what is written to it");
        }
        let class = &dataset.classes[usize::from(dataset.labels[index as usize])];
        let class = if with_labels { format!("{class},") } else { String::new() };
        line(&mut text, &class, &row);
    }
    text
}

fn solution(dataset: &Dataset, indices: &[u32]) -> String {
    let mut text = "ImageId,Label\n".to_owned();
    for (place, &index) in indices.iter().enumerate() {
        let class = &dataset.classes[usize::from(dataset.labels[index as usize])];
        writeln!(text, "{},{class}", place + 1).expect("text takes what is written to it");
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

    fn files(form: Form, limit: Option<usize>) -> Vec<(String, Vec<u8>)> {
        let splits = Splits { train: vec![0, 2], validation: vec![1], test: vec![3] };
        let mut files = Vec::new();
        let Ok(_) = convert(&dataset(), &splits, form, limit, |path, bytes| {
            files.push((path.display().to_string(), bytes.to_vec()));
            Ok::<(), Infallible>(())
        });
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
}
