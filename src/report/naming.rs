//! What cells and metrics of a section are called.

use super::document::{AxisLine, Role, Section};
use crate::base::{Metric, MetricName};
use crate::experiment::value::Value;

/// Describes a cell by its varying axes, for example `shift 0.1, rotation 10`.
pub(super) fn describe(axes: &[AxisLine], values: &[Option<Value>]) -> String {
    let part = |(axis, value): (&AxisLine, &Option<Value>)| {
        let value = axis.show(value.as_ref().filter(|_| axis.role != Role::Fixed)?);
        Some(format!("{} {value}", axis.label))
    };
    axes.iter().zip(values).filter_map(part).collect::<Vec<_>>().join(", ")
}

/// Returns the values of a cell on axes that move together, joined, for example `10/0.1`.
pub(super) fn joined(axes: &[AxisLine], values: &[Option<Value>], group: &[usize]) -> String {
    let texts = group.iter().map(|axis| axes[*axis].show_or_absent(values[*axis].as_ref()));
    texts.collect::<Vec<_>>().join("/")
}

impl Section {
    /// Returns the axes that differ between cells, with their index.
    pub(crate) fn varying(&self) -> impl Iterator<Item = (usize, &AxisLine)> {
        self.axes.iter().enumerate().filter(|(_, axis)| axis.role != Role::Fixed)
    }

    /// Describes a cell by its varying axes, for example `shift 0.1, rotation 10`.
    pub(crate) fn describe(&self, cell: usize) -> String {
        describe(&self.axes, &self.cells[cell].values)
    }

    /// Returns the values of a cell on axes that move together, joined, for example `10/0.1`.
    pub(crate) fn show_joined(&self, cell: usize, axes: &[usize]) -> String {
        joined(&self.axes, &self.cells[cell].values, axes)
    }

    /// Returns the declaration of a metric that was measured.
    pub(crate) fn measured(&self, name: &MetricName) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == *name)
    }
}
