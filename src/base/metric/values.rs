//! Values of metrics: what one training or one trial came to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::iter::Zip;
use std::ops::Index;
use std::slice;
use std::sync::Arc;

use super::MetricName;

/// Sets of names that a thread remembers.
const REMEMBERED: usize = 16;

/// Values by the names of their metrics, in the order of the names.
///
/// A million trials have the same few metrics, so those that have the same share one list of names,
/// and hold little more than their numbers.
#[derive(Clone, PartialEq)]
pub struct Metrics {
    names: Arc<[MetricName]>,
    values: Box<[f64]>,
}

impl Metrics {
    /// Returns the value of a metric.
    #[must_use]
    pub fn get(&self, name: &MetricName) -> Option<&f64> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns whether there is a value of a metric.
    pub(crate) fn contains_key(&self, name: &MetricName) -> bool {
        self.names.contains(name)
    }

    /// Iterates over the names.
    pub fn keys(&self) -> slice::Iter<'_, MetricName> {
        self.names.iter()
    }

    /// Iterates over names and values.
    pub fn iter(&self) -> Zip<slice::Iter<'_, MetricName>, slice::Iter<'_, f64>> {
        self.names.iter().zip(&self.values)
    }

    /// Returns whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds a value, or replaces that of the same metric.
    pub fn insert(&mut self, name: MetricName, value: f64) {
        *self = self
            .iter()
            .map(|(name, value)| (name.clone(), *value))
            .chain([(name, value)])
            .collect();
    }

    /// Takes names and values as they stand; of equal names the last counts.
    ///
    /// # Panics
    /// If there are more names than values, or fewer.
    pub(crate) fn of(mut names: Vec<MetricName>, mut values: Vec<f64>) -> Self {
        assert_eq!(names.len(), values.len(), "every name has a value");
        if !names.is_sorted_by(|a, b| a < b) {
            let sorted: BTreeMap<MetricName, f64> = names.into_iter().zip(values).collect();
            (names, values) = sorted.into_iter().unzip();
        }
        Self { names: shared(names), values: values.into() }
    }
}

/// Returns the list of these names that others share.
fn shared(names: Vec<MetricName>) -> Arc<[MetricName]> {
    thread_local! {
        static KNOWN: RefCell<Vec<Arc<[MetricName]>>> = const { RefCell::new(Vec::new()) };
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some(known) = known.iter().find(|known| known[..] == names[..]) {
            return Arc::clone(known);
        }
        let new: Arc<[MetricName]> = names.into();
        if known.len() == REMEMBERED {
            known.remove(0);
        }
        known.push(Arc::clone(&new));
        new
    })
}

impl Default for Metrics {
    fn default() -> Self {
        Self::of(Vec::new(), Vec::new())
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl FromIterator<(MetricName, f64)> for Metrics {
    fn from_iter<I: IntoIterator<Item = (MetricName, f64)>>(pairs: I) -> Self {
        let (names, values) = pairs.into_iter().unzip();
        Self::of(names, values)
    }
}

impl From<BTreeMap<MetricName, f64>> for Metrics {
    fn from(values: BTreeMap<MetricName, f64>) -> Self {
        values.into_iter().collect()
    }
}

impl<const N: usize> From<[(MetricName, f64); N]> for Metrics {
    fn from(values: [(MetricName, f64); N]) -> Self {
        values.into_iter().collect()
    }
}

impl Index<&MetricName> for Metrics {
    type Output = f64;

    fn index(&self, name: &MetricName) -> &f64 {
        self.get(name).expect("the metric has a value")
    }
}

impl<'a> IntoIterator for &'a Metrics {
    type Item = (&'a MetricName, &'a f64);
    type IntoIter = Zip<slice::Iter<'a, MetricName>, slice::Iter<'a, f64>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name_in_the_order_of_the_names() {
        let mut metrics =
            Metrics::from([(MetricName::TEST_LOSS, 0.3), (MetricName::TEST_ACCURACY, 0.9)]);
        let names: Vec<&str> = metrics.keys().map(MetricName::as_str).collect();
        assert_eq!(names, ["test-accuracy", "test-loss"]);
        assert_eq!(metrics.get(&MetricName::TEST_LOSS), Some(&0.3));
        assert_eq!(metrics.get(&MetricName::EPOCHS), None);
        metrics.insert(MetricName::EPOCHS, 4.0);
        metrics.insert(MetricName::TEST_LOSS, 0.2);
        assert_eq!((metrics.iter().count(), metrics[&MetricName::TEST_LOSS]), (3, 0.2));
        assert!(metrics.contains_key(&MetricName::EPOCHS) && !metrics.is_empty());
        assert!(Metrics::default().is_empty());
    }

    #[test]
    fn the_same_names_are_held_once() {
        let one = |value| Metrics::from([(MetricName::TEST_LOSS, value)]);
        assert!(Arc::ptr_eq(&one(1.0).names, &one(2.0).names));
        for index in 0..2 * REMEMBERED {
            let other = format!("other-{index}").parse::<MetricName>().unwrap();
            assert_eq!(Metrics::from([(other.clone(), 1.0)]).get(&other), Some(&1.0));
        }
        assert_eq!(one(1.0), one(1.0));
    }
}
