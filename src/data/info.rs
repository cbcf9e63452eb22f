//! What a dataset looks like: counts, grey values, and how much its images vary in place and shape.

use serde::Serialize;

use super::dataset::Dataset;
use super::note::Note;
use crate::base::Digest;

/// Standard deviations either side of the mean that hold 95 % of a normal distribution.
const COVERAGE: f64 = 1.96;

/// A description of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DatasetInfo {
    /// Short name.
    pub name: String,
    /// Images in the pool.
    pub images: usize,
    /// Images of the dataset's own test file among them.
    pub test_images: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
    /// SHA-256 over shape, pixels, labels and class names.
    pub checksum: Digest,
    /// Mean and standard deviation of the training pixels, as fractions of full white.
    pub brightness: Spread,
    /// Every class, in label order.
    pub classes: Vec<ClassInfo>,
    /// Place and shape of the training images; absent where all are blank.
    pub geometry: Option<Geometry>,
    /// What a reader of results must know of how the images were read.
    pub notes: Vec<Note>,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClassInfo {
    /// Its name.
    pub name: String,
    /// Images outside the dataset's own test file.
    pub images: usize,
    /// Images of the dataset's own test file.
    pub test_images: usize,
}

/// Mean and standard deviation (of all values, not of a sample).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// Root of the mean squared deviation.
    pub standard_deviation: f64,
}

/// How the training images that are not blank vary in place and shape.
///
/// Ink is every value above 0. Positions count from 1, as the notebook counted whose numbers these
/// are: for MNIST's 60,000 training images [`Geometry::centre_across`] is 14.95 ± 0.99 and
/// [`Geometry::centre_down`] 15.17 ± 1.34, which are its (14.9, 15.2) and (0.99, 1.34), and 1.96
/// standard deviations over 28 its shifts of 0.07 and 0.09. (The centres of mass vary less, ± 0.29,
/// since MNIST was centred by them.) Its zoom of 0.13 is what [`Geometry::size`] gives. Its rotation
/// of 13° could not be found again: [`Geometry::slant`] gives twice that, 26°, one standard deviation
/// being 13°.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Geometry {
    /// Images without any ink, left out below.
    pub blank_images: usize,
    /// Column of the middle of the box around the ink, from 1.
    pub centre_across: Spread,
    /// Row of the middle of the box around the ink, from 1.
    pub centre_down: Spread,
    /// Column of the centre of mass, from 1.
    pub mass_across: Spread,
    /// Row of the centre of mass, from 1.
    pub mass_down: Spread,
    /// Slant of an image against the mean of its class, in degrees, positive leaning to the right at
    /// the top: the arc tangent of the slope by which columns follow rows (by second moments of ink).
    pub slant: Spread,
    /// Radius of gyration of the ink over the mean radius of the class.
    pub size: Spread,
    /// Ranges of augmentation that cover 95 % of this variation, were it normal.
    pub suggested: Suggestion,
}

/// Augmentation ranges, each 1.96 standard deviations of what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Suggestion {
    /// For `augment.shift.width`, a fraction of the width.
    pub shift_width: f64,
    /// For `augment.shift.height`, a fraction of the height.
    pub shift_height: f64,
    /// For `augment.rotation`, in degrees; an upper bound, since slant is not only rotation.
    pub rotation: f64,
    /// For `augment.zoom`, a fraction.
    pub zoom: f64,
}

/// Describes a dataset. Means, spreads and geometry are those of the images outside its test file.
#[must_use]
pub fn info(dataset: &Dataset) -> DatasetInfo {
    let training = dataset.test_from.unwrap_or(dataset.len());
    let counts = |labels: &[u16]| {
        let mut counts = vec![0; dataset.classes.len()];
        for &label in labels {
            counts[usize::from(label)] += 1;
        }
        counts
    };
    let (train, test) = dataset.labels.split_at(training);
    let classes = dataset.classes.iter().zip(counts(train).into_iter().zip(counts(test)));
    DatasetInfo {
        name: dataset.name.clone(),
        images: dataset.len(),
        test_images: dataset.len() - training,
        height: dataset.shape.height,
        width: dataset.shape.width,
        channels: dataset.shape.channels,
        checksum: dataset.checksum,
        brightness: brightness(&dataset.pixels[..training * dataset.shape.len()]),
        classes: classes
            .map(|(name, (images, test_images))| ClassInfo {
                name: name.clone(),
                images,
                test_images,
            })
            .collect(),
        geometry: geometry(dataset, training),
        notes: dataset.notes.clone(),
    }
}

fn brightness(pixels: &[u8]) -> Spread {
    let mut histogram = [0_u64; 256];
    for &pixel in pixels {
        histogram[usize::from(pixel)] += 1;
    }
    let mean_of = |value: &dyn Fn(f64) -> f64| {
        let sum: f64 = histogram
            .iter()
            .enumerate()
            .map(|(grey, &count)| count as f64 * value(grey as f64 / 255.0))
            .sum();
        sum / pixels.len().max(1) as f64
    };
    let mean = mean_of(&|grey| grey);
    Spread { mean, standard_deviation: mean_of(&|grey| (grey - mean).powi(2)).sqrt() }
}

/// Place and shape of the ink of one image, positions from 0.
#[derive(Debug, Clone, Copy)]
struct Ink {
    label: u16,
    centre: [f64; 2],
    mass: [f64; 2],
    slant: f64,
    radius: f64,
}

fn measure(image: &[u8], dataset: &Dataset, label: u16) -> Option<Ink> {
    let (width, channels) = (dataset.shape.width, dataset.shape.channels);
    let (mut low, mut high) = ([usize::MAX; 2], [0; 2]);
    // Of grey values for the centre of mass, of ink or none for the shape.
    let (mut weight, mut weighted) = (0.0, [0.0; 2]);
    let (mut count, mut sums, mut squares, mut product) = (0.0, [0.0; 2], [0.0; 2], 0.0);
    for (at, pixel) in image.chunks_exact(channels).enumerate() {
        let grey: u32 = pixel.iter().map(|&value| u32::from(value)).sum();
        if grey == 0 {
            continue;
        }
        let coordinates = [at / width, at % width];
        count += 1.0;
        weight += f64::from(grey);
        for axis in 0..2 {
            low[axis] = low[axis].min(coordinates[axis]);
            high[axis] = high[axis].max(coordinates[axis]);
            let position = coordinates[axis] as f64;
            weighted[axis] += f64::from(grey) * position;
            sums[axis] += position;
            squares[axis] += position * position;
        }
        product += (coordinates[0] * coordinates[1]) as f64;
    }
    if weight == 0.0 {
        return None;
    }
    let variance = |axis: usize| squares[axis] / count - (sums[axis] / count).powi(2);
    let covariance = product / count - sums[0] * sums[1] / (count * count);
    Some(Ink {
        label,
        centre: [0, 1].map(|axis| (low[axis] + high[axis]) as f64 / 2.0),
        mass: weighted.map(|sum| sum / weight),
        // Rows count downwards, so what leans to the right at the top has a negative covariance.
        slant: (-covariance).atan2(variance(0)).to_degrees(),
        radius: (variance(0) + variance(1)).sqrt(),
    })
}

fn geometry(dataset: &Dataset, training: usize) -> Option<Geometry> {
    let inks: Vec<Ink> = (0..training)
        .filter_map(|index| measure(dataset.image(index), dataset, dataset.labels[index]))
        .collect();
    if inks.is_empty() {
        return None;
    }
    let from_1 = |value: &dyn Fn(&Ink) -> f64| spread(&inks, &|ink| value(ink) + 1.0);
    let class_mean = |value: &dyn Fn(&Ink) -> f64| -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); dataset.classes.len()];
        for ink in &inks {
            let (sum, count) = &mut sums[usize::from(ink.label)];
            *sum += value(ink);
            *count += 1.0;
        }
        sums.into_iter().map(|(sum, count)| sum / count).collect()
    };
    let slants = class_mean(&|ink| ink.slant);
    let radii = class_mean(&|ink| ink.radius);
    let of_class = |means: &[f64], ink: &Ink| means[usize::from(ink.label)];
    let (centre_down, centre_across) = (from_1(&|ink| ink.centre[0]), from_1(&|ink| ink.centre[1]));
    let slant = spread(&inks, &|ink| ink.slant - of_class(&slants, ink));
    let size = spread(&inks, &|ink| {
        let mean = of_class(&radii, ink);
        if mean > 0.0 { ink.radius / mean } else { 1.0 }
    });
    Some(Geometry {
        blank_images: training - inks.len(),
        centre_across,
        centre_down,
        mass_across: from_1(&|ink| ink.mass[1]),
        mass_down: from_1(&|ink| ink.mass[0]),
        slant,
        size,
        suggested: Suggestion {
            shift_width: COVERAGE * centre_across.standard_deviation / dataset.shape.width as f64,
            shift_height: COVERAGE * centre_down.standard_deviation / dataset.shape.height as f64,
            rotation: COVERAGE * slant.standard_deviation,
            zoom: COVERAGE * size.standard_deviation,
        },
    })
}

fn spread(inks: &[Ink], value: &dyn Fn(&Ink) -> f64) -> Spread {
    let count = inks.len() as f64;
    let mean = inks.iter().map(value).sum::<f64>() / count;
    let squares: f64 = inks.iter().map(|ink| (value(ink) - mean).powi(2)).sum();
    Spread { mean, standard_deviation: (squares / count).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;

    fn dataset(images: &[&str], labels: &[u16], test_from: Option<usize>) -> Dataset {
        let pixels: Vec<u8> = images
            .iter()
            .flat_map(|image| image.bytes().filter(|byte| *byte != b' '))
            .map(|byte| if byte == b'#' { 255 } else { 0 })
            .collect();
        let classes = (0..=labels.iter().copied().max().unwrap()).map(|c| c.to_string()).collect();
        let shape = ImageShape { height: 4, width: 4, channels: 1 };
        Dataset::new("drawn", shape, classes, pixels, labels.to_vec(), test_from)
    }

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    #[test]
    fn classes_are_counted_inside_and_outside_the_test_file() {
        let blank = ".... .... .... ....";
        let found = info(&dataset(&[blank; 5], &[0, 1, 1, 0, 2], Some(3)));
        let counts: Vec<(usize, usize)> =
            found.classes.iter().map(|class| (class.images, class.test_images)).collect();
        assert_eq!(counts, [(1, 1), (2, 0), (0, 1)]);
        assert_eq!((found.images, found.test_images), (5, 2));
        assert_eq!(found.geometry, None);
    }

    #[test]
    fn the_box_s_middle_counts_from_1_and_its_spread_makes_the_shift() {
        // Boxes: columns 1–2 and rows 1–4; columns 3–4 and row 1.
        let images = ["##.. #... #... #...", "..## .... .... ....", ".... .... .... ...."];
        let found = info(&dataset(&images, &[0, 0, 0], None)).geometry.unwrap();
        assert!(close(found.centre_across.mean, 2.5) && close(found.centre_down.mean, 1.75));
        assert!(close(found.centre_across.standard_deviation, 1.0));
        assert!(close(found.centre_down.standard_deviation, 0.75));
        assert!(close(found.suggested.shift_width, 1.96 / 4.0));
        assert!(close(found.mass_across.mean, f64::midpoint(1.2, 3.5)));
        assert_eq!(found.blank_images, 1);
    }

    #[test]
    fn strokes_that_lean_by_45_degrees_have_that_slant() {
        let images = ["...# ..#. .#.. #...", "#... .#.. ..#. ...#"];
        let found = info(&dataset(&images, &[0, 0], None)).geometry.unwrap();
        assert!(close(found.slant.mean, 0.0) && close(found.slant.standard_deviation, 45.0));
        assert!(close(found.size.mean, 1.0) && close(found.size.standard_deviation, 0.0));
        let alone =
            measure(dataset(&images, &[0, 0], None).image(0), &dataset(&images, &[0, 0], None), 0);
        assert!(close(alone.unwrap().slant, 45.0));
    }

    #[test]
    fn brightness_is_that_of_the_training_pixels() {
        let found =
            info(&dataset(&["#### #### .... ....", "#### #### #### ####"], &[0, 0], Some(1)));
        assert!(close(found.brightness.mean, 0.5));
        assert!(close(found.brightness.standard_deviation, 0.5));
    }
}
