//! Speed of packs: images per second of models trained at once on one device, whole trainings as
//! `bench run` does them, evaluation aside.
//!
//! ```text
//! cargo bench --features cuda --bench packs                       the table of a GPU
//! cargo bench --bench packs -- --device cpu mlp --pack 1,2 --batch 64 --images 2000
//! cargo bench --features cuda --bench packs -- deotte-cnn --pack 1,4,16,64 --json
//! ```
//!
//! Without words: `deotte-cnn` in packs of 1, 2, 4, 8, 16, 32 and 64 at batches of 64, 256 and
//! 1024, then every other preset in packs of 1 and 16 at a batch of 64. The first of two epochs
//! warms up, the second counts. Images are random. With `--json` one object per row.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use gridbench::base::{Seed, SeedPath};
use gridbench::data::{Dataset, ImageShape, Splits};
use gridbench::engine::{
    CpuKernels, DeviceChoice, EpochObserver, Snapshot, TrainJob, build_for_packs,
};
use gridbench::experiment::Document;
use gridbench::experiment::settings::Settings;
use gridbench::record::EpochRecord;

const PRESETS: [&str; 5] = ["deotte-cnn", "augment-cnn", "mlp", "simple-cnn", "two-conv"];

/// One row of the table.
struct Row {
    preset: &'static str,
    batch: usize,
    pack: usize,
}

struct Silent;

impl EpochObserver for Silent {
    fn epoch(&mut self, _: &EpochRecord, _: &dyn Snapshot) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).cloned()
    };
    let device: DeviceChoice =
        word("--device").map_or(Ok(DeviceChoice::Cuda(0)), |name| name.parse()).expect("a device");
    let images = word("--images").map_or(65_536, |text| text.parse().expect("a number of images"));
    let is_json = words.iter().any(|word| word == "--json");
    for row in rows(&words, &word) {
        let speed = speed(device, &row, images);
        let Row { preset, batch, pack } = row;
        match speed {
            Ok((rate, trained)) if is_json => println!(
                "{{\"network\":\"{preset}\",\"device\":\"{device}\",\"batch\":{batch},\
                 \"pack\":{pack},\"trained_at_once\":{trained},\"images_per_second\":{rate:.0}}}"
            ),
            Ok((rate, trained)) => println!(
                "{preset:12} batch {batch:5}  pack {pack:3} ({trained:3} at once) {rate:12.0} images/s"
            ),
            Err(reason) if is_json => println!(
                "{{\"network\":\"{preset}\",\"device\":\"{device}\",\"batch\":{batch},\
                 \"pack\":{pack},\"error\":{reason:?}}}"
            ),
            Err(reason) => println!("{preset:12} batch {batch:5}  pack {pack:3}: {reason}"),
        }
    }
}

fn rows(words: &[String], word: &dyn Fn(&str) -> Option<String>) -> Vec<Row> {
    let numbers = |name: &str| -> Option<Vec<usize>> {
        let text = word(name)?;
        Some(text.split(',').map(|part| part.parse().expect("numbers with commas")).collect())
    };
    let asked: Vec<&'static str> =
        PRESETS.into_iter().filter(|preset| words.iter().any(|word| word == preset)).collect();
    let is_default = asked.is_empty();
    let mut rows = Vec::new();
    for preset in if is_default { PRESETS.to_vec() } else { asked } {
        let in_full = preset == PRESETS[0] || !is_default;
        let (packs, batches) = if in_full {
            (vec![1, 2, 4, 8, 16, 32, 64], vec![64, 256, 1024])
        } else {
            (vec![1, 16], vec![64])
        };
        for batch in numbers("--batch").unwrap_or(batches) {
            for pack in numbers("--pack").unwrap_or_else(|| packs.clone()) {
                rows.push(Row { preset, batch, pack });
            }
        }
    }
    rows
}

fn settings(preset: &str, batch: usize) -> Settings {
    let optimizer = if ["mlp", "simple-cnn"].contains(&preset) { "rmsprop" } else { "adam" };
    let text = format!(
        "name = \"bench\"\n[dataset]\nsource = \"mnist\"\n[model]\npreset = \"{preset}\"\n\
         [train]\nepochs = 2\nbatch-size = {batch}\ndrop-last = true\n\
         optimizer = {{ name = \"{optimizer}\" }}\n"
    );
    let document = Document::parse(&text, "packs.toml", &[]).expect("the text is an experiment");
    document.experiment().base.clone()
}

/// Returns images per second over all models, and how many were trained at once.
fn speed(device: DeviceChoice, row: &Row, images: usize) -> Result<(f64, usize), String> {
    let settings = settings(row.preset, row.batch);
    let shape = ImageShape { height: 28, width: 28, channels: 1 };
    let count = images.max(row.batch);
    let pixels = (0..count * shape.len()).map(|at| (at * 37 % 256) as u8).collect();
    let labels = (0..count).map(|image| (image % 10) as u16).collect();
    let classes = (0..10).map(|class: u8| class.to_string()).collect();
    let dataset = Dataset::new("speed", shape, classes, pixels, labels, None);
    let train: Vec<u32> = (0..count as u32).collect();
    let splits = Splits { test: train[..row.batch].to_vec(), train, ..Splits::default() };
    let most = NonZeroUsize::new(row.pack);
    let engine =
        build_for_packs(device, CpuKernels::Dfdx, most).map_err(|error| error.to_string())?;
    let jobs: Vec<TrainJob<'_>> = (0..row.pack as u32)
        .map(|member| TrainJob {
            settings: &settings,
            dataset: &dataset,
            splits: &splits,
            seed_path: SeedPath::member(Seed(1), 0, member),
            member: None,
            attempt: 1,
            checkpoint: None,
            earlier: None,
        })
        .collect();
    let capacity = engine.pack_capacity(&jobs[0]).min(row.pack);
    let (mut trained, mut seconds) = (0, 0.0);
    for jobs in jobs.chunks(capacity) {
        let mut silent: Vec<Silent> = jobs.iter().map(|_| Silent).collect();
        let mut observers: Vec<&mut dyn EpochObserver> =
            silent.iter_mut().map(|observer| observer as &mut dyn EpochObserver).collect();
        for output in engine.train_pack(jobs, &mut observers) {
            let output = output.map_err(|error| error.to_string())?;
            let record = output.epochs.get(1).ok_or("it did not train two epochs")?;
            trained += count - count % row.batch;
            // The members of a pack share its time.
            seconds += record.train_seconds;
        }
    }
    Ok((trained as f64 / seconds, capacity))
}
