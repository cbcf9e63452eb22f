//! Mutates what the reader `tables-parquet` is given.
#![no_main]

#[path = "../readers.rs"]
#[expect(dead_code, reason = "each target runs one reader")]
mod readers;

/// polars panics at damaged footers, which the reader takes for a refusal; libFuzzer would end at any panic. One
/// that leaves the reader still ends it.
static QUIET: std::sync::Once = std::sync::Once::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    readers::tables_parquet(bytes);
});
