//! What a line of a journal says.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

use crate::base::seal::Check;
use crate::base::{Digest, MemberId, SeedPath};
use crate::record::{MemberRecord, MemberSummary, Outcome, TrialRecord};
use crate::store::manifest::ManifestDraft;
use crate::store::origin::{Build, Machine, Repository, Session};

/// Format version of journals.
pub(in crate::store) const VERSION: u32 = 2;
/// Name of the format.
pub(in crate::store) const FORMAT: &str = "gridbench-journal";

/// The first line of a journal: what writes the others, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::store) struct Header {
    format: String,
    version: u32,
    /// Name of this journal and of the files that belong to it, whatever the file is called now.
    pub(in crate::store) journal: String,
    /// When its process began, RFC 3339.
    started: String,
    /// Device and numerical path, as the engine describes itself.
    engine: String,
    build: Build,
    machine: Machine,
    /// Which start of the machine's kernel, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::store) boot: Option<String>,
    /// The user's repository that holds the experiment file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository: Option<Repository>,
}

impl Header {
    /// Returns the header of a journal of this name that `session` writes.
    pub(in crate::store) fn new(journal: String, session: Session, boot: Option<String>) -> Self {
        let Session { started, build, machine, engine, repository } = session;
        let format = FORMAT.to_owned();
        Self {
            format,
            version: VERSION,
            journal,
            started,
            engine,
            build,
            machine,
            boot,
            repository,
        }
    }

    /// Returns what wrote the entries of the journal.
    pub(in crate::store) fn session(self) -> Session {
        let Self { started, engine, build, machine, repository, .. } = self;
        Session { started, build, machine, engine, repository }
    }
}

/// One line of a journal, to be written. Nothing is present in a sign of life.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::store) struct Entry {
    /// One attempt at a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) member: Option<MemberRecord>,
    /// Where the member's predictions are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) predictions: Option<Stored>,
    /// SHA-256 of the member's weights file, where weights are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) weights: Option<Digest>,
    /// How often the finished member was trained again because its files were lost.
    #[serde(skip_serializing_if = "is_zero")]
    pub(in crate::store) repair: u32,
    /// One scored or failed trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) trial: Option<TrialRecord>,
    /// What the trial was made from: one mark per member, see [`View::marks`](crate::store::View::marks).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::store) from: Vec<Check>,
    /// What is asked of the folder from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) run: Option<Box<Run>>,
    /// A batch of a round of work that the process takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) claim: Option<String>,
    /// A batch that the process took before and has settled or left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) settled: Option<String>,
    /// The process writes no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::store) ended: Option<Ended>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What is asked of a folder, where that is not what its manifest says: the experiment was edited,
/// or a gate asked for more repeats. Always the second line of its journal, so that the manifest
/// can be completed without reading whole journals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Run {
    /// The highest counts.
    pub revision: u64,
    /// What is asked.
    pub asked: ManifestDraft,
}

/// A process came to its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::store) struct Ended {}

/// Where predictions are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// In a file of their own with this digest: version 1.
    File(Digest),
    /// A part of the file that belongs to the journal.
    Part(Part),
}

/// A part of a file that is appended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Part {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
    /// Their checksum.
    pub check: Check,
}

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::File(digest) => digest.serialize(serializer),
            Self::Part(part) => part.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StoredVisitor;

        impl<'de> Visitor<'de> for StoredVisitor {
            type Value = Stored;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest, or offset, length and check")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Stored, E> {
                text.parse().map(Stored::File).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Stored, A::Error> {
                Part::deserialize(de::value::MapAccessDeserializer::new(map)).map(Stored::Part)
            }
        }

        deserializer.deserialize_any(StoredVisitor)
    }
}

/// One line of a journal, read: the epochs of a member stay text, which most readers never need.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::store) struct ReadEntry<'a> {
    #[serde(default, borrow)]
    pub(in crate::store) member: Option<ReadMember<'a>>,
    #[serde(default)]
    pub(in crate::store) predictions: Option<Stored>,
    #[serde(default)]
    pub(in crate::store) weights: Option<Digest>,
    #[serde(default)]
    pub(in crate::store) repair: u32,
    #[serde(default)]
    pub(in crate::store) trial: Option<TrialRecord>,
    #[serde(default)]
    pub(in crate::store) from: Vec<Check>,
    #[serde(default)]
    pub(in crate::store) run: Option<Box<Run>>,
    /// Version 1.
    #[serde(default)]
    pub(in crate::store) session: Option<Session>,
}

/// The line of a journal, read for what its process took from a round of work alone.
#[derive(Debug, Default, Deserialize)]
pub(in crate::store) struct ClaimsOf {
    #[serde(default)]
    pub(in crate::store) claim: Option<String>,
    #[serde(default)]
    pub(in crate::store) settled: Option<String>,
}

/// A member record whose epochs are text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::store) struct ReadMember<'a> {
    pub(in crate::store) id: MemberId,
    pub(in crate::store) seed_path: SeedPath,
    pub(in crate::store) attempt: u32,
    pub(in crate::store) outcome: Outcome,
    #[serde(default)]
    pub(in crate::store) reason: Option<String>,
    #[serde(borrow)]
    pub(in crate::store) epochs: &'a RawValue,
    #[serde(default)]
    pub(in crate::store) summary: Option<MemberSummary>,
}

/// The line of a member, read for its epochs alone.
#[derive(Debug, Deserialize)]
pub(in crate::store) struct EpochsOf {
    pub(in crate::store) member: EpochsOfMember,
}

/// The epochs of a member.
#[derive(Debug, Deserialize)]
pub(in crate::store) struct EpochsOfMember {
    pub(in crate::store) id: MemberId,
    pub(in crate::store) epochs: Vec<crate::record::EpochRecord>,
}
