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
pub(crate) fn schema() -> Json {
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".into(), json!("Experiment file of bench"));
    schema.extend(entries_of(""));
    let mut definitions: Map<String, Json> =
        all().map(|key| (key.path.to_owned(), definition(key))).collect();
    definitions.insert("a-layer".into(), layer());
    definitions.insert("a-block".into(), block());
    definitions.insert("a-range".into(), range());
    definitions.insert("axes-of-a-block".into(), assignment(&axis));
    definitions.insert("a-cell".into(), assignment(&value));
    definitions.insert("some-cells".into(), assignment(&list_of_values));
    schema.insert("definitions".into(), Json::Object(definitions));
    schema.insert("required".into(), json!(["name"]));
    // Programs know their own data; every other trainer is told of a dataset.
    let either = json!([{ "required": ["dataset"] }, { "required": ["trainer"] }]);
    schema.insert("anyOf".into(), either);
    Json::Object(schema)
}

/// A table of the keys declared below a path.
fn table(path: &str) -> Json {
    Json::Object(entries_of(path))
}

fn entries_of(path: &str) -> Map<String, Json> {
    let mut properties = Map::new();
    for name in below(path) {
        let full = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        properties.insert((*name).to_owned(), property(&full));
    }
    let mut entries = Map::new();
    entries.insert("type".into(), json!("object"));
    entries.insert("properties".into(), Json::Object(properties));
    entries.insert("additionalProperties".into(), json!(false));
    entries
}

/// A key by the definition it has.
fn property(path: &str) -> Json {
    if all().any(|key| key.path == path) {
        return json!({ "$ref": format!("#/definitions/{path}") });
    }
    table(path)
}

/// What may be typed at a key, and what it means.
fn definition(key: &Key) -> Json {
    let mut schema = shape(key.shape, key.path);
    schema["description"] = json!(described(key));
    schema
}

fn described(key: &Key) -> String {
    let default = match key.default {
        "" => String::new(),
        "required" => " Required.".to_owned(),
        default => format!(" Default: {default}."),
    };
    let expected = match key.expected {
        "" => String::new(),
        expected => format!(" ({expected})"),
    };
    format!("{}{expected}.{default}", key.meaning.trim_end_matches('.')).replace("\\|", "|")
}

fn shape(shape_of: Shape, path: &str) -> Json {
    let number = |mut limits: Json| {
        limits["type"] = json!("number");
        limits
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
        Shape::Metrics => json!({ "type": "object", "additionalProperties": metric() }),
        Shape::Layers => {
            json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/definitions/a-layer" } })
        }
        Shape::Grids => {
            let block = json!({ "$ref": "#/definitions/a-block" });
            json!({ "anyOf": [block.clone(), { "type": "array", "items": block }] })
        }
        Shape::Free => json!({}),
    }
}

/// A metric as a program's experiment declares it.
fn metric() -> Json {
    let text = || json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "unit": text(),
            "direction": { "enum": ["maximize", "minimize"] },
            "range": {
                "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2,
            },
            "pattern": text(),
            "json": text(),
            "csv": text(),
        },
        "required": ["unit", "direction"],
        "additionalProperties": false,
    })
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
    let named = |name: &str| json!({ "$ref": format!("#/definitions/{name}") });
    let when = json!({
        "type": "object",
        "properties": {
            "axes": { "type": "array", "minItems": 1, "items": { "type": "string" } },
            "if": named("some-cells"),
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
        ("axes", named("axes-of-a-block")),
        ("zip", list_of(named("axes-of-a-block"))),
        ("when", list_of(when)),
        ("exclude", list_of(named("some-cells"))),
        ("include", list_of(named("a-cell"))),
        ("sample", sample),
    ];
    let mut properties = Map::new();
    for (name, mut schema) in shapes {
        let key = all().find(|key| key.path.strip_prefix("grid.") == Some(name));
        if let (None, Some(key)) = (schema.get("$ref"), key) {
            schema["description"] = json!(described(key));
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
    json!({ "$ref": format!("#/definitions/{key}") })
}

fn list_of_values(key: &str) -> Json {
    json!({ "anyOf": [value(key), { "type": "array", "items": value(key) }] })
}

/// The values of an axis: a list or a range.
fn axis(key: &str) -> Json {
    json!({
        "anyOf": [
            { "type": "array", "minItems": 1, "items": value(key) },
            { "$ref": "#/definitions/a-range" },
        ],
    })
}

fn range() -> Json {
    json!({
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
    })
}
