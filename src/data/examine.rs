//! Whether anything can be learned and measured with a dataset as it is divided.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::dataset::{Dataset, Splits};
use super::error::{DataError, UnfitError};
use super::note::Note;
use super::paths::listed;
use crate::base::text::{as_seen, counted, whole};

/// Names that a note lists.
const MAX_LISTED: usize = 6;
/// Test images from which on it is no accident that all of them are training images, too.
const MIN_COPIES: usize = 10;

/// Says which classes are trained and tested, and what about the images makes numbers mislead.
///
/// # Errors
/// If there is nothing to tell apart: a single class, training images of a single class, images that
/// are all identical, or test images that are all training images.
pub(crate) fn examine(dataset: &Dataset, splits: &Splits) -> Result<Vec<Note>, DataError> {
    if dataset.is_empty() {
        return Ok(Vec::new());
    }
    let unfit = |problem: String, hint: &str| DataError::Unfit {
        dataset: dataset.name.clone(),
        source: UnfitError { problem, hint: hint.to_owned() },
    };
    let class = |image: u32| usize::from(dataset.labels[image as usize]);
    let counts = |images: &[u32]| {
        let mut counts = vec![0; dataset.classes.len()];
        for &image in images {
            counts[class(image)] += 1;
        }
        counts
    };
    let [trained, tested] = [&splits.train, &splits.test].map(|images| counts(images));
    let some = |counts: &[usize]| counts.iter().filter(|&&count| count > 0).count();
    if let [only] = &dataset.classes[..] {
        return Err(unfit(
            format!(
                "all images are of one class, {}: there is nothing to tell apart",
                listed(&[only], 1)
            ),
            "check the path and, of a table, `dataset.label`",
        ));
    }
    if some(&trained) == 1 && splits.train.len() > 1 {
        let only = &dataset.classes[class(splits.train[0])];
        return Err(unfit(
            format!(
                "all {} are of one class, {}: there is nothing to tell apart",
                counted(splits.train.len(), "training image"),
                listed(&[only], 1)
            ),
            "change `dataset.split`: a range of a file that is sorted by class holds few classes",
        ));
    }
    let looks = Looks::of(dataset, splits);
    if looks.distinct == 1 && looks.images > 1 {
        return Err(unfit(
            format!(
                "all {} are identical: there is nothing to tell apart",
                counted(looks.images, "image")
            ),
            "look at them with `bench data preview`; drawings on transparent ground are laid on \
             `dataset.background`",
        ));
    }
    let copies = looks.copies;
    if copies == splits.test.len() && copies >= MIN_COPIES {
        return Err(unfit(
            format!("all {} are training images, too", counted(copies, "test image")),
            "give other images as `test-path`, or leave it out: a fifth of the images tests by default",
        ));
    }
    let mut notes = vec![Note::fact(format!(
        "{}: {} trained, {} tested",
        counted(dataset.classes.len(), "class"),
        whole(some(&trained)),
        whole(some(&tested)),
    ))];
    let named = |holds: &dyn Fn(usize) -> bool| -> Vec<&String> {
        (0..dataset.classes.len()).filter(|&at| holds(at)).map(|at| &dataset.classes[at]).collect()
    };
    let mut warn = |classes: &[&String], what: &str| {
        let have = if classes.len() == 1 { "has" } else { "have" };
        if !classes.is_empty() {
            notes.push(Note::warning(format!("{} {have} {what}", listed(classes, MAX_LISTED))));
        }
    };
    warn(
        &named(&|at| trained[at] == 0 && tested[at] > 0),
        "test images and no training image, so the answer is always wrong there",
    );
    if !splits.test.is_empty() {
        warn(
            &named(&|at| trained[at] > 0 && tested[at] == 0),
            "no test image, so nothing is measured there",
        );
    }
    warn(&named(&|at| trained[at] == 0 && tested[at] == 0), "neither training nor test images");
    warn(&named(&|at| looks.is_uniform[at]), "images that are all identical");
    notes.extend(look_alikes(&dataset.classes));
    if copies > 0 {
        notes.push(Note::warning(format!(
            "{} of {} are training images, too, pixel by pixel",
            whole(copies),
            counted(splits.test.len(), "test image"),
        )));
    }
    if looks.contradicting > 0 {
        notes.push(Note::warning(format!(
            "{} look like images of another class, pixel by pixel",
            counted(looks.contradicting, "image"),
        )));
    }
    Ok(notes)
}

/// Warns of classes that may be one: their names look the same in print or differ in case only.
fn look_alikes(classes: &[String]) -> Option<Note> {
    let mut of_name: HashMap<String, &String> = HashMap::new();
    let mut pairs = Vec::new();
    for class in classes {
        let seen = as_seen(class);
        let seen = seen.trim();
        // Single letters differ by case in data of handwriting.
        let is_letter = seen.chars().count() == 1;
        let name = if is_letter { seen.to_owned() } else { seen.to_lowercase() };
        match of_name.entry(name) {
            Entry::Occupied(other) => pairs.push((*other.get(), class)),
            Entry::Vacant(free) => _ = free.insert(class),
        }
    }
    let &(one, other) = pairs.first()?;
    // What cannot be seen is spelled out.
    let (spelled, how) = if as_seen(one) == as_seen(other) {
        (format!("`{}` and `{}`", one.escape_default(), other.escape_default()), "look the same")
    } else {
        (listed(&[one, other], 2), "are nearly the same")
    };
    let more = match pairs.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Some(Note::warning(format!(
        "the names of the classes {spelled}{more} {how}: are they one class?"
    )))
}

/// Which images look the same, of all that are in some part.
struct Looks {
    images: usize,
    /// Different images.
    distinct: usize,
    /// Test images that are training images, too.
    copies: usize,
    /// Images that are also there under another label.
    contradicting: usize,
    /// Classes of several images that are all the same.
    is_uniform: Vec<bool>,
}

/// All images of one look.
struct Look {
    images: usize,
    is_trained: bool,
    tested: usize,
    label: u16,
    has_other_label: bool,
}

impl Looks {
    fn of(dataset: &Dataset, splits: &Splits) -> Self {
        let mut looks: HashMap<&[u8], Look> = HashMap::new();
        // Images and different looks of every class.
        let mut of_class = vec![(0, 0); dataset.classes.len()];
        let parts = [(&splits.train, true), (&splits.validation, false), (&splits.test, false)];
        for (images, is_trained) in parts {
            for &image in images {
                let label = dataset.labels[image as usize];
                let class = &mut of_class[usize::from(label)];
                class.0 += 1;
                let look = looks.entry(dataset.image(image as usize)).or_insert_with(|| {
                    class.1 += 1;
                    Look { images: 0, is_trained, tested: 0, label, has_other_label: false }
                });
                look.images += 1;
                look.is_trained |= is_trained;
                if look.label != label {
                    look.has_other_label = true;
                    // What looks like another class is no look of its own, but not uniform either.
                    class.1 += 2;
                }
            }
        }
        for &image in &splits.test {
            if let Some(look) = looks.get_mut(dataset.image(image as usize)) {
                look.tested += 1;
            }
        }
        let copies = looks.values().filter(|look| look.is_trained).map(|look| look.tested);
        let contradicting = looks.values().filter(|look| look.has_other_label);
        let (copies, contradicting) = (copies.sum(), contradicting.map(|look| look.images).sum());
        Self {
            images: of_class.iter().map(|(images, _)| images).sum(),
            distinct: looks.len(),
            copies,
            contradicting,
            is_uniform: of_class.iter().map(|&(images, looks)| images > 1 && looks == 1).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;

    /// A dataset of one-pixel images: value and label of each, and the part it is in.
    fn examined(images: &[(u8, u16, char)], classes: usize) -> Result<Vec<String>, String> {
        let shape = ImageShape { height: 1, width: 1, channels: 1 };
        let names = (0..classes).map(|class| char::from(b'a' + class as u8).to_string()).collect();
        let pixels = images.iter().map(|&(value, ..)| value).collect();
        let labels = images.iter().map(|&(_, label, _)| label).collect();
        let dataset = Dataset::new("tiny", shape, names, pixels, labels, None);
        let part = |wanted| {
            let all = images.iter().zip(0..);
            all.filter(|((.., part), _)| *part == wanted).map(|(_, index)| index).collect()
        };
        let splits = Splits { train: part('+'), validation: part('v'), test: part('?') };
        match examine(&dataset, &splits) {
            Ok(notes) => Ok(notes.into_iter().map(|note| note.text).collect()),
            Err(DataError::Unfit { source, .. }) => Err(source.to_string()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn classes_are_counted_by_part() {
        let notes = examined(&[(1, 0, '+'), (2, 1, '+'), (3, 0, '?'), (4, 2, '?')], 4).unwrap();
        assert_eq!(
            notes,
            [
                "4 classes: 2 trained, 2 tested",
                "`c` has test images and no training image, so the answer is always wrong there",
                "`b` has no test image, so nothing is measured there",
                "`d` has neither training nor test images",
            ]
        );
        let notes = examined(&[(1, 0, '+'), (2, 1, '+'), (3, 0, '?'), (4, 1, '?')], 2).unwrap();
        assert_eq!(notes, ["2 classes: 2 trained, 2 tested"]);
    }

    #[test]
    fn names_that_look_the_same_are_told() {
        let told = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            look_alikes(&names).map(|note| note.text)
        };
        assert_eq!(
            told(&["caf\u{e9}", "cafe\u{301}"]).as_deref(),
            Some(
                "the names of the classes `caf\\u{e9}` and `cafe\\u{301}` look the same: are they one \
                 class?"
            )
        );
        assert_eq!(
            told(&["Cat", "Dog", "cat", "dog"]).as_deref(),
            Some(
                "the names of the classes `Cat` and `cat` (and 1 more) are nearly the same: are they \
                 one class?"
            )
        );
        assert_eq!(told(&["1", "l", "I", "a", "A"]), None);
    }

    #[test]
    fn a_single_class_is_refused() {
        let one = "one class, `a`: there is nothing to tell apart";
        let error = examined(&[(1, 0, '+'), (2, 0, '?')], 1).unwrap_err();
        assert_eq!(error, format!("all images are of {one}"));
        let error = examined(&[(1, 0, '+'), (2, 0, '+'), (3, 1, '?')], 2).unwrap_err();
        assert_eq!(error, format!("all 2 training images are of {one}"));
    }

    #[test]
    fn identical_images_are_told() {
        let error = examined(&[(7, 0, '+'), (7, 1, '+'), (7, 1, '?')], 2).unwrap_err();
        assert_eq!(error, "all 3 images are identical: there is nothing to tell apart");
        let images = [(7, 0, '+'), (7, 0, '+'), (1, 1, '+'), (2, 1, '?'), (7, 0, '?'), (1, 1, 'v')];
        let notes = examined(&images, 2).unwrap();
        assert_eq!(
            notes[1..],
            [
                "`a` has images that are all identical",
                "1 of 2 test images are training images, too, pixel by pixel",
            ]
        );
        let notes = examined(&[(7, 0, '+'), (7, 1, '+'), (1, 1, '+'), (2, 0, '?'), (3, 1, '?')], 2);
        assert_eq!(
            notes.unwrap()[1..],
            ["2 images look like images of another class, pixel by pixel"]
        );
    }

    #[test]
    fn test_images_that_are_all_trained_on_are_refused() {
        let part = |part| (0..10_u8).map(move |value| (value, u16::from(value % 2), part));
        let images: Vec<_> = part('+').chain(part('?')).collect();
        assert_eq!(
            examined(&images, 2).unwrap_err(),
            "all 10 test images are training images, too"
        );
        assert!(examined(&images[..19], 2).is_ok());
    }
}
