//! The datasets that have a name: their files, where to get them and how to know them.
//!
//! MNIST is pinned by the SHA-256 of its unpacked files, since mirrors compress them differently.
//! For Fashion-MNIST and KMNIST no digest of the unpacked files is published; they are pinned by the
//! SHA-256 of the packed files that TensorFlow Datasets records for the authors' own servers (of the
//! lengths and under the addresses that torchvision pins by MD5). An unpacked Fashion-MNIST or
//! KMNIST file is therefore checked for its counts alone, unless the user pins a digest when fetching.

use crate::base::Digest;

/// A published dataset of four IDX files.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownSet {
    /// Name in experiment files and on the command line.
    pub(super) name: &'static str,
    /// Folders, below a data root, that may hold it: our own first, then torchvision's.
    pub(super) folders: [&'static str; 2],
    /// Class names in label order.
    pub(super) classes: [&'static str; 10],
    /// Who made it, and the terms.
    pub(super) licence: &'static str,
    /// The publication's page.
    pub(super) origin: &'static str,
    /// Addresses that files are appended to, the most dependable first.
    pub(super) mirrors: &'static [&'static str],
    /// Training images and labels, test images and labels.
    pub(super) files: [KnownFile; 4],
}

/// One of the four files.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownFile {
    /// Name without `.gz`.
    pub(super) name: &'static str,
    /// Images (or labels) in it.
    pub(super) images: usize,
    /// How to know it.
    pub(super) pin: Pin,
}

impl KnownFile {
    /// Returns the size of the file once unpacked: its header, and one byte per pixel or label.
    pub(super) fn unpacked_bytes(self) -> u64 {
        let images = self.images as u64;
        if self.name.contains("images") { 16 + images * (SIDE * SIDE) as u64 } else { 8 + images }
    }
}

/// The digest a file must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pin {
    /// SHA-256 of the content once unpacked, in hexadecimal digits.
    Unpacked(&'static str),
    /// SHA-256 of the `.gz` file, in hexadecimal digits.
    Packed(&'static str),
}

impl Pin {
    pub(super) fn digest(self) -> Digest {
        let (Self::Unpacked(text) | Self::Packed(text)) = self;
        text.parse().expect("pinned digests are 64 hexadecimal digits")
    }
}

/// Names of the four IDX files, in the order of [`KnownSet::files`].
pub(super) const IDX_FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Side of every known image.
pub(super) const SIDE: usize = 28;

const COUNTS: [usize; 4] = [60_000, 60_000, 10_000, 10_000];

const fn files(pins: [Pin; 4]) -> [KnownFile; 4] {
    let mut files = [KnownFile { name: "", images: 0, pin: pins[0] }; 4];
    let mut index = 0;
    while index < 4 {
        files[index] =
            KnownFile { name: IDX_FILES[index], images: COUNTS[index], pin: pins[index] };
        index += 1;
    }
    files
}

const DIGIT_NAMES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

static KNOWN: [KnownSet; 3] = [
    KnownSet {
        name: "mnist",
        folders: ["mnist", "MNIST/raw"],
        classes: DIGIT_NAMES,
        licence: "Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0",
        origin: "http://yann.lecun.com/exdb/mnist/",
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        files: files([
            Pin::Unpacked("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            Pin::Unpacked("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            Pin::Unpacked("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            Pin::Unpacked("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ]),
    },
    KnownSet {
        name: "fashion-mnist",
        folders: ["fashion-mnist", "FashionMNIST/raw"],
        classes: [
            "T-shirt/top",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ],
        licence: "Zalando SE; MIT",
        origin: "https://github.com/zalandoresearch/fashion-mnist",
        mirrors: &[
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ],
        files: files([
            Pin::Packed("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            Pin::Packed("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            Pin::Packed("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            Pin::Packed("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ]),
    },
    KnownSet {
        name: "kmnist",
        folders: ["kmnist", "KMNIST/raw"],
        classes: ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        licence: "CODH, after NIJL and others, doi:10.20676/00000341; CC BY-SA 4.0",
        origin: "http://codh.rois.ac.jp/kmnist/",
        mirrors: &[
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ],
        files: files([
            Pin::Packed("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            Pin::Packed("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            Pin::Packed("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            Pin::Packed("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ]),
    },
];

impl KnownSet {
    /// Returns every known set.
    pub(super) fn all() -> &'static [Self] {
        &KNOWN
    }

    /// Returns the set called `name`.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KNOWN.iter().find(|set| set.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_a_digest_of_its_own() {
        let mut pins: Vec<Digest> =
            KNOWN.iter().flat_map(|set| set.files).map(|file| file.pin.digest()).collect();
        pins.sort_unstable();
        pins.dedup();
        assert_eq!(pins.len(), 12);
    }

    #[test]
    fn every_set_has_a_second_mirror_and_addresses_that_end_in_a_slash() {
        for set in KnownSet::all() {
            assert!(set.mirrors.len() >= 2, "{}", set.name);
            assert!(set.mirrors.iter().all(|mirror| mirror.ends_with('/')), "{}", set.name);
            assert!(set.mirrors[0].starts_with("https://"), "{}", set.name);
        }
    }
    #[test]
    fn known_files_are_as_large_as_their_images_and_labels() {
        // gzip -dc train-images-idx3-ubyte.gz | wc -c, and so on, of MNIST.
        let sizes = KNOWN[0].files.map(KnownFile::unpacked_bytes);
        assert_eq!(sizes, [47_040_016, 60_008, 7_840_016, 10_008]);
    }
}
