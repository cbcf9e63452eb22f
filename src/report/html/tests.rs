use super::*;
use crate::report::{Format, Page, Subject, build, render as render_report};
use crate::results::fixture::{self, HandMade};

fn page(results: &crate::results::ExperimentResults) -> String {
    render_report(&[Subject::from(results)], Format::Html, Page::default())
}

#[test]
fn every_text_of_an_experiment_is_escaped() {
    let evil = "<script>alert('x')</script>\"&";
    let axes: [(&str, &[&str]); 2] =
        [("a.<b>", &[evil, "1"]), ("a.<i>", &["0", "\"><svg onload=x>"])];
    let cells: [HandMade<'_>; 4] = [
        (&[Some(evil), Some("0")], &[5, 6, 7]),
        (&[Some(evil), Some("\"><svg onload=x>")], &[4, 6, 7]),
        (&[Some("1"), Some("0")], &[3, 4, 4]),
        (&[Some("1"), Some("\"><svg onload=x>")], &[3, 3, 4]),
    ];
    let mut results = fixture::experiment(evil, &axes, &cells);
    results.facts.question = Some(evil.to_owned());
    results.facts.model = evil.to_owned();
    results.facts.origin.hardware = evil.to_owned();
    results.facts.origin.commit = Some(evil.to_owned());
    results.facts.datasets[0].name = evil.to_owned();
    let html = page(&results);
    assert_eq!(html.matches("<script>").count(), 1, "only the page's own");
    assert!(!html.contains("<svg onload") && !html.contains("alert('x')"));
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let html = page(&fixture::augment_grid());
    for forbidden in ["src=\"http", "href=\"http", "url(", "@import", "<link rel=\"stylesheet"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn tags_are_closed_in_the_order_they_were_opened() {
    let panels = fixture::large(40, 4);
    for results in
        [fixture::augment_grid(), panels, fixture::experiment("none", &[], &[(&[], &[])])]
    {
        assert_balanced(&page(&results));
    }
}

/// Walks over the tags; script and style hold none.
fn assert_balanced(html: &str) {
    const EMPTY: [&str; 5] = ["meta", "link", "img", "br", "!doctype"];
    let script = html.find("<script>").unwrap();
    let style_end = html.find("</style>").unwrap();
    let mut open: Vec<&str> = vec!["html", "head", "style"];
    for (offset, _) in html[..script].match_indices('<').filter(|(offset, _)| *offset >= style_end)
    {
        let tag = &html[offset + 1..offset + html[offset..].find('>').unwrap()];
        let name = tag.trim_start_matches('/').split([' ', '/', '>']).next().unwrap();
        if tag.ends_with('/') || EMPTY.contains(&name) {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(
                open.pop(),
                Some(name),
                "at {}",
                &html[offset..(offset + 80).min(html.len())]
            );
        } else {
            open.push(name);
        }
    }
    assert_eq!(open, ["html", "body"]);
}

#[test]
fn tables_have_captions_and_scopes_and_charts_have_words() {
    let html = page(&fixture::augment_grid());
    assert_eq!(html.matches("<table").count(), html.matches("<caption>").count());
    let heads = html.matches("<th ").count() + html.matches("<th>").count();
    assert_eq!(
        heads,
        html.matches("<th rowspan").count()
            + html.matches("<th colspan").count()
            + html.matches("<th scope").count()
    );
    let charts = html.matches("<svg ").count();
    assert!(charts >= 4, "{charts}");
    assert_eq!(html.matches("role=\"img\"").count(), charts);
    assert_eq!(html.matches("<desc ").count(), charts);
}

#[test]
fn ids_are_unique_over_several_experiments() {
    let results = [fixture::augment_grid(), fixture::large(9, 3)];
    let subjects: Vec<Subject<'_>> = results.iter().map(Subject::from).collect();
    let html = render(&build(&subjects));
    let mut ids: Vec<&str> = html
        .match_indices(" id=\"")
        .map(|(offset, _)| html[offset + 5..].split('"').next().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    for (offset, _) in html.match_indices("href=\"#") {
        let target = html[offset + 7..].split('"').next().unwrap();
        assert!(ids.contains(&target), "{target}");
    }
}

#[test]
fn a_grid_of_seven_by_three_stays_below_a_megabyte() {
    let rotations = ["0", "5", "10", "15", "20", "25", "30"];
    let shifts = ["0", "0.1", "0.2"];
    let values: Vec<[Option<&str>; 2]> = shifts
        .iter()
        .flat_map(|shift| rotations.iter().map(|rotation| [Some(*shift), Some(*rotation)]))
        .collect();
    let errors: Vec<Vec<u32>> = (0..21u32)
        .map(|cell| (0..30).map(|repeat| 5 + (cell * 3 + repeat * 7) % 11).collect())
        .collect();
    let made: Vec<HandMade<'_>> =
        values.iter().zip(&errors).map(|(values, errors)| (&values[..], &errors[..])).collect();
    let axes: [(&str, &[&str]); 2] = [("augment.shift", &shifts), ("augment.rotation", &rotations)];
    let html = page(&fixture::experiment("grid", &axes, &made));
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
}
