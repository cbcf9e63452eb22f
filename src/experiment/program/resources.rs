//! What one program needs of the machine.

use serde::{Deserialize, Serialize};

/// `trainer.resources`: what one program needs of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Resources {
    /// Processor cores.
    pub cores: u32,
    /// GPUs, which it is told by `CUDA_VISIBLE_DEVICES`; absent: it is told nothing of GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
    /// Bytes of memory; absent: it is not asked how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

impl Resources {
    /// Returns what of them decides a trial: the GPUs that the program sees.
    pub(super) fn meaning(self) -> Option<Self> {
        self.gpus.map(|gpus| Self { cores: 1, gpus: Some(gpus), memory: None })
    }
}

/// Units of memory and their bytes.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Returns the bytes that a text such as `2 GiB` or `500 MB` means; nothing where it means none, or not
/// a whole one.
pub(crate) fn bytes_of(text: &str) -> Option<u64> {
    const MAX: f64 = (1u64 << 50) as f64;
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let value: f64 = text[..end].parse().ok()?;
    let unit = text[end..].trim();
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let bytes = value * factor as f64;
    (1.0..=MAX).contains(&bytes).then_some(bytes as u64)
}

/// Writes bytes as people say them.
pub(crate) fn shown_bytes(bytes: u64) -> String {
    let units = UNITS[..4].iter();
    let (name, factor) = units.clone().find(|(_, factor)| bytes >= *factor).unwrap_or(&UNITS[8]);
    let value = bytes as f64 / *factor as f64;
    let text = format!("{value:.1}");
    format!("{} {name}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_number_and_its_unit() {
        assert_eq!(bytes_of("2 GiB"), Some(2_147_483_648));
        assert_eq!(bytes_of(" 1.5MiB "), Some(1_572_864));
        assert_eq!(bytes_of("500 MB"), Some(500_000_000));
        for wrong in ["2", "GiB", "2 G", "-1 GiB", "0 GiB", "1e9 TiB", "1..2 GiB", "9999 TiB"] {
            assert_eq!(bytes_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bytes_are_shown_in_the_largest_unit_that_they_fill() {
        for (bytes, shown) in [(2 << 30, "2 GiB"), (1_572_864, "1.5 MiB"), (12, "12 B")] {
            assert_eq!(shown_bytes(bytes), shown);
        }
    }
}
