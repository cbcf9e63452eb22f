//! Confusion matrix and galleries.

use std::fmt::Write as _;

use super::Page;
use crate::report::document::Section;
use crate::report::markup::{data_uri, escape};
use crate::report::numbers::{counted, grouped};
use crate::report::predicted::{Confusion, Gallery};

/// Appends the confusion matrix, if the experiment asks for one.
pub(super) fn confusion(page: &mut Page, section: &Section, prefix: &str) {
    let Some(predicted) = &section.predicted else { return };
    if let Some(found) = &predicted.confusion {
        page.open(prefix, "confusion", "Confusions");
        page.raw(&matrix(section, found));
        page.paragraph(
            "note",
            "Rows are true classes, columns predicted ones. The large number is the mean count of \
             test images over the trials, the small one its share of the row; what never happened is \
             blank.",
        );
        page.close();
    }
    if !predicted.notes.is_empty() {
        for note in &predicted.notes {
            let note = escape(note);
            page.raw(&format!("<p class=\"warning\"><strong>Note:</strong> {note}</p>\n"));
        }
    }
}

/// Prints a mean count: whole for a single trial.
pub(in crate::report) fn mean_count(found: &Confusion, truth: usize, predicted: usize) -> String {
    grouped(found.mean(truth, predicted), usize::from(found.trials > 1))
}

fn matrix(section: &Section, found: &Confusion) -> String {
    let cell = match section.describe(found.cell) {
        name if name.is_empty() => String::new(),
        name => format!(" of the best cell, {name}"),
    };
    let caption = format!("Predicted classes{cell}: means over {}", counted(found.trials, "trial"));
    let mut out = format!(
        "<div class=\"scroll wide\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\n\
         <table class=\"heat confusion\">\n<caption>{0}</caption>\n\
         <thead><tr><th scope=\"col\">true ↓ predicted →</th>",
        escape(&caption)
    );
    for class in &found.classes {
        write!(out, "<th scope=\"col\">{}</th>", escape(class)).expect("text takes text");
    }
    out.push_str(
        "<th scope=\"col\">images</th><th scope=\"col\">right</th></tr></thead>\n<tbody>\n",
    );
    for (truth, class) in found.classes.iter().enumerate() {
        write!(out, "<tr><th scope=\"row\">{}</th>", escape(class)).expect("text takes text");
        for (predicted, other) in found.classes.iter().enumerate() {
            let share = found.share(truth, predicted).unwrap_or(0.0);
            let mean = mean_count(found, truth, predicted);
            if found.counts[truth][predicted] == 0 {
                out.push_str("<td class=\"zero\"></td>");
                continue;
            }
            let kind = if truth == predicted { "right" } else { "wrong" };
            // Few are wrong: the square root brings out the small shares.
            let strength = if truth == predicted { share } else { (4.0 * share).sqrt().min(1.0) };
            write!(
                out,
                "<td class=\"{kind}\" style=\"--v:{strength:.2}\" title=\"{} taken for {}: {} of {}\">{}<small>{:.2} %</small></td>",
                escape(class),
                escape(other),
                mean,
                found.images_of(truth),
                mean,
                100.0 * share
            )
            .expect("text takes text");
        }
        let right = found.share(truth, truth);
        writeln!(
            out,
            "<td class=\"r\">{}</td><td class=\"r\">{}</td></tr>",
            grouped(found.images_of(truth) as f64, 0),
            right.map_or_else(|| "—".to_owned(), |share| format!("{:.2} %", 100.0 * share))
        )
        .expect("text takes text");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// Appends the galleries, if the experiment asks for any.
pub(super) fn galleries(page: &mut Page, section: &Section, prefix: &str) {
    let Some(predicted) = &section.predicted else { return };
    for (index, gallery) in predicted.galleries.iter().enumerate() {
        page.open(prefix, &format!("gallery-{index}"), &heading(gallery));
        page.paragraph("", &introduction(section, gallery));
        if !gallery.items.is_empty() {
            page.raw(&pictures(gallery));
        }
        page.close();
    }
}

/// Returns the heading of a gallery.
pub(in crate::report) fn heading(gallery: &Gallery) -> String {
    match gallery.of {
        Some((truth, predicted)) => {
            format!("{} taken for {}", gallery.classes[truth], gallery.classes[predicted])
        }
        None => "Misclassified images".to_owned(),
    }
}

/// Says which images a gallery shows.
pub(in crate::report) fn introduction(section: &Section, gallery: &Gallery) -> String {
    let cell = match section.describe(gallery.cell) {
        name if name.is_empty() => String::new(),
        name => format!(" of the best cell ({name})"),
    };
    let shown = match gallery.items.len() {
        0 => String::new(),
        count if count < gallery.total => format!("; the {count} most often wrong are shown"),
        _ => "; all are shown".to_owned(),
    };
    let trials = counted(gallery.trials, "trial");
    let are = if gallery.total == 1 { "is" } else { "are" };
    match gallery.of {
        None => format!(
            "{} {are} read wrongly in at least one of {trials}{cell}{shown}.",
            counted(gallery.total, "test image")
        ),
        Some((truth, predicted)) => format!(
            "{} of class {} {are} taken for {} in at least one of {trials}{cell}{shown}.",
            counted(gallery.total, "test image"),
            gallery.classes[truth],
            gallery.classes[predicted]
        ),
    }
}

/// Says how an image is read.
pub(in crate::report) fn reading(gallery: &Gallery, index: usize) -> (String, String) {
    let item = &gallery.items[index];
    let names = &gallery.classes;
    (
        format!("{} → {}", names[item.truth], names[item.predicted]),
        format!("{} of {}", item.times, gallery.trials),
    )
}

fn pictures(gallery: &Gallery) -> String {
    let mut out = String::from("<ul class=\"gallery\">\n");
    for (index, item) in gallery.items.iter().enumerate() {
        let (pair, times) = reading(gallery, index);
        let (pair, times) = (escape(&pair), escape(&times));
        let picture = match &item.picture {
            Some(png) => format!(
                "<img src=\"{}\" alt=\"test image {}, {pair}\" loading=\"lazy\">",
                data_uri(png),
                item.row
            ),
            None => "<span class=\"blank\">no picture</span>".to_owned(),
        };
        writeln!(
            out,
            "<li title=\"test image {}\">{picture}<b>{pair}</b><small>{times} trials</small></li>",
            item.row
        )
        .expect("text takes text");
    }
    out.push_str("</ul>\n");
    out
}
