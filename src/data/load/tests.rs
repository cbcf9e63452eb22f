use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::base::{Digest, digest_of};
use crate::data::known::{IDX_FILES, KnownFile, Pin};
use crate::experiment::settings::{LabelKind, LimitSettings};

mod settings;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files need not survive a crash")]
    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn load(&self, source: Source) -> Result<Dataset, DataError> {
        self.load_at(source, None)
    }

    fn load_at(&self, source: Source, image_size: Option<usize>) -> Result<Dataset, DataError> {
        self.load_as(&DatasetSettings { image_size, ..DatasetSettings::of(source) })
    }

    fn load_as(&self, settings: &DatasetSettings) -> Result<Dataset, DataError> {
        load(settings, &self.folders())
    }

    fn folders(&self) -> DataFolders {
        DataFolders { roots: vec![self.path().to_owned()], beside: None }
    }

    /// What is wrong, with the folder's own path taken out.
    fn cause(&self, source: Source) -> String {
        let error = self.load(source).expect_err("the data are bad");
        let cause = error.source().expect("a cause");
        let below = cause.source().map_or(String::new(), |below| format!(": {below}"));
        format!("{cause}{below}").replace(&format!("{}/", self.path().display()), "")
    }
}

fn idx() -> Source {
    Source::Idx { path: PathBuf::from("set") }
}

fn csv(test: Option<&str>) -> Source {
    Source::Csv {
        path: PathBuf::from("train.csv"),
        test_path: test.map(PathBuf::from),
        label: "label".to_owned(),
        label_kind: LabelKind::Auto,
        ignore_columns: Vec::new(),
    }
}

fn pngs() -> Source {
    Source::Folder { path: PathBuf::from("pngs"), test_path: None }
}

fn set(name: &str) -> String {
    format!("set/{name}")
}

fn images(count: u32, side: u32) -> Vec<u8> {
    let header = [0x803, count, side, side].into_iter().flat_map(u32::to_be_bytes);
    header.chain((0..count * side * side).map(|at| at as u8)).collect()
}

fn labels(labels: &[u8]) -> Vec<u8> {
    let header = [0x801, labels.len() as u32].into_iter().flat_map(u32::to_be_bytes);
    header.chain(labels.iter().copied()).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn idx_files_are_read_plain_or_packed_with_the_test_file_last() {
    let (plain, packed) = (Folder::new(), Folder::new());
    let contents = [images(3, 2), labels(&[0, 2, 1]), images(1, 2), labels(&[2])];
    for (name, content) in IDX_FILES.iter().zip(&contents) {
        plain.put(&format!("set/{name}"), content);
        packed.put(&format!("set/{name}.gz"), gzip(content));
    }
    let dataset = plain.load(idx()).unwrap();
    assert_eq!(dataset, packed.load(idx()).unwrap());
    assert_eq!(dataset.shape, ImageShape { height: 2, width: 2, channels: 1 });
    assert_eq!(dataset.labels, [0, 2, 1, 2]);
    assert_eq!(dataset.classes, ["0", "1", "2"]);
    assert_eq!(dataset.test_from, Some(3));
    assert_eq!(dataset.image(2), [8, 9, 10, 11]);
    assert_eq!(dataset.image(3), [0, 1, 2, 3]);
}

#[test]
fn idx_files_without_a_test_file_are_all_training() {
    let folder = Folder::new();
    folder.put(&set(IDX_FILES[0]), images(2, 3));
    folder.put(&set(IDX_FILES[1]), labels(&[1, 0]));
    let dataset = folder.load(idx()).unwrap();
    assert_eq!((dataset.len(), dataset.test_from), (2, None));
}

#[test]
fn every_way_an_idx_file_can_be_bad_is_told() {
    let good = [images(2, 2), labels(&[0, 1]), images(1, 2), labels(&[1])];
    let packed = gzip(&good[0]);
    let with = |at: usize, content: Vec<u8>, suffix: &str| {
        let folder = Folder::new();
        for (index, name) in IDX_FILES.iter().enumerate() {
            if index != at {
                folder.put(&set(name), &good[index]);
            } else if !content.is_empty() {
                folder.put(&format!("set/{name}{suffix}"), &content);
            }
        }
        folder.cause(idx())
    };
    let mut long = good[0].clone();
    long.push(0);
    let cases = [
        with(1, vec![], ""),
        with(0, packed[..packed.len() - 9].to_vec(), ".gz"),
        with(0, [&packed[..], b"tail"].concat(), ".gz"),
        with(0, b"no gzip".to_vec(), ".gz"),
        with(0, vec![0, 0, 8], ""),
        with(0, labels(&[0; 20]), ""),
        with(0, good[0][..20].to_vec(), ""),
        with(0, long, ""),
        with(1, labels(&[0, 1, 1]), ""),
        with(3, labels(&[2]), ""),
        with(2, images(1, 3), ""),
        with(3, vec![], ""),
    ];
    insta::assert_snapshot!(cases.join("\n"), @r"
    `train-labels-idx1-ubyte` or `train-labels-idx1-ubyte.gz` is not in `set`
    `set/train-images-idx3-ubyte.gz` has a gzip stream that is cut off after 24 unpacked bytes, expected a complete gzip stream and nothing after it
    `set/train-images-idx3-ubyte.gz` has 4 bytes after its gzip stream, expected a complete gzip stream and nothing after it
    `set/train-images-idx3-ubyte.gz` has no gzip stream, expected a complete gzip stream and nothing after it
    `set/train-images-idx3-ubyte` has 3 bytes, expected an IDX header of 16 bytes
    `set/train-images-idx3-ubyte` has magic number 0x00000801, expected 0x00000803, that of IDX images
    `set/train-images-idx3-ubyte` has 20 bytes, expected 24 for the 2 images its header announces
    `set/train-images-idx3-ubyte` has 25 bytes, expected 24 for the 2 images its header announces
    `set/train-labels-idx1-ubyte` has 3 labels, expected 2, one per image of `set/train-images-idx3-ubyte`
    `set/t10k-labels-idx1-ubyte` has label 2 for image 0, expected labels of the training file: `0` and `1`
    `set/t10k-images-idx3-ubyte` has images of 3×3 pixels, expected 2×2, as in the training file
    `t10k-labels-idx1-ubyte` or `t10k-labels-idx1-ubyte.gz` is not in `set`
    ");
}

fn leak(digest: Digest) -> &'static str {
    digest.to_string().leak()
}

/// A set of two training images and one test image, known by the digests of `contents`.
fn small_set(contents: &[Vec<u8>; 4], packed: bool) -> KnownSet {
    let file = |index: usize, images: usize| KnownFile {
        name: IDX_FILES[index],
        images,
        pin: if packed {
            Pin::Packed(leak(digest_of(&gzip(&contents[index]))))
        } else {
            Pin::Unpacked(leak(digest_of(&contents[index])))
        },
    };
    KnownSet {
        name: "small",
        folders: ["small", "SMALL/raw"],
        classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
        licence: "",
        origin: "",
        mirrors: &[],
        files: [file(0, 2), file(1, 2), file(2, 1), file(3, 1)],
    }
}

#[test]
fn a_known_set_is_held_against_its_counts_and_digests() {
    let contents = [images(2, 28), labels(&[0, 9]), images(1, 28), labels(&[5])];
    let read = |at: usize, content: &[u8], gz: bool, pinned_packed: bool| {
        let folder = Folder::new();
        for (index, name) in IDX_FILES.iter().enumerate() {
            let content = if index == at { content } else { &contents[index] };
            if gz {
                folder.put(&format!("small/{name}.gz"), gzip(content));
            } else {
                folder.put(&format!("small/{name}"), content);
            }
        }
        let folders = folder.folders();
        let set = small_set(&contents, pinned_packed);
        idx::read_known(&set, &folders, &LimitSettings::default()).map(|pool| pool.labels).map_err(
            |error| error.to_string().replace(&format!("{}/", folder.path().display()), ""),
        )
    };
    for (gz, pinned_packed) in [(false, false), (true, false), (true, true), (false, true)] {
        assert_eq!(read(0, &contents[0], gz, pinned_packed), Ok(vec![0, 9, 5]));
    }
    let mut changed = contents[0].clone();
    changed[100] ^= 1;
    let problem = |found: &str, expected: &str| {
        format!("`small/{}.gz` has {found}, expected {expected}", IDX_FILES[0])
    };
    let digest = |content: &[u8]| digest_of(content).to_string();
    assert_eq!(
        read(0, &changed, true, false),
        Err(problem(
            &format!("SHA-256 {} once unpacked", digest(&changed)),
            &format!("{} of the published file", digest(&contents[0]))
        ))
    );
    assert_eq!(
        read(0, &changed, true, true),
        Err(problem(
            &format!("SHA-256 {} as packed", digest(&gzip(&changed))),
            &format!("{} of the published file", digest(&gzip(&contents[0])))
        ))
    );
    assert_eq!(
        read(0, &images(2, 27), true, false),
        Err(problem("images of 27×27 pixels", "28×28"))
    );
    assert!(read(1, &labels(&[0, 10]), true, false).unwrap_err().contains("SHA-256"));
}

#[test]
fn a_known_set_that_is_too_short_says_how_many_it_should_have() {
    let contents = [images(2, 28), labels(&[0, 9]), images(1, 28), labels(&[5])];
    let folder = Folder::new();
    let short = [images(1, 28), labels(&[0]), images(1, 28), labels(&[5])];
    for (name, content) in IDX_FILES.iter().zip(&short) {
        folder.put(&format!("small/{name}"), content);
    }
    let limits = LimitSettings::default();
    let set = small_set(&contents, false);
    let error = idx::read_known(&set, &folder.folders(), &limits).err().unwrap();
    assert!(error.to_string().ends_with("has 1 images, expected 2"), "{error}");
}

#[test]
fn an_absent_known_set_is_an_error_that_says_how_to_get_it() {
    let folder = Folder::new();
    let error = folder.load(Source::Mnist).unwrap_err();
    assert_eq!(error.to_string(), "cannot load dataset `mnist`");
    assert_eq!(
        error.source().unwrap().to_string(),
        format!("`mnist/train-images-idx3-ubyte` is not in `{}`", folder.path().display())
    );
    assert_eq!(
        error.hint().unwrap(),
        "run `bench data fetch mnist`, or name the folder that holds the files with `--data-dir`"
    );
    folder.put("mnist/train-images-idx3-ubyte.gz", &gzip(&images(2, 28))[..30]);
    folder.put("mnist/train-labels-idx1-ubyte.gz", gzip(&labels(&[0, 1])));
    let error = folder.load(Source::Mnist).unwrap_err();
    assert_eq!(error.hint().unwrap(), "run `bench data fetch mnist --force`");
}

#[test]
fn a_kaggle_table_is_read_wherever_its_label_stands_and_however_its_cells_are_quoted() {
    let folder = Folder::new();
    folder.put(
        "train.csv",
        "pixel0,label,pixel1,pixel2,pixel3\r\n0,2,1,2,3\r\n\"255\",\"0\", 7 ,8,9\r\n",
    );
    folder.put("test.csv", "label,pixel3,pixel2,pixel1,pixel0\n2,7,6,5,4\n");
    let dataset = folder.load(csv(Some("test.csv"))).unwrap();
    assert_eq!(dataset.pixels, [0, 1, 2, 3, 255, 7, 8, 9, 4, 5, 6, 7]);
    assert_eq!(dataset.labels, [1, 0, 1]);
    assert_eq!(dataset.classes, ["0", "2"]);
    assert_eq!(dataset.test_from, Some(2));
    assert_eq!(folder.load(csv(None)).unwrap().test_from, None);
}

#[test]
fn labels_that_are_names_make_classes_in_sorted_order() {
    let folder = Folder::new();
    folder.put("train.csv", "label,p\nsock,1\nhat,2\nsock,3\n");
    let dataset = folder.load(csv(None)).unwrap();
    assert_eq!(dataset.classes, ["hat", "sock"]);
    assert_eq!(dataset.labels, [1, 0, 1]);
}

#[test]
fn every_way_a_table_can_be_bad_is_told() {
    let with = |train: &str, test: &str| {
        let folder = Folder::new();
        folder.put("train.csv", train);
        folder.put("test.csv", test);
        folder.cause(csv(Some("test.csv")))
    };
    let test = "label,p\n0,1\n";
    let cases = [
        with("digit,p\n0,1\n", test),
        with("label,label,p\n0,0,1\n", test),
        with("label,p,q\n0,1,2\n", test),
        with("label\n0\n", test),
        with("label,p\n", test),
        with("label,p\n0,1\n1,256\n", test),
        with("label,p\n0,1\n1,-3\n", test),
        with("label,p\n0,\n", test),
        with("label,p\n0,1\n0,1,2\n", test),
        with("label,p\n0,1\n1.5,1\n1,2\n", test),
        with("label,p\n0,1\n", "label,p\n0,1\n1,1\n"),
        with("label,p\na,1\n", "label,p\nb,1\n"),
        with("label,p\n0,1\n", "label,a,b,c,d\n0,1,2,3,4\n"),
        with("label,p\n0,1\n", "label,p\n0,1\n1,2\n2,2\n"),
    ];
    insta::assert_snapshot!(cases.join("\n"), @r"
    `train.csv` has columns `digit` and `p`, expected exactly one called `label`
    `train.csv` has several columns `label`, expected exactly one called `label`
    `train.csv` has 2 columns beside `label`, expected a square number of pixels (784 for 28×28)
    `train.csv` has 0 columns beside `label`, expected a square number of pixels (784 for 28×28)
    `train.csv` has no row below its header, expected one row per image
    `train.csv` line 3 column `p` has `256`, expected a whole number from 0 to 255
    `train.csv` line 3 column `p` has `-3`, expected a whole number from 0 to 255
    `train.csv` line 2 column `p` has an empty cell, expected a whole number from 0 to 255
    `train.csv` line 3 has 3 cells, expected 2, as the header has
    `train.csv` has labels that are whole numbers and 1 of 3 that are not (`1.5`), expected one kind of labels
    `test.csv` line 3 column `label` has `1`, expected a class of the training file: `0`
    `test.csv` line 2 column `label` has `b`, expected a class of the training file: `a`
    `test.csv` has columns `a`, `b`, `c` and `d` too many and no `p`, expected the columns of `train.csv`, in any order
    2 of 3 rows cannot be used:
      `test.csv` line 3 column `label` has `1`, expected a class of the training file: `0`
      `test.csv` line 4 column `label` has `2`, expected a class of the training file: `0`
    ");
    assert!(Folder::new().cause(csv(None)).starts_with("`train.csv` is not in `.`"));
}

fn png(save: impl FnOnce(&mut std::io::Cursor<Vec<u8>>)) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    save(&mut bytes);
    bytes.into_inner()
}

fn grey(width: u32, height: u32, value: u8) -> Vec<u8> {
    let image = image::GrayImage::from_pixel(width, height, image::Luma([value]));
    png(|out| image.write_to(out, image::ImageFormat::Png).unwrap())
}

#[test]
fn a_folder_of_folders_has_one_class_each_in_sorted_order() {
    let folder = Folder::new();
    folder.put("pngs/cat/2.png", grey(3, 3, 20));
    folder.put("pngs/cat/1.PNG", grey(3, 3, 10));
    folder.put("pngs/ant/x.png", grey(3, 3, 30));
    folder.put("pngs/.cache/y.png", grey(5, 5, 40));
    let dataset = folder.load(pngs()).unwrap();
    assert_eq!(dataset.classes, ["ant", "cat"]);
    assert_eq!(dataset.labels, [0, 1, 1]);
    assert_eq!(dataset.pixels, [[30; 9], [10; 9], [20; 9]].concat());
}

#[test]
fn colour_becomes_grey_by_luma() {
    let folder = Folder::new();
    let image = image::RgbImage::from_pixel(1, 1, image::Rgb([200, 100, 50]));
    let colour = png(|out| image.write_to(out, image::ImageFormat::Png).unwrap());
    folder.put("pngs/a/1.png", colour);
    // Rec. 709: 0.2126 · 200 + 0.7152 · 100 + 0.0722 · 50 = 117.65.
    let pixel = folder.load(pngs()).unwrap().pixels[0];
    assert!((117..=118).contains(&pixel), "{pixel}");
}

#[test]
fn every_way_an_image_folder_can_be_bad_is_told() {
    let with = |files: &[(&str, Vec<u8>)]| {
        let folder = Folder::new();
        folder.put("pngs/a/1.png", grey(4, 4, 1));
        for (name, content) in files {
            folder.put(&format!("pngs/{name}"), content);
        }
        folder.cause(pngs())
    };
    let bare = Folder::new();
    bare.put("pngs/1.png", grey(4, 4, 1));
    let cases = [
        bare.cause(pngs()),
        with(&[("b/1.png", grey(5, 5, 1))]),
        with(&[("b/1.png", grey(5, 4, 1))]),
        with(&[("b/1.png", b"not a picture".to_vec())]),
        with(&[("b/1.png", grey(4, 4, 1)[..40].to_vec())]),
        with(&[("b/readme.txt", b"no image".to_vec())]),
    ];
    insta::assert_snapshot!(cases.join("\n"), @r"
    `pngs` has 1 image and no folder, expected one folder of images per class
    `pngs/b/1.png` has 5×5 pixels (height×width), expected 4×4, as `pngs/a/1.png` has
    `pngs/b/1.png` has 4×5 pixels (height×width), expected 4×4, as `pngs/a/1.png` has
    `pngs/b/1.png` has no image, expected a PNG, JPEG, GIF, BMP, WebP, TIFF or PNM image
    `pngs/b/1.png` has no readable image (unexpected end of file), expected a PNG, JPEG, GIF, BMP, WebP, TIFF or PNM image
    `pngs` has no image in `b`, expected images of every class
    ");
}

#[test]
fn other_sizes_are_resized_and_flat_images_stay_flat() {
    let folder = Folder::new();
    folder.put("pngs/a/1.png", grey(4, 4, 77));
    let dataset = folder.load_at(pngs(), Some(6)).unwrap();
    assert_eq!(dataset.shape, ImageShape { height: 6, width: 6, channels: 1 });
    assert_eq!(dataset.pixels, [77; 36]);
    assert_ne!(dataset.checksum, folder.load(pngs()).unwrap().checksum);
    let digits = folder.load_at(Source::Digits, Some(16)).unwrap();
    assert_eq!((digits.len(), digits.shape.height), (1797, 16));
}

#[test]
fn sizes_that_cannot_be_had_are_errors() {
    let folder = Folder::new();
    let cause = |source, side| {
        let error = folder.load_at(source, Some(side)).unwrap_err();
        format!("{}; {}", error.source().unwrap(), error.hint().unwrap())
    };
    assert_eq!(
        cause(Source::Digits, 0),
        "`dataset.image-size` is 0, expected a side from 1 to 2048 pixels; change \
         `dataset.image-size` in the experiment file"
    );
    let oblong = [0x803_u32, 1, 1, 2].into_iter().flat_map(u32::to_be_bytes).chain([1, 2]);
    folder.put(&set(IDX_FILES[0]), oblong.collect::<Vec<u8>>());
    folder.put(&set(IDX_FILES[1]), labels(&[0]));
    assert_eq!(
        cause(idx(), 4),
        "`dataset.image-fit` is absent, expected `\"pad\"` or `\"stretch\"` for images that are not \
         square but 1×2; change `dataset.image-fit` in the experiment file"
    );
    assert_eq!(folder.load(idx()).unwrap().shape.width, 2);
}

#[test]
fn synthetic_images_need_an_image_and_a_class() {
    let folder = Folder::new();
    let made = folder.load(Source::Synthetic { images: 12, classes: 3 }).unwrap();
    assert_eq!((made.len(), made.classes.len()), (12, 3));
    assert_eq!(
        folder.cause(Source::Synthetic { images: 12, classes: 0 }),
        "`dataset.classes` is 0, expected at least 1"
    );
}
