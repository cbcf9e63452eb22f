//! The program `bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gridbench::cli::main()
}
