//! The grids as LaTeX tables for a paper, in the style of `booktabs`, or one table of cells where a
//! reader asks for the list of cells or for several metrics.
//!
//! The caption carries what a reader needs to understand the numbers: trials, spread, marks. Where they
//! come from (seed, commit, machine, data) stands in comments before the table.

use super::document::{CellLine, PivotGrid, ReportDocument, Section};
use super::layout::{Align, TextColumn};
use super::markup::sentence;
use super::numbers::counted;
use super::pivot::ABSENT;
use super::text::{LOST, MARK, MARK_IN_GRID, Presenter, grid_title};

/// Renders one table per grid, or one per experiment where its cells are listed.
pub(super) fn render(document: &ReportDocument) -> String {
    let mut out = String::from(
        "% Tables written by bench. The preamble needs:\n%   \\usepackage{booktabs}\n%   \
         \\usepackage[T1]{fontenc}\n",
    );
    for section in &document.experiments {
        let presenter = Presenter::of(section);
        out.push('\n');
        out.push_str(&provenance(&presenter));
        if section.is_full || !section.also.is_empty() {
            out.push_str(&list(&presenter));
            continue;
        }
        let tables: Vec<String> =
            (0..section.grids.len()).map(|index| table(&presenter, index)).collect();
        out.push_str(&tables.join("\n"));
    }
    out
}

/// Says in comments where the numbers come from and what to know before quoting them.
fn provenance(presenter: &Presenter<'_>) -> String {
    let section = presenter.section;
    let mut lines = vec![("experiment".to_owned(), section.called.clone())];
    lines.extend(presenter.origin());
    let updated = section.origin.date.clone();
    lines.extend((!updated.is_empty()).then(|| ("updated".to_owned(), updated)));
    let warnings = section.warnings.iter();
    lines.extend(warnings.map(|warning| ("warning".to_owned(), warning.text.clone())));
    let comment = |(label, text): &(String, String)| {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("% {label}: {text}\n")
    };
    lines.iter().map(comment).collect()
}

/// Writes the list of cells as one table, with the metrics that stand beside the first.
fn list(presenter: &Presenter<'_>) -> String {
    let section = presenter.section;
    let cells: Vec<&CellLine> = section.order.iter().map(|cell| &section.cells[*cell]).collect();
    let (keys, also) = (presenter.cell_keys(&cells), presenter.also_columns(&cells));
    let side = |column: &TextColumn| if column.align == Align::Left { "l" } else { "r" };
    let sides: String = keys.iter().map(side).chain(["l"]).chain(also.iter().map(side)).collect();
    let heads = keys.iter().map(|column| column.head.clone());
    let heads = heads.chain([presenter.metric()]).chain(also.iter().map(|one| one.head.clone()));
    let heads: Vec<String> = heads.map(|head| escape(&head)).collect();
    let mut lines = opening(presenter, None, &format!("tab:{}", label(&section.called)), &sides);
    lines.extend([format!("{} \\\\", heads.join(" & ")), "\\midrule".to_owned()]);
    for (row, cell) in section.order.iter().enumerate() {
        let texts = |columns: &[TextColumn]| -> Vec<String> {
            columns.iter().map(|column| escape(column.entries[row].0.trim())).collect()
        };
        let texts = [texts(&keys), vec![entry(presenter, *cell)], texts(&also)].concat();
        lines.push(format!("{} \\\\", texts.join(" & ")));
    }
    lines.extend(CLOSING.map(str::to_owned));
    lines.join("\n") + "\n"
}

const CLOSING: [&str; 3] = ["\\bottomrule", "\\end{tabular}", "\\end{table}"];

/// Returns the lines before the first row of a table.
fn opening(
    presenter: &Presenter<'_>,
    grid: Option<&PivotGrid>,
    label: &str,
    sides: &str,
) -> Vec<String> {
    vec![
        "\\begin{table}".to_owned(),
        "\\centering".to_owned(),
        "\\small\\setlength{\\tabcolsep}{3.5pt}".to_owned(),
        format!("\\caption{{{}}}", caption(presenter, grid)),
        format!("\\label{{{label}}}"),
        format!("\\begin{{tabular}}{{{sides}}}"),
        "\\toprule".to_owned(),
    ]
}

fn table(presenter: &Presenter<'_>, index: usize) -> String {
    let section = presenter.section;
    let grid = &section.grids[index];
    let keys = if grid.columns.is_some() {
        usize::from(!grid.rows.labels.is_empty())
    } else {
        grid.rows.labels.len()
    };
    let columns = grid.columns.as_ref().map_or(1, |heading| heading.values.len());
    let reference = format!("tab:{}-{}", label(&section.called), index + 1);
    let sides = "l".repeat(keys) + &"c".repeat(columns);
    let mut lines = opening(presenter, Some(grid), &reference, &sides);
    lines.extend(head(presenter, grid, keys));
    lines.push("\\midrule".to_owned());
    for (row, entries) in grid.entries.iter().enumerate() {
        let values = grid.rows.values.get(row).map_or(&[][..], Vec::as_slice);
        let mut texts = match (&grid.columns, keys) {
            (_, 0) => Vec::new(),
            (Some(_), _) => vec![escape(&join(values))],
            (None, _) => {
                values.iter().map(|value| escape(value.as_deref().unwrap_or(ABSENT))).collect()
            }
        };
        texts.extend(entries.iter().map(|cell| match cell {
            Some(cell) => entry(presenter, *cell),
            None => String::new(),
        }));
        lines.push(format!("{} \\\\", texts.join(" & ")));
    }
    lines.extend(CLOSING.map(str::to_owned));
    lines.join("\n") + "\n"
}

fn head(presenter: &Presenter<'_>, grid: &PivotGrid, keys: usize) -> Vec<String> {
    if let Some(heading) = &grid.columns {
        let corner = escape(&grid.rows.labels.join("/"));
        let count = heading.values.len();
        let across = escape(&heading.labels.join("/"));
        let values: Vec<String> =
            heading.values.iter().map(|values| escape(&join(values))).collect();
        let before = if keys > 0 { " & " } else { "" };
        let rule = format!("\\cmidrule(lr){{{}-{}}}", keys + 1, keys + count);
        vec![
            format!("{before}\\multicolumn{{{count}}}{{c}}{{{across}}} \\\\"),
            rule,
            format!(
                "{}{before}{} \\\\",
                if keys > 0 { corner } else { String::new() },
                values.join(" & ")
            ),
        ]
    } else {
        let mut labels: Vec<String> = grid.rows.labels.iter().map(|label| escape(label)).collect();
        labels.push(escape(&presenter.metric()));
        vec![format!("{} \\\\", labels.join(" & "))]
    }
}

fn join(values: &[Option<String>]) -> String {
    let texts: Vec<&str> = values.iter().map(|value| value.as_deref().unwrap_or(ABSENT)).collect();
    texts.join("/")
}

fn entry(presenter: &Presenter<'_>, index: usize) -> String {
    let section = presenter.section;
    let cell = &section.cells[index];
    let scale = &presenter.scale;
    let Some(found) = &cell.summary else { return "---".to_owned() };
    let is_best = section.findings.best.is_some_and(|best| best.cell == index);
    let number = escape(&scale.value(found.mean));
    let number = if is_best { format!("\\textbf{{{number}}}") } else { number };
    let spread = found.sd.map(|sd| format!(" $\\pm$ {}", escape(&scale.value(sd))));
    let mark = match presenter.mark(cell) {
        MARK => "$^{\\bullet}$",
        MARK_IN_GRID => "$^{\\circ}$",
        _ => "",
    };
    let differs = section.findings.n_min != section.findings.n_max;
    let n = if differs { format!(" ({})", found.n) } else { String::new() };
    let lost = match cell.counts.lost() {
        0 => String::new(),
        lost => format!(" ({lost} lost)"),
    };
    format!("{number}{}{mark}{n}{lost}", spread.unwrap_or_default())
}

/// Says what a table shows: one grid, or the list of all cells.
fn caption(presenter: &Presenter<'_>, grid: Option<&PivotGrid>) -> String {
    let section: &Section = presenter.section;
    let title = match grid.map(grid_title).unwrap_or_default() {
        title if title.is_empty() => presenter.heading(),
        title => format!("{}, {title}", presenter.heading()),
    };
    let mut parts = vec![title];
    let left_out = section.cells.len() - section.order.len();
    if grid.is_none() && left_out > 0 {
        parts.push(format!(
            "{} of {} {} left out",
            left_out,
            counted(section.cells.len(), "cell"),
            if left_out == 1 { "is" } else { "are" }
        ));
    }
    if let Some(fixed) = presenter.fixed() {
        parts.push(format!("fixed: {fixed}"));
    }
    let findings = &section.findings;
    if findings.n_max > 1 {
        parts.push("± is the standard deviation over the trials of a cell (n − 1)".to_owned());
    }
    if section.compared() > 1 {
        let of = if section.grids.len() > 1 { " of all grids" } else { "" };
        parts.push(format!("bold is the {}{of}", section.best_of_what()));
    }
    if let Some(sentence) = presenter.confidence_sentence() {
        parts.push(format!("{sentence} (Hsu's comparison with the best)"));
        if section.cells.iter().any(|cell| presenter.mark(cell) == MARK_IN_GRID) {
            parts.push(format!("{MARK_IN_GRID} may be the best of its own grid alone"));
        }
    }
    let sentences: Vec<String> = parts.iter().map(|part| sentence(&escape(part))).collect();
    format!("\\texttt{{{}}}: {}", escape(&section.called), sentences.join(" "))
}

/// Returns a name that `\label` takes.
fn label(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    name.chars().map(keep).collect()
}

/// Makes text harmless inside LaTeX; signs that older engines lack become commands.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', c]),
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '|' => out.push_str("\\textbar{}"),
            '"' => out.push_str("\\textquotedbl{}"),
            '±' => out.push_str("$\\pm$"),
            '−' => out.push_str("$-$"),
            '×' => out.push_str("$\\times$"),
            '→' => out.push_str("$\\rightarrow$"),
            'α' => out.push_str("$\\alpha$"),
            'σ' => out.push_str("$\\sigma$"),
            '²' => out.push_str("$^2$"),
            '≤' => out.push_str("$\\leq$"),
            '≥' => out.push_str("$\\geq$"),
            '·' => out.push_str("$\\cdot$"),
            '–' => out.push_str("--"),
            '—' => out.push_str("---"),
            '…' => out.push_str("\\ldots{}"),
            _ if c.to_string() == MARK => out.push_str("$^{\\bullet}$"),
            _ if c.to_string() == MARK_IN_GRID => out.push_str("$^{\\circ}$"),
            _ if c.to_string() == LOST => out.push_str("$\\times$"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Format, Page, Subject, render as render_report};
    use crate::results::fixture;

    #[test]
    fn signs_that_mean_something_to_latex_are_escaped() {
        assert_eq!(escape("50 % of a_b & {c}\\"), "50 \\% of a\\_b \\& \\{c\\}\\textbackslash{}");
        assert_eq!(escape("−1 ± 2"), "$-$1 $\\pm$ 2");
    }

    #[test]
    fn every_environment_and_brace_is_closed() {
        let mut results = fixture::augment_grid();
        results.facts.name = "a_b{%\\end{table}".to_owned();
        let subjects = [Subject::from(&results)];
        let text = render_report(&subjects, Format::Latex, Page::default());
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('%')).collect();
        let text = lines.join("\n");
        assert_eq!(text.matches("\\begin{").count(), 2 * text.matches("\\begin{table}").count());
        for name in ["table", "tabular"] {
            let count = |what: &str| text.matches(&format!("\\{what}{{{name}}}")).count();
            assert_eq!((count("begin"), count("end")), (1, 1), "{name}");
        }
        let mut depth = 0_i32;
        let mut escaped = false;
        for c in text.chars() {
            match c {
                '{' if !escaped => depth += 1,
                '}' if !escaped => depth -= 1,
                _ => {}
            }
            assert!(depth >= 0);
            escaped = c == '\\' && !escaped;
        }
        assert_eq!(depth, 0);
        assert_eq!(text.matches('$').count() % 2, 0);
    }

    #[test]
    fn the_table_says_where_its_numbers_come_from() {
        let results = fixture::augment_grid();
        let text = render_report(&[Subject::from(&results)], Format::Latex, Page::default());
        insta::assert_snapshot!(text);
    }
}
