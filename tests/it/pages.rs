//! Reports as pages: HTML in a real browser, LaTeX, charts and images beside Markdown.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{FAKE, Place};

/// Two settings of a network that learns for a moment, so that it errs.
const HASTY: &str = r#"
name = "hasty"
question = "What does a hasty network take for what?"
repeats = 3

[dataset]
source = "digits"

[model]
preset = "small-cnn"

[train]
epochs = 2

[ensemble]
size = 2

[[grid]]
[grid.axes]
"train.learning-rate" = [1e-3, 2e-4]

[report]
confusion = true
gallery = 6
gallery-of = ["8→1", "9→3"]
"#;

fn hasty() -> Place {
    let place = Place::new();
    place.file("hasty.toml", HASTY);
    place.done(&["run", "hasty.toml", "--quiet"]);
    place
}

fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

#[test]
fn confusions_and_wrong_images_stand_in_every_report_that_can_show_them() {
    let place = hasty();
    let markdown = place.read("results/hasty/report.md");
    for part in ["## Confusions", "## Misclassified images", "## 8 taken for 1", "## Ensembles"] {
        assert!(markdown.contains(part), "{part}\n{markdown}");
    }
    let links: Vec<&str> =
        markdown.split("](charts/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() >= 10, "{links:?}");
    for link in links {
        let bytes = fs::read(place.path("results/hasty/charts").join(link)).expect(link);
        let is_chart = bytes.starts_with(b"<svg ");
        assert!(is_chart || is_png(&bytes), "{link}");
    }

    let html = place.done(&["report", "results/hasty", "--format", "html"]);
    assert!(html.matches("src=\"data:image/png;base64,").count() >= 6);
    assert!(html.contains("<h2 id=\"e0-confusion\">Confusions</h2>"));

    let json = place.done(&["report", "results/hasty", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let predicted = &json["experiments"][0]["predicted"];
    let counts = predicted["confusion"]["counts"].as_array().expect("a matrix");
    let images: u64 = counts
        .iter()
        .flat_map(|row| row.as_array().expect("a row"))
        .map(|count| count.as_u64().expect("a count"))
        .sum();
    let test_images = json["experiments"][0]["datasets"][0]["splits"][2].as_u64().expect("a count");
    assert_eq!(images, 3 * test_images);
    let points = predicted["ensembles"][0]["points"].as_array().expect("points");
    assert_eq!(points.len(), 6);

    let terminal = place.done(&["report", "results/hasty"]);
    assert!(!terminal.contains("Confusion"), "the terminal stays short");
}

#[test]
fn a_markdown_file_brings_its_charts_and_standard_output_stays_text() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    let text = place.done(&["report", "results", "--format", "markdown"]);
    assert!(!text.contains("!["), "{text}");
    let arguments = ["report", "results", "--format", "markdown", "--output", "pages/all.md"];
    place.done(&arguments);
    assert!(place.read("pages/all.md").contains("](charts/intervals.svg)"));
    assert!(place.read("pages/charts/intervals.svg").contains("<title"));
}

#[test]
fn latex_tables_go_to_standard_output() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    let text = place.done(&["report", "results/fake", "--format", "latex"]);
    assert!(text.contains("\\begin{tabular}{lccc}") && text.contains("\\bottomrule"), "{text}");
}

#[test]
fn a_page_of_committed_results_does_without_predictions() {
    let place = hasty();
    fs::remove_dir_all(place.path("results/hasty/journal")).expect("a journal");
    fs::remove_dir_all(place.path("results/hasty/predictions")).expect("predictions");
    let html = place.done(&["report", "results/hasty", "--format", "html"]);
    assert!(html.contains("Cells compared") && !html.contains("Confusions</h2>"));
}

#[test]
fn a_report_reads_fresh_tables_and_stale_ones_give_way_to_the_journal() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    let report = || place.done(&["report", "results/fake"]);
    let from_tables = report();
    let name = place.journal("results/fake");
    let journal = fs::read(place.path(&name)).expect("a journal");

    // Before its end a journal is not read: its content could be anything.
    let mut unread = vec![b'x'; journal.len() - 64];
    unread.extend_from_slice(&journal[journal.len() - 64..]);
    place.file(&name, unread);
    assert_eq!(report(), from_tables);

    // Another end, or another line, and it is. A torn line says nothing.
    place.file(&name, [&journal[..], b"{\"member"].concat());
    place.file("results/fake/tables/trials.parquet", "stale");
    assert_eq!(report(), from_tables);
    let mut damaged = journal.clone();
    damaged[journal.len() - 10] ^= 1;
    place.file(&name, damaged);
    assert_eq!(place.bench(&["report", "results/fake"]).code, 2);
    place.file(&name, [&journal[..], b"{}\n"].concat());
    assert_eq!(place.bench(&["report", "results/fake"]).code, 2);
}

/// Returns the browser of this machine, if it has one.
fn browser() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.is_file())
}

#[test]
fn a_real_browser_shows_the_page_without_a_complaint() {
    let Some(browser) = browser() else {
        println!("skipped: no chromium on PATH");
        return;
    };
    let place = hasty();
    place.done(&["report", "results/hasty", "--format", "html", "--output", "page.html"]);
    for width in [1280, 400] {
        let output = Command::new(&browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--enable-logging=stderr", "--dump-dom"])
            .arg(format!("--user-data-dir={}", place.path("profile").display()))
            .arg(format!("--window-size={width},2000"))
            .arg(format!("file://{}", place.path("page.html").display()))
            .output()
            .expect("the browser starts");
        let complaints = String::from_utf8_lossy(&output.stderr);
        let of_page: Vec<&str> =
            complaints.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(of_page.is_empty(), "{of_page:?}");
        let page = String::from_utf8_lossy(&output.stdout);
        assert!(page.contains("<div id=\"tip\""), "the script ran to its end");
        assert!(page.matches("<button type=\"button\">").count() > 20);
    }
}
