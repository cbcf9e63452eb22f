//! The columns of a table that are pixels: which pixel each one is.
//!
//! Names that are numbered say their pixel themselves, wherever they stand in the file. Other names
//! stand for the pixels in the order of the training file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The names of the pixels, row by row of the image as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PixelColumns {
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// What the pixels are called.
    pub names: ColumnNames,
}

/// What pixels are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnNames {
    /// `pixel0`, `pixel1`, …: a number in the same text everywhere.
    Numbered {
        /// Text before the number.
        before: String,
        /// The first pixel's number.
        first: u64,
        /// Text after the number.
        after: String,
    },
    /// `1x1`, `1x2`, …: row and column in the same text everywhere.
    Grid {
        /// Text before the first number.
        before: String,
        /// Text between the numbers.
        between: String,
        /// Text after the second number.
        after: String,
        /// Number of the first row and of the first column.
        first: [u64; 2],
        /// Whether the column stands before the row, as in `x0y3`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_column_first: bool,
    },
    /// One name per pixel.
    Named(Vec<String>),
}

/// Why columns make no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ColumnProblem {
    /// These are called otherwise than all others, which are numbered.
    Strangers {
        /// Their names.
        names: Vec<String>,
        /// First and last of the others.
        others: [String; 2],
    },
    /// Numbered names leave pixels out.
    Gap {
        /// Columns that are there.
        there: usize,
        /// Columns that are not, between the first and the last.
        missing: u64,
    },
    /// So many columns fill no square.
    NotSquare(usize),
    /// This name stands twice.
    Twice(String),
}

impl PixelColumns {
    /// Finds out which pixel each of `names` is; returns the columns of the pixels in their order.
    pub(super) fn of(names: &[&str]) -> Result<(Self, Vec<usize>), ColumnProblem> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
            return Err(ColumnProblem::Twice((*twice).to_owned()));
        }
        let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (column, name) in names.iter().enumerate() {
            alike.entry(pattern(name)).or_default().push(column);
        }
        let largest = alike.into_values().max_by_key(Vec::len).unwrap_or_default();
        let of_largest: Vec<&str> = largest.iter().map(|&column| names[column]).collect();
        let side = names.len().isqrt();
        let square = Some((side, side)).filter(|_| side > 0 && side * side == names.len());
        // Names that are numbered without a gap are meant so, and others among them are no pixels.
        if let Some(sequence) =
            Sequence::of(&of_largest).filter(|_| 2 * largest.len() > names.len())
        {
            let Sequence { names: found, order, sides } = sequence;
            if largest.len() == names.len() {
                let (height, width) =
                    sides.or(square).ok_or(ColumnProblem::NotSquare(names.len()))?;
                return Ok((Self { height, width, names: found }, order));
            }
            let strangers = (0..names.len()).filter(|column| !largest.contains(column));
            return Err(ColumnProblem::Strangers {
                names: strangers.map(|column| names[column].to_owned()).collect(),
                others: [order[0], order[order.len() - 1]].map(|at| of_largest[at].to_owned()),
            });
        }
        if largest.len() == names.len()
            && let Some(missing) = gap(&of_largest)
        {
            return Err(ColumnProblem::Gap { there: names.len(), missing });
        }
        let (height, width) = square.ok_or(ColumnProblem::NotSquare(names.len()))?;
        let named = ColumnNames::Named(names.iter().map(|&name| name.to_owned()).collect());
        Ok((Self { height, width, names: named }, (0..names.len()).collect()))
    }

    /// Returns the name of every pixel, row by row.
    pub(super) fn list(&self) -> Vec<String> {
        let pixels = self.height * self.width;
        match &self.names {
            ColumnNames::Named(names) => names.clone(),
            ColumnNames::Numbered { before, first, after } => (0..pixels as u64)
                .map(|pixel| format!("{before}{}{after}", first + pixel))
                .collect(),
            ColumnNames::Grid { before, between, after, first, is_column_first } => (0..pixels)
                .map(|pixel| {
                    let row = first[0] + (pixel / self.width) as u64;
                    let column = first[1] + (pixel % self.width) as u64;
                    let [one, two] = if *is_column_first { [column, row] } else { [row, column] };
                    format!("{before}{one}{between}{two}{after}")
                })
                .collect(),
        }
    }

    /// Finds the pixels of this table in another of the same columns; else says which names are there
    /// that should not be, and which are missing.
    pub(super) fn order_in(&self, names: &[&str]) -> Result<Vec<usize>, [Vec<String>; 2]> {
        let own = self.list();
        // Numbers may be written with zeros before them.
        let is_numbered = !matches!(self.names, ColumnNames::Named(_));
        let key = |name: &str| if is_numbered { without_zeros(name) } else { name.to_owned() };
        let mut columns: BTreeMap<String, usize> = BTreeMap::new();
        let mut extra = Vec::new();
        for (column, name) in names.iter().enumerate() {
            if columns.insert(key(name), column).is_some() {
                extra.push((*name).to_owned());
            }
        }
        let known: BTreeSet<&str> = own.iter().map(String::as_str).collect();
        let is_extra = |name: &&&str| !known.contains(key(name).as_str());
        extra.extend(names.iter().filter(is_extra).map(|&name| name.to_owned()));
        let missing: Vec<String> =
            own.iter().filter(|name| !columns.contains_key(*name)).cloned().collect();
        if extra.is_empty() && missing.is_empty() {
            return Ok(own.iter().map(|name| columns[name]).collect());
        }
        Err([extra, missing])
    }
}

/// Names of one pattern that are numbered without a gap.
struct Sequence {
    names: ColumnNames,
    /// Where the first, second, … of them stands.
    order: Vec<usize>,
    /// Rows and columns, where the names say them.
    sides: Option<(usize, usize)>,
}

impl Sequence {
    fn of(names: &[&str]) -> Option<Self> {
        // A single column is no sequence.
        let first = names.first().filter(|_| names.len() > 1)?;
        // Texts and numbers take turns in a name, beginning with a (maybe empty) text.
        let parts = parts_of(first);
        let text = |from: usize, to: usize| parts[from..to].concat();
        let numbers: Vec<Vec<u64>> =
            names.iter().map(|name| numbers_of(name)).collect::<Option<_>>()?;
        let varies = |at: &usize| numbers.iter().any(|row| row[*at] != numbers[0][*at]);
        let varying: Vec<usize> = (0..numbers[0].len()).filter(varies).collect();
        match varying[..] {
            [at] => {
                let keys: Vec<u64> = numbers.iter().map(|row| row[at]).collect();
                let (first, order) = permutation(&keys)?;
                let (before, after) = (text(0, 2 * at + 1), text(2 * at + 2, parts.len()));
                let names = ColumnNames::Numbered { before, first, after };
                Some(Self { names, order, sides: None })
            }
            [one, two] => {
                let (before, between) = (text(0, 2 * one + 1), text(2 * one + 2, 2 * two + 1));
                let is_column_first = names_a_column(&before) && names_a_row(&between);
                let (down, across) = if is_column_first { (two, one) } else { (one, two) };
                let lowest = |at: usize| numbers.iter().map(|row| row[at]).min();
                let highest = |at: usize| numbers.iter().map(|row| row[at]).max();
                let (top, left) = (lowest(down)?, lowest(across)?);
                let height = usize::try_from(highest(down)? - top).ok()?.checked_add(1)?;
                let width = usize::try_from(highest(across)? - left).ok()?.checked_add(1)?;
                if height.checked_mul(width)? != names.len() {
                    return None;
                }
                let keys: Vec<u64> = numbers
                    .iter()
                    .map(|row| (row[down] - top) * width as u64 + (row[across] - left))
                    .collect();
                let (_, order) = permutation(&keys)?;
                let names = ColumnNames::Grid {
                    before,
                    between,
                    after: text(2 * two + 2, parts.len()),
                    first: [top, left],
                    is_column_first,
                };
                Some(Self { names, order, sides: Some((height, width)) })
            }
            _ => None,
        }
    }
}

/// Returns the letters that end a text, in lower case.
fn last_word(text: &str) -> String {
    let text = text.trim_end_matches(|letter: char| !letter.is_alphabetic());
    let start = text.rfind(|letter: char| !letter.is_alphabetic()).map_or(0, |at| at + 1);
    text.get(start..).unwrap_or_default().to_lowercase()
}

/// Returns whether the number after this text counts columns.
fn names_a_column(text: &str) -> bool {
    matches!(last_word(text).as_str(), "x" | "c" | "col" | "column")
}

/// Returns whether the number after this text counts rows.
fn names_a_row(text: &str) -> bool {
    matches!(last_word(text).as_str(), "y" | "r" | "row")
}

/// Returns how many pixels names of one pattern leave out between the first and the last, where they
/// hold at least half of them: fewer are numbers of another kind.
fn gap(names: &[&str]) -> Option<u64> {
    let numbers: Vec<Vec<u64>> =
        names.iter().map(|name| numbers_of(name)).collect::<Option<_>>()?;
    let mut all = 1_u64;
    for at in 0..numbers.first()?.len() {
        let of_rows = || numbers.iter().map(|row| row[at]);
        let range = (of_rows().max()? - of_rows().min()?).checked_add(1)?;
        all = all.checked_mul(range)?;
    }
    let (there, mut distinct) = (names.len() as u64, numbers);
    distinct.sort_unstable();
    distinct.dedup();
    (distinct.len() == names.len() && there < all && all <= 2 * there).then(|| all - there)
}

/// Cuts a name into texts and numbers that take turns, beginning and ending with a (maybe empty) text.
fn parts_of(name: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = name;
    loop {
        let text = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        parts.push(&rest[..text]);
        rest = &rest[text..];
        if rest.is_empty() {
            return parts;
        }
        let number = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        parts.push(&rest[..number]);
        rest = &rest[number..];
        if rest.is_empty() {
            parts.push("");
            return parts;
        }
    }
}

/// Returns a name with every number replaced.
fn pattern(name: &str) -> String {
    parts_of(name).iter().step_by(2).copied().collect::<Vec<_>>().join("0")
}

fn numbers_of(name: &str) -> Option<Vec<u64>> {
    parts_of(name).iter().skip(1).step_by(2).map(|number| number.parse().ok()).collect()
}

fn without_zeros(name: &str) -> String {
    let parts = parts_of(name).into_iter().enumerate();
    parts
        .map(|(index, part)| match part.trim_start_matches('0') {
            _ if index % 2 == 0 => part,
            "" => "0",
            number => number,
        })
        .collect()
}

/// Returns the smallest of `keys` and their indices in ascending order, where they leave no gap.
fn permutation(keys: &[u64]) -> Option<(u64, Vec<usize>)> {
    let low = *keys.iter().min()?;
    let mut order = vec![usize::MAX; keys.len()];
    for (index, key) in keys.iter().enumerate() {
        let entry = order.get_mut(usize::try_from(key - low).ok()?)?;
        if *entry != usize::MAX {
            return None;
        }
        *entry = index;
    }
    Some((low, order))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> (PixelColumns, Vec<usize>) {
        PixelColumns::of(names).unwrap()
    }

    #[test]
    fn numbers_in_names_say_which_pixel_a_column_is() {
        let (columns, order) = of(&["p3", "p1", "p0", "p2"]);
        assert_eq!(order, [2, 1, 3, 0]);
        assert_eq!((columns.height, columns.width), (2, 2));
        assert_eq!(columns.list(), ["p0", "p1", "p2", "p3"]);
        let (columns, order) = of(&["8x8 p01", "8x8 p03", "8x8 p02", "8x8 p04"]);
        assert_eq!(order, [0, 2, 1, 3]);
        assert_eq!(columns.list()[0], "8x8 p1");
    }

    #[test]
    fn rows_and_columns_in_names_make_images_that_need_not_be_square() {
        let (columns, order) = of(&["2x3", "1x1", "1x2", "1x3", "2x1", "2x2"]);
        assert_eq!((columns.height, columns.width), (2, 3));
        assert_eq!(order, [1, 2, 3, 4, 5, 0]);
        assert_eq!(columns.list(), ["1x1", "1x2", "1x3", "2x1", "2x2", "2x3"]);
    }

    #[test]
    fn names_that_say_which_number_is_the_column_are_taken_at_their_word() {
        for (names, order) in [
            (["x0y0", "x1y0", "x2y0", "x0y1", "x1y1", "x2y1"], [0, 1, 2, 3, 4, 5]),
            (
                ["col0row0", "col0row1", "col1row0", "col1row1", "col2row0", "col2row1"],
                [0, 2, 4, 1, 3, 5],
            ),
            (
                ["px_X1_Y1", "px_X1_Y2", "px_X2_Y1", "px_X2_Y2", "px_X3_Y1", "px_X3_Y2"],
                [0, 2, 4, 1, 3, 5],
            ),
        ] {
            let (columns, found) = of(&names);
            assert_eq!((columns.height, columns.width), (2, 3), "{names:?}");
            assert_eq!(found, order, "{names:?}");
            let in_order: Vec<&str> = found.iter().map(|&at| names[at]).collect();
            assert_eq!(columns.list(), in_order);
        }
        let (columns, _) = of(&["r0c0", "r0c1", "r0c2", "r1c0", "r1c1", "r1c2"]);
        assert_eq!((columns.height, columns.width), (2, 3));
    }

    #[test]
    fn numbers_with_gaps_are_refused_where_most_are_there() {
        let of_20: Vec<String> = (0..20)
            .filter(|pixel| ![3, 7, 8, 12].contains(pixel))
            .map(|pixel| format!("pixel{pixel}"))
            .collect();
        let names: Vec<&str> = of_20.iter().map(String::as_str).collect();
        let gap = |names: &[&str]| PixelColumns::of(names).unwrap_err();
        assert_eq!(gap(&names), ColumnProblem::Gap { there: 16, missing: 4 });
        let cross = ["0x0", "0x1", "1x0", "2x2"];
        assert_eq!(PixelColumns::of(&cross).unwrap().1, [0, 1, 2, 3]);
        let five = ["0x0", "0x1", "1x0", "1x2"];
        assert_eq!(gap(&five), ColumnProblem::Gap { there: 4, missing: 2 });
    }

    #[test]
    fn other_names_stand_for_the_pixels_in_their_order() {
        for names in [["a", "b", "c", "d"], ["p0", "p1", "p2", "p99"], ["d", "a", "p1", "p2"]] {
            let (columns, order) = of(&names);
            assert_eq!(order, [0, 1, 2, 3]);
            assert_eq!(columns.list(), names);
        }
        assert_eq!(of(&["only"]).1, [0]);
    }

    #[test]
    fn a_column_called_otherwise_than_all_numbered_ones_is_named() {
        let strangers = |names: &[&str]| match PixelColumns::of(names).unwrap_err() {
            ColumnProblem::Strangers { names, others } => (names, others.join(" to ")),
            other => panic!("{other:?}"),
        };
        let found = strangers(&["Unnamed: 0", "p0", "p1", "p2", "p3"]);
        assert_eq!(found, (vec!["Unnamed: 0".to_owned()], "p0 to p3".to_owned()));
        // Four columns would fill a square, but three pixels and an index are none.
        assert_eq!(strangers(&["id", "p0", "p1", "p2"]).0, ["id"]);
        assert_eq!(PixelColumns::of(&["a", "b"]), Err(ColumnProblem::NotSquare(2)));
        assert_eq!(PixelColumns::of(&["a", "a"]), Err(ColumnProblem::Twice("a".to_owned())));
    }

    #[test]
    fn columns_of_another_file_are_found_by_name_or_told_apart() {
        let (columns, _) = of(&["p0", "p1", "p2", "p3"]);
        assert_eq!(columns.order_in(&["p3", "p2", "p01", "p00"]).unwrap(), [3, 2, 1, 0]);
        let [extra, missing] = columns.order_in(&["p1", "p2", "p3", "p4", "id"]).unwrap_err();
        assert_eq!((extra, missing), (vec!["p4".into(), "id".into()], vec!["p0".into()]));
        let (named, _) = of(&["b", "a", "d", "c"]);
        assert_eq!(named.order_in(&["a", "b", "c", "d"]).unwrap(), [1, 0, 3, 2]);
    }

    #[test]
    fn what_is_stored_of_columns_gives_their_names_again() {
        for names in [["p1", "p2", "p3", "p4"], ["0_0", "0_1", "1_0", "1_1"], ["n", "e", "s", "w"]]
        {
            let (columns, _) = of(&names);
            let text = serde_json::to_string(&columns).unwrap();
            let read: PixelColumns = serde_json::from_str(&text).unwrap();
            assert_eq!(read.list(), names, "{text}");
        }
    }
}
