//! What of a dataset cannot be used: an error that names all of it, or left out and listed.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{LoadError, MAX_SHARE};
use super::note::Note;
use super::paths::{ending_of, shown};
use crate::base::text::{counted, whole};

/// Problems that an error shows; the others are counted.
const MAX_SHOWN: usize = 8;

/// What was found that cannot be used.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    leaves_out: bool,
    /// The first problems.
    bad: Vec<LoadError>,
    bad_count: usize,
    /// What was left out and why, one line each.
    list: Vec<String>,
    /// Files that hold no image, by kind, with the first of each kind.
    passed_over: BTreeMap<String, (usize, String)>,
}

impl Rejects {
    /// Leaves out what is bad where `leaves_out`, else makes it an error.
    pub(super) fn new(leaves_out: bool) -> Self {
        Self { leaves_out, ..Self::default() }
    }

    /// Passes on what is good; notes what is bad.
    pub(super) fn pass<T>(&mut self, result: Result<T, LoadError>) -> Option<T> {
        match result {
            Ok(good) => Some(good),
            Err(bad) => {
                self.bad_count += 1;
                if self.leaves_out {
                    self.list.push(bad.line());
                } else if self.bad.len() < MAX_SHOWN {
                    self.bad.push(bad);
                }
                None
            }
        }
    }

    /// Notes a file that holds no image.
    pub(super) fn pass_over(&mut self, file: &Path, why: &str) {
        let name = file.display().to_string();
        let kind = match (why, ending_of(file)) {
            ("", ending) if ending.is_empty() => "files without an ending".to_owned(),
            ("", ending) => format!("`.{ending}`"),
            (why, _) => why.to_owned(),
        };
        self.list.push(match why {
            "" => format!("`{name}` is no image of a format that is read"),
            why => format!("`{name}` lies {why}"),
        });
        self.passed_over.entry(kind).or_insert_with(|| (0, name)).0 += 1;
    }

    /// Lists a hidden file, which counts for nothing.
    pub(super) fn ignore(&mut self, file: &Path) {
        self.list.push(format!("`{}` is hidden, or a file of the system", file.display()));
    }

    /// Makes the bad ones of `all` rows or images (as `noun` says) an error, unless they are left out.
    ///
    /// # Errors
    /// If there are any.
    pub(super) fn check(&mut self, all: usize, noun: &'static str) -> Result<(), LoadError> {
        if self.bad.is_empty() {
            return Ok(());
        }
        let problems = std::mem::take(&mut self.bad);
        let bad = std::mem::take(&mut self.bad_count);
        let all = all.max(bad);
        Err(LoadError::Bad { problems, bad, all, noun })
    }

    /// Judges the files in `folder` that were passed over beside `images`.
    ///
    /// # Errors
    /// If they are more than one in [`MAX_SHARE`], unless bad images are left out.
    pub(super) fn check_passed_over(
        &mut self,
        folder: &Path,
        images: usize,
    ) -> Result<Option<Note>, LoadError> {
        let passed = self.passed_count();
        if MAX_SHARE * passed > images + passed && !self.leaves_out {
            return Err(LoadError::PassedOver {
                path: folder.to_owned(),
                passed,
                all: images + passed,
                kinds: self.kinds(),
                first: self.first(),
            });
        }
        Ok(self.passed_over())
    }

    /// Returns what there is to say of the files that were passed over, and forgets them.
    pub(super) fn passed_over(&mut self) -> Option<Note> {
        let passed = self.passed_count();
        let are = if passed == 1 { "is" } else { "are" };
        let text = format!(
            "{} {are} not read: {} (the first: {})",
            counted(passed, "file"),
            self.kinds(),
            shown(&self.first()),
        );
        self.passed_over.clear();
        (passed > 0).then(|| Note::warning(text))
    }

    fn passed_count(&self) -> usize {
        self.passed_over.values().map(|(count, _)| count).sum()
    }

    fn first(&self) -> String {
        self.passed_over.values().map(|(_, first)| first).min().cloned().unwrap_or_default()
    }

    /// Returns the kinds of files passed over, the most frequent first.
    fn kinds(&self) -> String {
        let mut kinds: Vec<(&String, usize)> =
            self.passed_over.iter().map(|(kind, (count, _))| (kind, *count)).collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let kinds: Vec<String> =
            kinds.iter().map(|(kind, count)| format!("{} {kind}", whole(*count))).collect();
        kinds.join(", ")
    }

    /// Returns what was left out and why, one line each.
    pub(super) fn into_list(self) -> Vec<String> {
        self.list
    }

    /// Returns how many bad ones were left out so far.
    pub(super) fn left_out(&self) -> usize {
        if self.leaves_out { self.bad_count } else { 0 }
    }
}
