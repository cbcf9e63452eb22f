//! Every command over results whose every text was made to do harm: questions, class names, axis
//! values, reasons and what programs print. Nothing of it reaches a terminal, GitHub's runner or a
//! file that these show.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Answer, FAKE, Place};

/// Clears the screen, turns the line around, holds a NUL, rings the bell, and gives commands on lines
/// of its own; as the text of a TOML or JSON string.
const EVIL: &str = "x\\u001b[2J\\u202e\\u0000\\u0007\\u009b1m\\n::error title=t::evil\\n  ::add-mask::evil\\r##[evil]";
/// The same as bytes that a program prints or a folder is called, as far as a file system takes them.
const EVIL_BYTES: &str =
    "\u{1b}[2J\u{202e}\u{7}\u{9b}1m\n::error title=t::evil\n  ::add-mask::evil\r##[evil]";

/// Fails where a text does something to a terminal or to the runner; a style sheet and a form for
/// GitHub may begin lines with `::`.
fn assert_harmless(what: &str, text: &str, commands: bool) {
    let does_harm = |c: char| {
        c.is_control() && !"\n\t".contains(c)
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    if let Some(at) = text.find(does_harm) {
        let around: String = text[..at].chars().rev().take(60).collect();
        let around: String = around.chars().rev().collect();
        panic!("{what}: a raw control character after {around:?}");
    }
    let begins = |line: &&str| line.trim_start().starts_with("::");
    let command = text.lines().find(begins).filter(|_| !commands);
    assert_eq!(command, None, "{what}");
}

/// A place with three kinds of hostile results.
struct Hostile(Place);

impl Hostile {
    fn bench(&self, arguments: &[&str]) -> Answer {
        let mut command = self.0.command(arguments);
        command.env("GITHUB_STEP_SUMMARY", self.0.path("files/summary.md"));
        command.output().expect("bench starts").into()
    }

    /// Calls `bench`, which must end with one of `codes`, and looks at its streams.
    fn call(&self, arguments: &[&str], codes: &[i32]) -> Answer {
        let answer = self.bench(arguments);
        let what = arguments.join(" ");
        assert!(codes.contains(&answer.code), "{what}: exit {}\n{}", answer.code, answer.stderr);
        let for_github = arguments.windows(2).any(|pair| pair == ["--format", "github"]);
        assert_harmless(&what, &answer.stdout, for_github);
        assert_harmless(&what, &answer.stderr, false);
        // The runner looks for these anywhere in what is printed.
        assert!(!answer.stdout.contains("##[") && !answer.stderr.contains("##["), "{what}");
        answer
    }

    /// Looks at every file that a terminal or GitHub shows.
    fn look_at_files(&self) -> usize {
        let mut paths = Vec::new();
        gather(&self.0.path("files"), &mut paths);
        gather(&self.0.path("results"), &mut paths);
        for path in &paths {
            let bytes = fs::read(path).expect("a file");
            let Ok(text) = String::from_utf8(bytes) else {
                panic!("{} is no text", path.display())
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_page = [".html", ".svg"].iter().any(|ending| name.ends_with(ending));
            let commands = is_page || name.ends_with(".github");
            assert_harmless(&path.display().to_string(), &text, commands);
        }
        paths.len()
    }
}

/// Finds text files; journals are read by `bench` alone, and `attempts` holds what programs said.
fn gather(folder: &Path, paths: &mut Vec<PathBuf>) {
    const TEXTS: [&str; 10] =
        ["md", "json", "jsonl", "html", "svg", "csv", "tex", "xml", "list", "github"];
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !["journal", "attempts"].contains(&name.as_str()) {
            gather(&path, paths);
        } else if path.extension().is_some_and(|found| TEXTS.iter().any(|text| *text == found)) {
            paths.push(path);
        }
    }
}

/// Images in folders of hostile names, axis values that are hostile texts, and a program that prints
/// what is hostile.
fn hostile() -> Hostile {
    let place = Place::new();
    for (class, level) in [("a", 40_u8), (EVIL_BYTES, 120), ("c", 200)] {
        for image in 0..12_u8 {
            let mut bytes = b"P5 4 4 255\n".to_vec();
            bytes.extend((0..16).map(|pixel| level.wrapping_add(pixel * image)));
            let file = place.path("photos").join(class).join(format!("{image}.pgm"));
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, bytes).expect("a file");
        }
    }
    place.file(
        "photos.toml",
        format!(
            "name = \"photos\"\nquestion = \"{EVIL}\"\nrepeats = 2\nsave-weights = true\n\
             [dataset]\nsource = \"folder\"\npath = \"photos\"\nskip-bad = true\n\
             split = {{ test = 0.3 }}\n\
             [model]\npreset = \"logistic\"\n[train]\nepochs = 2\nbatch-size = 4\n\
             [[grid]]\n[grid.axes]\n\"ensemble.size\" = [1, 2]\n[check]\ntolerance = 50.0\n\
             [report]\nconfusion = true\ngallery = 4\n"
        ),
    );
    place.file(
        "words.toml",
        FAKE.replace("name = \"fake\"", "name = \"words\"")
            .replace("Does the harness work?", EVIL)
            .replace(
                "\"augment.shift\" = [0.0, 0.1]",
                &format!("\"hyperparameters.w\" = [\"{EVIL}\", \"b\"]"),
            )
            .replace("[trainer]", &format!("[hyperparameters]\nw = \"{EVIL}\"\n[trainer]"))
            .replace("augment.shift", "hyperparameters.w")
            + "\n[check]\ntolerance = 0.001\n",
    );
    place.file(
        "own.sh",
        format!(
            "printf '%s\\n' '{EVIL_BYTES}' 'evil-{EVIL_BYTES}=3' '{{\"evil\": 2, \"{EVIL}\": 1}}'\n\
             echo \"test-accuracy: 0.$2\"\n\
             if [ $1 = 1 ]; then printf '%s\\n' '{EVIL_BYTES}' >&2; exit 3; fi\n"
        ),
    );
    place.file(
        "own.toml",
        format!(
            "name = \"own\"\nquestion = \"{EVIL}\"\nrepeats = 2\n\
             [trainer]\nengine = \"command\"\n\
             command = [\"sh\", \"own.sh\", \"{{repeat}}\", \"{{hyperparameters.x}}\"]\n\
             [hyperparameters]\nx = 5\n\
             [metrics.test-accuracy]\nunit = \"fraction\"\ndirection = \"maximize\"\n\
             [[grid]]\n[grid.axes]\n\"hyperparameters.x\" = [5, 7]\n[check]\ntolerance = 0.5\n"
        ),
    );
    Hostile(place)
}

/// Looks at results in every way there is.
fn look_at(place: &Hostile, name: &str) {
    let folder = &format!("results/{name}");
    let file = |ending: &str| format!("files/{name}/{ending}");
    place.call(&["plan", &format!("{name}.toml")], &[0]);
    place.call(&["plan", &format!("{name}.toml"), "--json"], &[0]);
    place.call(&["run", &format!("{name}.toml"), "--json"], &[0, 3]);
    place.call(&["status", folder], &[0]);
    place.call(&["status", folder, "--json"], &[0, 2]);
    place.call(&["list"], &[0]);
    place.call(&["list", "results", "--json"], &[0]);
    place.call(&["show", folder], &[0]);
    place.call(&["diff", &format!("{name}.toml"), folder], &[0]);
    place.call(&["diff", folder, folder], &[0]);
    for format in ["terminal", "markdown", "html", "csv", "json", "latex"] {
        place.call(&["report", folder, "--format", format], &[0]);
        let output = file(&format!("report-{format}.{}", ending(format)));
        place.call(&["report", folder, "--format", format, "--output", &output], &[0]);
    }
    for format in ["terminal", "markdown", "json"] {
        place.call(&["compare", folder, folder, "--format", format], &[0]);
        let output = file(&format!("compare-{format}.{}", ending(format)));
        place.call(&["compare", folder, folder, "--format", format, "--output", &output], &[0]);
    }
    place.call(&["tensorboard", folder, "--output", &file("logs")], &[0]);
    place.call(&["clean", folder], &[0]);
    place.call(&["migrate", folder], &[0]);
}

/// Holds results against a baseline of themselves in every form.
fn gate(place: &Hostile, name: &str) {
    let folder = &format!("results/{name}");
    let file = |ending: &str| format!("files/{name}/{ending}");
    let baseline = &file("baseline.json");
    place.call(&["baseline", folder, "--output", baseline], &[0]);
    let check = ["check", folder, "--baseline", baseline];
    for form in
        ["terminal", "json", "markdown", "junit", "github", "bmf", "github-action-benchmark"]
    {
        place.call(&[&check[..], &["--format", form]].concat(), &[0, 4, 5]);
        let also = format!("{form}={}", file(&format!("check-{form}.{}", ending(form))));
        let history = file("history.jsonl");
        let call = ["--also", &also, "--summary", "--history", &history];
        place.call(&[&check[..], &call].concat(), &[0, 4, 5]);
    }
    for format in ["terminal", "svg", "html", "json"] {
        let history = file("history.jsonl");
        place.call(&["history", &history, "--format", format], &[0]);
        let output = file(&format!("history-{format}.{}", ending(format)));
        place.call(&["history", &history, "--format", format, "--output", &output], &[0]);
    }
    let fresh = format!("results/{name}-fresh");
    place.call(&["confirm", folder, "--top", "1", "--repeats", "2", "--out", &fresh], &[0]);
    place.call(&["report", &fresh], &[0]);
}

fn ending(format: &str) -> &str {
    match format {
        "markdown" => "md",
        "latex" => "tex",
        "junit" => "xml",
        "terminal" => "list",
        "bmf" | "github-action-benchmark" => "json",
        other => other,
    }
}

#[test]
fn images_in_folders_of_hostile_names_do_no_harm() {
    let place = hostile();
    place.call(&["run", "photos.toml"], &[0]);
    look_at(&place, "photos");
    gate(&place, "photos");
    place.call(&["data", "info", "photos.toml"], &[0]);
    place.call(&["data", "info", "photos.toml", "--json"], &[0]);
    place.call(&["data", "preview", "photos.toml", "--output", "files/sheet.png"], &[0]);
    let convert = ["data", "convert", "photos.toml", "--output"];
    let refused =
        place.call(&[&convert[..], &["files/folders", "--form", "folder"]].concat(), &[2]);
    assert!(refused.stderr.contains("not to be seen"), "{}", refused.stderr);
    place.call(&[&convert[..], &["tables", "--form", "kaggle"]].concat(), &[0]);
    let cell = ["--cell", "ensemble.size=1"];
    place.call(
        &[&["export", "results/photos"][..], &cell, &["--output", "files/net"]].concat(),
        &[0],
    );
    for model in ["files/net", "results/photos"] {
        let call = ["predict", model, "photos"];
        let chosen = if model == "files/net" { &[][..] } else { &cell[..] };
        place.call(&[&call[..], chosen].concat(), &[0]);
        place.call(&[&call[..], chosen, &["--output", "said.csv"]].concat(), &[0]);
    }
    assert!(place.look_at_files() > 40);
    let list = place.0.read("results/photos/labels.list");
    let names: Vec<String> = serde_json::from_str(&list).expect("JSON");
    assert!(names.iter().any(|name| name == EVIL_BYTES), "the name is kept: {names:?}");
}

#[test]
fn hostile_axis_values_do_no_harm_and_stay_what_they_are() {
    let place = hostile();
    place.call(&["run", "words.toml"], &[0]);
    look_at(&place, "words");
    gate(&place, "words");
    assert!(place.look_at_files() > 40);
    // From tables alone the same report is made: the value was read back.
    let cells = || {
        let answer = place.bench(&["report", "results/words", "--format", "json"]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        let document: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
        document["experiments"][0]["cells"].clone()
    };
    let before = cells();
    fs::remove_dir_all(place.0.path("results/words/journal")).expect("a folder");
    assert_eq!(cells(), before);
}

#[cfg(unix)]
#[test]
fn programs_that_print_what_is_hostile_do_no_harm() {
    let place = hostile();
    let answer = place.call(&["run", "own.toml"], &[3]);
    assert!(answer.stderr.contains("2 of 4 trials failed"), "{}", answer.stderr);
    look_at(&place, "own");
    assert!(place.look_at_files() > 10);
}
