//! Tables behind the findings: axes, analyses of variance, every cell against the best, spread,
//! cost.

use super::Page;
use super::table::{Sorting, column, table_of, text_table};
use crate::base::{Metric, Unit};
use crate::report::document::CellLine;
use crate::report::layout::Align::{Left, Right};
use crate::report::numbers::{Scale, counted, duration, grouped, probability};
use crate::report::pivot::ABSENT;
use crate::report::text::{Presenter, grid_title};
use crate::report::versus_best::AgainstBest;
use gridbench_stats::Effect;
use gridbench_stats::Summary;

/// Rows of the table of cells against the best.
const MAX_ROWS: usize = 200;

fn or_absent(text: Option<String>) -> String {
    text.unwrap_or_else(|| ABSENT.to_owned())
}

/// Appends the marginal means as a table.
pub(super) fn effects(page: &mut Page, presenter: &Presenter<'_>) {
    let scale = &presenter.scale;
    let rows: Vec<_> = presenter
        .section
        .effects
        .iter()
        .flat_map(|effect| effect.levels.iter().map(move |level| (effect, level)))
        .collect();
    let keys = column("axis", Left, &rows, |(effect, _)| effect.label.clone());
    let columns = vec![
        column("level", Left, &rows, |(_, level)| level.value.clone()),
        column("mean", Right, &rows, |(_, level)| {
            or_absent(level.mean.map(|mean| scale.value(mean.mean)))
        }),
        column("95 % interval", Left, &rows, |(_, level)| {
            or_absent(level.mean.map(|mean| scale.interval(mean.interval)))
        }),
        column("cells", Right, &rows, |(_, level)| level.cells.to_string()),
        column("trials", Right, &rows, |(_, level)| level.trials.to_string()),
    ];
    let caption = format!("Marginal means, {}", presenter.metric());
    folded(page, &caption, &text_table(&table_of(keys, columns), &caption, Sorting::ByColumn, &[]));
}

/// Appends a table that opens when it is asked for.
fn folded(page: &mut Page, summary: &str, markup: &str) {
    let summary = crate::report::markup::escape(summary);
    page.raw(&format!("<details><summary>{summary}</summary>\n{markup}</details>\n"));
}

/// Appends the analyses of variance of the grids.
pub(super) fn variances(page: &mut Page, presenter: &Presenter<'_>) {
    let section = presenter.section;
    let mut rows: Vec<(String, String, Effect, usize)> = Vec::new();
    for found in &section.grid_variances {
        let grid = &section.grids[found.grid];
        let label = match grid_title(grid) {
            title if title.is_empty() => "grid".to_owned(),
            title => title,
        };
        let columns = grid.columns.as_ref().map(|heading| heading.labels.join("/"));
        let (by_row, by_column) = (grid.rows.labels.join("/"), columns.unwrap_or_default());
        let both = format!("{by_row} × {by_column}");
        let analysis = &found.analysis;
        let rest = analysis.residual_degrees_of_freedom;
        for (name, effect) in
            [(by_row, analysis.rows), (by_column, analysis.columns), (both, analysis.interaction)]
        {
            rows.extend(effect.map(|effect| (label.clone(), name, effect, rest)));
        }
    }
    if rows.is_empty() {
        return;
    }
    let keys = column("grid", Left, &rows, |row| row.0.clone());
    let columns = vec![
        column("effect", Left, &rows, |row| row.1.clone()),
        column("F", Right, &rows, |row| grouped(row.2.f, 2)),
        column("degrees of freedom", Right, &rows, |row| {
            format!("{}, {}", row.2.degrees_of_freedom, row.3)
        }),
        column("p", Right, &rows, |row| probability(row.2.p)),
        column("partial η²", Right, &rows, |row| format!("{:.3}", row.2.partial_eta_squared)),
    ];
    let caption = "Two-way analysis of variance of each grid, type II";
    page.raw(&text_table(&table_of(keys, columns), caption, Sorting::ByColumn, &[]));
    page.paragraph(
        "note",
        "F compares what an effect explains with the spread within cells; p is the chance of so \
         large an F without the effect, not adjusted for the number of effects; η² is the share of \
         the effect in its own and the unexplained variation. A small p of the interaction (×) means \
         that the effect of one axis depends on the other.",
    );
}

/// Appends the comparison of every cell with the best.
pub(super) fn against_best(page: &mut Page, presenter: &Presenter<'_>, prefix: &str) {
    let section = presenter.section;
    let mut rows: Vec<(usize, &CellLine, &AgainstBest)> = section
        .cells
        .iter()
        .enumerate()
        .filter_map(|(index, cell)| Some((index, cell, cell.against_best.as_ref()?)))
        .collect();
    let Some(best) = section.findings.best.filter(|_| !rows.is_empty()) else { return };
    rows.sort_by(|a, b| a.2.difference.abs().total_cmp(&b.2.difference.abs()));
    let left_out = rows.len().saturating_sub(MAX_ROWS);
    rows.truncate(MAX_ROWS);
    let scale = &presenter.scale;
    let two = |value: f64| format!("{value:.2}").replace('-', "−");
    let keys = column("cell", Left, &rows, |row| section.describe(row.0));
    let mut columns = vec![
        column("difference", Right, &rows, |row| scale.signed(row.2.difference)),
        column("at most worse by", Right, &rows, |row| {
            or_absent(row.2.at_most_worse.map(|bound| scale.value(bound)))
        }),
    ];
    if rows.iter().any(|row| row.2.errors_per_10000.is_some()) {
        columns.push(column("errors per 10,000", Right, &rows, |row| {
            or_absent(row.2.errors_per_10000.map(|errors| {
                let sign = if errors >= 0.5 { "+" } else { "" };
                format!("{sign}{}", grouped(errors, 0))
            }))
        }));
    }
    columns.extend([
        column("P(best > cell)", Left, &rows, |row| {
            or_absent(row.2.superiority_of_best.map(|found| match found.interval95 {
                Some((low, high)) => {
                    format!("{} ({} to {})", two(found.probability), two(low), two(high))
                }
                None => two(found.probability),
            }))
        }),
        column("meaningful", Left, &rows, |row| {
            or_absent(row.2.is_meaningful.map(|yes| if yes { "yes" } else { "no" }.to_owned()))
        }),
        column("ε min", Right, &rows, |row| {
            or_absent(row.2.stochastic_order.map(|found| two(found.epsilon_min)))
        }),
        column("Cohen’s d", Right, &rows, |row| or_absent(row.2.cohens_d.map(two))),
        column("Cliff’s δ", Right, &rows, |row| or_absent(row.2.cliffs_delta.map(two))),
        column("trials needed", Right, &rows, |row| {
            or_absent(row.2.repeats_needed.map(|count| grouped(count as f64, 0)))
        }),
    ]);
    page.open(prefix, "against-best", "Every cell against the best");
    let name = match section.describe(best.cell) {
        name if name.is_empty() => "the best cell".to_owned(),
        name => format!("the {}, {name}", section.best_of_what()),
    };
    let caption = format!("Difference from {name}, in {}", unit_of_difference(presenter));
    let marks: Vec<&str> = rows.iter().map(|row| presenter.mark(row.1).trim()).collect();
    page.raw(&text_table(&table_of(keys, columns), &caption, Sorting::ByColumn, &marks));
    let mut notes = "Differences are the cell’s mean minus that of the best mean. With 95 % confidence, \
        for all cells at once, a cell is worse than the truly best one by no more than the bound (Hsu, \
        the rule of ●). P(best > cell) is the chance that one trial of the best beats one of the cell, \
        with an interval for this pair alone; a difference is meaningful where the cell has no ● and \
        that chance may reach 0.75 (Bouthillier et al. 2021). ε min below 0.5 calls the best almost \
        stochastically larger (Dror et al. 2019). Trials needed: about, per cell, so that a true \
        difference of this size takes the ● away with 95 % power. A pair that was chosen before its \
        values were seen is tested by `bench compare`."
        .to_owned();
    if rows.iter().any(|row| row.2.superiority_of_best.is_none()) {
        notes += " P and ε min are resampled at the cells nearest to the best only.";
    }
    if rows.iter().any(|row| row.2.at_most_worse.is_none()) {
        notes += " Bounds stand at the cells nearest to the best whose error is known.";
    }
    if left_out > 0 {
        notes = format!("{notes} {} left out.", counted(left_out, "farther cell"));
    }
    page.paragraph("note", &notes);
    on_images(page, presenter);
    page.close();
}

fn unit_of_difference(presenter: &Presenter<'_>) -> String {
    let Metric { name, unit, .. } = &presenter.section.metric;
    let (unit, metric) = (unit.of_differences(), name.words());
    let unit = unit.trim_start();
    if unit.is_empty() { metric } else { format!("{unit} of {metric}") }
}

/// Appends the comparisons over the same test images.
fn on_images(page: &mut Page, presenter: &Presenter<'_>) {
    let section = presenter.section;
    let Some(predicted) = section.predicted.as_ref().filter(|found| !found.versus_best.is_empty())
    else {
        return;
    };
    let rows = &predicted.versus_best;
    let scale = Scale::of(&Unit::FRACTION, section.findings.pooled_sd);
    let keys = column("cell", Left, rows, |row| section.describe(row.cell));
    let columns = vec![
        column("only the best right", Right, rows, |row| row.mcnemar.only_second.to_string()),
        column("only the cell right", Right, rows, |row| row.mcnemar.only_first.to_string()),
        column("p McNemar", Right, rows, |row| probability(row.mcnemar.p_two_sided)),
        column("difference over trials and images", Right, rows, |row| {
            or_absent(row.two_way.map(|found| scale.signed(found.difference)))
        }),
        column("95 % interval", Left, rows, |row| {
            or_absent(row.two_way.map(|found| {
                let (low, high) = found.interval95;
                format!("{} to {}", scale.signed(low), scale.signed(high))
            }))
        }),
    ];
    let caption = "The nearest cells against the best, on the same test images";
    page.raw(&text_table(&table_of(keys, columns), caption, Sorting::ByColumn, &[]));
    page.paragraph(
        "note",
        "Images on which the majority votes of the trials disagree (McNemar’s test), and the \
         difference of accuracy with an interval that resamples both trials and images: it says \
         what could be expected on other images of the kind. Each row by itself: neither p nor \
         interval allows for the number of rows, nor for the best being chosen by its mean.",
    );
}

/// Appends where the spread of each cell comes from.
pub(super) fn spread(page: &mut Page, presenter: &Presenter<'_>, prefix: &str) {
    let section = presenter.section;
    let rows: Vec<(usize, &CellLine)> = section
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.summary.is_some_and(|found| found.sd.is_some()))
        .filter(|(_, cell)| cell.noise.is_some() && !cell.is_deterministic)
        .take(2000)
        .collect();
    if rows.is_empty() {
        return;
    }
    let scale = &presenter.scale;
    let split = |index: usize| {
        let found = section.predicted.as_ref()?.variances.iter().find(|one| one.cell == index)?;
        Some(found.split)
    };
    let sd = |variance: f64| scale.value(variance.max(0.0).sqrt());
    let keys = column("cell", Left, &rows, |row| match section.describe(row.0) {
        name if name.is_empty() => row.1.name.clone(),
        name => name,
    });
    let of = |row: &(usize, &CellLine)| row.1.noise;
    let mut columns = vec![
        column("SD seen", Right, &rows, |row| {
            or_absent(row.1.summary.and_then(|found| Some(scale.value(found.sd?))))
        }),
        column("SD predicted", Right, &rows, |row| {
            or_absent(of(row).and_then(|noise| Some(scale.value(noise.predicted_sd?))))
        }),
        column("seen/predicted", Right, &rows, |row| {
            or_absent(of(row).and_then(|noise| {
                let flag = if noise.is_unstable { " unstable" } else { "" };
                Some(format!("{:.2}{flag}", noise.ratio?))
            }))
        }),
        column("mean on other images, 95 %", Left, &rows, |row| {
            or_absent(of(row).and_then(|noise| Some(scale.interval(noise.test_set_interval95?))))
        }),
        column("IQM", Right, &rows, |row| {
            or_absent(row.1.summary.map(|found| scale.value(found.interquartile_mean)))
        }),
        column("max expected", Right, &rows, |row| {
            or_absent(row.1.summary.and_then(|found| Some(scale.value(found.expected_max?))))
        }),
        column("max seen", Right, &rows, |row| {
            or_absent(row.1.summary.map(|found| scale.value(found.max)))
        }),
    ];
    if section.predicted.as_ref().is_some_and(|found| !found.variances.is_empty()) {
        columns.extend([
            column("SD on all images", Right, &rows, |row| {
                or_absent(split(row.0).map(|split| sd(split.distribution)))
            }),
            column("SD from this test set", Right, &rows, |row| {
                or_absent(split(row.0).map(|split| sd(split.test_set)))
            }),
        ]);
    }
    page.open(prefix, "spread", "Where the spread comes from");
    let caption = format!("Spread of {} within cells", presenter.metric());
    page.raw(&text_table(&table_of(keys, columns), &caption, Sorting::ByColumn, &[]));
    page.paragraph(
        "note",
        "Predicted is √(error / (2 · test images)): the spread that so few test images give to \
         single networks that are equally good (Jordan 2024), so ensembles have none; more than 1.5 \
         times that is called unstable. \
         The mean on other images is Wilson’s interval. IQM is the mean of the middle half; the \
         maximum expected is that of so many normal draws (Blom). The SD on all images is what would \
         remain with endlessly many test images, estimated from the stored predictions; a variance \
         that comes out below 0 is shown as 0.",
    );
    page.close();
}

/// Appends what the experiment cost.
pub(super) fn cost(page: &mut Page, presenter: &Presenter<'_>, prefix: &str) {
    let cost = &presenter.section.cost;
    // What, then the value, median, range and n.
    let mut rows: Vec<(String, [String; 4])> = Vec::new();
    let absent = || ABSENT.to_owned();
    let mut add = |name: String, value: String, found: Option<Summary>, decimals: usize| {
        let members = found.map_or_else(
            || [absent(), absent(), absent()],
            |found| {
                let [median, low, high] =
                    [found.median, found.min, found.max].map(|value| grouped(value, decimals));
                let n = found.n.to_string();
                if found.n > 1 {
                    [median, format!("{low}–{high}"), n]
                } else {
                    [absent(), absent(), n]
                }
            },
        );
        let [median, range, n] = members;
        rows.push((name, [value, median, range, n]));
    };
    for network in &cost.networks {
        let of = match network.network.as_str() {
            "" => "a network".to_owned(),
            name => name.to_owned(),
        };
        if let Some(rate) = network.images_per_second {
            let found = network.member_images_per_second;
            let name = format!("training images per second, {of}");
            add(name, grouped(rate, 0), found, 0);
        }
        let times = [
            ("seconds of training", network.member_seconds, 2),
            ("seconds of the first epoch (warm-up)", network.first_epoch_seconds, 3),
            ("seconds of a later epoch", network.later_epoch_seconds, 3),
        ];
        for (name, found, decimals) in times {
            if let Some(found) = found {
                let mean = grouped(found.mean, decimals);
                add(format!("{name}, {of}"), mean, Some(found), decimals);
            }
        }
    }
    if let Some(memory) = cost.peak_memory_mib {
        let name = "most memory of a network, computed".to_owned();
        add(name, format!("{} MiB", grouped(memory.ceil(), 0)), None, 0);
    }
    if cost.train_seconds > 0.0 {
        let name = match cost.members {
            0 => "all training".to_owned(),
            members => format!("all training, summed over {}", counted(members, "network")),
        };
        add(name, duration(cost.train_seconds), None, 0);
    }
    if rows.is_empty() {
        return;
    }
    let keys = column("what", Left, &rows, |row| row.0.clone());
    let heads = ["overall", "median of networks", "lowest–highest", "n"];
    let of = |(index, head): (usize, &&str)| column(head, Right, &rows, |row| row.1[index].clone());
    let columns = heads.iter().enumerate().map(of).collect();
    page.open(prefix, "cost", "Cost");
    page.raw(&text_table(&table_of(keys, columns), "What the training cost", Sorting::Fixed, &[]));
    page.paragraph(
        "note",
        "Overall: all training images over all seconds, and means of times; every network counts \
         once, also where ensembles of several sizes use it. Seconds are summed over the networks: with \
         several workers less time passes. Memory is the computed size of weights, optimizer state and \
         buffers, without images and the rest of the process.",
    );
    page.close();
}
