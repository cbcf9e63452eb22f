//! Which of its numerical paths the CPU takes.

use std::fmt;
use std::str::FromStr;

use dfdx::tensor::Cpu;

use super::network::Network;
use super::portable::{Backend, PortableNetwork};
use super::{EngineError, TrainJob, fused};
use crate::data::ImageShape;
use crate::experiment::settings::{Precision, Settings, TrainerSettings};
use gridbench_kernels::{Dispatch, Isa, IsaError};

/// What computes on the CPU; `GRIDBENCH_ISA` chooses one by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CpuKernels {
    /// The fastest hand-written kernels of this machine in the precision asked for, and dfdx's
    /// operations for networks these cannot do.
    #[default]
    Auto,
    /// The hand-written kernels of one instruction set, whatever else the machine has.
    Forced(Isa),
    /// dfdx's operations alone.
    Dfdx,
}

impl fmt::Display for CpuKernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Forced(isa) => f.write_str(isa.name()),
            Self::Dfdx => f.write_str("dfdx"),
        }
    }
}

impl FromStr for CpuKernels {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Self, IsaError> {
        match name {
            "auto" => Ok(Self::Auto),
            "dfdx" => Ok(Self::Dfdx),
            isa => isa.parse().map(Self::Forced),
        }
    }
}

impl CpuKernels {
    /// Returns what computes under these settings: `trainer.engine = "dfdx"` means dfdx's
    /// operations, whatever else was chosen.
    pub(crate) fn of(self, settings: &Settings) -> Self {
        match settings.trainer {
            TrainerSettings::DfdxOnly => Self::Dfdx,
            _ => self,
        }
    }

    /// Returns the path of a precision, or nothing for dfdx's operations.
    ///
    /// `Precision::Auto` means 32-bit floats: a file then gives comparable numbers on machines with
    /// and without AMX.
    ///
    /// # Errors
    /// If this machine lacks the instructions, or kernels and precision contradict each other.
    pub(crate) fn path(self, precision: Precision) -> Result<Option<Dispatch>, EngineError> {
        let refused = |error: IsaError| EngineError::Unsupported(error.to_string());
        let isa = match (self, precision) {
            (Self::Dfdx, Precision::Bf16) => {
                return Err(EngineError::Unsupported(
                    "dfdx's operations do not compute in bf16; set `train.precision` to \"f32\", or \
                     use neither `trainer.engine = \"dfdx\"` nor `GRIDBENCH_ISA=dfdx`"
                        .to_owned(),
                ));
            }
            (Self::Dfdx, _) => return Ok(None),
            (Self::Auto, Precision::Bf16) => Isa::AmxBf16,
            (Self::Auto, _) => return Ok(Some(Dispatch::fastest_f32())),
            (Self::Forced(isa), precision) => {
                let is_at_odds = match precision {
                    Precision::Auto => false,
                    Precision::F32 => isa.is_bf16(),
                    Precision::Bf16 => !isa.is_bf16(),
                };
                if is_at_odds {
                    return Err(EngineError::Unsupported(format!(
                        "the kernels `{isa}` do not compute in the precision that \
                         `train.precision` names; unset `GRIDBENCH_ISA` or set the precision to \
                         \"auto\""
                    )));
                }
                isa
            }
        };
        Dispatch::new(isa).map(Some).map_err(refused)
    }

    /// Returns the multiply-accumulates per second to expect of a training on one core: about half
    /// of what a server of 2023 shows, so that estimates err on the long side.
    pub(crate) fn assumed_rate(self, settings: &Settings) -> f64 {
        match self.of(settings).path(settings.train.precision).ok().flatten().map(Dispatch::isa) {
            None | Some(Isa::Portable) => 4e9,
            Some(isa) if isa.is_bf16() => 1e11,
            Some(_) => 25e9,
        }
    }

    /// Returns what the manifest says of the CPU.
    pub(super) fn description(self) -> String {
        match self.path(Precision::Auto) {
            Ok(Some(path)) => format!("cpu, {}", fused::path_name(path)),
            Ok(None) => format!("cpu, {}", Cpu::PATH),
            Err(error) => format!("cpu, unusable: {error}"),
        }
    }

    /// Returns the numerical path of a network under these settings; absent where there is none.
    pub(super) fn path_of(
        self,
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
    ) -> Option<String> {
        let precision = settings.train.precision;
        match self.of(settings).path(precision) {
            Ok(Some(path)) if fused::has_kernels(settings, shape, classes) => {
                Some(fused::path_name(path))
            }
            Ok(_) if precision != Precision::Bf16 => Some(Cpu::PATH.to_owned()),
            _ => None,
        }
    }

    /// Builds the network of one job, or of a pack that agrees in architecture and optimizer.
    ///
    /// A network the kernels cannot do, and every pack, gets dfdx's operations; its path says so.
    pub(super) fn network(self, jobs: &[TrainJob<'_>]) -> Result<Box<dyn Network>, EngineError> {
        let first = &jobs[0];
        let (shape, classes) = (first.dataset.shape, first.dataset.classes.len());
        let precision = first.settings.train.precision;
        if let ([job], Some(path)) = (jobs, self.of(first.settings).path(precision)?) {
            match fused::build(
                path,
                job.settings,
                shape,
                classes,
                job.seed_path,
                job.largest_batch(),
            ) {
                Err(EngineError::Unsupported(_)) if precision != Precision::Bf16 => {}
                built => return built,
            }
        }
        if precision == Precision::Bf16 {
            return Err(EngineError::Unsupported(
                "packs are not trained in bf16; use \"auto\" or \"f32\"".to_owned(),
            ));
        }
        Ok(Box::new(PortableNetwork::of_jobs(Cpu::default(), jobs)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{dense, every_layer, job, quarters, settings, splits};
    use super::*;
    use crate::experiment::layers::{LayerSettings, NormStatistics};

    const NORM: LayerSettings = LayerSettings::BatchNorm {
        momentum: 0.9,
        epsilon: 1e-3,
        statistics: NormStatistics::Running,
    };

    #[test]
    fn kernels_are_read_from_their_names() {
        for name in ["auto", "dfdx", "portable", "avx2", "avx512", "amx-bf16"] {
            assert_eq!(name.parse::<CpuKernels>().unwrap().to_string(), name);
        }
        assert!("fast".parse::<CpuKernels>().is_err());
    }

    #[test]
    fn a_precision_the_forced_kernels_lack_is_an_error() {
        let portable = CpuKernels::Forced(Isa::Portable);
        assert!(portable.path(Precision::Bf16).is_err());
        assert!(CpuKernels::Forced(Isa::AmxBf16).path(Precision::F32).is_err());
        assert!(CpuKernels::Dfdx.path(Precision::Bf16).is_err());
        assert_eq!(portable.path(Precision::F32).unwrap().map(Dispatch::isa), Some(Isa::Portable));
    }

    #[test]
    fn a_network_without_kernels_falls_back_to_dfdx_and_says_so() {
        let (dataset, splits) = (quarters(20), splits(20));
        let path = |layers| {
            let settings = settings(layers);
            let network = CpuKernels::Auto.network(&[job(&settings, &dataset, &splits, 0)]);
            let path = network.unwrap().path();
            let foretold = CpuKernels::Auto.path_of(&settings, dataset.shape, 4);
            assert_eq!(foretold.as_ref(), Some(&path));
            path
        };
        assert!(path(every_layer()).starts_with("fused "));
        assert_eq!(path(vec![LayerSettings::Flatten, NORM, dense(None)]), "dfdx f32");
    }

    #[test]
    fn an_experiment_that_names_dfdx_gets_its_operations_whatever_kernels_are_chosen() {
        let (dataset, splits) = (quarters(20), splits(20));
        let mut settings = settings(every_layer());
        settings.trainer = TrainerSettings::DfdxOnly;
        for kernels in [CpuKernels::Auto, CpuKernels::Forced(Isa::Portable)] {
            let network = kernels.network(&[job(&settings, &dataset, &splits, 0)]).unwrap();
            assert_eq!(network.path(), "dfdx f32");
        }
    }
}
