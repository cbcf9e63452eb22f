//! Instruction sets, found at run time.
//!
//! A [`Dispatch`] is proof that this machine can execute its instructions: only detection makes one,
//! so the kernels may rely on it for safety.

use std::fmt;
use std::str::FromStr;

#[cfg(target_arch = "x86_64")]
use super::x86;

/// Families of kernels, slowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust in 32-bit floats; runs everywhere, uses NEON on aarch64.
    Portable,
    /// AVX2 with fused multiply-add, 32-bit floats.
    Avx2,
    /// AVX-512, 32-bit floats.
    Avx512,
    /// AMX tiles: bfloat16 values, 32-bit sums; the rest in AVX-512.
    AmxBf16,
}

impl Isa {
    /// Every family, slowest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Avx2, Self::Avx512, Self::AmxBf16];

    /// Returns the name taken by `GRIDBENCH_ISA` and printed in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::AmxBf16 => "amx-bf16",
        }
    }

    /// Returns whether activations are stored as bfloat16.
    #[must_use]
    pub fn is_bf16(self) -> bool {
        self == Self::AmxBf16
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a path cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IsaError {
    /// Not a name of a family.
    #[error(
        "unknown instruction set `{0}`, expected `portable`, `avx2`, `avx512` or `amx-bf16`; \
         unset `GRIDBENCH_ISA` to use the fastest"
    )]
    Unknown(String),
    /// This machine lacks the instructions.
    #[error(
        "this machine cannot execute `{wanted}`, its fastest is `{best}`; \
         unset `GRIDBENCH_ISA` or choose another precision"
    )]
    Unavailable {
        /// The family asked for.
        wanted: Isa,
        /// The fastest family here.
        best: Isa,
    },
}

impl FromStr for Isa {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Self, IsaError> {
        Self::ALL
            .into_iter()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| IsaError::Unknown(name.to_owned()))
    }
}

/// An instruction set this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dispatch(Isa);

impl Dispatch {
    /// Returns the path of `isa`.
    ///
    /// # Errors
    /// If this machine lacks the instructions.
    pub fn new(isa: Isa) -> Result<Self, IsaError> {
        if is_available(isa) {
            Ok(Self(isa))
        } else {
            Err(IsaError::Unavailable { wanted: isa, best: Self::fastest().0 })
        }
    }

    /// Returns the fastest path.
    #[must_use]
    pub fn fastest() -> Self {
        let best = Isa::ALL.into_iter().rev().find(|&isa| is_available(isa));
        Self(best.unwrap_or(Isa::Portable))
    }

    /// Returns the fastest path that computes in 32-bit floats.
    #[must_use]
    pub fn fastest_f32() -> Self {
        let best = Isa::ALL.into_iter().rev().find(|&isa| !isa.is_bf16() && is_available(isa));
        Self(best.unwrap_or(Isa::Portable))
    }

    /// Returns every path this machine has, slowest first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        Isa::ALL.into_iter().filter(|&isa| is_available(isa)).map(Self).collect()
    }

    /// Returns the instruction set.
    #[must_use]
    pub fn isa(self) -> Isa {
        self.0
    }
}

/// Returns whether this machine can execute the kernels of `isa`.
#[cfg(target_arch = "x86_64")]
fn is_available(isa: Isa) -> bool {
    match isa {
        Isa::Portable => true,
        Isa::Avx2 => x86::has_avx2(),
        Isa::Avx512 => x86::has_avx512(),
        Isa::AmxBf16 => x86::has_amx(),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn is_available(isa: Isa) -> bool {
    isa == Isa::Portable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_families_correspond() {
        for isa in Isa::ALL {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        let error = "sse9".parse::<Isa>().unwrap_err();
        assert!(error.to_string().contains("`sse9`"));
    }

    #[test]
    fn the_portable_path_exists_everywhere() {
        assert_eq!(Dispatch::new(Isa::Portable).map(Dispatch::isa), Ok(Isa::Portable));
        assert!(Dispatch::all().contains(&Dispatch::fastest()));
        assert!(!Dispatch::fastest_f32().isa().is_bf16());
    }
}
