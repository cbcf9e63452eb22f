//! Random choices of a worker: which lanes it looks at, and whether it stays.

/// Numbers that differ between workers; nothing that is measured depends on them (`SplitMix64`).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(name: &str) -> Self {
        let seed = crate::base::seal::Check::of(name.as_bytes()).to_string();
        Self(u64::from_str_radix(&seed, 16).unwrap_or_default())
    }

    /// Returns a number below `bound`, 0 where that is 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((mixed >> 32) * u64::from(bound) >> 32) as u32
    }
}

/// Returns the greatest number that divides both.
pub(super) fn common_divisor(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { common_divisor(other, one % other) }
}
