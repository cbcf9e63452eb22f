//! `JUnit` XML, as CI systems read it: one suite, one test case a gated cell.
//!
//! Follows the schema of Jenkins' xUnit plug-in (`junit-10.xsd`). A regression is a failure; an
//! inconclusive cell is an error, since it is no pass and the exit code says so too.

use super::Context;
use super::sentences::{headline, lines, meaning, method, way_out};
use crate::base::text::markup as escaped;
use crate::check::verdict::{CheckReport, Verdict};

pub(super) fn render(report: &CheckReport, context: Context<'_>) -> String {
    let lines = lines(report);
    let count = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\"",
        lines.len(),
        count(Verdict::Regressed),
        count(Verdict::Inconclusive)
    );
    let name = escaped(&report.candidate.experiment);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"bench check\" {counts} \
         time=\"0\">\n  <testsuite name=\"{name}\" {counts} skipped=\"0\" time=\"0\" \
         timestamp=\"{}\">\n    <properties>\n",
        // The schema's dates have no zone; ours are in UTC.
        escaped(report.candidate.origin.date.trim_end_matches('Z')),
    );
    let candidate = &report.candidate;
    for (key, value) in [
        ("verdict", report.verdict.name().to_owned()),
        ("metric", report.metric.name.to_string()),
        ("tolerance", report.tolerance.to_string()),
        ("alpha", report.alpha.to_string()),
        ("looks", format!("{} of {}", report.looks_taken, report.looks_planned)),
        ("baseline", context.baseline.to_owned()),
        ("baseline-date", report.baseline.origin.date.clone()),
        ("commit", candidate.origin.commit_to_look_for().unwrap_or_default().to_owned()),
        ("hardware", candidate.origin.hardware.clone()),
        ("engine", candidate.origin.engine.clone()),
    ] {
        out.extend([format!("      <property name=\"{key}\" value=\"{}\"/>\n", escaped(&value))]);
    }
    out += "    </properties>\n";
    for line in &lines {
        let case = format!(
            "    <testcase classname=\"{name}.{}\" name=\"{}\" time=\"0\"",
            escaped(&line.gate),
            escaped(line.cell),
        );
        let sentence = escaped(&line.sentence());
        let element = match line.verdict {
            Verdict::Ok => {
                out.extend([format!(
                    "{case}>\n      <system-out>{sentence}</system-out>\n    </testcase>\n"
                )]);
                continue;
            }
            Verdict::Regressed => "failure",
            Verdict::Inconclusive => "error",
        };
        out.extend([format!(
            "{case}>\n      <{element} type=\"{}\" message=\"{sentence}\">{sentence}</{element}>\n    \
             </testcase>\n",
            line.verdict.name(),
        )]);
    }
    let mut said: Vec<String> = report.control.iter().map(ToString::to_string).collect();
    said.extend([headline(report), method(report, context.baseline), meaning(report)]);
    said.extend(report.warnings.iter().map(|warning| format!("warning: {warning}")));
    said.extend(
        way_out(report, context.folder, context.baseline).map(|hint| format!("hint: {hint}")),
    );
    out.extend([format!(
        "    <system-out>{}</system-out>\n  </testsuite>\n</testsuites>\n",
        escaped(&said.join("\n"))
    )]);
    out
}
