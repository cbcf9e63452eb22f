//! Which instructions this x86-64 machine has.
#![expect(unsafe_code, reason = "the system call that unlocks the tile registers")]

#[cfg(target_os = "linux")]
use std::sync::OnceLock;

/// Returns whether there is AVX2, with fused multiply-add.
pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Returns whether there is AMX with bfloat16, and AVX-512 beside it.
pub(super) fn has_amx() -> bool {
    has_avx512() && is_x86_feature_detected!("avx512bf16") && tiles_are_unlocked()
}

/// Returns whether there is every part of AVX-512 that the kernels use.
pub(super) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("fma")
}

/// Returns whether the machine has AMX with bfloat16 and the kernel let this process use it.
///
/// Intel SDM: CPUID leaf 7 edx bit 22 is AMX-BF16, bit 24 AMX-TILE. Linux 5.16 and later hand out
/// the tile state on request; threads started later inherit it, so this is asked once.
#[cfg(target_os = "linux")]
fn tiles_are_unlocked() -> bool {
    static UNLOCKED: OnceLock<bool> = OnceLock::new();
    *UNLOCKED.get_or_init(|| {
        use std::arch::x86_64::{__cpuid, __cpuid_count};
        if __cpuid(0).eax < 7 {
            return false;
        }
        let features = __cpuid_count(7, 0).edx;
        let (bf16, tile) = (features >> 22 & 1 == 1, features >> 24 & 1 == 1);
        bf16 && tile && request_tile_state()
    })
}

#[cfg(not(target_os = "linux"))]
fn tiles_are_unlocked() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn request_tile_state() -> bool {
    const ARCH_PRCTL: u64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let status: i64;
    // SAFETY: a system call that touches no memory of ours; the kernel clobbers rcx and r11.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => status,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    status == 0
}
