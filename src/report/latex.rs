//! The grids as LaTeX tables for a paper, in the style of `booktabs`.
//!
//! The caption carries what a reader needs to trust the numbers: trials, spread, test, seed,
//! commit and hardware.

use super::document::{PivotGrid, ReportDocument, Section};
use super::markup::sentence;
use super::pivot::ABSENT;
use super::text::{LOST, MARK, MARK_IN_GRID, Presenter, grid_title};

/// Renders one table per grid.
#[must_use]
pub(super) fn render(document: &ReportDocument) -> String {
    let mut out = String::from(
        "% Tables written by bench. The preamble needs:\n%   \\usepackage{booktabs}\n%   \
         \\usepackage[T1]{fontenc}\n",
    );
    for section in &document.experiments {
        let presenter = Presenter::of(section);
        for index in 0..section.grids.len() {
            out.push('\n');
            out.push_str(&table(&presenter, index));
        }
    }
    out
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
    let mut lines = vec![
        "\\begin{table}".to_owned(),
        "\\centering".to_owned(),
        "\\small\\setlength{\\tabcolsep}{3.5pt}".to_owned(),
        format!("\\caption{{{}}}", caption(presenter, grid)),
        format!("\\label{{tab:{}-{}}}", label(&section.name), index + 1),
        format!("\\begin{{tabular}}{{{}{}}}", "l".repeat(keys), "c".repeat(columns)),
        "\\toprule".to_owned(),
    ];
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
    lines.extend(["\\bottomrule", "\\end{tabular}", "\\end{table}"].map(str::to_owned));
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

fn caption(presenter: &Presenter<'_>, grid: &PivotGrid) -> String {
    let section: &Section = presenter.section;
    let title = match grid_title(grid) {
        title if title.is_empty() => presenter.heading(),
        title => format!("{}, {title}", presenter.heading()),
    };
    let mut parts = vec![title];
    if let Some(fixed) = presenter.fixed() {
        parts.push(format!("fixed: {fixed}"));
    }
    let findings = &section.findings;
    if findings.n_max > 1 {
        parts.push("± is the standard deviation over the trials of a cell (n − 1)".to_owned());
    }
    if findings.comparisons > 0 {
        parts.push(format!(
            "bold is the best mean of all grids; with {:.0} % confidence the best setting is among the \
             {MARK} (Hsu's comparison with the best)",
            100.0 * (1.0 - findings.alpha)
        ));
        let in_grid = grid.entries.iter().flatten().flatten();
        if in_grid
            .map(|cell| &section.cells[*cell])
            .any(|cell| presenter.mark(cell) == MARK_IN_GRID)
        {
            parts.push(format!("{MARK_IN_GRID} may be the best of this grid"));
        }
    }
    parts.extend(
        presenter
            .origin()
            .into_iter()
            .filter(|(label, _)| label != "cost")
            .map(|(label, text)| format!("{label}: {text}")),
    );
    let sentences: Vec<String> = parts.iter().map(|part| sentence(&escape(part))).collect();
    format!("\\texttt{{{}}}: {}", escape(&section.name), sentences.join(" "))
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
