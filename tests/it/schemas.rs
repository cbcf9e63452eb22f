//! Holds every JSON document that `bench` writes against its schema in `docs/schemas/`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{FAKE, Place, root};

/// Returns the schema of a format.
fn schema(format: &str) -> Value {
    let name = format.strip_prefix("gridbench-").expect("a name of ours");
    let path = root().join("docs/schemas").join(name).with_extension("json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("a schema is JSON")
}

/// The part of JSON Schema that our schemas use; a key no schema names is a problem here, since
/// readers cannot know it.
struct Check<'s> {
    root: &'s Value,
    problems: Vec<String>,
}

impl Check<'_> {
    fn value(&mut self, schema: &Value, value: &Value, path: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.strip_prefix("#/$defs/").expect("a definition of the schema");
            let definition = self.root["$defs"][name].clone();
            assert!(definition.is_object(), "{reference}");
            return self.value(&definition, value, path);
        }
        if let Some(options) = schema["anyOf"].as_array() {
            let fits = |option: &Value| {
                let mut check = Check { root: self.root, problems: Vec::new() };
                check.value(option, value, path);
                check.problems.is_empty()
            };
            if !options.iter().any(fits) {
                self.problems.push(format!("{path}: {value} fits no option"));
            }
            return;
        }
        if !schema["const"].is_null() && schema["const"] != *value {
            self.problems.push(format!("{path}: {value} is not {}", schema["const"]));
        }
        if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
            self.problems.push(format!("{path}: {value} is none of {}", schema["enum"]));
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        if !types.is_empty() && !types.iter().any(|kind| is_of(kind, value)) {
            self.problems.push(format!("{path}: {value} is no {}", schema["type"]));
        }
        match value {
            Value::Object(entries) => self.object(schema, entries, path),
            Value::Array(items) if schema["items"].is_object() => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&schema["items"], item, &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, schema: &Value, entries: &serde_json::Map<String, Value>, path: &str) {
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !entries.contains_key(key) {
                self.problems.push(format!("{path}: `{key}` is missing"));
            }
        }
        for (key, value) in entries {
            let below = format!("{path}.{key}");
            let known = &schema["properties"][key];
            match (&schema["additionalProperties"], known.is_object()) {
                (_, true) => self.value(known, value, &below),
                (Value::Bool(true), false) => {}
                (others @ Value::Object(_), false) => self.value(others, value, &below),
                _ => self.problems.push(format!("{below} is in no schema")),
            }
        }
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => panic!("unknown type {other:?}"),
    }
}

/// Refuses keys that are not kebab-case, names of settings and of files aside.
fn dialect(value: &Value, path: &str, problems: &mut Vec<String>) {
    const DATA: [&str; 3] = ["assignment", "datasets", "settings"];
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let is_kebab =
                    key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
                if !is_kebab {
                    problems.push(format!("{path}.{key}"));
                }
                if !DATA.contains(&key.as_str()) {
                    dialect(value, &format!("{path}.{key}"), problems);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| dialect(item, path, problems)),
        _ => {}
    }
}

/// Holds a document against the schema of the format it names, and returns that format.
#[track_caller]
fn hold(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let keys: Vec<&String> = value.as_object().expect("an object").keys().take(2).collect();
    assert_eq!(keys, ["format", "version"], "{text}");
    let format = value["format"].as_str().expect("a name").to_owned();
    let schema = schema(&format);
    let mut check = Check { root: &schema, problems: Vec::new() };
    check.value(&schema, &value, &format);
    dialect(&value, &format, &mut check.problems);
    assert!(check.problems.is_empty(), "{}", check.problems.join("\n"));
    format
}

#[test]
fn every_document_fits_the_schema_it_names() {
    let place = Place::new();
    let gate = "\n[check]\ntolerance = 5.0\nimages-per-second = 0.9\n";
    let accidents = "accidents = [{ kind = \"diverge\", epoch = 1, repeat = 1, when = { \"augment.rotation\" = 10 } }]";
    let text = FAKE.replace("spread = 0.004", &format!("spread = 0.004\n{accidents}"));
    place.file("fake.toml", text.replace("repeats = 3", "repeats = 6") + gate);
    place.file(
        "digits.toml",
        "name = \"digits\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"small-cnn\"\n",
    );
    let events = place.bench(&["run", "fake.toml", "--json"]).stdout;
    let mut held = BTreeMap::new();
    let mut add = |text: &str| *held.entry(hold(text)).or_insert(0) += 1;
    add(events.lines().next().expect("a first event"));
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    add(&place.read("baseline.json"));
    let both = [
        "compare",
        "results/fake",
        "--cell-a",
        "rotation=0,shift=0",
        "--cell-b",
        "rotation=20,shift=0",
    ];
    let many = ["compare", "results/fake", "--cell-a", "rotation=0", "--cell-b", "rotation=20"];
    for arguments in [
        &["report", "results/fake", "--format", "json"][..],
        &["check", "results/fake", "--baseline", "baseline.json", "--json"],
        &[&both[..], &["--format", "json"]].concat(),
        &[&many[..], &["--format", "json"]].concat(),
        &["confirm", "results/fake", "--format", "json", "--quiet"],
        &["plan", "fake.toml", "--difference", "0.5", "--json"],
        &["plan", "digits.toml", "--model", "--json"],
        &["status", "results/fake", "--json"],
        &["list", "--json"],
        &["show", "results/fake", "--json"],
        &["diff", "results/fake", "digits.toml", "--json"],
        &["data", "list", "--json"],
        &["data", "info", "digits", "--json"],
    ] {
        let answer = place.bench(arguments);
        assert!([0, 5].contains(&answer.code), "{arguments:?}: {}", answer.stderr);
        add(&answer.stdout);
    }
    let duel = ["duel", "echo loss=0.{seed}", "echo loss=1", "--metric", "loss", "--minimize"];
    let answer = place.bench(&[&duel[..], &["--max-trials", "5", "--json", "--quiet"]].concat());
    assert!([0, 5].contains(&answer.code), "{}", answer.stderr);
    add(&answer.stdout);
    place.file("own.toml", crate::programs::OWN.replace("./train.sh", "echo"));
    place.file(
        "own.toml",
        place.read("own.toml").replace("\"echo\", ", "\"echo\", \"test-accuracy=0.5 latency=1\", "),
    );
    add(&place.done(&["doctor", "own.toml", "--json"]));
    place.file("few.toml", FAKE.replace("[0, 10, 20]", "[0]") + gate);
    place.done(&["run", "few.toml", "--out", "few", "--quiet"]);
    add(&place.bench(&["check", "few", "--baseline", "baseline.json", "--json"]).stdout);
    // One more is of the experiments that people write, and one of what programs are told.
    let schemas = std::fs::read_dir(root().join("docs/schemas")).expect("schemas").count() - 2;
    assert_eq!(held.len(), schemas, "{held:?}");
}

#[test]
fn every_committed_report_fits_its_schema() {
    let place = Place::new();
    for folder in std::fs::read_dir(root().join("results")).expect("results") {
        let path = folder.expect("an entry").path();
        if path.join("manifest.json").is_file() {
            let path = path.display().to_string();
            hold(&place.done(&["report", &path, "--format", "json"]));
        }
    }
}

#[cfg(unix)]
#[test]
fn what_a_program_is_told_fits_its_schema() {
    let place = crate::programs::own();
    let text = "#!/bin/sh\ncp \"$BENCH_TRIAL\" \"trial-$3.json\"\nexit 1\n";
    crate::programs::script(&place, "train.sh", text);
    place.bench(&["run", "own.toml", "--quiet"]);
    assert_eq!(hold(&place.read("trial-0.json")), "gridbench-trial");
}

#[cfg(unix)]
#[test]
fn reports_say_folds_and_adopted_programs_and_baselines_of_folds_fit_their_schema() {
    let place = crate::programs::own();
    place.file("own.toml", crate::programs::OWN.replace("repeats = 3", "folds = 3"));
    let set = ["--quiet", "--set", "trainer.inputs=\"train.sh\""];
    let script = |more: &str| {
        let answer = "echo \"test-accuracy: 0.9$1$3\"\necho latency=$3\n";
        crate::programs::script(&place, "train.sh", &format!("#!/bin/sh\n{more}{answer}"));
    };
    script("");
    place.done(&[&["run", "own.toml"], &set[..]].concat());
    script("# A comment.\n");
    place.done(&["adopt", "own.toml", "--apply", "--set", set[2]]);
    place.done(&[&["run", "own.toml"], &set[..]].concat());
    let report = place.done(&["report", "results/own", "--format", "json"]);
    assert!(report.contains("\"adopted\"") && report.contains("\"folds\": 3"), "{report}");
    place.done(&["baseline", "results/own", "--output", "good.json"]);
    hold(&place.read("good.json"));
}
