//! Choices of the command line whose meaning other modules own: their names and what help says.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::check::render::Form;
use crate::data::Form as DataForm;
use crate::experiment::settings::Combine;
use crate::report::Format;
use crate::report::compare::CompareFormat;

macro_rules! choices {
    ($type:ty { $($variant:ident: $name:literal, $help:literal;)+ }) => {
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$variant),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $(Self::$variant => PossibleValue::new($name).help($help)),+
                })
            }
        }
    };
}

choices!(Format {
    Terminal: "terminal", "Aligned text for a terminal";
    Markdown: "markdown", "GitHub-flavoured Markdown";
    Csv: "csv", "The cells table";
    Html: "html", "One page with charts that needs no other file";
    Json: "json", "Everything, for scripts";
    Latex: "latex", "Tables for a paper";
});

choices!(Form {
    Terminal: "terminal", "Lines for a terminal";
    Json: "json", "Everything, for scripts";
    Markdown: "markdown", "GitHub-flavoured Markdown";
    Junit: "junit", "JUnit XML: one test case per gated cell";
    Github: "github", "Lines for a terminal, then annotations for GitHub Actions";
    Bmf: "bmf", "Bencher Metric Format";
    GithubActionBenchmark: "github-action-benchmark", "JSON for github-action-benchmark";
});

choices!(CompareFormat {
    Terminal: "terminal", "Aligned text for a terminal";
    Markdown: "markdown", "GitHub-flavoured Markdown";
    Json: "json", "Everything, for scripts";
});

choices!(Combine {
    Mean: "mean", "Mean of the class probabilities";
    Vote: "vote", "The class most networks name";
});

choices!(DataForm {
    Kaggle: "kaggle", "`train.csv` with labels, `test.csv` without, and `solution.csv`";
    Folder: "folder", "One folder of PNG images per class, test images among them";
});
