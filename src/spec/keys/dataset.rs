//! Keys of `[dataset]`.

use super::Shape::{Between, Either, Flag, Indices, Table, Text, Whole, WholeWithin, Words};
use super::{Key, Shape, key};

/// A part of the images: a fraction, a number of them or a range.
const SHARE: Shape = Either(&[Between(0.0, 1.0), Whole(1), Indices(2)]);
/// The same, or none.
const SHARE_OR_NONE: Shape = Either(&[Between(0.0, 1.0), Whole(0), Indices(2)]);

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
        "Folder of the IDX files, CSV file of the training images (`.csv.gz` too), or folder that holds one folder of PNG images a class",
    ),
    key(
        "dataset.test-path",
        Text,
        "text",
        "none",
        "`csv`, `folder`: a second labelled file, or folder of the same classes, used as the test images",
    ),
    key(
        "dataset.label",
        Text,
        "text",
        "`\"label\"`",
        "`csv` only: name of the label column. If more than half of the labels are whole numbers, all must be, and the classes are 0 up to the largest; else they are names",
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
