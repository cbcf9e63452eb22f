//! Arguments of `bench import`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArguments {
    /// The table: CSV, JSON (a list of objects, or one per line) or Parquet, by its ending.
    pub(in crate::cli) file: PathBuf,
    /// Columns whose values make a cell, `COLUMN` or `NAME=COLUMN`, separated by commas.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', required = true)]
    pub(in crate::cli) axes: Vec<String>,
    /// The column that tells the repeats of a cell apart, such as its seed: equal values pair cells
    /// [default: the order of the rows].
    #[arg(long, value_name = "COLUMN")]
    pub(in crate::cli) repeat: Option<String>,
    /// Columns that were measured, `COLUMN` or `NAME=COLUMN`, the one to report first; may be repeated.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', required = true)]
    pub(in crate::cli) metric: Vec<String>,
    /// Metrics of which smaller values are better.
    #[arg(long, value_name = "METRICS", value_delimiter = ',')]
    pub(in crate::cli) minimize: Vec<String>,
    /// What the numbers of a metric are: `acc=percent`, `latency=ms`; may be repeated [default: fraction or
    /// percent for accuracies].
    #[arg(long, value_name = "METRIC=UNIT", value_delimiter = ',')]
    pub(in crate::cli) unit: Vec<String>,
    /// Name of the experiment [default: that of the file].
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Results folder [default: results/<name>].
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
}
