//! Numbers that survive JSON even when they are not finite.
//!
//! JSON has no NaN and no infinities; `serde_json` writes them as `null` and cannot read them back,
//! so the epochs of a diverged member would make its journal line unreadable. They are written as
//! the texts `NaN`, `inf` and `-inf` instead.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or one of `NaN`, `inf`, `-inf`")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                match text {
                    "NaN" => Ok(Number(f64::NAN)),
                    "inf" => Ok(Number(f64::INFINITY)),
                    "-inf" => Ok(Number(f64::NEG_INFINITY)),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }

        deserializer.deserialize_any(NumberVisitor)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `with` passes a reference")]
pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Number::deserialize(deserializer).map(|number| number.0)
}

/// The same for numbers that may be absent.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Number, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde's `with` passes a reference to the field")]
    pub(in super::super) fn serialize<S: Serializer>(
        value: &Option<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(Number).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Number>::deserialize(deserializer)?.map(|number| number.0))
    }
}

/// The same for metrics by name, whoever declared them.
pub(super) mod map {
    use std::fmt;

    use serde::de::{MapAccess, Visitor};

    use super::{Deserializer, Number, Serializer};
    use crate::base::{MetricName, Metrics};

    /// Metrics for which there is room at first: as many as a trial of a network has.
    const USUAL: usize = 10;

    pub(in super::super) fn serialize<S: Serializer>(
        values: &Metrics,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(values.iter().map(|(metric, value)| (metric, Number(*value))))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Metrics, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = Metrics;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("numbers by the names of metrics")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Metrics, A::Error> {
                let (mut names, mut values) =
                    (Vec::with_capacity(USUAL), Vec::with_capacity(USUAL));
                while let Some((name, Number(value))) =
                    entries.next_entry::<MetricName, Number>()?
                {
                    names.push(name);
                    values.push(value);
                }
                Ok(Metrics::of(names, values))
            }
        }

        deserializer.deserialize_map(Values)
    }
}

#[cfg(test)]
mod tests {
    use crate::base::{CellId, MetricName, Metrics, TrialId, digest_of};
    use crate::record::{EpochRecord, Outcome, TrialRecord};

    fn epoch(train_loss: f64, validation_loss: Option<f64>) -> EpochRecord {
        EpochRecord {
            epoch: 3,
            learning_rate: 1e-3,
            train_loss,
            train_accuracy: 0.1,
            validation_loss,
            validation_accuracy: None,
            train_seconds: 1.5,
        }
    }

    #[test]
    fn the_epochs_of_a_diverged_member_survive_json() {
        for loss in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2, 5.0] {
            let text = serde_json::to_string(&epoch(loss, Some(loss))).unwrap();
            let back: EpochRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(back.train_loss.to_bits(), loss.to_bits(), "{text}");
            assert_eq!(back.validation_loss.map(f64::to_bits), Some(loss.to_bits()), "{text}");
            assert_eq!(back.validation_accuracy, None);
        }
    }

    #[test]
    fn metrics_of_any_trainer_survive_json() {
        let latency: MetricName = "latency-p99".parse().unwrap();
        let record = TrialRecord {
            id: TrialId::from(digest_of(b"trial")),
            cell: CellId::from(digest_of(b"cell")),
            repeat: 0,
            members: vec![],
            outcome: Outcome::Completed,
            reason: None,
            metrics: Metrics::from([(MetricName::TEST_ACCURACY, 0.75), (latency, f64::INFINITY)]),
        };
        let text = serde_json::to_string(&record).unwrap();
        let back: TrialRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(back.metrics, record.metrics, "{text}");
    }
}
