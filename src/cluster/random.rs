//! Random choices of a worker: which lanes it looks at, and whether it stays.

use gridbench_stats::Draws;

/// Numbers that differ between workers; nothing that is measured depends on them.
pub(super) struct Random(Draws);

impl Random {
    pub(super) fn of(name: &str) -> Self {
        let seed = crate::base::seal::Check::of(name.as_bytes()).to_string();
        Self(Draws::new(u64::from_str_radix(&seed, 16).unwrap_or_default()))
    }

    /// Returns a number below `bound`, 0 where that is 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        (((self.0.word() >> 32) * u64::from(bound)) >> 32) as u32
    }
}

/// Returns the greatest number that divides both.
pub(super) fn common_divisor(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { common_divisor(other, one % other) }
}

/// Numbers for what a simulation makes up (`xorshift64*`).
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn of(seed: u64) -> Self {
        let mut draw = Self(seed | 1);
        for _ in 0..8 {
            draw.share();
        }
        draw
    }

    /// Returns a number from 0 to 1.
    pub(super) fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns a number that is nearly normal: the sum of twelve uniform ones.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}
