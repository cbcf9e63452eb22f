//! The first line of a table: what every column is.

use std::path::Path;

use csv::{ByteRecord, StringRecord};

use super::text::CsvText;
use crate::base::text::{counted, whole};
use crate::data::error::LoadError;
use crate::data::paths::{listed, shown};
use crate::data::pixel_columns::{ColumnProblem, PixelColumns};

/// Names that a message lists.
const MAX_LISTED: usize = 4;
/// Fewest pixels beside which one more column is thought to be something else.
const MIN_PIXELS: usize = 4;

/// What the columns of a table mean.
#[derive(Clone, Copy)]
pub(in crate::data) struct Columns<'a> {
    /// Name of the label column, where there is one.
    pub(in crate::data) label: Option<&'a str>,
    /// Name of a column that says which image a row is, where there is one.
    pub(in crate::data) id: Option<&'a str>,
    /// Names of columns that are to be passed over.
    pub(in crate::data) ignored: &'a [String],
    /// The pixels of the training file and that file, where this is another.
    pub(in crate::data) pixels: Option<(&'a PixelColumns, &'a Path)>,
}

/// What one column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The pixel with this index.
    Pixel(usize),
    Label,
    Id,
    Ignored,
}

/// The columns of one table.
pub(super) struct Header {
    pub(super) names: Vec<String>,
    pub(super) roles: Vec<Role>,
    pub(super) pixels: PixelColumns,
    /// Whether the pixels stand in another order than in the image.
    pub(super) is_reordered: bool,
}

impl Header {
    /// Reads the first line of `text`.
    pub(super) fn read(
        text: &CsvText,
        path: &Path,
        (line, first): (u64, &[u8]),
        columns: Columns<'_>,
    ) -> Result<Self, LoadError> {
        let mut record = ByteRecord::new();
        text.split(line, first, &mut record)?;
        let header = StringRecord::from_byte_record(record).map_err(|error| {
            let found = format!("bytes that are not text ({})", error.utf8_error());
            text.problem(line, found, "UTF-8")
        })?;
        let mut names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        // A comma at the end of every line makes no column.
        while names.len() > 1 && names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        check(text, line, &names)?;
        let mut roles = vec![None; names.len()];
        for (name, role) in [(columns.label, Role::Label), (columns.id, Role::Id)] {
            if let Some(name) = name {
                roles[find(path, &names, name, role)?] = Some(role);
            }
        }
        for (name, role) in names.iter().zip(&mut roles) {
            if role.is_none() && columns.ignored.contains(name) {
                *role = Some(Role::Ignored);
            }
        }
        let of_pixels: Vec<usize> =
            (0..names.len()).filter(|&column| roles[column].is_none()).collect();
        let pixel_names: Vec<&str> =
            of_pixels.iter().map(|&column| names[column].as_str()).collect();
        let (pixels, order) = match columns.pixels {
            Some((known, whose)) => {
                let order = known.order_in(&pixel_names);
                let order = order.map_err(|differ| other_columns(path, columns, whose, &differ))?;
                (known.clone(), order)
            }
            None => PixelColumns::of(&pixel_names)
                .map_err(|problem| no_image(path, columns, &pixel_names, problem))?,
        };
        let is_reordered = !order.is_sorted();
        for (pixel, &at) in order.iter().enumerate() {
            roles[of_pixels[at]] = Some(Role::Pixel(pixel));
        }
        let roles = roles.into_iter().map(|role| role.unwrap_or(Role::Ignored)).collect();
        Ok(Self { names, roles, pixels, is_reordered })
    }
}

/// Refuses a first line that is a row: nothing but pixels beside, at most, a label and an id.
///
/// Columns may be numbered, though, as pandas does it: such numbers go up by one.
fn check(text: &CsvText, line: u64, names: &[String]) -> Result<(), LoadError> {
    if let [only] = names
        && only.split_whitespace().count() > 2
    {
        let found = format!("a single column {}", shown(only));
        return Err(text.problem(
            line,
            found,
            "columns separated by `,`, `;`, `|` or tabs, not by spaces",
        ));
    }
    let pixels: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let goes_up = pixels.windows(2).all(|pair| pair[1] == pair[0].saturating_add(1));
    if goes_up || names.len() - pixels.len() > 2 {
        return Ok(());
    }
    Err(text.problem(line, "pixels", "a header that names the columns; add one"))
}

/// Returns the index of the one column of that name.
fn find(path: &Path, names: &[String], wanted: &str, role: Role) -> Result<usize, LoadError> {
    let mut found = names.iter().enumerate().filter(|(_, name)| *name == wanted);
    let twice = match (found.next(), found.next()) {
        (Some((column, _)), None) => return Ok(column),
        (first, _) => first.is_some(),
    };
    let error = |found: String| {
        LoadError::content(path, found, format!("exactly one called {}", shown(wanted)))
    };
    if twice {
        return Err(error(format!("several columns {}", shown(wanted))));
    }
    let error = error(format!("columns {}", listed(names, MAX_LISTED)));
    if role != Role::Label {
        return Err(error);
    }
    let is_meant = |name: &&String| {
        let name = name.to_lowercase();
        name == wanted.to_lowercase()
            || ["label", "labels", "class", "target", "digit", "y", "category"].contains(&&*name)
    };
    Err(match names.iter().find(is_meant) {
        Some(name) => error.hinting(format!(
            "if {0} holds the labels, set `dataset.label = \"{1}\"`",
            shown(name),
            name.escape_default()
        )),
        None => error.hinting(
            "name the column of the labels with `dataset.label`; images without labels are for \
             `bench predict`",
        ),
    })
}

/// Says why columns make no image.
fn no_image(
    path: &Path,
    columns: Columns<'_>,
    names: &[&str],
    problem: ColumnProblem,
) -> LoadError {
    let others = [columns.label, columns.id];
    let beside: Vec<String> = others.iter().flatten().map(|name| shown(name)).collect();
    let beside = match beside.len() {
        0 => String::new(),
        _ => format!(" beside {}", beside.join(" and ")),
    };
    let unlabelled = columns.label.is_none();
    let say_what_it_is = |name: &str| {
        if unlabelled {
            format!(
                "say what it is with `--label {0}` (to score the predictions) or \
                 `--id-column {0}`",
                argument(name)
            )
        } else {
            format!(
                "if it is no pixel, set `dataset.ignore-columns = [\"{}\"]`",
                name.escape_default()
            )
        }
    };
    match problem {
        ColumnProblem::Twice(name) => LoadError::content(
            path,
            format!("two columns called {}", shown(&name)),
            "one name per column",
        ),
        ColumnProblem::Strangers { names: strangers, others: [first, last] } => {
            let number = names.len() - strangers.len();
            let hint = match &strangers[..] {
                [name] => say_what_it_is(name),
                several if unlabelled => format!("remove {}", listed(several, MAX_LISTED)),
                several => {
                    let quoted: Vec<String> = several
                        .iter()
                        .take(MAX_LISTED)
                        .map(|name| format!("\"{}\"", name.escape_default()))
                        .collect();
                    let more = if several.len() > MAX_LISTED { ", …" } else { "" };
                    format!(
                        "if they are no pixels, set `dataset.ignore-columns = [{}{more}]`",
                        quoted.join(", ")
                    )
                }
            };
            LoadError::content(
                path,
                format!(
                    "{} {}{beside} and {} pixels, {} to {}",
                    if strangers.len() == 1 { "a column" } else { "columns" },
                    listed(&strangers, MAX_LISTED),
                    whole(number),
                    shown(&first),
                    shown(&last)
                ),
                "nothing but pixels there",
            )
            .hinting(hint)
        }
        ColumnProblem::Gap { there, missing } => LoadError::content(
            path,
            format!(
                "{}{beside} whose numbers leave out {missing} between the first and the last",
                counted(there, "column")
            ),
            "a column for every pixel",
        )
        .hinting("if they are numbered by something else than pixels, name them otherwise"),
        ColumnProblem::NotSquare(count) => {
            let found = if names.len() == 1 && count == 1 {
                format!("one column, {}", shown(names[0]))
            } else {
                format!("{}{beside}", counted(count, "column"))
            };
            let error =
                LoadError::content(path, found, "a square number of pixels (784 for 28×28)");
            let is_square = |count: usize| count > 0 && count.isqrt().pow(2) == count;
            match names.first() {
                Some(first) if count > MIN_PIXELS && is_square(count - 1) => {
                    error.hinting(format!("one is too many; {}", say_what_it_is(first)))
                }
                Some(_) if count % 3 == 0 && count / 3 >= 16 && is_square(count / 3) => error.hinting(format!(
                    "{} are three times {}: tables of colour images are not read, but folders of \
                     them are",
                    whole(count),
                    whole(count / 3),
                )),
                _ => error,
            }
        }
    }
}

/// Returns a name as it is typed on a command line.
fn argument(name: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', "'\\''"))
}

/// Says how the columns of a table differ from those of the training file.
fn other_columns(
    path: &Path,
    columns: Columns<'_>,
    whose: &Path,
    [extra, missing]: &[Vec<String>; 2],
) -> LoadError {
    let mut found = Vec::new();
    if !extra.is_empty() {
        let noun = if extra.len() == 1 { "a column" } else { "columns" };
        found.push(format!("{noun} {} too many", listed(extra, MAX_LISTED)));
    }
    if !missing.is_empty() {
        found.push(format!("no {}", listed(missing, MAX_LISTED)));
    }
    let error = LoadError::content(
        path,
        found.join(" and "),
        format!("the columns of {}, in any order", whose_columns(whose)),
    );
    match (&extra[..], missing.is_empty(), columns.label) {
        ([name], true, None) => error.hinting(format!(
            "say what it is with `--label {0}` (to score the predictions) or `--id-column {0}`",
            argument(name)
        )),
        ([name], true, Some(_)) => error.hinting(format!(
            "if it is no pixel, set `dataset.ignore-columns = [\"{}\"]`",
            name.escape_default()
        )),
        _ => error.hinting("name the columns like those the network is trained with"),
    }
}

fn whose_columns(whose: &Path) -> String {
    if whose.as_os_str().is_empty() {
        return "the network's training file".to_owned();
    }
    format!("`{}`", whose.display())
}
