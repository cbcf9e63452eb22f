//! Labels of a table: numbers or names, and the classes they make.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::text::whole;
use crate::data::error::MAX_SHARE;
use crate::data::paths::{listed, shown};
use crate::experiment::settings::LabelKind;

/// Classes and how their labels are compared.
pub(in crate::data) struct Classes {
    /// Their names, in label order.
    pub(in crate::data) names: Vec<String>,
    /// Whether labels are numbers, however they are written.
    are_numbers: bool,
    indices: BTreeMap<String, usize>,
}

/// Labels of which more than a few are neither numbers nor meant to be names.
pub(super) struct Mixed {
    /// How many are no whole numbers, of how many.
    pub(super) found: String,
    /// What to do.
    pub(super) hint: String,
}

impl Classes {
    /// Returns the classes with these names, which labels may also mean as numbers.
    pub(in crate::data) fn known(names: &[String]) -> Self {
        let indices = names.iter().cloned().zip(0_usize..).collect();
        Self { names: names.to_vec(), are_numbers: true, indices }
    }

    /// Finds the classes of `labels`: all different numbers in their order, or all different names in
    /// theirs.
    ///
    /// Of labels that are mostly numbers, the few others make no class.
    pub(super) fn of<'l>(
        labels: impl Iterator<Item = &'l str> + Clone,
        kind: LabelKind,
    ) -> Result<Self, Mixed> {
        let all = labels.clone().count();
        let numbers = labels.clone().filter(|label| number(label).is_some()).count();
        let are_numbers = match kind {
            LabelKind::Number => true,
            LabelKind::Text => false,
            LabelKind::Auto => 2 * numbers > all,
        };
        let others = all - numbers;
        if are_numbers && kind == LabelKind::Auto && MAX_SHARE * others > all {
            let names: BTreeSet<&str> = labels.filter(|label| number(label).is_none()).collect();
            let names: Vec<&str> = names.into_iter().collect();
            return Err(Mixed {
                found: format!(
                    "labels that are whole numbers and {} of {} that are not ({})",
                    whole(others),
                    whole(all),
                    listed(&names, 6)
                ),
                hint:
                    "if they all name classes, set `dataset.label-kind = \"text\"`; if the others \
                       are mistakes, set it to `\"number\"`"
                        .to_owned(),
            });
        }
        let names: Vec<String> = if are_numbers {
            let numbers: BTreeSet<i128> = labels.filter_map(number).collect();
            numbers.into_iter().map(|number| number.to_string()).collect()
        } else {
            let names: BTreeSet<&str> = labels.collect();
            names.into_iter().map(str::to_owned).collect()
        };
        let indices = names.iter().cloned().zip(0_usize..).collect();
        Ok(Self { names, are_numbers, indices })
    }

    /// Returns the index of the class of a label.
    pub(super) fn index(&self, label: &str) -> Option<u16> {
        let as_number = || {
            let number = number(label).filter(|_| self.are_numbers)?;
            self.indices.get(&number.to_string())
        };
        let index = self.indices.get(label).or_else(as_number)?;
        u16::try_from(*index).ok()
    }

    /// Says what a label of `whose` classes could be.
    pub(super) fn expected(&self, whose: &str) -> String {
        if self.names.is_empty() {
            return "a whole number".to_owned();
        }
        format!("a class of {whose}: {}", classes_listed(&self.names))
    }
}

/// Reads a whole number, also as tables of fractions write it: `7`, `07`, `-1`, `7.0`.
fn number(label: &str) -> Option<i128> {
    let whole = match label.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|zero| zero == b'0') => whole,
        Some(_) => return None,
        None => label,
    };
    whole.parse().ok()
}

/// Returns the names of classes as messages show them.
pub(in crate::data) fn classes_listed(classes: &[String]) -> String {
    const MAX_LISTED: usize = 12;
    let numbers: Option<Vec<i128>> = classes.iter().map(|name| name.parse().ok()).collect();
    let is_range =
        |numbers: &[i128]| numbers.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
    if let ([first, _, .., last], Some(true)) = (classes, numbers.as_deref().map(is_range)) {
        return format!("{} to {}", shown(first), shown(last));
    }
    listed(classes, MAX_LISTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(labels: &[&str], kind: LabelKind) -> Result<Classes, Mixed> {
        Classes::of(labels.iter().copied(), kind)
    }

    fn names(labels: &[&str], kind: LabelKind) -> Vec<String> {
        of(labels, kind).unwrap_or_else(|mixed| panic!("{}", mixed.found)).names
    }

    #[test]
    fn numbers_make_the_classes_there_are_and_no_others() {
        assert_eq!(names(&["3", "900", "3"], LabelKind::Auto), ["3", "900"]);
        assert_eq!(names(&["2", "10", "1", "01", "1.0"], LabelKind::Auto), ["1", "2", "10"]);
        assert_eq!(names(&["1", "-1"], LabelKind::Auto), ["-1", "1"]);
        let huge = "340282366920938463463374607431768211456";
        assert_eq!(names(&[huge, "99999999999999999999"], LabelKind::Text).len(), 2);
        let classes = of(&["1", "2"], LabelKind::Auto).ok().unwrap();
        assert_eq!(classes.index("002"), Some(1));
        assert_eq!(classes.index("2.0"), Some(1));
        assert_eq!(classes.index("3"), None);
    }

    #[test]
    fn hexadecimal_labels_are_asked_about_and_kept_whole_as_text() {
        let hex: Vec<String> = (0..16).map(|digit| format!("{digit:X}")).collect();
        let hex: Vec<&str> = hex.iter().map(String::as_str).collect();
        let mixed = of(&hex, LabelKind::Auto).err().unwrap();
        assert_eq!(
            mixed.found,
            "labels that are whole numbers and 6 of 16 that are not (`A`, `B`, `C`, `D`, `E` and `F`)"
        );
        assert!(mixed.hint.contains("label-kind = \"text\""), "{}", mixed.hint);
        assert_eq!(names(&hex, LabelKind::Text), hex);
        assert_eq!(names(&hex, LabelKind::Number).len(), 10);
    }

    #[test]
    fn as_text_every_way_to_write_a_label_is_a_class() {
        assert_eq!(names(&["7", "07"], LabelKind::Text), ["07", "7"]);
        assert_eq!(of(&["7", "07"], LabelKind::Text).ok().unwrap().index("007"), None);
    }

    #[test]
    fn a_few_labels_that_are_no_numbers_make_no_class() {
        let mut labels = vec!["1"; 39];
        labels.push("?");
        let classes = of(&labels, LabelKind::Auto).ok().unwrap();
        assert_eq!((classes.names.len(), classes.index("?")), (1, None));
        // Letters and digits, as in character sets: names, since most are no numbers.
        assert_eq!(names(&["0", "A", "B"], LabelKind::Auto), ["0", "A", "B"]);
    }

    #[test]
    fn classes_that_follow_each_other_are_a_range() {
        let listed = |names: &[&str]| {
            classes_listed(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(listed(&["1", "2", "3"]), "`1` to `3`");
        assert_eq!(listed(&["1", "3"]), "`1` and `3`");
        assert_eq!(listed(&["0"]), "`0`");
        assert_eq!(listed(&["a", "b"]), "`a` and `b`");
    }
}
