//! State of members in training, between two epochs.
//!
//! A checkpoint is a convenience: one that is missing, damaged or of another attempt is not used,
//! and the member starts again with the same result.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic;
use super::error::StoreError;
use crate::base::{Digest, MemberId, digest_of};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Header {
    #[serde(rename = "gridbench-checkpoint")]
    version: u32,
    member: MemberId,
    attempt: u32,
    sha256: Digest,
}

fn path(folder: &Path, member: &MemberId) -> PathBuf {
    folder.join("checkpoints").join(format!("{member}.checkpoint"))
}

/// Saves the state of one attempt at a member.
pub(super) fn save(
    folder: &Path,
    member: MemberId,
    attempt: u32,
    state: &[u8],
) -> Result<(), StoreError> {
    let header = Header { version: VERSION, member, attempt, sha256: digest_of(state) };
    let mut bytes = serde_json::to_vec(&header).expect("a header serialises to JSON");
    bytes.push(b'\n');
    bytes.extend_from_slice(state);
    Ok(atomic::write(&path(folder, &member), &bytes)?)
}

/// Returns the state of this attempt at a member, if a usable one is stored.
pub(super) fn load(folder: &Path, member: &MemberId, attempt: u32) -> Option<Vec<u8>> {
    let mut bytes = fs::read(path(folder, member)).ok()?;
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let header: Header = serde_json::from_slice(&bytes[..end]).ok()?;
    let state = bytes.split_off(end + 1);
    let usable = header.version == VERSION
        && header.member == *member
        && header.attempt == attempt
        && header.sha256 == digest_of(&state);
    usable.then_some(state)
}

/// Removes the state of a member, if any. A left-over is harmless, so failure is no error.
pub(super) fn remove(folder: &Path, member: &MemberId) {
    let _ = fs::remove_file(path(folder, member));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_used_by_its_own_attempt_only_and_only_when_whole() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let member = MemberId::from(digest_of(b"member"));
        assert_eq!(load(folder, &member, 1), None);
        save(folder, member, 1, b"weights\nand more").unwrap();
        assert_eq!(load(folder, &member, 1).as_deref(), Some(&b"weights\nand more"[..]));
        assert_eq!(load(folder, &member, 2), None);
        let mut bytes = fs::read(path(folder, &member)).unwrap();
        bytes.pop();
        atomic::write(&path(folder, &member), &bytes).unwrap();
        assert_eq!(load(folder, &member, 1), None);
        remove(folder, &member);
        assert!(!path(folder, &member).exists());
    }
}
