//! Weights of finished members, where the run was asked to keep them.
//!
//! One file per member, in the form the engine gives them; this module does not look inside. As with
//! predictions, the journal holds the checksum, and a file that does not match is as good as absent.

use std::path::{Path, PathBuf};

use super::atomic::{self, Durability};
use super::error::StoreError;
use super::inside;
use crate::base::{Digest, MemberId, digest_of};

fn path(folder: &Path, member: &MemberId) -> PathBuf {
    folder.join("weights").join(format!("{member}.safetensors"))
}

/// Writes the weights of a member and returns their checksum.
pub(super) fn write(
    folder: &Path,
    member: &MemberId,
    bytes: &[u8],
    durability: Durability,
) -> Result<Digest, StoreError> {
    atomic::write_with(&path(folder, member), bytes, durability)?;
    Ok(digest_of(bytes))
}

/// Reads the weights of a member and holds them against their checksum.
pub(super) fn read(
    folder: &Path,
    member: &MemberId,
    checksum: Option<&Digest>,
) -> Result<Vec<u8>, StoreError> {
    let problem = |problem: String| StoreError::Weights { member: *member, problem };
    let expected =
        *checksum.ok_or_else(|| problem("the run that trained it kept none".to_owned()))?;
    let path = path(folder, member);
    let bytes = inside::read(&path)
        .map_err(|error| problem(format!("cannot read `{}`: {error}", path.display())))?;
    let found = digest_of(&bytes);
    if found != expected {
        return Err(problem(format!(
            "the checksum of `{}` is {found}, the journal says {expected}",
            path.display()
        )));
    }
    Ok(bytes)
}
