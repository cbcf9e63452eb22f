//! Cost of data preparation on one core: `cargo bench --bench data [DATA_DIR]`.
#![expect(clippy::print_stdout, reason = "a benchmark reports to the terminal")]

use std::path::PathBuf;
use std::time::Instant;

use gridbench::base::{Seed, SeedPath};
use gridbench::data::{Augmenter, BatchSettings, Batches, DataFolders, Dataset, Order, load};
use gridbench::experiment::settings::{
    AugmentSettings, Convention, DatasetSettings, Fill, ShiftSettings, Source, ZoomSettings,
};

fn main() {
    let settings =
        |source, image_size| DatasetSettings { image_size, ..DatasetSettings::of(source) };
    let folder = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let folders = DataFolders {
        roots: folder.into_iter().map(PathBuf::from).collect(),
        ..DataFolders::default()
    };
    let digits = timed_load("digits 28×28", &settings(Source::Digits, Some(28)), &folders)
        .expect("the digits are embedded");
    timed_load("mnist", &settings(Source::Mnist, None), &folders);
    for convention in [Convention::KerasGenerator, Convention::KerasLayers] {
        for fill in [Fill::Nearest, Fill::Constant(0.0), Fill::Reflect, Fill::Wrap] {
            let augment = AugmentSettings {
                rotation: 10.0,
                zoom: ZoomSettings { height: 0.1, width: 0.1, uniform: false },
                shift: ShiftSettings { width: 0.1, height: 0.1 },
                shear: 0.0,
                fill,
                convention,
            };
            let augmenter = Augmenter::new(&augment, digits.shape);
            time_epoch(&format!("{convention:?} {fill:?}"), &digits, Some(&augmenter));
        }
    }
    time_epoch("no augmentation", &digits, None);
}

fn timed_load(what: &str, settings: &DatasetSettings, folders: &DataFolders) -> Option<Dataset> {
    let start = Instant::now();
    let dataset = load(settings, folders);
    println!("{what}: loaded in {:.1} ms", 1e3 * start.elapsed().as_secs_f64());
    dataset.map_err(|error| println!("{what}: {error}")).ok()
}

/// Prints the best of five epochs over ten times the images.
fn time_epoch(what: &str, dataset: &Dataset, augmenter: Option<&Augmenter>) {
    let indices: Vec<u32> = (0..10 * dataset.len()).map(|at| (at % dataset.len()) as u32).collect();
    let settings =
        BatchSettings { batch_size: 64, drop_last: false, order: Order::Shuffled, augmenter };
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    let mut best = f64::INFINITY;
    for epoch in 0..5 {
        let start = Instant::now();
        let path = SeedPath::member(Seed(0), 0, 0);
        let mut batches = Batches::new(dataset, &indices, settings, path, epoch);
        while batches.next_into(&mut pixels, &mut labels).is_some() {}
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{what}: {:.2} µs per image", 1e6 * best / indices.len() as f64);
}
