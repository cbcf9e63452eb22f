//! Which metrics a cell can never have.

use super::settings::{Settings, TrainerSettings};
use crate::base::{Metric, Split};

/// Why a cell has no value of a metric, whatever happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Absence {
    /// It is measured on validation images, and there are none.
    #[error("the validation split is empty")]
    NoValidation,
    /// It is measured on validation images, and the evaluated weights were trained on them.
    #[error("`train.retrain` trains on the validation images too")]
    Retrained,
}

impl Absence {
    /// Returns what the user can do about it.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::NoValidation => {
                "set `dataset.split.validation`, for example to 0.1, or name another metric"
            }
            Self::Retrained => "remove `train.retrain`, or name a metric of the test images",
        }
    }
}

/// Says why a cell with these settings and so many validation images never has `metric`; nothing where
/// it may.
pub(crate) fn absence(
    metric: &Metric,
    settings: &Settings,
    validation_images: usize,
) -> Option<Absence> {
    let is_built_in = match settings.trainer {
        TrainerSettings::Auto | TrainerSettings::DfdxOnly | TrainerSettings::Fake(_) => true,
        TrainerSettings::Command(_) => false,
    };
    if metric.split != Some(Split::Validation) || !is_built_in {
        return None;
    }
    let is_retrained = settings.trainer.has_networks() && settings.train.retrain.is_some();
    match validation_images {
        0 => Some(Absence::NoValidation),
        _ if is_retrained => Some(Absence::Retrained),
        _ => None,
    }
}
