//! `bench predict`: what trained networks say of images, as a submission file.

use std::fmt::Write as _;
use std::path::Path;

use super::failure::{Exit, Failure};
use super::model_arguments::PredictArguments;
use super::run::engine_on;
use crate::data::{self, GalleryImage, ImageShape, Input, InputSettings, csv_cell};
use crate::report::counted;
use crate::session::{Answers, models_at};
use crate::store::atomic;

/// Images side by side on a gallery.
const COLUMNS: usize = 10;

pub(super) fn predict(arguments: &PredictArguments) -> Result<Exit, Failure> {
    let engine = engine_on(&arguments.device)?;
    let models = models_at(&arguments.model, &arguments.choice.meant())?;
    let card = &models[0].card;
    let [height, width, channels] = card.image;
    let input = data::read_input(
        &arguments.input,
        &InputSettings {
            shape: ImageShape { height, width, channels },
            dataset: &card.settings.dataset,
            columns: card.columns.as_ref(),
            classes: &card.classes,
            label: arguments.label.as_deref(),
            id_column: arguments.id_column.as_deref(),
        },
    )?;
    for note in &input.notes {
        say!("{}{}", if note.is_warning { "warning: " } else { "" }, note.text);
    }
    let combine = arguments.combine.unwrap_or(card.settings.ensemble.combine);
    let ids = ids(arguments, &input)?;
    let answers = Answers::of(&models, engine.as_ref(), &input, combine)?;

    let submission = answers.submission(arguments, &ids, &card.classes);
    match &arguments.output {
        None => out!("{submission}"),
        Some(path) => write(path, submission.as_bytes())?,
    }
    if let Some(path) = &arguments.probabilities {
        write(path, answers.probabilities(arguments, &ids, &card.classes).as_bytes())?;
    }
    let mistakes = (0..answers.classes.len())
        .filter(|&image| answers.classes[image] != usize::from(input.images.labels[image]))
        .count();
    say!(
        "{} predicted by {}{}",
        counted(answers.classes.len(), "image"),
        counted(models.len(), "network"),
        arguments.output.as_ref().map_or(String::new(), |path| format!(" to `{}`", path.display())),
    );
    if input.is_labelled {
        let images = answers.classes.len();
        say!(
            "accuracy {:.2} %: {} of {images} right, {mistakes} wrong",
            100.0 * (images - mistakes) as f64 / images.max(1) as f64,
            images - mistakes,
        );
    }
    if let Some(path) = &arguments.gallery {
        draw(arguments, path, &input, &answers, &card.classes)?;
    }
    Ok(Exit::Done)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    atomic::write_named(path, bytes).map_err(|error| Failure::unwritable("the predictions", &error))
}

impl Answers {
    fn submission(
        &self,
        arguments: &PredictArguments,
        ids: &[String],
        classes: &[String],
    ) -> String {
        let mut text =
            format!("{},{}\n", csv_cell(&arguments.id_name), csv_cell(&arguments.label_name));
        for (id, &class) in ids.iter().zip(&self.classes) {
            writeln!(text, "{},{}", csv_cell(id), csv_cell(&classes[class]))
                .expect("text takes what is written to it");
        }
        text
    }

    fn probabilities(
        &self,
        arguments: &PredictArguments,
        ids: &[String],
        classes: &[String],
    ) -> String {
        let heads: Vec<String> = classes.iter().map(|class| csv_cell(class)).collect();
        let mut text = format!("{},{}\n", csv_cell(&arguments.id_name), heads.join(","));
        for (id, row) in ids.iter().zip(&self.means) {
            let values: Vec<String> = row.iter().map(ToString::to_string).collect();
            writeln!(text, "{},{}", csv_cell(id), values.join(","))
                .expect("text takes what is written to it");
        }
        text
    }
}

/// Returns what each image is called: as in its file, or by its number.
fn ids(arguments: &PredictArguments, input: &Input) -> Result<Vec<String>, Failure> {
    if let (Some(names), None) = (&input.names, arguments.first_id) {
        return Ok(names.clone());
    }
    let (first, images) = (arguments.first_id.unwrap_or(1), input.images.len() as u64);
    let end = first.checked_add(images).ok_or_else(|| {
        Failure::input(format!("cannot number {images} images from {first} on"))
            .because_of(format!("numbers end at {}", u64::MAX))
            .hint(Some("choose a smaller `--first-id`"))
    })?;
    Ok((first..end).map(|id| id.to_string()).collect())
}

fn draw(
    arguments: &PredictArguments,
    path: &Path,
    input: &Input,
    answers: &Answers,
    classes: &[String],
) -> Result<(), Failure> {
    let shown = |image: usize| {
        let (said, is) = (answers.classes[image], usize::from(input.images.labels[image]));
        let is_mistake = input.is_labelled && said != is;
        let caption = if is_mistake {
            format!("{} not {}", classes[said], classes[is])
        } else {
            classes[said].clone()
        };
        GalleryImage { index: image as u32, caption, is_mistake }
    };
    let images: Vec<GalleryImage> = (0..answers.classes.len())
        .map(shown)
        .filter(|image| image.is_mistake || !arguments.mistakes)
        .take(arguments.gallery_count)
        .collect();
    if images.is_empty() {
        let why = if input.is_labelled {
            "no mistake"
        } else {
            "no true label: name their column with `--label`"
        };
        say!("no gallery drawn: there is {why}");
        return Ok(());
    }
    write(path, &data::gallery(&input.images, &images, COLUMNS)?)?;
    say!("{} drawn to `{}`", counted(images.len(), "image"), path.display());
    Ok(())
}
