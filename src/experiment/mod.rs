//! The experiment file: as typed, then as meant.
//!
//! Owns the TOML language, its defaults and its error messages. Pure: reads text, touches no file.
//! Invariant: a file with problems yields all of them at once, each with line and caret.
//!
//! Text becomes a `tree` of values that know their location; overrides and axis values are put into
//! the tree; `decode` turns it into [`settings`], collecting findings, which [`problem`] prints.

pub mod absence;
pub(crate) mod architecture;
mod dataset;
mod decode;
mod document;
mod edition;
mod keys;
pub mod layers;
mod notation;
mod overrides;
pub(crate) mod presets;
pub mod problem;
pub mod program;
mod reader;
pub mod reference;
mod resolved;
mod schema;
pub mod selector;
pub mod settings;
pub mod submit;
#[cfg(test)]
mod tests;
mod tree;
mod validate;
pub mod value;

pub use dataset::{ImageFit, Share, SplitSeed, SplitSettings};
pub use document::Document;
pub(crate) use document::SECTIONS;
pub use edition::Edition;
pub(crate) use keys::{EXPERIMENT_KEYS, meant};
pub use overrides::Override;
pub(crate) use problem::{ExperimentError, nearest};
pub(crate) use resolved::IMPORTED_REPEATS;
pub use resolved::{
    Axis, CheckSettings, ConfusionPair, Experiment, GridBlock, Match, MeasureSettings,
    ReportSettings, Sample, SampleMethod, StoreSettings, StoredPredictions, When,
};
pub(crate) use schema::schema;

/// Returns the training settings of a file that types none.
pub(crate) fn default_train() -> settings::TrainSettings {
    decode::train::train(None, &mut reader::Findings::default())
}
