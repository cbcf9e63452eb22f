//! Values as one line of text that reads back: in names of cells and in selectors.
//!
//! Numbers and truths stand bare, and so does a text that could be nothing else (`adam`); any other
//! text is quoted (`"1.10"`, `"a, b"`, `""`). Lists are `[a, 1]`, tables `{name=adam, beta1=0.9}`.
//! Invariant: reading what was written gives an equal value.

use super::value::Value;
use crate::base::text::is_printable;

/// Characters that end a bare word or mean something.
const SPECIAL: [char; 8] = [',', '=', '"', '[', ']', '{', '}', '\\'];
/// Lists and tables within each other that are read; deeper text is text.
const MAX_DEPTH: usize = 32;

impl Value {
    /// Returns the value as text that [`Value::from_notation`] reads back: unlike values never
    /// share it.
    pub(crate) fn notation(&self) -> String {
        let mut out = String::new();
        write(self, &mut out);
        out
    }

    /// Reads a value as a person types it; what is nothing else is text.
    pub(crate) fn from_notation(text: &str) -> Self {
        let text = text.trim();
        let mut reader = Reader { rest: text, depth: 0 };
        match reader.value() {
            Some(value) if reader.rest.is_empty() => value,
            _ => Self::Text(text.to_owned()),
        }
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Text(text) => write_text(text, out),
        Value::List(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write(value, out);
            }
            out.push(']');
        }
        Value::Table(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_text(key, out);
                out.push('=');
                write(value, out);
            }
            out.push('}');
        }
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {
            out.push_str(&value.plain().to_string());
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    if is_bare(text) && matches!(word(text), Value::Text(_)) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if !is_printable(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn is_bare(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && is_printable(c) && !SPECIAL.contains(&c);
    !text.is_empty() && text.chars().all(plain)
}

/// Reads a bare word.
fn word(text: &str) -> Value {
    match text {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Value::Integer(whole);
    }
    // `inf` and `nan` are texts: no number of an experiment is without end.
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Value::Float(number),
        _ => Value::Text(text.to_owned()),
    }
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl Reader<'_> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, c: char) -> bool {
        self.skip_spaces();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<Value> {
        if self.takes('[') {
            return self.list(']', Self::value).map(Value::List);
        }
        if self.takes('{') {
            let entry = |reader: &mut Self| {
                let key = reader.text()?;
                Some((key, reader.takes('=').then(|| reader.value())??))
            };
            return self.list('}', entry).map(Value::Table);
        }
        if self.rest.starts_with('"') {
            return self.quoted().map(Value::Text);
        }
        self.bare().map(word)
    }

    /// Reads items up to `end`, with commas between them.
    fn list<T>(
        &mut self,
        end: char,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.depth += 1;
        let mut items = Vec::new();
        let mut is_first = true;
        while !self.takes(end) {
            let continues = std::mem::take(&mut is_first) || self.takes(',');
            if !continues || self.depth > MAX_DEPTH {
                return None;
            }
            items.push(item(self)?);
        }
        self.depth -= 1;
        Some(items)
    }

    fn text(&mut self) -> Option<String> {
        self.skip_spaces();
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        self.bare().map(str::to_owned)
    }

    fn bare(&mut self) -> Option<&str> {
        self.skip_spaces();
        let ends = |c: char| c.is_whitespace() || SPECIAL.contains(&c);
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest.strip_prefix('"')?.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => text.push(escaped(&mut chars)?),
                c => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Some(text)
    }
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    match chars.next()? {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '0' => Some('\0'),
        'u' => {
            let (digits, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
            *chars = rest.chars();
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)
        }
        c @ ('"' | '\\' | '\'') => Some(c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn a_text_is_quoted_where_it_could_be_something_else() {
        for (value, notation) in [
            (text("adam"), "adam"),
            (text("data/a-b_c.csv"), "data/a-b_c.csv"),
            (text("1.10"), "\"1.10\""),
            (text("1e5"), "\"1e5\""),
            (text("true"), "\"true\""),
            (text("+5"), "\"+5\""),
            (text(""), "\"\""),
            (text("a, b"), "\"a, b\""),
            (text("say \"x\"\n"), "\"say \\\"x\\\"\\n\""),
            (text("null"), "null"),
            (text("inf"), "inf"),
            (Value::Float(1.0), "1"),
            (Value::Float(-0.0), "0"),
            (Value::Integer(9_007_199_254_740_993), "9007199254740993"),
            (Value::Bool(true), "true"),
            (Value::List(vec![text("1"), Value::Integer(1)]), "[\"1\", 1]"),
        ] {
            assert_eq!(value.notation(), notation);
            assert_eq!(Value::from_notation(notation), value, "{notation}");
        }
    }

    #[test]
    fn what_a_person_types_is_read_by_its_meaning() {
        assert_eq!(Value::from_notation("0.10"), Value::Float(0.1));
        assert_eq!(Value::from_notation("1e-3"), Value::Float(0.001));
        assert_eq!(Value::from_notation(" adam "), text("adam"));
        assert_eq!(Value::from_notation("two words"), text("two words"));
        assert_eq!(Value::from_notation("{name=sgd"), text("{name=sgd"));
        let table = Value::from_notation("{name=sgd, momentum=0.9}");
        assert_eq!(table.entry("momentum"), Some(&Value::Float(0.9)));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let word = prop::sample::select(vec!["1", "1.0", "true", "", "é", "e\u{301}", "[", "a=b"]);
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Value::Float),
            any::<String>().prop_map(Value::Text),
            word.prop_map(text),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|table| Value::Table(table.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reading_what_was_written_gives_the_same_value(value in any_value()) {
            prop_assert_eq!(Value::from_notation(&value.notation()), value);
        }

        #[test]
        fn unlike_values_are_written_unlike(a in any_value(), b in any_value()) {
            prop_assert_eq!(a.notation() == b.notation(), a == b);
        }
    }
}
