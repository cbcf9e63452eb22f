use std::fs;

use super::*;
use crate::experiment::settings::{DatasetSettings, Source};

const HEAD: &str = "label,a,b,c,d";

#[expect(clippy::disallowed_methods, reason = "a test's own files need not survive a crash")]
fn read_with(
    files: &[(&str, &[u8])],
    kind: LabelKind,
    change: impl FnOnce(&mut DatasetSettings),
) -> Result<Read, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let mut settings = DatasetSettings::of(Source::Digits);
    change(&mut settings);
    let mut reading = Reading::new(&settings);
    let ignored = ["Unnamed: 0".to_owned()];
    let labelling = Labelling { label: "label", kind, ignored: &ignored };
    let test = files.get(1).map(|(name, _)| folder.path().join(name));
    let path = folder.path().join(files[0].0);
    let own = format!("{}/", folder.path().display());
    match read(&path, test.as_deref(), labelling, &mut reading) {
        Ok(pool) => {
            let notes = reading.notes.into_iter().map(|note| note.text.replace(&own, ""));
            Ok(Read { pool, notes: notes.collect(), left_out: reading.rejects.into_list() })
        }
        Err(error) => {
            let error = error.of("csv");
            let cause = std::error::Error::source(&error).expect("a cause").to_string();
            let hint = error.hint().unwrap_or_default();
            Err(format!("{cause}\n{hint}").replace(&own, ""))
        }
    }
}

/// What was read of a table.
struct Read {
    pool: Pool,
    notes: Vec<String>,
    left_out: Vec<String>,
}

fn usual(_: &mut DatasetSettings) {}

fn skip_bad(settings: &mut DatasetSettings) {
    settings.skip_bad = true;
}

fn read_text(text: &str) -> Result<Pool, String> {
    read_with(&[("t.csv", text.as_bytes())], LabelKind::Auto, usual).map(|read| read.pool)
}

/// Reads a table of these labels, every image `1 2 3 4`.
fn of_labels(
    labels: &[&str],
    kind: LabelKind,
    change: impl FnOnce(&mut DatasetSettings),
) -> Result<Read, String> {
    let rows: Vec<String> = labels.iter().map(|label| format!("{label},1,2,3,4")).collect();
    let text = format!("{HEAD}\n{}", rows.join("\n"));
    read_with(&[("t.csv", text.as_bytes())], kind, change)
}

fn strictly(labels: &[&str]) -> Result<Pool, String> {
    of_labels(labels, LabelKind::Auto, usual).map(|read| read.pool)
}

#[test]
fn all_rows_decide_whether_labels_are_numbers_or_names() {
    let numbers = strictly(&["2", "07", "1"]).unwrap();
    assert_eq!(
        (numbers.classes, numbers.labels),
        (vec!["1".into(), "2".into(), "7".into()], vec![1, 2, 0])
    );
    let names = strictly(&["0", "cat", "0", "cat"]).unwrap();
    assert_eq!(
        (names.classes, names.labels),
        (vec!["0".to_owned(), "cat".to_owned()], vec![0, 1, 0, 1])
    );
}

#[test]
fn a_few_labels_that_are_no_numbers_are_bad_rows_and_more_are_asked_about() {
    let mut labels = vec!["1"; 39];
    labels.push("?");
    let error = strictly(&labels).err().unwrap();
    assert!(error.contains("line 41 column `label` has `?`, expected a class of the"), "{error}");
    let kept = of_labels(&labels, LabelKind::Auto, skip_bad).unwrap();
    assert_eq!((kept.pool.labels.len(), kept.pool.pixels.len(), kept.left_out.len()), (39, 156, 1));
    // Of hexadecimal digits a third would be lost, whatever may be left out.
    let hex: Vec<String> = (0..16).map(|digit| format!("{digit:x}")).collect();
    let hex: Vec<&str> = hex.iter().map(String::as_str).collect();
    for change in [usual, skip_bad] {
        let error = of_labels(&hex, LabelKind::Auto, change).err().unwrap();
        assert!(error.contains("whole numbers and 6 of 16 that are not"), "{error}");
        assert!(error.contains("set `dataset.label-kind = \"text\"`"), "{error}");
        assert!(!error.contains("skip-bad"), "{error}");
    }
    assert_eq!(of_labels(&hex, LabelKind::Text, usual).unwrap().pool.classes, hex);
}

#[test]
fn an_empty_label_is_a_bad_row_wherever_it_stands() {
    let empty = "has an empty cell, expected the name of a class";
    for labels in [["", "1", "0"], ["1", "", "0"], ["", "hat", "sock"]] {
        let error = strictly(&labels).err().unwrap();
        assert!(error.contains(empty), "{error}");
        let kept = of_labels(&labels, LabelKind::Auto, skip_bad).unwrap();
        assert_eq!(kept.pool.classes.len(), 2);
        assert!(kept.left_out[0].contains(empty));
    }
}

#[test]
fn a_column_of_as_many_labels_as_rows_is_not_believed() {
    let labels: Vec<String> = (0..1001).map(|label| label.to_string()).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let error = strictly(&labels).err().unwrap();
    assert!(
        error.starts_with(
            "`t.csv` has 1,001 different labels in 1,001 rows of column `label`, expected at most \
             1000 classes"
        ),
        "{error}"
    );
    let raised = of_labels(&labels, LabelKind::Auto, |settings| settings.limits.classes = 1001);
    assert_eq!(raised.unwrap().pool.classes.len(), 1001);
}

#[test]
fn a_first_line_of_pixels_is_no_header_but_numbered_columns_are() {
    let table = |header: &str| read_text(&format!("{header}\n0,1,2,3,4\n1,5,6,7,8\n"));
    for header in ["5,0,0,9,0", "hat,0,0,9,0", "4,0,0,4096,1"] {
        let error = table(header).err().unwrap();
        assert!(
            error.starts_with(
                "`t.csv` line 1 has pixels, expected a header that names the columns; add one"
            ),
            "{error}"
        );
    }
    for header in ["label,0,1,2,3", "label,1,2,3,4", "label,p1,p2,p3,p4"] {
        assert_eq!(table(header).unwrap().labels, [0, 1], "{header}");
    }
}

#[test]
fn a_stray_quote_spoils_its_own_row_alone() {
    let text = format!("{HEAD}\n0,1,2,3,4\n\"1,1,2,3,4\n1,5,6,7,8\n0,\"9,9,9,9\n1,1,1,1,1\n");
    let error = read_text(&text).err().unwrap();
    assert!(
        error.starts_with(
            "2 of 5 rows cannot be used:\n  `t.csv` line 3 has a quote that stays open at its end"
        ),
        "{error}"
    );
    let kept = read_with(&[("t.csv", text.as_bytes())], LabelKind::Auto, skip_bad).unwrap();
    assert_eq!((kept.pool.labels, kept.left_out.len()), (vec![0, 1, 1], 2));
}

#[test]
fn every_bad_row_is_told_up_to_a_few() {
    let rows: Vec<String> = (0..20).map(|row| format!("1,1,2,3,{}", 300 + row)).collect();
    let error = read_text(&format!("{HEAD}\n0,1,2,3,4\n{}\n", rows.join("\n"))).err().unwrap();
    assert_eq!(error.lines().count(), 11, "{error}");
    assert!(
        error.starts_with("20 of 21 rows cannot be used:\n  `t.csv` line 3 column `d` has `300`")
    );
    assert!(error.contains("\n  … and 12 more\n"), "{error}");
    assert!(error.contains("set `dataset.max-value` to the one that is white"), "{error}");
}

#[test]
fn packed_tables_are_read_like_plain_ones() {
    use std::io::Write as _;
    let text = format!("\u{feff}{HEAD}\r\n0,1,2,3,4\r\n1,5,6,7,8\r\n");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let read = read_with(&[("t.csv.gz", &packed)], LabelKind::Auto, usual).unwrap();
    assert_eq!((read.pool.labels, read.pool.pixels), (vec![0, 1], (1..=8).collect()));
    let error = read_with(&[("t.csv.gz", b"label,a")], LabelKind::Auto, usual).err().unwrap();
    assert!(error.contains("has no gzip stream"), "{error}");
}

#[test]
fn the_habits_of_other_programs_are_read_right() {
    for text in [
        "label;p0;p1;p2;p3\n0;1;2;3;4\n1;5;6;7;8\n",
        "label\tp0\tp1\tp2\tp3\n0\t1\t2\t3\t4\n1\t5\t6\t7\t8\n",
        "label,p0,p1,p2,p3,\n0,1,2,3,4,\n1,5,6,7,8,\n",
        "label,p0,p1,p2,p3\n0,1,2,3,4,,\n1,5,6,7,8,\n",
        "label,p0,p1,p2,p3\n\n0,1,2,3,4\n,,,,\n  \n1,5,6,7,8\n,,,,\n",
        "\"label\",\"p0\",\"p1\",\"p2\",\"p3\"\n\"0\",\"1\",\"2\",\"3\",\"4\"\n\"1\",\"5\",\"6\",\"7\",\"8\"\n",
        "label, p0, p1, p2, p3\n0.0, 1.0, 2.0, 3.0, 4.0\n1.0, 5., 6.00, 7, 8\n",
        "Unnamed: 0,label,p0,p1,p2,p3\n0,0,1,2,3,4\n1,1,5,6,7,8\n",
        "label,p3,p2,p1,p0\r\n0,4,3,2,1\r\n1,8,7,6,5\r\n",
        "p0,p1,label,p2,p3\r0,4,0,3,2\r".replace("0,4,0,3,2", "1,2,0,3,4\r5,6,1,7,8").as_str(),
    ] {
        let pool = read_text(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(pool.pixels, (1..=8).collect::<Vec<u8>>(), "{text:?}");
        assert_eq!((pool.labels, pool.classes), (vec![0, 1], vec!["0".into(), "1".into()]));
    }
}

#[test]
fn what_makes_no_table_is_refused_on_one_line() {
    let wide: Vec<String> = (0..784).map(|pixel| format!("pixel{pixel}")).collect();
    let first = |text: &str| read_text(text).err().unwrap().lines().next().unwrap().to_owned();
    for (text, expected) in [
        (
            format!("label {}\n0 1\n", wide.join(" ")),
            "`t.csv` line 1 has a single column `label pixel0 pixel1 pixel2 pixel3 pixel4…`, expected \
             columns separated by `,`, `;`, `|` or tabs, not by spaces",
        ),
        (
            "id,label,p0,p1,p2,p3\n7,0,1,2,3,4\n".to_owned(),
            "`t.csv` has a column `id` beside `label` and 4 pixels, `p0` to `p3`, expected nothing \
             but pixels there",
        ),
        (
            "label,p0,p1,p1,p3\n0,1,2,3,4\n".to_owned(),
            "`t.csv` has two columns called `p1`, expected one name per column",
        ),
        (
            "label,label,p0\n0,0,1\n".to_owned(),
            "`t.csv` has several columns `label`, expected exactly one called `label`",
        ),
        (
            format!("label,{}\n", (0..12).map(|p| format!("p{p}")).collect::<Vec<_>>().join(",")),
            "`t.csv` has 12 columns beside `label`, expected a square number of pixels (784 for \
             28×28)",
        ),
    ] {
        assert_eq!(first(&text), expected);
    }
    let hint = |text: &str| read_text(text).err().unwrap().lines().last().unwrap().to_owned();
    assert_eq!(
        hint("Label,p0\n0,1\n"),
        "if `Label` holds the labels, set `dataset.label = \"Label\"`"
    );
    assert!(hint("id,label,p0,p1,p2,p3\n7,0,1,2,3,4\n").contains("ignore-columns = [\"id\"]"));
    assert!(hint("label,p0\n0,0.5\n").contains("multiply by 255"));
}

#[test]
fn a_test_file_is_read_by_the_names_of_its_columns() {
    let train = b"label,a,b,c,d\n0,1,2,3,4\n1,5,6,7,8\n".as_slice();
    let with = |test: &str| {
        let files = [("train.csv", train), ("test.csv", test.as_bytes())];
        read_with(&files, LabelKind::Auto, usual)
    };
    let read = with("d,label,b,c,a\n4,1,2,3,1\n").unwrap();
    assert_eq!(read.pool.pixels[8..], [1, 2, 3, 4]);
    assert_eq!((read.pool.labels, read.pool.test_from), (vec![0, 1, 1], Some(2)));
    assert_eq!(
        read.notes,
        ["the pixels of `test.csv` stand in another order than in the image and are sorted by \
             the names of their columns"]
    );
    for (test, expected) in [
        (
            "label,id,a,b,c,d\n0,9,1,2,3,4\n",
            "`test.csv` has a column `id` too many, expected the columns of `train.csv`, in any \
             order",
        ),
        (
            "label,a,b,c,e\n0,1,2,3,4\n",
            "`test.csv` has a column `e` too many and no `d`, expected the columns of `train.csv`, \
             in any order",
        ),
        ("label,a,b\n0,1,2\n", "`test.csv` has no `c` and `d`, expected the columns of"),
        (
            "label,p0,p1,p2,p3\n0,1,2,3,4\n",
            "`test.csv` has columns `p0`, `p1`, `p2` and `p3` too many",
        ),
        ("0,1,2,3,4\n0,1,2,3,4\n1,1,2,3,4\n", "`test.csv` has columns `0`, `1`, `2` and 2 more"),
        (
            "label,a,b,c,d\n7,1,2,3,4\n",
            "`test.csv` line 2 column `label` has `7`, expected a class of",
        ),
    ] {
        let error = with(test).err().unwrap();
        assert!(error.starts_with(expected), "{error}");
    }
    let same = [("train.csv", train), ("train.csv", train)];
    let error = read_with(&same, LabelKind::Auto, usual).err().unwrap();
    assert!(error.starts_with("`train.csv` has the images that are trained on"), "{error}");
}

#[test]
fn values_are_scaled_so_that_white_is_white() {
    let text = format!("{HEAD}\n0,0,8,16,4\n1,16,16,0,0\n");
    let white = |white: Option<u16>| {
        read_with(&[("t.csv", text.as_bytes())], LabelKind::Auto, |settings| {
            settings.max_value = white;
        })
    };
    assert_eq!(white(None).unwrap().pool.pixels[..4], [0, 8, 16, 4]);
    assert_eq!(white(Some(16)).unwrap().pool.pixels[..4], [0, 128, 255, 64]);
    let error = white(Some(15)).err().unwrap();
    assert!(error.contains("has `16`, expected a whole number from 0 to 15"), "{error}");
}

#[test]
fn rows_and_columns_in_the_header_make_images_that_need_not_be_square() {
    let pool = read_text("label,1x1,1x2,1x3,2x1,2x2,2x3\na,1,2,3,4,5,6\nb,6,5,4,3,2,1\n").unwrap();
    assert_eq!((pool.shape.height, pool.shape.width), (2, 3));
}

#[test]
fn more_rows_than_the_limits_allow_are_refused() {
    let error = of_labels(&["0"; 5], LabelKind::Auto, |settings| settings.limits.images = 4);
    let error = error.err().unwrap();
    assert!(error.contains("at least 5 images, more than `dataset.limits.images`"), "{error}");
    assert!(error.contains("set `dataset.limits.images = 8`"), "{error}");
}
