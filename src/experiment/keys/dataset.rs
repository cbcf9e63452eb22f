//! Keys of `[dataset]`.

use super::Shape::{Between, Either, Flag, Indices, List, Table, Text, Whole, WholeWithin, Words};
use super::{Key, Shape, key};

/// A part of the images: a fraction, a number of them or a range.
const SHARE: Shape = Either(&[Between(0.0, 1.0), Whole(1), Indices(2)]);
/// The same, or none.
const SHARE_OR_NONE: Shape = Either(&[Between(0.0, 1.0), Whole(0), Indices(2)]);

/// How much a file may hold; factors of a mebibyte must not overflow.
const LIMIT: Shape = WholeWithin(1, 1_000_000_000);

/// Keys of `[dataset]`.
pub(super) const KEYS: &[Key] = &[
    key(
        "dataset.source",
        Words(&["digits", "mnist", "fashion-mnist", "kmnist", "idx", "csv", "folder", "synthetic"]),
        "text",
        "required",
        "`digits` (embedded, 1,797 images of 8×8), `mnist`, `fashion-mnist`, `kmnist`, `idx`, `csv`, `folder`, `synthetic`",
    ),
    key(
        "dataset.path",
        Text,
        "text",
        "required for `idx`, `csv`, `folder`",
        "Folder of the IDX files, CSV file of the training images (`.tsv` and `.gz` too), or folder that holds one folder of images per class. A relative path is looked for beside the experiment file first, then in the current folder, then in the data folders",
    ),
    key(
        "dataset.test-path",
        Text,
        "text",
        "none",
        "`csv`, `folder`: a second labelled file, or folder of the same classes, used as the test images. Columns of a table are matched by name",
    ),
    key("dataset.label", Text, "text", "`\"label\"`", "`csv` only: name of the label column"),
    key(
        "dataset.label-kind",
        Words(&["auto", "number", "text"]),
        "`\"auto\"`, `\"number\"` or `\"text\"`",
        "`\"auto\"`",
        "`csv` only: whether labels are whole numbers (`7`, `07` and `7.0` are one class) or names; `auto`: numbers if more than half of them are. The classes are the labels there are",
    ),
    key(
        "dataset.ignore-columns",
        Either(&[Text, List(&Text)]),
        "text or list of texts",
        "none",
        "`csv` only: columns that are neither label nor pixels, for example an index",
    ),
    key(
        "dataset.images",
        WholeWithin(1, 1_000_000),
        "whole number, 1 to 1000000",
        "1000",
        "`synthetic` only: number of images",
    ),
    key(
        "dataset.classes",
        WholeWithin(2, 10_000),
        "whole number, 2 to 10000",
        "10",
        "`synthetic` only: number of classes",
    ),
    key(
        "dataset.image-size",
        Whole(1),
        "whole number from 1",
        "as stored",
        "Side of the square images in pixels",
    ),
    key(
        "dataset.image-fit",
        Words(&["pad", "stretch"]),
        "`\"pad\"` or `\"stretch\"`",
        "refused where it matters",
        "`idx`, `csv`, `folder`: how images that are not square become so: in proportion and padded with `background`, or stretched",
    ),
    key(
        "dataset.background",
        Either(&[Words(&["white", "black"]), WholeWithin(0, 255)]),
        "`\"white\"`, `\"black\"` or 0 to 255",
        "`\"white\"`",
        "`idx`, `csv`, `folder`: the grey that transparent images are laid on and padding is made of",
    ),
    key(
        "dataset.max-value",
        WholeWithin(1, 65_535),
        "whole number, 1 to 65535",
        "255, or 65535 for images of 16 bits",
        "`idx`, `csv`, `folder`: the stored value that is white, for example 16 for scikit-learn's digits or 4095 for 12 bits in files of 16",
    ),
    key(
        "dataset.train-limit",
        Whole(1),
        "whole number from 1",
        "all",
        "At most this many training images are used, for quick looks",
    ),
    key(
        "dataset.skip-bad",
        Flag,
        "true or false",
        "`false`",
        "`csv`, `folder`: leave out rows and images that cannot be used and list them in `skipped.list`, as `bench run --skip-bad` does",
    ),
    key("dataset.limits", Table, "table", "none", "How much files may hold, see below"),
    key(
        "dataset.limits.file-mib",
        LIMIT,
        "whole number from 1",
        "2048",
        "Mebibytes of one file, on disk and once unpacked",
    ),
    key(
        "dataset.limits.unpack-ratio",
        LIMIT,
        "whole number from 1",
        "200",
        "How many times as large as a packed file its content may be",
    ),
    key(
        "dataset.limits.image-megapixels",
        LIMIT,
        "whole number from 1",
        "64",
        "Millions of pixels of one image as stored",
    ),
    key(
        "dataset.limits.images",
        LIMIT,
        "whole number from 1",
        "4000000",
        "Images, or rows of a table",
    ),
    key(
        "dataset.limits.memory-mib",
        LIMIT,
        "whole number from 1",
        "8192",
        "Mebibytes that the pixels of all images take",
    ),
    key(
        "dataset.limits.classes",
        LIMIT,
        "whole number from 1",
        "1000",
        "Different labels of a table",
    ),
    key("dataset.split", Table, "table", "none", "How the images are divided, see below"),
    key(
        "dataset.split.train",
        SHARE,
        "share",
        "all that the others leave",
        "The images weights are fitted to",
    ),
    key(
        "dataset.split.validation",
        SHARE_OR_NONE,
        "share, or 0",
        "none",
        "The images that choose epochs",
    ),
    key(
        "dataset.split.test",
        SHARE,
        "share",
        "the dataset's own test file, else a fifth",
        "The images that only measure; the same for every trial",
    ),
    key(
        "dataset.split.stratify",
        Flag,
        "true or false",
        "`false`",
        "Whether fractions and counts keep the class proportions",
    ),
    key(
        "dataset.split.seed",
        Either(&[Words(&["trial", "member"]), Whole(0)]),
        "`\"trial\"`, `\"member\"` or a whole number from 0",
        "`\"trial\"`",
        "Draw the validation images anew for every repeat, for every network of every repeat, or once",
    ),
];
