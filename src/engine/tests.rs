//! Whole trainings on the CPU.

use super::testing::{Silent, StopAfter, every_layer, job, quarters, settings, splits};
use super::*;
use crate::base::Metric;

fn cpu() -> Box<dyn Engine + Send + Sync> {
    build(DeviceChoice::Cpu).unwrap()
}

#[test]
fn a_network_with_every_layer_learns_the_quarters() {
    let mut settings = settings(every_layer());
    settings.train.epochs = 15;
    let (dataset, splits) = (quarters(400), splits(400));
    let output = cpu().train(&job(&settings, &dataset, &splits, 0), &mut Silent).unwrap();
    let accuracy = output.summary.unwrap().metrics[&Metric::TestAccuracy];
    assert!(accuracy > 0.9, "test accuracy {accuracy}");
}
