//! What a member and a trial *are*, as a hash of their meaning.
//!
//! Settings are hashed as canonical JSON: keys sorted, equal numbers written alike (`1` and `1.0`),
//! no white space. Left out because they decide no weight: the name of the model, the ensemble, the
//! time limit (a member that ran out of time is tried again anyway), file paths (the checksum of the
//! images says more) and how large files may be.
//!
//! A mend that changes what a few trainings come to is a part of its own, hashed for those alone: they
//! are other members than they were, and all others stay valid.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value as Json;

use crate::base::{CellId, ContentHasher, Digest, MemberId, SeedPath, TrialId, digest_of};
use crate::experiment::settings::{
    Combine, Convention, DatasetSettings, EnsembleSettings, Fill, LimitSettings, Schedule,
    Settings, Source, TrainerSettings,
};

/// Hashes the parts of settings that decide weights, seeds aside.
///
/// Neighbouring cells share most of their sections, so each section's digest is kept until the
/// section changes.
pub(crate) struct TrainingIdentity<'a> {
    engine_revision: &'a str,
    last: Option<(Settings, Sections)>,
}

#[derive(Clone, Copy)]
struct Sections {
    dataset: Digest,
    layers: Digest,
    train: Digest,
    augment: Digest,
    trainer: Digest,
    hyperparameters: Digest,
}

impl<'a> TrainingIdentity<'a> {
    /// Starts hashing for this revision of the engine.
    pub(crate) fn new(engine_revision: &'a str) -> Self {
        Self { engine_revision, last: None }
    }

    /// Returns the digest of what `settings` train on the images with this checksum; `program` is that
    /// of the program that trains, where one does.
    pub(crate) fn digest(
        &mut self,
        settings: &Settings,
        checksum: &Digest,
        program: Option<&Digest>,
    ) -> Digest {
        let last = self.last.as_ref();
        macro_rules! section {
            ($name:ident, $same:expr, $meaning:expr) => {
                match last {
                    Some((before, sections)) if $same(before) => sections.$name,
                    _ => canonical_digest(&$meaning),
                }
            };
        }
        let sections = Sections {
            dataset: section!(
                dataset,
                |before: &Settings| before.dataset == settings.dataset,
                without_paths(&settings.dataset)
            ),
            layers: section!(
                layers,
                |before: &Settings| before.model.layers == settings.model.layers,
                &settings.model.layers
            ),
            train: section!(train, |before: &Settings| before.train == settings.train, {
                let mut train = settings.train.clone();
                train.time_limit = None;
                train
            }),
            augment: section!(
                augment,
                |before: &Settings| before.augment == settings.augment,
                &settings.augment
            ),
            trainer: section!(
                trainer,
                |before: &Settings| before.trainer == settings.trainer,
                trainer_meaning(&settings.trainer)
            ),
            hyperparameters: section!(
                hyperparameters,
                |before: &Settings| before.hyperparameters == settings.hyperparameters,
                &settings.hyperparameters
            ),
        };
        self.last = Some((settings.clone(), sections));
        let mut hasher = ContentHasher::new();
        if let Some(program) = program {
            return of_program(&mut hasher, program, &sections, settings, checksum);
        }
        hasher
            .part("engine-revision", self.engine_revision.as_bytes())
            .part("checksum", checksum.bytes())
            .part("dataset", sections.dataset.bytes())
            .part("layers", sections.layers.bytes())
            .part("train", sections.train.bytes())
            .part("augment", sections.augment.bytes())
            .part("trainer", sections.trainer.bytes())
            .part("hyperparameters", sections.hyperparameters.bytes());
        for mend in mends(settings) {
            hasher.part("mend", mend.as_bytes());
        }
        hasher.finish()
    }
}

/// Revision of how programs are called; raised where a program would give other numbers.
const PROGRAM_REVISION: &[u8] = b"1";

/// Returns the digest of what a program trains. No engine of ours has a part in it, and sections that
/// nobody typed are not told to the program.
fn of_program(
    hasher: &mut ContentHasher,
    program: &Digest,
    sections: &Sections,
    settings: &Settings,
    checksum: &Digest,
) -> Digest {
    hasher
        .part("program-revision", PROGRAM_REVISION)
        .part("program", program.bytes())
        .part("trainer", sections.trainer.bytes())
        .part("hyperparameters", sections.hyperparameters.bytes());
    if let Some(folds) = settings.folds {
        hasher.part("folds", &folds.to_le_bytes());
    }
    if settings.dataset.source != Source::None {
        hasher.part("checksum", checksum.bytes()).part("dataset", sections.dataset.bytes());
    }
    if !settings.model.layers.is_empty() {
        hasher
            .part("layers", sections.layers.bytes())
            .part("train", sections.train.bytes())
            .part("augment", sections.augment.bytes());
    }
    hasher.clone().finish()
}

/// Returns the mends that change what `settings` come to.
pub(super) fn mends(settings: &Settings) -> impl Iterator<Item = &'static str> {
    let Settings { dataset, train, augment, .. } = settings;
    let stop = &train.stop;
    let watches = stop.patience.is_some() || stop.restore_best;
    let is_cosine = matches!(train.learning_rate.schedule, Schedule::Cosine { .. });
    let ends_elsewhere = stop.patience.is_some() && !stop.restore_best;
    let is_varied = augment.rotation > 0.0
        || augment.shear > 0.0
        || augment.zoom.height + augment.zoom.width > 0.0
        || augment.shift.height + augment.shift.width > 0.0;
    let wraps = augment.convention == Convention::KerasLayers && augment.fill == Fill::Wrap;
    [
        (dataset.split.shares_the_pool(), "fractions of the pool"),
        (train.retrain.is_some() && watches && (ends_elsewhere || is_cosine), "best epoch"),
        (is_varied && wraps, "wrap of the layers"),
    ]
    .into_iter()
    .filter_map(|(applies, mend)| applies.then_some(mend))
}

/// Returns the id of the member that trains `training` with the seeds of `seed_path`.
pub(super) fn member_id(training: &Digest, seed_path: &SeedPath) -> MemberId {
    let index = |part: Option<u32>| part.map_or(u64::MAX, u64::from).to_le_bytes();
    let mut hasher = ContentHasher::new();
    hasher
        .part("training", training.bytes())
        .part("master", &seed_path.master.0.to_le_bytes())
        .part("repeat", &index(seed_path.repeat))
        .part("member", &index(seed_path.member));
    hasher.finish().into()
}

/// Returns the id of the trial of `cell` that combines these members.
///
/// The cell counts, so that two cells which happen to mean the same each keep their own trial.
pub(super) fn trial_id(
    cell: &CellId,
    combine: Combine,
    members: impl Iterator<Item = MemberId>,
) -> TrialId {
    let mut hasher = ContentHasher::new();
    let combine: &[u8] = match combine {
        Combine::Mean => b"mean",
        Combine::Vote => b"vote",
    };
    hasher.part("cell", cell.to_string().as_bytes()).part("combine", combine);
    for member in members {
        hasher.part("member", member.to_string().as_bytes());
    }
    hasher.finish().into()
}

/// The ensemble settings every member carries, since none of them decides its weights.
pub(super) const NEUTRAL_ENSEMBLE: EnsembleSettings =
    EnsembleSettings { size: 1, combine: Combine::Mean };

/// Returns what is hashed of a trainer. What is called `auto` was called `dfdx` by the first version,
/// and is still hashed so.
fn trainer_meaning(trainer: &TrainerSettings) -> Json {
    match trainer {
        TrainerSettings::Auto => serde_json::json!({ "engine": "dfdx" }),
        TrainerSettings::Command(command) => {
            serde_json::to_value(command.meaning()).expect("settings serialise to JSON")
        }
        other => serde_json::to_value(other).expect("settings serialise to JSON"),
    }
}

/// Returns the settings without file paths, of which the checksum of the images says more, and
/// without limits.
pub(super) fn without_paths(settings: &DatasetSettings) -> DatasetSettings {
    let mut settings = DatasetSettings { limits: LimitSettings::default(), ..settings.clone() };
    match &mut settings.source {
        Source::Idx { path } => *path = PathBuf::new(),
        Source::Folder { path, test_path } | Source::Csv { path, test_path, .. } => {
            *path = PathBuf::new();
            *test_path = test_path.as_ref().map(|_| PathBuf::new());
        }
        Source::Digits
        | Source::Mnist
        | Source::FashionMnist
        | Source::Kmnist
        | Source::None
        | Source::Synthetic { .. } => {}
    }
    settings
}

fn canonical_digest(value: &impl Serialize) -> Digest {
    let json = serde_json::to_value(value).expect("settings serialise to JSON");
    let mut text = String::new();
    write_canonical(&json, &mut text);
    digest_of(text.as_bytes())
}

fn write_canonical(value: &Json, out: &mut String) {
    match value {
        Json::Number(number) => write_number(number, out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Json::String(key.clone()).to_string());
                out.push(':');
                write_canonical(item, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn write_number(number: &serde_json::Number, out: &mut String) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let text = match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT => {
            (float as i64).to_string()
        }
        _ => number.to_string(),
    };
    out.push_str(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        let mut out = String::new();
        write_canonical(&serde_json::from_str(text).unwrap(), &mut out);
        out
    }

    #[test]
    fn canonical_json_ignores_order_white_space_and_the_spelling_of_numbers() {
        assert_eq!(canonical(r#"{"b": 1.0, "a": [2e0, -0.0, 0.5]}"#), r#"{"a":[2,0,0.5],"b":1}"#);
        assert_eq!(canonical(r#"{"a":[2,0,0.5],"b":1}"#), canonical(r#"{"b":1,"a":[2,0,5e-1]}"#));
        assert_ne!(canonical("[1, 2]"), canonical("[2, 1]"));
    }

    #[test]
    fn auto_hashes_as_the_first_version_hashed_dfdx_and_dfdx_as_itself() {
        let text = |trainer: &TrainerSettings| trainer_meaning(trainer).to_string();
        assert_eq!(text(&TrainerSettings::Auto), r#"{"engine":"dfdx"}"#);
        assert_ne!(text(&TrainerSettings::DfdxOnly), text(&TrainerSettings::Auto));
        let read = |text: &str| serde_json::from_str::<TrainerSettings>(text).unwrap();
        assert_eq!(read(r#"{"engine":"dfdx"}"#), TrainerSettings::Auto);
        for trainer in [TrainerSettings::Auto, TrainerSettings::DfdxOnly] {
            assert_eq!(read(&serde_json::to_string(&trainer).unwrap()), trainer);
        }
    }
}
