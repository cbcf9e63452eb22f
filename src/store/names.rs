//! Names of writers: no two processes, on whatever machines, have the same.

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::OnceLock;

use crate::base::to_file_name;

/// Longest part of a name that says which machine.
const MAX_HOST: usize = 40;

/// Returns the name of this process: `<host>-<process>-<random>`. It stands in the names of its
/// journals and of its temporary files, and holds no dot.
///
/// The random part tells apart what hosts and process numbers do not: in containers every process
/// may be number 1 of a host named alike.
pub(super) fn this_process() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let random = RandomState::new().build_hasher().finish();
        format!("{}-{}-{:012x}", host(), std::process::id(), random >> 16)
    })
}

/// Returns the name of this machine as far as it can stand in a file's name.
pub(super) fn host() -> String {
    let known = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    to_file_name(known.trim(), MAX_HOST).unwrap_or_else(|| "host".to_owned()).replace('.', "-")
}

/// Returns what tells this start of this machine's kernel from any other, where it says so.
pub(super) fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::is_file_name;

    #[test]
    fn a_process_has_one_name_that_is_a_file_name_without_dots() {
        let name = this_process();
        assert_eq!(name, this_process());
        assert!(is_file_name(name) && !name.contains('.'), "{name}");
        assert!(name.contains(&format!("-{}-", std::process::id())), "{name}");
    }
}
