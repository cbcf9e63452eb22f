//! Events, summaries and the messages of the `HParams` plug-in, field by field after the `.proto`
//! files of `TensorBoard` 2 (<https://github.com/tensorflow/tensorboard>: `compat/proto/event.proto`,
//! `summary.proto`, `plugins/hparams/plugin_data.proto`, `api.proto`).

use super::record::{Message, append_record};
use crate::base::Metric;
use crate::experiment::value::Value;

/// What the values of a hyperparameter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text = 1,
    Truth = 2,
    Number = 3,
}

/// A hyperparameter with all its values.
pub(super) struct Hyperparameter<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// Its values with their texts, for what is no number and no truth.
    pub(super) values: Vec<(&'a Value, String)>,
}

/// One event file in the making.
#[derive(Debug)]
pub(super) struct EventFile(Vec<u8>);

impl EventFile {
    /// Starts a file with its version.
    pub(super) fn begin(time: f64) -> Self {
        let mut file = Self(Vec::new());
        let event = Message::default().double(1, time).text(3, "brain.Event:2");
        append_record(&mut file.0, event.bytes());
        file
    }

    /// Returns the bytes of the file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn add(&mut self, value: &Message, step: u64, time: f64) {
        let summary = Message::default().message(1, value);
        let event = Message::default().double(1, time).integer(2, step).message(5, &summary);
        append_record(&mut self.0, event.bytes());
    }

    /// Adds a number.
    pub(super) fn scalar(&mut self, tag: &str, value: f64, step: u64, time: f64) {
        self.add(&Message::default().text(1, tag).float(2, value as f32), step, time);
    }

    /// Adds a histogram of `values`, counted between `edges`.
    pub(super) fn histogram(
        &mut self,
        tag: &str,
        values: &[f64],
        edges: &[f64],
        counts: &[usize],
        time: f64,
    ) {
        let counts: Vec<f64> = counts.iter().map(|count| *count as f64).collect();
        let extreme = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick);
        // A bucket has an upper limit only: an empty first one holds the lowest edge.
        let limits = edges;
        let buckets: Vec<f64> = std::iter::once(0.0).chain(counts).collect();
        let histogram = Message::default()
            .double(1, extreme(f64::min).unwrap_or(0.0))
            .double(2, extreme(f64::max).unwrap_or(0.0))
            .double(3, values.len() as f64)
            .double(4, values.iter().sum())
            .double(5, values.iter().map(|value| value * value).sum())
            .doubles(6, limits)
            .doubles(7, &buckets);
        self.add(&Message::default().text(1, tag).message(5, &histogram), 0, time);
    }

    /// Tells the `HParams` page which hyperparameters and metrics there are.
    pub(super) fn experiment(
        &mut self,
        name: &str,
        time: f64,
        hyperparameters: &[Hyperparameter<'_>],
        metrics: &[&Metric],
    ) {
        let mut experiment = Message::default().text(6, name).double(3, time);
        for Hyperparameter { name, kind, values } in hyperparameters {
            let domain = values.iter().fold(Message::default(), |list, (value, text)| {
                list.message(1, &wrapped(value, text, *kind))
            });
            let info =
                Message::default().text(1, name).integer(4, *kind as u64).message(5, &domain);
            experiment = experiment.message(4, &info);
        }
        for metric in metrics {
            let name = Message::default().text(2, &format!("metric/{}", metric.name));
            let info = Message::default().message(1, &name).text(3, metric.name.as_str());
            experiment = experiment.message(5, &info);
        }
        let data = Message::default().message(2, &experiment);
        self.plugin("_hparams_/experiment", &data, time);
    }

    /// Says with which hyperparameters, by the index of their value, a trial began; trials of one
    /// `group` are one row.
    pub(super) fn session_start(
        &mut self,
        hyperparameters: &[(&Hyperparameter<'_>, usize)],
        group: &str,
        time: f64,
    ) {
        let mut start = Message::default().text(4, group).double(5, time);
        for (Hyperparameter { name, kind, values }, index) in hyperparameters {
            let (value, text) = &values[*index];
            // A map is a list of messages of key and value.
            let entry = Message::default().text(1, name).message(2, &wrapped(value, text, *kind));
            start = start.message(1, &entry);
        }
        let data = Message::default().message(3, &start);
        self.plugin("_hparams_/session_start_info", &data, time);
    }

    /// Says how a trial ended.
    pub(super) fn session_end(&mut self, completed: bool, time: f64) {
        let status = if completed { 1 } else { 2 };
        let end = Message::default().integer(1, status).double(2, time);
        let data = Message::default().message(4, &end);
        self.plugin("_hparams_/session_end_info", &data, time);
    }

    /// Adds data of the `HParams` plug-in, which rides on an empty tensor of floats.
    fn plugin(&mut self, tag: &str, data: &Message, time: f64) {
        let plugin = Message::default().text(1, "hparams").bytes_field(2, data.bytes());
        let metadata = Message::default().message(1, &plugin);
        let dimension = Message::default().integer(1, 0);
        let shape = Message::default().message(2, &dimension);
        let tensor = Message::default().integer(1, 1).message(2, &shape);
        let value = Message::default().text(1, tag).message(9, &metadata).message(8, &tensor);
        self.add(&value, 0, time);
    }
}

/// Writes a value as a `google.protobuf.Value`.
fn wrapped(value: &Value, text: &str, kind: Kind) -> Message {
    let message = Message::default();
    match (kind, value.as_number(), value.as_truth()) {
        (Kind::Number, Some(number), _) => message.double(2, number),
        (Kind::Truth, _, Some(truth)) => message.integer(4, u64::from(truth)),
        _ => message.text(3, text),
    }
}
