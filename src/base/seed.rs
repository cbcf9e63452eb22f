//! Seeds and random streams: counter-based generators keyed by what they are for.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::id::ContentHasher;

/// The generator behind every random choice: `ChaCha` with 8 rounds, portable to the bit.
pub(crate) type StreamRng = ChaCha8Rng;

/// A master seed, as typed under `seed` in the experiment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// What a random stream is used for; streams of different purpose never share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stream {
    /// Initial weights.
    Init,
    /// Order of the training images, per epoch.
    Shuffle,
    /// Augmentation of images, per epoch and image.
    Augment,
    /// Dropout masks, per step.
    Dropout,
    /// Which images go to which split.
    Split,
    /// Which cells a sampled grid holds.
    Sample,
    /// Curves of the fake engine.
    Fake,
    /// The seed that a program of the user is given.
    Program,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Shuffle => "shuffle",
            Self::Augment => "augment",
            Self::Dropout => "dropout",
            Self::Split => "split",
            Self::Sample => "sample",
            Self::Fake => "fake",
            Self::Program => "program",
        }
    }
}

/// Where in an experiment a random choice is made.
///
/// `repeat` and `member` are absent for choices shared by all trials or by all members of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeedPath {
    /// The master seed.
    pub master: Seed,
    /// Index of the repeat within its cell, from 0.
    pub repeat: Option<u32>,
    /// Index of the member within its ensemble, from 0.
    pub member: Option<u32>,
}

impl SeedPath {
    /// Returns the path of choices shared by the whole experiment.
    pub(crate) fn experiment(master: Seed) -> Self {
        Self { master, repeat: None, member: None }
    }

    /// Returns the path of one member of one repeat.
    #[must_use]
    pub fn member(master: Seed, repeat: u32, member: u32) -> Self {
        Self { master, repeat: Some(repeat), member: Some(member) }
    }

    /// Returns 32 bytes that depend on the path, the stream and `counter` (an epoch, a step, …).
    pub(crate) fn key(&self, stream: Stream, counter: u64) -> [u8; 32] {
        self.keys(stream)(counter)
    }

    /// Returns [`SeedPath::key`] as a function of the counter: path and stream are hashed once.
    fn keys(&self, stream: Stream) -> impl Fn(u64) -> [u8; 32] + use<> {
        let index = |part: Option<u32>| part.map_or(u64::MAX, u64::from).to_le_bytes();
        let mut hasher = ContentHasher::new();
        hasher
            .part("master", &self.master.0.to_le_bytes())
            .part("repeat", &index(self.repeat))
            .part("member", &index(self.member))
            .part("stream", stream.name().as_bytes());
        move |counter| *hasher.clone().part("counter", &counter.to_le_bytes()).finish().bytes()
    }

    /// Returns [`SeedPath::word`] as a function of the counter, for many words of one stream.
    pub(crate) fn words(&self, stream: Stream) -> impl Fn(u64) -> u64 + use<> {
        let key = self.keys(stream);
        move |counter| {
            let key = key(counter);
            u64::from_le_bytes(std::array::from_fn(|at| key[at]))
        }
    }

    /// Returns the generator of one stream at `counter`.
    pub(crate) fn rng(&self, stream: Stream, counter: u64) -> StreamRng {
        StreamRng::from_seed(self.key(stream, counter))
    }

    /// Returns a 64-bit key of one stream at `counter`, for counter hashes in kernels.
    pub(crate) fn word(&self, stream: Stream, counter: u64) -> u64 {
        self.words(stream)(counter)
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn a_stream_depends_on_every_part_of_its_path() {
        let path = SeedPath::member(Seed(42), 1, 2);
        let first = |path: SeedPath, stream, counter| path.rng(stream, counter).next_u64();
        let reference = first(path, Stream::Init, 0);
        assert_eq!(reference, first(path, Stream::Init, 0));
        for other in [
            first(SeedPath::member(Seed(43), 1, 2), Stream::Init, 0),
            first(SeedPath::member(Seed(42), 0, 2), Stream::Init, 0),
            first(SeedPath::member(Seed(42), 1, 0), Stream::Init, 0),
            first(SeedPath { member: None, ..path }, Stream::Init, 0),
            first(path, Stream::Shuffle, 0),
            first(path, Stream::Init, 1),
        ] {
            assert_ne!(reference, other);
        }
    }
}
