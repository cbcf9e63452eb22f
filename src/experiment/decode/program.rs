//! `[trainer]` of a program, and `[metrics]`.

use std::collections::BTreeMap;

use crate::base::{Direction, Metric, MetricName, Range, Split, Unit};
use crate::experiment::keys;
use crate::experiment::problem::one_of;
use crate::experiment::program::{
    CommandLine, CommandSettings, DEFAULT_GRACE, Mode, Placeholder, ReadFrom, Reading, Resources,
    bytes_of, check_template, fill, seconds_of,
};
use crate::experiment::reader::{COUNT, Findings, NUMBER, Section, WHOLE, number};
use crate::experiment::settings::{Settings, Source, TrainerSettings};
use crate::experiment::tree::{Data, Node, Origin};

/// Keys of `[trainer]` that only programs have.
pub(super) const KEYS: [&str; 10] = [
    "command",
    "inputs",
    "version",
    "environment",
    "time-limit",
    "grace",
    "mode",
    "restart-after",
    "allow-order-effects",
    "resources",
];
pub(super) const MODES: [(&str, Mode); 2] =
    [("once", Mode::Once), ("persistent", Mode::Persistent)];

const A_COMMAND: &str =
    "the program and its arguments as a list of texts, or one text for the shell";
const A_DURATION: &str = "seconds, or a text such as \"90s\", \"20m\" or \"2h\"";

/// Reads the keys of a program under `[trainer]`.
pub(super) fn command(section: &Section<'_>, findings: &mut Findings) -> CommandSettings {
    let command = if let Some(node) = section.get("command") {
        command_line(&section.name("command"), node, findings)
    } else {
        findings.advise(
            section.origin(),
            format!("`trainer.command` is missing, expected {A_COMMAND}"),
            "add a line such as `command = [\"python3\", \"train.py\", \"--seed\", \"{seed}\"]`"
                .to_owned(),
        );
        None
    };
    CommandSettings {
        command: command.unwrap_or_else(|| CommandLine::Arguments(Vec::new())),
        inputs: inputs(section, findings),
        version: section
            .get("version")
            .and_then(|node| command_line(&section.name("version"), node, findings)),
        environment: environment(section, findings),
        time_limit: duration(section, "time-limit", findings),
        grace: duration(section, "grace", findings).unwrap_or(DEFAULT_GRACE),
        mode: section.choice("mode", &MODES, findings).unwrap_or_default(),
        restart_after: section.whole("restart-after", COUNT, findings),
        allow_order_effects: section.flag("allow-order-effects", false, findings),
        resources: resources(section, findings),
    }
}

/// Reads what one program needs of the machine.
fn resources(section: &Section<'_>, findings: &mut Findings) -> Option<Resources> {
    const VARIABLE: &str = "CUDA_VISIBLE_DEVICES";
    let node = section.get("resources")?;
    let name = section.name("resources");
    let inside = Section::open(Some(node), name, keys::below("trainer.resources"), findings);
    let memory = inside.get("memory").and_then(|node| {
        let bytes = node.text().and_then(bytes_of);
        if bytes.is_none() {
            findings.wrong(&inside.name("memory"), node, "text such as \"2 GiB\" or \"500 MB\"");
        }
        bytes
    });
    let gpus: Option<u32> = inside.whole("gpus", WHOLE, findings);
    let variables = section.get("environment").and_then(Node::entries).unwrap_or_default();
    if let (Some(_), Some(entry)) = (gpus, variables.iter().find(|entry| &*entry.key == VARIABLE)) {
        findings.advise(
            entry.origin,
            format!("`trainer.resources.gpus` hands out GPUs by `{VARIABLE}`, which `trainer.environment` sets"),
            "remove one of the two".to_owned(),
        );
    }
    Some(Resources { cores: inside.whole("cores", COUNT, findings).unwrap_or(1), gpus, memory })
}

/// Reads a call of a program.
fn command_line(name: &str, node: &Node, findings: &mut Findings) -> Option<CommandLine> {
    let line = match &node.data {
        Data::Text(text) if !text.trim().is_empty() => Some(CommandLine::Shell(text.to_string())),
        Data::List(nodes) => nodes
            .iter()
            .map(|node| node.text().map(str::to_owned))
            .collect::<Option<Vec<String>>>()
            .filter(|texts| texts.first().is_some_and(|program| !program.is_empty()))
            .map(CommandLine::Arguments),
        _ => None,
    };
    let line = line.filter(|line| line.texts().all(|text| !text.contains('\0')));
    if line.is_none() {
        findings.wrong(name, node, A_COMMAND);
    }
    line
}

/// Reads patterns of files.
fn inputs(section: &Section<'_>, findings: &mut Findings) -> Vec<String> {
    let Some(node) = section.get("inputs") else { return Vec::new() };
    let name = section.name("inputs");
    let nodes = match &node.data {
        Data::List(nodes) => nodes.as_slice(),
        Data::Text(_) => std::slice::from_ref(node),
        _ => {
            findings.wrong(&name, node, "a list of files and patterns, such as [\"src/**/*.py\"]");
            &[]
        }
    };
    let mut patterns = Vec::new();
    for node in nodes {
        match node.text().filter(|text| !text.is_empty()) {
            Some(text) => patterns.push(text.to_owned()),
            None => findings.wrong(&name, node, "a file or a pattern such as \"src/**/*.py\""),
        }
    }
    patterns
}

fn environment(section: &Section<'_>, findings: &mut Findings) -> BTreeMap<String, String> {
    let name = section.name("environment");
    let entries = match section.get("environment") {
        None => return BTreeMap::new(),
        Some(Node { data: Data::Table(entries), .. }) => entries,
        Some(node) => {
            findings.wrong(&name, node, "a table of texts");
            return BTreeMap::new();
        }
    };
    let mut variables = BTreeMap::new();
    for entry in entries {
        let key = &*entry.key;
        let is_name = !key.is_empty() && !key.contains(['=', '\0']) && !key.starts_with("BENCH_");
        if !is_name {
            findings.say(
                entry.origin,
                format!("`{key}` under `{name}` cannot be set: variables with `BENCH_` are those of bench"),
            );
        }
        match &entry.node.data {
            Data::Text(text) if !text.contains('\0') => {
                variables.insert(key.to_owned(), text.to_string());
            }
            Data::Integer(value) => {
                variables.insert(key.to_owned(), value.to_string());
            }
            _ => findings.wrong(&format!("{name}.{key}"), &entry.node, "text in quotes"),
        }
    }
    variables
}

/// Reads a time: a number of seconds, or a text with a unit.
fn duration(section: &Section<'_>, key: &str, findings: &mut Findings) -> Option<f64> {
    let node = section.get(key)?;
    let seconds = node.number().or_else(|| node.text().and_then(seconds_of));
    let seconds = seconds.filter(|seconds| *seconds > 0.0 && *seconds < 1e9);
    if seconds.is_none() {
        findings.wrong(&section.name(key), node, A_DURATION);
    }
    seconds
}

/// What is measured, as `[metrics]` declares it.
#[derive(Default)]
pub(in crate::experiment) struct Declared {
    pub(in crate::experiment) metrics: Vec<Metric>,
    pub(in crate::experiment) readings: Vec<Reading>,
}

/// Keys of one metric.
pub(in crate::experiment) const METRIC_KEYS: [&str; 6] =
    ["unit", "direction", "range", "pattern", "json", "csv"];
const DIRECTIONS: [(&str, Direction); 2] =
    [("maximize", Direction::Maximize), ("minimize", Direction::Minimize)];

/// Reads `[metrics]` where the trainer is a program; the time it took is always measured.
pub(in crate::experiment) fn metrics(
    node: Option<&Node>,
    base: &Settings,
    is_measured: bool,
    findings: &mut Findings,
) -> Declared {
    let trainer = &base.trainer;
    if !trainer.is_command() {
        if let Some(node) = node {
            findings.advise(
                node.origin,
                format!("`metrics` are not read by engine `{}`, which has its own", trainer.name()),
                "set `trainer.engine` to \"command\", or remove `[metrics]`".to_owned(),
            );
        }
        return Declared { metrics: trainer.metrics(), readings: Vec::new() };
    }
    let mut declared = Declared::default();
    let entries = match node.map(|node| (&node.data, node)) {
        Some((Data::Table(entries), _)) => entries.as_slice(),
        Some((_, node)) => {
            findings.wrong("metrics", node, "a table of metrics");
            &[]
        }
        None => &[],
    };
    for entry in entries {
        match entry.key.parse::<MetricName>() {
            Ok(name) => metric(&name, &entry.node, &mut declared, findings),
            Err(error) => findings.say(entry.origin, error.to_string()),
        }
    }
    if base.dataset.source != Source::None {
        // Of images that are known, accuracies are counts.
        let counted = [MetricName::TEST_ACCURACY, MetricName::VALIDATION_ACCURACY];
        for metric in &mut declared.metrics {
            metric.counts_images = metric.unit == Unit::FRACTION && counted.contains(&metric.name);
        }
    }
    let is_persistent = matches!(
        trainer,
        TrainerSettings::Command(command) if command.mode == Mode::Persistent
    );
    let pattern = declared.readings.iter().find(|one| matches!(one.from, ReadFrom::Pattern(_)));
    if let (true, Some(reading)) = (is_persistent, pattern) {
        findings.advise(
            node.map(|node| node.origin),
            format!("`pattern` of `{}` looks at standard output, which a persistent program does not answer on", reading.metric),
            "let it write the number to the file named by `BENCH_RESULTS`".to_owned(),
        );
    }
    if entries.is_empty() && !is_measured {
        findings.advise(
            node.map(|node| node.origin),
            "`[metrics]` is missing, which says what the program measures".to_owned(),
            "add `[metrics.test-accuracy]` with `unit = \"fraction\"` and `direction = \"maximize\"`"
                .to_owned(),
        );
    }
    if is_measured {
        for metric in Metric::of_processes() {
            if declared.metrics.iter().any(|one| one.name == metric.name) {
                let origin = node.map(|node| node.origin);
                let name = &metric.name;
                findings.say(
                    origin,
                    format!("`metrics.{name}` is measured by `[measure]`, and cannot be declared"),
                );
            } else {
                declared.metrics.push(metric);
            }
        }
    }
    let time = Metric::of_classifiers().into_iter();
    let time = time.filter(|metric| metric.name == MetricName::TRAIN_SECONDS);
    let is_new = |metric: &Metric| declared.metrics.iter().all(|known| known.name != metric.name);
    let time: Vec<Metric> = time.filter(is_new).collect();
    declared.metrics.extend(time);
    declared
}

fn metric(name: &MetricName, node: &Node, declared: &mut Declared, findings: &mut Findings) {
    let section = Section::open(Some(node), format!("metrics.{name}"), &METRIC_KEYS, findings);
    let direction = section.choice("direction", &DIRECTIONS, findings);
    if section.get("direction").is_none() {
        section.missing("direction", "`maximize` or `minimize`", findings);
    }
    let unit = section.text("unit", findings).unwrap_or_default();
    if section.get("unit").is_none() {
        section.missing("unit", "`fraction`, `percent`, `s`, `ms` or any other unit", findings);
    }
    let all = match unit {
        "fraction" => Range(Some(0.0), Some(1.0)),
        "percent" => Range(Some(0.0), Some(100.0)),
        _ => Range::default(),
    };
    let split = [Split::Train, Split::Validation, Split::Test];
    let split = split.into_iter().find(|split| {
        let rest = name.as_str().strip_prefix(split.name());
        rest.is_some_and(|rest| rest.starts_with('-'))
    });
    declared.metrics.push(Metric {
        name: name.clone(),
        split,
        unit: Unit::named(unit),
        direction: direction.unwrap_or(Direction::Maximize),
        range: range(&section, findings).unwrap_or(all),
        counts_images: false,
    });
    let froms: Vec<ReadFrom> = ["pattern", "json", "csv"]
        .into_iter()
        .filter_map(|key| read_from(&section, key, findings))
        .collect();
    if froms.len() > 1 {
        let keys = one_of(["pattern", "json", "csv"]);
        findings.say(node.origin, format!("`metrics.{name}` has more than one of {keys}"));
    }
    declared.readings.extend(froms.into_iter().map(|from| Reading { metric: name.clone(), from }));
}

fn range(section: &Section<'_>, findings: &mut Findings) -> Option<Range> {
    let node = section.get("range")?;
    let ends: Option<Vec<f64>> = match &node.data {
        Data::List(nodes) => {
            let end = |node| number(&section.name("range"), node, NUMBER, findings);
            nodes.iter().map(end).collect()
        }
        _ => None,
    };
    match ends.as_deref() {
        Some([low, high]) if low < high => Some(Range(Some(*low), Some(*high))),
        _ => {
            let expected = "the smallest and the largest value as a list, such as [0, 1]";
            findings.wrong(&section.name("range"), node, expected);
            None
        }
    }
}

fn read_from(section: &Section<'_>, key: &str, findings: &mut Findings) -> Option<ReadFrom> {
    let text = section.text(key, findings)?;
    let node = section.get(key)?;
    let found = match key {
        "pattern" => match regex::Regex::new(text) {
            Ok(pattern) if pattern.captures_len() == 2 => {
                return Some(ReadFrom::Pattern(text.to_owned()));
            }
            Ok(_) => None,
            Err(error) => {
                let name = section.name(key);
                // The last line says what is wrong, those before where.
                let error = error.to_string();
                let error = error.lines().last().unwrap_or_default().replace("error: ", "");
                findings.say(node.origin, format!("`{name}` is no regular expression: {error}"));
                return None;
            }
        },
        "json" => (!text.is_empty()).then(|| ReadFrom::Json(text.to_owned())),
        _ => ReadFrom::csv(text),
    };
    if found.is_none() {
        let expected = match key {
            "pattern" => "a regular expression with one group, such as 'loss: ([0-9.]+)'",
            "json" => "the dotted key of a JSON object, such as \"result.latency\"",
            _ => "file, column and row, such as \"out.csv:latency:last\"",
        };
        findings.wrong(&section.name(key), node, expected);
    }
    found
}

/// Checks what a program is told of a trial.
pub(super) fn cross_check(
    settings: &Settings,
    origin: &dyn Fn(&[&str]) -> Option<Origin>,
    findings: &mut Findings,
) {
    let TrainerSettings::Command(command) = &settings.trainer else { return };
    let mut keys = Vec::new();
    for (key, value) in &settings.hyperparameters {
        keys_of(key, value, &mut keys);
    }
    for text in command.templates() {
        if let Err(error) = check_template(text, &keys) {
            let at = origin(&["trainer", "command"]).or_else(|| origin(&["trainer"]));
            findings.advise(at, error.to_string(), error.hint());
        }
    }
    if settings.folds.is_none() && command.templates().any(|text| names(text, &Placeholder::Fold)) {
        findings.advise(
            origin(&["trainer", "command"]).or_else(|| origin(&["trainer"])),
            "`{fold}` is told where there are `folds`".to_owned(),
            "add a line such as `folds = 5` at the top of the file; the text `{fold}` is `{{fold}}`"
                .to_owned(),
        );
    }
    if command.mode == Mode::Persistent {
        persistent(command, origin, findings);
    }
    if settings.ensemble.size > 1 {
        findings.advise(
            origin(&["ensemble", "size"]).or_else(|| origin(&["ensemble"])),
            "`ensemble.size` is not known to engine `command`, of which every trial is one call"
                .to_owned(),
            "remove `[ensemble]`".to_owned(),
        );
    }
    if !settings.model.layers.is_empty() {
        return;
    }
    for section in ["train", "augment"] {
        if let Some(typed) = origin(&[section]) {
            findings.advise(
                typed,
                format!("`{section}` is not read by engine `command`"),
                "put what the program is to know under `[hyperparameters]`".to_owned(),
            );
        }
    }
}

/// Returns whether a template holds a placeholder.
fn names(text: &str, wanted: &Placeholder) -> bool {
    let is_found = std::cell::Cell::new(false);
    let _ = fill(text, &|placeholder| {
        is_found.set(is_found.get() || placeholder == wanted);
        String::new()
    });
    is_found.get()
}

/// Checks that a program that is started once is not told of one trial by its command.
fn persistent(
    command: &CommandSettings,
    origin: &dyn Fn(&[&str]) -> Option<Origin>,
    findings: &mut Findings,
) {
    for text in command.templates() {
        let found = std::cell::Cell::new(None);
        let _ = fill(text, &|placeholder| {
            match placeholder {
                Placeholder::Seed => found.set(Some("seed")),
                Placeholder::Repeat => found.set(Some("repeat")),
                Placeholder::Fold => found.set(Some("fold")),
                Placeholder::Output => found.set(Some("output")),
                Placeholder::Hyperparameter(_) => {}
            }
            String::new()
        });
        if let Some(name) = found.get() {
            findings.advise(
                origin(&["trainer", "command"]).or_else(|| origin(&["trainer"])),
                format!("`{{{name}}}` in the command is that of one trial, and a persistent program is started once"),
                "leave it out: trials come as lines on standard input".to_owned(),
            );
        }
    }
}

/// Collects the dotted keys of a hyperparameter and of what stands below it.
fn keys_of(key: &str, value: &crate::experiment::value::Value, keys: &mut Vec<String>) {
    keys.push(key.to_owned());
    if let crate::experiment::value::Value::Table(entries) = value {
        for (below, value) in entries {
            keys_of(&format!("{key}.{below}"), value, keys);
        }
    }
}
