//! What `bench report` shows of finished results.

use clap::Args;

use crate::base::MetricName;
use crate::experiment::selector::Selector;

/// The view of finished results.
#[derive(Debug, Args)]
#[command(next_help_heading = "What to show")]
pub(in crate::cli) struct ViewArguments {
    /// The metric of the grids, then those beside it [default: the experiment's].
    #[arg(long, value_name = "METRIC,…", value_delimiter = ',')]
    pub(in crate::cli) metrics: Vec<MetricName>,
    /// Axis whose values label the rows.
    #[arg(long, value_name = "AXIS")]
    pub(in crate::cli) rows: Option<String>,
    /// Axis whose values label the columns.
    #[arg(long, value_name = "AXIS")]
    pub(in crate::cli) columns: Option<String>,
    /// Only cells with these axis values: `augment.shift=0.1,optimizer=adam`. The best is then the
    /// best of these; what needs stored predictions is shown for whole experiments only.
    #[arg(long = "where", value_name = "AXIS=VALUE,…")]
    pub(in crate::cli) cells: Option<Selector>,
    /// List every cell with interval, median, range and histogram, also in a terminal and in printed
    /// Markdown; in LaTeX as one table.
    #[arg(long)]
    pub(in crate::cli) full: bool,
    /// Order of that list: `best`, `grid`, an axis or a metric [default: best].
    #[arg(long, value_name = "ORDER")]
    pub(in crate::cli) sort: Option<String>,
    /// The most cells of that list.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) top: Option<u32>,
    /// How much worse than the best a cell may be, in percentage points for accuracies.
    #[arg(long, value_name = "POINTS", requires = "prefer", value_parser = super::not_negative)]
    pub(in crate::cli) within: Option<f64>,
    /// What to prefer among cells that are shown to be within that, for example `train-seconds`; up
    /// to two.
    #[arg(long, value_name = "METRIC,…", requires = "within", value_delimiter = ',', num_args = 1..=2)]
    pub(in crate::cli) prefer: Vec<MetricName>,
}
