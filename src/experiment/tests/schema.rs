//! A validator of the part of JSON schema that the schema of experiments uses.

use serde_json::Value as Json;

/// Returns the dotted path of the first value that does not fit; nothing where all do.
pub(super) fn problem(root: &Json, schema: &Json, value: &Json, path: &str) -> Option<String> {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let here = || Some(path.to_owned());
    let entries = schema.as_object().expect("a schema is a table");
    if let Some(name) = entries.get("$ref").and_then(Json::as_str) {
        let name = name.strip_prefix("#/definitions/").expect("a definition");
        return problem(root, &root["definitions"][name], value, path);
    }
    for keyword in entries.keys() {
        assert!(KNOWN.contains(&keyword.as_str()), "the keyword `{keyword}` is not checked");
    }
    let has_type = match entries.get("type").and_then(Json::as_str) {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.as_f64().is_some_and(|x| x.fract() == 0.0),
        Some(other) => panic!("the type `{other}` is not known"),
    };
    if !has_type {
        return here();
    }
    if let Some(names) = entries.get("enum").and_then(Json::as_array)
        && !names.contains(value)
    {
        return here();
    }
    if entries.get("const").is_some_and(|only| only != value) {
        return here();
    }
    if let Some(number) = value.as_f64() {
        let limit = |name: &str| entries.get(name).and_then(Json::as_f64);
        let fits = limit("minimum").is_none_or(|limit| number >= limit)
            && limit("maximum").is_none_or(|limit| number <= limit)
            && limit("exclusiveMinimum").is_none_or(|limit| number > limit)
            && limit("exclusiveMaximum").is_none_or(|limit| number < limit);
        if !fits {
            return here();
        }
    }
    if let (Some(_), Some(text)) = (entries.get("pattern"), value.as_str()) {
        // The one pattern of a text is that of names of folders.
        let fits = (1..=100).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !fits {
            return here();
        }
    }
    if let Some(list) = value.as_array() {
        let count = |name: &str| entries.get(name).and_then(Json::as_u64);
        let fits = count("minItems").is_none_or(|least| list.len() as u64 >= least)
            && count("maxItems").is_none_or(|most| list.len() as u64 <= most);
        if !fits {
            return here();
        }
        if let Some(items) = entries.get("items") {
            return list
                .iter()
                .enumerate()
                .find_map(|(index, one)| problem(root, items, one, &at(&(index + 1).to_string())));
        }
    }
    if let Some(all) = entries.get("anyOf").and_then(Json::as_array)
        && !all.iter().any(|one| problem(root, one, value, path).is_none())
    {
        return here();
    }
    let table = value.as_object()?;
    for name in entries.get("required").and_then(Json::as_array).into_iter().flatten() {
        let name = name.as_str().expect("a name");
        if !table.contains_key(name) {
            return Some(at(name));
        }
    }
    table.iter().find_map(|(name, one)| {
        let declared = entries.get("properties").and_then(|properties| properties.get(name));
        let by_pattern = || {
            let patterns = entries.get("patternProperties")?.as_object()?;
            patterns.iter().find(|(pattern, _)| matches(pattern, name)).map(|(_, schema)| schema)
        };
        match declared.or_else(by_pattern) {
            Some(schema) => problem(root, schema, one, &at(name)),
            None => match entries.get("additionalProperties") {
                None | Some(Json::Bool(true)) => None,
                Some(Json::Bool(false)) => here(),
                Some(schema) => problem(root, schema, one, &at(name)),
            },
        }
    })
}

const KNOWN: [&str; 22] = [
    "$schema",
    "title",
    "description",
    "type",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "pattern",
    "minItems",
    "maxItems",
    "items",
    "anyOf",
    "required",
    "properties",
    "patternProperties",
    "additionalProperties",
    "default",
    "definitions",
    "$comment",
];

/// Matches the two patterns of names that the schema has: sections, and keys below free ones.
fn matches(pattern: &str, name: &str) -> bool {
    let (alternatives, rest) = pattern.trim_start_matches("^(").split_once(')').expect("a group");
    alternatives.replace('\\', "").split('|').any(|start| match rest {
        "$" => name == start,
        _ => name.strip_prefix(start).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.')),
    })
}
