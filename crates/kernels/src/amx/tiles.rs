//! The tile unit: its configuration and the two products the kernels are made of.
//!
//! Tiles 0–3 are sums, 4 and 5 hold rows of the left factor, 6 and 7 of the right. All are 16 rows
//! of 64 bytes. The compiler knows nothing of tile registers, so it never moves or spills them;
//! whoever uses them holds a [`Unit`].
#![expect(unsafe_code, reason = "AMX instructions, which Rust has no stable intrinsics for")]
#![expect(clippy::unused_self, reason = "a unit is a proof, it holds nothing")]

use std::arch::asm;

use half::bf16;

/// Proof that the tile unit is configured; releases it at the end.
pub(super) struct Unit(());

/// Memory image of the tile configuration (Intel SDM, `LDTILECFG`).
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes_per_row: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = {
    let mut bytes_per_row = [0; 16];
    let mut rows = [0; 16];
    let mut tile = 0;
    while tile < 8 {
        bytes_per_row[tile] = 64;
        rows[tile] = 16;
        tile += 1;
    }
    Configuration { palette: 1, start_row: 0, reserved: [0; 14], bytes_per_row, rows }
};

impl Unit {
    /// Configures the tile unit.
    ///
    /// # Safety
    /// The machine has AMX with bfloat16 and the process may use it, as an AMX `Dispatch` proves.
    pub(super) unsafe fn configure() -> Self {
        // SAFETY: the configuration is a valid one of palette 1.
        unsafe {
            asm!(
                "ldtilecfg [{0}]",
                in(reg) &raw const CONFIGURATION,
                options(nostack, readonly, preserves_flags)
            );
        }
        Self(())
    }

    /// Clears the four sums.
    #[inline(always)]
    pub(super) fn clear(&self) {
        // SAFETY: the unit is configured.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                options(nostack, nomem, preserves_flags)
            );
        }
    }

    /// Adds (rows of `left` × 32) · (32 × 32 columns of `right`) to the sums: tiles 0 and 1 are
    /// the first 16 rows, 2 and 3 the next 16.
    ///
    /// # Safety
    /// 16 rows of 64 bytes are readable at each `left`, `step` bytes apart, and two packed tiles
    /// at `right`.
    #[inline(always)]
    pub(super) unsafe fn multiply(&self, left: [*const bf16; 2], step: usize, right: *const bf16) {
        // Loads just before their first use: up to 7 % faster than all loads first where rows lie
        // apart.
        // SAFETY: the unit is configured; the rest is the caller's promise.
        unsafe {
            asm!(
                "tileloadd tmm6, [{r} + {l}]",
                "tileloadd tmm4, [{p} + {s}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm7, [{r} + {l} + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{q} + {s}]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                p = in(reg) left[0],
                q = in(reg) left[1],
                s = in(reg) step,
                r = in(reg) right,
                l = in(reg) 64_usize,
                options(nostack, readonly, preserves_flags)
            );
        }
    }

    /// Stores the four sums, 16 × 16 values each, one after another.
    #[inline(always)]
    pub(super) fn store(&self, to: &mut Sums) {
        // SAFETY: the unit is configured; the sums hold four tiles.
        unsafe {
            asm!(
                "tilestored [{o} + {l}], tmm0",
                "tilestored [{o} + {l} + 1024], tmm1",
                "tilestored [{o} + {l} + 2048], tmm2",
                "tilestored [{o} + {l} + 3072], tmm3",
                o = in(reg) to.0.as_mut_ptr(),
                l = in(reg) 64_usize,
                options(nostack, preserves_flags)
            );
        }
    }

    /// Loads the four sums from a matrix with rows of `step` bytes.
    ///
    /// # Safety
    /// 32 rows of 32 values are readable at `from`.
    #[inline(always)]
    pub(super) unsafe fn load_matrix(&self, from: *const f32, step: usize) {
        // SAFETY: the unit is configured; the rest is the caller's promise.
        unsafe {
            asm!(
                "tileloadd tmm0, [{a} + {s}]",
                "tileloadd tmm1, [{a} + {s} + 64]",
                "tileloadd tmm2, [{b} + {s}]",
                "tileloadd tmm3, [{b} + {s} + 64]",
                a = in(reg) from,
                b = in(reg) from.byte_add(16 * step),
                s = in(reg) step,
                options(nostack, readonly, preserves_flags)
            );
        }
    }

    /// Stores the four sums to a matrix with rows of `step` bytes.
    ///
    /// # Safety
    /// 32 rows of 32 values are writable at `to`.
    #[inline(always)]
    pub(super) unsafe fn store_matrix(&self, to: *mut f32, step: usize) {
        // SAFETY: the unit is configured; the rest is the caller's promise.
        unsafe {
            asm!(
                "tilestored [{a} + {s}], tmm0",
                "tilestored [{a} + {s} + 64], tmm1",
                "tilestored [{b} + {s}], tmm2",
                "tilestored [{b} + {s} + 64], tmm3",
                a = in(reg) to,
                b = in(reg) to.byte_add(16 * step),
                s = in(reg) step,
                options(nostack, preserves_flags)
            );
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // SAFETY: the unit is configured, and nobody needs its tiles any more.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) }
    }
}

/// Four stored tiles of sums.
#[repr(C, align(64))]
pub(super) struct Sums(pub(super) [f32; 1024]);

/// Multiplies `rounds` times four tiles that stay where they are.
pub(super) fn multiply_in_place(rounds: usize) {
    // SAFETY: only AMX paths come here; the products read and write tiles alone.
    unsafe {
        let unit = Unit::configure();
        unit.clear();
        for _ in 0..rounds {
            asm!(
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm3, tmm5, tmm7",
                options(nostack, nomem, preserves_flags)
            );
        }
    }
}
