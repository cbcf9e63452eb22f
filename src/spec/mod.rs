//! The experiment file: as typed, then as meant.
//!
//! Owns the TOML language, its defaults and its error messages. Pure: reads text, touches no file.
//! Invariant: a file with problems yields all of them at once, each with line and caret.

pub mod experiment;
pub mod layers;
pub mod settings;
pub mod value;
