//! The verdict the way a person reads it: worst cells first.

use super::Context;
use super::sentences::{headline, lines, meaning, method, self_test, way_out};
use crate::base::text::counted;
use crate::check::verdict::CheckReport;

pub(super) fn render(report: &CheckReport, context: Context<'_>) -> String {
    let (drift, control): (Vec<_>, Vec<_>) = report.control.iter().partition(|one| one.is_drift());
    let mut out: Vec<String> = drift.into_iter().map(ToString::to_string).collect();
    out.push(headline(report));
    let with_speed = report.speed.is_some() || report.claim.is_some();
    for line in lines(report) {
        let gate = if with_speed { format!("{} of ", line.gate) } else { String::new() };
        out.push(format!("  {:<12}  {gate}{}", line.verdict.name(), line.subject()));
        for part in [line.found(), line.basis()] {
            out.push(format!("{:16}{part}", ""));
        }
    }
    out.extend(control.into_iter().map(|control| format!("  {control}")));
    for name in &report.new_cells {
        out.push(format!("  new, not gated: `{name}`"));
    }
    if !report.ungated_cells.is_empty() {
        let left = counted(report.ungated_cells.len(), "cell");
        out.push(format!("  left out by `check.cells`: {left}"));
    }
    for warning in &report.warnings {
        out.push(format!("  warning: {warning}"));
    }
    out.push(format!("  {}", method(report, context.baseline)));
    out.push(format!("  {}", meaning(report)));
    out.extend(self_test(report).into_iter().map(|line| format!("  {line}")));
    if let Some(hint) = way_out(report, context.folder, context.baseline) {
        out.push(format!("  hint: {hint}"));
    }
    out.join("\n") + "\n"
}
