//! What several experiments found, at a glance.

use super::Page;
use crate::report::document::Section;
use crate::report::markup::escape;
use crate::report::numbers::{counted, whole};
use crate::report::pivot::ABSENT;
use crate::report::text::{Presenter, with_spread};

/// Appends one row per experiment: its best, trials, date and state, with a link to it.
pub(super) fn overview(page: &mut Page, sections: &[Section]) {
    page.raw(
        "<div class=\"scroll overview\" tabindex=\"0\" role=\"group\" aria-label=\"Overview\">\n<table>\n\
         <thead><tr><th scope=\"col\">experiment</th><th scope=\"col\">best mean</th>\
         <th scope=\"col\">at</th><th scope=\"col\" class=\"r\">cells</th>\
         <th scope=\"col\" class=\"r\">n</th><th scope=\"col\">seed</th><th scope=\"col\">updated</th>\
         <th scope=\"col\">state</th></tr></thead>\n<tbody>\n",
    );
    for (index, section) in sections.iter().enumerate() {
        let [best, at] = best(section);
        let (least, most) = (section.findings.n_min, section.findings.n_max);
        let n = if least == most { whole(most) } else { format!("{least}–{most}") };
        let date = section.origin.date.split('T').next().unwrap_or_default();
        page.raw(&format!(
            "<tr><th scope=\"row\"><a href=\"#e{index}\">{}</a></th><td>{}</td><td>{}</td>\
             <td class=\"r\">{}</td><td class=\"r\">{n}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&section.called),
            escape(&best),
            escape(&at),
            whole(section.cells.len()),
            section.seed,
            escape(date),
            escape(&state(section)),
        ));
    }
    page.raw("</tbody></table></div>\n");
}

fn best(section: &Section) -> [String; 2] {
    let presenter = Presenter::of(section);
    let found = section.findings.best.and_then(|best| {
        let summary = section.cells[best.cell].summary.as_ref()?;
        let (scale, name) = (&presenter.scale, section.metric.name.words());
        let lost = section.passed_over().map_or("", |_| ", best without lost trials");
        let value = format!("{}{} {name}{lost}", with_spread(scale, summary), scale.unit());
        Some([value, section.describe(best.cell)])
    });
    found.unwrap_or_else(|| [ABSENT, ABSENT].map(str::to_owned))
}

fn state(section: &Section) -> String {
    let counts = section.counts;
    let done = if counts.unfinished > 0 {
        format!("{} of {}", whole(counts.completed), counted(counts.planned, "trial"))
    } else {
        "finished".to_owned()
    };
    if counts.lost() > 0 { format!("{done}, {} lost", whole(counts.lost())) } else { done }
}
