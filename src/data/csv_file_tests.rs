use std::fs;

use super::*;

const HEAD: &str = "label,a,b,c,d";

#[expect(clippy::disallowed_methods, reason = "a test's own files need not survive a crash")]
fn read_bytes(name: &str, content: &[u8], skipping: &mut Skipping) -> Result<Pool, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    read(&path, None, "label", skipping)
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

/// Reads a table of these labels, every image `1 2 3 4`.
fn of_labels(labels: &[&str], skipping: &mut Skipping) -> Result<Pool, String> {
    let rows: String = labels.iter().map(|label| format!("{label},1,2,3,4\n")).collect();
    read_bytes("t.csv", format!("{HEAD}\n{rows}").as_bytes(), skipping)
}

fn strictly(labels: &[&str]) -> Result<Pool, String> {
    of_labels(labels, &mut Skipping::default())
}

#[test]
fn all_rows_decide_whether_labels_are_numbers_or_names() {
    let numbers = strictly(&["2", "07", "1"]).unwrap();
    assert_eq!(numbers.classes, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(numbers.labels, [2, 7, 1]);
    let names = strictly(&["0", "cat", "0", "cat"]).unwrap();
    assert_eq!(
        (names.classes, names.labels),
        (vec!["0".to_owned(), "cat".to_owned()], vec![0, 1, 0, 1])
    );
    let mut skipping = Skipping::new(true);
    let kept = of_labels(&["?", "1", "0", "11", "0"], &mut skipping).unwrap();
    assert_eq!((kept.classes.len(), kept.labels), (12, vec![1, 0, 11, 0]));
    assert_eq!((kept.pixels.len(), skipping.into_list().len()), (16, 1));
    let error = strictly(&["?", "1", "0"]).err().unwrap();
    assert!(error.contains("line 2 column `label` has `?`, expected a whole number"), "{error}");
}

#[test]
fn an_empty_label_is_a_bad_row_wherever_it_stands() {
    let empty = "has an empty cell, expected the name of a class";
    for labels in [["", "1", "0"], ["1", "", "0"], ["", "hat", "sock"]] {
        let error = strictly(&labels).err().unwrap();
        assert!(error.contains(empty), "{error}");
        let mut skipping = Skipping::new(true);
        assert_eq!(of_labels(&labels, &mut skipping).unwrap().classes.len(), 2);
        assert!(skipping.into_list()[0].contains(empty));
    }
}

#[test]
fn names_in_any_order_are_found_and_numbers_however_they_are_written() {
    let names = ["T-shirt/top", "Trouser", "10", "Bag"].map(str::to_owned);
    let mut table = Table {
        path: PathBuf::from("t.csv"),
        label_column: "label".to_owned(),
        side: 0,
        pixels: Vec::new(),
        ids: Vec::new(),
        labels: [("Bag", 2), ("T-shirt/top", 3), ("010", 4)]
            .map(|(l, n)| (l.to_owned(), n))
            .to_vec(),
    };
    let indices = |table: &mut Table| {
        let found = table.class_indices(&names, "the network", &mut Skipping::default());
        found.map_err(|error| error.to_string())
    };
    assert_eq!(indices(&mut table), Ok(vec![3, 0, 2]));
    table.labels = vec![("Shirt".to_owned(), 5)];
    assert_eq!(
        indices(&mut table).unwrap_err(),
        "`t.csv` line 5 column `label` has `Shirt`, expected a class of the network: \
         `T-shirt/top`, `Trouser`, `10`, `Bag`"
    );
    assert_eq!(classes_listed(&(0..12).map(|c| c.to_string()).collect::<Vec<_>>()), "`0` to `11`");
}

#[test]
fn a_first_line_of_pixels_is_no_header_but_numbered_columns_are() {
    let table = |header: &str| {
        let folder_text = format!("{header}\n0,1,2,3,4\n1,5,6,7,8\n");
        read_bytes("t.csv", folder_text.as_bytes(), &mut Skipping::default())
    };
    for header in ["5,0,0,9,0", "hat,0,0,9,0"] {
        assert_eq!(
            table(header).err().unwrap(),
            "`t.csv` line 1 has pixels, expected a header that names the columns; add one"
        );
    }
    for header in ["label,0,1,2,3", "label,1,2,3,4", "label,p1,p2,p3,p4"] {
        assert_eq!(table(header).unwrap().labels, [0, 1], "{header}");
    }
}

#[test]
fn a_stray_quote_spoils_its_own_row_alone() {
    let text = format!("{HEAD}\n0,1,2,3,4\n\"1,1,2,3,4\n1,5,6,7,8\n0,\"9,9,9,9\n1,1,1,1,1\n");
    let error = read_bytes("t.csv", text.as_bytes(), &mut Skipping::default()).err().unwrap();
    assert!(error.starts_with("`t.csv` line 3 has a quote that stays open at its end"), "{error}");
    let mut skipping = Skipping::new(true);
    let kept = read_bytes("t.csv", text.as_bytes(), &mut skipping).unwrap();
    assert_eq!(kept.labels, [0, 1, 1]);
    assert_eq!(skipping.into_list().len(), 2);
}

#[test]
fn packed_tables_are_read_like_plain_ones() {
    use std::io::Write as _;
    let text = format!("\u{feff}{HEAD}\r\n0,1,2,3,4\r\n1,5,6,7,8\r\n");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let pool = read_bytes("t.csv.gz", &packed, &mut Skipping::default()).unwrap();
    assert_eq!((pool.labels, pool.pixels), (vec![0, 1], (1..=8).collect()));
    let error = read_bytes("t.csv.gz", b"label,a", &mut Skipping::default()).err().unwrap();
    assert!(error.contains("has no gzip stream"), "{error}");
}
