//! Mutates what the reader `program` is given.
#![no_main]

#[path = "../readers.rs"]
#[expect(dead_code, reason = "each target runs one reader")]
mod readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| readers::program(bytes));
