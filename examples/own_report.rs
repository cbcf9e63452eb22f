//! A report of one's own, made from the results model: per cell the accuracy, its spread, and what
//! it cost.
//!
//! Run it with `cargo run --release --example own_report -- RESULTS-FOLDER`; without a folder it
//! makes one with the fake engine, whose numbers are made up.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example prints, and writes the file it reads"
)]

use std::error::Error;
use std::path::{Path, PathBuf};

use gridbench::base::MetricName;
use gridbench::engine::FakeEngine;
use gridbench::results::ExperimentResults;
use gridbench::session::{Reading, Session};
use gridbench_stats::Summary;

const EXPERIMENT: &str = r#"
name = "made-up"
question = "Does rotation hurt?"
repeats = 5

[dataset]
source = "synthetic"

[trainer]
engine = "fake"
[trainer.fake]
accuracy = 0.9
spread = 0.004
effects = { "augment.rotation" = -0.001 }

[[grid]]
[grid.axes]
"augment.rotation" = [0, 10, 20]
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => made_up(scratch.path())?,
    };
    // From the tables where they are those of the journals, else from the journals.
    let reading = Reading::open(&folder)?;
    print!("{}", table(&reading.results));
    Ok(())
}

/// Runs an experiment and returns the folder of its results.
fn made_up(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let file = folder.join("made-up.toml");
    std::fs::write(&file, EXPERIMENT)?;
    let mut session = Session::open_in(&file, folder.join("results"))?;
    let plan = session.plan()?;
    Ok(session.run(&plan, &FakeEngine, |_| {})?.folder)
}

/// Returns one line per cell, the best first.
fn table(results: &ExperimentResults) -> String {
    let metric = results.metric();
    let (factor, unit) = (metric.unit.factor(), metric.unit.of_values());
    let mut rows: Vec<(f64, String)> = Vec::new();
    for cell in &results.cells {
        let Some(summary) = Summary::of(&cell.sample(&metric.name)) else { continue };
        let seconds = Summary::of(&cell.sample(&MetricName::TRAIN_SECONDS));
        let spread = summary.sd.map_or("?".to_owned(), |sd| format!("{:.2}", sd * factor));
        let cost = seconds.map_or("?".to_owned(), |summary| format!("{:.1} s", summary.mean));
        rows.push((
            metric.sign() * summary.mean,
            format!(
                "{:<24} {:.2} ± {spread}{unit} (n = {}), {cost}\n",
                cell.name,
                summary.mean * factor,
                summary.n
            ),
        ));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    rows.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_cell_stands_first() -> Result<(), Box<dyn Error>> {
        let scratch = tempfile::tempdir()?;
        let reading = Reading::open(&made_up(scratch.path())?)?;
        let table = table(&reading.results);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(
            lines[0].starts_with("augment.rotation=0 ") && lines[0].contains("n = 5"),
            "{table}"
        );
        Ok(())
    }
}
