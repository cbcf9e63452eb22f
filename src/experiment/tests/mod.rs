//! The language as a whole.

mod documentation;
mod gates;
mod meaning;
mod refusals;
mod schema;

use super::Document;

/// A file that means something, without any grid.
const SMALL: &str =
    "name = \"t\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"small-cnn\"\n";

fn read(text: &str) -> Document {
    Document::parse(text, "t.toml", &[]).unwrap_or_else(|error| panic!("{error}"))
}
