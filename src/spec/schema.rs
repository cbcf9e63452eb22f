//! The JSON schema of experiment files, made from the declarations of keys.
//!
//! Editors complete and check by it (`#:schema …` for taplo and Even Better TOML). It knows keys and
//! their types; what keys say about each other is checked by `bench plan` alone.

use serde_json::{Map, Value as Json, json};

use super::decode::grid::METHODS;
use super::decode::model::layer_keys;
use super::keys::{Key, SETTING_KEYS, Shape, all, below};
use super::layers::LayerSettings;

/// Returns the JSON schema (draft 7) of experiment files.
#[must_use]
pub fn schema() -> Json {
    let mut root = table("");
    let entries = root.as_object_mut().expect("a table is an object");
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".into(), json!("Experiment file of bench"));
    schema.append(entries);
    schema.insert("required".into(), json!(["name", "dataset"]));
    Json::Object(schema)
}

/// A table of the keys declared below a path.
fn table(path: &str) -> Json {
    let mut properties = Map::new();
    for name in below(path) {
        let full = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        properties.insert((*name).to_owned(), property(&full));
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn property(path: &str) -> Json {
    let Some(key) = all().find(|key| key.path == path) else { return table(path) };
    let mut schema = shape(key.shape, path);
    let described = described(key);
    if let (Some(entries), false) = (schema.as_object_mut(), described.is_empty()) {
        entries.insert("description".into(), json!(described));
    }
    schema
}

fn described(key: &Key) -> String {
    let default = match key.default {
        "" => String::new(),
        "required" => " Required.".to_owned(),
        default => format!(" Default: {default}."),
    };
    format!("{}.{default}", key.meaning.trim_end_matches('.')).replace("\\|", "|")
}

fn shape(shape_of: Shape, path: &str) -> Json {
    let number = |limits: Json| {
        let mut schema = json!({ "type": "number" });
        let limits = limits.as_object().cloned().unwrap_or_default();
        schema.as_object_mut().expect("an object").extend(limits);
        schema
    };
    match shape_of {
        Shape::Text => json!({ "type": "string" }),
        Shape::Name => {
            json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$" })
        }
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Whole(from) => json!({ "type": "integer", "minimum": from }),
        Shape::WholeWithin(from, to) => {
            json!({ "type": "integer", "minimum": from, "maximum": to })
        }
        Shape::Number => number(json!({})),
        Shape::Above(from) => number(json!({ "exclusiveMinimum": from })),
        Shape::From(from) => number(json!({ "minimum": from })),
        Shape::Within(from, to) => number(json!({ "minimum": from, "maximum": to })),
        Shape::Below(from, to) => number(json!({ "minimum": from, "exclusiveMaximum": to })),
        Shape::UpTo(from, to) => number(json!({ "exclusiveMinimum": from, "maximum": to })),
        Shape::Between(from, to) => {
            number(json!({ "exclusiveMinimum": from, "exclusiveMaximum": to }))
        }
        Shape::Choice(names) => json!({ "enum": names() }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Table => table(path),
        Shape::Map(of) => json!({ "type": "object", "additionalProperties": shape(*of, path) }),
        Shape::List(of) => json!({ "type": "array", "items": shape(*of, path) }),
        Shape::Indices(count) => json!({
            "type": "array", "items": { "type": "integer", "minimum": 0 },
            "minItems": count, "maxItems": count,
        }),
        Shape::Either(some) => {
            json!({ "anyOf": some.iter().map(|one| shape(*one, path)).collect::<Vec<_>>() })
        }
        Shape::Layers => json!({ "type": "array", "minItems": 1, "items": layer() }),
        Shape::Grids => {
            json!({ "anyOf": [block(), { "type": "array", "items": block() }] })
        }
        Shape::Free => json!({}),
    }
}

/// A layer: its kind alone, or a table of the keys of its kind.
fn layer() -> Json {
    let kinds = LayerSettings::KINDS.map(|kind| {
        let free = layer_keys(kind).iter().filter(|key| **key != "kind");
        let mut properties: Map<String, Json> =
            free.map(|key| ((*key).to_owned(), json!({}))).collect();
        properties.insert("kind".to_owned(), json!({ "const": kind }));
        json!({
            "type": "object", "properties": properties, "required": ["kind"],
            "additionalProperties": false,
        })
    });
    let mut all = vec![json!({ "enum": LayerSettings::KINDS })];
    all.extend(kinds);
    json!({ "anyOf": all })
}

/// A block of a grid.
fn block() -> Json {
    let list_of = |one: Json| json!({ "anyOf": [one.clone(), { "type": "array", "items": one }] });
    let cell = || assignment(&|key| value(key));
    let matches = || assignment(&|key| list_of_values(key));
    let when = json!({
        "type": "object",
        "properties": {
            "axes": { "type": "array", "minItems": 1, "items": { "type": "string" } },
            "if": matches(),
        },
        "required": ["axes", "if"],
        "additionalProperties": false,
    });
    let methods: Vec<&str> = METHODS.iter().map(|(name, _)| *name).collect();
    let sample = json!({
        "type": "object",
        "properties": {
            "method": { "enum": methods },
            "count": { "type": "integer", "minimum": 1 },
        },
        "required": ["method", "count"],
        "additionalProperties": false,
    });
    let shapes = [
        ("axes", assignment(&axis)),
        ("zip", list_of(assignment(&axis))),
        ("when", list_of(when)),
        ("exclude", list_of(matches())),
        ("include", list_of(cell())),
        ("sample", sample),
    ];
    let mut properties = Map::new();
    for (name, mut schema) in shapes {
        let key = all().find(|key| key.path.strip_prefix("grid.") == Some(name));
        if let (Some(entries), Some(key)) = (schema.as_object_mut(), key) {
            entries.insert("description".into(), json!(described(key)));
        }
        properties.insert(name.to_owned(), schema);
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// A table from keys of the settings to something. Bare keys with dots are tables in TOML, so the
/// sections are allowed, too.
fn assignment(of: &dyn Fn(&str) -> Json) -> Json {
    let properties: Map<String, Json> =
        SETTING_KEYS.iter().map(|key| ((*key).to_owned(), of(key))).collect();
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {
            "^(model\\.layers|hyperparameters)\\..+$": {},
            "^(dataset|model|train|augment|ensemble|trainer|hyperparameters)$": {},
        },
        "additionalProperties": false,
    })
}

/// A value of an axis.
fn value(key: &str) -> Json {
    all().find(|one| one.path == key).map_or(json!({}), |one| shape(one.shape, key))
}

fn list_of_values(key: &str) -> Json {
    json!({ "anyOf": [value(key), { "type": "array", "items": value(key) }] })
}

/// The values of an axis: a list or a range.
fn axis(key: &str) -> Json {
    let description = all().find(|one| one.path == key).map_or(String::new(), described);
    json!({
        "description": description,
        "anyOf": [
            { "type": "array", "minItems": 1, "items": value(key) },
            {
                "type": "object",
                "properties": {
                    "from": { "type": "number" },
                    "to": { "type": "number" },
                    "step": { "type": "number" },
                    "count": { "type": "integer", "minimum": 1 },
                    "scale": { "enum": ["linear", "log"] },
                },
                "required": ["from", "to"],
                "additionalProperties": false,
            },
        ],
    })
}
