//! What a check that comes to no verdict leaves in the files it was asked for, so that a job which
//! reads them finds the reason and never the verdict of an earlier check.

use serde::Serialize;

use super::{Form, github, markdown_limit};
use crate::base::format;
use crate::base::text::{markdown, markdown_prose, markup};
use crate::check::CheckError;

/// Why a check came to no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Refusal {
    /// Always `none`.
    verdict: &'static str,
    /// The reason, one sentence.
    pub reason: String,
    /// Gated cells without a finished trial in the candidate.
    pub missing_cells: Vec<String>,
    /// The way out.
    pub hint: Option<String>,
}

impl From<&CheckError> for Refusal {
    fn from(error: &CheckError) -> Self {
        let missing_cells = match error {
            CheckError::MissingCells { cells, .. } => cells.clone(),
            _ => Vec::new(),
        };
        let hint = error.hint().map(str::to_owned);
        Self { verdict: "none", reason: error.to_string(), missing_cells, hint }
    }
}

impl Refusal {
    /// Returns the reason with one line per missing cell below it.
    #[must_use]
    pub fn cause(&self) -> String {
        let cells = self.missing_cells.iter().map(|name| format!("\n`{name}`"));
        cells.fold(self.reason.clone(), |said, cell| said + &cell)
    }

    /// Writes it in `form`; the text ends with a line break. Trackers of benchmarks get no value.
    #[must_use]
    pub fn render(&self, folder: &str, form: Form) -> String {
        match form {
            Form::Json => format::REFUSAL.text(self),
            Form::Markdown => self.markdown(folder),
            Form::Junit => self.junit(),
            Form::Terminal => self.terminal(folder),
            Form::Github => {
                github::lines_without_commands(&self.terminal(folder))
                    + &github::command("error", "bench check", &self.cause())
            }
            Form::Bmf => "{}\n".to_owned(),
            Form::GithubActionBenchmark => "[]\n".to_owned(),
        }
    }

    fn terminal(&self, folder: &str) -> String {
        let mut out = format!("no verdict on `{folder}`: {}\n", self.reason);
        out.extend(self.missing_cells.iter().map(|name| format!("  missing       `{name}`\n")));
        out.extend(self.hint.iter().map(|hint| format!("  hint: {hint}\n")));
        out
    }

    fn markdown(&self, folder: &str) -> String {
        let mut out = format!(
            "### bench check: no verdict on {}\n\n{}\n",
            markdown(folder),
            markdown_prose(&self.reason)
        );
        if !self.missing_cells.is_empty() {
            let all = self.missing_cells.iter().map(|name| format!("- {}\n", markdown(name)));
            out = markdown_limit(out + "\n", all);
        }
        out.extend(self.hint.iter().map(|hint| format!("\n{}\n", markdown_prose(hint))));
        out
    }

    /// One test case per missing cell; one of the check itself where no cell is missing.
    fn junit(&self) -> String {
        let reason = markup(&self.reason);
        let whole = ["bench check".to_owned()];
        let cases = if self.missing_cells.is_empty() { &whole[..] } else { &self.missing_cells };
        let counts = format!("tests=\"{0}\" failures=\"0\" errors=\"{0}\"", cases.len());
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"bench check\" {counts} \
             time=\"0\">\n  <testsuite name=\"bench check\" {counts} skipped=\"0\" time=\"0\">\n"
        );
        out.extend(cases.iter().map(|name| {
            format!(
                "    <testcase classname=\"bench check\" name=\"{}\" time=\"0\">\n      <error \
                 type=\"none\" message=\"{reason}\">{reason}</error>\n    </testcase>\n",
                markup(name)
            )
        }));
        out + "  </testsuite>\n</testsuites>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_check_without_a_verdict_says_why() {
        let cells = vec!["a=1".to_owned(), "b=<2>".to_owned()];
        let refusal = Refusal::from(&CheckError::MissingCells { cells, gated: 3 });
        let forms =
            [Form::Terminal, Form::Json, Form::Markdown, Form::Junit, Form::Github, Form::Bmf];
        let all: Vec<String> = forms.into_iter().map(|form| refusal.render("few", form)).collect();
        insta::assert_snapshot!(all.join("---\n"));
        assert_eq!(refusal.render("few", Form::GithubActionBenchmark), "[]\n");
    }

    #[test]
    fn a_summary_names_no_more_cells_than_github_shows() {
        let cells: Vec<String> = (0..60_000).map(|cell| format!("cell number {cell:09}")).collect();
        let refusal = Refusal::from(&CheckError::MissingCells { cells, gated: 60_000 });
        let text = refusal.render("few", Form::Markdown);
        assert!(text.len() < super::super::SUMMARY_LIMIT, "{}", text.len());
        assert!(text.contains("more\n"), "{}", &text[text.len() - 300..]);
    }
}
