//! The arguments of `bench export` and `bench predict`.

use std::path::PathBuf;

use clap::Args;

use crate::experiment::selector::Selector;
use crate::experiment::settings::Combine;
use crate::session::ModelChoice;

/// Which trained networks of a results folder are meant.
#[derive(Debug, Args)]
pub(super) struct ChoiceArguments {
    /// The cell with these axis values, such as `augment.shift=0.1,optimizer=adam`; needed where
    /// there are several.
    #[arg(long, value_name = "AXIS=VALUE,…")]
    pub(super) cell: Option<Selector>,
    /// Repeat of the cell, from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) repeat: u32,
    /// One network of the ensemble, from 0 [default: all].
    #[arg(long, value_name = "N")]
    pub(super) member: Option<u32>,
}

impl ChoiceArguments {
    /// Returns the networks that are meant.
    pub(super) fn meant(&self) -> ModelChoice {
        ModelChoice { cell: self.cell.clone(), repeat: self.repeat, member: self.member }
    }
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// Results folder of an experiment that was run with `--save-weights`.
    pub(super) folder: PathBuf,
    #[command(flatten)]
    pub(super) choice: ChoiceArguments,
    /// The `.safetensors` file to write, or a folder for the networks of an ensemble.
    #[arg(long, short, value_name = "PATH")]
    pub(super) output: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct PredictArguments {
    /// A file or folder written by `bench export`, or a results folder with weights.
    pub(super) model: PathBuf,
    /// Images: a CSV file of pixels with a header, an IDX file (either also as `.gz`), a folder of PNG
    /// images, or one of folders named like the classes.
    pub(super) input: PathBuf,
    #[command(flatten)]
    pub(super) choice: ChoiceArguments,
    /// The CSV file to write [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Header of the first column.
    #[arg(long, value_name = "NAME", default_value = "ImageId")]
    pub(super) id_name: String,
    /// Header of the second column.
    #[arg(long, value_name = "NAME", default_value = "Label")]
    pub(super) label_name: String,
    /// Number of the first image [default: 1; images with names keep them].
    #[arg(long, value_name = "N")]
    pub(super) first_id: Option<u64>,
    /// CSV input: column that names the images.
    #[arg(long, value_name = "COLUMN")]
    pub(super) id_column: Option<String>,
    /// CSV input: column of true labels; the accuracy is then printed.
    #[arg(long, value_name = "COLUMN")]
    pub(super) label: Option<String>,
    /// How an ensemble decides [default: as in its experiment].
    #[arg(long, value_enum)]
    pub(super) combine: Option<Combine>,
    /// Also write the mean probability of every class to this CSV file.
    #[arg(long, value_name = "FILE")]
    pub(super) probabilities: Option<PathBuf>,
    /// Also draw images with their predictions on this PNG.
    #[arg(long, value_name = "FILE")]
    pub(super) gallery: Option<PathBuf>,
    /// Images on the gallery.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(super) gallery_count: usize,
    /// Draw only the mistakes, where the true labels are known.
    #[arg(long)]
    pub(super) mistakes: bool,
    /// Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(super) device: String,
}
